"""Ledgers of earlier schema versions: migrated on the first access, with every digest that they had.

`homes/version-N.tar.xz` holds ledger and audit log as version N wrote them: 20 invoices, one reversed.
"""

from __future__ import annotations

import runpy
import tarfile
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb
import pytest

from showcost.audit.transitions import AuditKind
from showcost.core.durable import System, using
from showcost.core.errors import FatalError, IntegrityError, StorageError
from showcost.core.hashing import sha256_file
from showcost.ledger import schema
from showcost.ledger.audit_pack import write_pack
from showcost.ledger.decisions import Decision, DecisionKind, record_decisions
from showcost.ledger.digest import digest
from showcost.ledger.recovery import writing
from showcost.ledger.store import Ledger
from showcost.ledger.verification import ledger_proofs
from showcost_tests.ledger.rows import as_pair, clock, entries, post_rows, reference_digest, table, week_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HOMES: Final = Path(__file__).parent / "homes"
DIGESTS: Final = {
    5: "e0a5b3d1828f6f623fb0a42d9def1ec25b11d754b988e84b3ba52ac965709435",
    6: "e0a5b3d1828f6f623fb0a42d9def1ec25b11d754b988e84b3ba52ac965709435",
    7: "d8f02089c0e23f723a7e696ce986998103318eae403e14033a0413ab0f182655",
    8: "a7b09146fb4dd9c3e081177ba1126516859538253525a54b390611b8daf579a3",
}
"""The digest that each version computed of its own home."""

LINES: Final = {5: 1, 6: 1, 7: 1, 8: 2}
"""The line version of the entries in each home."""

VERSIONS: Final = sorted(DIGESTS)


def home_of(version: int, folder: Path) -> Ledger:
    with tarfile.open(HOMES / f"version-{version}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return Ledger(folder / "ledger.duckdb")


def whole_digest(ledger: Ledger) -> str:
    with ledger.read() as connection:
        return digest(connection, date.min, date.max).hash


def problems(ledger: Ledger, segments: Sequence[Path] = ()) -> list[str]:
    """Return what the proofs find, but for acceptance: the homes hold no validated rows."""
    return [
        f"{discrepancy.place}: {discrepancy.problem}"
        for name, _, prove in ledger_proofs(ledger, lambda: segments)
        if name != "acceptance"
        for discrepancy in prove()[1]
    ]


def version_of(path: Path) -> int | None:
    with duckdb.connect(path, read_only=True) as connection:
        return schema.version_of(connection)


def test_every_version_before_this_one_has_its_home() -> None:
    assert [*VERSIONS, schema.VERSION] == list(range(VERSIONS[0], schema.VERSION + 1))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_ledger_is_migrated_by_whoever_opens_it_and_proves_as_before(tmp_path: Path, version: int) -> None:
    ledger = home_of(version, tmp_path)
    assert version_of(ledger.path) == version
    assert whole_digest(ledger) == DIGESTS[version]
    assert version_of(ledger.path) == schema.VERSION
    assert problems(ledger) == []
    records = [record for record in ledger.audit.records() if record.kind is AuditKind.SCHEMA_MIGRATED]
    steps = [(record.facts["from"], record.facts["to"]) for record in records]
    assert steps == [(number, number + 1) for number in range(version, schema.VERSION)]
    (kept,) = {str(record.facts["kept"]) for record in records}
    assert version_of(tmp_path / kept) == version
    posted = entries(ledger)
    assert {entry["line_version"] for entry in posted} == {LINES[version]}
    assert {entry["document_id"] is None for entry in posted} == {LINES[version] == 1}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_migrated_ledger_goes_on(tmp_path: Path, version: int) -> None:
    ledger = home_of(version, tmp_path)
    rows = week_rows(25)
    chosen = rows[8]
    with writing(ledger) as connection:
        decision = Decision(
            "vendors", str(chosen["delivery"]), int(str(chosen["record"])), DecisionKind.REVERSE, {}, ()
        )
        record_decisions(ledger, connection, [decision], who="R. Auditor", why="asked", now=clock())
    post_rows(ledger, table([row for row in rows if row not in (rows[3], chosen)]))
    posted = entries(ledger)
    # 40 entries and 2 reversals came with the home; 5 new rows of two entries, and the reversal of one.
    assert sorted(entry["line_version"] for entry in posted) == [LINES[version]] * 42 + [2] * 12
    back = [
        entry for entry in posted if entry["record"] == chosen["record"] and entry["entry_kind"] == "reversal"
    ]
    assert {entry["line_version"] for entry in back} == {2}
    assert len(back) == 2
    assert {entry["reverses"] for entry in back} <= {entry["entry_id"] for entry in posted}
    assert problems(ledger) == []
    with ledger.read() as connection:
        assert as_pair(digest(connection, date.min, date.max)) == reference_digest(posted)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_outside_verifier_reads_entries_of_both_versions(tmp_path: Path, version: int) -> None:
    ledger = home_of(version, tmp_path / "home")
    post_rows(ledger, table([row for number, row in enumerate(week_rows(25)) if number != 3]))
    write_pack(ledger, "NIGHTFALL", "USD", tmp_path / "pack")
    verifier = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "verify_pack.py"))
    assert verifier["main"]([str(tmp_path / "pack")]) == 0


