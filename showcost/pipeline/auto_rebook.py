"""Rebooking of corrected documents by the policy of their feed.

Called after posting. For a feed with `corrected_documents: reverse_and_rebook`, take the keys that a later
row contests, and the rows of each key in order of arrival, across partitions: so the entries do not depend on
the order in which partitions are made. Later rows with any other reason code are skipped, and rows that do
not stand for exactly the row that they contradict: those of documents far apart, which may have one number
because the sender starts anew, and those that contradict another feed, or lines without numbers as a whole.
A key whose next row is pending waits until the rate is published. Rows that a person reversed stay reversed.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.ids import RowRef
from showcost.ledger.decisions import Decision, DecisionKind, record_decisions
from showcost.ledger.queries import posted_keys
from showcost.ledger.recovery import writing
from showcost.pipeline.applied_decisions import decisions_of
from showcost.pipeline.fx_snapshots import pin_from_stored
from showcost.pipeline.periods import closed_on, closed_periods
from showcost.pipeline.raw_rows import chosen_records, rows_of_same_keys
from showcost.pipeline.replay import replay
from showcost.pipeline.validation import validate_rows
from showcost.staging.assets import quarantine_asset
from showcost.validation.duplicates import CONFLICT
from showcost.validation.reason_texts import is_by_key
from showcost.validation.same_costs import FAR_DAYS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from showcost.config.feed import FeedSpec
    from showcost.config.production import ClosedPeriod
    from showcost.workspace import Workspace

POLICY: Final = "reverse_and_rebook"
WHO: Final = "showcost"
"""The name on record for a decision by policy."""


def rebook_by_policy(workspace: Workspace, feed: FeedSpec) -> Counter[date]:
    """Reverse and rebook documents that later ones correct; return the number of entries appended per date.

    Does nothing for a feed without the policy.
    """
    appended: Counter[date] = Counter()
    if feed.corrected_documents != POLICY:
        return appended
    contest = _ContestedKeys(workspace, feed)
    while candidates := contest.next_rows():
        eligible = contest.eligible_rows(candidates)
        if eligible:
            appended.update(contest.rebook(eligible))
    return appended


class _ContestedKeys:
    """The contested keys of a feed, their rows in order of arrival, and the rows already tried."""

    def __init__(self, workspace: Workspace, feed: FeedSpec) -> None:
        self._workspace, self._feed = workspace, feed
        self._rows: dict[str, list[Mapping[str, Any]]] = {}
        keys = _contested_keys(workspace, feed)
        if len(keys):
            corrected = decisions_of(workspace, feed).corrected
            names = ["row_key", "delivery", "arrival", "record", "transaction_date"]
            for row in rows_of_same_keys(workspace, feed, keys, corrected).select(names).to_pylist():
                self._rows.setdefault(row["row_key"], []).append(row)
        self._holders: dict[str, Mapping[str, Any]] = {}
        self._passed: set[RowRef] = set()

    def next_rows(self) -> dict[RowRef, str]:
        """Return the next row of each key that has a posted holder, with its key; empty at the end."""
        if not self._rows:
            return {}
        with self._workspace.ledger.read() as connection:
            posted = posted_keys(connection, self._feed.name, pa.array(self._rows, pa.string())).to_pylist()
        self._holders = {holder["row_key"]: holder for holder in posted}
        closed = closed_periods(self._workspace)
        candidates: dict[RowRef, str] = {}
        for key, holder in self._holders.items():
            for row in self._after(key, holder, closed):
                place = RowRef(self._feed.name, row["delivery"], row["record"])
                if place not in self._passed:
                    candidates[place] = key
                    break
        return candidates

    def _after(
        self, key: str, holder: Mapping[str, Any], closed: Sequence[ClosedPeriod]
    ) -> list[Mapping[str, Any]]:
        """Return the rows of a key that arrived after its holder; none if that is in a closed period."""
        rows = self._rows[key]
        places = [(row["delivery"], row["record"]) for row in rows]
        if (holder["delivery"], holder["record"]) not in places:
            return []
        place = places.index((holder["delivery"], holder["record"]))
        if closed_on(closed, rows[place]["transaction_date"]):
            return []
        return rows[place + 1 :]

    def eligible_rows(self, candidates: Mapping[RowRef, str]) -> dict[RowRef, str]:
        """Return the rows, with their keys, whose only reason code is the conflict.

        The other candidates are not tried again.
        """
        decisions = decisions_of(self._workspace, self._feed)
        places = [(place.delivery, place.record) for place in candidates]
        apart = self._far_apart(candidates)
        rows = chosen_records(self._workspace, self._feed, places, decisions.corrected)
        days = sorted(pc.unique(rows.column("transaction_date")).to_pylist())
        if not self._feed.kind.is_plan:
            pin_from_stored(self._workspace, days)
        quarantine = validate_rows(self._workspace, self._feed, rows, days, decisions=decisions).quarantine
        codes = {
            RowRef(self._feed.name, row["delivery"], row["record"]): row["codes"] if self._by_key(row) else ()
            for row in quarantine.select(["delivery", "record", "codes", "reasons"]).to_pylist()
        }
        eligible = [place for place in candidates if codes.get(place) == [CONFLICT] and place not in apart]
        self._passed |= set(candidates)
        for place in candidates:
            if _PENDING in codes.get(place, ()):
                del self._rows[candidates[place]]
        return {place: candidates[place] for place in eligible if candidates[place] in self._rows}

    def _by_key(self, row: Mapping[str, Any]) -> bool:
        """Return whether a quarantined row contradicts the row of its key, and no other."""
        return all(
            is_by_key(reason["source"], self._feed.name)
            for reason in json.loads(row["reasons"])
            if reason["code"] == CONFLICT
        )

    def _far_apart(self, candidates: Mapping[RowRef, str]) -> set[RowRef]:
        """Return the candidates whose date is not near that of the row that holds their key."""
        apart = set()
        for place, key in candidates.items():
            dates = {(row["delivery"], row["record"]): row["transaction_date"] for row in self._rows[key]}
            holder = self._holders[key]
            first, later = dates[holder["delivery"], holder["record"]], dates[place.delivery, place.record]
            other_year = self._feed.kind.numbered_yearly and first.year != later.year
            if other_year or abs(later - first).days > FAR_DAYS:
                apart.add(place)
        return apart

    def rebook(self, rows: Mapping[RowRef, str]) -> dict[date, int]:
        """Reverse the holders, rebook these rows, replay both; return the number of entries per date."""
        decisions: list[Decision] = []
        replayed: list[RowRef] = []
        for place, key in rows.items():
            holder = self._holders[key]
            former = RowRef(self._feed.name, holder["delivery"], holder["record"])
            decisions += [
                Decision(*former, DecisionKind.REVERSE),
                Decision(*place, DecisionKind.REBOOK),
            ]
            replayed += [former, place]
        ledger = self._workspace.ledger
        with writing(ledger) as connection:
            record_decisions(
                ledger,
                connection,
                decisions,
                who=WHO,
                why=f"feed {self._feed.name}: corrected_documents is {POLICY}",
                now=ledger.audit.now(),
            )
        return replay(self._workspace, replayed).appended_on


_PENDING: Final = "SC-FX-001"


def _contested_keys(workspace: Workspace, feed: FeedSpec) -> pa.Array:
    """Return the keys of staged rows with a conflict."""
    store = workspace.staging
    keys: set[str] = set()
    for part in store.partitions(quarantine_asset(feed.name)):
        staged = store.metadata(quarantine_asset(feed.name), part)
        if staged is not None and staged.rows:
            rows = store.read(quarantine_asset(feed.name), part).select(["row_key", "codes"]).to_pylist()
            keys |= {row["row_key"] for row in rows if CONFLICT in row["codes"]}
    return pa.array(sorted(keys), pa.string())
