"""Timecards as delivered rows: the outcome of validation of whole days, and of several lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from showcost.validation.validate import ValidationResult, validate
from showcost_tests.pay.rows import AGREEMENTS, CHART, FEED, SHOW
from showcost_tests.validation.raw import posted_table, raw_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from showcost.config.agreements import Agreements
    from showcost.config.feed import FeedSpec
    from showcost.config.production import Production
    from showcost_tests.pay.by_hand import Row


def validated(
    rows: Sequence[Row],
    *,
    show: Production = SHOW,
    feed: FeedSpec = FEED,
    agreements: Agreements = AGREEMENTS,
) -> ValidationResult:
    """Validate rows without rates; each is a row of its own, whatever its key."""
    keyed = [row | {"row_key": f"{number:032x}"} for number, row in enumerate(rows)]
    raw = raw_table(feed, keyed)
    place = raw.column_names.index("transaction_date")
    dated = raw.set_column(place, "transaction_date", raw.column("work_date__value"))
    return validate(
        dated,
        feed=feed,
        production=show,
        chart=CHART,
        fx_status=None,
        posted=posted_table(),
        same_key_rows=dated.slice(0, 0),
        agreements=agreements,
    )


def codes_of(rows: Sequence[Row], **settings: object) -> list[list[str]]:
    """Return the codes of each row, in order: reasons of a quarantined row, flags of a valid one."""
    outcome = validated(rows, **settings)  # type: ignore[arg-type] # the settings of `validated`
    found: dict[int, list[str]] = {}
    for row in outcome.quarantine.select(["record", "codes"]).to_pylist():
        found[row["record"]] = row["codes"]
    for row in outcome.valid.select(["record", "flags"]).to_pylist():
        found[row["record"]] = [f"{flag}?" for flag in row["flags"]]
    return [found[record] for record in sorted(found)]


def expected_of(table: pa.Table, code: str) -> str:
    """Return the text of the expected value of a reason of the first quarantined row."""
    reasons = json.loads(table.column("reasons")[0].as_py())
    return str(next(reason["expected"] for reason in reasons if reason["code"] == code))
