"""Daily FX snapshots: the rate history from stored files, and pinning of dates without a snapshot.

The only place that queries the network for rates: for the snapshot asset, for days that no stored file has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import reduce
from typing import TYPE_CHECKING, Final

from showcost.config.production import PRODUCTION_FILE
from showcost.core.durable import make_folder, write_durably
from showcost.core.errors import InputError
from showcost.core.hashing import sha256_bytes
from showcost.fx.history import merge_histories
from showcost.fx.parsing import parse_history
from showcost.fx.pinned_snapshots import PinResult, rate_status
from showcost.fx.snapshot_plan import build_snapshots
from showcost.fx.sources import (
    IMPORTED,
    EcbHttpSource,
    SourceUnavailableError,
    embedded_history,
    load_history,
)
from showcost.ledger.fx_pinning import pin_recorded
from showcost.ledger.recovery import writing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pyarrow as pa

    from showcost.fx.history import RateHistory
    from showcost.workspace import Workspace


_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class SnapshotOutcome:
    """Result for the requested dates.

    `unavailable` is the message of a source that did not answer; dates that need it are pending.
    `last_publication` is the newest day of the rate history.
    """

    result: PinResult
    last_publication: date
    unavailable: str | None


def stored_history(workspace: Workspace) -> RateHistory:
    """Return the rate history available offline: from the embedded, imported and fetched files.

    Raises InputError when no source of the production has any rates, IntegrityError when two files
    have different rates for a day.
    """
    sources = workspace.production.fx.sources
    histories = [embedded_history()] if "embedded" in sources else []
    if "file" in sources:
        histories += [load_history(path) for path in _kept_files(imported_folder(workspace))]
    if "ecb" in sources:
        source = EcbHttpSource(fetched_folder(workspace))
        histories += [source.kept(path.name) for path in _kept_files(fetched_folder(workspace))]
    if not histories:
        raise InputError(
            f"{workspace.path}: none of the rate sources ({', '.join(sources)}) has a file; "
            "import one with `showcost fx import FILE`"
        )
    return reduce(merge_histories, histories)


def _kept_files(folder: Path) -> list[Path]:
    """Return the rate files of a folder, named by their sha256; temporary files of a crash are skipped."""
    return sorted(path for path in folder.glob("*") if _SHA256.fullmatch(path.name))


def imported_folder(workspace: Workspace) -> Path:
    """Return the folder of imported rate files, each named by its sha256."""
    return workspace.rates / "imported"


def fetched_folder(workspace: Workspace) -> Path:
    """Return the folder of fetched rate files, each named by its sha256."""
    return workspace.rates / "fetched"


@dataclass(frozen=True)
class ImportedRates:
    """An imported rate file: its sha256, and the first and last day with rates."""

    sha256: str
    first: date
    last: date


def import_rates(workspace: Workspace, file: Path) -> ImportedRates:
    """Store a rate file, named by its sha256, as a source of rates.

    Raises InputError when it is not a rate file or the production does not read imported files, and
    IntegrityError when it differs from the embedded rates of a day.
    """
    if "file" not in workspace.production.fx.sources:
        raise InputError(f"{workspace.path / PRODUCTION_FILE}: fx.sources must list `file` to import rates")
    data = file.read_bytes()
    history = parse_history(data, IMPORTED, file.name)
    if "embedded" in workspace.production.fx.sources:
        merge_histories(embedded_history(), history)
    folder = imported_folder(workspace)
    make_folder(folder)
    sha256 = sha256_bytes(data)
    write_durably(folder / sha256, data)
    return ImportedRates(sha256, history.first, history.last)


def pin_snapshots(
    workspace: Workspace, dates: Sequence[date], clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> SnapshotOutcome:
    """Pin snapshots for the dates without one; pinned snapshots stay unchanged."""
    history, unavailable = _extended(workspace, stored_history(workspace), min(max(dates), clock().date()))
    plan = build_snapshots(history, dates, workspace.production.fx.carry_days)
    ledger = workspace.ledger
    with writing(ledger) as connection:
        result = pin_recorded(ledger, connection, plan, clock())
    return SnapshotOutcome(result, history.last, unavailable)


def pin_from_stored(workspace: Workspace, dates: Sequence[date]) -> PinResult:
    """Pin snapshots for the dates without one, from stored rate files only."""
    plan = build_snapshots(stored_history(workspace), dates, workspace.production.fx.carry_days)
    ledger = workspace.ledger
    with writing(ledger) as connection:
        return pin_recorded(ledger, connection, plan, ledger.audit.now())


def _extended(workspace: Workspace, history: RateHistory, until: date) -> tuple[RateHistory, str | None]:
    """Return the history, with the ECB's newer days if the production allows it and `until` needs them.

    The second value is the message of a source that did not answer, else None.
    """
    if "ecb" not in workspace.production.fx.sources or until <= history.last:
        return history, None
    try:
        return EcbHttpSource(fetched_folder(workspace)).extend(history, until), None
    except SourceUnavailableError as error:
        return history, str(error)


def rate_states(workspace: Workspace, dates: Sequence[date]) -> pa.Table:
    """Return the status of converting each currency into the base, per date.

    The columns are those of `fx.pinned_snapshots.rate_status`. Rates are those of pinned snapshots. For a
    date without one, the stored history tells whether its rate is still to be published.
    """
    production = workspace.production
    plan = build_snapshots(stored_history(workspace), dates, production.fx.carry_days)
    ledger = workspace.ledger
    ledger.create()
    with ledger.read() as connection:
        return rate_status(connection, plan, production.currencies, production.base_currency)
