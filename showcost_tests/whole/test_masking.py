"""National identifiers are in the bytes of the delivery, and in nothing derived from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow.parquet as pq
import pytest

from showcost.core.national_ids import ID_MARK
from showcost.reports.status import feed_status
from showcost.workspace import open_workspace
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


INVOICES: Final = "vendor_invoices_de"
PLANTED: Final = (
    *("123-45-6780", "DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "046 454 286"),
    *("4111 1111 1111 1111", "AB123456C", "BG80BNBG96611020345678", "234567890", "5555555555554444"),
)
"""In the text of an invoice, five; in an account, a column without a field, a column named SSN, and a ragged
row. All but the last two are found by check digits or form."""
KEPT: Final = ("RE-123456789", "4000001234567899", "+49 30 123 456 782")
"""Numbers of documents and a telephone, which stay."""


def invoices() -> str:
    header = [*small.DE_HEADER.split(";"), "Bemerkung", "SSN"]
    day = "29.10.2026"
    texts = [*(f"Fahrt {number}, Dank" for number in PLANTED[:5]), f"Tel. {KEPT[2]}"]
    rows = []
    for place, text in enumerate(texts):
        number = KEPT[place] if place < 2 else f"RE-{place}"
        cells = small.Invoice(number, day, "10,00", "1,90", "11,90", text=text).cells()
        rows.append([*cells, f"IBAN {PLANTED[6]}" if not place else "", PLANTED[7] if place == 1 else ""])
    motif = small.DE_HEADER.split(";").index("Motiv")
    rows[3][motif] = PLANTED[5]
    ragged = [*rows[4], f"Karte {PLANTED[8]}"]
    return "\ufeff" + small.delimited([header, *rows, ragged], ";")


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a home with a manifest and invoices, landed and posted; the tests read it."""
    workspace = small.make_home(tmp_path_factory.mktemp("masking") / "home")
    small.deliver(workspace, FEED, f"week of {SECRETS[3]}.csv", manifest())
    small.deliver(workspace, INVOICES, f"{PLANTED[6]}.csv", invoices())
    land_all(workspace)
    take(workspace, [small.THURSDAY])
    return workspace


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


def test_nothing_that_is_made_of_deliveries_has_such_a_number(
    taken: Workspace, showcost: CommandLine
) -> None:
    secrets = (*SECRETS, *PLANTED)
    texts = dict(derived(taken))
    assert any(ID_MARK in text for text in texts.values())
    for place, text in texts.items():
        assert [secret for secret in secrets if secret in text] == [], place
    rows = showcost(taken, "queue", "list", "--json").json["rows"]
    one_of_each = {(row["feed"], row["codes"][0]): row for row in rows}
    for row in one_of_each.values():
        shown = showcost(taken, "queue", "show", row["id"])
        assert (shown.status, [secret for secret in secrets if secret in shown.out]) == (0, [])
    codes = {
        feed: {code for row in rows if row["feed"] == feed for code in row["codes"]}
        for feed in (FEED, INVOICES)
    }
    assert {"SC-ROW-003", "SC-AMT-001", "SC-DAT-001", "SC-ROW-001"} <= codes[FEED]
    assert "SC-ROW-003" not in codes[INVOICES]
    for command in (["status"], ["status", "--json"], ["land"]):
        shown = showcost(taken, *command)
        assert [secret for secret in secrets if secret in shown.out + shown.err] == [], command
    status = showcost(taken, "status", "--json").json
    assert status["balances"]
    assert status["feeds"][FEED]["posted"] == 2


def test_numbers_of_documents_and_telephones_stay(taken: Workspace) -> None:
    with taken.ledger.read() as connection:
        rows = connection.execute(
            "SELECT document_no, description FROM ledger_entries WHERE feed = $1", [INVOICES]
        )
        texts = str(rows.fetchall())
    assert [number for number in KEPT if number not in texts] == []
    assert texts.count(f"Fahrt {ID_MARK}, Dank") >= 4


def test_the_bytes_are_kept_and_verify_reads_them_to_the_same_records(
    taken: Workspace, showcost: CommandLine
) -> None:
    assert showcost(taken, "verify").status == 0
    payloads = [
        path.read_bytes() for path in taken.raw.rglob("*") if path.is_file() and path.stat().st_size > 1_000
    ]
    for secret in (*SECRETS, *PLANTED):
        assert any(secret.encode() in payload for payload in payloads), secret


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


def test_a_decision_cannot_bring_such_a_number_into_the_audit_log(
    taken: Workspace, showcost: CommandLine
) -> None:
    rows = showcost(taken, "queue", "list", "--json").json["rows"]
    manifest_row = next(row["id"] for row in rows if "SC-AMT-001" in row["codes"])
    invoice_row = next(row["id"] for row in rows if row["feed"] == INVOICES)
    by = ("--who", "an accountant", "--why", "as told")
    for row, field, sentence in (
        (manifest_row, "employee_ref=123456789", "manifest names people by pseudonyms"),
        (manifest_row, "series=123-45-6789", "manifest names people by pseudonyms"),
        (invoice_row, f"description=to {PLANTED[1]}", "looks like a national identifier"),
    ):
        tried = showcost(taken, "queue", "resolve", row, "--set", field, *by)
        assert (tried.status, sentence in tried.sentence) == (2, True)
        assert field.partition("=")[2] not in tried.sentence
    for option in ("--who", "--why"):
        named = {"--who": "a clerk", "--why": "as told"} | {option: f"told by {PLANTED[0]}"}
        words = [word for pair in named.items() for word in pair]
        for command in (
            ["queue", "resolve", invoice_row, "--discard", *words],
            ["period", "close", "w44", "--from", "2026-10-26", "--to", "2026-11-01", *words],
        ):
            tried = showcost(taken, *command)
            assert (tried.status, f"{option} has what looks like" in tried.sentence) == (2, True), tried
            assert PLANTED[0] not in tried.sentence


@pytest.mark.parametrize(("policy", "posted"), [("post", 1), ("quarantine", 0)])
def test_a_policy_says_whether_a_row_with_such_a_number_goes_on(
    tmp_path: Path, policy: str, posted: int
) -> None:
    workspace = small.make_home(tmp_path / "home")
    path = workspace.path / "production.yaml"
    path.write_text(path.read_text() + f"\npersonal_numbers: {{rows: {policy}}}\n")
    workspace = open_workspace(workspace.path)
    text = f"Fahrt {PLANTED[1]}"
    invoice = small.Invoice("RE-1", "29.10.2026", "10,00", "1,90", "11,90", text=text)
    small.deliver(workspace, INVOICES, "1.csv", small.german([invoice]))
    land_all(workspace)
    take(workspace, [small.THURSDAY])
    (feed,) = [feed for feed in workspace.feeds if feed.name == INVOICES]
    state = feed_status(workspace, feed)
    assert (state.total.posted, state.codes) == (posted, {} if posted else {"SC-ROW-003": 1})


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
