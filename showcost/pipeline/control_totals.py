"""Control totals that landing could not compare, because a row or an amount of the delivery was unreadable.

They are compared when the unreadable rows are resolved: an amount that a person corrected counts as
corrected, a discarded row counts as zero, and the other rows count as delivered. Until they agree, the rows
of the delivery get the flag SC-FIL-004 when they are validated; a posted entry keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from showcost.core.engine import engine
from showcost.core.money import readable_amount
from showcost.ingest.landing import LandedDelivery, landed
from showcost.pipeline.applied_decisions import decisions_of
from showcost.readers.model import CONTROL_TOTAL, MAY_BE_TOTAL
from showcost.staging.assets import records_asset
from showcost.values.column import BLANK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from showcost.config.feed import FeedSpec
    from showcost.pipeline.applied_decisions import FeedDecisions
    from showcost.workspace import Workspace


@dataclass(frozen=True)
class UnconfirmedTotal:
    """A control total of a delivery that is not confirmed.

    `stated` are the totals that the file states for `field`, `total` is the sum of the rows as far as they
    are readable, and `unreadable` the number of rows that are not, and not discarded.
    """

    delivery: str
    name: str
    field: str
    stated: tuple[Decimal, ...]
    total: Decimal
    unreadable: int

    @property
    def is_checked(self) -> bool:
        """True if all rows are readable or discarded, so that the total is known to differ."""
        return not self.unreadable

    @property
    def message(self) -> str:
        """One sentence with the stated total and the sum of the rows."""
        stated = " and ".join(map(readable_amount, self.stated))
        total = readable_amount(self.total)
        if self.is_checked:
            return (
                f"{CONTROL_TOTAL}: {self.field} comes to {total} over the resolved rows, the file states"
                f" {stated}"
            )
        rows = f"{self.unreadable} row{'s' * (self.unreadable != 1)}"
        return (
            f"control total of {self.field} not yet checked: the file states {stated}, the readable rows come"
            f" to {total}, {rows} unreadable"
        )


def unconfirmed_totals(
    workspace: Workspace,
    feed: FeedSpec,
    deliveries: Sequence[LandedDelivery] | None = None,
    decisions: FeedDecisions | None = None,
) -> list[UnconfirmedTotal]:
    """Return the unconfirmed control totals of a feed, by arrival, with the decisions on its rows applied.

    Of the given deliveries, or of all landed ones; with the given decisions, or those in force. Only records
    of deliveries that landing could not compare are read.
    """
    control = feed.control_total
    if control is None:
        return []
    chosen = landed(workspace, feed) if deliveries is None else deliveries
    unchecked = [delivery for delivery in chosen if delivery.summary.unchecked]
    if not unchecked:
        return []
    applied = decisions_of(workspace, feed) if decisions is None else decisions
    totals = [_total(workspace, feed, control.field, applied, delivery) for delivery in unchecked]
    return [total for total in totals if not (total.is_checked and set(total.stated) == {total.total})]


_SUM: Final = """
WITH delivered AS (
    SELECT delivery, record, CAST({field}__value AS VARCHAR) AS amount,
        coalesce({field}__problem, $blank) <> $blank OR read_code IS NOT NULL
            AND NOT (read_code = $may_be_total AND list_contains(coalesce(codes, []), read_code))
            AS unreadable
    FROM records LEFT JOIN effects USING (delivery, record)
), corrected AS (
    SELECT delivery, record, CAST({field}__value AS VARCHAR) AS amount FROM corrected_records
    WHERE coalesce({field}__problem, $blank) = $blank AND read_code IS NULL
), resolved AS (
    SELECT delivered.unreadable AND corrected.record IS NULL AS unreadable,
        delivered.unreadable AND coalesce(withheld, false) AS discarded,
        CASE WHEN delivered.unreadable THEN corrected.amount ELSE delivered.amount END AS amount
    FROM delivered LEFT JOIN corrected USING (delivery, record) LEFT JOIN effects USING (delivery, record)
)
SELECT coalesce(sum(CAST(amount AS DECIMAL(38, 6))) FILTER (NOT discarded), 0),
    count(*) FILTER (unreadable AND NOT discarded)
FROM resolved
"""


def _total(
    workspace: Workspace, feed: FeedSpec, name: str, decisions: FeedDecisions, delivery: LandedDelivery
) -> UnconfirmedTotal:
    records = workspace.staging.read(records_asset(feed.name), delivery.arrival.delivery)
    columns = ["delivery", "record", f"{name}__value", f"{name}__problem", "read_code"]
    with engine() as connection:
        connection.register("records", records.select(columns))
        connection.register("corrected_records", decisions.corrected.select(columns))
        connection.register("effects", decisions.effects.select(["delivery", "record", "codes", "withheld"]))
        values = {"blank": BLANK, "may_be_total": MAY_BE_TOTAL}
        (total, unreadable) = connection.execute(_SUM.format(field=name), values).fetchall()[0]
    return UnconfirmedTotal(
        delivery=delivery.arrival.delivery,
        name=delivery.shown_name,
        field=name,
        stated=tuple(Decimal(text) for text in delivery.summary.unchecked),
        total=total,
        unreadable=unreadable,
    )
