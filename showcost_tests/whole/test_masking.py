"""National identifiers are in the bytes of the delivery, and in nothing derived from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow.parquet as pq
import pytest

from showcost.core.national_ids import ID_MARK
from showcost_tests.whole import small
from showcost_tests.whole.steps import land_all, take

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from showcost.workspace import Workspace
    from showcost_tests.command_line import CommandLine

FEED: Final = "payroll_manifest"
SECRETS: Final = ("123-45-6789", "046 454 286", "AB123456C", "912345678", "987654321", "046-454-300")
"""In a text, an amount, a date, the employee's field, a column without a field, and a ragged record."""


def manifest() -> str:
    header = [*small.PAYROLL_HEADER.split(","), "SIN"]
    column = {name: place for place, name in enumerate(header)}
    rows = []
    for number in range(6):
        row = [*small.payroll(f"E-040{number}", small.THURSDAY, "1210.40", "205.77"), ""]
        row[column["Payroll Invoice"]] = f"MSP-{number}"
        rows.append(row)
    rows[0][column["Episode"]] = f"paid to {SECRETS[0]}"
    rows[1][column["Rate"]] = SECRETS[1]
    rows[2][column["Work Date"]] = SECRETS[2]
    rows[3][column["Employee"]] = SECRETS[3]
    rows[4][column["SIN"]] = SECRETS[4]
    ragged = [*rows[5], f"see {SECRETS[5]}"]
    return small.delimited([header, *rows, ragged])


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = small.make_home(tmp_path / "home")
    small.deliver(workspace, FEED, "week.csv", manifest())
    return workspace


def derived(workspace: Workspace) -> Iterator[tuple[str, str]]:
    """Yield every file of the data folder except the deliveries, as text."""
    for path in sorted(workspace.path.rglob("*")):
        inside = path.relative_to(workspace.path).parts
        if not path.is_file() or inside[0] in {"raw", "inbox"}:
            continue
        if path.suffix == ".parquet":
            yield str(path), str(pq.ParquetFile(path).read().to_pylist())
        elif path == workspace.ledger.path:
            with duckdb.connect(str(path), read_only=True) as connection:
                for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
                    rows = connection.table(table).fetchall()
                    yield f"{path}: {table}", str(rows)
        else:
            yield str(path), path.read_bytes().decode("utf-8", "replace")


def test_nothing_that_is_made_of_a_manifest_has_such_a_number(
    workspace: Workspace, showcost: CommandLine
) -> None:
    land_all(workspace)
    take(workspace, [small.THURSDAY])
    texts = dict(derived(workspace))
    assert any(ID_MARK in text for text in texts.values())
    for place, text in texts.items():
        assert [secret for secret in SECRETS if secret in text] == [], place
    rows = showcost(workspace, "queue", "list", "--json").json["rows"]
    assert len(rows) == 5
    for row in rows:
        shown = showcost(workspace, "queue", "show", row["id"])
        assert (shown.status, [secret for secret in SECRETS if secret in shown.out]) == (0, [])
    codes = {code for row in rows for code in row["codes"]}
    assert {"SC-ROW-003", "SC-AMT-001", "SC-DAT-001", "SC-ROW-001"} <= codes
    status = showcost(workspace, "status", "--json").json
    assert status["balances"]
    assert status["feeds"][FEED]["posted"] == 2


def test_the_bytes_are_kept_and_verify_reads_them_to_the_same_records(
    workspace: Workspace, showcost: CommandLine
) -> None:
    land_all(workspace)
    take(workspace, [small.THURSDAY])
    assert showcost(workspace, "verify").status == 0
    (payload,) = [path for path in workspace.raw.rglob("*") if path.is_file() and path.stat().st_size > 1_000]
    assert all(secret.encode() in payload.read_bytes() for secret in SECRETS)


def test_the_dry_run_of_a_payroll_feed_masks_and_that_of_a_file_does_not(
    workspace: Workspace, showcost: CommandLine, tmp_path: Path
) -> None:
    file, rejects = workspace.inbox / FEED / "week.csv", tmp_path / "rejects.jsonl"
    dry = showcost(workspace, "parse", str(file), "--feed", FEED, "--rejects", str(rejects))
    assert dry.status == 0
    assert [secret for secret in SECRETS if secret in dry.out + rejects.read_text()] == []
    assert ID_MARK in dry.out
    assert ID_MARK in rejects.read_text()
    plain = tmp_path / "plain.csv"
    plain.write_text(file.read_text().replace(",SIN\r\n", ",Remark\r\n").replace(",SIN\n", ",Remark\n"))
    assert all(secret in showcost(workspace, "parse", str(plain)).out for secret in SECRETS[:5])


@pytest.mark.parametrize("header", ["SSN", "Social Security No.", "NI Number", "social insurance number"])
def test_a_column_that_is_named_for_such_numbers_is_masked_without_a_feed_too(
    workspace: Workspace, showcost: CommandLine, tmp_path: Path, header: str
) -> None:
    file, rejects = tmp_path / "people.csv", tmp_path / "rejects.jsonl"
    file.write_text(f"name,{header},pay\nAda,123456789,10\nBob,046-454-286,123456789\nEve,912345678,1,2\n")
    out = showcost(workspace, "parse", str(file), "--rejects", str(rejects))
    assert out.out == f'"name","{header}","pay"\n"Ada","{ID_MARK}","10"\n"Bob","{ID_MARK}","123456789"\n'
    assert "912345678" not in rejects.read_text()


def test_a_correction_cannot_bring_such_a_number_into_the_audit_log(
    workspace: Workspace, showcost: CommandLine
) -> None:
    land_all(workspace)
    take(workspace, [small.THURSDAY])
    row = next(
        row
        for row in showcost(workspace, "queue", "list", "--json").json["rows"]
        if "SC-AMT-001" in row["codes"]
    )
    by = ("--who", "an accountant", "--why", "as told")
    for field in ("employee_ref=123456789", "series=123-45-6789"):
        tried = showcost(workspace, "queue", "resolve", row["id"], "--set", field, *by)
        assert (tried.status, "manifest names people by pseudonyms" in tried.sentence) == (2, True)
        assert field.partition("=")[2] not in tried.sentence


def test_a_number_in_the_name_of_a_file_is_shown_nowhere(workspace: Workspace, showcost: CommandLine) -> None:
    feed = "vendor_invoices_de"
    secrets = ("123-45-6789", "046 454 286", "AB123456C")
    small.deliver(
        workspace,
        feed,
        f"invoices of {secrets[0]}.csv",
        small.german([small.Invoice("RE-1", "28.10.2026", "10,00", "1,90", "11,90")]),
    )
    small.deliver(workspace, feed, f"refused {secrets[1]}.csv", b"\x00\x01")
    small.deliver(workspace, feed, f".hidden {secrets[2]}", b"x")
    small.deliver(workspace, feed, f"unknown {secrets[2]}.doc", b"x")
    landed = showcost(workspace, "land").out + showcost(workspace, "land", "--json").out
    assert landed.count(ID_MARK) >= 4
    shown = landed + showcost(workspace, "status").out + showcost(workspace, "status", "--json").out
    assert [secret for secret in secrets if secret in shown] == []
    assert [place for place, text in derived(workspace) for secret in secrets if secret in text] == []
