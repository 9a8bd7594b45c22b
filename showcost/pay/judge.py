"""Rows held against the agreement that each names: which agreement that is, and what every check says.

The rules that one row can be held against are here; those over an employee's neighbouring days are in
`neighbours`. A row that begins or ends at midnight may be part of a day, which only its neighbours tell: its
hours and meals are left to them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.agreements.loading import names_of, normal
from showcost.config.chart import UnionCategory
from showcost.core.parallel import BATCH_ROWS, map_parallel
from showcost.pay.frame import Frame, read_frame
from showcost.pay.hours import judge_hours, judge_minimum
from showcost.pay.locals import judge_local
from showcost.pay.money import judge_contributions, judge_currency, judge_gross, judge_meals
from showcost.pay.numbers import NO_DAY, Bools, Ints, as_slice, day_number, last_day
from showcost.pay.scale import judge_scale
from showcost.pay.terms import Terms, bind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.config.agreements.loading import Agreements
    from showcost.config.agreements.model import Agreement
    from showcost.config.production import Production
    from showcost.pay.verdict import Verdict

OF_A_WHOLE_DAY: Final = frozenset({"SC-PAY-002", "SC-PAY-003", "SC-PAY-004"})
"""The checks that a part of a day cannot be held against."""

BY_HAND: Final = "SC-PAY-009"
_TEXTS: Final = frozenset({"occupation_code", "schedule", "currency"})
"""Fields whose checks need no amount."""

_NO_AGREEMENT: Final = "SC-PAY-008"


@dataclass(frozen=True)
class Outcome:
    """What a check says of some rows of a frame.

    `rows` are their places, the verdict is about these alone.
    """

    rows: Ints
    terms: Terms
    verdict: Verdict


@dataclass(frozen=True)
class PayJudge:
    """Holds payroll rows against the agreements that are known, as they bind a production."""

    agreements: Agreements
    production: Production

    @cached_property
    def terms(self) -> tuple[Terms, ...]:
        """Every agreement as it binds the production, in the order of `agreements`."""
        return tuple(bind(agreement, self.production) for agreement in self.agreements)

    @cached_property
    def _signed(self) -> frozenset[str]:
        return frozenset(normal(one.name) for one in self.production.agreements)

    def is_signed(self, agreement: Agreement) -> bool:
        """Say whether the production has signed an agreement."""
        return bool(names_of(agreement) & self._signed)

    @cached_property
    def labels(self) -> pa.Array:
        """Name, version and hash of every agreement, in the order of `agreements`."""
        return pa.array([one.label for one in self.agreements], pa.string())

    def agreement_of(self, frame: Frame) -> Ints:
        """Return the place of each row's agreement; -1 where none that it names is signed and in force."""
        place = np.full(len(frame), -1, np.int64)
        start = day_number(self.production.principal_photography.start)
        for number, agreement in enumerate(self.agreements):
            if not self.is_signed(agreement):
                continue
            named = frame.agreement_name.among(sorted(names_of(agreement)))
            day = frame.day if agreement.keyed_on.value == "work_date" else np.full(len(frame), start)
            place = np.where(
                named & (day >= day_number(agreement.start)) & (day <= last_day(agreement.end)), number, place
            )
        return place

    def outcomes(self, frame: Frame, place: Ints, field: str | None = None) -> Iterator[Outcome]:
        """Yield what every check of one row, or those of one field, says, agreement by agreement."""
        judges = dict.fromkeys(_JUDGES.values()) if field is None else [_JUDGES[field]]
        for number, terms in enumerate(self.terms):
            rows = np.flatnonzero(place == number)
            if not len(rows):
                continue
            part = frame.take(as_slice(rows))
            for judge in judges:
                for verdict in judge(terms, part):
                    yield Outcome(rows, terms, _whole_days(verdict, part))

    def holds(self, frame: Frame) -> dict[str, Bools]:
        """Return for every check, by `code field`, which rows hold to it."""
        place = self.agreement_of(frame)
        named = ~frame.agreement_name.among([""])
        failed = {name: np.zeros(len(frame), np.bool_) for name in CHECKS}
        failed[f"{_NO_AGREEMENT} agreement"] = named & (place < 0) & (frame.day > NO_DAY)
        failed["SC-MAP-001 account"] = self._foreign_account(frame, place)
        for one in self.outcomes(frame, place):
            field = one.verdict.field
            able = frame.readable[one.rows] | (field in _TEXTS)
            failed[f"{one.verdict.code} {field}"][one.rows] |= one.verdict.hard & able
            failed[f"{BY_HAND} {field}"][one.rows] |= one.verdict.soft & able
        return {name: ~rows for name, rows in failed.items()}

    def _foreign_account(self, frame: Frame, place: Ints) -> Bools:
        unions = [union.value for union in UnionCategory]
        account = frame.union.numbers(unions)
        of_agreement = [unions.index(agreement.union) for agreement in self.agreements]
        own = np.array([*of_agreement, -1], np.int64)[place]
        known = (place >= 0) & ~frame.union.among([""])
        foreign: Bools = known & (own != account)
        return foreign

    def words(self, frame: Frame, name: str) -> tuple[pa.Array, pa.Array]:
        """Return what a check by `code field` required of each row, and by which rules."""
        place = self.agreement_of(frame)
        code, _, field = name.partition(" ")
        if code == _NO_AGREEMENT:
            return self._in_force(frame), pa.repeat("agreements; production.yaml: agreements", len(frame))
        if code == "SC-MAP-001":
            return self._own_union(place), pa.repeat("chart of accounts: union_category", len(frame))
        text, source = (np.full(len(frame), "", object) for _ in range(2))
        for one in self.outcomes(frame, place, field):
            verdict = one.verdict
            if verdict.field != field or code not in {verdict.code, BY_HAND}:
                continue
            hard = code != BY_HAND
            text[one.rows] = np.asarray(verdict.words(hard))
            source[one.rows] = np.asarray(verdict.source(one.terms, hard=hard))
        return pa.array(text, pa.string()), pa.array(source, pa.string())

    def _in_force(self, frame: Frame) -> pa.Array:
        """Say of each agreement that rows name why it is not in force for them."""
        texts = []
        for name in frame.agreement_name.texts:
            called = self.agreements.called(name)
            if not called:
                known = ", ".join(one.name for one in self.agreements if self.is_signed(one))
                texts.append(f"an agreement that is known and signed: {known or 'none is'}")
                continue
            spans = "; ".join(
                f"{one.name} from {one.start}{f' to {one.end}' if one.end else ''}"
                f"{'' if self.is_signed(one) else ', which production.yaml does not name'}"
                f" ({one.source}; certainty {one.certainty})"
                for one in called
            )
            texts.append(f"an agreement in force on the day of work: {spans}")
        return pa.array(texts).take(pa.array(frame.agreement_name.codes))

    def _own_union(self, place: Ints) -> pa.Array:
        texts = [
            f"an account whose union category is {one.union.value}, that of {one.name}"
            for one in self.agreements
        ]
        return pa.array([*texts, "an account of the agreement's union"]).take(
            pa.array(place % (len(texts) + 1))
        )


