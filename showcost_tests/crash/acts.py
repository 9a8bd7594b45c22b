"""The scenario of the crash tests with all acts: rates, queue, periods, keys, a shredding, a backup.

`scenario` is the way of the costs; it is also the small data folder of other tests. Repeating all of it
changes nothing, wherever it was interrupted.
"""

from __future__ import annotations

import base64
import os
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import yaml

from showcost.backup import back_up
from showcost.config.feeds import choose_feed
from showcost.deliveries.encryption import KEY_VARIABLE, OLD_KEY_VARIABLE
from showcost.fx.sources import embedded_history
from showcost.ingest.key_rotation import rotate_key
from showcost.ingest.landing import land
from showcost.ingest.shredding import remove_from_inbox, shred_payload, text_copies
from showcost.ledger.decisions import DecisionKind
from showcost.ledger.periods import Period, decided_periods
from showcost.pipeline.fx_repinning import repin
from showcost.pipeline.fx_snapshots import pin_snapshots
from showcost.pipeline.pay_findings import write_pay_findings
from showcost.pipeline.periods import close_period, reopen_period
from showcost.pipeline.posting import post_partitions
from showcost.pipeline.rate_files import ImportDecision, accept_rates, import_rates
from showcost.pipeline.raw_rows import write_raw_rows
from showcost.pipeline.replay import replay
from showcost.pipeline.validation import validate_partitions
from showcost.reconciliation import decisions as deciding
from showcost.reconciliation import pay_findings
from showcost.reconciliation.lookup import find_rows
from showcost.reconciliation.pay_findings import dismissed_findings, open_findings
from showcost.reconciliation.queue import QueueFilter, RowState, queue_rows
from showcost.vendor_api.pool import PoolSettings
from showcost.vendor_api.pull import PullRequest, pull
from showcost.workspace import Workspace
from showcost_tests.crash import scenario
from showcost_tests.crash.scenario import DAYS, FEED, PERSON, SAMPLE
from showcost_tests.vendor_api.vendors import feed_of, scripts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import Protocol

    from showcost.reconciliation.decisions import DecisionResult
    from showcost.reconciliation.lookup import FoundRow

    class _Act(Protocol):
        """A decision on rows."""

        def __call__(
            self, workspace: Workspace, rows: Sequence[FoundRow], *, who: str, why: str
        ) -> DecisionResult: ...


OTHER: Final = "vendor_invoices_de"
"""A feed in another currency than the base; its one delivery is shredded in the end."""
DAY: Final = DAYS[1]
ROWS: Final = 3
SECOND_DAY: Final = Period("second day", DAYS[2], DAYS[2], closed=True)
PERMITS: Final = "location_permits"
"""A feed of which a later delivery contradicts a row; the later row is rebooked."""
PERMIT_DAY: Final = date(2026, 9, 29)
PAYROLL: Final = "payroll_manifest"
"""A feed with one row, which has a pay finding."""
PAY_DAY: Final = date(2026, 10, 9)
FURTHER: Final = (
    (PERMITS, "permits_2026-10-04.csv", ",HFP-4105,fee,"),
    (PERMITS, "permits_2026-10-18.csv", ",HFP-4105,fee,"),
    (PAYROLL, "HRB_manifest_2026-10-11.csv", f"DAY,,1420,101,TOR,{PAY_DAY},"),
)
"""Files of further feeds, and the text that their delivered lines have."""
(VENDOR,) = scripts(1, lines_per_day=8, page_size=3, latency_ms=0, requests=500, concurrency=1)
"""The vendor whose API is pulled."""
AFTERWARDS: Final = datetime(2026, 11, 20, tzinfo=UTC)
"""A time after the days that are pulled: their windows no longer change."""
THIRD_DAY: Final = Period("third day", DAYS[3], DAYS[3], closed=True)
"""A period that is closed and reopened."""
DOUBTFUL: Final = "GPS-000382"
"""The document of a row that is discarded, then not, and then accepted."""
ACCEPTED: Final = (DAY, "USD", Decimal("1.5"))
"""A rate that a person accepts although it jumped."""
KEYS: Final = {
    KEY_VARIABLE: base64.b64encode(bytes(range(32))).decode(),
    OLD_KEY_VARIABLE: base64.b64encode(bytes(range(1, 33))).decode(),
}
"""The master keys of the environment; the rotation puts the payloads under the second."""


