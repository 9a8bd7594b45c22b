"""Checks of one feed: deliveries, raw, valid and quarantined rows, and their entries.

Each check reads stored data and counts it again; none relies on the counts of a pipeline step.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Final

from showcost.checks.result import CheckOutcome
from showcost.core.engine import engine
from showcost.core.file_ranges import view_ranges
from showcost.core.reason_catalogue import CATALOGUE
from showcost.fx.pinned_snapshots import IDENTITY, dense_rates
from showcost.ingest.control_totals import CONTRADICTED
from showcost.ingest.landing import landed
from showcost.ledger.active_entries import active_condition
from showcost.ledger.plan import plan_lines_as_of
from showcost.pipeline.applied_decisions import decisions_of
from showcost.pipeline.control_totals import unconfirmed_totals
from showcost.pipeline.raw_rows import raw_places
from showcost.pipeline.validation import counts_of
from showcost.staging import ALL, StagingStore
from showcost.staging.assets import quarantine_asset, raw_asset, records_asset, undated_asset, valid_asset
from showcost.validation.columns import RowTable, arrow_schema
from showcost.validation.decisions import DISCARDED, DISPOSITION_SQL, WITHHELD
from showcost.validation.schemas import schema_result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from showcost.config.feed import FeedSpec
    from showcost.pay.findings_log import PayFinding
    from showcost.workspace import Workspace

_NAMED: Final = 3


def deliveries_readable(workspace: Workspace, *, feed: FeedSpec) -> CheckOutcome:
    """Check that no delivery is refused as a whole, and that the control totals of all are confirmed.

    Refused deliveries that a person discarded pass.
    """
    deliveries = landed(workspace, feed)
    unconfirmed = unconfirmed_totals(workspace, feed, deliveries)
    refused = [delivery for delivery in deliveries if delivery.summary.refused]
    facts: dict[str, str | int] = {"deliveries": len(deliveries), "refused": len(refused)}
    settled = _discarded_deliveries(workspace.staging, feed) if refused else set()
    refused = [delivery for delivery in refused if delivery.arrival.delivery not in settled]
    if unconfirmed:
        facts["unconfirmed_totals"] = len(unconfirmed)
    contradicted = [
        f"{delivery.shown_name}: {note}"
        for delivery in deliveries
        for note in delivery.summary.notes
        if note.startswith(CONTRADICTED)
    ]
    if contradicted:
        facts["contradicted_totals"] = len(contradicted)
    told = [f"{total.name}: {total.message}" for total in unconfirmed[:_NAMED]] + contradicted[:_NAMED]
    if unconfirmed and not refused:
        return CheckOutcome(passed=False, message="; ".join(told), facts=facts)
    if not refused:
        state = f"{facts['refused']} of them refused and discarded" if facts["refused"] else "all readable"
        message = "; ".join([f"{len(deliveries)} deliveries, {state}", *told])
        return CheckOutcome(passed=True, message=message, facts=facts)
    named = "; ".join(
        f"{delivery.shown_name}: {delivery.summary.refused}"
        f" {CATALOGUE[delivery.summary.refused or ''].meaning}, {delivery.summary.detail}"
        for delivery in refused[:_NAMED]
    )
    message = f"{len(refused)} of {len(deliveries)} refused: {named}"
    return CheckOutcome(passed=False, message="; ".join([message, *told]), facts=facts)


def _discarded_deliveries(store: StagingStore, feed: FeedSpec) -> set[str]:
    """Return the deliveries with a discarded undated row; a refused delivery has one such row."""
    if store.metadata(undated_asset(feed.name), ALL) is None:
        return set()
    rows = store.read(undated_asset(feed.name), ALL).select(["delivery", "codes"])
    return {row["delivery"] for row in rows.to_pylist() if WITHHELD in (row["codes"] or ())}


def records_reconcile(workspace: Workspace, *, feed: FeedSpec) -> CheckOutcome:
    """Check that each delivery has as many stored records as were received, each place once."""
    store = workspace.staging
    wrong: list[str] = []
    deliveries = landed(workspace, feed)
    for delivery in deliveries:
        records = store.read(records_asset(feed.name), delivery.arrival.delivery)
        places = records.select(["record", "byte_start"]).group_by(["record", "byte_start"]).aggregate([])
        dated = records.num_rows - records.column("transaction_date").null_count
        expected = (delivery.summary.received, sum(delivery.summary.dates.values()))
        if (records.num_rows, dated) != expected or places.num_rows != records.num_rows:
            wrong.append(
                f"delivery {delivery.arrival.number}: {records.num_rows} stored, {expected[0]} received"
            )
    total = sum(delivery.summary.received for delivery in deliveries)
    facts: dict[str, str | int] = {"deliveries": len(deliveries), "records": total, "wrong": len(wrong)}
    message = (
        "; ".join(wrong[:_NAMED]) or f"{total} records of {len(deliveries)} deliveries, each exactly once"
    )
    return CheckOutcome(passed=not wrong, message=message, facts=facts)


def all_rows_dated(workspace: Workspace, *, feed: FeedSpec) -> CheckOutcome:
    """Check that every row has a transaction date, but for discarded rows; the message has the reasons."""
    store = workspace.staging
    if store.metadata(undated_asset(feed.name), ALL) is None:
        return CheckOutcome(passed=True, message="no rows were validated yet")
    counts = counts_of(0, store.read(undated_asset(feed.name), ALL))
    return _rejections(counts.unsettled, counts.codes)


def valid_schema(workspace: Workspace, dates: Sequence[date], *, feed: FeedSpec) -> dict[date, CheckOutcome]:
    """Check the valid rows of each date with the strict schema of their record kind."""
    store = workspace.staging
    outcomes: dict[date, CheckOutcome] = {}
    for day in _filled(store, valid_asset(feed.name), dates):
        table = store.read(valid_asset(feed.name), day.isoformat())
        result = schema_result(table, feed.kind, workspace.production)
        failures = "; ".join(
            f"{failure.column}: {failure.check} ({failure.count} rows)" for failure in result.failures
        )
        outcomes[day] = CheckOutcome(
            passed=result.ok,
            message=failures or f"{table.num_rows} rows match the schema",
            facts={"rows": table.num_rows, "failures": len(result.failures)},
        )
    return outcomes


_RECONCILE: Final = f"""
WITH valid AS (SELECT transaction_date, delivery, record, 'valid' AS outcome FROM valid_rows),
quarantine AS (
    SELECT transaction_date, delivery, record, {DISPOSITION_SQL} AS outcome FROM quarantine_rows),
