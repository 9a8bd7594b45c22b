"""The generated page of incentive programmes: every rule, rate and cap with its source and certainty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from showcost.config.incentives import packaged_programmes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.config.incentives import Programme, SpendCap, SpendRule
    from showcost.config.incentives.model import CostConditions, Sourced


def incentive_rules() -> str:
    """Return the page."""
    lines = [
        "# Incentive programmes: all rules",
        "",
        "Generated from `showcost/config/incentives/data` by `make docs`; do not edit.",
        "[Qualified spend](incentives.md) explains verdicts, caps and claims.",
        "",
        "Certainty: H primary text, M official or trade summary, D derived by arithmetic, L unverified. A",
        "rule of certainty D or L never decides alone: the cost needs a look.",
    ]
    for programme in packaged_programmes().values():
        lines += ["", f"## {programme.title} (`{programme.programme}`)", "", *_programme(programme)]
    return "\n".join(lines) + "\n"


def _programme(programme: Programme) -> Iterator[str]:
    facts = {
        "authority": programme.authority,
        "currency": programme.currency,
        "source": _origin(programme),
        "performed in": f"{', '.join(programme.jurisdictions)}. {_origin(programme.place)}",
        "dates": f"{_dates(programme)}. {_origin(programme.period)}"
        if programme.period
        else "not limited in the file",
        "allocation letter or certificate": _origin(programme.letter)
        if programme.letter
        else "not needed by the file",
        "types of production": ", ".join(programme.production_types) or "not limited in the file",
        "not together with": ", ".join(f"`{name}`" for name in programme.not_with)
        or "no other in these files",
    }
    yield "| | |"
    yield "|---|---|"
    yield from (f"| {name} | {_cell(text)} |" for name, text in facts.items())
    yield from ("", "| rule | verdict | costs | reason | source | |", "|---|---|---|---|---|---|")
    yield from (_rule(rule) for rule in programme.rules)
    yield from ("", "| rate or cap | | source | |", "|---|---|---|---|")
    for rate in programme.rates:
        yield f"| `{rate.category}` | {rate.percent}% | {_cell(_source(rate))} | {rate.certainty} |"
    yield from (
        f"| `{cap.id}` | {_cap(cap, programme)} | {_cell(_source(cap))} | {cap.certainty} |"
        for cap in programme.caps
    )
    yield from ("", "Not in the file:", "", *(f"- {text}" for text in programme.unmodelled))


def _rule(rule: SpendRule) -> str:
    costs = _conditions(rule.when)
    if rule.unless is not None:
        costs = f"{costs}, unless {_conditions(rule.unless)}"
    cells = (f"`{rule.id}`", rule.effective, costs, rule.reason, _source(rule), rule.certainty)
    return f"| {' | '.join(_cell(text) for text in cells)} |"


def _conditions(when: CostConditions) -> str:
    given = when.model_dump(mode="json", exclude_defaults=True)
    parts = [f"{name.replace('_', ' ')} {', '.join(map(str, values))}" for name, values in given.items()]
    return "; ".join(parts) or "all others"


def _cap(cap: SpendCap, programme: Programme) -> str:
    what = (
        f"{cap.amount:,} {programme.currency} of {'credit' if cap.base == 'credit' else 'qualifying spend'}"
        if cap.amount is not None
        else f"{cap.percent}% of {cap.base.replace('_', ' ')}"
    )
    return f"{what} ({', '.join(cap.categories)})" if cap.categories else what


def _dates(programme: Programme) -> str:
    return f"from {programme.start or 'any date'} to {programme.end or 'an open end'}"


def _source(sourced: Sourced) -> str:
    return f"{sourced.source}: {sourced.clause}" if sourced.clause else sourced.source


def _origin(sourced: Sourced) -> str:
    return f"{_source(sourced)} ({sourced.certainty})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
