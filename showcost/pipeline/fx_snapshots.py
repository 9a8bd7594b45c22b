"""Daily FX snapshots: the rate history from stored files, and pinning of dates without a snapshot.

The only place that queries the network for rates: for the snapshot asset, for days that no stored file has.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from showcost.fx.pinned_snapshots import PinResult, pinned_jumps, rate_status
from showcost.fx.snapshot_plan import build_snapshots, rate_text
from showcost.fx.sources import EcbHttpSource, SourceUnavailableError
from showcost.ledger.fx_pinning import pin_recorded
from showcost.ledger.recovery import writing
from showcost.pipeline.rate_files import fetched_folder, jump_rule, stored_history

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from showcost.fx.history import RateHistory
    from showcost.workspace import Workspace


@dataclass(frozen=True)
class SnapshotOutcome:
    """Result for the requested dates.

    `unavailable` is the message of a source that did not answer; dates that need it are pending.
    `last_publication` is the newest day of the rate history.
    """

    result: PinResult
    last_publication: date
    unavailable: str | None


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
    history = stored_history(workspace)
    plan = build_snapshots(history, dates, production.fx.carry_days)
    rule = jump_rule(workspace, history, dates)
    ledger = workspace.ledger
    ledger.create()
    with ledger.read() as connection:
        return rate_status(connection, plan, production.currencies, production.base_currency, rule)


def jumped_rates(workspace: Workspace, dates: Sequence[date]) -> dict[date, list[str]]:
    """Return the pinned rates that jumped and are not accepted, per date, as `currency rate publication`.

    They block the posting of rows in these currencies; of the base currency, of rows in all others.
    """
    rule = jump_rule(workspace, stored_history(workspace), dates)
    with workspace.ledger.read() as connection:
        rows = pinned_jumps(connection, dates, rule).to_pylist()
    blocked: dict[date, list[str]] = {}
    for row in rows:
        text = f"{row['currency']} {rate_text(row['rate'])} {row['publication_date']}"
        blocked.setdefault(row["date"], []).append(text)
    return blocked
