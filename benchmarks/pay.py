"""Pay rules: the engine's rules on single rows and over neighbouring days, and the rules in plain Python.

The rows cover all agreements, places and kinds of day; one in 25 is paid wrong, and the texts of its reasons
are included. The rules over neighbouring days check the same number of rows, five days of each employee, and
apply the rules on single rows again; "all rules" is the sum of both times. The engine starts from typed
columns, the rules in plain Python (`showcost_tests/pay/by_hand.py`) from a dictionary per row. Both must give
the same result for every row.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.agreements.rule_kinds import WorkPlace
from showcost.pay.checker import CHECKS, PAY_RULES, PayChecker, check_columns
from showcost.pay.findings import findings
from showcost.pay.frame import read_frame
from showcost.validation.cells import read_cells
from showcost.validation.reference import Reference, look_up
from showcost_tests.pay import by_hand
from showcost_tests.pay.rows import AGREEMENTS, CHART, FEED, SHOW, clock, engine, paid, row
from showcost_tests.validation.raw import raw_table

if TYPE_CHECKING:
    import argparse

    from benchmarks.harness import Report

_VARIANTS: Final = 2_000
_WRONG_ONE_IN: Final = 25
_DAYS: Final = 5


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of sizes."""
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--slow-rows", type=int, default=5_000, help="rows for the rules in plain Python")


def run(options: argparse.Namespace, report: Report) -> None:
    """Measure the engine and the rules in plain Python, and compare their results."""
    rows = different_rows(min(_VARIANTS, options.rows))
    cells = typed(rows)
    repeated = cells.take([place % len(rows) for place in range(options.rows)])
    with report.timed("rules on single rows", options.rows) as results:
        results["failures"] = count_failures(repeated)
    days = days_of_people(len(rows), cells, options.rows)
    with report.timed("rules over neighbouring days", options.rows) as results:
        results["findings"] = findings(PayChecker(AGREEMENTS, SHOW), *days).num_rows
    slow = [rows[place % len(rows)] for place in range(options.slow_rows)]
    with report.timed("rules in plain Python", options.slow_rows) as results:
        by_row = [by_hand.check(row, AGREEMENTS, SHOW) for row in slow]
        results["failed_rows"] = sum(map(bool, by_row[: len(rows)]))
    single, neighbours, plain = report.measurements
    report.note(
        "all rules",
        rows_per_second=round(options.rows / (single.seconds + neighbours.seconds)),
    )
    report.note(
        "engine and plain Python",
        speed=round(single.rows_per_second / plain.rows_per_second),
        same_results=agree(rows, by_row),
    )


def different_rows(count: int) -> list[dict[str, object]]:
    """Return rows that comply with the rules, except that one in 25 breaks a rule."""
    places = list(WorkPlace)
    rows = []
    for number in range(count):
        agreement = AGREEMENTS.all[number % len(AGREEMENTS.all)]
        local = agreement.locals[number % 7 % len(agreement.locals)]
        code = (*local.codes, *(f"{prefix}51" for prefix in local.prefixes), "1234")[0]
        change = {
            "union_local": local.local,
            "occupation_code": code,
            "schedule": "1",
            "work_date": str(agreement.end or agreement.start),
            "work_place": places[number % 3].value,
            "day_of_workweek": str(number % 7 + 1),
            "employee_ref": f"E-{number}",
        }
        hours = Decimal(70 + number * 7 % 100) / 10
        full = paid(row(agreement, **change, **clock(hours, f"0{4 + number % 3}:00")))
        if number % _WRONG_ONE_IN == 0:
            full["hours_1x"] = "1"
        rows.append(full)
    return rows


def typed(rows: list[dict[str, object]]) -> pa.Table:
    """Return rows as typed cells."""
    reference = Reference(FEED, SHOW, CHART, None, AGREEMENTS)
    cells = look_up(read_cells(raw_table(FEED, rows), FEED), reference)
    return cells.drop([*CHECKS, PAY_RULES])


def count_failures(cells: pa.Table) -> int:
    """Check cells by the rules on single rows, make the texts of failures, and return their number."""
    checker, failures = PayChecker(AGREEMENTS, SHOW), 0
    columns = check_columns(checker, cells)
    for name in CHECKS:
        failed = cells.filter(pc.invert(columns[name]))
        if failed.num_rows:
            failures += len(checker.words(read_frame(failed, SHOW), name)[0])
    return failures


def days_of_people(variants: int, cells: pa.Table, count: int) -> tuple[pa.Table, pa.Table]:
    """Return cells and valid rows of many people, each with five consecutive days."""
    number = np.arange(count)
    rows = cells.take(pa.array(number // _DAYS % variants))
    day = pc.add(rows.column("date").cast(pa.int32()), pa.array((number % _DAYS - 10).astype(np.int32)))
    rows = _with(rows, "date", day.cast(pa.date32()))
    rows = _with(rows, "day_of_workweek", pa.array((number % _DAYS + 1).astype(str)))
    rows = _with(rows, "employee_ref", pa.array((number // _DAYS).astype(str)))
    text = pa.array(number.astype(str))
    valid = rows.select(["payroll_company", "employee_ref"])
    for name, values in (
        *((name, text) for name in ("row_key", "delivery", "content")),
        ("record", pa.array(number)),
        ("transaction_date", rows.column("date")),
    ):
        valid = valid.append_column(name, values)
    return rows, valid


def _with(rows: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    return rows.set_column(rows.column_names.index(name), name, values)


def agree(rows: list[dict[str, object]], by_row: list[dict[str, str]]) -> bool:
    """Return whether the engine gives the same texts for the rows as the rules in plain Python."""
    by_engine = [
        {code: text for code, text in failures.items() if "-MAP-" not in code} for failures in engine(rows)
    ]
    return by_engine[: len(by_row)] == by_row[: len(by_engine)]
