"""Write the generated pages of docs/: `python scripts/write_docs.py`.

A test fails if a committed page differs from the output.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from showcost.config.api import (
    ApiAuth,
    ApiLimits,
    ApiRetries,
    ApiSpec,
    ApiWindow,
    CursorPages,
    LinkedPages,
    PageNumbers,
    VendorTerms,
)
from showcost.config.feed import FeedSpec
from showcost.config.items import ItemMapping
from showcost.config.record_kinds import RECORD_KINDS
from showcost.core.reason_catalogue import CATALOGUE, Severity

sys.path.insert(0, str(Path(__file__).resolve().parent))
from incentive_rules_page import incentive_rules
from pay_rules_page import pay_rules
from timecards_page import timecards

if TYPE_CHECKING:
    from showcost.config.loading import ConfigModel

DOCS: Final = Path(__file__).resolve().parents[1] / "docs"

_EFFECTS: Final = {
    Severity.ROW: "R: the row goes to quarantine",
    Severity.FILE: "F: the whole delivery goes to quarantine",
    Severity.WARNING: "W: the row is posted and flagged",
    Severity.PENDING: "P: the row is pending and is released automatically",
}


def reason_codes() -> str:
    """Return the page of reason codes."""
    lines = [
        "# Reason codes",
        "",
        "Generated from `showcost/core/reason_catalogue.py` by `make docs`; do not edit.",
        "",
        "Codes are stable and opaque, and a retired code is never reused. A rejected row carries, for each",
        "code, the field, the observed and the expected value, and the source of the rule.",
        "",
        *(f"- {effect}" for effect in _EFFECTS.values()),
        "",
        "A row may be accepted despite a reason (`showcost queue resolve ID --accept`) only where it can be",
        "posted unchanged: it is complete, and the ledger takes its currency, date and account; only the",
        "vendor, a rule or a total is in doubt. Correct a blank or unreadable field instead. Fix a rate, a",
        "period or an account where it is kept. Of two rows with the same key, discard or rebook one.",
        "",
        "| code | | meaning | the accountant | can be accepted | in force |",
        "|---|---|---|---|---|---|",
    ]
    for reason in CATALOGUE.values():
        force = "yes" if reason.arrives_with is None else f"planned with {reason.arrives_with}"
        waivable = "yes" if reason.waivable else ""
        cells = (reason.code, reason.severity, reason.meaning, reason.action, waivable, force)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def feed_settings() -> str:
    """Return the page of feed settings and of the fields of each record kind."""
    lines = [
        "# Feeds: settings and fields",
        "",
        "Generated from `showcost/config/feed.py` and `record_kinds.py` by `make docs`; do not edit.",
        "",
        "## Settings",
        "",
        *_settings(FeedSpec),
    ]
    for title, model in _NESTED.items():
        lines += [
            "",
            f"## {title}",
            "",
            (model.__doc__ or "").strip().split("\n\n")[0],
            "",
            *_settings(model),
        ]
    for kind in RECORD_KINDS.values():
        lines += [
            "",
            f"## {kind.title} (`{kind.name}`)",
            "",
            f"Dated by `{kind.transaction_date}`; key: {', '.join(f'`{name}`' for name in kind.key)}.",
            "",
            "| field | read as | required | meaning |",
            "|---|---|---|---|",
        ]
        for field in kind.fields:
            required = "yes" if field.required else ""
            personal = " (personal: never shown)" if field.personal else ""
            lines.append(f"| `{field.name}` | {field.type} | {required} | {field.meaning}{personal} |")
    return "\n".join(lines) + "\n"


_NESTED: Final[dict[str, type[ConfigModel]]] = {
    "`items`": ItemMapping,
    "`api`": ApiSpec,
    "`api.auth`": ApiAuth,
    "`api.pages` with `kind: page`": PageNumbers,
    "`api.pages` with `kind: cursor`": CursorPages,
    "`api.pages` with `kind: link`": LinkedPages,
    "`api.window`": ApiWindow,
    "`api.limits`": ApiLimits,
    "`api.retries`": ApiRetries,
    "`api.terms`": VendorTerms,
}
"""Settings that have settings of their own."""


def _settings(model: type[ConfigModel]) -> list[str]:
    """Return a table of the settings of a model."""
    lines = ["| setting | | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        needed = "needed" if field.is_required() else ""
        default = "" if field.is_required() else _default(field.get_default(call_default_factory=True))
        lines.append(f"| `{name}` | {needed} | {default} | {field.description or ''} |")
    return lines


def _default(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in value)
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if isinstance(value, str | int) else ""


PAGES: Final = {
    "reason-codes.md": reason_codes,
    "feed-settings.md": feed_settings,
    "pay-rules.md": pay_rules,
    "timecards.md": timecards,
    "incentive-rules.md": incentive_rules,
}
"""The generated pages by file name."""


def main() -> None:
    """Write all pages."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
