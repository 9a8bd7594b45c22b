"""Verification finds every manipulation; a consistent forgery of everything needs a head noted earlier."""

from __future__ import annotations

import hashlib
import json
import runpy
import shutil
import subprocess
import sys
from datetime import date
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from showcost.audit.log import canonical, utc_now
from showcost.core.errors import IntegrityError
from showcost.core.hashing import sha256_bytes, sha256_file
from showcost.core.jsonl import NO_HASH
from showcost.ingest.landing import land
from showcost.ledger.audit_pack import FORM, write_pack
from showcost.ledger.digest import line_columns
from showcost.ledger.new_entries import posting_context
from showcost.ledger.posting import post
from showcost.ledger.schema import DDL, LINE_VERSION, PLAN_COLUMNS
from showcost.pipeline.fx_snapshots import pin_snapshots
from showcost.pipeline.posting import post_partitions
from showcost.pipeline.raw_rows import write_raw_rows
from showcost.pipeline.validation import quarantine_undated, validate_partitions
from showcost.staging import StagingStore
from showcost_tests.crash.scenario import DAYS, FEED, HALVES, make_home
from showcost_tests.tampering.books import (
    VERIFIER,
    copied,
    first_difference,
    first_difference_of_pack,
    make_books,
    make_pack,
)
from showcost_tests.tampering.flips import PACK, TARGETS, flips

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from showcost.workspace import Workspace

Line = dict[str, Any]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_books(tmp_path_factory.mktemp("books") / "clean")


@pytest.fixture
def workspace(clean: Workspace, tmp_path: Path) -> Workspace:
    return copied(clean, tmp_path / "home")


def lines_of(workspace: Workspace) -> list[bytes]:
    return workspace.audit.path.read_bytes().splitlines(keepends=True)


def write_lines(workspace: Workspace, lines: list[bytes]) -> None:
    workspace.audit.path.write_bytes(b"".join(lines))


def rechain(workspace: Workspace, change: Callable[[Line], None]) -> dict[int, str]:
    """Forge the log consistently from its first line on; return the new hashes."""
    previous, forged, hashes = "0" * 64, [], {}
    for line in lines_of(workspace):
        record = json.loads(line)
        del record["hash"]
        change(record)
        record["prev"] = previous
        plain = json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        previous = hashlib.sha256(plain).hexdigest()
        record["hash"] = previous
        hashes[record["seq"]] = previous
        whole = json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        forged.append(whole.encode() + b"\n")
    write_lines(workspace, forged)
    return hashes


def alter(workspace: Workspace, *statements: str) -> None:
    """Change the ledger with its triggers dropped, and create the triggers again."""
    with duckdb.connect(workspace.ledger.path) as connection:
        triggers = connection.execute("SELECT trigger_name, table_name FROM duckdb_triggers()").fetchall()
        for name, table in triggers:
            connection.execute(f"DROP TRIGGER {name} ON {table}")
        for statement in statements:
            connection.execute(statement)
        for statement in DDL:
            if statement.lstrip().startswith("CREATE TRIGGER"):
                connection.execute(statement)


def test_an_untouched_data_folder_verifies(clean: Workspace) -> None:
    head = clean.audit.head().hash
    assert first_difference(clean) is None
    assert first_difference(clean, head) is None


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "wal"])
def test_a_flipped_bit_is_found(workspace: Workspace, target: str) -> None:
    tried = flips(workspace.path, TARGETS[target], 6, 3, partial(first_difference, workspace))
    assert [flip for flip in tried if flip.difference is None] == []
    assert first_difference(workspace) is None


def test_a_flipped_bit_of_a_pack_is_found_by_the_outside_verifier(
    workspace: Workspace, tmp_path: Path
) -> None:
    pack = make_pack(workspace, tmp_path / "pack")
    tried = flips(pack, PACK, 30, 3, partial(first_difference_of_pack, pack))
    assert [flip for flip in tried if flip.difference is None] == []
    assert first_difference_of_pack(pack) is None


def test_a_flipped_bit_of_the_wal_is_found(tmp_path: Path) -> None:
    workspace = make_books(tmp_path / "home", checkpoint=False)
    assert (workspace.path / "ledger.duckdb.wal").stat().st_size > 10_000
    tried = flips(workspace.path, TARGETS["wal"], 6, 3, partial(first_difference, workspace))
    assert [flip for flip in tried if flip.difference is None] == []
    assert first_difference(workspace) is None


