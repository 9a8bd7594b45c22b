"""What pay rules find in rows that are posted or about to be: by their neighbours, or asking for a look.

A finding never changes what becomes of a row. It is a record of its own, about a row and, where another row
brought it about, about that one; so a day that comes late flags its neighbour's entry and rewrites nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from showcost.config.agreements.kinds import (
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
from showcost.pay.employees import Share
from showcost.pay.frame import BASES, read_frame
from showcost.pay.judge import BY_HAND, OF_A_WHOLE_DAY
from showcost.pay.money import contribution_base, hours_per_unit, successive_steps
from showcost.pay.neighbours import (
    Neighbours,
    is_part,
    of_later_days,
    put_together,
)
from showcost.pay.numbers import ONE, TENTHS, Bools, Ints, as_slice, per_distinct, product, whole
from showcost.pay.verdict import Cited, Verdict, as_amount, as_hours, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.pay.frame import Frame
    from showcost.pay.judge import PayJudge
    from showcost.pay.terms import Terms

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
"""A finding about a row. `told` says what was paid and what is required, `source` by which clause and how
sure that is; `cause` is the key of the neighbour that it comes from, null where the row alone tells."""

_TOLD: Final = pa.schema([field for field in FINDINGS if field.name != "finding_id"])

_ID_SQL: Final = f"""
SELECT sha256(json_array(row_key, content, code, field, told, source, cause))[:{SHORT}] AS finding_id, *
FROM found ORDER BY transaction_date, row_key, code, field, told, finding_id
"""  # noqa: S608 -- constants only

_DAY: Final = BASES.index(Basis.DAY)
_MINUTES: Final = 60
_WEEKEND_DAYS: Final = 3
"""Days from the last day of a week to the first of the next, when two were free between them."""


@dataclass(frozen=True)
class Found:
    """A verdict about some rows of the frame (`rows`), and the rows that brought it about, or none."""

    rows: Ints
    terms: Terms
    verdict: Verdict
    cause: Ints | None = None


def findings(judge: PayJudge, cells: pa.Table, valid: pa.Table, part: int = BATCH_ROWS) -> pa.Table:
    """Return what the pay rules find in valid payroll rows, with the columns of `FINDINGS`.

    `valid` has all rows that may be neighbours: a week before and after the rows in question, and for
    ceilings all that was earned before. `cells` are the same rows as the rules look at them
    (`cells_of_valid`). The result does not depend on the order of the rows, nor on `part`, the number of
    rows that are worked on at once.
    """
    whole = Share.of_all(cells, valid)
    parts = map_parallel(lambda rows: _found_of(judge, whole.take(rows)), whole.by_employee(part))
    return query(_ID_SQL, found=pa.concat_tables(parts)).select(FINDINGS.names).cast(FINDINGS)


def _found_of(judge: PayJudge, share: Share) -> pa.Table:
    """Return what is found about the rows of some employees, with the columns of `_TOLD`."""
    scene = Scene.of(judge, share)
    failing: Bools = np.zeros(len(scene.frame), np.bool_)
    for one in all_found(judge, scene):
        failing[one.rows] |= one.verdict.hard | one.verdict.soft
    # Only what fails is put into words: it is judged once more, alone but with what its neighbours told.
    rows = np.flatnonzero(failing)
    about = share.valid.take(pa.array(rows))
    parts = [_TOLD.empty_table()]
    for one in all_found(judge, scene.take(rows)):
        parts += _as_tables(one, about, share.valid.column("row_key"))
    return pa.concat_tables(parts).combine_chunks()


@dataclass(frozen=True)
class Scene:
    """Rows as the rules look at them: alone, and as parts of their days, with their neighbours."""

    frame: Frame
    joined_days: Frame
    neighbours: Neighbours
    place: Ints

    @classmethod
    def of(cls, judge: PayJudge, share: Share) -> Scene:
        """Put rows together; `place` is that of each row's agreement."""
        frame = read_frame(share.cells, judge.production)
        place = judge.agreement_of(frame)
        base, keys = contribution_base(frame), share.valid.column("row_key")
        return cls(frame, *put_together(frame, share.person, place, base, keys), place)

    def take(self, rows: Ints) -> Scene:
        """Return some of the rows; what their neighbours told stays."""
        return Scene(
            self.frame.take(rows), self.joined_days.take(rows), self.neighbours.take(rows), self.place[rows]
        )


