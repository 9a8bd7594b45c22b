"""Posting: append the valid rows of a feed's partitions to the ledger as entries.

Posting changes nothing else. To rebook corrected documents by the feed's policy, call
`auto_rebook.rebook_by_policy` afterwards.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from showcost.core.errors import IntegrityError
from showcost.ledger.batches import feed_hashes
from showcost.ledger.new_entries import posting_context
from showcost.ledger.plan import plan_lines_as_of
from showcost.ledger.posting import CHUNK_ROWS, post
from showcost.ledger.queries import balances
from showcost.ledger.schema import PLAN_WITHDRAWAL
from showcost.pipeline.configuration import record_configuration
from showcost.pipeline.decision_stamps import applied_decisions
from showcost.pipeline.outcomes import differing_parts, outcome_logs
from showcost.pipeline.validation import texts_of
from showcost.staging.assets import valid_asset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from showcost.config.feed import FeedSpec
    from showcost.core.file_ranges import FileRange
    from showcost.workspace import Workspace


@dataclass(frozen=True)
class PostedDay:
    """The entries of a feed on one date: their number, the number appended now, and their sums.

    `totals` are (currency, amount, base amount); `digest` covers this feed's entries of the date. `largest`
    are the entries of the largest base amounts: (id, kind, document, account, amount, currency, base amount).
    """

    entries: int
    appended: int
    base_currency: str
    totals: tuple[tuple[str, Decimal, Decimal], ...]
    digest: str
    largest: tuple[tuple[str, str, str | None, str, Decimal, str, Decimal], ...]


ENTRIES_SHOWN: Final = 20
"""Number of entries shown per date."""

_LARGEST: Final = """
SELECT transaction_date, entry_id, entry_kind, document_no, account, amount, currency, base_amount
FROM ledger_entries WHERE feed = $feed AND transaction_date BETWEEN $first AND $last
QUALIFY row_number() OVER (PARTITION BY transaction_date ORDER BY abs(base_amount) DESC, entry_id) <= $most
ORDER BY transaction_date, abs(base_amount) DESC, entry_id
"""


@dataclass(frozen=True)
class RecordedDay:
    """The plan lines of a feed on one date: those in force, those withdrawn, and the number recorded now.

    `totals` are (currency, lines, amount) of the lines in force. `largest` are those of the largest amounts:
    (id, order or revision, account, amount, currency).
    """

    lines: int
    withdrawn: int
    appended: int
    totals: tuple[tuple[str, int, Decimal], ...]
    largest: tuple[tuple[str, str | None, str, Decimal, str], ...]


_LINES: Final = f"""
SELECT stated_on, line_id, coalesce(nullif(concat_ws(' line ', po_no, line_no), ''), revision_no), account,
    amount, currency
