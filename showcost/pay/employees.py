"""Rows shared out by employee: each share is judged alone.

All rows of an employee are in one share, so nothing that is found depends on how rows are shared out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from showcost.pay.frame import CELLS, Words
from showcost.pay.neighbours import employees
from showcost.pay.numbers import Ints, distinct_of

_KEPT: Final = ("row_key", "delivery", "record", "content", "transaction_date")


@dataclass(frozen=True)
class Share:
    """All rows of some employees: as cells, as valid rows, and whose each is (a number per employee)."""

    cells: pa.Table
    valid: pa.Table
    person: Ints

    @classmethod
    def of_all(cls, cells: pa.Table, valid: pa.Table) -> Share:
        """Return the one share of all rows."""
        person = employees([valid.column("payroll_company"), valid.column("employee_ref")])
        return cls(cells.select(CELLS), valid.select(_KEPT), person)

    def by_employee(self, size: int) -> list[Ints]:
        """Return the places of the rows of shares of about so many rows, each of whole employees."""
        people, whose = distinct_of(self.person)
        count = max(-(-len(whose) // size), 1)
        share = whose * count // max(len(people), 1)
        # Rows of an agreement stand side by side, so that its rules look at them without copying any.
        agreement = Words.of(self.cells.column("agreement")).codes
        order = np.lexsort([agreement, share])
        return np.split(order, np.searchsorted(share[order], np.arange(1, count)))

    def take(self, rows: Ints) -> Share:
        """Return some of the rows."""
        places = pa.array(rows)
        return Share(self.cells.take(places), self.valid.take(places), self.person[rows])
