"""Pay findings in valid rows: rules over neighbouring days, and single-row rules that need a review.

A finding never changes the outcome of a row. It is a record of its own that names the row and, where another
row caused it, that row too; so a late day flags its neighbour's entry and rewrites nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from showcost.config.agreements.rule_kinds import (
    Basis,
    Contribution,
    MealPenalty,
    RestInvasion,
    RestPeriod,
    WeeklyMealPenalties,
    WeeklyOvertime,
)
from showcost.core.arrow import query
from showcost.core.hashing import SHORT
from showcost.core.parallel import BATCH_ROWS, map_parallel
from showcost.pay.checker import BY_HAND
from showcost.pay.employees import EmployeeBatch
from showcost.pay.frame import BASES, read_frame
from showcost.pay.money import contribution_base, hours_per_unit, successive_steps
from showcost.pay.neighbours import Neighbours, join_days, with_counted_days
from showcost.pay.numbers import ONE, TENTHS, Bools, Ints, as_slice, per_distinct, product, whole
from showcost.pay.verdict import Citation, PayVerdict, as_amount, as_hours, concat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.pay.checker import PayChecker
    from showcost.pay.frame import Frame
    from showcost.pay.terms import BoundAgreement

FINDINGS: Final = pa.schema(
    [
        ("finding_id", pa.string()),
        ("row_key", pa.string()),
        ("delivery", pa.string()),
        ("record", pa.int64()),
        ("content", pa.string()),
        ("transaction_date", pa.date32()),
        ("code", pa.string()),
        ("field", pa.string()),
        ("told", pa.string()),
        ("source", pa.string()),
        ("pay_rules", pa.string()),
        ("cause", pa.string()),
    ]
)
"""A finding about a row. `told` states the paid and the required amount, `source` the clause and its
certainty; `cause` is the key of the neighbour that caused it, null where the row alone is enough."""

_WITHOUT_ID: Final = pa.schema([field for field in FINDINGS if field.name != "finding_id"])

_ID_SQL: Final = f"""
SELECT sha256(json_array(row_key, content, code, field, told, source, cause))[:{SHORT}] AS finding_id, *
FROM hits ORDER BY transaction_date, row_key, code, field, told, finding_id
"""  # noqa: S608 -- constants only

_DAY: Final = BASES.index(Basis.DAY)
_MINUTES: Final = 60
_WEEKEND_DAYS: Final = 3
"""Days from the last day of a week to the first of the next, when two were free between them."""


@dataclass(frozen=True)
class PayHit:
    """A verdict about some rows of the frame (`rows`), and the rows that caused it, or None."""

    rows: Ints
    terms: BoundAgreement
    verdict: PayVerdict
    cause: Ints | None = None


def findings(checker: PayChecker, cells: pa.Table, valid: pa.Table, part: int = BATCH_ROWS) -> pa.Table:
    """Return the pay findings in valid payroll rows, with the columns of `FINDINGS`.

    `valid` has all rows that may be neighbours: a week before and after the rows in question, and all
    earlier pay for ceilings. `cells` are the same rows as typed cells (`cells_of_valid`). The result
    does not depend on the order of the rows, nor on `part`, the number of rows per batch.
    """
    batch = EmployeeBatch.of_all(cells, valid)
    tables = map_parallel(lambda rows: _findings_of(checker, batch.take(rows)), batch.by_employee(part))
    return query(_ID_SQL, hits=pa.concat_tables(tables)).select(FINDINGS.names).cast(FINDINGS)


def _findings_of(checker: PayChecker, batch: EmployeeBatch) -> pa.Table:
    """Return the findings about the rows of some employees, with the columns of `_WITHOUT_ID`."""
    context = PayContext.of(checker, batch)
    failing: Bools = np.zeros(len(context.frame), np.bool_)
    for hit in pay_hits(checker, context):
        failing[hit.rows] |= hit.verdict.hard | hit.verdict.soft
    # Texts are made for failing rows only: these are checked again, with the facts from their neighbours.
    rows = np.flatnonzero(failing)
    about = batch.valid.take(pa.array(rows))
    tables = [_WITHOUT_ID.empty_table()]
    for hit in pay_hits(checker, context.take(rows)):
        tables += _as_tables(hit, about, batch.valid.column("row_key"))
    return pa.concat_tables(tables).combine_chunks()


@dataclass(frozen=True)
class PayContext:
    """The inputs of the checks: rows as lines of their periods of work, and their neighbours."""

    frame: Frame
    neighbours: Neighbours
    place: Ints

    @classmethod
    def of(cls, checker: PayChecker, batch: EmployeeBatch) -> PayContext:
        """Read the rows of a batch; `place` is that of each row's agreement."""
        frame = read_frame(batch.cells, checker.production)
        place = checker.agreement_of(frame)
        base, keys = contribution_base(frame), batch.valid.column("row_key")
        joined, neighbours = join_days(frame, batch.employee, place, base, keys)
        whole = replace(joined, cut=np.zeros(len(frame), np.bool_))
        return cls(whole, neighbours, place)

    def take(self, rows: Ints) -> PayContext:
        """Return some of the rows; the facts from their neighbours are kept."""
        return PayContext(self.frame.take(rows), self.neighbours.take(rows), self.place[rows])


