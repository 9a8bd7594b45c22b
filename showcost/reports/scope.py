"""The scope of a report: production, period, and the moment of the ledger that it shows.

Every file of a report names it, so that the files can be told from those of another moment. Without an audit
record the scope ends with the last one, so that the report can be made again. Records of published reports
do not count: no figure depends on them, and the next report would have another moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from showcost.audit.transitions import AuditKind
from showcost.core.errors import InputError
from showcost.ledger.active_entries import entries_as_of
from showcost.ledger.digest import digest

if TYPE_CHECKING:
    from datetime import datetime

    from showcost.audit.log import Record
    from showcost.workspace import Workspace


@dataclass(frozen=True)
class ReportScope:
    """A production, its days from `first` to `last`, and the ledger after the audit record `as_of`.

    `currency` is that of the report's amounts. `moment` is the time of that record and `head` its hash, which
    attests every record before it. `digest` and `entries` are those of all days, before `first` too: cost to
    date needs them.
    """

    code: str
    title: str
    company: str
    base_currency: str
    currency: str
    first: date
    last: date
    as_of: int
    moment: datetime | None
    head: str
    digest: str
    entries: int

    @property
    def production_line(self) -> str:
        """The production in a line."""
        return f"{self.title} ({self.code}), {self.company}"

    @property
    def period_line(self) -> str:
        """The period in a line."""
        period = f"{self.first} to {self.last}, base currency {self.base_currency}"
        return f"{period}, in {self.currency}" if self.is_translated else period

    @property
    def is_translated(self) -> bool:
        """True if the report is in another currency than base."""
        return self.currency != self.base_currency

    @property
    def as_of_line(self) -> str:
        """The moment of the ledger in a line."""
        if self.moment is None:
            return "as of an empty ledger"
        return f"as of audit record {self.as_of}, {self.moment:%Y-%m-%d %H:%M:%S} UTC"


def scope_of(
    workspace: Workspace, first: date, last: date, as_of: int | None = None, currency: str | None = None
) -> ReportScope:
    """Return the scope of a report from `first` to `last` after the audit record `as_of`, or the last one.

    `currency` is the base currency by default. Raises InputError for a period that ends before it starts, or
    an audit record that is not in the log.
    """
    if last < first:
        raise InputError(f"a report from {first} to {last}: the end is before the start")
    record = _record(workspace, as_of)
    seq = record.seq if record else 0
    with workspace.ledger.read() as connection:
        to_date = digest(connection, date.min, last, seq)
        entries = connection.execute(
            f"SELECT count(*) FROM {entries_as_of(seq)} WHERE transaction_date <= $last",  # noqa: S608 - a number
            {"last": last},
        ).fetchall()[0][0]
    production = workspace.production
    return ReportScope(
        code=production.code,
        title=production.title,
        company=production.company,
        base_currency=production.base_currency,
        currency=currency or production.base_currency,
        first=first,
        last=last,
        as_of=seq,
        moment=record.at if record else None,
        head=record.hash if record else "",
        digest=to_date.hash,
        entries=entries,
    )


def _record(workspace: Workspace, as_of: int | None) -> Record | None:
    """Return the audit record of that number, or the last one; None for an empty log."""
    if as_of is None:
        return last_record(workspace)
    last = 0
    for record in workspace.audit.records():
        last = record.seq
        if last == as_of:
            return record
    if as_of:
        raise InputError(f"there is no audit record {as_of}; the log ends with record {last}")
    return None


def last_record(workspace: Workspace) -> Record | None:
    """Return the last audit record on which figures may depend; None for an empty log."""
    last = None
    for record in workspace.audit.records():
        if record.kind is not AuditKind.SNAPSHOT_PUBLISHED:
            last = record
    return last
