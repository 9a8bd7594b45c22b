"""Checks of payroll rows against the agreements that they name.

Rules over a person's day are checked here, rules over neighbouring days in `findings`. A row that begins or
ends at midnight may be part of a longer day, which only its neighbours show: its hours and meals are checked
with them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.agreements.loading import names_of, normal
from showcost.config.agreements.rule_kinds import RestPeriod
from showcost.config.chart import NO_UNION
from showcost.core.parallel import BATCH_ROWS, map_parallel
from showcost.pay.days import with_days
from showcost.pay.frame import Frame, read_frame
from showcost.pay.hours import check_blanks, check_hours, check_minimum
from showcost.pay.locals import check_local
from showcost.pay.money import (
    check_contributions,
    check_currency,
    check_gross,
    check_meals,
    check_tax_form,
)
from showcost.pay.numbers import NO_DAY, Bools, Ints, as_slice, day_number, last_day
from showcost.pay.scale import check_scale
from showcost.pay.terms import BoundAgreement, bind
from showcost.pay.verdict import PayVerdict, Unchecked, concat, joined_text, only_where

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.config.agreements.loading import Agreements
    from showcost.config.agreements.model import Agreement
    from showcost.config.production import Production
    from showcost.pay.day_lines import DayLines

OF_A_WHOLE_DAY: Final = frozenset({"SC-PAY-002", "SC-PAY-003", "SC-PAY-004"})
"""Checks that need the whole day."""

NON_UNION: Final = (NO_UNION, "non-union", "non union", "nonunion")
"""The words of a row for labour without a union, to which no agreement's rules apply."""

BY_HAND: Final = "SC-PAY-009"
_TEXTS: Final = frozenset(
    {"occupation_code", "schedule", "currency", "work_place", "day_of_workweek", "tax_form"}
)
"""Fields whose checks need no amount."""

_NO_AGREEMENT: Final = "SC-PAY-008"


@dataclass(frozen=True)
class PayOutcome:
    """The verdict of a check about some rows of a frame.

    `rows` are their places; the verdict covers these alone.
    """

    rows: Ints
    terms: BoundAgreement
    verdict: PayVerdict