def pay_hits(checker: PayChecker, context: PayContext) -> Iterator[PayHit]:
    """Yield the verdicts of every check of the rows, including those over neighbouring days."""
    frame, place, neighbours = context.frame, context.place, context.neighbours
    for outcome in checker.outcomes(frame, place):
        yield PayHit(outcome.rows, outcome.terms, outcome.verdict)
    later, differ = with_counted_days(frame, neighbours)
    chosen = np.flatnonzero(differ)
    for outcome in checker.outcomes(later.take(chosen), place[chosen]):
        if outcome.verdict.code == "SC-PAY-002":
            days = as_hours(neighbours.in_a_row[chosen][outcome.rows] * ONE)
            note = concat("day ", days, " worked in a row, which the row does not say; ")
            yield PayHit(chosen[outcome.rows], outcome.terms, _with_note(note, outcome.verdict))
    for number, terms in enumerate(checker.terms):
        rows = np.flatnonzero(place == number)
        if len(rows):
            picked = as_slice(rows)
            yield from _over_days(terms, frame.take(picked), neighbours.take(picked), rows)


def _with_note(note: pa.Array, verdict: PayVerdict) -> PayVerdict:
    words = verdict.words
    return replace(verdict, words=lambda hard: concat(note, words(hard)))


def _over_days(terms: BoundAgreement, frame: Frame, neighbours: Neighbours, rows: Ints) -> Iterator[PayHit]:
    for check in (_rest, _weekly_overtime, _weekly_meals, _ceilings):
        for verdict, cause in check(terms, frame, neighbours):
            yield PayHit(rows, terms, verdict, cause)


def _rest(
    terms: BoundAgreement, frame: Frame, neighbours: Neighbours
) -> Iterator[tuple[PayVerdict, Ints | None]]:
    """Check the rest before each day, and the payment for invaded rest (SC-PAY-005)."""
    size = len(frame)
    rest = neighbours.rest
    due = np.zeros(size, np.int64)
    citations: list[Citation] = []
    sure: Bools = np.ones(size, np.bool_)
    for bound in terms.of_kind(RestPeriod):
        weekend = bound.rule.over == "weekend"
        over = neighbours.days_apart == _WEEKEND_DAYS if weekend else np.ones(size, np.bool_)
        covered = bound.applies(frame) & over & (rest >= 0)
        hours = whole(bound.rule.hours) * _MINUTES // ONE
        due = np.where(covered, np.maximum(due, hours), due)
        sure &= ~(covered & (rest < hours)) | bound.certainty.rejects
        citations.append(Citation(bound, covered & (rest < hours), bound.certainty.rejects))
    short = (rest >= 0) & (rest < due)
    if not short.any():
        return
    invaded = np.where(short, due - rest, 0)
    owed, priced = _price_of_rest(terms, frame, invaded, citations)
    unpaid = short & (~priced | (frame.rest_amount < owed))
    yield (
        PayVerdict(
            "SC-PAY-005",
            "rest_penalty_amount",
            unpaid & sure,
            unpaid & ~sure,
            short,
            lambda _: concat(
                "rested ", _as_clock(rest), " after the work before, ", _as_clock(due),
                " are due: invaded by ", _as_clock(invaded), "; paid ", as_amount(frame.rest_amount),
                ", required at least ", as_amount(owed),
            ),
            tuple(citations),
        ),
        neighbours.previous,
    )  # fmt: skip


