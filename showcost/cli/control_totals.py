"""Control totals that are not confirmed, in the output of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from showcost.cli.output import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from showcost.pipeline.control_totals import UnconfirmedTotal


def control_total_facts(totals: Sequence[UnconfirmedTotal]) -> list[dict[str, object]]:
    """Return unconfirmed control totals as facts for JSON."""
    return [
        {
            "delivery": total.delivery,
            "name": total.name,
            "field": total.field,
            "stated": total.stated,
            "total": total.total,
            "unreadable_rows": total.unreadable,
            "checked": total.is_checked,
            "message": total.message,
        }
        for total in totals
    ]


def say_control_totals(feed: str, totals: Sequence[UnconfirmedTotal]) -> None:
    """Print a line per unconfirmed control total."""
    for total in totals:
        say(f"{feed}: {total.name}: {total.message}")
