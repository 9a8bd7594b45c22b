"""The page of pay rules: every rule with its parameters, source and certainty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from showcost.config.agreements import packaged
from showcost.reports.guild_pack import parameters_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.config.agreements import Agreement, PayRule, ScalePeriod

_OPEN = "open"
_CHECKS = {
    "scale_floor": "SC-PAY-001",
    "annual_increases": "SC-PAY-001",
    "daily_overtime": "SC-PAY-002",
    "golden_hours": "SC-PAY-002",
    "day_multiple": "SC-PAY-002",
    "money_break": "SC-PAY-002, SC-PAY-006",
    "weekly_overtime": "SC-PAY-002, neighbouring days",
    "weekly_guarantee": "SC-PAY-001, SC-PAY-006",
    "workday": "SC-PAY-001, SC-PAY-006",
    "overtime_bounds": "SC-PAY-006",
    "minimum_call": "SC-PAY-004",
    "meal_penalty": "SC-PAY-003",
    "meal_due": "SC-PAY-003",
    "weekly_meal_penalties": "SC-PAY-003, neighbouring days",
    "rest_period": "SC-PAY-005, neighbouring days",
    "rest_invasion": "SC-PAY-005, neighbouring days",
    "contribution": "SC-PAY-007",
    "gross_is_sum": "SC-PAY-006",
}


def pay_rules() -> str:
    """Return the page."""
    lines = [
        "# Pay rules",
        "",
        "Generated from the files in `showcost/config/agreements/data` by `make docs`; do not edit.",
        "[Payroll](payroll.md) explains how rules are applied.",
        "",
        "Certainty: H primary text, M official or trade summary, D derived by arithmetic, L unverified.",
        "Rules of certainty H and M reject a row, or flag it if their code is a warning; rules of",
        "certainty D and L flag it with SC-PAY-009. Every number has a source. Dates in `from` and `to` are",
        "inclusive.",
    ]
    for agreement in packaged():
        lines += _agreement(agreement)
    return "\n".join(lines) + "\n"


def _agreement(agreement: Agreement) -> Iterator[str]:
    keyed = agreement.keyed_on.value.replace("_", " ")
    yield from ("", f"## {agreement.name}", "")
    yield f"Version {agreement.version}, hash `{agreement.version_hash}`. In force from {agreement.start} to"
    yield f"{agreement.end or _OPEN} by {keyed}; {agreement.source} (certainty {agreement.certainty})."
    if agreement.aliases:
        yield f"Also called {', '.join(agreement.aliases)}."
    yield from ("", "| local | | occupation codes | source | certainty |", "|---|---|---|---|---|")
    for local in agreement.locals:
        codes = ", ".join((*(f"{prefix}…" for prefix in local.prefixes), *local.codes)) or "none recorded"
        yield f"| {local.local} | {local.title} | {codes} | {local.source} | {local.certainty} |"
    if agreement.scales:
        yield from ("", "| scale | per | from | to | amount | source | certainty |", f"|{'---|' * 7}")
        yield from (_scale(period) for period in agreement.scales)
    yield from (
        "",
        "| rule | kind | check | rows, numbers | unit | from | to | keyed on | source | clause | certainty |",
        f"|{'---|' * 11}",
    )
    yield from (_rule(rule) for rule in agreement.rules)


def _scale(period: ScalePeriod) -> str:
    schedule = f", schedule {period.rate.schedule}" if period.rate.schedule else ""
    source = period.arithmetic or period.source
    return (
        f"| {period.rate.title} ({period.rate.occupation}{schedule}) | {period.basis} | {period.start} |"
        f" {period.end or _OPEN} | {period.amount} | {source} | {period.certainty} |"
    )


def _rule(rule: PayRule) -> str:
    cells = [
        rule.id,
        rule.kind.replace("_", " "),
        _CHECKS[rule.kind],
        parameters_of(rule) if rule.kind != "scale_floor" else "see the scales above",
        rule.unit,
        str(rule.start or ""),
        str(rule.end or ""),
        rule.keyed_on.value.replace("_", " "),
        rule.source,
        rule.clause + (f" ({rule.remark})" if rule.remark else ""),
        rule.certainty.value,
    ]
    return f"| {' | '.join(cells)} |"
