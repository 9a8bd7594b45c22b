"""Validation of a feed's partitions: valid rows, and quarantined rows with their reasons.

A row's outcome depends on its own text, the production's settings, the rates of its date, postings,
decisions, and other rows of the same key; never on the order in which partitions are validated.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.core.chunks import chunks
from showcost.core.errors import IntegrityError
from showcost.ingest.landing import landed
from showcost.ledger.queries import posted_keys
from showcost.pipeline.applied_decisions import decisions_of
from showcost.pipeline.control_totals import unconfirmed_totals
from showcost.pipeline.decision_stamps import stamps_by_partition
from showcost.pipeline.fx_snapshots import rate_states
from showcost.pipeline.outcomes import record_validated
from showcost.pipeline.periods import closed_on, closed_periods, current_production
from showcost.pipeline.raw_rows import (
    raw_numbers,
    read_raw_rows,
    rows_of_days,
    rows_of_same_keys,
    undated_records,
)
from showcost.pipeline.rivals import rivals_by_date
from showcost.pipeline.same_costs import same_costs
from showcost.staging import ALL, PartitionRows, split_by_date
from showcost.staging.assets import quarantine_asset, raw_asset, undated_asset, valid_asset
from showcost.validation.decisions import DISCARDED, WITHHELD, disposition_of
from showcost.validation.duplicates import POSTED
from showcost.validation.reference import FX_STATUS
from showcost.validation.validate import ValidationResult, validate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from showcost.config.feed import FeedSpec
    from showcost.config.production import ClosedPeriod
    from showcost.pipeline.applied_decisions import FeedDecisions
    from showcost.staging import StagedPartition
    from showcost.validation.decisions import DecisionEffects
    from showcost.workspace import Workspace

CHUNK_ROWS: Final = 250_000
"""Rows validated at a time; bounds memory without changing the result."""

_GROUP_ROWS: Final = 250_000


RATE_JUMPED: Final = "SC-FX-004"
"""The code of rows whose rate jumped and is not accepted."""

RATE_MISSING: Final = "SC-FX-002"
"""The code of rows whose rate is missing for good, unless it is imported."""


@dataclass(frozen=True)
class DayCounts:
    """Row counts of a partition by outcome.

    `codes` counts, per reason code, the rows that are not posted, but for the discarded ones: those are
    settled.
    """

    received: int = 0
    valid: int = 0
    quarantined: int = 0
    duplicate: int = 0
    pending: int = 0
    discarded: int = 0
    codes: Counter[str] = field(default_factory=Counter)

    @property
    def not_posted(self) -> int:
        """Number of rows in the quarantine asset: quarantined, duplicate, pending and discarded."""
        return self.unsettled + self.discarded

    @property
    def unsettled(self) -> int:
        """Number of rows that wait for a person or a rate: quarantined, duplicate and pending."""
        return self.quarantined + self.duplicate + self.pending


def counts_of(valid_rows: int, quarantine: pa.Table) -> DayCounts:
    """Count a partition's rows from the tables themselves."""
    stored = quarantine.column("disposition").to_pylist()
    codes = [row or () for row in quarantine.column("codes").to_pylist()]
    dispositions = Counter(map(disposition_of, stored, codes))
    return DayCounts(
        received=valid_rows + quarantine.num_rows,
        valid=valid_rows,
        quarantined=dispositions["quarantined"],
        duplicate=dispositions["duplicate"],
        pending=dispositions["pending"],
        discarded=dispositions[DISCARDED],
        codes=Counter(code for row in codes if WITHHELD not in row for code in row),
    )


def validate_partitions(
    workspace: Workspace, feed: FeedSpec, dates: Sequence[date], chunk_rows: int = CHUNK_ROWS
) -> dict[date, DayCounts]:
    """Validate the raw rows of the partitions and write both outcomes; return the counts per date."""
    store = workspace.staging
    counts: dict[date, DayCounts] = {}
    # Before the decisions: a partition that names those of a replay meanwhile, without applying them, would
    # not be due again.
    raw_parts = {day: store.metadata(raw_asset(feed.name), day.isoformat()) for day in dates}
    closed, decisions = closed_periods(workspace), decisions_of(workspace, feed)
    asset = raw_asset(feed.name)
    rows_of = ((day, store.existing(asset, day.isoformat()).rows) for day in dates)
    groups = list(chunks(rows_of, _GROUP_ROWS))
    # The records of all feeds are read once, not once per group.
    same = None
    if len(groups) > 1:
        same = same_costs(workspace, feed, raw_numbers(workspace, feed, dates, decisions), decisions)
    for group in groups:
        raw = read_raw_rows(workspace, feed, group, decisions)
        repeated = same if same is not None else same_costs(workspace, feed, raw, decisions)
        outcome = validate_rows(
            workspace, feed, raw, group, decisions=decisions, same=repeated, chunk_rows=chunk_rows
        )
        rivals = rivals_by_date(workspace, repeated, raw)
        valid = dict(split_by_date(outcome.valid, "transaction_date", group))
        quarantine = dict(split_by_date(outcome.quarantine, "transaction_date", group))
        by_day = {day: counts_of(valid[day].num_rows, quarantine[day]) for day in group}
        inputs = {
            day: inputs_of(raw_parts[day], day, by_day[day], closed, rivals.get(day, ())) for day in group
        }
        store.write_together(
            {
                asset: [PartitionRows(day.isoformat(), tables[day], inputs[day]) for day in group]
                for asset, tables in (
                    (quarantine_asset(feed.name), quarantine),
                    (valid_asset(feed.name), valid),
                )
            },
            partial(record_validated, workspace, feed.name, outcome, group),
        )
        counts |= by_day
    return counts


