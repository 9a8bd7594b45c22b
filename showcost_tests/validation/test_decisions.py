"""Decisions of people in the split: waived, withheld, preferred, withdrawn and corrected rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pytest

from showcost.core.reasons import CATALOGUE, Severity
from showcost.validation.decisions import EFFECTS, DecisionEffects
from showcost.validation.validate import validate
from showcost_tests.validation.raw import (
    CHART,
    INVOICE,
    PRODUCTION,
    Row,
    feed_of,
    fx,
    posted_table,
    raw_table,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

FEED: Final = feed_of("vendor_invoice")
FIRST: Final[Row] = {"delivery": "a" * 64, "arrival": 1, "record": 2}
SECOND: Final[Row] = {"delivery": "b" * 64, "arrival": 2, "record": 2}
THIRD: Final[Row] = {"delivery": "c" * 64, "arrival": 3, "record": 2}
OTHER: Final[Row] = {"net_amount": "90", "tax_amount": "", "gross_amount": ""}
WRONG_SUM: Final[Row] = {"gross_amount": "120.00"}


def rows(*changes: Row) -> pa.Table:
    return raw_table(FEED, [INVOICE | change for change in changes])


def effect(row: Row, decision: str, seq: int = 1, codes: Iterable[str] = ()) -> Row:
    return {
        "delivery": row["delivery"],
        "record": row["record"],
        "decision": decision,
        "codes": list(codes),
        "withheld": decision in ("discard", "withdraw"),
        "preferred": decision == "prefer",
        "seq": seq,
    }


def verdicts(landed: pa.Table, *effects: Row, superseded: pa.Table | None = None) -> dict[str, list[str]]:
    """Return the codes per delivery, those of a valid row being its flags with a plus before them."""
    decided = DecisionEffects(
        pa.Table.from_pylist(list(effects), schema=EFFECTS),
        landed.slice(0, 0) if superseded is None else superseded,
    )
    outcome = validate(
        landed,
        feed=FEED,
        production=PRODUCTION,
        chart=CHART,
        fx_status=fx(),
        posted=posted_table(),
        same_key_rows=landed,
        decided=decided,
        chunk_rows=2,
    )
    found = {row["delivery"][0]: [f"+{code}" for code in row["flags"]] for row in outcome.valid.to_pylist()}
    return found | {row["delivery"][0]: row["codes"] for row in outcome.quarantine.to_pylist()}


def test_a_waived_reason_becomes_a_flag() -> None:
    landed = rows(FIRST | WRONG_SUM)
    assert verdicts(landed) == {"a": ["SC-AMT-003"]}
    assert verdicts(landed, effect(FIRST, "accept", codes=["SC-AMT-003"])) == {"a": ["+SC-AMT-003"]}


def test_a_reason_that_was_not_waived_still_keeps_the_row_out() -> None:
    landed = rows(FIRST | WRONG_SUM | {"account": "0000"})
    assert verdicts(landed, effect(FIRST, "accept", codes=["SC-AMT-003"])) == {"a": ["SC-COA-001"]}


@pytest.mark.parametrize("decision", ["discard", "withdraw"])
def test_a_withheld_row_stays_out_and_lets_no_later_one_in(decision: str) -> None:
    landed = rows(FIRST, SECOND, THIRD | OTHER)
    assert verdicts(landed, effect(FIRST, decision)) == {
        "a": ["SC-COR-001"],
        "b": ["SC-DUP-001"],
        "c": ["SC-DUP-002"],
    }


def test_discarding_a_repetition_does_not_harm_the_first() -> None:
    assert verdicts(rows(FIRST, SECOND), effect(SECOND, "discard")) == {
        "a": [],
        "b": ["SC-COR-001", "SC-DUP-001"],
    }


def test_a_withdrawn_row_holds_its_key_against_an_earlier_one_that_has_become_sound() -> None:
    assert verdicts(rows(FIRST, SECOND), effect(SECOND, "withdraw")) == {
        "a": ["SC-DUP-001"],
        "b": ["SC-COR-001"],
    }


def test_the_row_that_was_preferred_last_comes_first() -> None:
    landed = rows(FIRST, SECOND | OTHER, THIRD)
    assert verdicts(landed, effect(SECOND, "prefer", 5))["b"] == []
    both = verdicts(landed, effect(SECOND, "prefer", 5), effect(FIRST, "prefer", 9))
    assert both == {"a": [], "b": ["SC-DUP-002"], "c": ["SC-DUP-001"]}


def test_what_repeats_a_corrected_row_is_a_duplicate_of_it() -> None:
    """The first was corrected to another key: its copy does not take the old one, other content does."""
    former = rows(FIRST)
    landed = rows(FIRST | {"invoice_no": "R-1001-A"}, SECOND, THIRD | OTHER)
    plain = verdicts(landed)
    assert plain == {"a": [], "b": [], "c": ["SC-DUP-002"]}
    assert verdicts(landed, effect(FIRST, "correct"), superseded=former) == {
        "a": [],
        "b": ["SC-DUP-001"],
        "c": [],
    }


def test_an_earlier_row_is_no_repetition_of_a_later_one_that_was_corrected() -> None:
    former = rows(SECOND)
    landed = rows(FIRST, SECOND | {"invoice_no": "R-1001-A"})
    assert verdicts(landed, effect(SECOND, "correct"), superseded=former) == {"a": [], "b": []}


def test_only_what_keeps_a_row_out_may_be_waived() -> None:
    for reason in CATALOGUE.values():
        if reason.waivable:
            assert reason.severity is Severity.ROW, reason.code
            assert reason.family not in {"ROW", "DAT", "FX", "DUP", "PER", "COR"}, reason.code
