"""The columns of raw, valid and quarantined rows of each record kind: names, types, meaning.

Names and types only: `cells` reads the values, `components` derives the posting columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.config.record_kinds import Field, FieldType
from showcost.core.money import AMOUNT_DIGITS, AMOUNT_SCALE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from showcost.config.record_kinds import RecordKind

MONEY: Final = pa.decimal128(AMOUNT_DIGITS, AMOUNT_SCALE)
"""An amount of money in its currency."""

ZERO: Final = pa.scalar(Decimal(0), MONEY)

QUANTITY_SCALE: Final = 6
QUANTITY: Final = pa.decimal128(AMOUNT_DIGITS - AMOUNT_SCALE + QUANTITY_SCALE, QUANTITY_SCALE)
"""Hours, counts and rates of pay: not money, so no currency's minor unit limits their decimals."""

INTEGER_DIGITS: Final = AMOUNT_DIGITS - AMOUNT_SCALE
"""Digits before the decimal point that fit both types."""


COMPONENT: Final = pa.struct(
    [
        ("component", pa.string()),
        ("account", pa.string()),
        ("union_category", pa.string()),
        ("amount", MONEY),
    ]
)
"""One ledger entry of a row, before conversion."""


class RowTable(StrEnum):
    """The tables of a row on its way to the ledger."""

    RAW = "raw"
    VALID = "valid"
    QUARANTINE = "quarantine"


@dataclass(frozen=True)
class ColumnInfo:
    """One column of a table; a `personal` column never reaches logs, metadata or previews."""

    name: str
    type: pa.DataType
    description: str
    nullable: bool = True
    personal: bool = False

    @property
    def type_name(self) -> str:
        """The type as Arrow writes it, such as `decimal128(18, 4)`."""
        return str(self.type)


def column_schema(kind: RecordKind, table: RowTable) -> tuple[ColumnInfo, ...]:
    """Return the columns of a record kind's table, in order."""
    match table:
        case RowTable.RAW:
            return _raw(kind)
        case RowTable.VALID:
            return _valid(kind)
        case RowTable.QUARANTINE:
            return (*_raw(kind), *_QUARANTINE)


def arrow_schema(kind: RecordKind, table: RowTable) -> pa.Schema:
    """Return the Arrow schema of a record kind's table (every column nullable, as Parquet returns it)."""
    return pa.schema([(column.name, column.type) for column in column_schema(kind, table)])


def field_type(field: Field) -> pa.DataType:
    """Return the Arrow type of a field's typed value."""
    match field.type:
        case FieldType.TEXT:
            return pa.string()
        case FieldType.DATE:
            return pa.date32()
        case FieldType.TIMESTAMP:
            return pa.timestamp("us")
        case FieldType.AMOUNT:
            return QUANTITY if field.quantity else MONEY


def money_fields(kind: RecordKind) -> tuple[str, ...]:
    """Return the names of the fields with amounts in the row's currency."""
    return tuple(name for name in kind.of_type(FieldType.AMOUNT) if name not in kind.quantities)


_DELIVERY: Final = ColumnInfo("delivery", pa.string(), "sha256 of the delivery", nullable=False)
_ARRIVAL: Final = ColumnInfo(
    "arrival", pa.int64(), "number of the delivery, in order of landing", nullable=False
)
_RECORD: Final = ColumnInfo(
    "record", pa.int64(), "number of the record in the delivery, from 1", nullable=False
)

_PLACE: Final = (
    _DELIVERY,
    _ARRIVAL,
    _RECORD,
    ColumnInfo("byte_start", pa.int64(), "first byte of the record in the delivery", nullable=False),
    ColumnInfo("byte_end", pa.int64(), "byte after the record", nullable=False),
    ColumnInfo("ordinal", pa.int32(), "number of the record among the records of its key in the delivery"),
    ColumnInfo("row_key", pa.string(), "hash of the key fields of the row"),
    ColumnInfo("transaction_date", pa.date32(), "transaction date; null if unreadable or undated"),
    ColumnInfo("raw", pa.string(), "the record as delivered", personal=True),
    ColumnInfo("read_code", pa.string(), "reason code of a record that could not be read"),
    ColumnInfo("read_detail", pa.string(), "detail of a record that could not be read"),
)

