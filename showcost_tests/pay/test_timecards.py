"""Timecards whose verdicts were worked out by hand from the sources: none falsely rejected, none missed.

`timecards.csv` has the cards and their verdicts, which were written from docs/pay-rules.md's sources and the
agreements' texts, not from the code. docs/timecards.md shows them.
"""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from showcost.config.agreements import packaged
from showcost_tests.pay.rows import row
from showcost_tests.pay.timecards import codes_of

if TYPE_CHECKING:
    from showcost_tests.pay.by_hand import Row

CARDS: Final = Path(__file__).with_name("timecards.csv")
LEAST: Final = 150

# Agreement, day of work and local of the groups of the table: days on which their scales have been read.
GROUPS: Final = {
    "Local 80 grip": ("IATSE Basic Agreement", "2026-10-05", {"union_local": "80", "schedule": "1"}),
    "Local 600 operator": ("IATSE Basic Agreement", "2026-10-05", {"union_local": "600"}),
    "SAG-AFTRA day performer": ("SAG-AFTRA TV/Theatrical 2023", "2025-01-10", {}),
    "SAG-AFTRA background": ("SAG-AFTRA TV/Theatrical 2023", "2024-01-10", {}),
    "Pact/Bectu TV drama": ("Pact/Bectu TV drama", "2025-10-06", {}),
    "IATSE Area Standards": ("IATSE Area Standards", "2026-10-05", {}),
    "Teamsters 399": ("Teamsters 399", "2026-10-05", {}),
}


def cards() -> list[dict[str, str]]:
    with CARDS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def timecard(card: dict[str, str]) -> Row:
    """Return a card of the table as a row; benefits are more than any agreement asks for."""
    name, day, local = GROUPS[card["agreement"]]
    columns = ("hours_1x", "hours_1_5x", "hours_2x", "hours_3x")
    hours = dict(zip(columns, card["hours at 1x 1.5x 2x 3x"].split(), strict=False))
    holiday = card["workday"] == "holiday"
    stated: Row = {
        "work_date": day,
        "occupation_code": card["occupation"],
        "work_place": card["place"],
        "day_of_workweek": "1" if holiday else card["workday"],
        "is_holiday": "yes" if holiday else "no",
        "rate": card["rate"],
        "rate_basis": card["basis"],
        "meal_penalty_amount": card["meal penalty"],
        "gross": card["gross"],
        "benefit_amount": str(Decimal(card["gross"]) + 1000),
    }
    further = dict(pair.split("=") for pair in card["further"].split(",") if pair)
    return row(packaged().named(name), **(stated | local | hours | _clock(card["clock"]) | further))


def _clock(text: str) -> Row:
    if not text:
        return {}
    call, *meals, wrap = text.split()
    times: Row = {"call_time": call, "wrap_time": wrap}
    for number, meal in enumerate(meals, start=1):
        out, back = meal.split("-")
        times |= {f"meal{number}_out": out, f"meal{number}_in": back}
    return times


@pytest.mark.parametrize("group", GROUPS)
def test_every_card_has_the_verdict_worked_out_by_hand(group: str) -> None:
    chosen = [card for card in cards() if card["agreement"] == group]
    assert chosen
    wrong = []
    for card in chosen:
        (codes,) = codes_of([timecard(card)])
        verdict = {"ok": [], "look": ["SC-PAY-009?"]}.get(card["verdict"], [card["verdict"]])
        rejected = [code for code in codes if code != "SC-PAY-009"]
        if (codes if card["verdict"] in {"ok", "look"} else rejected) != verdict:
            wrong.append((card["number"], card["why"], card["verdict"], codes))
    assert wrong == []


def test_the_table_is_large_enough_and_shows_both_sides() -> None:
    verdicts = [card["verdict"] for card in cards()]
    assert len(verdicts) >= LEAST
    assert [card["number"] for card in cards()] == [str(n) for n in range(1, len(verdicts) + 1)]
    rejected = [verdict for verdict in verdicts if verdict not in {"ok", "look"}]
    assert min(len(rejected), verdicts.count("ok")) >= LEAST // 3
