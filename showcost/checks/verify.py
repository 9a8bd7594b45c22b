"""Verification: recompute everything from the raw bytes and compare it with the audit log.

Each step returns discrepancies, exact to the line, file, batch or entry. A fault that stops a step (such as
an unreadable file) is a discrepancy of that step; later steps still run. Nothing is repaired or written. The
proof of each step is described in docs/audit.md.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from showcost.audit import transitions as states
from showcost.audit.log import AuditLog, Discrepancy, Head
from showcost.audit.transitions import AuditKind, State
from showcost.checks.derivation import derive_entries
from showcost.core.engine import engine
from showcost.core.errors import CheckFailedError, InputError
from showcost.core.file_ranges import view_ranges
from showcost.ingest.audit_records import PAGE_HASH, arrival_hash
from showcost.ingest.landing import ReadAs, fingerprint_of, reread
from showcost.ledger.accruals import accrual_segments, differing_accruals
from showcost.ledger.fallback_log import differing_steps
from showcost.ledger.unfinished import not_reversed
from showcost.ledger.verification import Proof, ledger_proofs
from showcost.pipeline.configuration import changed_since, check_configurations, last_declared
from showcost.pipeline.outcomes import OutcomeLog, outcome_logs, outcomes_as_recorded
from showcost.pipeline.rate_files import imported_file_problems
from showcost.pipeline.unposted import Unposted, posted_undecided, unposted_rows
from showcost.reports.pack.verification import verify_published_packs
from showcost.reports.status import feed_status
from showcost.staging.assets import quarantine_asset, undated_asset, valid_asset
from showcost.staging.store import NotStagedError
from showcost.vendor_api.dead_letters import DeadLetters, letter_hash
from showcost.vendor_api.progress import PullProgress, page_hash
from showcost.workspace import Workspace, wait_for_writers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from showcost.audit.log import Record
    from showcost.config.feed import FeedSpec
    from showcost.core.file_ranges import FileRange
    from showcost.deliveries.register import Register
    from showcost.staging import StagingStore
    from showcost.vendor_api.dead_letters import DeadLetter

SHOWN: Final = 20
"""Maximum number of discrepancies reported per step; start with the first."""


@dataclass(frozen=True)
class VerificationStep:
    """One step of the verification: its claim, the number of items checked, and the discrepancies."""

    name: str
    proves: str
    checked: int
    discrepancies: tuple[Discrepancy, ...]


@dataclass(frozen=True)
class Verification:
    """The outcome; `head` is the head of the audit log, to be stored off this machine.

    `notes` say what is no difference, and what a reader should know.
    """

    steps: tuple[VerificationStep, ...]
    head: Head
    entries: int
    notes: tuple[str, ...] = ()

    @property
    def first(self) -> Discrepancy | None:
        """The first difference, or None without any."""
        return next((discrepancy for step in self.steps for discrepancy in step.discrepancies), None)


def verify(
    workspace: Workspace,
    *,
    head: str | None = None,
    read_again: bool = False,
    progress: Callable[[int, int], None] | None = None,
    patience: Patience | None = None,
) -> Verification:
    """Verify a data folder.

    `head` is an earlier head of the audit log, stored elsewhere; `read_again` also parses every payload again
    and compares the records; `progress` receives (finished steps, all steps). With `patience`, a difference
    counts once it stays while nobody writes: a run at work has records whose files it is about to write.
    """
    workspace = _reopened(workspace)
    evidence = _SharedInput(workspace, workspace.audit)
    plan = _plan(workspace, evidence, head, read_again=read_again)
    steps = []
    for number, step in enumerate(_side_by_side(plan), start=1):
        steps.append(step)
        if progress is not None:
            progress(number, len(plan))
    if patience is not None:
        steps = _settled(
            workspace,
            steps,
            patience,
            lambda home: _plan(home, _SharedInput(home, home.audit), head, read_again=read_again),
        )
    entries = sum(step.checked for step in steps if step.name == "batches")
    return Verification(tuple(steps), _head(workspace.audit), entries, _notes(workspace, evidence))


@dataclass(frozen=True)
class Patience:
    """Rule for looking at a difference again: `looks` in a row must agree, `pause` seconds apart.

    After `longest` seconds the differences are reported as they are.
    """

    looks: int = 3
    pause: float = 1
    longest: int = 120


def _settled(
    workspace: Workspace,
    steps: Sequence[VerificationStep],
    patience: Patience,
    plan_of: Callable[[Workspace], Sequence[_PlannedStep]],
) -> list[VerificationStep]:
    """Carry out steps with differences again until they have none, or the same ones while nobody writes."""
    steps, agreeing, until = list(steps), 1, time.monotonic() + patience.longest
    seen = _head(_reopened(workspace).audit)
    while agreeing < patience.looks and time.monotonic() < until:
        differing = [number for number, step in enumerate(steps) if step.discrepancies]
        if not differing:
            break
        time.sleep(patience.pause)
        wait_for_writers(workspace)
        again = _reopened(workspace)
        plan = {step.proof[0]: step for step in plan_of(again)}
        before = [steps[number].discrepancies for number in differing]
        for number in differing:
            steps[number] = _carried_out(plan[steps[number].name].proof)
        now = _head(_reopened(workspace).audit)
        same = now == seen and before == [steps[number].discrepancies for number in differing]
        agreeing, seen = (agreeing + 1 if same else 1), now
    return steps


def first_difference(
    workspace: Workspace, head: str | None = None, *, files_first: bool = False
) -> Discrepancy | None:
    """Return the first difference that `verify` would report; later steps are skipped.

    With `files_first` it may be another one: the steps that do not read the ledger, which take a fraction of
    the time of the others, come before those that do.
    """
    workspace = _reopened(workspace)
    plan = _plan(workspace, _SharedInput(workspace, workspace.audit), head, read_again=False)
    if files_first:
        plan.sort(key=lambda step: step.reads_ledger)
    results = (_carried_out(step.proof).discrepancies for step in plan)
    return next((discrepancies[0] for discrepancies in results if discrepancies), None)


def _reopened(workspace: Workspace) -> Workspace:
    """Return the workspace with empty caches: data read before must not vouch for the files."""
    return Workspace(workspace.path)


class _PlannedStep(NamedTuple):
    """A planned step, and whether it reads the ledger database."""

    proof: Proof
    reads_ledger: bool


def _plan(
    workspace: Workspace, evidence: _SharedInput, head: str | None, *, read_again: bool
) -> list[_PlannedStep]:
    """Return the steps of a verification, in order."""
    audit = workspace.audit
    ledger = workspace.ledger
    received: list[Proof] = [
        ("payloads", "every delivery still has the bytes that arrived", evidence.payloads),
        (
            "audit log",
            "no record or segment was altered, reordered or removed",
            lambda: evidence.log(head),
        ),
        ("register", "no arrival was added, altered or removed", evidence.register),
        (
            "configuration",
            "every validation and posting names a recorded configuration, and its files are kept",
            lambda: check_configurations(audit),
        ),
    ]
    if read_again:
        received.append(
            ("records", "reading the payloads again gives the recorded records", evidence.records)
        )
    of_ledger: list[Proof] = []
    if ledger.exists() or _has_transactions(audit):
        proves = "accruals and fallback steps are as recorded"
        of_ledger = [
            *ledger_proofs(ledger, evidence.outcome_files),
            (
                "origins",
                "every entry and plan line names its delivery as the register does",
                evidence.origins,
            ),
            ("provisional", proves, evidence.provisional),
            (
                "derivation",
                "every entry follows from its landed record, by the configuration of its posting",
                evidence.derivation,
            ),
            (
                "posted",
                "valid rows and decisions were posted, or wait for the next run",
                evidence.posted,
            ),
        ]
    made: list[Proof] = [
        (
            "dead letters",
            "no line was added, altered or removed, and its bytes are stored",
            evidence.dead_letters,
        ),
        ("pulls", "pull progress is as recorded, and each page in it has arrived", evidence.pulls),
        ("staged files", "staged files are unchanged", evidence.staged),
        ("outcomes", "staged outcomes equal those in the audit log", evidence.outcomes),
    ]
    return [
        *(_PlannedStep(proof, reads_ledger=False) for proof in received),
        *(_PlannedStep(proof, reads_ledger=True) for proof in of_ledger),
        *(_PlannedStep(proof, reads_ledger=False) for proof in made),
        _PlannedStep(
            ("conservation", "every received row is in exactly one state", evidence.conservation),
            reads_ledger=True,
        ),
        _PlannedStep(
            ("rate files", "imported rate files are unchanged", evidence.rate_files), reads_ledger=False
        ),
        _PlannedStep(
            ("published", "published reports are there, sealed and unchanged", evidence.published),
            reads_ledger=False,
        ),
    ]


def _side_by_side(plan: Sequence[_PlannedStep]) -> Iterator[VerificationStep]:
    """Carry out the steps, ledger and files in parallel, and yield them in order.

    Only one step at a time reads the ledger: damage that DuckDB meets in one query ends all other queries of
    the process, and the discrepancy would be reported for the wrong step.
    """
    with ThreadPoolExecutor(1) as of_ledger, ThreadPoolExecutor(1) as of_files:
        under_way = [
            (of_ledger if step.reads_ledger else of_files).submit(_carried_out, step.proof) for step in plan
        ]
        try:
            for step in under_way:
                yield step.result()
        finally:
            for step in under_way:
                step.cancel()


def _carried_out(proof: Proof) -> VerificationStep:
    name, proves, work = proof
    try:
        checked, discrepancies = work()
    except (CheckFailedError, InputError, duckdb.Error, pa.ArrowException, OSError, ValueError) as error:
        checked, discrepancies = (
            0,
            [Discrepancy(name, (str(error).strip().splitlines() or ["cannot be read"])[0])],
        )
    return VerificationStep(name, proves, checked, tuple(discrepancies[:SHOWN]))


def _has_transactions(audit: AuditLog) -> bool:
    """Tell whether a ledger must exist: a data folder that has only landed has none yet."""
    try:
        return bool(audit.transactions())
    except CheckFailedError:
        return True


def _undeclared(workspace: Workspace, declared: Sequence[FeedSpec]) -> list[str]:
    """Return the feeds that something was received from, and that are no longer declared."""
    try:
        received = {
            str(record.facts["feed"])
            for record in workspace.audit.records()
            if record.kind in (AuditKind.DELIVERY_RECEIVED, AuditKind.DEAD_LETTERED)
        }
    except CheckFailedError:
        return []
    return sorted(received - {feed.name for feed in declared})


def _head(audit: AuditLog) -> Head:
    try:
        return audit.head()
    except CheckFailedError:
        return Head(0, "")


def _notes(workspace: Workspace, evidence: _SharedInput) -> tuple[str, ...]:
    notes = []
    if evidence.not_derived:
        notes.append(
            f"entries that were not derived again: {evidence.not_derived}; their rows were corrected or"
            " read otherwise since, or their records are not in staging (`showcost land` reads them)"
        )
    if evidence.not_staged:
        notes.append(
            "staged rows were removed, so that derivation or conservation was not checked everywhere:"
            f" {evidence.not_staged[0]} (`showcost land` reads records again, `showcost run` makes the"
            " partitions)"
        )
    if again := sorted(set(evidence.undeclared) - set(evidence.not_checked)):
        notes.append(
            f"feeds that are no longer declared: {', '.join(again)}; they were checked by the last"
            " configuration that declared them"
        )
    if evidence.not_checked:
        notes.append(
            f"feeds that no recorded configuration declares: {', '.join(evidence.not_checked)}; their"
            " records, outcomes and conservation were not checked"
        )
    to_post = sum(unposted.to_post for unposted in evidence.unposted.values())
    to_reverse = sum(unposted.to_reverse for unposted in evidence.unposted.values())
    if to_post or to_reverse:
        notes.append(
            f"rows that wait for the next `showcost run`: {to_post} to be posted, {to_reverse} to be reversed"
        )
    try:
        changed, clock = changed_since(workspace), workspace.audit.clock_notes()
    except CheckFailedError:
        # A damaged log is a difference of its own step.
        return tuple(notes)
    return (*notes, *(() if changed is None else (changed,)), *clock)


class _SharedInput:
    """Input that the steps share: the stores, and the records of the log by kind."""

    def __init__(self, workspace: Workspace, audit: AuditLog) -> None:
        self._workspace, self._audit = workspace, audit
        self.not_staged: list[str] = []
        declared = list(workspace.feeds)
        self.undeclared, self._feeds = _undeclared(workspace, declared), declared
        try:
            self._feeds += last_declared(workspace, self.undeclared) if self.undeclared else []
        except (CheckFailedError, InputError, OSError):
            # What is wrong with the log or a configuration is a difference of its own step.
            self._feeds = declared
        self.not_checked = sorted(set(self.undeclared) - {feed.name for feed in self._feeds})
        self.not_derived = 0
        self.unposted: dict[str, Unposted] = {}

    def payloads(self) -> tuple[int, list[Discrepancy]]:
        store = self._workspace.payloads
        deliveries = sorted({arrival.delivery for arrival in self._register().arrivals()})
        discrepancies = []
        for sha256 in deliveries:
            if self._audit_state(states.delivery(sha256)) is State.SHREDDED:
                if store.path(sha256).is_file() and not store.is_shredded(sha256):
                    unfinished = "recorded as shredded, but it can be read; `showcost shred` finishes it"
                    discrepancies.append(Discrepancy(f"raw/{sha256[:2]}/{sha256}", unfinished))
                continue
            if problem := store.problem(sha256):
                discrepancies.append(Discrepancy(f"raw/{sha256[:2]}/{sha256}", problem))
        return len(deliveries), discrepancies

    def log(self, head: str | None) -> tuple[int, list[Discrepancy]]:
        discrepancies = self._audit.verify(head)
        return (0 if discrepancies else self._audit.head().seq), discrepancies

    def register(self) -> tuple[int, list[Discrepancy]]:
        # A crash between the record and the line leaves a record that a later one, of the same number,
        # replaces: the last record counts.
        received: dict[int, tuple[int, str]] = {}
        for record in self._of(AuditKind.DELIVERY_RECEIVED):
            facts: Mapping[str, Any] = record.facts
            received[facts["arrival"]] = record.seq, facts["arrival_hash"]
        arrivals = self._register().arrivals()
        discrepancies = []
        for arrival in arrivals:
            seq, recorded = received.pop(arrival.number, (0, ""))
            if recorded != arrival_hash(arrival):
                problem = (
                    f"it differs from record {seq} of the audit log" if seq else "it is not in the audit log"
                )
                discrepancies.append(Discrepancy(f"raw/register.jsonl, line {arrival.number}", problem))
        discrepancies += [
            Discrepancy(
                f"raw/register.jsonl, line {number}",
                f"record {seq} of the audit log announced it, but it is not there; `showcost land` completes"
                " a landing that was interrupted",
            )
            for number, (seq, _) in sorted(received.items())
        ]
        return len(arrivals), discrepancies

    def origins(self) -> tuple[int, list[Discrepancy]]:
        arrivals = {(arrival.number, arrival.delivery) for arrival in self._register().arrivals()}
        with self._workspace.ledger.read() as connection:
            rows: list[tuple[int, str, str]] = connection.execute(_ORIGINS).fetchall()
        return len(rows), [
            Discrepancy(
                f"ledger.duckdb, {name}",
                f"arrival {number}, delivery {sha256}, is not in the register",
            )
            for number, sha256, name in rows
            if (number, sha256) not in arrivals
        ]

    def derivation(self) -> tuple[int, list[Discrepancy]]:
        try:
            result = derive_entries(self._workspace)
        except NotStagedError as error:
            self.not_staged.append(str(error))
            return 0, []
        self.not_derived = result.not_derived
        return result.derived, result.discrepancies

    def posted(self) -> tuple[int, list[Discrepancy]]:
        logs, discrepancies = outcome_logs(self._audit), list[Discrepancy]()
        for feed in self._feeds:
            if (log := logs.get(feed.name)) is not None:
                discrepancies += self._posted_of(feed, log)
        return sum(len(log.parts) for log in logs.values()), discrepancies

    def _posted_of(self, feed: FeedSpec, log: OutcomeLog) -> Iterator[Discrepancy]:
        unposted = unposted_rows(self._workspace, feed, log, SHOWN)
        self.unposted[feed.name] = unposted
        for row in unposted.left_out:
            yield Discrepancy(
                f"{feed.name}, {row.part}",
                f"record {row.record} of delivery {row.delivery} is valid since record {row.seq} of the audit"
                " log, but a posting left it out; materialise the partition again",
            )
        with self._workspace.ledger.read() as connection:
            entries = not_reversed(connection, feed.name, SHOWN)
        for entry in entries:
            yield Discrepancy(
                f"ledger.duckdb, entry {entry.entry}",
                f"it was to be reversed since record {entry.since} of the audit log, but the posting of"
                f" record {entry.posting} left it as it was; `showcost run` reverses it",
            )
        for posted in posted_undecided(self._workspace, feed, SHOWN):
            yield Discrepancy(
                f"{feed.name}, record {posted.record} of delivery {posted.delivery}",
                f"record {posted.posting} of the audit log posted the values that it had before the decision"
                f" of record {posted.decision}; undo the decision, and decide again",
            )

    def records(self) -> tuple[int, list[Discrepancy]]:
        latest: dict[tuple[str, str], Record] = {}
        for record in self._of(AuditKind.RECORDS_READ):
            facts: Mapping[str, Any] = record.facts
            latest[facts["feed"], facts["delivery"]] = record
        rows, discrepancies = 0, []
        for feed in self._feeds:
            for arrival in self._register().deliveries(feed.name):
                record_read = latest.get((feed.name, arrival.delivery))
                shredded = self._audit_state(states.delivery(arrival.delivery)) is State.SHREDDED
                if record_read is None or record_read.segment is None or shredded:
                    continue
                recorded = pq.read_table(self._audit.segment_path(record_read.segment))
                records = reread(self._workspace, feed, arrival).cast(recorded.schema)
                outdated = record_read.facts["fingerprint"] != fingerprint_of(self._workspace, feed)
                # An earlier version of the reader may have read it.
                for read_as in (ReadAs.BEFORE_16, ReadAs.BEFORE_14, ReadAs.BEFORE_4) if outdated else ():
                    if records != recorded:
                        earlier = reread(self._workspace, feed, arrival, read_as)
                        records = earlier.cast(recorded.schema)
                rows += records.num_rows
                if records != recorded:
                    discrepancies.append(
                        Discrepancy(
                            f"raw/{arrival.delivery[:2]}/{arrival.delivery}",
                            f"its record {_first_difference(records, recorded)} differs from record"
                            f" {record_read.seq} of the audit log; was the feed {feed.name} changed since?",
                        )
                    )
        return rows, discrepancies

    def staged(self) -> tuple[int, list[Discrepancy]]:
        store = self._workspace.staging
        discrepancies, files = [], 0
        for asset in store.assets():
            files += len(store.partitions(asset))
            discrepancies += [
                Discrepancy(f"staging/{asset}, {partition}", problem)
                for partition, problem in store.problems(asset).items()
            ]
        return files, discrepancies

    def outcomes(self) -> tuple[int, list[Discrepancy]]:
        store = self._workspace.staging
        rows, discrepancies = 0, []
        logs = outcome_logs(self._audit)
        for feed in self._feeds:
            log = logs.get(feed.name, OutcomeLog({}, (), frozenset()))
            staged = _staged_outcomes(store, feed)
            discrepancies += [
                Discrepancy(f"staging of {feed.name}, {part}", "the audit log has no validation of it")
                for part in sorted(staged.keys() - log.parts)
            ]
            counted, differing = _compare_outcomes(
                {part: ranges for part, ranges in staged.items() if part in log.parts}, log
            )
            rows += counted
            discrepancies += [
                Discrepancy(
                    f"staging of {feed.name}, {part}",
                    f"record {record} of delivery {delivery} is missing or differs from the audit log;"
                    " materialise the partition again",
                )
                for part, delivery, record in differing
            ]
        return rows, discrepancies

    def conservation(self) -> tuple[int, list[Discrepancy]]:
        rows, discrepancies = 0, []
        for feed in self._feeds:
            try:
                deliveries = feed_status(self._workspace, feed).deliveries
            except NotStagedError as error:
                self.not_staged.append(str(error))
                continue
            for delivery, tally in deliveries:
                rows += tally.received
                if not tally.balances:
                    discrepancies.append(
                        Discrepancy(
                            f"{feed.name}, delivery {delivery.arrival.delivery}",
                            f"{tally.received} rows received, but {tally.posted} posted, {tally.quarantined}"
                            f" quarantined, {tally.duplicate} duplicates, {tally.pending} pending and"
                            f" {tally.discarded} discarded, or their amounts do not add up",
                        )
                    )
        return rows, discrepancies

    def rate_files(self) -> tuple[int, list[Discrepancy]]:
        checked, problems = imported_file_problems(self._workspace)
        return checked, [Discrepancy(place, problem) for place, problem in problems]

    def published(self) -> tuple[int, list[Discrepancy]]:
        packs, wrong = verify_published_packs(self._workspace, self._of(AuditKind.SNAPSHOT_PUBLISHED))
        return packs, [discrepancy for found in wrong.values() for discrepancy in found]

    def provisional(self) -> tuple[int, list[Discrepancy]]:
        segments = accrual_segments(self._audit)
        with self._workspace.ledger.read() as connection:
            rows, differing = differing_accruals(connection, segments)
            taken, others = differing_steps(
                connection, self._of(AuditKind.FALLBACK_APPLIED, AuditKind.FALLBACK_RELEASED)
            )
        places = [f"{event} {accrual}" for accrual, event in differing]
        places += [f"step {step!r} of {feed} for {day}" for feed, day, step in others]
        return rows + taken, [
            Discrepancy(f"ledger.duckdb, {place}", "it is missing or differs from the audit log")
            for place in places
        ]

    def dead_letters(self) -> tuple[int, list[Discrepancy]]:
        lines, discrepancies = 0, list[Discrepancy]()
        for feed in (feed for feed in self._feeds if feed.api is not None):
            letters = DeadLetters(self._workspace.raw, feed.name).history
            lines += len(letters)
            discrepancies += self._letters_of(feed, letters)
        return lines, discrepancies

    def _letters_of(self, feed: FeedSpec, letters: Sequence[DeadLetter]) -> Iterator[Discrepancy]:
        place = f"raw/dead_letters/{feed.name}.jsonl"
        recorded = self._recorded_letters(feed)
        hashes = {facts["letter_hash"] for _, _, facts in recorded}
        store, stored_hashes = self._workspace.payloads, set()
        for number, letter in enumerate(letters, start=1):
            stored_hashes.add(letter_hash(letter))
            if letter_hash(letter) not in hashes:
                yield Discrepancy(f"{place}, line {number}", "it is not in the audit log")
            elif letter.response is not None and (problem := store.problem(letter.response)):
                yield Discrepancy(f"{place}, line {number}", problem)
        stored_pages = {
            (page.first, page.last, page.page) for page in PullProgress(self._workspace.raw, feed.name).pages
        }
        for position, (subject, kind, facts) in enumerate(recorded):
            # After a crash between the record and its line, a second record follows, or the page itself.
            following = next((later for later in recorded[position + 1 :] if later[0] == subject), None)
            repeated = following is not None and following[1] is kind
            is_stored = (facts["first"], facts["last"], facts["page"]) in stored_pages
            if (
                facts["letter_hash"] not in stored_hashes
                and not repeated
                and not (is_stored and following is None)
            ):
                yield Discrepancy(
                    place, f"the line of {subject} is not there; `showcost pull` requests the page again"
                )

    def _recorded_letters(self, feed: FeedSpec) -> list[tuple[str, AuditKind, Mapping[str, Any]]]:
        """Return (subject, kind, facts) of the audit records about a feed's dead letters, in order."""
        return [
            (record.subjects[0], record.kind, record.facts)
            for record in self._of(AuditKind.DEAD_LETTERED, AuditKind.REPLAYED)
            if record.facts.get("feed") == feed.name and "letter_hash" in record.facts
        ]

    def pulls(self) -> tuple[int, list[Discrepancy]]:
        """Check pull progress: a line too many would make a window look complete that was never asked for."""
        recorded: dict[tuple[str, int], str] = {}
        for record in self._of(AuditKind.DELIVERY_RECEIVED):
            facts: Mapping[str, Any] = record.facts
            if PAGE_HASH in facts:
                recorded[facts["feed"], facts["arrival"]] = facts[PAGE_HASH]
        lines, discrepancies = 0, list[Discrepancy]()
        for feed in (feed for feed in self._feeds if feed.api is not None):
            arrivals = {arrival.name: arrival for arrival in self._register().arrivals(feed.name)}
            place = f"raw/pulls/{feed.name}.jsonl"
            seen = set()
            for number, page in enumerate(PullProgress(self._workspace.raw, feed.name).pages, start=1):
                lines += 1
                arrival = arrivals.get(page.name)
                if arrival is None or arrival.delivery != page.delivery:
                    problem = "its page is not in the register; `showcost pull` completes an interrupted pull"
                    discrepancies.append(Discrepancy(f"{place}, line {number}", problem))
                    continue
                seen.add(arrival.number)
                # Earlier versions recorded no hash.
                if recorded.get((feed.name, arrival.number), page_hash(page)) != page_hash(page):
                    problem = "it differs from the audit log"
                    discrepancies.append(Discrepancy(f"{place}, line {number}", problem))
            discrepancies += [
                Discrepancy(place, f"the line of arrival {number} is not there")
                for name, number in sorted(recorded)
                if name == feed.name and number not in seen
            ]
        return lines, discrepancies

    def outcome_files(self) -> list[Path]:
        """Return the segments with row outcomes: the rows that may be posted."""
        kinds = (AuditKind.VALIDATED, AuditKind.REPLAYED)
        names = {record.segment.name for record in self._of(*kinds) if record.segment is not None}
        return [self._audit.segments / name for name in sorted(names)]

    def _of(self, *kinds: AuditKind) -> Iterator[Record]:
        return (record for record in self._audit.records() if record.kind in kinds)

    def _register(self) -> Register:
        return self._workspace.register

    def _audit_state(self, subject: states.Subject) -> State:
        try:
            return self._audit.state(subject)
        except CheckFailedError:
            return State.NEW