def all_found(judge: PayJudge, scene: Scene) -> Iterator[Found]:
    """Yield what every check says of rows, those over neighbouring days included."""
    frame, joined_days, place = scene.frame, scene.joined_days, scene.place
    neighbours, parts = scene.neighbours, is_part(joined_days)
    for one in judge.outcomes(frame, place):
        yield Found(one.rows, one.terms, one.verdict)
    chosen = np.flatnonzero(parts | frame.cut)
    for one in judge.outcomes(joined_days.take(chosen), place[chosen]):
        if one.verdict.code in OF_A_WHOLE_DAY:
            yield Found(chosen[one.rows], one.terms, one.verdict)
    later, differ = of_later_days(joined_days, neighbours)
    chosen = np.flatnonzero(differ)
    for one in judge.outcomes(later.take(chosen), place[chosen]):
        if one.verdict.code == "SC-PAY-002":
            days = as_hours(neighbours.in_a_row[chosen][one.rows] * ONE)
            said = told("day ", days, " worked in a row, which the row does not say; ")
            yield Found(chosen[one.rows], one.terms, _told_before(said, one.verdict))
    for number, terms in enumerate(judge.terms):
        rows = np.flatnonzero(place == number)
        if len(rows):
            picked = as_slice(rows)
            yield from _over_days(terms, joined_days.take(picked), neighbours.take(picked), rows)


def _told_before(said: pa.Array, verdict: Verdict) -> Verdict:
    words = verdict.words
    return replace(verdict, words=lambda hard: told(said, words(hard)))


def _over_days(terms: Terms, frame: Frame, neighbours: Neighbours, rows: Ints) -> Iterator[Found]:
    for judge in (_rest, _weekly_overtime, _weekly_meals, _ceilings):
        for verdict, cause in judge(terms, frame, neighbours):
            yield Found(rows, terms, verdict, cause)


def _rest(terms: Terms, frame: Frame, neighbours: Neighbours) -> Iterator[tuple[Verdict, Ints | None]]:
    """Hold the rest before each day against what is due, and what its invasion costs (SC-PAY-005)."""
    size = len(frame)
    rest = neighbours.rest
    due = np.zeros(size, np.int64)
    cites: list[Cited] = []
    sure: Bools = np.ones(size, np.bool_)
    for bound in terms.of_kind(RestPeriod):
        weekend = bound.rule.over == "weekend"
        over = neighbours.days_apart == _WEEKEND_DAYS if weekend else np.ones(size, np.bool_)
        mine = bound.applies(frame) & over & (rest >= 0)
        hours = whole(bound.rule.hours) * _MINUTES // ONE
        due = np.where(mine, np.maximum(due, hours), due)
        sure &= ~(mine & (rest < hours)) | bound.certainty.rejects
        cites.append(Cited(bound, mine & (rest < hours), bound.certainty.rejects))
    short = (rest >= 0) & (rest < due)
    if not short.any():
        return
    invaded = np.where(short, due - rest, 0)
    owed, priced = _price_of_rest(terms, frame, invaded, cites)
    unpaid = short & (~priced | (frame.rest_amount < owed))
    yield (
        Verdict(
            "SC-PAY-005",
            "rest_penalty_amount",
            unpaid & sure,
            unpaid & ~sure,
            short,
            lambda _: told(
                "rested ", _as_clock(rest), " after the work before, ", _as_clock(due),
                " are due: invaded by ", _as_clock(invaded), "; paid ", as_amount(frame.rest_amount),
                ", required at least ", as_amount(owed),
            ),
            tuple(cites),
        ),
        neighbours.previous,
    )  # fmt: skip