outcomes AS (FROM valid UNION ALL FROM quarantine),
matched AS (
    SELECT coalesce(raw.transaction_date, outcomes.transaction_date) AS day,
        raw.record IS NOT NULL AS received, outcomes.outcome
    FROM raw FULL JOIN outcomes USING (transaction_date, delivery, record))
SELECT day, count(*) FILTER (received), count(*) FILTER (outcome = 'valid'),
    count(*) FILTER (outcome = 'quarantined'), count(*) FILTER (outcome = 'duplicate'),
    count(*) FILTER (outcome = 'pending'), count(*) FILTER (outcome = '{DISCARDED}'),
    count(*) FILTER (outcome IS NULL OR NOT received),
    (SELECT count(*) FROM raw WHERE raw.transaction_date = day)
FROM matched GROUP BY day ORDER BY day
"""  # noqa: S608 - constants only


def rows_reconcile(
    workspace: Workspace, dates: Sequence[date], *, feed: FeedSpec
) -> dict[date, CheckOutcome]:
    """Check, per date, that every raw row has exactly one outcome and every outcome a raw row."""
    store = workspace.staging
    keys = [day.isoformat() for day in dates]

    raw = raw_places(workspace, feed, dates, decisions_of(workspace, feed))
    with engine() as connection:
        connection.register("raw", raw)
        for view, asset, table in (
            ("valid_rows", valid_asset, RowTable.VALID),
            ("quarantine_rows", quarantine_asset, RowTable.QUARANTINE),
        ):
            if ranges := store.ranges(asset(feed.name), keys):
                view_ranges(connection, view, ranges)
            else:
                connection.register(view, arrow_schema(feed.kind, table).empty_table())
        rows = connection.execute(_RECONCILE).fetchall()
    outcomes: dict[date, CheckOutcome] = {}
    for day, matched, valid, quarantined, duplicate, pending, discarded, unmatched, received in rows:
        total = valid + quarantined + duplicate + pending + discarded
        message = (
            f"{received} received = {valid} valid + {quarantined} quarantined + {duplicate} duplicate "
            f"+ {pending} pending + {discarded} discarded"
        )
        passed = not unmatched and received == matched == total
        outcomes[day] = CheckOutcome(
            passed=passed,
            message=message
            if passed
            else f"does not reconcile: {message}; {unmatched} without a counterpart",
            facts={
                "received": received,
                "valid": valid,
                "quarantined": quarantined,
                "duplicate": duplicate,
                "pending": pending,
                "discarded": discarded,
            },
        )
    return outcomes


def no_rejected_rows(
    workspace: Workspace, dates: Sequence[date], *, feed: FeedSpec
) -> dict[date, CheckOutcome]:
    """Check, per date with rows, that no row is rejected and not discarded; the message has the reasons."""
    store = workspace.staging
    outcomes: dict[date, CheckOutcome] = {}
    for day in _filled(store, raw_asset(feed.name), dates):
        rows = store.read(quarantine_asset(feed.name), day.isoformat())
        counts = counts_of(0, rows)
        outcomes[day] = _rejections(counts.unsettled, counts.codes)
    return outcomes


def _rejections(rows: int, codes: Counter[str]) -> CheckOutcome:
    named = ", ".join(f"{code} {CATALOGUE[code].meaning} ({n})" for code, n in codes.most_common())
    facts: dict[str, str | int] = {"rows": rows, **codes}
    return CheckOutcome(passed=not rows, message=f"{rows} rows: {named}" if rows else "none", facts=facts)


_VALID_SUMS: Final = """
SELECT transaction_date, currency, count(DISTINCT row_key), sum(line.amount)
FROM (SELECT transaction_date, currency, row_key, unnest(components) AS line FROM valid_rows)
GROUP BY ALL
"""
_POSTED_SUMS: Final = f"""
SELECT transaction_date, currency, count(DISTINCT row_key), sum(amount)
FROM ledger_entries
WHERE feed = $feed AND {active_condition()} AND transaction_date BETWEEN $first AND $last
GROUP BY ALL
"""  # noqa: S608 - statements of our own


def amounts_balance(
    workspace: Workspace, dates: Sequence[date], *, feed: FeedSpec
) -> dict[date, CheckOutcome]:
    """Check, per date and currency, that rows and amounts of the ledger equal those of the valid rows.

    The rows of a kind of plan are plan lines of the ledger, the others entries.
    """
    recorded_sums, valid_sums = _POSTED_SUMS, _VALID_SUMS
    if feed.kind.is_plan:
        recorded_sums, valid_sums = _RECORDED_LINES, _VALID_LINES
    store = workspace.staging
    filled = _filled(store, valid_asset(feed.name), dates)
    keys = [day.isoformat() for day in filled]
    ranges = store.ranges(valid_asset(feed.name), keys)
    between = {"first": dates[0], "last": dates[-1], "feed": feed.name}
    with workspace.ledger.read() as connection:
        posted = _by_day(connection.execute(recorded_sums, between).fetchall())
        valid = {}
        if ranges:
            view_ranges(connection, "valid_rows", ranges)
            valid = _by_day(connection.execute(valid_sums).fetchall())
    outcomes: dict[date, CheckOutcome] = {}
    for day in sorted(posted.keys() | valid.keys()):
        ours, theirs = valid.get(day, {}), posted.get(day, {})
        wrong = [
            f"valid {_sum(ours, currency)}, posted {_sum(theirs, currency)}"
            for currency in sorted(ours.keys() | theirs.keys())
            if ours.get(currency) != theirs.get(currency)
        ]
        sums = ", ".join(_sum(theirs, currency) for currency in theirs)
        facts: dict[str, str | int] = {
            f"posted_{currency}": str(total) for currency, (_, total) in theirs.items()
        }
        message = "; ".join(wrong) or f"balanced: {sums}"
        outcomes[day] = CheckOutcome(passed=not wrong, message=message, facts=facts)
    return outcomes


def _sum(sums: Mapping[str, tuple[int, Decimal]], currency: str) -> str:
    rows, total = sums.get(currency, (0, 0))
    return f"{total} {currency} in {rows} rows"


def _by_day(
    rows: Sequence[tuple[date, str, int, Decimal]],
) -> dict[date, dict[str, tuple[int, Decimal]]]:
    by_day: dict[date, dict[str, tuple[int, Decimal]]] = {}
    for day, currency, count, total in sorted(rows):
        by_day.setdefault(day, {})[currency] = (count, total)
    return by_day


_VALID_LINES: Final = """
SELECT transaction_date, currency, count(DISTINCT row_key), sum(amount) FROM valid_rows GROUP BY ALL
"""

_RECORDED_LINES: Final = f"""
SELECT stated_on, currency, count(DISTINCT row_key), sum(amount)
FROM {plan_lines_as_of(None)}
WHERE feed = $feed AND stated_on BETWEEN $first AND $last GROUP BY ALL
"""  # noqa: S608 - statements of our own

# An entry that a repinning left alone names the replaced snapshot: its rates are the same in both, or it is
# in the base currency and needs none.
_PINNED: Final = f"""
SELECT transaction_date, count(*),
    count(*) FILTER ((rates.date IS NULL AND entries.currency <> entries.base_currency)
        OR (rates.snapshot_id = entries.snapshot_id AND rates.rate_date <> entries.rate_date)
        OR ((rates.snapshot_id = entries.snapshot_id OR entries.currency <> entries.base_currency)
            AND (rates.eur_rate_original <> entries.eur_rate_original
                OR rates.eur_rate_base <> entries.eur_rate_base))),
    max(transaction_date - entries.rate_date)