def _first_difference(records: pa.Table, recorded: pa.Table) -> int:
    for ours, theirs in zip(records.to_pylist(), recorded.to_pylist(), strict=False):
        if ours != theirs:
            return int(theirs["record"])
    return int(min(records.num_rows, recorded.num_rows)) + 1


def _staged_outcomes(store: StagingStore, feed: FeedSpec) -> dict[str, list[FileRange]]:
    """Return where the outcomes of each partition of a feed are, each file verified."""
    staged: dict[str, list[FileRange]] = {}
    for asset in (undated_asset(feed.name), valid_asset(feed.name), quarantine_asset(feed.name)):
        parts = store.partitions(asset)
        for part in parts:
            staged.setdefault(part, [])
        filled = [part for part in parts if store.existing(asset, part).rows]
        for part, place in zip(filled, store.ranges(asset, filled), strict=True):
            staged[part].append(place)
    return staged


def _compare_outcomes(
    staged: Mapping[str, Sequence[FileRange]], log: OutcomeLog
) -> tuple[int, list[tuple[str, str, int]]]:
    """Return the number of rows compared, and (partition, delivery, record) of rows on one side only."""
    if not staged:
        return 0, []
    with engine() as connection:
        connection.register("parts", pa.table({"part": pa.array(staged, pa.string())}))
        if ranges := [place for places in staged.values() for place in places]:
            view_ranges(connection, "staged_rows", ranges, union_by_name=True)
            connection.execute(_STAGED_SIDE)
        else:
            connection.execute(_NOTHING_STAGED)
        outcomes_as_recorded(connection, log)
        rows = connection.execute("SELECT count(*) FROM staged").fetchall()[0][0]
        return int(rows), connection.execute(_DIFFERING, {"most": SHOWN}).fetchall()


