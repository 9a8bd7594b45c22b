"""Verdicts of one programme on all costs: the SQL that decides, and the reasons in words.

Place, type of production and dates come first; then a rule that refuses, before anything that only asks for a
look; then what is missing for an audit (place, letter, dates of the service, detail); then the rule that
decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.config.agreements import Certainty
from showcost.config.incentives import SpendVerdict
from showcost.fx.conversion import conversion_sql, micro_rate_sql
from showcost.reports.incentives.conditions import residence_sql, rule_condition, text_sql, within_sql

if TYPE_CHECKING:
    from datetime import date

    import duckdb

    from showcost.config.incentives import ClaimedProgramme, Programme
    from showcost.config.incentives.model import Sourced
    from showcost.config.production import Production
    from showcost.reports.incentives.conditions import RuleCondition

PLACE: Final = "place"
PERIOD: Final = "period"
LETTER: Final = "letter"
PRODUCTION_TYPE: Final = "production-type"
DATES: Final = "dates-performed"
LUMP_SUM: Final = "lump-sum"
NO_RULE: Final = "no-rule"
"""Ids of the decisions that every programme has, beside its own rules."""


def judge(
    connection: duckdb.DuckDBPyConnection,
    claimed: ClaimedProgramme,
    production: Production,
    *,
    elsewhere: bool,
) -> None:
    """Make the temporary table `judged`: the columns of `spend` with the verdict of a programme.

    Costs that are performed elsewhere are in it only if asked for.

    Columns: resident, programme_rate (units of the programme's currency per euro), programme_amount (both
    null without a rate), verdict, rule, reason, certainty, source. The table `spend` must exist on the
    connection.
    """
    conditions = [rule_condition(rule, claimed) for rule in claimed.programme.rules]
    connection.register("spend_rules", _rules(claimed))
    connection.execute(
        _JUDGED.format(
            resident=residence_sql(claimed),
            programme_amount=conversion_sql(
                "amount",
                "currency",
                micro_rate_sql("eur_rate_original"),
                micro_rate_sql("programme_rates.rate"),
                claimed.programme.currency,
            ),
            programme_currency=text_sql(claimed.programme.currency),
            in_period=_period_sql(claimed),
            in_place=within_sql("place", claimed.programme.jurisdictions),
            position=_position_sql(conditions),
            missing=_missing_sql(conditions),
            outside=_outside_sql(claimed),
            decision=_decision_sql(claimed, production),
            kept="true"
            if elsewhere or not claimed.programme.place.certainty.rejects
            else "in_place IS NOT FALSE",
        )
    )


def starts_on(claimed: ClaimedProgramme) -> date | None:
    """Return the first day that counts: of the programme, of the claim and of its letter, the latest."""
    starts = [claimed.programme.start, claimed.claim.start]
    if claimed.programme.letter is not None:
        starts.append(claimed.claim.allocation_letter)
    return max((day for day in starts if day is not None), default=None)


def ends_on(claimed: ClaimedProgramme) -> date | None:
    """Return the last day that counts: of the programme and of the claim, the earlier."""
    return min((day for day in (claimed.programme.end, claimed.claim.end) if day is not None), default=None)


def _rules(claimed: ClaimedProgramme) -> pa.Table:
    """Return the programme's rules by position from 1 on."""
    rules = claimed.programme.rules
    return pa.table(
        {
            "position": pa.array(range(1, len(rules) + 1), pa.int32()),
            "rule_id": pa.array([rule.id for rule in rules], pa.string()),
            "rule_verdict": pa.array([rule.effective.value for rule in rules], pa.string()),
            "rule_reason": pa.array([rule.reason for rule in rules], pa.string()),
            "rule_certainty": pa.array([rule.certainty.value for rule in rules], pa.string()),
            "rule_source": pa.array([origin(rule) for rule in rules], pa.string()),
        }
    )


def origin(sourced: Sourced) -> str:
    """Return source and clause as one text."""
    return f"{sourced.source}: {sourced.clause}" if sourced.clause else sourced.source