FROM ledger_entries AS entries LEFT JOIN pinned_rates AS rates
    ON rates.date = entries.transaction_date AND rates.currency = entries.currency
        AND (rates.snapshot_id = '{IDENTITY}') = (entries.snapshot_id = '{IDENTITY}')
WHERE feed = $feed AND {active_condition()} AND transaction_date BETWEEN $first AND $last
GROUP BY transaction_date ORDER BY transaction_date
"""  # noqa: S608 - statements of our own


def fx_pinned(workspace: Workspace, dates: Sequence[date], *, feed: FeedSpec) -> dict[date, CheckOutcome]:
    """Check, per date, that every active entry has the pinned rates of its date.

    IntegrityError when a pinned snapshot has changed (SC-FX-003).
    """
    between = {"first": dates[0], "last": dates[-1], "feed": feed.name}
    with workspace.ledger.read() as connection:
        connection.register(
            "pinned_rates", dense_rates(connection, dates, workspace.production.base_currency).table
        )
        rows = connection.execute(_PINNED, between).fetchall()
    limit = workspace.production.fx.carry_days
    return {
        day: CheckOutcome(
            passed=not wrong and oldest <= limit,
            message=f"{entries} entries with pinned rates, the oldest {oldest} days old"
            if not wrong
            else f"{wrong} of {entries} entries do not have the rates of their snapshot",
            facts={"entries": entries, "wrong": wrong, "oldest_rate_days": oldest},
        )
        for day, entries, wrong, oldest in rows
    }


def _filled(store: StagingStore, asset: str, dates: Sequence[date]) -> list[date]:
    """Return the dates with rows in an asset."""
    return [day for day in dates if (staged := store.metadata(asset, day.isoformat())) and staged.rows]


def no_pay_findings(
    workspace: Workspace, dates: Sequence[date], *, feed: FeedSpec
) -> dict[date, CheckOutcome]:
    """Fail each date with open pay findings about its rows; the message counts them per code."""
    by_date: dict[date, list[PayFinding]] = {}
    for finding in workspace.pay_findings.current(feed.name):
        by_date.setdefault(date.fromisoformat(finding.transaction_date), []).append(finding)
    return {day: _open_findings(by_date[day]) for day in dates if day in by_date}


def _open_findings(findings: list[PayFinding]) -> CheckOutcome:
    codes = Counter(finding.code for finding in findings)
    most = ", ".join(f"{code} {count}" for code, count in codes.most_common())
    rows = len({finding.row_key for finding in findings})
    return CheckOutcome(
        passed=False,
        message=f"{len(findings)} open pay findings about {rows} rows: {most}",
        facts={"findings": len(findings), "rows": rows, **codes},
    )
