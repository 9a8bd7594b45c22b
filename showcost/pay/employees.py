"""Batches of rows by employee, checked in parallel.

All rows of an employee are in one batch, so the findings do not depend on the division into batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from showcost.pay.frame import CELLS, TextColumn
from showcost.pay.neighbours import employees
from showcost.pay.numbers import Ints, distinct_of

_KEPT: Final = ("row_key", "delivery", "record", "content", "transaction_date")


@dataclass(frozen=True)
class EmployeeBatch:
    """All rows of some employees: as cells, as valid rows, and the number of each row's employee."""

    cells: pa.Table
    valid: pa.Table
    employee: Ints

    @classmethod
    def of_all(cls, cells: pa.Table, valid: pa.Table) -> EmployeeBatch:
        """Return all rows as one batch."""
        employee = employees([valid.column("payroll_company"), valid.column("employee_ref")])
        return cls(cells.select(CELLS), valid.select(_KEPT), employee)

    def by_employee(self, size: int) -> list[Ints]:
        """Return the places of rows in batches of about `size` rows; no employee is in two batches."""
        people, whose = distinct_of(self.employee)
        count = max(-(-len(whose) // size), 1)
        batch = whose * count // max(len(people), 1)
        # Rows of an agreement are placed side by side, so that its rules read them without copying.
        agreement = TextColumn.of(self.cells.column("agreement")).codes
        order = np.lexsort([agreement, batch])
        return np.split(order, np.searchsorted(batch[order], np.arange(1, count)))

    def take(self, rows: Ints) -> EmployeeBatch:
        """Return some of the rows."""
        places = pa.array(rows)
        return EmployeeBatch(self.cells.take(places), self.valid.take(places), self.employee[rows])