def _position_sql(conditions: list[RuleCondition]) -> str:
    """Return the position of the first rule that is not known to fail; 0 if all fail."""
    cases = " ".join(
        f"WHEN {condition.sql} IS NOT FALSE THEN {number}"
        for number, condition in enumerate(conditions, start=1)
    )
    return f"CASE {cases} ELSE 0 END"


def _missing_sql(conditions: list[RuleCondition]) -> str:
    """Return the facts without which the rule at `position` cannot decide, as text; null if it can."""
    cases = " ".join(
        f"WHEN {number} THEN CASE WHEN {condition.sql} IS NULL THEN {_facts_sql(condition)} END"
        for number, condition in enumerate(conditions, start=1)
    )
    return f"CASE position {cases} END"


def _facts_sql(condition: RuleCondition) -> str:
    facts = ", ".join(
        f"CASE WHEN {part.sql} IS NULL THEN {text_sql(part.fact)} END" for part in condition.parts
    )
    return f"concat_ws(', ', {facts})" if facts else "CAST(NULL AS VARCHAR)"


def _period_sql(claimed: ClaimedProgramme) -> str:
    """Return the condition that the transaction date counts; null within it without a needed letter."""
    first, last = starts_on(claimed), ends_on(claimed)
    bounds = [
        f"transaction_date {sign} DATE '{day}'"
        for sign, day in ((">=", first), ("<=", last))
        if day is not None
    ]
    if _lacks_letter(claimed):
        bounds.append("CAST(NULL AS BOOLEAN)")
    return "(" + " AND ".join(["true", *bounds]) + ")"


def _lacks_letter(claimed: ClaimedProgramme) -> bool:
    return claimed.programme.letter is not None and claimed.claim.allocation_letter is None


def _outside_sql(claimed: ClaimedProgramme) -> str:
    """Return the condition that a service was performed outside the dates that count, in part or in whole."""
    first, last = starts_on(claimed), ends_on(claimed)
    bounds = [
        *([f"service_from < DATE '{first}'"] if first is not None else []),
        *([f"service_to > DATE '{last}'"] if last is not None else []),
    ]
    return "(" + " OR ".join(["false", *bounds]) + ")"


def _decision_sql(claimed: ClaimedProgramme, production: Production) -> str:
    """Return a struct of verdict, rule, reason, certainty and source."""
    programme = claimed.programme
    steps = [
        (
            "in_place IS FALSE",
            _decision(_refusal(programme.place), PLACE, "'performed in ' || place", programme.place),
        ),
        *_type_steps(programme, production),
        ("in_period IS FALSE", _period_decision(claimed)),
        (f"rule_verdict = '{SpendVerdict.REFUSED.value}' AND missing IS NULL", _RULE_DECISION),
        ("position = 0", _NO_RULE_DECISION),
        ("in_place IS NULL", _decision(SpendVerdict.REVIEW, PLACE, _PLACE_REASON, programme.place)),
        ("in_period IS NULL", _letter_decision(claimed)),
        ("is_lump_sum", _own_decision(LUMP_SUM, "a lump sum: no dates of the service and no detail")),
        ("is_undated", _own_decision(DATES, "the dates of the service are not stated")),
        ("service_to < service_from", _own_decision(DATES, "the service ends before it begins")),
        ("is_outside", _own_decision(DATES, "performed in part or in whole outside the dates that count")),
    ]
    cases = " ".join(f"WHEN {condition} THEN {decision}" for condition, decision in steps)
    return f"CASE {cases} ELSE {_RULE_DECISION} END"


def _type_steps(programme: Programme, production: Production) -> list[tuple[str, str]]:
    """Return the step that decides on all costs of a production of a type that the programme is not for."""
    if not programme.production_types or production.type in programme.production_types:
        return []
    types = ", ".join(kind.value for kind in programme.production_types)
    reason = text_sql(f"for productions of type {types}, not {production.type.value}")
    return [("true", _decision(_refusal(programme), PRODUCTION_TYPE, reason, programme))]


def _refusal(sourced: Sourced) -> SpendVerdict:
    return SpendVerdict.REFUSED if sourced.certainty.rejects else SpendVerdict.REVIEW


