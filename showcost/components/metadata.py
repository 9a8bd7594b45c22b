"""Asset metadata for the UI: tables, column schemas and lineage, built from Arrow tables.

Everyone who can open the UI can read metadata, so nothing that may identify a person belongs here:
previews use named columns only, never raw text.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final, Protocol

import dagster as dg

from showcost.core.money import readable_amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

PREVIEW_ROWS: Final = 5
_CELL: Final = 60
SENTENCES: Final = 600
"""Longest explanatory text in characters: what a rule requires, and the arithmetic."""


def preview(table: pa.Table, columns: Sequence[str], rows: int = PREVIEW_ROWS) -> dg.TableMetadataValue:
    """Return the first rows of some columns as a small table; the columns must not contain personal data."""
    present = [name for name in columns if name in table.column_names]
    records = [
        dg.TableRecord({name: _cell(value) for name, value in row.items()})
        for row in table.select(present).slice(0, rows).to_pylist()
    ]
    return table_value(present, records)


def counts_table(
    names: Sequence[str], rows: Iterable[Sequence[object]], longest: int = _CELL
) -> dg.TableMetadataValue:
    """Return rows of plain values as a table; texts longer than `longest` characters are truncated."""
    return table_value(
        names,
        [
            dg.TableRecord({name: _cell(value, longest) for name, value in zip(names, row, strict=True)})
            for row in rows
        ],
    )


def table_value(names: Sequence[str], records: Sequence[dg.TableRecord]) -> dg.TableMetadataValue:
    """Return records as table metadata; columns are text, because records take no decimals or dates."""
    schema = dg.TableSchema([dg.TableColumn(name, "string") for name in names])
    return dg.MetadataValue.table(list(records), schema=schema)


class DescribedColumn(Protocol):
    """A column with its type and meaning in words."""

    @property
    def name(self) -> str:
        """The column's name."""

    @property
    def type_name(self) -> str:
        """The type as its engine writes it."""

    @property
    def description(self) -> str:
        """The meaning of the column."""


def column_schema(columns: Iterable[DescribedColumn]) -> dg.TableSchema:
    """Return described columns as Dagster's column schema."""
    return dg.TableSchema(
        [dg.TableColumn(column.name, column.type_name, description=column.description) for column in columns]
    )


def lineage(columns: Mapping[str, Iterable[tuple[dg.AssetKey, str]]]) -> dg.TableColumnLineage:
    """Return column lineage: each column with the (asset, column) pairs it is derived from."""
    return dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(asset_key=key, column_name=column) for key, column in sources]
            for name, sources in columns.items()
        }
    )


def _cell(value: object, longest: int = _CELL) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return readable_amount(value)
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"
