"""Pandera schemas of typed cells, which report the failures of rules, and of valid rows.

A rule over one column is a check of that column. A rule over several columns is evaluated into a Boolean
column first, since pandera reports a check of the whole frame once per column. The name of a check is the
rule's name. Pandera's error texts (`str(SchemaErrors)` above all) contain cells and never leave this module.
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
"""Failures: the number of the row, from 0, and the place of the rule among the rules."""


@dataclass(frozen=True)
class Failure:
    """Number of rows that fail a check of a column; 1 for a column that is missing or of another type."""

    check: str
    column: str
    count: int


@dataclass(frozen=True)
class SchemaResult:
    """Result of checking a table against the schema of valid rows; contains no cells."""

    rows: int
    failures: tuple[Failure, ...]

    @property
    def ok(self) -> bool:
        """Say whether the table passes every check."""
        return not self.failures


class RowSchema:
    """The schema of a feed's cells, built once and used for every chunk."""

    def __init__(self, kind: RecordKind, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._places = {rule.name: place for place, rule in enumerate(self._rules)}
        self._kind = kind
        columns = {field.name: _column(field_type(field)) for field in kind.fields}
        columns["date"] = _column(pa.date32())
        for rule in self._rules:
            if isinstance(rule, RowRule):
                columns[rule.name] = _column(pa.bool_(), [_check(rule.name, _identity)], nullable=False)
            else:
                column = columns.setdefault(rule.column, _column(pa.string()))
                column.checks.append(_check(rule.name, rule.holds))
        self._schema = pandera.DataFrameSchema(columns, strict=True, name=kind.name)

    def failures(self, cells: pa.Table) -> pa.Table:
        """Return the failures of rows of cells, with the columns of `FAILURES`, by row and rule.

        Raises IntegrityError when columns or types differ from the schema, which is a programming error and
        not a fault of the rows.
        """
        columns = {
            name: _evaluated(rule, cells) if rule is not None else cells.column(name)
            for name, rule in self._frame_columns()
        }
        cases = _failure_cases(self._schema, pa.table(columns))
        if cases is None:
            return FAILURES.empty_table()
        unexpected = cases[cases["index"].isna() | ~cases["check"].isin(list(self._places))]
        if len(unexpected):
            raise IntegrityError(
                f"cells of {self._kind.name} do not match their schema: {_summary(unexpected)}"
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
        """Return the columns of the frame, each with the rule over several columns that fills it."""
        by_name = {rule.name: rule for rule in self._rules if isinstance(rule, RowRule)}
        return [(name, by_name.get(name)) for name in self._schema.columns]


def schema_result(table: pa.Table, kind: RecordKind, production: Production) -> SchemaResult:
    """Check a table of valid rows strictly against the schema of its record kind.

    The checks: columns, order and types; no nulls where none are allowed; a currency of the production;
    amounts with no more decimals than its minor unit; components that add up to the row's amounts, where the
    kind has any. The result has counts only, never a cell.
    """
    cases = _failure_cases(_structure(kind), table)
    failures = [] if cases is None else _failure_counts(cases)
    if all(failure.check == _NULL for failure in failures):
        results = _value_checks(table, kind, production)
        schema = pandera.DataFrameSchema(
            {
                name: _column(pa.bool_(), [_check(name, _identity)], nullable=False)
                for name in results.column_names
            }
        )
        cases = _failure_cases(schema, results)
        failures += [] if cases is None else _failure_counts(cases)
    return SchemaResult(table.num_rows, tuple(failures))


_NULL = "not_nullable"
_ABOUT_COLUMNS = frozenset({"column_in_dataframe", "column_in_schema", "column_ordered"})
"""Checks of the frame's structure, whose failure case is the name of a column."""


def _structure(kind: RecordKind) -> pandera.DataFrameSchema:
    columns = {
        column.name: _column(column.type, nullable=column.nullable)
        for column in column_schema(kind, RowTable.VALID)
    }
    return pandera.DataFrameSchema(columns, strict=True, ordered=True, name=kind.name)


def _value_checks(table: pa.Table, kind: RecordKind, production: Production) -> pa.Table:
    """Return a Boolean column per check of values, named `check column`."""
    currency = table.column("currency")
    codes = pa.array(sorted(production.currencies))
    results = {"in_set currency": pc.is_in(currency, value_set=codes)}
    units = pa.array([minor_units(code) for code in codes.to_pylist()], pa.int32())
    decimals = pc.take(units, pc.index_in(currency, value_set=codes))
    for name in money_fields(kind):
        results[f"minor_units {name}"] = _fits(table.column(name), decimals)
    if not kind.is_plan:
        results["carry_amounts components"] = _add_up(table, kind)
    return pa.table({name: pc.fill_null(values, True) for name, values in results.items()})


def _fits(amounts: pa.ChunkedArray, decimals: pa.ChunkedArray) -> pa.ChunkedArray:
    """Say whether amounts have at most the decimals of their currency."""
    fits = pa.chunked_array([pa.nulls(len(amounts), pa.bool_())])
    for places in sorted(pc.unique(decimals).drop_null().to_pylist()):
        whole = pc.equal(pc.round(amounts, ndigits=places), amounts)
        fits = pc.if_else(pc.equal(decimals, places), whole, fits)
    return fits


def _add_up(table: pa.Table, kind: RecordKind) -> pa.Array:
    """Say whether the amounts of each row's components add up to those of its fields."""
    lists = table.column("components").combine_chunks()
    entries = pa.table(
        {"row": pc.list_parent_indices(lists), "amount": pc.struct_field(pc.list_flatten(lists), "amount")}
    )
    sums = entries.group_by("row").aggregate([("amount", "sum")])
    places = pc.index_in(pa.array(range(table.num_rows), pa.int64()), value_set=sums.column("row"))
    totals = pc.take(sums.column("amount_sum"), places)
    fields = table.column(kind.primary.field)
    if kind.secondary is not None:
        fields = pc.add(fields, pc.fill_null(table.column(kind.secondary.field), ZERO))
    return pc.fill_null(pc.equal(totals, fields), False)


def _failure_counts(cases: pd.DataFrame) -> list[Failure]:
    """Return failures counted by check and column, sorted."""
    columns = cases["column"].where(~cases["check"].isin(_ABOUT_COLUMNS), cases["failure_case"])
    named = pd.DataFrame({"check": cases["check"].astype(str), "column": columns.fillna("").astype(str)})
    counts = named.groupby(["check", "column"]).size().reset_index(name="count")
    failures = []
    for check, column, count in counts.itertuples(index=False, name=None):
        # A Boolean column has the name of its check: `check column`.
        own_check, _, checked = check.partition(" ")
        failures.append(
            Failure(own_check, checked, count) if check == column else Failure(check, column, count)
        )
    return failures


def _summary(cases: pd.DataFrame) -> str:
    """Return the first failures as text, without cells."""
    return ", ".join(
        f"{failure.check} of {failure.column or 'the table'}" for failure in _failure_counts(cases)[:5]
    )


def _failure_cases(schema: pandera.DataFrameSchema, table: pa.Table) -> pd.DataFrame | None:
    """Return all failure cases; None if there are none.

    Validation is forced on, because pandera has environment variables that switch it off. The frame has a
    fresh index, so the index of a row is its number.
    """
    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    with config_context(validation_enabled=True, validation_depth=ValidationDepth.SCHEMA_AND_DATA):
        try:
            schema.validate(frame, lazy=True)
        except pandera.errors.SchemaErrors as errors:
            return pd.DataFrame(errors.failure_cases)
    return None


def _evaluated(rule: RowRule, cells: pa.Table) -> pa.ChunkedArray:
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


def _identity(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return values
