"""The next step after a failed check, as a sentence at the end of its message; more is in docs/runbook.md."""

from __future__ import annotations

from typing import Final

_RESTORE: Final = "stop, find the difference with `showcost verify`, and restore ledger and audit log"
_AGAIN: Final = "materialise {} of that date again; if it still fails, keep the folder and report it"

NEXT_STEPS: Final = {
    "schema": "this is a defect in showcost: keep the data folder and report it",
    "rows_reconcile": _AGAIN.format("{before}"),
    "records_reconcile": "land the feed again; if it still fails, keep the data folder and report it",
    "amounts_balance": _AGAIN.format("{asset}"),
    "fx_pinned": _RESTORE,
    "snapshot_unchanged": _RESTORE,
    "append_only": _RESTORE,
    "audit_chain": _RESTORE,
    "verified": _RESTORE,
    "deliveries_readable": "ask the sender for a new file, or correct the feed's YAML and land again",
    "all_rows_dated": "ask the sender, or set the dates with `showcost queue resolve`",
    "no_rejected_rows": "work through `showcost queue list`",
    "no_pay_findings": "write to the payroll company, or dismiss them with `showcost queue dismiss`",
    "within_purchase_orders": "see `showcost queue orders`",
    "calendar_complete": "import a complete rate file: `showcost fx import FILE`",
    "dates_complete": "see the dead letters; `showcost pull --dead-letters` tries again",
    "nothing_missing": "`showcost pull --dead-letters` tries again",
    "budget_is_complete": "complete budget.csv, or budget_rates in production.yaml",
    "packs_are_unchanged": "find out who changed the pack, and make it again as of its audit record",
}
"""By the name of the check; `{asset}` is the asset that was checked, `{before}` the one before it."""


def next_step(check: str, asset: str) -> str | None:
    """Return the next step after a check of an asset failed; None if there is none in particular."""
    step = NEXT_STEPS.get(check)
    before = f"raw_{asset.removeprefix('valid_')}"
    return None if step is None else step.format(asset=asset, before=before)


def with_next_step(check: str, message: str, asset: str) -> str:
    """Return the message of a failed check of an asset with its next step, if it has one."""
    step = next_step(check, asset)
    return message if step is None else f"{message}; next: {step}"