def inputs_of(
    raw: StagedPartition | None,
    day: date,
    counts: DayCounts,
    closed: Sequence[ClosedPeriod],
    rivals: Sequence[str],
) -> dict[str, str | int | Sequence[str]]:
    """Return the inputs of a validated partition, and how many of its rows wait for a rate.

    Rows whose rate jumped, or that have none, wait for a person; they are counted apart.

    Decision stamps are those of its raw rows, closed periods those of its date, rivals those of its rows
    (`pipeline.rivals`): when any of them changes, the partition is due.
    """
    held = {"jumped": counts.codes[RATE_JUMPED], "unrated": counts.codes[RATE_MISSING]}
    return {
        "raw": raw.sha256 if raw else "",
        "pending": counts.pending,
        "decisions": texts_of(raw.inputs.get("decisions")) if raw else [],
        "closed": closed_on(closed, day),
        **{name: rows for name, rows in held.items() if rows},
        **({"rivals": list(rivals)} if rivals else {}),
    }


def texts_of(value: object) -> list[str]:
    """Return an input that is a list of texts; empty if it is absent."""
    return [str(item) for item in value] if isinstance(value, list | tuple) else []


def judged(  # noqa: PLR0913 -- everything that determines a result is an argument
    workspace: Workspace,
    feed: FeedSpec,
    rows: pa.Table,
    *,
    fx_status: pa.Table | None,
    same_key_rows: pa.Table,
    posted: pa.Table | None = None,
    decided: DecisionEffects | None = None,
    chunk_rows: int = CHUNK_ROWS,
    same_costs: pa.Table | None = None,
    day_rows: pa.Table | None = None,
    unconfirmed: frozenset[str] = frozenset(),
) -> ValidationResult:
    """Validate rows by the production's own settings: chart, closed periods and agreements.

    The one way to a verdict, of a run as of a dry run. The arguments are those of `validate`.
    """
    return validate(
        rows,
        feed=feed,
        production=current_production(workspace),
        chart=workspace.chart,
        agreements=workspace.agreements,
        fx_status=fx_status,
        posted=POSTED.empty_table() if posted is None else posted,
        same_key_rows=same_key_rows,
        decided=decided,
        chunk_rows=chunk_rows,
        same_costs=same_costs,
        day_rows=day_rows,
        unconfirmed=unconfirmed,
    )


def validate_rows(  # noqa: PLR0913 -- everything that determines a result is an argument
    workspace: Workspace,
    feed: FeedSpec,
    raw: pa.Table,
    dates: Sequence[date],
    *,
    decisions: FeedDecisions,
    sources: Sequence[str] | None = None,
    same: pa.Table | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> ValidationResult:
    """Validate dated rows of a feed against rates, ledger, decisions and the other deliveries of their keys.

    Rows of a kind of plan need no rates.

    `sources` are the deliveries that may have other rows of these keys, for rows that are some of their
    dates; when None, all of the feed may, and the rows are all of their dates. `same` are the rows that
    repeat the cost of another (`same_costs`), if they are known.
    """
    status = None if feed.kind.is_plan else rate_states(workspace, dates)
    keys = pa.chunked_array([raw.column("row_key").unique()], pa.string())
    same_key_rows = rows_of_same_keys(workspace, feed, keys, decisions.corrected, sources)
    lines = pa.chunked_array([*keys.chunks, *same_key_rows.column("row_key").chunks], pa.string()).unique()
    with workspace.ledger.read() as connection:
        posted = posted_keys(connection, feed.name, lines)
    return judged(
        workspace,
        feed,
        raw,
        fx_status=status,
        posted=posted,
        same_key_rows=same_key_rows,
        decided=decisions.for_validation,
        chunk_rows=chunk_rows,
        same_costs=same if same is not None else same_costs(workspace, feed, raw, decisions),
        day_rows=rows_of_days(workspace, feed, dates, decisions) if sources is not None else None,
        unconfirmed=frozenset(
            total.delivery for total in unconfirmed_totals(workspace, feed, decisions=decisions)
        ),
    )


def quarantine_undated(workspace: Workspace, feed: FeedSpec) -> DayCounts:
    """Validate the rows of a feed without a transaction date and write them with their reasons.

    IntegrityError if any of them passes.
    """
    decisions = decisions_of(workspace, feed)
    outcome = validate_undated(
        workspace, feed, undated_records(workspace, feed, decisions.corrected), decisions
    )
    inputs = {
        "records": [delivery.records for delivery in landed(workspace, feed) if delivery.summary.undated],
        "decisions": stamps_by_partition(workspace, feed, decisions).get(ALL, []),
    }
    workspace.staging.write_together(
        {undated_asset(feed.name): [PartitionRows(ALL, outcome.quarantine, inputs)]},
        partial(record_validated, workspace, feed.name, outcome, [ALL]),
    )
    return counts_of(0, outcome.quarantine)


def validate_undated(
    workspace: Workspace, feed: FeedSpec, rows: pa.Table, decisions: FeedDecisions
) -> ValidationResult:
    """Validate rows of a feed without a transaction date; IntegrityError if any of them passes."""
    outcome = judged(
        workspace,
        feed,
        rows,
        fx_status=FX_STATUS.empty_table(),
        same_key_rows=rows.slice(0, 0),
        decided=decisions.for_validation,
    )
    if outcome.valid.num_rows:
        raise IntegrityError(f"{feed.name}: {outcome.valid.num_rows} rows without a date passed validation")
    return outcome
