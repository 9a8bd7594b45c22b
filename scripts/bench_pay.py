"""Pay rules: manifest rows through all rules of a row, against the same rules as Python a row at a time.

    python scripts/bench_pay.py [--rows 1000000] [--slow-rows 5000]

The rows are of all agreements, places and kinds of day; one in 25 is paid wrong, and its reasons are put into
words too. The rules over neighbouring days look at as many rows, five days of each employee, and at the rules
of a row once more; "all rules" is both together. Both sides begin with what the reader has settled: the
engine with typed columns, the per-row rules (`showcost_tests/pay/by_hand.py`) with a dictionary a
row. They must say the same of every row.
"""

from __future__ import annotations

import argparse
import sys
from decimal import Decimal
from pathlib import Path
from time import perf_counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

_KINDS = 2_000
_BAD_ONE_IN = 25
_DAYS = 5


def main() -> None:
    """Measure both and print rows a second."""
    parser = argparse.ArgumentParser(description="Measure the pay rules.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--slow-rows", type=int, default=5_000)
    arguments = parser.parse_args()
    from showcost_tests.pay import by_hand
    from showcost_tests.pay.rows import AGREEMENTS, SHOW

    kinds = different_rows(_KINDS)
    cells = typed(kinds)
    repeated = cells.take([place % len(kinds) for place in range(arguments.rows)])
    started = perf_counter()
    failed = count_failures(repeated)
    engine = perf_counter() - started
    print(f"engine: {arguments.rows:,} rows in {engine:.2f} s, {arguments.rows / engine:,.0f} rows/s,")
    print(f"        {failed:,} checks failed and put into words")

    days = days_of_people(len(kinds), cells, arguments.rows)
    started = perf_counter()
    found = among_neighbours(*days)
    over_days = perf_counter() - started
    print(f"days:   with neighbouring days {over_days:.2f} s, {arguments.rows / over_days:,.0f} rows/s,")
    print(f"        {found:,} findings put into words")
    print(f"all rules: {arguments.rows / (engine + over_days):,.0f} rows/s")

    slow = [kinds[place % len(kinds)] for place in range(arguments.slow_rows)]
    started = perf_counter()
    said = [by_hand.check(row, AGREEMENTS, SHOW) for row in slow]
    by_row = perf_counter() - started
    print(f"by row: {len(slow):,} rows in {by_row:.2f} s, {len(slow) / by_row:,.0f} rows/s")
    print(f"        the engine is {arguments.rows / engine * by_row / len(slow):,.0f} times as fast")
    wrong = sum(bool(one) for one in said[: len(kinds)])
    print(f"        {wrong} of {len(kinds)} different rows fail by both: {agree(kinds, said)}")


def different_rows(count: int) -> list[dict[str, object]]:
    """Return rows that hold to the rules, one in 25 of them spoilt."""
    from showcost.config.agreements.kinds import WorkPlace
    from showcost_tests.pay.rows import AGREEMENTS, clock, paid, row

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
        if number % _BAD_ONE_IN == 0:
            full["hours_1x"] = "1"
        rows.append(full)
    return rows


def typed(rows: list[dict[str, object]]) -> pa.Table:
    """Return rows as typed cells."""
    from showcost.validation.cells import read_cells
    from showcost.validation.reference import Reference, look_up
    from showcost_tests.pay.rows import AGREEMENTS, CHART, FEED, SHOW
    from showcost_tests.validation.raw import raw_table

    reference = Reference(FEED, SHOW, CHART, None, AGREEMENTS)
    cells = look_up(read_cells(raw_table(FEED, rows), FEED), reference)
    from showcost.pay import CHECKS, PAY_RULES

    return cells.drop([*CHECKS, PAY_RULES])


def count_failures(cells: pa.Table) -> int:
    """Hold cells against the rules of a row, put the failures into words, and return their number."""
    from showcost.pay import CHECKS, PayChecker, check_columns
    from showcost.pay.frame import read_frame
    from showcost_tests.pay.rows import AGREEMENTS, SHOW

    checker, failures = PayChecker(AGREEMENTS, SHOW), 0
    columns = check_columns(checker, cells)
    for name in CHECKS:
        failed = cells.filter(pc.invert(columns[name]))
        if failed.num_rows:
            failures += len(checker.words(read_frame(failed, SHOW), name)[0])
    return failures


def days_of_people(kinds: int, cells: pa.Table, count: int) -> tuple[pa.Table, pa.Table]:
    """Return cells and valid rows of five days in a row of many people."""
    number = np.arange(count)
    rows = cells.take(pa.array(number // _DAYS % kinds))
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


def among_neighbours(cells: pa.Table, valid: pa.Table) -> int:
    """Hold rows against all rules, those over neighbouring days too, and return the number of findings."""
    from showcost.pay import PayChecker
    from showcost.pay.findings import findings
    from showcost_tests.pay.rows import AGREEMENTS, SHOW

    found: int = findings(PayChecker(AGREEMENTS, SHOW), cells, valid).num_rows
    return found


def _with(rows: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    return rows.set_column(rows.column_names.index(name), name, values)


def agree(rows: list[dict[str, object]], said: list[dict[str, str]]) -> bool:
    """Say whether the engine says the same of rows."""
    from showcost_tests.pay.rows import engine

    found = [{name: one[name] for name in one if "-MAP-" not in name} for one in engine(rows)]
    return found[: len(said)] == said[: len(found)]


if __name__ == "__main__":
    main()
