"""Rate files of a production: the history of all files, and the import of another, checked and recorded.

A file is imported unless it contradicts a known rate or a rate in it jumps beyond the limit. A person can
let it replace what is known of its days, and can accept its jumps; who and why is in the audit log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.audit import transitions as states
from showcost.audit.transitions import AuditKind, State, SubjectType
from showcost.config.production import PRODUCTION_FILE
from showcost.core.durable import make_folder, write_durably
from showcost.core.errors import InputError, IntegrityError
from showcost.core.hashing import sha256_bytes, sha256_file
from showcost.fx.history import EURO, disagreements, merge_histories, without_days
from showcost.fx.jumps import JumpRule, accepted_table, jumps, rates_before
from showcost.fx.parsing import parse_history
from showcost.fx.pinned_snapshots import active_snapshots
from showcost.fx.snapshot_plan import rate_text
from showcost.fx.sources import IMPORTED, EcbHttpSource, embedded_history, load_history

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from showcost.audit.log import AuditLog
    from showcost.fx.history import RateHistory
    from showcost.fx.jumps import Jump
    from showcost.workspace import Workspace

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_SHOWN: Final = 3
_WEEKS: Final = 45
"""Days before a date in which the rate before its own is looked for; TARGET never closes that long."""


def stored_history(workspace: Workspace) -> RateHistory:
    """Return the rate history available offline: from the embedded, imported and fetched files.

    An imported file that replaces others stands for all its days, a later one before an earlier one. Raises
    InputError when no source of the production has any rates, IntegrityError when two other files have
    different rates for a day.
    """
    histories = _histories(workspace, workspace.production.fx.sources)
    if not histories:
        raise InputError(
            f"{workspace.path}: none of the rate sources ({', '.join(workspace.production.fx.sources)}) has a"
            " file; import one with `showcost fx import FILE`"
        )
    return reduce(merge_histories, histories)


def _histories(workspace: Workspace, sources: Iterable[str]) -> list[RateHistory]:
    """Return histories without a day that a later import replaces; they can be merged."""
    replacing: list[RateHistory] = []
    others = [embedded_history()] if "embedded" in sources else []
    if "ecb" in sources:
        source = EcbHttpSource(fetched_folder(workspace))
        others += [source.kept(path.name) for path in _kept_files(fetched_folder(workspace))]
    replaced = pa.array([], pa.date32())
    if "file" in sources:
        recorded = _imports(workspace.audit)
        files = {path.name: path for path in _kept_files(imported_folder(workspace))}
        others += [load_history(path) for name, path in files.items() if not recorded.get(name, False)]
        for name in reversed([name for name, replaces in recorded.items() if replaces and name in files]):
            history = without_days(load_history(files[name]), replaced)
            if history is not None:
                replacing.append(history)
                days = history.publications.column("date").combine_chunks()
                replaced = pa.concat_arrays([replaced, days])
    return [*(_without(others, replaced) if len(replaced) else others), *replacing]


def _imports(audit: AuditLog) -> Mapping[str, bool]:
    """Return the recorded imports, by the last one of each file: sha256, and if it replaces others."""
    imports: dict[str, bool] = {}
    for record in audit.kept(AuditKind.RATES_IMPORTED):
        name = str(record.facts["sha256"])
        imports.pop(name, None)
        imports[name] = bool(record.facts["replaces"])
    return imports


def _kept_files(folder: Path) -> list[Path]:
    """Return the rate files of a folder, named by their sha256; temporary files of a crash are skipped."""
    return sorted(path for path in folder.glob("*") if _SHA256.fullmatch(path.name))


def imported_folder(workspace: Workspace) -> Path:
    """Return the folder of imported rate files, each named by its sha256."""
    return workspace.rates / "imported"


def fetched_folder(workspace: Workspace) -> Path:
    """Return the folder of fetched rate files, each named by its sha256."""
    return workspace.rates / "fetched"


def accepted_rates(audit: AuditLog) -> list[tuple[date, str, Decimal]]:
    """Return the rates that a person accepted although they jumped: publication date, currency, rate."""
    names = (name.split("/") for name in audit.names(SubjectType.RATE, State.ACCEPTED))
    return sorted((date.fromisoformat(day), currency, Decimal(text)) for day, currency, text in names)


def jump_rule(workspace: Workspace, history: RateHistory, dates: Sequence[date]) -> JumpRule:
    """Return the rule by which the rates of some dates are found to have jumped."""
    production = workspace.production
    first = max(history.first, min(min(dates) - timedelta(days=_WEEKS), history.last))
    last = min(history.last, max(*dates, first))
    before = rates_before(history.between(first, last), production.currencies)
    return JumpRule(production.fx.jump_percent, before, accepted_table(accepted_rates(workspace.audit)))


@dataclass(frozen=True)
class ImportedRates:
    """An imported rate file: its sha256, the first and last day with rates, and the accepted jumps.

    `replaced` are the days whose known rates it replaces; `again` says that it was imported before.
    """

    sha256: str
    first: date
    last: date
    accepted: Sequence[Jump] = ()
    replaced: Sequence[date] = ()
    again: bool = False


@dataclass(frozen=True)
class ImportDecision:
    """A person's decision on an import: replace the known rates of its days, accept its jumps."""

    replace: bool = False
    accept_jump: bool = False
    who: str = ""
    why: str = ""