def test_a_shortened_wal_is_found(tmp_path: Path) -> None:
    workspace = make_books(tmp_path / "home", checkpoint=False)
    wal = workspace.path / "ledger.duckdb.wal"
    wal.write_bytes(wal.read_bytes()[: wal.stat().st_size // 2])
    assert first_difference(workspace) is not None


@pytest.mark.parametrize("removed", [1, 2, 3, 5])
def test_removed_last_records_are_found_with_a_head(workspace: Workspace, removed: int) -> None:
    head = workspace.audit.head().hash
    write_lines(workspace, lines_of(workspace)[:-removed])
    difference = first_difference(workspace, head)
    assert difference is not None
    assert head in difference


def test_removed_last_records_that_the_ledger_attests_are_found_without_a_head(workspace: Workspace) -> None:
    lines = lines_of(workspace)
    last_intent = max(number for number, line in enumerate(lines) if json.loads(line)["kind"] == "intent")
    write_lines(workspace, lines[:last_intent])
    assert first_difference(workspace) is not None


@pytest.mark.parametrize("place", [0, 1, 4, -2])
def test_reordered_doubled_and_removed_records_are_found(workspace: Workspace, place: int) -> None:
    lines = lines_of(workspace)
    at = place % (len(lines) - 1)
    for forged in (
        [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]],
        [*lines[: at + 1], *lines[at:]],
        [*lines[:at], *lines[at + 1 :]],
    ):
        write_lines(workspace, forged)
        difference = first_difference(workspace)
        assert difference is not None
        assert difference.startswith("audit/log.jsonl, line")


def accept_all(record: Line) -> None:
    if record["kind"] == "validated":
        dispositions = record["facts"]["dispositions"]
        record["facts"]["dispositions"] = {"valid": sum(dispositions.values())}


def test_a_rejection_forged_into_an_acceptance_in_the_log_is_found_by_the_ledger(
    workspace: Workspace,
) -> None:
    rechain(workspace, accept_all)
    difference = first_difference(workspace)
    assert difference is not None
    assert "is not that of the audit log" in difference


def test_a_log_forged_together_with_its_ledger_is_found_with_a_head(workspace: Workspace) -> None:
    head = workspace.audit.head().hash
    hashes = rechain(workspace, accept_all)
    forged = (f"UPDATE chain_heads SET hash = '{new}' WHERE seq = {seq}" for seq, new in hashes.items())  # noqa: S608
    alter(workspace, *forged)
    difference = first_difference(workspace, head)
    assert difference is not None
    assert head in difference


def test_a_rejection_forged_into_an_acceptance_in_a_segment_is_found(workspace: Workspace) -> None:
    for path in sorted((workspace.path / "audit" / "segments").glob("validated-*.parquet")):
        table = pq.read_table(path)
        rejected = pc.equal(table.column("disposition"), "quarantined")
        if pc.any(rejected).as_py():
            valid = pc.if_else(rejected, "valid", table.column("disposition"))
            pq.write_table(
                table.set_column(table.schema.get_field_index("disposition"), "disposition", valid), path
            )
            break
    difference = first_difference(workspace)
    assert difference is not None
    assert f"audit/segments/{path.name}" in difference


def accept_in_staging(workspace: Workspace) -> str:
    """Add a valid row to the staging, with correct hashes of the staging files; return its day."""
    store = StagingStore(workspace.path)
    for day in HALVES[1]:
        valid = store.read(f"valid/{FEED}", day.isoformat())
        if valid.num_rows:
            forged = valid.slice(0, 1)
            for name, value in (("row_key", "f" * 32), ("content", "e" * 32), ("record", 10**6)):
                place, field = forged.schema.get_field_index(name), forged.schema.field(name)
                forged = forged.set_column(place, field, pa.array([value], field.type))
            store.write(f"valid/{FEED}", day.isoformat(), pa.concat_tables([valid, forged]))
            return day.isoformat()
    raise AssertionError("the sample has valid rows")


def test_a_row_that_was_made_valid_in_the_staging_is_found(workspace: Workspace) -> None:
    day = accept_in_staging(workspace)
    difference = first_difference(workspace)
    assert difference is not None
    assert difference.startswith(f"staging/valid/{FEED}, {day}:")
    assert "the audit log names other rows" in difference


def test_a_removed_delivery_that_was_not_posted_yet_is_found_with_a_head_only(tmp_path: Path) -> None:
    """Whoever has all files can take the newest records back, down to the last that the ledger attests."""
    workspace = make_home(tmp_path / "home")
    before = tmp_path / "before"
    shutil.copytree(workspace.path, before)
    feed = next(feed for feed in workspace.feeds if feed.name == FEED)
    land(workspace, feed)
    head = workspace.audit.head().hash
    assert first_difference(workspace, head) is None
    taken_back = type(workspace)(before)
    assert first_difference(taken_back) is None
    difference = first_difference(taken_back, head)
    assert difference is not None
    assert "no record has the head" in difference


def less_rows(index: str) -> str:
    return index.replace('"rows": 14', '"rows": 13', 1)


def no_rows(index: str) -> str:
    return index.replace('"rows": 14', '"rows": 0', 1)


def other_rows(index: str) -> str:
    return index.replace('"first": 14,', '"first": 13,', 1)


@pytest.mark.parametrize("change", [less_rows, no_rows, other_rows])
def test_a_row_that_was_left_out_in_the_index_is_not_left_out_of_the_posting(
    tmp_path: Path, change: Callable[[str], str]
) -> None:
    workspace = make_home(tmp_path / "home")
    feed = next(feed for feed in workspace.feeds if feed.name == FEED)
    land(workspace, feed)
    pin_snapshots(workspace, DAYS)
    write_raw_rows(workspace, feed, DAYS)
    validate_partitions(workspace, feed, DAYS)
    index = workspace.path / "staging" / "valid" / FEED / "index.jsonl"
    whole = index.read_text(encoding="utf-8")
    # The check of a line finds flipped bits, but a forger removes it: earlier versions wrote none.
    lines = [json.loads(line) for line in whole.splitlines()]
    unchecked = "".join(json.dumps(line | {"check": None}) + "\n" for line in lines)
    assert change(unchecked) != unchecked
    index.write_text(change(unchecked), encoding="utf-8")
    changed = type(workspace)(workspace.path)
    with pytest.raises(IntegrityError, match="its index does not have the rows of its last validation"):
        post_partitions(changed, feed, DAYS, "forger")
    index.write_text(whole, encoding="utf-8")
    posted = post_partitions(type(workspace)(workspace.path), feed, DAYS, "run")
    assert posted.total() == 34


def test_a_valid_row_that_a_posting_left_out_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Earlier versions posted what the index named; the log alone tells what is missing, index or not."""
    workspace = make_home(tmp_path / "home")
    feed = next(feed for feed in workspace.feeds if feed.name == FEED)
    land(workspace, feed)
    pin_snapshots(workspace, DAYS)
    write_raw_rows(workspace, feed, DAYS)
    validate_partitions(workspace, feed, DAYS)
    assert first_difference(workspace) is None, "all rows wait"
    index = workspace.path / "staging" / "valid" / FEED / "index.jsonl"
    whole = index.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in whole.splitlines()]
    index.write_text(
        less_rows("".join(json.dumps(line | {"check": None}) + "\n" for line in lines)), encoding="utf-8"
    )
    with monkeypatch.context() as patch:
        patch.setattr("showcost.pipeline.posting._require_recorded", lambda *_: None)
        post_partitions(type(workspace)(workspace.path), feed, DAYS, "forger")
    index.write_text(whole, encoding="utf-8")
    restored = type(workspace)(workspace.path)
    difference = first_difference(restored)
    assert difference is not None
    assert "is valid since record" in difference
    assert "a posting left it out" in difference
    shutil.rmtree(workspace.path / "staging" / "valid")
    assert first_difference(type(workspace)(workspace.path)) == difference
    shutil.rmtree(workspace.path / "staging" / "raw")
    again = type(workspace)(workspace.path)
    write_raw_rows(again, feed, DAYS)
    validate_partitions(again, feed, DAYS)
    post_partitions(again, feed, DAYS, "run")
    assert first_difference(again) is None


def test_a_row_that_was_made_valid_and_posted_is_found(workspace: Workspace) -> None:
    day = accept_in_staging(workspace)
    feed = next(feed for feed in workspace.feeds if feed.name == FEED)
    with pytest.raises(IntegrityError, match="not those of its last validation in the audit log"):
        post_partitions(workspace, feed, DAYS, "forger")
    forged = StagingStore(workspace.path).read(f"valid/{FEED}", day)
    context = posting_context(workspace.production, feed)
    post(
        workspace.ledger,
        context,
        forged,
        partition_dates=[date.fromisoformat(day)],
        run_id="forger",
        clock=utc_now,
    )
    difference = first_difference(workspace)
    assert difference is not None
    assert "was never valid" in difference


@pytest.mark.parametrize(
    ("column", "value"),
    [("amount", 9_100), ("account", "9999"), ("vendor_name", "Forger Ltd"), ("description", "nothing")],
)
def test_a_posted_value_that_no_record_has_is_found(tmp_path: Path, column: str, value: object) -> None:
    """Forge a valid row before it is posted, under its own content hash, past the check of its file."""
    workspace = make_home(tmp_path / "home")
    feed = next(feed for feed in workspace.feeds if feed.name == FEED)
    pin_snapshots(workspace, DAYS)
    land(workspace, feed)
    quarantine_undated(workspace, feed)
    write_raw_rows(workspace, feed, DAYS)
    valid_rows = {day: counts.valid for day, counts in validate_partitions(workspace, feed, DAYS).items()}
    day = max(valid_rows, key=lambda day: valid_rows[day])
    valid = workspace.staging.read(f"valid/{FEED}", day.isoformat())
    context = posting_context(workspace.production, feed, workspace.audit.configuration())
    rows = valid.to_pylist()
    changed = rows[0]["components"][0] if column in ("amount", "account") else rows[0]
    changed[column] = Decimal(str(value)) if column == "amount" else value
    forged = pa.Table.from_pylist(rows, schema=valid.schema)
    post(workspace.ledger, context, forged, partition_dates=[day], run_id="forger", clock=utc_now)
    difference = first_difference(workspace)
    assert difference is not None
    assert f"its {column} cannot be derived from the landed record" in difference


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (["UPDATE ledger_entries SET amount = amount + 1, base_amount = base_amount + 1"], "hash to"),
        (["UPDATE ledger_entries SET account = '9999' WHERE record = 2"], "hash to"),
        (["UPDATE ledger_entries SET arrival = 7 WHERE record = 2"], "register"),
        (["DELETE FROM ledger_entries WHERE record = 2"], "hash to"),
        (["INSERT INTO ledger_entries SELECT * FROM ledger_entries LIMIT 1"], "hash to"),
        (["DELETE FROM ledger_entries", "DELETE FROM batches"], "missing"),
        (["UPDATE batches SET run_id = 'another'"], "it differs from its audit record"),
        (["DELETE FROM chain_heads WHERE kind = 'intent'"], "is missing"),
        (["UPDATE fx_rates SET rate = rate + 1 WHERE currency = 'USD'"], "its rates hash to"),
        (["DELETE FROM fx_snapshots WHERE snapshot_date = DATE '2026-09-22'"], "its rates have no snapshot"),
    ],
)
def test_a_change_with_dropped_triggers_is_found(
    workspace: Workspace, statements: list[str], expected: str
) -> None:
    alter(workspace, *statements)
    difference = first_difference(workspace)
    assert difference is not None
    assert expected in difference


def test_a_dropped_trigger_is_found(workspace: Workspace) -> None:
    with duckdb.connect(workspace.ledger.path) as connection:
        connection.execute("DROP TRIGGER ledger_entries_no_update ON ledger_entries")
    difference = first_difference(workspace)
    assert difference == "ledger.duckdb: the trigger ledger_entries_no_update of ledger_entries is missing"


def test_a_missing_ledger_payload_or_segment_is_found(workspace: Workspace) -> None:
    payload = next(path for path in workspace.raw.glob("??/*"))
    segment = next((workspace.path / "audit" / "segments").glob("intent-*"))
    for path in (workspace.ledger.path, payload, segment):
        aside = path.with_name("aside")
        path.rename(aside)
        assert first_difference(workspace) is not None, path
        aside.rename(path)
    assert first_difference(workspace) is None


def test_the_outside_verifier_has_the_columns_of_an_entry() -> None:
    forms = {f"showcost-pack-{form}": line_columns(version) for form, version in ((1, 1), (2, 2), (3, 2))}
    expected = {form: [column.name for column in columns] for form, columns in forms.items()}
    verifier = runpy.run_path(str(VERIFIER))
    assert (verifier["COLUMNS"], verifier["WITH_PLANS"]) == (expected, FORM)
    assert verifier["PLAN_COLUMNS"] == [column.name for column in PLAN_COLUMNS if column.name != "seq"]
    assert line_columns(LINE_VERSION) == line_columns(2)


def test_the_outside_verifier_finds_changes_in_a_pack(clean: Workspace, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    production = clean.production
    facts = write_pack(clean.ledger, production.code, production.base_currency, pack)
    status, output = outside(pack)
    assert status == 0, output
    assert str(facts["digest"]) in output
    assert outside(pack, "--head", str(facts["head"]))[0] == 0
    assert outside(pack, "--head", "0" * 64)[0] == 1
    for name in ("entries.txt", "rates.csv", "log.jsonl", "heads.csv", "pack.json"):
        for place in (0.0,) if name == "pack.json" else (0.3, 0.6, 0.9):
            spoiled = tmp_path / "spoiled"
            shutil.copytree(pack, spoiled)
            data = bytearray((spoiled / name).read_bytes())
            at = a_digit(data, str(facts["digest"]).encode() if name == "pack.json" else b"", place)
            data[at] ^= 1
            (spoiled / name).write_bytes(data)
            assert outside(spoiled)[0] == 1, (name, at)
            shutil.rmtree(spoiled)


@pytest.mark.parametrize("change", ["removed", "altered"])
def test_the_outside_verifier_finds_a_changed_configuration(
    clean: Workspace, tmp_path: Path, change: str
) -> None:
    pack = tmp_path / "pack"
    write_pack(clean.ledger, clean.production.code, clean.production.base_currency, pack)
    files = sorted((pack / "configurations").iterdir())
    assert f"{len(files)} configuration files" in outside(pack)[1]
    if change == "removed":
        files[0].unlink()
    else:
        files[0].write_bytes(files[0].read_bytes() + b" ")
    status, output = outside(pack)
    assert status == 1
    assert files[0].name in output


def a_digit(data: bytearray, within: bytes, place: float) -> int:
    """Return the position of the last digit before the end of `within`, or of that share of the file."""
    end = data.index(within) + len(within) if within else int(len(data) * place)
    return next(at for at in range(end - 1, -1, -1) if chr(data[at]).isdigit())


def outside(pack: Path, *more: str) -> tuple[int, str]:
    """Run the verifier as an auditor does: isolated, without showcost."""
    finished = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-I", "-S", str(VERIFIER), str(pack), *more],
        capture_output=True,
        text=True,
        check=False,
    )
    return finished.returncode, finished.stdout + finished.stderr


def test_a_staged_amount_forged_together_with_the_end_of_the_log_is_found_once_posted(tmp_path: Path) -> None:
    """Whoever has all files can make the log name the forged file, as long as no head attests its end."""
    workspace = make_home(tmp_path / "home")
    feed = next(feed for feed in workspace.feeds if feed.name == FEED)
    land(workspace, feed)
    pin_snapshots(workspace, DAYS)
    write_raw_rows(workspace, feed, DAYS)
    validate_partitions(workspace, feed, DAYS)
    asset, day = f"valid/{FEED}", DAYS[0].isoformat()
    store = StagingStore(workspace.path)
    rows = store.read(asset, day)
    components = rows.column("components").to_pylist()
    components[0][0]["amount"] += 9000
    place = rows.schema.get_field_index("components")
    column = pa.array(components, rows.schema.field(place).type)
    folder = workspace.path / "staging" / asset
    before = set(folder.glob("*.parquet"))
    store.write(asset, day, rows.set_column(place, rows.schema.field(place), column))
    (forged,) = set(folder.glob("*.parquet")) - before
    with pytest.raises(IntegrityError, match="not those of its last validation in the audit log"):
        post_partitions(type(workspace)(workspace.path), feed, DAYS, "run")
    lines, previous = [], NO_HASH
    for line in workspace.audit.path.read_bytes().splitlines():
        record = json.loads(line)
        if record["kind"] == "validated":
            record["facts"]["files"][asset].append(sha256_file(forged))
        record["prev"] = previous
        del record["hash"]
        previous = record["hash"] = sha256_bytes(canonical(record))
        lines.append(canonical(record) + b"\n")
    workspace.audit.path.write_bytes(b"".join(lines))
    post_partitions(type(workspace)(workspace.path), feed, DAYS, "run")
    difference = first_difference(type(workspace)(workspace.path))
    assert difference is not None
    assert "its amount cannot be derived from the landed record" in difference