def _decision(verdict: SpendVerdict, rule: str, reason_sql: str, sourced: Sourced) -> str:
    return _struct(verdict.value, rule, reason_sql, sourced.certainty, origin(sourced))


def _own_decision(rule: str, reason: str) -> str:
    """Return a request for a look that follows from what an expenditure statement must show."""
    return _struct(SpendVerdict.REVIEW.value, rule, text_sql(reason), Certainty.MEDIUM, _STATEMENT_RULE)


def _struct(verdict: str, rule: str, reason_sql: str, certainty: Certainty, source: str) -> str:
    return (
        f"{{'verdict': '{verdict}', 'rule': {text_sql(rule)}, 'reason': {reason_sql},"
        f" 'certainty': '{certainty.value}', 'source': {text_sql(source)}}}"
    )


def _period_decision(claimed: ClaimedProgramme) -> str:
    """Return the decision on a transaction date outside: by the letter, or by programme and claim."""
    programme, first, last = claimed.programme, starts_on(claimed), ends_on(claimed)
    period = programme.period or programme
    by_letter = programme.letter is not None and first == claimed.claim.allocation_letter
    before = (programme.letter or period) if by_letter else period
    what = "the allocation letter or certificate" if by_letter else "the first day that counts"
    too_early = _decision(
        _refusal(before), LETTER if by_letter else PERIOD, text_sql(f"dated before {what}, {first}"), before
    )
    too_late = _decision(
        _refusal(period), PERIOD, text_sql(f"dated after the last day that counts, {last}"), period
    )
    if first is None:
        return too_late
    return f"CASE WHEN transaction_date < DATE '{first}' THEN {too_early} ELSE {too_late} END"


def _letter_decision(claimed: ClaimedProgramme) -> str:
    sourced = claimed.programme.letter or claimed.programme
    reason = "production.yaml does not state the date of the allocation letter or certificate"
    return _decision(SpendVerdict.REVIEW, LETTER, text_sql(reason), sourced)


_STATEMENT_RULE: Final = (
    "Screen Australia, expenditure statement: dates performed; lump sums cannot be assessed"
)

_PLACE_REASON: Final = """CASE
    WHEN trim(coalesce(jurisdiction, '')) = '' THEN 'where it was performed is not stated'
    WHEN place IS NULL THEN 'where it was performed is not one country or region: ' || jurisdiction
    ELSE 'performed in ' || place || ', of which only a part counts' END"""

_RULE_DECISION: Final = f"""{{
    'verdict': CASE WHEN missing IS NULL THEN rule_verdict ELSE '{SpendVerdict.REVIEW.value}' END,
    'rule': rule_id,
    'reason': CASE WHEN missing IS NULL THEN rule_reason
        ELSE 'not known: ' || missing || ' (' || rule_reason || ')' END,
    'certainty': rule_certainty, 'source': rule_source}}"""

_NO_RULE_DECISION: Final = _struct(
    SpendVerdict.REFUSED.value,
    NO_RULE,
    text_sql("no rule of the programme covers it"),
    Certainty.MEDIUM,
    "the file",
)

_JUDGED: Final = """
CREATE OR REPLACE TEMP TABLE judged AS
WITH placed AS (
    SELECT *, {resident} AS resident FROM (SELECT *, {in_place} AS in_place FROM spend) WHERE {kept}),
matched AS (
    SELECT *, {in_period} AS in_period, {outside} AS is_outside, {position} AS position FROM placed),
explained AS (SELECT *, {missing} AS missing FROM matched),
decided AS (
    SELECT explained.*, {decision} AS decision
    FROM explained LEFT JOIN spend_rules USING (position)),
programme_rates AS (SELECT snapshot_id, rate FROM fx_rates WHERE currency = {programme_currency})
SELECT decided.* EXCLUDE (decision, missing, in_period, in_place, is_outside, position),
    programme_rates.rate AS programme_rate, {programme_amount} AS programme_amount,
    decision.verdict, decision.rule, decision.reason, decision.certainty, decision.source
FROM decided LEFT JOIN programme_rates USING (snapshot_id)
"""
