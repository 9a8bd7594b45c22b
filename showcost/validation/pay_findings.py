"""Pay findings of valid payroll rows: the rows read again as the rules look at them, neighbours and all.

The one entry for the stages: they hand in the valid rows of as many partitions as a finding can reach over.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.record_kinds import PAYROLL, FieldType
from showcost.validation.cells import BLANK
from showcost.validation.columns import Stage, arrow_schema
from showcost.validation.pay.findings import FINDINGS, findings
from showcost.validation.reference import Reference, look_up

if TYPE_CHECKING:
    from showcost.config.agreements import Agreements
    from showcost.config.chart import Chart
    from showcost.config.feed import FeedSpec
    from showcost.config.production import Production

REACH: Final = timedelta(days=7)
"""How far, before and after a day, a rule over neighbouring days looks: the workweek, and a weekend's rest.

What a ceiling looks at is all that was earned before.
"""

__all__ = ["FINDINGS", "REACH", "cells_of_valid", "pay_findings"]


def pay_findings(
    valid: pa.Table, *, feed: FeedSpec, production: Production, chart: Chart, agreements: Agreements
) -> pa.Table:
    """Return what the pay rules find in valid rows of a payroll feed, with the columns of `FINDINGS`.

    `valid` has the valid columns of the record kind. All rows in it are neighbours of each other, and all
    are judged: who asks about some days hands in those within `REACH` too, and takes what is about his.
    """
    rows = valid.select(arrow_schema(PAYROLL, Stage.VALID).names)
    reference = Reference(feed, production, chart, None, agreements)
    return findings(reference.pay, cells_of_valid(rows, reference), rows)


def cells_of_valid(valid: pa.Table, reference: Reference) -> pa.Table:
    """Return valid rows as the cells that rules look at; none of them has a fault of its own."""
    columns = {field.name: valid.column(field.name) for field in PAYROLL.fields}
    for name in PAYROLL.of_type(FieldType.AMOUNT):
        columns[f"{name}__problem"] = pc.if_else(
            pc.is_null(columns[name]), BLANK, pa.scalar(None, pa.string())
        )
    columns["date"] = valid.column("transaction_date")
    return look_up(pa.table(columns), reference)