def import_rates(workspace: Workspace, file: Path, decision: ImportDecision | None = None) -> ImportedRates:
    """Store a rate file, named by its sha256, as a source of rates; importing it again changes nothing.

    Raises InputError when it is not a rate file, the production does not read imported files, it contradicts
    a known rate (of the embedded, imported and fetched files, or of a pinned snapshot) and may not replace
    it, or a rate of the production's currencies and dates jumps and is not accepted.
    """
    decision = decision or ImportDecision()
    if (decision.replace or decision.accept_jump) and not (decision.who.strip() and decision.why.strip()):
        raise InputError(
            "--replace and --accept-jump need --who and --why: they are recorded in the audit log"
        )
    if "file" not in workspace.production.fx.sources:
        raise InputError(f"{workspace.path / PRODUCTION_FILE}: fx.sources must list `file` to import rates")
    data = file.read_bytes()
    sha256 = sha256_bytes(data)
    history = parse_history(data, IMPORTED, file.name)
    target = imported_folder(workspace).joinpath(sha256)
    is_whole = target.is_file() and sha256_file(target) == sha256
    if is_whole and _is_in_force(workspace.audit, sha256, replace=decision.replace):
        return ImportedRates(sha256, history.first, history.last, again=True)
    replaced = _replaced_days(workspace, file.name, history, decision)
    accepted = _accepted_jumps(workspace, file.name, history, decision)
    accept_rates(workspace, [(jump.date, jump.currency, jump.rate) for jump in accepted], decision)
    workspace.audit.append_unless(
        lambda: _is_in_force(workspace.audit, sha256, replace=decision.replace),
        AuditKind.RATES_IMPORTED,
        {
            "sha256": sha256,
            "first": str(history.first),
            "last": str(history.last),
            "replaces": decision.replace,
            "replaced": [str(day) for day in replaced],
            "who": decision.who,
            "why": decision.why,
        },
        subjects=[states.rate_file(sha256)],
    )
    make_folder(target.parent)
    write_durably(target, data)
    return ImportedRates(sha256, history.first, history.last, accepted, replaced)


def _is_in_force(audit: AuditLog, sha256: str, *, replace: bool) -> bool:
    """Tell whether the import of a file is recorded, and, to replace others, if it is the last one."""
    imports = _imports(audit)
    return sha256 in imports and (not replace or (imports[sha256] and list(imports)[-1] == sha256))


def accept_rates(
    workspace: Workspace, rates: Iterable[tuple[date, str, Decimal]], decision: ImportDecision
) -> list[tuple[date, str, Decimal]]:
    """Record that a person accepts rates that jumped, and return those that were not accepted before."""
    known = set(accepted_rates(workspace.audit))
    new = [rate for rate in dict.fromkeys(rates) if rate not in known]
    if not new:
        return []
    recorded = workspace.audit.append_unless(
        lambda: set(accepted_rates(workspace.audit)) >= set(new),
        AuditKind.RATE_ACCEPTED,
        {"who": decision.who, "why": decision.why, "rates": len(new)},
        subjects=[states.rate(day, currency, rate_text(rate)) for day, currency, rate in new],
    )
    return [] if recorded is None else new


def imported_file_problems(workspace: Workspace) -> tuple[int, list[tuple[str, str]]]:
    """Return the number of imported files, and place and problem of those that are missing or altered."""
    problems = []
    names = _imports(workspace.audit)
    for name in names:
        path = imported_folder(workspace).joinpath(name)
        place = f"rates/imported/{name}"
        if not path.is_file():
            problems.append((place, "it was imported, but its file is missing; import it again"))
        elif sha256_file(path) != name:
            problems.append((place, "its bytes have changed since it was imported; import it again"))
    return len(names), problems


