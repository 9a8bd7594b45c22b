"""Effects of decisions in the split: waived, withheld, rebooked, reversed and corrected rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pytest

from showcost.core.reason_catalogue import CATALOGUE, Severity
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


def codes_by_delivery(
    landed: pa.Table, *effects: Row, originals: pa.Table | None = None
) -> dict[str, list[str]]:
    """Return the codes per delivery; for a valid row its flags, each after a plus sign."""
    decided = DecisionEffects(
        pa.Table.from_pylist(list(effects), schema=EFFECTS),
        landed.slice(0, 0) if originals is None else originals,
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
    flags = {row["delivery"][0]: [f"+{code}" for code in row["flags"]] for row in outcome.valid.to_pylist()}
    return flags | {row["delivery"][0]: row["codes"] for row in outcome.quarantine.to_pylist()}


def test_a_waived_reason_becomes_a_flag() -> None:
    landed = rows(FIRST | WRONG_SUM)
    assert codes_by_delivery(landed) == {"a": ["SC-AMT-003"]}
    assert codes_by_delivery(landed, effect(FIRST, "accept", codes=["SC-AMT-003"])) == {"a": ["+SC-AMT-003"]}


def test_a_row_with_another_reason_stays_in_quarantine() -> None:
    landed = rows(FIRST | WRONG_SUM | {"account": "0000"})
    assert codes_by_delivery(landed, effect(FIRST, "accept", codes=["SC-AMT-003"])) == {"a": ["SC-COA-001"]}


@pytest.mark.parametrize("decision", ["discard", "withdraw"])
def test_a_withheld_row_is_not_posted_nor_is_a_later_one(decision: str) -> None:
    landed = rows(FIRST, SECOND, THIRD | OTHER)
    assert codes_by_delivery(landed, effect(FIRST, decision)) == {
        "a": ["SC-COR-001"],
        "b": ["SC-DUP-001"],
        "c": ["SC-DUP-002"],
    }


def test_discarding_a_repetition_does_not_affect_the_first_row() -> None:
    assert codes_by_delivery(rows(FIRST, SECOND), effect(SECOND, "discard")) == {
        "a": [],
        "b": ["SC-COR-001", "SC-DUP-001"],
    }


def test_a_reversed_row_keeps_its_key_when_an_earlier_one_becomes_sound() -> None:
    assert codes_by_delivery(rows(FIRST, SECOND), effect(SECOND, "withdraw")) == {
        "a": ["SC-DUP-001"],
        "b": ["SC-COR-001"],
    }


def test_the_row_that_was_rebooked_last_holds_the_key() -> None:
    landed = rows(FIRST, SECOND | OTHER, THIRD)
    assert codes_by_delivery(landed, effect(SECOND, "prefer", 5))["b"] == []
    both = codes_by_delivery(landed, effect(SECOND, "prefer", 5), effect(FIRST, "prefer", 9))
    assert both == {"a": [], "b": ["SC-DUP-002"], "c": ["SC-DUP-001"]}


def test_a_repetition_of_a_corrected_row_is_a_duplicate_of_it() -> None:
    """The first was corrected to another key: a copy of it does not take the old key, other content does."""
    delivered = rows(FIRST)
    landed = rows(FIRST | {"invoice_no": "R-1001-A"}, SECOND, THIRD | OTHER)
    plain = codes_by_delivery(landed)
    assert plain == {"a": [], "b": [], "c": ["SC-DUP-002"]}
    assert codes_by_delivery(landed, effect(FIRST, "correct"), originals=delivered) == {
        "a": [],
        "b": ["SC-DUP-001"],
        "c": [],
    }


def test_an_earlier_row_is_no_repetition_of_a_later_one_that_was_corrected() -> None:
    delivered = rows(SECOND)
    landed = rows(FIRST, SECOND | {"invoice_no": "R-1001-A"})
    assert codes_by_delivery(landed, effect(SECOND, "correct"), originals=delivered) == {"a": [], "b": []}


def test_only_row_faults_may_be_waived() -> None:
    for reason in CATALOGUE.values():
        if reason.waivable:
            assert reason.severity is Severity.ROW, reason.code
            assert reason.family not in {"ROW", "DAT", "FX", "PER", "COR"}, reason.code