def make_home(folder: Path) -> Workspace:
    """Make the data folder of `scenario`, with the files of further feeds and a file of other rates."""
    workspace = scenario.make_home(folder)
    source = min((SAMPLE / "inbox" / OTHER).glob("*KW39*"))
    header, *lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
    chosen = [line for line in lines if f";{DAY:%d.%m.%Y};" in line][:ROWS]
    _deliver(folder, OTHER, source.name, [header, *chosen])
    for feed, name, text in FURTHER:
        header, *lines = (
            (SAMPLE / "inbox" / feed / name).read_text(encoding="utf-8").splitlines(keepends=True)
        )
        _deliver(folder, feed, name, [header, *(line for line in lines if text in line)])
    known = embedded_history().on(pa.array([DAY], pa.date32())).to_pylist()
    rates = {row["currency"]: row["rate"] for row in known}
    rates["USD"] = rates["USD"][:-1] + str((int(rates["USD"][-1]) + 1) % 10)
    codes = sorted(rates)
    text = f"Date,{','.join(codes)}\n{DAY},{','.join(rates[code] for code in codes)}\n"
    (folder / "rates.csv").write_text(text, encoding="utf-8")
    return workspace


def declare_vendor(workspace: Workspace, base_url: str) -> Workspace:
    """Declare the feed of the simulated vendor in the data folder, and return it opened again."""
    feed = feed_of(VENDOR, base_url)
    settings = feed.model_dump(mode="json", exclude_unset=True)
    path = workspace.path / "feeds" / VENDOR.name / "defs.yaml"
    path.parent.mkdir(parents=True)
    text = yaml.safe_dump({"type": "showcost.components.Feed", "attributes": settings})
    path.write_text(text, encoding="utf-8")
    return Workspace(workspace.path)


def _deliver(folder: Path, feed: str, name: str, lines: Sequence[str]) -> None:
    inbox = folder / "inbox" / feed
    inbox.mkdir(exist_ok=True)
    (inbox / name).write_text("".join(lines), encoding="utf-8")


def carry_out(
    workspace: Workspace, acts: Sequence[Callable[[Workspace], None]], tell: Callable[[str], None]
) -> None:
    """Carry out acts, one after the other; repeating all of them changes nothing."""
    for act in acts:
        act(workspace)
        tell(f"acknowledged {scenario.entry_count(workspace)}")


def backup_of(workspace: Workspace) -> Path:
    """Return the folder of the backup."""
    return workspace.path.with_name(f"{workspace.path.name} backup")


@contextmanager
def _rotated_keys() -> Iterator[None]:
    """Exchange the master keys of the environment within the block."""
    before = {name: os.environ[name] for name in KEYS}
    os.environ.update(zip(before, reversed(before.values()), strict=True))
    try:
        yield
    finally:
        os.environ.update(before)


def _replace_rate(workspace: Workspace) -> None:
    decision = ImportDecision(replace=True, who=PERSON["who"], why=PERSON["why"])
    import_rates(workspace, workspace.path / "rates.csv", decision)
    repin(workspace, [DAY], **PERSON)


def _correct(workspace: Workspace) -> None:
    """Correct a row by a decision that may have been recorded before, and replay it each time."""
    with workspace.ledger.read() as connection:
        (entry,) = connection.execute(
            "SELECT min(entry_id) FROM ledger_entries WHERE feed = $feed AND transaction_date = $day",
            {"feed": FEED, "day": DAYS[3]},
        ).fetchall()[0]
    fields = {"description": "as on the paper"}
    decided = deciding.correct(workspace, find_rows(workspace, [entry]), fields, **PERSON)
    replay(workspace, decided.places)


def _decide_on_doubtful(workspace: Workspace, act: _Act, *, unless: DecisionKind | None) -> None:
    """Decide on the doubtful row and replay it, unless a later decision on it was made already."""
    rows = queue_rows(workspace, workspace.feeds, QueueFilter(states=tuple(RowState)))
    (place, row_id) = next((row.place, row.row_id) for row in rows if row.document == DOUBTFUL)
    with workspace.ledger.read() as connection:
        kinds = connection.execute(
            "SELECT DISTINCT decision FROM row_decisions WHERE delivery = $delivery AND record = $record",
            {"delivery": place.delivery, "record": place.record},
        ).fetchall()
    if (unless,) not in kinds:
        replay(workspace, act(workspace, find_rows(workspace, [row_id]), **PERSON).places)


def _discard(workspace: Workspace) -> None:
    _decide_on_doubtful(workspace, deciding.discard, unless=DecisionKind.UNDO)