def _known(workspace: Workspace) -> RateHistory:
    """Return all known rates; the embedded ones are known even to a production that does not use them."""
    return reduce(merge_histories, _histories(workspace, {*workspace.production.fx.sources, "embedded"}))


def _without(histories: Iterable[RateHistory], days: pa.Array) -> list[RateHistory]:
    return [kept for history in histories if (kept := without_days(history, days)) is not None]


def _replaced_days(
    workspace: Workspace, name: str, history: RateHistory, decision: ImportDecision
) -> list[date]:
    """Return the days on which the file contradicts known rates; InputError unless it may replace them."""
    if decision.replace:
        _refuse_incomplete(workspace, name, history)
    try:
        known = _known(workspace)
    except IntegrityError:
        # Files that contradict each other are what the import is to mend.
        if not decision.replace:
            raise
        return list(history.dates)
    found = disagreements(known, history)
    pinned = _pinned_otherwise(workspace, history)
    if (found or pinned) and not decision.replace:
        shown = [
            f"{item.currency} of {item.date} is {item.base or 'absent'}, in the file {item.other or 'absent'}"
            for item in found[:_SHOWN]
        ] or [f"{currency} of {day} is pinned as {before}" for day, currency, before in pinned[:_SHOWN]]
        raise InputError(
            f"{name}: it contradicts known rates ({len(found) or len(pinned)}): {'; '.join(shown)}; if the"
            " file is right, import it with --replace --who --why; nothing was imported"
        )
    return sorted({item.date for item in found} | {day for day, _, _ in pinned})


def _refuse_incomplete(workspace: Workspace, name: str, history: RateHistory) -> None:
    """Raise InputError if a file that replaces whole days lacks a known currency of the production."""
    needed = set(workspace.production.currencies) - {EURO} - history.currencies
    days = history.publications.column("date").combine_chunks()
    quoted = {
        currency
        for known in _histories(workspace, {*workspace.production.fx.sources, "embedded"})
        for currency in known.on(days).column("currency").unique().to_pylist()
    }
    lacking = sorted(needed & quoted)
    if lacking:
        raise InputError(
            f"{name}: it has no {', '.join(lacking)}; a file that replaces the rates of a day must have all"
            " currencies of the production; nothing was imported"
        )


_PINNED_OTHERWISE: Final = """
SELECT DISTINCT publication_date, fx_rates.currency, rtrim(rtrim(CAST(fx_rates.rate AS VARCHAR), '0'), '.')
FROM {snapshots} JOIN fx_rates USING (snapshot_id) JOIN imported
    ON imported.date = publication_date AND imported.currency = fx_rates.currency
WHERE CAST(imported.rate AS DECIMAL(20, 10)) <> fx_rates.rate ORDER BY ALL
"""


def _pinned_otherwise(workspace: Workspace, history: RateHistory) -> list[tuple[date, str, str]]:
    """Return the pinned rates that the file contradicts: publication date, currency and pinned rate."""
    query = _PINNED_OTHERWISE.format(snapshots=active_snapshots())
    with workspace.ledger.read() as connection:
        connection.register("imported", history.rates)
        return connection.execute(query).fetchall()


def _accepted_jumps(
    workspace: Workspace, name: str, history: RateHistory, decision: ImportDecision
) -> list[Jump]:
    """Return the jumps that the import brings; InputError unless they may be accepted."""
    production = workspace.production
    days = history.publications.column("date").combine_chunks()
    sources = {*production.fx.sources, "embedded"}
    together = reduce(merge_histories, [*_without(_histories(workspace, sources), days), history])
    first = max(history.first, production.dates.start - timedelta(days=production.fx.carry_days))
    found = jumps(together, first, date.max, production.fx.jump_percent, production.currencies)
    accepted = set(accepted_rates(workspace.audit))
    try:
        known = set(
            jumps(_known(workspace), first, date.max, production.fx.jump_percent, production.currencies)
        )
    except IntegrityError:
        known = set()
    new = [
        jump for jump in found if jump not in known and (jump.date, jump.currency, jump.rate) not in accepted
    ]
    if new and not decision.accept_jump:
        raise InputError(
            f"{name}: {len(new)} rates move by more than {production.fx.jump_percent}% from one publication"
            f" to the next: {'; '.join(map(str, new[:_SHOWN]))}; if they are right, import the file with"
            " --accept-jump --who --why; nothing was imported"
        )
    return new
