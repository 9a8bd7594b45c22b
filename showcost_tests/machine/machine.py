"""Random steps, drawn by Hypothesis and applied to showcost and to the model.

Steps: deliver, deliver again, run over days in any order, replay rows, correct (also twice), reverse or
discard, rebook a row with the same key, undo, close and reopen a day, and die at some write. After each run
showcost and model must have the same entries.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import duckdb
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from showcost.checks.verify import verify
from showcost.core.durable import System, using
from showcost.core.engine import config
from showcost.core.errors import InputError
from showcost.core.ids import RowRef
from showcost.ingest.landing import land
from showcost.ledger.decisions import Decision, DecisionKind, record_decisions
from showcost.ledger.periods import Period, record_period
from showcost.ledger.recovery import writing
from showcost.ledger.store import Ledger
from showcost.pipeline.replay import replay
from showcost.reconciliation import decisions as deciding
from showcost.reconciliation.lookup import find_rows
from showcost.reports.status import feed_status
from showcost.workspace import Workspace, open_workspace
from showcost_tests.machine.model import Books, Content, Row
from showcost_tests.whole import small
from showcost_tests.whole.steps import take

if TYPE_CHECKING:
    from collections.abc import Callable

FEED = "vendor_invoices_de"
DAYS = [small.WEDNESDAY, small.THURSDAY, small.FRIDAY]
WHO = {"who": "A. Clerk", "why": "as the model says"}

contents = st.builds(
    Content,
    number=st.sampled_from(["R1", "R2", "R3"]),
    day=st.sampled_from(DAYS),
    net=st.sampled_from([Decimal("100.10"), Decimal("0.05"), Decimal("-7.00")]),
    known_account=st.sampled_from([True, True, True, False]),
)
picks = st.integers(0, 1_000)


class Died(BaseException):
    """Simulated death of the process."""


class Dying(System):
    """Simulates the death of the process at a numbered call that changes the disk."""

    def __init__(self, point: int) -> None:
        self._left = point

    def _step(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise Died

    def write(self, stream: Any, data: bytes, path: Path) -> None:  # noqa: ANN401 - as in System
        self._step()
        super().write(stream, data, path)

    def fsync(self, descriptor: int, path: Path) -> None:
        self._step()
        super().fsync(descriptor, path)

    def rename(self, source: Path, target: Path) -> None:
        self._step()
        super().rename(source, target)

    def commit(self, commit: Callable[[], object], path: Path) -> None:
        self._step()
        super().commit(commit, path)
        self._step()


class _KeptOpen:
    """Keeps the ledger file open between uses, because opening it takes longer than using it.

    Uncommitted changes are still rolled back when a cursor is closed.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._connection = duckdb.connect(ledger.path, config=config())
        self._patch = patch.object(Ledger, "_open", self._open)
        self._patch.start()

    def close(self) -> None:
        self._patch.stop()
        self._connection.close()

    def _open(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        del read_only
        return self._connection.cursor()


@cache
def template() -> Path:
    """Return the folder of a production with pinned rates and an empty inbox, for each run to copy."""
    folder = Path(tempfile.mkdtemp(prefix="machine-")) / "home"
    workspace = small.make_home(folder)
    take(workspace, DAYS, feeds=[FEED])
    return folder


class Machine(RuleBasedStateMachine):
    """Showcost and the model side by side."""

    @initialize()
    def begin(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="machine-"))
        shutil.copytree(template(), self._folder / "home")
        self.workspace: Workspace = open_workspace(self._folder / "home")
        self.feed = next(feed for feed in self.workspace.feeds if feed.name == FEED)
        self.ledger = self.workspace.ledger
        self._open_file = _KeptOpen(self.ledger)
        self.model = Books()
        self.files: list[str] = []
        self.arrivals = 0

    # --- arrivals

    @rule(rows=st.lists(contents, min_size=1, max_size=3))
    def deliver(self, rows: list[Content]) -> None:
        text = small.german(
            small.Invoice(
                content.number,
                f"{content.day:%d.%m.%Y}",
                _german(content.net),
                "0,00",
                _german(content.net),
                account="3630" if content.known_account else "3399",
            )
            for content in rows
        )
        if text in self.files:
            return
        self.files.append(text)
        self._arrive(text)
        self.model.deliver(len(self.files), rows)

    @precondition(lambda self: self.files)
    @rule(pick=picks)
    def deliver_again(self, pick: int) -> None:
        self._arrive(self.files[pick % len(self.files)])

    def _arrive(self, text: str) -> None:
        number = (
            sum(1 for _ in (self.workspace.inbox / FEED).glob("*"))
            if (self.workspace.inbox / FEED).exists()
            else 0
        )
        small.deliver(self.workspace, FEED, f"{number:04}.csv", text)
        land(self.workspace, self.feed)

    # --- decisions

    @precondition(lambda self: self.model.rows)
    @rule(pick=picks, content=contents, field=st.sampled_from(["net", "day", "number", "account"]))
    def correct(self, pick: int, content: Content, field: str) -> None:
        row = self._row(pick)
        if self._is_closed(row):
            return
        now = row.content
        changed = Content(
            content.number if field == "number" else now.number,
            content.day if field == "day" else now.day,
            content.net if field == "net" else now.net,
            True if field == "account" else now.known_account,
        )
        fields = {
            "net": {"net_amount": str(changed.net), "gross_amount": str(changed.net)},
            "day": {"invoice_date": changed.day.isoformat()},
            "number": {"invoice_no": changed.number},
            "account": {"account": "3630"},
        }[field]
        self._decide(self._decision(row, DecisionKind.CORRECT, fields))
        self.model.correct(row, changed)

    @precondition(lambda self: self.model.rows)
    @rule(pick=picks, content=contents)
    def correct_twice(self, pick: int, content: Content) -> None:
        """Give the command of a correction twice: the second time it is done already."""
        row = self._row(pick)
        row_id = RowRef(FEED, self._delivery(row), row.record).row_id
        try:
            (seen,) = find_rows(self.workspace, [row_id])
        except InputError:
            return  # Its partition is not validated yet.
        if self._is_closed(row):
            return
        fields = {"net_amount": str(content.net), "gross_amount": str(content.net)}
        first = deciding.correct(self.workspace, [seen], fields, **WHO)
        again = deciding.correct(self.workspace, find_rows(self.workspace, [row_id]), fields, **WHO)
        assert (again.already_done, again.seq) == (True, first.seq)
        if not first.already_done:
            now = row.content
            self.model.correct(row, Content(now.number, now.day, content.net, now.known_account))

    @precondition(lambda self: self.model.rows)
    @rule(pick=picks)
    def withhold(self, pick: int) -> None:
        row = self._row(pick)
        if self._is_closed(row):
            return
        posted = any(posting.row == row.place for posting in self.model.active())
        if posted:
            self._decide(self._decision(row, DecisionKind.REVERSE))
            self.model.reverse(row)
        else:
            self._decide(self._decision(row, DecisionKind.DISCARD))
            self.model.discard(row)

    @precondition(lambda self: self.model.rows)
    @rule(pick=picks)
    def rebook(self, pick: int) -> None:
        row = self._row(pick)
        holders = [
            posting
            for posting in self.model.active()
            if posting.content.number == row.content.number
            and posting.row != row.place
            and not self.model.is_reversible(posting)
        ]
        if not holders or row.withheld or self._is_closed(self.model.at(holders[0].row)):
            return
        holder = self.model.at(holders[0].row)
        self._decide(self._decision(holder, DecisionKind.REVERSE), self._decision(row, DecisionKind.REBOOK))
        self.model.rebook(row, holder)

    @precondition(lambda self: any(row.decided_at for row in self.model.rows))
    @rule(pick=picks)
    def undo(self, pick: int) -> None:
        decided = [row for row in self.model.rows if row.decided_at]
        row = decided[pick % len(decided)]
        if self._is_closed(row):
            return
        self._decide(self._decision(row, DecisionKind.UNDO))
        self.model.undo(row)

    @rule(day=st.sampled_from(DAYS))
    def close_or_open(self, day: date) -> None:
        closing = day not in self.model.closed
        waiting = [posting for posting in self.model.active() if self.model.is_reversible(posting)]
        if closing and any(posting.content.day == day for posting in waiting):
            return
        with writing(self.ledger) as connection:
            period = Period(f"P {day}", day, day, closed=closing)
            record_period(self.ledger, connection, period, now=_now(), **WHO)
        if closing:
            self.model.closed.add(day)
        else:
            self.model.closed.remove(day)

    # --- runs

    @rule(days=st.permutations(DAYS), number=st.integers(1, 3), at_once=st.booleans())
    def run(self, days: list[date], number: int, at_once: bool) -> None:
        if at_once:
            self._run(DAYS)
            self.model.run(DAYS)
        else:
            for day in days[:number]:
                self._run([day])
                self.model.run([day])
        self._compare()

    @precondition(lambda self: self.model.rows)
    @rule(chosen=st.lists(picks, min_size=1, max_size=3))
    def replay(self, chosen: list[int]) -> None:
        rows = [self._row(pick) for pick in chosen]
        result = replay(self.workspace, [RowRef(FEED, self._delivery(row), row.record) for row in rows])
        days = {date.fromisoformat(day) for day in result.touched[FEED]}
        assert {row.content.day for row in rows} <= days
        self.model.run(days, {row.place for row in rows})
        self._compare()

    @rule(point=st.integers(1, 60))
    def die_in_a_run(self, point: int) -> None:
        try:
            with using(Dying(point)):
                self._run(DAYS)
        except Died:
            # The next process starts without anything that the dead process has read.
            self.workspace = open_workspace(self.workspace.path)
            self.ledger = self.workspace.ledger
            self._run(DAYS)
        self.model.run(DAYS)
        self._compare()

    def teardown(self) -> None:
        if not hasattr(self, "workspace"):
            return
        self._run(DAYS)
        self.model.run(DAYS)
        self._compare()
        posted = {posting.row for posting in self.model.active()}
        status = feed_status(self.workspace, self.feed).total
        assert status.balances
        assert (status.received, status.posted) == (len(self.model.rows), len(posted))
        self._open_file.close()
        difference = verify(self.workspace).first
        assert difference is None, str(difference)
        shutil.rmtree(self._folder)

    def _run(self, days: list[date]) -> None:
        take(self.workspace, days, feeds=[FEED])

    def _compare(self) -> None:
        with self.ledger.read() as connection:
            rows = connection.execute(_ENTRIES).fetchall()
        deliveries = {self._delivery_of(number): number for number in range(1, len(self.files) + 1)}
        entries = sorted(
            (number, revision, kind, day, amount, (deliveries[delivery], record))
            for number, revision, kind, day, amount, delivery, record in rows
        )
        expected = sorted(
            (
                posting.content.number,
                posting.revision,
                kind,
                posting.content.day,
                sign * posting.content.net,
                posting.row,
            )
            for posting in self.model.postings
            for kind, sign in (("posting", 1), ("reversal", -1))
            if kind == "posting" or posting.reversed
        )
        assert entries == expected

    def _row(self, pick: int) -> Row:
        return self.model.rows[pick % len(self.model.rows)]

    def _is_closed(self, row: Row) -> bool:
        """Say whether a row has an active posting in a closed period, which nobody may reverse."""
        return any(
            posting.row == row.place and posting.content.day in self.model.closed
            for posting in self.model.active()
        )

    def _delivery_of(self, number: int) -> str:
        arrivals = [arrival for arrival in self.workspace.register.arrivals(FEED) if not arrival.again]
        return arrivals[number - 1].delivery

    def _delivery(self, row: Row) -> str:
        return self._delivery_of(row.delivery)

    def _decision(self, row: Row, kind: DecisionKind, fields: dict[str, str] | None = None) -> Decision:
        return Decision(FEED, self._delivery(row), row.record, kind, fields or {})

    def _decide(self, *decisions: Decision) -> None:
        with writing(self.ledger) as connection:
            record_decisions(self.ledger, connection, decisions, now=_now(), **WHO)


def _now() -> datetime:
    return datetime.now(UTC)


def _german(amount: Decimal) -> str:
    return str(amount).replace(".", ",")


_ENTRIES = """
SELECT document_no, generation, entry_kind, transaction_date, amount, delivery, record
FROM ledger_entries WHERE component = 'net'
"""