def _undo(workspace: Workspace) -> None:
    _decide_on_doubtful(workspace, deciding.undo, unless=DecisionKind.ACCEPT)


def _accept(workspace: Workspace) -> None:
    _decide_on_doubtful(workspace, deciding.accept, unless=None)


def _rebook(workspace: Workspace) -> None:
    """Rebook the row of a permit that a later delivery contradicts."""
    # Between decision and replay, the row that it replaces is decided on too: it was delivered before.
    *_, row = _rows_of(workspace, PERMITS, RowState.OPEN, RowState.DECIDED, RowState.RELEASED)
    replay(workspace, deciding.rebook(workspace, find_rows(workspace, [row]), **PERSON).places)


def _rows_of(workspace: Workspace, feed: str, *states: RowState) -> list[str]:
    feeds = [choose_feed(workspace.feeds, feed)]
    return [row.row_id for row in queue_rows(workspace, feeds, QueueFilter(states=states))]


def _dismiss(workspace: Workspace) -> None:
    """Dismiss the pay finding, or do so again."""
    feeds = [choose_feed(workspace.feeds, PAYROLL)]
    findings = open_findings(workspace, feeds) or [
        line.finding for line in dismissed_findings(workspace, feeds)
    ]
    if not findings:
        raise AssertionError("the pay finding is missing")
    pay_findings.dismiss(workspace, findings, who=PERSON["who"], why=PERSON["why"])


def _close_second_day(workspace: Workspace) -> None:
    close_period(workspace, workspace.feeds, SECOND_DAY, **PERSON)


def _close_third_day(workspace: Workspace) -> None:
    with workspace.ledger.read() as connection:
        decided = {period.name: period.closed for period in decided_periods(connection)}
    if decided.get(THIRD_DAY.name, True):
        close_period(workspace, workspace.feeds, THIRD_DAY, **PERSON)


def _reopen_third_day(workspace: Workspace) -> None:
    reopen_period(workspace, THIRD_DAY.name, **PERSON)


def _rotate_key(workspace: Workspace) -> None:
    with _rotated_keys():
        rotate_key(workspace, who=PERSON["who"], why=PERSON["why"])


def _shred(workspace: Workspace) -> None:
    (arrival,) = workspace.register.deliveries(OTHER)
    if workspace.payloads.is_encrypted(arrival.delivery):
        shred_payload(workspace, arrival.delivery, **PERSON)
        remove_from_inbox(text_copies(workspace, arrival.delivery))


def _back_up(workspace: Workspace) -> None:
    if not backup_of(workspace).exists():
        back_up(workspace, backup_of(workspace))


def _post(workspace: Workspace, name: str, days: Sequence[date]) -> None:
    feed = choose_feed(workspace.feeds, name)
    if feed.api is None:
        land(workspace, feed)
    pin_snapshots(workspace, days)
    write_raw_rows(workspace, feed, days)
    validate_partitions(workspace, feed, days)
    post_partitions(workspace, feed, days, "run")
    if feed.kind.has_pay_rules:
        write_pay_findings(workspace, feed, days)


def _post_other(workspace: Workspace) -> None:
    _post(workspace, OTHER, [DAY])


def _post_permits(workspace: Workspace) -> None:
    _post(workspace, PERMITS, [PERMIT_DAY])


def _post_payroll(workspace: Workspace) -> None:
    _post(workspace, PAYROLL, [PAY_DAY])


def _pull(workspace: Workspace) -> None:
    """Pull two days of the simulated vendor, and post them."""
    feed = choose_feed(workspace.feeds, VENDOR.name)
    request = PullRequest(DAYS[3], DAYS[4])
    pulled = pull(workspace, [feed], request, PoolSettings(), clock=lambda: AFTERWARDS)
    if pulled.dead:
        raise AssertionError(f"pages are missing: {pulled.dead}")
    _post(workspace, VENDOR.name, DAYS[3:])


def _accept_rate(workspace: Workspace) -> None:
    accept_rates(workspace, [ACCEPTED], ImportDecision(who=PERSON["who"], why=PERSON["why"]))


ACTS: Final[tuple[Callable[[Workspace], None], ...]] = (
    *(_post_other, _post_permits, _post_payroll, _pull),
    *(_replace_rate, _accept_rate, _correct, _discard, _undo, _accept, _rebook, _dismiss),
    *(_close_second_day, _close_third_day, _reopen_third_day, _rotate_key, _shred, _back_up),
)
"""The acts, in order; each can be repeated, and two processes can do it at once."""