FROM {plan_lines_as_of(None)} WHERE feed = $feed AND stated_on BETWEEN $first AND $last
ORDER BY stated_on, abs(amount) DESC, line_id
"""  # noqa: S608 - constants only

_WITHDRAWN: Final = f"""
SELECT stated_on, count(*) FROM plan_lines
WHERE line_kind = '{PLAN_WITHDRAWAL}' AND feed = $feed AND stated_on BETWEEN $first AND $last GROUP BY ALL
"""  # noqa: S608 - constants only


def recorded_days(
    workspace: Workspace, feed: FeedSpec, dates: Sequence[date], appended: Mapping[date, int]
) -> dict[date, RecordedDay]:
    """Return the plan lines of a feed per date; `appended` is the number recorded now, per date."""
    between = {"feed": feed.name, "first": dates[0], "last": dates[-1]}
    with workspace.ledger.read() as connection:
        rows = connection.execute(_LINES, between).fetchall()
        withdrawn = dict(connection.execute(_WITHDRAWN, between).fetchall())
    lines: dict[date, list[tuple[str, str | None, str, Decimal, str]]] = {}
    for day, *line in rows:
        lines.setdefault(day, []).append(tuple(line))
    return {
        day: RecordedDay(
            lines=len(lines.get(day, ())),
            withdrawn=withdrawn.get(day, 0),
            appended=appended.get(day, 0),
            totals=_line_totals(lines.get(day, ())),
            largest=tuple(lines.get(day, ())[:ENTRIES_SHOWN]),
        )
        for day in dates
    }


def _line_totals(
    lines: Sequence[tuple[str, str | None, str, Decimal, str]],
) -> tuple[tuple[str, int, Decimal], ...]:
    counts: Counter[str] = Counter()
    sums: dict[str, Decimal] = {}
    for _, _, _, amount, currency in lines:
        counts[currency] += 1
        sums[currency] = sums.get(currency, Decimal(0)) + amount
    return tuple((currency, counts[currency], sums[currency]) for currency in sorted(sums))


def post_partitions(
    workspace: Workspace, feed: FeedSpec, dates: Sequence[date], run_id: str, chunk_rows: int = CHUNK_ROWS
) -> Counter[date]:
    """Post the valid rows of the partitions and return the number of entries or plan lines per date.

    Rows that were decided on since their validation are left to the next one; their dates stay due.
    IntegrityError for a partition whose rows are not those of its last validation in the audit log.
    """
    ledger = workspace.ledger
    store = workspace.staging
    keys = [day.isoformat() for day in dates]
    asset = valid_asset(feed.name)
    filled = [key for key in keys if (staged := store.metadata(asset, key)) and staged.rows]
    # Before the rows: a decision after this leaves them to the next validation.
    applied = applied_decisions(
        {key: texts_of(store.existing(asset, key).inputs.get("decisions")) for key in filled}
    )
    for key in filled:
        if not store.is_attested(asset, key):
            raise IntegrityError(
                f"{asset} of {key}: its rows are not those of its last validation in the audit log;"
                " materialise it again; nothing was posted"
            )
    ranges = store.ranges(asset, filled)
    _require_recorded(workspace, feed, [key for key in keys if store.metadata(asset, key)], ranges)
    results = post(
        ledger,
        posting_context(workspace.production, feed, record_configuration(workspace)),
        ranges,
        partition_dates=dates,
        run_id=run_id,
        clock=lambda: datetime.now(UTC),
        chunk_rows=chunk_rows,
        applied=applied,
    )
    return Counter({result.partition_date: result.appended_entries for result in results})


def _require_recorded(
    workspace: Workspace, feed: FeedSpec, keys: Sequence[str], ranges: Sequence[FileRange]
) -> None:
    """Raise IntegrityError unless the staged rows are the valid rows of the log, no fewer and no more.

    The log names the files, but the index of the staging, which it does not name, says which of their rows
    are of a partition.
    """
    log = outcome_logs(workspace.audit).get(feed.name)
    if log is None:
        return
    parts = [key for key in keys if key in log.parts]
    if differing := differing_parts(log, parts, ranges):
        raise IntegrityError(
            f"{valid_asset(feed.name)} of {differing[0]}: its index does not have the rows of its last"
            " validation in the audit log; materialise it again; nothing was posted"
        )


def posted_days(
    workspace: Workspace, feed: FeedSpec, dates: Sequence[date], appended: Mapping[date, int]
) -> dict[date, PostedDay]:
    """Return the entries of a feed per date; `appended` is the number appended now, per date."""
    ledger = workspace.ledger
    ledger.create()
    parameters = {"feed": feed.name, "first": dates[0], "last": dates[-1], "most": ENTRIES_SHOWN}
    with ledger.read() as connection:
        sums = balances(connection, dates[0], dates[-1], feed.name).to_pylist()
        hashes = feed_hashes(connection, feed.name, dates[0], dates[-1])
        entries = connection.execute(_LARGEST, parameters).fetchall()
    totals: dict[date, list[tuple[str, Decimal, Decimal]]] = {day: [] for day in dates}
    for row in sums:
        if row["transaction_date"] in totals:
            totals[row["transaction_date"]].append((row["currency"], row["amount"], row["base_amount"]))
    largest: dict[date, list[tuple[str, str, str | None, str, Decimal, str, Decimal]]] = {}
    for day, *entry in entries:
        largest.setdefault(day, []).append(tuple(entry))
    empty = (0, "")
    return {
        day: PostedDay(
            entries=hashes.get(day, empty)[0],
            appended=appended.get(day, 0),
            base_currency=workspace.production.base_currency,
            totals=tuple(totals[day]),
            digest=hashes.get(day, empty)[1],
            largest=tuple(largest.get(day, ())),
        )
        for day in dates
    }