def _price_of_rest(terms: Terms, frame: Frame, invaded: Ints, cites: list[Cited]) -> tuple[Ints, Bools]:
    """Return what invaded minutes cost beyond the pay of the hours themselves, and where a rule says so."""
    size = len(frame)
    owed: Ints = np.zeros(size, np.int64)
    priced: Bools = np.zeros(size, np.bool_)
    per = hours_per_unit(terms, frame)
    for bound in terms.of_kind(RestInvasion):
        rule = bound.rule
        mine = bound.applies(frame) & (invaded > 0)
        if rule.multiple is None:
            # What a day's pay is, is known of a rate for a day only.
            mine &= frame.basis == _DAY
            amount = np.minimum(frame.rate, whole(rule.day_pay_up_to or Decimal(0)))
        else:
            unit, first = whole(rule.increment), whole(rule.first)
            hours = np.maximum(-(-(invaded * ONE // 60) // unit) * unit, first)
            hours = np.where(invaded * ONE // 60 <= first, first, hours)
            # The hours stand at their own rate among the day's: what comes on top is owed here.
            on_top = int(rule.multiple * TENTHS) - TENTHS
            amount = product(frame.rate * on_top, hours) // (np.maximum(per, 1) * TENTHS)
            amount = amount // frame.minor_unit * frame.minor_unit
        owed = np.where(mine, amount, owed)
        priced |= mine & (per > 0)
        cites.append(Cited(bound, mine, bound.certainty.rejects))
    return owed.astype(np.int64), priced


def _weekly_overtime(
    terms: Terms, frame: Frame, neighbours: Neighbours
) -> Iterator[tuple[Verdict, Ints | None]]:
    """Hold straight time beyond the hours of a week against the multiple that is due on it (SC-PAY-002)."""
    before = neighbours.straight
    for bound in terms.of_kind(WeeklyOvertime):
        limit = whole(bound.rule.after)
        over = np.clip(before + frame.paid[0] - limit, 0, frame.paid[0])
        mine = bound.applies(frame) & (before >= 0)
        fails = mine & (over > 0)

        def words(
            _: bool, over: Ints = over, limit: int = limit, multiple: Decimal = bound.rule.multiple
        ) -> pa.Array:
            return told(
                "paid ", as_hours(over), f" h at 1x beyond {limit // ONE} h of the workweek (",
                as_hours(before), " h at 1x before this row), required at ", f"{multiple}x",
            )  # fmt: skip

        yield Verdict.of_rule(("SC-PAY-002", "hours_1x"), bound, mine, fails, words), None


def _weekly_meals(
    terms: Terms, frame: Frame, neighbours: Neighbours
) -> Iterator[tuple[Verdict, Ints | None]]:
    """Hold meal penalties beyond a number in a week against an hour's pay for each (SC-PAY-003)."""
    before = neighbours.meals
    per = hours_per_unit(terms, frame)
    for bound in terms.of_kind(WeeklyMealPenalties):
        mine = bound.applies(frame) & (before >= 0) & (per > 0)
        over = np.clip(before + frame.meal_count - bound.rule.after, 0, frame.meal_count)
        steps: Ints = np.zeros(len(frame), np.int64)
        for penalty in terms.of_kind(MealPenalty):
            steps = np.where(
                penalty.applies(frame), successive_steps(penalty, frame.meal_count - over), steps
            )
        hourly = product(frame.rate, np.full(len(frame), whole(bound.rule.hours))) // np.maximum(per, 1)
        owed = (steps + product(hourly, over)) // frame.minor_unit * frame.minor_unit
        fails = mine & (over > 0) & (frame.meal_amount < owed).astype(np.bool_)

        def words(_: bool, over: Ints = over, owed: Ints = owed, after: int = bound.rule.after) -> pa.Array:
            return told(
                "paid ", as_amount(frame.meal_amount), ", required at least ",
                as_amount(owed.astype(np.int64)), "; ", as_hours(over * ONE),
                f" meal penalties are beyond {after} of the workweek (", as_hours(before * ONE),
                " before this row), each at an hour's pay",
            )  # fmt: skip

        yield Verdict.of_rule(("SC-PAY-003", "meal_penalty_count"), bound, mine, fails, words), None


def _ceilings(terms: Terms, frame: Frame, neighbours: Neighbours) -> Iterator[tuple[Verdict, Ints | None]]:
    """Hold contributions against their ceiling (SC-PAY-007): due up to it, and not beyond it."""
    base = contribution_base(frame)
    before = neighbours.earned
    for bound in terms.of_kind(Contribution):
        if bound.rule.ceiling is None or bound.rule.percent is None:
            continue
        ceiling = whole(bound.rule.ceiling)
        mine = bound.applies(frame)
        within = np.clip(ceiling - before, 0, base)
        exact = product(within, np.full(len(frame), whole(bound.rule.percent))) // (100 * ONE)
        low = exact // frame.minor_unit * frame.minor_unit
        high = -(-exact // frame.minor_unit) * frame.minor_unit
        reached = before + base >= ceiling
        fails = mine & ((frame.benefit < low) | (reached & (frame.benefit > high))).astype(np.bool_)

        def words(_: bool, low: Ints = low, within: Ints = within, ceiling: int = ceiling) -> pa.Array:
            return told(
                "paid ", as_amount(frame.benefit), ", required ", as_amount(low.astype(np.int64)), " on ",
                as_amount(within), f" of pay within the ceiling of {ceiling // ONE} (", as_amount(before),
                " earned before this row)",
            )  # fmt: skip

        yield Verdict.of_rule(("SC-PAY-007", "benefit_amount"), bound, mine, fails, words), None


def _as_clock(minutes: Ints) -> pa.Array:
    return per_distinct(minutes, lambda value: f"{value // 60}:{value % 60:02} h")


def _as_tables(one: Found, valid: pa.Table, keys: pa.ChunkedArray) -> Iterator[pa.Table]:
    """Yield the failures of a verdict as findings about their rows, hard and soft; `keys` are of all rows."""
    verdict = one.verdict
    for hard, mask in ((True, verdict.hard), (False, verdict.soft)):
        chosen = np.flatnonzero(mask)
        if not len(chosen):
            continue
        picked = pa.array(chosen)
        about = valid.take(pa.array(one.rows[chosen]))
        cause = pa.nulls(len(chosen), pa.string())
        if one.cause is not None:
            before = one.cause[chosen]
            cause = keys.take(pa.array(before, mask=before < 0))
        yield pa.table(
            {
                **{name: about.column(name) for name in about.column_names},
                "code": pa.repeat(verdict.code if hard else BY_HAND, len(chosen)),
                "field": pa.repeat(verdict.field, len(chosen)),
                "told": verdict.words(hard).take(picked),
                "source": verdict.source(one.terms, hard=hard).take(picked),
                "pay_rules": pa.repeat(one.terms.agreement.label, len(chosen)),
                "cause": cause,
            },
            schema=_TOLD,
        )