@dataclass(frozen=True)
class PayChecker:
    """Checks payroll rows against the configured agreements, as they bind a production."""

    agreements: Agreements
    production: Production

    @cached_property
    def terms(self) -> tuple[BoundAgreement, ...]:
        """Every agreement as it binds the production, in the order of `agreements`."""
        return tuple(bind(agreement, self.production) for agreement in self.agreements)

    @cached_property
    def _signed(self) -> frozenset[str]:
        return frozenset(normal(agreement.name) for agreement in self.production.agreements)

    def is_signed(self, agreement: Agreement) -> bool:
        """Return whether the production has signed an agreement."""
        return bool(names_of(agreement) & self._signed)

    @cached_property
    def labels(self) -> pa.Array:
        """Name, version and hash of every agreement, in the order of `agreements`."""
        return pa.array([agreement.label for agreement in self.agreements], pa.string())

    def agreement_of(self, frame: Frame) -> Ints:
        """Return the place of each row's agreement; -1 where it names none that is signed and in force."""
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

    def outcomes(self, frame: Frame, place: Ints, field: str | None = None) -> Iterator[PayOutcome]:
        """Yield the verdicts of all single-row checks, or those of one field, agreement by agreement."""
        checks = dict.fromkeys(_CHECKS_BY_FIELD.values()) if field is None else [_CHECKS_BY_FIELD[field]]
        for number, terms in enumerate(self.terms):
            rows = np.flatnonzero(place == number)
            if not len(rows):
                continue
            part = frame.take(as_slice(rows))
            for check in checks:
                for verdict in check(terms, part):
                    yield PayOutcome(rows, terms, _whole_days(verdict, part))

    def evaluate(self, frame: Frame) -> tuple[dict[str, Bools], pa.Array]:
        """Return the rows that pass each check, by `code field`, and the rules that could not be applied.

        The second is one text per row, each code with its reason; null where every rule was applied.
        """
        place = self.agreement_of(frame)
        named = ~frame.agreement_name.among([""])
        failed = {name: np.zeros(len(frame), np.bool_) for name in CHECKS}
        without = frame.agreement_name.among(NON_UNION) & (place < 0)
        failed[f"{_NO_AGREEMENT} agreement"] = named & (place < 0) & (frame.day > NO_DAY) & ~without
        failed["SC-MAP-001 account"] = self._foreign_account(frame, place, without)
        notes = [only_where(without, f"{_NO_AGREEMENT}: labour without a union, so no agreement's rules")]
        for outcome in self.outcomes(frame, place):
            verdict = outcome.verdict
            able = frame.readable[outcome.rows] | (verdict.field in _TEXTS)
            failed[f"{verdict.code} {verdict.field}"][outcome.rows] |= verdict.hard & able
            failed[f"{BY_HAND} {verdict.field}"][outcome.rows] |= verdict.soft & able
            notes += [
                _note(outcome, unchecked, len(frame))
                for unchecked in verdict.unchecked
                if unchecked.rows.any()
            ]
        joined = joined_text("; ", *notes)
        nothing = pc.equal(joined, "")
        return {name: ~rows for name, rows in failed.items()}, pc.if_else(nothing, None, joined)

    def _foreign_account(self, frame: Frame, place: Ints, without: Bools) -> Bools:
        unions = list(dict.fromkeys([NO_UNION, *(agreement.union for agreement in self.agreements)]))
        account = frame.union.numbers(unions)
        of_agreement = [unions.index(agreement.union) for agreement in self.agreements]
        own = np.array([*of_agreement, -1], np.int64)[place]
        own = np.where(without, unions.index(NO_UNION), own)
        comparable = ((place >= 0) | without) & ~frame.union.among([""])
        foreign: Bools = comparable & (own != account)
        return foreign

    def words(self, frame: Frame, name: str) -> tuple[pa.Array, pa.Array]:
        """Return the requirement of a check, by `code field`, for each row, and the rules behind it."""
        place = self.agreement_of(frame)
        code, _, field = name.partition(" ")
        if code == _NO_AGREEMENT:
            return self._in_force(frame), pa.repeat("agreements; production.yaml: agreements", len(frame))
        if code == "SC-MAP-001":
            return self._own_union(place), pa.repeat("chart of accounts: union_category", len(frame))
        text, source = (np.full(len(frame), "", object) for _ in range(2))
        for outcome in self.outcomes(frame, place, field):
            verdict = outcome.verdict
            if verdict.field != field or code not in {verdict.code, BY_HAND}:
                continue
            hard = code != BY_HAND
            text[outcome.rows] = np.asarray(verdict.words(hard))
            source[outcome.rows] = np.asarray(verdict.source(outcome.terms, hard=hard))
        return pa.array(text, pa.string()), pa.array(source, pa.string())

    def _in_force(self, frame: Frame) -> pa.Array:
        """Return why each agreement that rows name is not in force for them."""
        texts = []
        for name in frame.agreement_name.texts:
            candidates = self.agreements.called(name)
            if not candidates:
                signed = ", ".join(
                    agreement.name for agreement in self.agreements if self.is_signed(agreement)
                )
                texts.append(f"an agreement that is known and signed: {signed or 'none is'}")
                continue
            spans = "; ".join(
                f"{agreement.name} from {agreement.start}{f' to {agreement.end}' if agreement.end else ''}"
                f"{'' if self.is_signed(agreement) else ', which production.yaml does not name'}"
                f" ({agreement.source}; certainty {agreement.certainty})"
                for agreement in candidates
            )
            texts.append(f"an agreement in force on the day of work: {spans}")
        return pa.array(texts).take(pa.array(frame.agreement_name.codes))

    def _own_union(self, place: Ints) -> pa.Array:
        texts = [
            f"an account whose union category is {agreement.union}, that of {agreement.name}"
            for agreement in self.agreements
        ]
        return pa.array([*texts, "an account of the agreement's union"]).take(
            pa.array(place % (len(texts) + 1))
        )


def _note(outcome: PayOutcome, unchecked: Unchecked, size: int) -> pa.Array:
    """Return what a verdict could not check as a text for the rows concerned, null for all others."""
    here = np.flatnonzero(unchecked.rows)
    place = np.full(size, -1, np.int64)
    place[outcome.rows[here]] = here
    prefix = f"{outcome.verdict.code}: "
    if isinstance(unchecked.why, str):
        return only_where(place >= 0, prefix + unchecked.why)
    return concat(prefix, unchecked.why).take(pa.array(place, mask=place < 0))


def _whole_days(verdict: PayVerdict, frame: Frame) -> PayVerdict:
    """Leave possible parts of a day to the checks over neighbouring days."""
    if verdict.code not in OF_A_WHOLE_DAY or not frame.cut.any():
        return verdict
    whole = ~frame.cut
    part = Unchecked(verdict.checked & frame.cut, "may be part of a day: its neighbours show it")
    return replace(
        verdict,
        hard=verdict.hard & whole,
        soft=verdict.soft & whole,
        checked=verdict.checked & whole,
        unchecked=(*verdict.unchecked, part),
    )