@pytest.mark.parametrize("version", range(1, VERSIONS[0]))
def test_a_ledger_from_before_the_migrations_is_refused_and_left_alone(tmp_path: Path, version: int) -> None:
    ledger = home_of(VERSIONS[0], tmp_path)
    with duckdb.connect(ledger.path) as connection:
        connection.execute("DROP TABLE schema_version")
        connection.execute(f"CREATE TABLE schema_version AS SELECT {version} AS version")
    before = ledger.path.read_bytes()
    with pytest.raises(IntegrityError, match="make a new production and land its deliveries again"):
        whole_digest(ledger)
    assert ledger.path.read_bytes() == before


class _Full(System):
    """A disk that takes a number of calls that write or rename, and then fails."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def rename(self, source: Path, target: Path) -> None:
        self.calls -= 1
        if self.calls < 0:
            raise OSError(28, "No space left on device")
        super().rename(source, target)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_migration_that_is_cut_off_leaves_the_old_ledger_or_the_new_one(
    tmp_path: Path, version: int
) -> None:
    calls, done = 0, False
    while not done:
        ledger = home_of(version, tmp_path / str(calls))
        system = _Full(calls)
        try:
            with using(system):
                assert whole_digest(ledger) == DIGESTS[version]
            done = True
        except (StorageError, FatalError):
            assert version_of(ledger.path) == version
        again = Ledger(ledger.path)
        assert whole_digest(again) == DIGESTS[version]
        assert problems(again) == []
        assert list(tmp_path.glob("*/*.aside*")) == []
        calls += 1
    assert calls >= 2


def test_a_ledger_that_was_altered_is_not_migrated(tmp_path: Path) -> None:
    ledger = home_of(7, tmp_path)
    with altering(ledger.path) as connection:
        connection.execute("UPDATE ledger_entries SET description = 'other' WHERE record = 5")
    with pytest.raises(IntegrityError, match="do not hash to its digest; nothing was migrated"):
        whole_digest(ledger)
    assert version_of(ledger.path) == 7


@contextmanager
def altering(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection without the triggers of the entries, and put them back to hide a change."""
    with duckdb.connect(path) as connection:
        triggers = connection.execute(_TRIGGERS).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name} ON ledger_entries")
        yield connection
        for _, sql in triggers:
            connection.execute(sql)


_TRIGGERS: Final = "SELECT trigger_name, sql FROM duckdb_triggers() WHERE table_name = 'ledger_entries'"


def test_a_ledger_whose_triggers_were_dropped_is_not_migrated(tmp_path: Path) -> None:
    ledger = home_of(7, tmp_path)
    with duckdb.connect(ledger.path) as connection:
        for name, _ in connection.execute(_TRIGGERS).fetchall():
            connection.execute(f"DROP TRIGGER {name} ON ledger_entries")
    with pytest.raises(IntegrityError, match="is missing; nothing was migrated"):
        whole_digest(ledger)
    assert version_of(ledger.path) == 7


def test_a_ledger_with_tables_of_others_is_migrated_without_them(tmp_path: Path) -> None:
    ledger = home_of(7, tmp_path)
    with duckdb.connect(ledger.path) as connection:
        connection.execute(
            "CREATE TABLE notes (text VARCHAR); CREATE SCHEMA mine; CREATE TABLE mine.batches (i INT)"
        )
    assert whole_digest(ledger) == DIGESTS[7]


def test_a_value_that_the_old_line_does_not_cover_is_found_and_not_used(tmp_path: Path) -> None:
    ledger = home_of(7, tmp_path)
    assert whole_digest(ledger) == DIGESTS[7]
    with altering(ledger.path) as connection:
        connection.execute(
            "UPDATE ledger_entries SET document_id = 'ff', due_date = DATE '2020-01-01' WHERE record < 7"
        )
    assert [problem for problem in problems(ledger) if "does not cover" in problem]


def test_a_backup_is_never_overwritten(tmp_path: Path) -> None:
    ledger = home_of(7, tmp_path)
    earlier = tmp_path / "ledger.duckdb.version-7"
    earlier.write_bytes(b"another ledger")
    before = ledger.path.read_bytes()
    assert whole_digest(ledger) == DIGESTS[7]
    assert earlier.read_bytes() == b"another ledger"
    # The same file once more, as after a restore: its backup is there.
    ledger.path.write_bytes(before)
    assert whole_digest(ledger) == DIGESTS[7]
    records = [record for record in ledger.audit.records() if record.kind is AuditKind.SCHEMA_MIGRATED]
    assert [record.facts["kept"] for record in records] == ["ledger.duckdb.version-7-2"] * 4
    kept = tmp_path / "ledger.duckdb.version-7-2"
    assert {record.facts["sha256"] for record in records} == {sha256_file(kept)}
    assert sorted(path.name for path in tmp_path.glob("*version-7*")) == [earlier.name, kept.name]
