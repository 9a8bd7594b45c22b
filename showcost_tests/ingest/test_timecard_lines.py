"""Keys of the lines of a person's day: by line number, else by account, series and earning type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from showcost.config.feed import FeedSpec
from showcost.core.engine import engine
from showcost.core.hashing import sha256_framed
from showcost.ingest.landing import land, landed
from showcost.ingest.records import records_schema, stored_records
from showcost.staging.assets import records_asset
from showcost.workspace import Workspace, open_workspace
from showcost_tests.sample.truth import HOME

if TYPE_CHECKING:
    from pathlib import Path

FEED: Final = FeedSpec.model_validate(
    {"name": "payroll_manifest", "description": "timecards", "record_kind": "payroll"}
)
HEADER: Final = (
    "payroll_company,payroll_invoice_no,employee_ref,agreement,occupation_code,account,series,work_date,"
    "currency,rate,rate_basis,hours_1x,gross,earning_type,line_no"
)
LINE: Final = (
    "Reel,R-1,E-1,IATSE Basic Agreement,4551,{account},{series},2026-10-05,USD,65.22,hour,4,"
    "260.88,{type},{line}"
)


def line(account: str = "2510", series: str = "101", type: str = "", line: str = "") -> str:  # noqa: A002 -- the column's name
    return LINE.format(account=account, series=series, type=type, line=line)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    for name in ("production.yaml", "chart_of_accounts.csv", "budget.csv"):
        (tmp_path / name).write_bytes((HOME / name).read_bytes())
    (tmp_path / "agreements").mkdir()
    for path in (HOME / "agreements").iterdir():
        (tmp_path / "agreements" / path.name).write_bytes(path.read_bytes())
    return open_workspace(tmp_path)


def keys(workspace: Workspace, *lines: str) -> list[str]:
    folder = workspace.path / "inbox" / "payroll_manifest"
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.iterdir()))
    (folder / f"{number}.csv").write_text("\n".join([HEADER, *lines, ""]), encoding="utf-8")
    land(workspace, FEED)
    last = landed(workspace, FEED)[-1].arrival.delivery
    table = workspace.staging.read(records_asset(FEED.name), last).sort_by("record")
    return [str(key) for key in table.column("row_key").to_pylist()]


def test_lines_of_a_day_differ_by_account_series_or_type(workspace: Workspace) -> None:
    first, *others = keys(
        workspace, line(), line("2310"), line(series="102"), line(type="Box Rental"), line(type="Per Diem")
    )
    assert len({first, *others}) == 5
    assert {key[:24] for key in others} == {first[:24]}


def test_a_line_that_is_repeated_has_the_key_of_the_first(workspace: Workspace) -> None:
    first, second, again = keys(workspace, line(), line("2310"), line(account=" 2510"))
    assert first == again
    assert first != second


def test_a_line_number_is_part_of_the_key_and_a_blank_one_is_not(workspace: Workspace) -> None:
    (plain,) = keys(workspace, line())
    one, two = keys(workspace, line(line="1"), line(line="2"))
    assert len({plain, one, two}) == 3
    # As before there was a line number: the hash of feed and five fields.
    assert plain == sha256_framed(["payroll_manifest", "reel", "r-1", "e-1", "2026-10-05", "4551"])[:32]


def test_records_that_were_stored_without_a_field_have_none(tmp_path: Path) -> None:
    """A data folder of an earlier version is verified, and read, before its deliveries are read again."""
    schema = records_schema(FEED)
    full = schema.empty_table().to_pandas().reindex(range(1))
    new = pa.Table.from_pandas(full, schema=schema, preserve_index=False)
    old = new.drop_columns(["line_no", "hours_4x__value"])
    paths = [tmp_path / "old.parquet", tmp_path / "new.parquet"]
    for path, table in zip(paths, (old, new), strict=True):
        pq.write_table(table, path)
    for chosen in (paths, paths[:1]):
        with engine() as connection:
            sql, files = stored_records(schema, chosen), {"paths": [str(path) for path in chosen]}
            table = connection.sql(sql, params=files).to_arrow_table()
        assert table.cast(schema).num_rows == len(chosen)
