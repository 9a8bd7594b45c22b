"""Open and dismissed pay findings, for the person who works the queue.

A finding never changes a row (docs/decisions/0015). After review a person corrects the row, or dismisses the
finding with a reason; a finding whose content changes afterwards is a new finding, and open again.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from showcost.core.errors import InputError
from showcost.core.ids import RowRef
from showcost.reconciliation.decisions import who_and_why
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
    """Return the open findings about rows of some feeds, by feed, date of work, row and code.

    At the time `at`, to the second, or now.
    """
    names = _payroll(feeds)
    findings = workspace.pay_findings.current(at=at) if names else []
    return sorted((finding for finding in findings if finding.feed in names), key=_order)


def dismissed_findings(
    workspace: Workspace, feeds: Sequence[FeedSpec], at: datetime | None = None
) -> list[FindingLine]:
    """Return the dismissals of findings about rows of some feeds that still hold, in the same order."""
    names = _payroll(feeds)
    dismissals = workspace.pay_findings.dismissed(at=at) if names else []
    return sorted(
        (line for line in dismissals if line.finding.feed in names), key=lambda line: _order(line.finding)
    )


def _payroll(feeds: Sequence[FeedSpec]) -> set[str]:
    return {feed.name for feed in feeds if feed.kind.has_pay_rules}


def _order(finding: PayFinding) -> tuple[str, ...]:
    return finding.feed, finding.transaction_date, finding.row_key, finding.code, finding.finding_id


def findings_by_id(findings: Sequence[PayFinding], ids: Sequence[str]) -> list[PayFinding]:
    """Return the findings whose id, or the id of whose row, begins with one of `ids`.

    InputError for an invalid id, or one that matches no finding, or several findings or rows.
    """
    check_ids(ids)
    chosen: dict[str, PayFinding] = {}
    for text in ids:
        of_rows = [finding for finding in findings if place_of(finding).row_id.startswith(text)]
        own = [finding for finding in findings if finding.finding_id.startswith(text)]
        if len({place_of(finding) for finding in of_rows}) + len(own) != 1:
            owners = "several pay findings have" if of_rows or own else "no such pay finding has"
            raise InputError(f"{owners} an id that begins with {text}")
        chosen |= {finding.finding_id: finding for finding in (*of_rows, *own)}
    return list(chosen.values())


def dismiss(
    workspace: Workspace, findings: Sequence[PayFinding], *, who: str, why: str, reopen: bool = False
) -> None:
    """Record that a person dismisses findings, or with `reopen` that they are open again.

    Those that the same person dismissed for the same reason meanwhile, or reopened, are done. InputError if
    `who` or `why` is empty, and if another process did something else with one of them meanwhile: the others
    are recorded.
    """
    store = workspace.pay_findings
    action = store.reopen if reopen else store.dismiss
    who, why = who_and_why(who, why, workspace.production.numbers_of_people)
    wanted = {finding.finding_id for finding in findings}
    changed = {
        finding.finding_id for finding in action(sorted(wanted), who=who, why=why, now=datetime.now(UTC))
    }
    waiting, dismissed = store.open_and_dismissed()
    done = {line.finding.finding_id for line in dismissed if (line.who, line.why) == (who, why)}
    if reopen:
        done = {finding.finding_id for finding in waiting}
    if others := wanted - changed - done:
        raise InputError(f"{len(others)} of the findings changed meanwhile; list them again")


def matches(finding: PayFinding, code: str | None, first: date | None, last: date | None) -> bool:
    """Return whether a finding has the code and its day of work is in the range; None matches all."""
    day = date.fromisoformat(finding.transaction_date)
    return (code is None or finding.code == code) and (first or date.min) <= day <= (last or date.max)


def findings_about(workspace: Workspace, place: RowRef, at: datetime | None = None) -> list[PayFinding]:
    """Return the open findings about one row at the time `at`, or now."""
    findings = workspace.pay_findings.current(place.feed, at=at)
    return [finding for finding in findings if place_of(finding) == place]


def counts_of_findings(findings: Iterable[PayFinding]) -> Mapping[str, Mapping[str, int]]:
    """Return the findings counted by feed and code."""
    counted: dict[str, Counter[str]] = {}
    for finding in findings:
        counted.setdefault(finding.feed, Counter())[finding.code] += 1
    return {feed: dict(sorted(codes.items())) for feed, codes in sorted(counted.items())}
