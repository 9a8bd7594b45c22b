"""The pandera schemas: of the cells, which finds the failures of the rules, and of valid rows.

A rule over one column is a check of that column. A rule over several has been made a Boolean column before,
since a check of the whole frame would be reported once per column. The name of a check is the rule's name.
What pandera says of a failure (`str(SchemaErrors)` above all) holds cells: it never leaves this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pyarrow.compute as pc
from pandera.config import ValidationDepth, config_context

from showcost.core.errors import IntegrityError
from showcost.core.money import minor_units
from showcost.validation.columns import ZERO, RowTable, column_schema, field_type, money_fields
from showcost.validation.rules import RowRule, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from showcost.config.production import Production
    from showcost.config.record_kinds import RecordKind

FAILURES = pa.schema([("row", pa.int64()), ("rule", pa.int32())])
"""Which row (from 0) fails which rule (its place among the rules)."""


@dataclass(frozen=True)
class Failure:
    """How many rows fail a check of a column; for a column that is missing or of another type, 1."""

    check: str
    column: str
    count: int


@dataclass(frozen=True)
class SchemaResult:
    """What the schema of valid rows says of a table; holds no cell of it."""

    rows: int
    failures: tuple[Failure, ...]

    @property
    def ok(self) -> bool:
        """Say whether the table is as it must be."""
        return not self.failures


class RowSchema:
    """The schema of a feed's cells, made once and used for every chunk."""

    def __init__(self, kind: RecordKind, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._places = {rule.name: place for place, rule in enumerate(self._rules)}
        self._kind = kind
        columns = {field.name: _column(field_type(field)) for field in kind.fields}
        columns["date"] = _column(pa.date32())
        for rule in self._rules:
            if isinstance(rule, RowRule):
                columns[rule.name] = _column(pa.bool_(), [_check(rule.name, _itself)], nullable=False)
            else:
                column = columns.setdefault(rule.column, _column(pa.string()))
                column.checks.append(_check(rule.name, rule.holds))
        self._schema = pandera.DataFrameSchema(columns, strict=True, name=kind.name)

    def failures(self, cells: pa.Table) -> pa.Table:
        """Return the failures of rows of cells, with the columns of `FAILURES`, by row and rule.

        Raises IntegrityError when the cells are not of the schema's structure: that is our fault, no row's.
        """
        columns = {
            name: _judged(rule, cells) if rule is not None else cells.column(name)
            for name, rule in self._frame_columns()
        }
        cases = _failure_cases(self._schema, pa.table(columns))
        if cases is None:
            return FAILURES.empty_table()
        foreign = cases[cases["index"].isna() | ~cases["check"].isin(list(self._places))]
        if len(foreign):
            raise IntegrityError(
                f"the cells of {self._kind.name} are not as their schema says: {_named(foreign)}"
            )
        table = pa.table(
            {
                "row": pa.array(cases["index"].astype("int64"), pa.int64()),
                "rule": pa.array(cases["check"].map(self._places).astype("int32"), pa.int32()),
            },
            schema=FAILURES,
        )
        return table.sort_by([("row", "ascending"), ("rule", "ascending")])

    def _frame_columns(self) -> list[tuple[str, RowRule | None]]:
        """Return the columns of the frame, with the rule that is to be judged for it."""
        by_name = {rule.name: rule for rule in self._rules if isinstance(rule, RowRule)}
        return [(name, by_name.get(name)) for name in self._schema.columns]


def schema_result(table: pa.Table, kind: RecordKind, production: Production) -> SchemaResult:
    """Hold a table of valid rows against the schema of its record kind, strictly.

    Checked are the columns, their order and types, that nothing is null that must not be, that the currency
    is the production's, that amounts have no more decimals than its minor unit, and that the components
    carry the row's amounts. Counts only, never a cell.
    """
    cases = _failure_cases(_structure(kind), table)
    failures = [] if cases is None else _counted(cases)
    if all(failure.check == _NULL for failure in failures):
        judged = _judgements(table, kind, production)
        schema = pandera.DataFrameSchema(
            {
                name: _column(pa.bool_(), [_check(name, _itself)], nullable=False)
                for name in judged.column_names
            }
        )
        cases = _failure_cases(schema, judged)
        failures += [] if cases is None else _counted(cases)
    return SchemaResult(table.num_rows, tuple(failures))


_NULL = "not_nullable"
_ABOUT_COLUMNS = frozenset({"column_in_dataframe", "column_in_schema", "column_ordered"})
"""Checks of the frame's shape: what they found is the name of a column."""


def _structure(kind: RecordKind) -> pandera.DataFrameSchema:
    columns = {
        column.name: _column(column.type, nullable=column.nullable)
        for column in column_schema(kind, RowTable.VALID)
    }
    return pandera.DataFrameSchema(columns, strict=True, ordered=True, name=kind.name)


def _judgements(table: pa.Table, kind: RecordKind, production: Production) -> pa.Table:
    """Return a Boolean column per check of values, named `check column`."""
    currency = table.column("currency")
    codes = pa.array(sorted(production.currencies))
    judged = {"in_set currency": pc.is_in(currency, value_set=codes)}
    units = pa.array([minor_units(code) for code in codes.to_pylist()], pa.int32())
    decimals = pc.take(units, pc.index_in(currency, value_set=codes))
    for name in money_fields(kind):
        judged[f"minor_units {name}"] = _fits(table.column(name), decimals)
    judged["carry_amounts components"] = _carried(table, kind)
    return pa.table({name: pc.fill_null(values, True) for name, values in judged.items()})


def _fits(amounts: pa.ChunkedArray, decimals: pa.ChunkedArray) -> pa.ChunkedArray:
    """Say whether amounts have no more decimals than their currency."""
    fits = pa.chunked_array([pa.nulls(len(amounts), pa.bool_())])
    for places in sorted(pc.unique(decimals).drop_null().to_pylist()):
        whole = pc.equal(pc.round(amounts, ndigits=places), amounts)
        fits = pc.if_else(pc.equal(decimals, places), whole, fits)
    return fits


def _carried(table: pa.Table, kind: RecordKind) -> pa.Array:
    """Say whether the amounts of each row's components add up to those of its fields."""
    lists = table.column("components").combine_chunks()
    entries = pa.table(
        {"row": pc.list_parent_indices(lists), "amount": pc.struct_field(pc.list_flatten(lists), "amount")}
    )
    sums = entries.group_by("row").aggregate([("amount", "sum")])
    places = pc.index_in(pa.array(range(table.num_rows), pa.int64()), value_set=sums.column("row"))
    carried = pc.take(sums.column("amount_sum"), places)
    fields = table.column(kind.primary.field)
    if kind.secondary is not None:
        fields = pc.add(fields, pc.fill_null(table.column(kind.secondary.field), ZERO))
    return pc.fill_null(pc.equal(carried, fields), False)


def _counted(cases: pd.DataFrame) -> list[Failure]:
    """Return failures counted by check and column, sorted."""
    columns = cases["column"].where(~cases["check"].isin(_ABOUT_COLUMNS), cases["failure_case"])
    named = pd.DataFrame({"check": cases["check"].astype(str), "column": columns.fillna("").astype(str)})
    counts = named.groupby(["check", "column"]).size().reset_index(name="count")
    failures = []
    for check, column, count in counts.itertuples(index=False, name=None):
        # A column of judgements has the name of its check, which ends with the column that was judged.
        judged = check.partition(" ")
        failures.append(
            Failure(judged[0], judged[2], count) if check == column else Failure(check, column, count)
        )
    return failures


def _named(cases: pd.DataFrame) -> str:
    """Name what pandera found, without a cell."""
    return ", ".join(f"{failure.check} of {failure.column or 'the table'}" for failure in _counted(cases)[:5])


def _failure_cases(schema: pandera.DataFrameSchema, table: pa.Table) -> pd.DataFrame | None:
    """Return what fails, all of it; None when nothing does.

    The environment cannot switch the validation off (pandera has variables that do). The frame has a fresh
    index, so a row is known by its number.
    """
    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    with config_context(validation_enabled=True, validation_depth=ValidationDepth.SCHEMA_AND_DATA):
        try:
            schema.validate(frame, lazy=True)
        except pandera.errors.SchemaErrors as errors:
            return pd.DataFrame(errors.failure_cases)
    return None


def _judged(rule: RowRule, cells: pa.Table) -> pa.ChunkedArray:
    return pc.fill_null(rule.holds(cells), True)


def _column(
    type_: pa.DataType, checks: Sequence[pandera.Check] = (), *, nullable: bool = True
) -> pandera.Column:
    return pandera.Column(pd.ArrowDtype(type_), checks=list(checks), nullable=nullable)


def _check(name: str, holds: Callable[[pa.ChunkedArray], pa.ChunkedArray]) -> pandera.Check:
    """Return a check on an Arrow-backed column; a null result passes."""

    def check(series: pd.Series) -> pd.Series:
        result = pc.fill_null(holds(_arrow(series)), True)
        return pd.Series(pd.arrays.ArrowExtensionArray(result), index=series.index)

    return pandera.Check(check, name=name, ignore_na=False)


def _arrow(series: pd.Series) -> pa.ChunkedArray:
    values = pa.array(series.array)
    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])


def _itself(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return values