_ORIGINS: Final = """
SELECT arrival, delivery, min(name) FROM (
    SELECT arrival, delivery, 'entry ' || entry_id AS name FROM ledger_entries
    UNION ALL SELECT arrival, delivery, 'plan line ' || line_id FROM plan_lines)
GROUP BY ALL ORDER BY ALL
"""

# Files of valid rows have no disposition, those of the quarantine no content: `union_by_name` gives null. A
# feed may have files of one of the two only.
_STAGED_SIDE: Final = """
CREATE TEMP VIEW staged AS
SELECT coalesce(CAST(transaction_date AS VARCHAR), 'all') AS part, delivery, record,
    coalesce(disposition, 'valid') AS disposition, content
FROM (
    SELECT NULL AS disposition, NULL AS content, NULL AS transaction_date, NULL AS delivery, NULL AS record
    WHERE false
    UNION ALL BY NAME FROM staged_rows)
"""

_NOTHING_STAGED: Final = """
CREATE TEMP TABLE staged (part VARCHAR, delivery VARCHAR, record BIGINT, disposition VARCHAR, content VARCHAR)
"""

# Rows that are as often on one side as on the other sum to zero; EXCEPT ALL, which sorts, takes longer.
_DIFFERING: Final = """
SELECT DISTINCT part, delivery, record
FROM (SELECT *, 1 AS side FROM staged
    UNION ALL SELECT part, delivery, record, disposition, content, -1 AS side FROM recorded
    SEMI JOIN parts USING (part))
GROUP BY part, delivery, record, disposition, content HAVING sum(side) <> 0
ORDER BY ALL LIMIT $most
"""
