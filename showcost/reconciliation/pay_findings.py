"""Pay findings as the person who works the queue sees them: which wait for a look, and about which rows.

A finding never changes a row (docs/decisions/0015). A person who looked corrects the row, or dismisses the
finding with a reason; one that says something else afterwards is another finding, and waits again.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from showcost.core.errors import InputError
from showcost.core.ids import RowRef
from showcost.reconciliation.decisions import stated
from showcost.reconciliation.lookup import check_ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from showcost.config.feed import FeedSpec
    from showcost.pay.findings_log import FindingLine, PayFinding
    from showcost.workspace import Workspace


def place_of(finding: PayFinding) -> RowRef:
    """Return the place of the row that a finding is about."""
    return RowRef(finding.feed, finding.delivery, finding.record)


def open_findings(
    workspace: Workspace, feeds: Sequence[FeedSpec], at: datetime | None = None
) -> list[PayFinding]:
    """Return the findings about rows of some feeds that wait for a look.

    As known at a moment, which counts by the second, or now; by feed, date of work, row and code.
    """
    names = _payroll(feeds)
    found = [one for one in workspace.pay_findings.current(at=at) if one.feed in names] if names else []
    return sorted(found, key=_order)


def dismissed_findings(
    workspace: Workspace, feeds: Sequence[FeedSpec], at: datetime | None = None
) -> list[FindingLine]:
    """Return how the findings were dismissed that still hold about rows of some feeds, ordered likewise."""
    names = _payroll(feeds)
    found = workspace.pay_findings.dismissed(at=at) if names else []
    return sorted(
        (line for line in found if line.finding.feed in names), key=lambda line: _order(line.finding)
    )


def _payroll(feeds: Sequence[FeedSpec]) -> set[str]:
    return {feed.name for feed in feeds if feed.kind.has_pay_rules}


def _order(one: PayFinding) -> tuple[str, ...]:
    return one.feed, one.transaction_date, one.row_key, one.code, one.finding_id


def named_findings(found: Sequence[PayFinding], ids: Sequence[str]) -> list[PayFinding]:
    """Return those of some findings whose id, or that of the row they are about, begins with one of `ids`.

    InputError for an id that is none, that of no such finding, or that of several rows or findings.
    """
    check_ids(ids)
    chosen: dict[str, PayFinding] = {}
    for text in ids:
        of_rows = [one for one in found if place_of(one).row_id.startswith(text)]
        own = [one for one in found if one.finding_id.startswith(text)]
        if len({place_of(one) for one in of_rows}) + len(own) != 1:
            several = "several pay findings have" if of_rows or own else "no such pay finding has"
            raise InputError(f"{several} an id that begins with {text}")
        chosen |= {one.finding_id: one for one in (*of_rows, *own)}
    return list(chosen.values())


def dismiss(
    workspace: Workspace, found: Sequence[PayFinding], *, who: str, why: str, reopen: bool = False
) -> None:
    """Record that a person looked at findings and leaves them, or with `reopen` that they wait again.

    InputError where nobody or no reason is named, and where another process turned one of them meanwhile:
    the others are recorded.
    """
    store = workspace.pay_findings
    turn = store.reopen if reopen else store.dismiss
    who, why = stated(who, why)
    turned = turn([one.finding_id for one in found], who=who, why=why, now=datetime.now(UTC))
    if len(turned) != len(found):
        raise InputError(f"{len(found) - len(turned)} of the findings changed meanwhile; list them again")


def is_chosen(one: PayFinding, code: str | None, first: date | None, last: date | None) -> bool:
    """Tell whether a finding has a code and is about a day of work in a span; None does not narrow."""
    day = date.fromisoformat(one.transaction_date)
    return (code is None or one.code == code) and (first or date.min) <= day <= (last or date.max)


def findings_about(workspace: Workspace, place: RowRef, at: datetime | None = None) -> list[PayFinding]:
    """Return the findings about one row that wait for a look, as known at a moment, or now."""
    return [one for one in workspace.pay_findings.current(place.feed, at=at) if place_of(one) == place]


def counts_of_findings(found: Iterable[PayFinding]) -> Mapping[str, Mapping[str, int]]:
    """Return the findings counted by feed and code."""
    counted: dict[str, Counter[str]] = {}
    for one in found:
        counted.setdefault(one.feed, Counter())[one.code] += 1
    return {feed: dict(sorted(codes.items())) for feed, codes in sorted(counted.items())}