_QUARANTINE: Final = (
    ColumnInfo("disposition", pa.string(), "quarantined, duplicate or pending", nullable=False),
    ColumnInfo("codes", pa.list_(pa.string()), "reason codes, sorted", nullable=False),
    ColumnInfo(
        "reasons",
        pa.string(),
        "JSON list of code, field, observed, expected and source of the rule",
        nullable=False,
    ),
)

_DERIVED: Final = (
    ColumnInfo("document_no", pa.string(), "number of the invoice, permit or payroll invoice"),
    ColumnInfo("vendor_code", pa.string(), "code of the payee"),
    ColumnInfo("vendor_name", pa.string(), "name of the payee; never an employee"),
    ColumnInfo("description", pa.string(), "goods or service supplied"),
)

_TYPED: Final[Mapping[FieldType, tuple[tuple[str, pa.DataType, str], ...]]] = {
    FieldType.TEXT: (),
    FieldType.DATE: (
        ("value", pa.date32(), "date"),
        ("problem", pa.string(), "blank, invalid or ambiguous"),
    ),
    FieldType.TIMESTAMP: (
        ("value", pa.timestamp("us"), "date and time, local"),
        ("problem", pa.string(), "blank, invalid or ambiguous"),
    ),
    FieldType.AMOUNT: (
        ("value", pa.string(), "amount, digits as delivered"),
        ("symbol", pa.string(), "currency symbol or code in the cell"),
        ("problem", pa.string(), "blank, unparseable or ambiguous"),
    ),
}


_PAY_RULES: Final = ColumnInfo(
    "pay_rules", pa.string(), "agreement, version and hash of the pay rules that the row was checked by"
)

_PAY_UNCHECKED: Final = ColumnInfo(
    "pay_not_checked", pa.string(), "pay rules that could not be applied to the row, each with the reason"
)


_COMPONENTS: Final = ColumnInfo(
    "components", pa.list_(COMPONENT), "ledger entries of the row, before conversion", nullable=False
)


def _raw(kind: RecordKind) -> tuple[ColumnInfo, ...]:
    columns = list(_PLACE)
    for field in kind.fields:
        columns.append(
            ColumnInfo(field.name, pa.string(), f"{field.meaning}, as delivered", personal=field.personal)
        )
        columns += [
            ColumnInfo(f"{field.name}__{part}", type_, f"{field.name}: {meaning}", personal=field.personal)
            for part, type_, meaning in _TYPED[field.type]
        ]
    return tuple(columns)


def _valid(kind: RecordKind) -> tuple[ColumnInfo, ...]:
    never_null = {"account", "currency", kind.primary.field}
    fields = tuple(
        ColumnInfo(field.name, field_type(field), field.meaning, field.name not in never_null, field.personal)
        for field in kind.fields
    )
    return (
        _DELIVERY,
        _ARRIVAL,
        _RECORD,
        ColumnInfo("row_key", pa.string(), "hash of the key fields of the row", nullable=False),
        ColumnInfo("content", pa.string(), "hash of the row's typed values", nullable=False),
        ColumnInfo(
            "transaction_date", pa.date32(), "transaction date, by which rows are partitioned", nullable=False
        ),
        ColumnInfo(
            "flags", pa.list_(pa.string()), "codes that do not keep the row from being posted", nullable=False
        ),
        *fields,
        *(column for column in _DERIVED if column.name not in kind.by_name and _has(kind, column.name)),
        *((_PAY_RULES, _PAY_UNCHECKED) if kind.has_pay_rules else ()),
        *(() if kind.is_plan else (_COMPONENTS,)),
    )


def _has(kind: RecordKind, derived: str) -> bool:
    """Say whether valid rows have a derived column; those that become entries have all."""
    return not kind.is_plan or derived in kind.derived
