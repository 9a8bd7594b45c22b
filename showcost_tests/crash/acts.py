"""The scenario of the crash tests with all acts: rates, queue, periods, keys, a shredding, a backup.

`scenario` is the way of the costs; it is also the small data folder of other tests. Repeating all of it
changes nothing, wherever it was interrupted.
"""

from __future__ import annotations

import base64
import os
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.backup import back_up
from showcost.deliveries.encryption import KEY_VARIABLE, OLD_KEY_VARIABLE
from showcost.fx.sources import embedded_history
from showcost.ingest.key_rotation import rotate_key
from showcost.ingest.landing import land
from showcost.ingest.shredding import remove_from_inbox, shred_payload, text_copies
from showcost.ledger.decisions import DecisionKind
from showcost.ledger.periods import Period, decided_periods
from showcost.pipeline.fx_repinning import repin
from showcost.pipeline.periods import close_period, reopen_period
from showcost.pipeline.posting import post_partitions
from showcost.pipeline.rate_files import ImportDecision, accept_rates, import_rates
from showcost.pipeline.raw_rows import write_raw_rows
from showcost.pipeline.replay import replay
from showcost.pipeline.validation import validate_partitions
from showcost.reconciliation import decisions as deciding
from showcost.reconciliation.lookup import find_rows
from showcost.reconciliation.queue import QueueFilter, RowState, queue_rows
from showcost_tests.crash import scenario
from showcost_tests.crash.scenario import DAYS, FEED, PERSON, SAMPLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import Protocol

    from showcost.config.feed import FeedSpec
    from showcost.reconciliation.decisions import DecisionResult
    from showcost.reconciliation.lookup import FoundRow
    from showcost.workspace import Workspace

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
    """Make the data folder of `scenario`, with a second feed's file and a file of other rates."""
    workspace = scenario.make_home(folder)
    source = min((SAMPLE / "inbox" / OTHER).glob("*KW39*"))
    header, *lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
    chosen = [line for line in lines if f";{DAY:%d.%m.%Y};" in line][:ROWS]
    inbox = folder / "inbox" / OTHER
    inbox.mkdir()
    (inbox / source.name).write_text("".join([header, *chosen]), encoding="utf-8")
    known = embedded_history().on(pa.array([DAY], pa.date32())).to_pylist()
    rates = {row["currency"]: row["rate"] for row in known}
    rates["USD"] = rates["USD"][:-1] + str((int(rates["USD"][-1]) + 1) % 10)
    codes = sorted(rates)
    text = f"Date,{','.join(codes)}\n{DAY},{','.join(rates[code] for code in codes)}\n"
    (folder / "rates.csv").write_text(text, encoding="utf-8")
    return workspace


def carry_out(workspace: Workspace, tell: Callable[[str], None]) -> None:
    """Carry out the scenario, then the other acts."""
    scenario.carry_out(workspace, tell)
    carry_out_acts(workspace, tell)


def carry_out_acts(workspace: Workspace, tell: Callable[[str], None]) -> None:
    """Post the second feed's rows, then carry out the other acts, each of them twice."""
    other = next(feed for feed in workspace.feeds if feed.name == OTHER)
    land(workspace, other)
    write_raw_rows(workspace, other, [DAY])
    validate_partitions(workspace, other, [DAY])
    post_partitions(workspace, other, [DAY], "run")
    tell(f"acknowledged {scenario.entry_count(workspace)}")
    for _ in range(2):
        _replace_rate(workspace)
        tell(f"acknowledged {scenario.entry_count(workspace)}")
        accept_rates(workspace, [ACCEPTED], ImportDecision(who=PERSON["who"], why=PERSON["why"]))
        _correct(workspace)
        tell(f"acknowledged {scenario.entry_count(workspace)}")
        _change_mind(workspace)
        tell(f"acknowledged {scenario.entry_count(workspace)}")
        _close(workspace)
        with _rotated_keys():
            rotate_key(workspace, who=PERSON["who"], why=PERSON["why"])
        _shred(workspace, other)
    if not backup_of(workspace).exists():
        back_up(workspace, backup_of(workspace))


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


def _change_mind(workspace: Workspace) -> None:
    """Discard a row, undo that, then accept the row, each given twice."""
    rows = queue_rows(workspace, workspace.feeds, QueueFilter(states=tuple(RowState)))
    (place, row_id) = next((row.place, row.row_id) for row in rows if row.document == DOUBTFUL)
    with workspace.ledger.read() as connection:
        kinds = connection.execute(
            "SELECT DISTINCT decision FROM row_decisions WHERE delivery = $delivery AND record = $record",
            {"delivery": place.delivery, "record": place.record},
        ).fetchall()
    acts: list[_Act] = [deciding.accept]
    if (DecisionKind.UNDO,) not in kinds:
        acts = [deciding.discard, deciding.undo, deciding.accept]
    for act in acts:
        for _ in range(2):
            decided = act(workspace, find_rows(workspace, [row_id]), **PERSON)
        replay(workspace, decided.places)


def _close(workspace: Workspace) -> None:
    """Close a period, and close and reopen another one, each given twice."""
    for _ in range(2):
        close_period(workspace, workspace.feeds, SECOND_DAY, **PERSON)
    with workspace.ledger.read() as connection:
        is_reopened = any(
            period.name == THIRD_DAY.name and not period.closed for period in decided_periods(connection)
        )
    if not is_reopened:
        for _ in range(2):
            close_period(workspace, workspace.feeds, THIRD_DAY, **PERSON)
    for _ in range(2):
        reopen_period(workspace, THIRD_DAY.name, **PERSON)


def _shred(workspace: Workspace, feed: FeedSpec) -> None:
    (arrival,) = workspace.register.deliveries(feed.name)
    if workspace.payloads.is_encrypted(arrival.delivery):
        shred_payload(workspace, arrival.delivery, **PERSON)
        remove_from_inbox(text_copies(workspace, arrival.delivery))