def check_rest(terms: BoundAgreement, frame: Frame) -> Iterator[PayVerdict]:
    """Say of which rows the rest before them cannot be checked (SC-PAY-005): those without a clock."""
    untimed: Bools = np.zeros(len(frame), np.bool_)
    for bound in terms.of_kind(RestPeriod):
        untimed |= bound.applies(frame) & ~frame.day_clocked
    why = "no call and wrap times: the rest before this day is not known"
    yield PayVerdict.nothing(("SC-PAY-005", "rest_penalty_amount"), [Unchecked(untimed, why)], len(frame))


_CHECKS_BY_FIELD: Final = {
    "rate": check_scale,
    "hours_1_5x": check_hours,
    "meal_penalty_amount": check_meals,
    "hours_1x": check_minimum,
    "gross": check_gross,
    "benefit_amount": check_contributions,
    "occupation_code": check_local,
    "schedule": check_scale,
    "currency": check_currency,
    "work_place": check_blanks,
    "day_of_workweek": check_blanks,
    "tax_form": check_tax_form,
    "rest_penalty_amount": check_rest,
}
"""The check behind each field that a single-row verdict can be about."""

_FIELDS: Final = {
    "SC-PAY-001": "rate",
    "SC-PAY-002": "hours_1_5x",
    "SC-PAY-003": "meal_penalty_amount",
    "SC-PAY-004": "hours_1x",
    "SC-PAY-005": "rest_penalty_amount",
    "SC-PAY-006": "gross",
    "SC-PAY-007": "benefit_amount",
    "SC-PAY-008": "agreement",
    "SC-MAP-001": "account",
    "SC-MAP-002": "occupation_code",
}
CHECKS: Final = (
    *(f"{code} {field}" for code, field in _FIELDS.items()),
    *(f"{BY_HAND} {field}" for field in _CHECKS_BY_FIELD),
)
"""Every check of one row, as `code field`."""


def check_columns(
    checker: PayChecker, cells: pa.Table, lines: DayLines | None = None
) -> dict[str, pa.ChunkedArray]:
    """Return a Boolean column per check, named as in `CHECKS`, and those of agreement and unchecked rules.

    `lines` are the lines of the days that have several.
    """
    starts = range(0, max(cells.num_rows, 1), BATCH_ROWS)
    parts = map_parallel(
        lambda start: _check_part(checker, cells.slice(start, BATCH_ROWS).combine_chunks(), lines), starts
    )
    return {name: pa.chunked_array([part[name] for part in parts]) for name in parts[0]}


def _check_part(checker: PayChecker, cells: pa.Table, lines: DayLines | None) -> dict[str, pa.Array]:
    frame = frame_of(checker, cells, lines)
    passes, unchecked = checker.evaluate(frame)
    size = cells.num_rows
    columns = {name: pa.array(rows[:size]) for name, rows in passes.items()}
    place = checker.agreement_of(frame)[:size]
    terms = pc.take(checker.labels, pa.array(place, mask=place < 0))
    return columns | {PAY_RULES: terms, PAY_UNCHECKED: unchecked.slice(0, size)}


def frame_of(checker: PayChecker, cells: pa.Table, lines: DayLines | None) -> Frame:
    """Return rows as a frame in which each knows the other lines of its day; those follow after the rows."""
    if lines is None:
        return read_frame(cells, checker.production)
    rows, group = lines.with_others(cells)
    frame = read_frame(rows, checker.production)
    return with_days(frame, group, checker.agreement_of(frame))


PAY_RULES: Final = "pay_rules"
"""The column of the agreement, with its version and hash, that a payroll row was checked by."""

PAY_UNCHECKED: Final = "pay_not_checked"
"""The column of the rules that could not be applied to a payroll row, each with the reason; null for none."""


def unchecked_codes(texts: pa.ChunkedArray) -> Counter[str]:
    """Return the number of rows per code of a rule that could not be applied; as `rows`, of all such rows."""
    counts: Counter[str] = Counter()
    values = pc.value_counts(texts.drop_null())
    for text, rows in zip(
        values.field("values").to_pylist(), values.field("counts").to_pylist(), strict=True
    ):
        counts["rows"] += rows
        counts.update(dict.fromkeys({part.partition(":")[0] for part in text.split("; SC-")}, rows))
    return Counter(
        {name if name == "rows" else f"SC-{name.removeprefix('SC-')}": n for name, n in counts.items()}
    )