def _whole_days(verdict: Verdict, frame: Frame) -> Verdict:
    """Leave what may be part of a day to the check of neighbouring days."""
    if verdict.code not in OF_A_WHOLE_DAY or not frame.cut.any():
        return verdict
    whole = ~frame.cut
    return replace(
        verdict, hard=verdict.hard & whole, soft=verdict.soft & whole, judged=verdict.judged & whole
    )


_JUDGES: Final = {
    "rate": judge_scale,
    "hours_1_5x": judge_hours,
    "meal_penalty_amount": judge_meals,
    "hours_1x": judge_minimum,
    "gross": judge_gross,
    "benefit_amount": judge_contributions,
    "occupation_code": judge_local,
    "schedule": judge_scale,
    "currency": judge_currency,
}
"""What judges the field of a row that a verdict of one row is about."""

_FIELDS: Final = {
    "SC-PAY-001": "rate",
    "SC-PAY-002": "hours_1_5x",
    "SC-PAY-003": "meal_penalty_amount",
    "SC-PAY-004": "hours_1x",
    "SC-PAY-006": "gross",
    "SC-PAY-007": "benefit_amount",
    "SC-PAY-008": "agreement",
    "SC-MAP-001": "account",
    "SC-MAP-002": "occupation_code",
}
CHECKS: Final = (
    *(f"{code} {field}" for code, field in _FIELDS.items()),
    *(f"{BY_HAND} {field}" for field in _JUDGES),
)
"""Every check of one row, as `code field`."""


def judged_columns(judge: PayJudge, cells: pa.Table) -> dict[str, pa.ChunkedArray]:
    """Return a Boolean column per check, named as in `CHECKS`, and the terms that each row was judged by."""
    starts = range(0, max(cells.num_rows, 1), BATCH_ROWS)
    parts = map_parallel(
        lambda start: _judged(judge, cells.slice(start, BATCH_ROWS).combine_chunks()), starts
    )
    return {name: pa.chunked_array([part[name] for part in parts]) for name in parts[0]}


def _judged(judge: PayJudge, cells: pa.Table) -> dict[str, pa.Array]:
    frame = read_frame(cells, judge.production)
    columns = {name: pa.array(rows) for name, rows in judge.holds(frame).items()}
    place = judge.agreement_of(frame)
    terms = pc.take(judge.labels, pa.array(place, mask=place < 0))
    return columns | {TERMS: terms}


TERMS: Final = "pay_rules"
"""The column of the agreement, its version and hash by which a payroll row was judged."""
