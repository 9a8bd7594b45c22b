"""The tax of a row by its code: whether the code is known on the day, its rate, share and account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.arrow import query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from showcost.config.production import TaxCode
    from showcost.config.record_kinds import SecondaryComponent

PERCENT: Final = pa.decimal128(7, 4)

COLUMNS: Final = pa.schema(
    [
        ("tax__known", pa.bool_()),
        ("tax__rate", PERCENT),
        ("tax__recoverable", PERCENT),
        ("tax__account", pa.string()),
    ]
)
"""The code of a row: percentages, and the account of the share that is recovered (null: default)."""

_OTHER_NAMES: Final = {"UK": "GB", "EL": "GR"}

_SQL: Final = """
SELECT CASE WHEN rows.date IS NOT NULL THEN codes.country IS NOT NULL END AS tax__known,
    rate AS tax__rate, recoverable AS tax__recoverable, account AS tax__account
FROM rows LEFT JOIN codes ON codes.country = rows.country AND codes.code = rows.code
    AND rows.date BETWEEN codes.first AND codes.last
ORDER BY rows.place
"""


def tax_columns(cells: pa.Table, secondary: SecondaryComponent, codes: Sequence[TaxCode]) -> pa.Table:
    """Return the columns of `COLUMNS` for typed cells, in their order; the case of codes does not matter."""
    country = pc.fill_null(pc.utf8_upper(cells.column(str(secondary.country))), "")
    for name, code in _OTHER_NAMES.items():
        country = pc.if_else(pc.equal(country, name), code, country)
    rows = pa.table(
        {
            "place": pa.array(range(cells.num_rows), pa.int64()),
            "country": country,
            "code": pc.fill_null(pc.utf8_lower(cells.column(str(secondary.tax_code))), ""),
            "date": cells.column("date"),
        }
    )
    return query(_SQL, rows=rows, codes=_table(codes)).cast(COLUMNS)


def _table(codes: Sequence[TaxCode]) -> pa.Table:
    return pa.table(
        {
            "country": pa.array([code.country for code in codes], pa.string()),
            "code": pa.array([code.key[1] for code in codes], pa.string()),
            "rate": pa.array([code.rate for code in codes], PERCENT),
            "recoverable": pa.array([code.recoverable for code in codes], PERCENT),
            "account": pa.array([code.account for code in codes], pa.string()),
            "first": pa.array([code.start for code in codes], pa.date32()),
            "last": pa.array([code.end for code in codes], pa.date32()),
        }
    )
