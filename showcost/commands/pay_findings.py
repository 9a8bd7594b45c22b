"""Pay findings in the answers of commands: as facts, as a table, and in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from showcost.commands.output import ID_SHOWN, say, show_table
from showcost.core.reasons import CATALOGUE
from showcost.stages.pay_queue import place_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from showcost.staging.findings import Finding


def finding_facts(finding: Finding) -> Mapping[str, object]:
    """Return what a finding says, with the id of its row."""
    return {
        "id": finding.finding_id,
        "row": place_of(finding).row_id,
        "feed": finding.feed,
        "date": finding.transaction_date,
        "code": finding.code,
        "field": finding.field,
        "told": finding.told,
        "source": finding.source,
        "pay_rules": finding.pay_rules,
        "cause": finding.cause,
    }


def show_findings(found: Sequence[Finding]) -> None:
    """Show findings as a table."""
    columns = ["row", "date", "code", "field", "what was found", "rule", "what to do"]
    rows = [
        (
            place_of(one).row_id[:ID_SHOWN],
            one.transaction_date,
            one.code,
            one.field,
            one.told,
            one.source,
            CATALOGUE[one.code].action,
        )
        for one in found
    ]
    show_table("Pay findings", columns, rows)


def say_findings(counts: Mapping[str, Mapping[str, int]]) -> None:
    """Say per feed how many findings wait for a look."""
    for feed, codes in counts.items():
        listed = ", ".join(f"{count} {code}" for code, count in codes.items())
        say(f"{feed}: {sum(codes.values())} pay findings wait for a look: {listed}.")
    if counts:
        say("`showcost queue list --findings` lists them; they keep no row out.")
