"""The page of timecards: the verdicts that were worked out by hand, as the test of the pay rules has them."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

CARDS: Final = Path(__file__).resolve().parents[1] / "showcost_tests" / "pay" / "timecards.csv"
_COLUMNS: Final = (
    *("number", "occupation", "place", "workday", "clock", "rate", "basis", "hours at 1x 1.5x 2x 3x"),
    *("meal penalty", "gross", "further", "verdict", "why"),
)


def timecards() -> str:
    """Return the page."""
    with CARDS.open(encoding="utf-8", newline="") as file:
        cards = list(csv.DictReader(file, delimiter=";"))
    verdicts = Counter(card["verdict"] for card in cards)
    kept = verdicts["ok"] + verdicts["look"]
    lines = [
        "# Timecards by hand",
        "",
        "Generated from `showcost_tests/pay/timecards.csv` by `make docs`; do not edit.",
        "",
        "The verdicts were written from the sources of the [pay rules](pay-rules.md), not from the code:",
        "`ok` (posted without a flag), `look` (posted, for review: SC-PAY-009), or the code that rejects.",
        "`showcost_tests/pay/test_timecards.py` compares each of them with the engine's.",
        "",
        "| timecards | to be posted | falsely rejected | to be rejected | missed |",
        "|---|---|---|---|---|",
        f"| {len(cards)} | {kept} | 0 | {len(cards) - kept} | 0 |",
    ]
    for agreement in dict.fromkeys(card["agreement"] for card in cards):
        lines += _group(agreement, [card for card in cards if card["agreement"] == agreement])
    return "\n".join(lines) + "\n"


def _group(agreement: str, cards: list[dict[str, str]]) -> Iterator[str]:
    yield from ("", f"## {agreement}", "")
    yield f"| {' | '.join(_COLUMNS)} |"
    yield f"|{'---|' * len(_COLUMNS)}"
    for card in cards:
        yield f"| {' | '.join(card[name] for name in _COLUMNS)} |"