def _price_of_rest(
    terms: BoundAgreement, frame: Frame, invaded: Ints, citations: list[Citation]
) -> tuple[Ints, Bools]:
    """Return the premium for invaded minutes beyond the hours' own pay, and where a rule prices them."""
    size = len(frame)
    owed: Ints = np.zeros(size, np.int64)
    priced: Bools = np.zeros(size, np.bool_)
    per = hours_per_unit(terms, frame)
    for bound in terms.of_kind(RestInvasion):
        rule = bound.rule
        covered = bound.applies(frame) & (invaded > 0)
        if rule.multiple is None:
            # A day's pay is known only where the rate is for a day.
            covered &= frame.basis == _DAY
            amount = np.minimum(frame.rate, whole(rule.day_pay_up_to or Decimal(0)))
        else:
            unit, first = whole(rule.increment), whole(rule.first)
            hours = np.maximum(-(-(invaded * ONE // 60) // unit) * unit, first)
            hours = np.where(invaded * ONE // 60 <= first, first, hours)
            # The hours are already among the day's at their own rate: only the premium is owed here.
            on_top = int(rule.multiple * TENTHS) - TENTHS
            amount = product(frame.rate * on_top, hours) // (np.maximum(per, 1) * TENTHS)
            amount = amount // frame.minor_unit * frame.minor_unit
        owed = np.where(covered, amount, owed)
        priced |= covered & (per > 0)
        citations.append(Citation(bound, covered, bound.certainty.rejects))
    return owed.astype(np.int64), priced


def _weekly_overtime(
    terms: BoundAgreement, frame: Frame, neighbours: Neighbours
) -> Iterator[tuple[PayVerdict, Ints | None]]:
    """Check straight time beyond the hours of a week, which is due at a multiple (SC-PAY-002)."""
    before = neighbours.straight
    for bound in terms.of_kind(WeeklyOvertime):
        limit = whole(bound.rule.after)
        over = np.clip(before + frame.paid[0] - limit, 0, frame.paid[0])
        covered = bound.applies(frame) & (before >= 0)
        fails = covered & (over > 0)

        def words(
            _: bool, over: Ints = over, limit: int = limit, multiple: Decimal = bound.rule.multiple
        ) -> pa.Array:
            return concat(
                "paid ", as_hours(over), f" h at 1x beyond {limit // ONE} h of the workweek (",
                as_hours(before), " h at 1x before this row), required at ", f"{multiple}x",
            )  # fmt: skip

        yield PayVerdict.of_rule(("SC-PAY-002", "hours_1x"), bound, covered, fails, words), None


def _weekly_meals(
    terms: BoundAgreement, frame: Frame, neighbours: Neighbours
) -> Iterator[tuple[PayVerdict, Ints | None]]:
    """Check meal penalties beyond a number per week, which cost an hour's pay each (SC-PAY-003)."""
    before = neighbours.meals
    per = hours_per_unit(terms, frame)
    for bound in terms.of_kind(WeeklyMealPenalties):
        covered = bound.applies(frame) & (before >= 0) & (per > 0)
        over = np.clip(before + frame.meal_count - bound.rule.after, 0, frame.meal_count)
        steps: Ints = np.zeros(len(frame), np.int64)
        for penalty in terms.of_kind(MealPenalty):
            steps = np.where(
                penalty.applies(frame), successive_steps(penalty, frame.meal_count - over), steps
            )
        hourly = product(frame.rate, np.full(len(frame), whole(bound.rule.hours))) // np.maximum(per, 1)
        owed = (steps + product(hourly, over)) // frame.minor_unit * frame.minor_unit
        fails = covered & (over > 0) & (frame.meal_amount < owed).astype(np.bool_)

        def words(_: bool, over: Ints = over, owed: Ints = owed, after: int = bound.rule.after) -> pa.Array:
            return concat(
                "paid ", as_amount(frame.meal_amount), ", required at least ",
                as_amount(owed.astype(np.int64)), "; ", as_hours(over * ONE),
                f" meal penalties are beyond {after} of the workweek (", as_hours(before * ONE),
                " before this row), each at an hour's pay",
            )  # fmt: skip

        yield PayVerdict.of_rule(("SC-PAY-003", "meal_penalty_count"), bound, covered, fails, words), None


def _ceilings(
    terms: BoundAgreement, frame: Frame, neighbours: Neighbours
) -> Iterator[tuple[PayVerdict, Ints | None]]:
    """Check contributions with a ceiling (SC-PAY-007): due up to it, and not beyond it."""
    base = contribution_base(frame)
    before = neighbours.earned
    for bound in terms.of_kind(Contribution):
        if bound.rule.ceiling is None or bound.rule.percent is None:
            continue
        ceiling = whole(bound.rule.ceiling)
        covered = bound.applies(frame)
        within = np.clip(ceiling - before, 0, base)
        exact = product(within, np.full(len(frame), whole(bound.rule.percent))) // (100 * ONE)
        low = exact // frame.minor_unit * frame.minor_unit
        high = -(-exact // frame.minor_unit) * frame.minor_unit
        reached = before + base >= ceiling
        fails = covered & ((frame.benefit < low) | (reached & (frame.benefit > high))).astype(np.bool_)

        def words(_: bool, low: Ints = low, within: Ints = within, ceiling: int = ceiling) -> pa.Array:
            return concat(
                "paid ", as_amount(frame.benefit), ", required ", as_amount(low.astype(np.int64)), " on ",
                as_amount(within), f" of pay within the ceiling of {ceiling // ONE} (", as_amount(before),
                " earned before this row)",
            )  # fmt: skip

        yield PayVerdict.of_rule(("SC-PAY-007", "benefit_amount"), bound, covered, fails, words), None


def _as_clock(minutes: Ints) -> pa.Array:
    return per_distinct(minutes, lambda value: f"{value // 60}:{value % 60:02} h")


def _as_tables(hit: PayHit, valid: pa.Table, keys: pa.ChunkedArray) -> Iterator[pa.Table]:
    """Yield the failures of a verdict as findings, hard and soft; `keys` are the row keys of all rows."""
    verdict = hit.verdict
    for hard, mask in ((True, verdict.hard), (False, verdict.soft)):
        chosen = np.flatnonzero(mask)
        if not len(chosen):
            continue
        picked = pa.array(chosen)
        about = valid.take(pa.array(hit.rows[chosen]))
        cause = pa.nulls(len(chosen), pa.string())
        if hit.cause is not None:
            before = hit.cause[chosen]
            cause = keys.take(pa.array(before, mask=before < 0))
        yield pa.table(
            {
                **{name: about.column(name) for name in about.column_names},
                "code": pa.repeat(verdict.code if hard else BY_HAND, len(chosen)),
                "field": pa.repeat(verdict.field, len(chosen)),
                "told": verdict.words(hard).take(picked),
                "source": verdict.source(hit.terms, hard=hard).take(picked),
                "pay_rules": pa.repeat(hit.terms.agreement.label, len(chosen)),
                "cause": cause,
            },
            schema=_WITHOUT_ID,
        )
