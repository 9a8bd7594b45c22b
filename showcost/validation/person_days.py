"""The lines of people's days that have several, among all landed rows of these days.

A row is judged with the lines that its own delivery has of the day, and with those lines of other deliveries
whose key its own does not have: for each such key the posted row, else the earliest. So a corrected manifest
is judged by itself, and a day that comes in two files is judged as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.arrow import query
from showcost.pay.day_lines import PLACE, DayLines
from showcost.pay.frame import CELLS
from showcost.validation.cells import RawRows, read_cells
from showcost.validation.reference import Reference, look_up

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEYS: Final = ("payroll_company", "employee_ref", "work_date__value")
_COLUMNS: Final = ("delivery", "arrival", "record", "row_key", *_KEYS)

_MEMBERS: Final = """
WITH lines AS (
    SELECT place, delivery, arrival, record, row_key,
        (lower(trim(payroll_company)), lower(trim(employee_ref)), work_date__value) AS person_day,
        posted.row_key IS NOT NULL AS is_posted
    FROM landed LEFT JOIN posted USING (row_key, delivery, record) LEFT JOIN withheld USING (delivery, record)
    WHERE read_code IS NULL AND landed.row_key IS NOT NULL AND NOT coalesce(is_withheld, false)
), several AS (
    SELECT * FROM lines QUALIFY count(*) OVER (PARTITION BY person_day) > 1
), numbered AS (
    -- A line that a delivery has twice is one line of the day, and its repetition one of a day like it.
    SELECT *, row_number() OVER (PARTITION BY person_day, delivery, row_key ORDER BY record) AS again
    FROM several
), own AS (
    SELECT *, dense_rank() OVER (ORDER BY person_day, arrival, delivery, again) AS day_group FROM numbered
), holders AS (
    SELECT person_day, row_key, arg_min(place, (NOT is_posted, arrival, record)) AS place
    FROM several GROUP BY ALL
), others AS (
    SELECT holders.place, groups.day_group
    FROM (SELECT DISTINCT person_day, day_group FROM own) AS groups JOIN holders USING (person_day)
    ANTI JOIN own ON own.day_group = groups.day_group AND own.row_key = holders.row_key
)
SELECT place, day_group, true AS own FROM own UNION ALL SELECT place, day_group, false FROM others
ORDER BY day_group, place, own
"""


def day_lines(
    landed: Sequence[RawRows], reference: Reference, posted: pa.Table, effects: pa.Table | None
) -> DayLines | None:
    """Return the lines of the days that have several, or None where no day has.

    `landed` are landed rows, each perhaps several times; `posted` the posted rows with one of their keys
    (`duplicates.POSTED`), `effects` the effects of decisions (`decisions.EFFECTS`). Rows that were not read
    or that a person withholds are no lines of a day.
    """
    if not reference.feed.kind.has_pay_rules:
        return None
    every = pa.concat_tables([rows.table for rows in landed])
    wanted = (*_COLUMNS, "read_code")
    numbered = every.select(list(wanted)).append_column("place", pa.array(np.arange(every.num_rows)))
    numbered = query(
        "SELECT * FROM numbered QUALIFY row_number() OVER (PARTITION BY delivery, record ORDER BY place) = 1",
        numbered=numbered,
    )
    withheld = (
        pa.table({"delivery": pa.array([], pa.string()), "record": pa.array([], pa.int64()),
                  "is_withheld": pa.array([], pa.bool_())})
        if effects is None
        else effects.select(["delivery", "record", "withheld"]).rename_columns(
            ["delivery", "record", "is_withheld"]
        )
    )  # fmt: skip
    members = query(_MEMBERS, landed=numbered, posted=posted, withheld=withheld)
    if not members.num_rows:
        return None
    rows = every.take(members.column("place"))
    cells = look_up(read_cells(rows, reference.feed), reference, with_pay=False)
    own = pc.fill_null(members.column("own"), False).combine_chunks()
    group = np.asarray(members.column("day_group")).astype(np.int64)
    return DayLines(cells.select([*PLACE, *CELLS]).combine_chunks(), group, own)
