"""Document ids, shared by the entries of one invoice, permit or payroll invoice (decision record 24).

    sha256(json_array("document", production, record kind, vendor, document number, year))[:32]

Vendor and number are in normal form (`showcost.core.documents`); the year is that of the transaction date
for record kinds that are numbered anew each year, else empty. A row without a document number is a document
of its own: sha256(json_array("row", production, feed, row key))[:32].
"""
# ruff: noqa: S608 - statements are put together from constants of this package and names of columns

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.config.record_kinds import RECORD_KINDS
from showcost.core.documents import normal_codes, normal_numbers
from showcost.core.hashing import SHORT

if TYPE_CHECKING:
    import duckdb

NUMBERS: Final = "document_numbers"
"""The view that `register_numbers` makes."""


def register_numbers(connection: duckdb.DuckDBPyConnection, rows: str, document: str = "document_no") -> None:
    """Let a connection see the normal form of the vendor codes and document numbers of some rows.

    `rows` follows FROM in SQL and has the columns `vendor_code` and `document`. The view has vendor_code,
    document_no, vendor_normal and number_normal, each pair once.
    """
    pairs = connection.sql(
        f"SELECT DISTINCT vendor_code, {document} AS document_no FROM {rows}"
    ).to_arrow_table()
    vendors, numbers = pairs.column("vendor_code"), pairs.column("document_no")
    connection.register(
        NUMBERS,
        pa.table(
            {
                "vendor_code": vendors.cast(pa.string()),
                "document_no": numbers.cast(pa.string()),
                "vendor_normal": normal_codes(vendors),
                "number_normal": normal_numbers(numbers),
            }
        ),
    )


def join_numbers(rows: str) -> str:
    """Return the JOIN that adds the normal forms to rows under a name."""
    return (
        f"LEFT JOIN {NUMBERS} ON {NUMBERS}.vendor_code IS NOT DISTINCT FROM {rows}.vendor_code"
        f" AND {NUMBERS}.document_no IS NOT DISTINCT FROM {rows}.document_no"
    )


def _yearly() -> str:
    kinds = ", ".join(f"'{kind.name}'" for kind in RECORD_KINDS.values() if kind.numbered_yearly)
    return f"record_kind IN ({kinds})"


DOCUMENT_ID: Final = f"""
CASE WHEN number_normal <> '' THEN sha256(CAST(json_array('document', production, record_kind,
        coalesce(vendor_normal, ''), number_normal,
        CASE WHEN {_yearly()} THEN CAST(year(transaction_date) AS VARCHAR) ELSE '' END) AS VARCHAR))
    ELSE sha256(CAST(json_array('row', production, feed, row_key) AS VARCHAR)) END[:{SHORT}]
"""
"""The document id as a DuckDB expression over columns of an entry and those of `join_numbers`."""
