"""Verification every night: of everything, or of what can change unseen while the folder is as it was.

    verification/verifications.jsonl

The last good verification is bound to the head of the audit log, the digest of the ledger, and size and
times of every file. While all three are the same, a night reads the log, computes the digest and looks at the
times of the files; it reads every byte again after `verification.full_days`, since a disk may change bytes
without a trace. The lines also record which heads were sent where.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import duckdb

from showcost.checks.result import CheckOutcome
from showcost.checks.verify import Patience, verify
from showcost.core.errors import IntegrityError, ShowcostError
from showcost.core.hashing import sha256_framed
from showcost.core.jsonl import JsonLines
from showcost.core.locking import exclusive_lock
from showcost.ledger.digest import digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.checks.verify import Verification
    from showcost.core.jsonl import Position
    from showcost.workspace import Workspace

FOLDER: Final = "verification"
_NOT_VERIFIED: Final = frozenset({FOLDER, "alerts", "inbox", "locks", "dagster_home"})
"""Folders of a data folder whose files the books do not depend on."""
_UNSTABLE: Final = frozenset({"raw/inbox.json"})
_WAIT: Final = 10


@dataclass(frozen=True)
class Binding:
    """The state of a data folder that was verified.

    The last record of the audit log, `seq`, with its hash; the digest of the ledger, None without one; a hash
    over size and times of all files.
    """

    seq: int
    head: str
    digest: str | None
    files: str


@dataclass(frozen=True)
class NightlyVerification:
    """A verification that was carried out at a time; `differing` are the names of its failed steps.

    `full` says that everything was read; otherwise the folder is as it was at `full_at`.
    """

    at: datetime
    seq: int
    head: str
    digest: str | None
    files: str
    entries: int
    full: bool
    full_at: datetime
    differing: tuple[str, ...]
    first_difference: str | None = None

    @property
    def verified(self) -> bool:
        """True if it found no difference."""
        return not self.differing

    @property
    def binding(self) -> Binding:
        """The state of the folder that was verified."""
        return Binding(self.seq, self.head, self.digest, self.files)


@dataclass(frozen=True)
class SentHead:
    """A head that was sent to a target at a time; `reason` says why that failed, None if it did not."""

    at: datetime
    seq: int
    head: str
    target: str
    reason: str | None


Line = NightlyVerification | SentHead


def verify_nightly(workspace: Workspace, now: datetime) -> NightlyVerification:
    """Verify a data folder, everything only if it changed or was not read for long; nothing is recorded.

    The head of the last good verification must still be in the audit log.
    """
    binding = safe_binding(workspace)
    try:
        last = last_verified(workspace)
    except IntegrityError:
        last = None
    longest = timedelta(days=workspace.production.verification.full_days)
    if (
        binding is not None
        and last is not None
        and last.binding == binding
        and timedelta(0) <= now - last.full_at < longest
    ):
        return _line(now, binding, last.entries, full_at=last.full_at)
    outcome = verify(workspace, head=None if last is None else last.head, patience=Patience())
    # A folder whose log or ledger cannot be read has no good verification to come back to.
    return line_of(outcome, binding or Binding(outcome.head.seq, outcome.head.hash, None, ""), now)


def is_verified(workspace: Workspace) -> CheckOutcome:
    """Return the outcome of the last verification."""
    last = last_verification(workspace)
    if last is None:
        return CheckOutcome(passed=False, message="there was no verification yet")
    facts: dict[str, str | int] = {"audit_record": last.seq, "head": last.head}
    if last.verified:
        return CheckOutcome(passed=True, message=f"no difference up to audit record {last.seq}", facts=facts)
    steps = ", ".join(last.differing)
    message = f"differences in {steps}; first {last.first_difference}"
    return CheckOutcome(passed=False, message=message, facts=facts)


def binding_of(workspace: Workspace) -> Binding:
    """Return what a verification that begins now is about."""
    head = workspace.audit.head()
    dates = workspace.production.dates
    of_ledger = None
    if workspace.ledger.exists():
        with workspace.ledger.read() as connection:
            of_ledger = digest(connection, dates.start, dates.end).hash
    return Binding(head.seq, head.hash, of_ledger, sha256_framed(_files(workspace)))


def safe_binding(workspace: Workspace) -> Binding | None:
    """Return the same, or None if the folder is too damaged to say: the verification will say why."""
    try:
        return binding_of(workspace)
    except (ShowcostError, OSError, ValueError, duckdb.Error):
        return None


def record_by_hand(workspace: Workspace, outcome: Verification, binding: Binding) -> None:
    """Record a verification that a person made; a folder that takes no writes is none the worse for it."""
    with suppress(ShowcostError, OSError):
        record_lines(workspace, line_of(outcome, binding, workspace.audit.now()))


def line_of(outcome: Verification, binding: Binding, now: datetime) -> NightlyVerification:
    """Return the line of a verification of everything."""
    differing = tuple(step.name for step in outcome.steps if step.discrepancies)
    first = None if outcome.first is None else str(outcome.first)
    return _line(now, binding, outcome.entries, full_at=now, full=True, differing=differing, first=first)


def _line(
    now: datetime,
    binding: Binding,
    entries: int,
    *,
    full_at: datetime,
    full: bool = False,
    differing: tuple[str, ...] = (),
    first: str | None = None,
) -> NightlyVerification:
    return NightlyVerification(
        at=now,
        **asdict(binding),
        entries=entries,
        full=full,
        full_at=full_at,
        differing=differing,
        first_difference=first,
    )


def _files(workspace: Workspace) -> Iterator[str]:
    """Yield path, size and times of all files that the books depend on; they change with the bytes."""
    for folder, folders, names in os.walk(workspace.path):
        at_top = folder == str(workspace.path)
        folders[:] = sorted(name for name in folders if not (at_top and name in _NOT_VERIFIED))
        for name in sorted(names):
            path = os.path.join(folder, name)  # noqa: PTH118 - a Path per file takes longer than its times
            relative = os.path.relpath(path, workspace.path)
            if relative in _UNSTABLE:
                continue
            try:
                about = os.lstat(path)
            except FileNotFoundError:
                continue
            yield f"{relative}\0{about.st_size}\0{about.st_mtime_ns}\0{about.st_ctime_ns}"


def record_lines(workspace: Workspace, *lines: Line) -> None:
    """Append lines, durably. Raises StorageError or OSError if the disk does not take them."""
    with (log := _log(workspace)).writing():
        log.append(*(_encoded(line) for line in lines))


def last_verification(workspace: Workspace) -> NightlyVerification | None:
    """Return the last verification; None if there was none. Raises IntegrityError for a damaged file."""
    return next((line for line in _newest_first(workspace) if isinstance(line, NightlyVerification)), None)


def last_verified(workspace: Workspace) -> NightlyVerification | None:
    """Return the last verification without differences; None if there was none."""
    lines = _newest_first(workspace)
    return next((line for line in lines if isinstance(line, NightlyVerification) and line.verified), None)


def unsent_heads(workspace: Workspace) -> list[SentHead]:
    """Return, of each target whose last head could not be sent, that head."""
    last: dict[str, SentHead] = {}
    for line in _newest_first(workspace):
        if isinstance(line, SentHead):
            last.setdefault(line.target, line)
    return [sent for _, sent in sorted(last.items()) if sent.reason is not None]


def _newest_first(workspace: Workspace) -> list[Line]:
    return _log(workspace).read_on()[::-1]


def _log(workspace: Workspace) -> JsonLines[Line]:
    return JsonLines(
        workspace.path / FOLDER / "verifications.jsonl",
        _parse,
        entry="a verification",
        restore="remove the file: the next night verifies everything",
        lock=partial(
            exclusive_lock,
            workspace.locks / "verification.lock",
            "another process is recording a verification",
            wait_seconds=_WAIT,
        ),
    )


def _encoded(line: Line) -> bytes:
    facts = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(line).items()
    }
    return json.dumps(facts, ensure_ascii=False).encode()


def _parse(line: bytes, _before: Position) -> Line:
    facts = json.loads(line)
    facts["at"] = datetime.fromisoformat(facts["at"])
    if "target" in facts:
        return SentHead(**facts)
    facts["full_at"] = datetime.fromisoformat(facts["full_at"])
    return NightlyVerification(**facts | {"differing": tuple(facts["differing"])})
