"""SQL for plan lines: purchase orders, estimates to complete and budget revisions, which are no entries.

A plan line and its withdrawal carry the number of their audit record (`seq`). As of a record there are those
whose number is not greater. `plan_lines` records them; decision record 25 says why they are not entries.
"""

from __future__ import annotations

from showcost.ledger.schema import PLAN_LINE


def plan_lines_as_of(as_of: int | None) -> str:
    """Return the SQL after FROM that reads the plan lines as of an audit record, or now.

    The columns are those of `plan_lines` (`schema.PLAN_COLUMNS`); withdrawn lines are left out.
    """
    known = "plan_lines" if as_of is None else f"(FROM plan_lines WHERE seq <= {int(as_of)})"
    return (
        f"(FROM {known} WHERE line_kind = '{PLAN_LINE}'"  # noqa: S608 - a number
        f" AND line_id NOT IN (SELECT withdraws FROM {known} WHERE withdraws IS NOT NULL))"
    )
