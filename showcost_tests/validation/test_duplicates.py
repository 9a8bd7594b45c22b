"""Claims on keys across deliveries and partitions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from showcost.core.errors import IntegrityError
from showcost_tests.validation.raw import INVOICE, PRODUCTION, Row, feed_of, fx, posted_table, raw_table, run

if TYPE_CHECKING:
    from showcost.config.feed import FeedSpec
    from showcost.config.production import Production

FEED: Final = feed_of("vendor_invoice")
FIRST: Final[Row] = {"delivery": "a" * 64, "arrival": 1, "record": 2}
SECOND: Final[Row] = {"delivery": "b" * 64, "arrival": 2, "record": 2}
THIRD: Final[Row] = {"delivery": "c" * 64, "arrival": 3, "record": 9}


def rows(*changes: Row) -> pa.Table:
    return raw_table(FEED, [INVOICE | change for change in changes])


def codes_by_delivery(
    landed: pa.Table, posted: pa.Table | None = None, status: str = "ok"
) -> dict[str, list[str]]:
    """Return the codes per delivery (its first letter), in whatever partition its rows are."""
    codes: dict[str, list[str]] = {}
    for day in pc.unique(landed.column("transaction_date")).to_pylist():
        same = (
            pc.is_null(pc.field("transaction_date")) if day is None else pc.field("transaction_date") == day
        )
        outcome = run(FEED, landed.filter(same), same_key_rows=landed, posted=posted, fx_status=fx(status))
        codes |= {row["delivery"][0]: [] for row in outcome.valid.to_pylist()}
        codes |= {row["delivery"][0]: row["codes"] for row in outcome.quarantine.to_pylist()}
    return codes


def as_posted(landed: pa.Table, delivery: str, production: Production = PRODUCTION) -> pa.Table:
    """Return the row of a delivery as the ledger returns it after posting under a production."""
    alone = landed.filter(pc.starts_with(landed.column("delivery"), delivery))
    (row,) = run(FEED, alone, production=production).valid.to_pylist()
    return posted_table([(row["row_key"], row["delivery"], row["record"], row["content"])])


def test_file_delivered_again_in_other_bytes_is_a_duplicate() -> None:
    again = SECOND | {
        "net_amount": "100.0",
        "gross_amount": "119",
        "vendor_name": "Studio Babelsberg\u00a0Rentals ",
    }
    assert codes_by_delivery(rows(FIRST, again)) == {"a": [], "b": ["SC-DUP-001"]}


def test_corrected_invoice_is_a_conflict() -> None:
    corrected = SECOND | {"net_amount": "90", "tax_amount": "", "gross_amount": ""}
    assert codes_by_delivery(rows(FIRST, corrected)) == {"a": [], "b": ["SC-DUP-002"]}


def codes_by_record(landed: pa.Table, feed: FeedSpec, posted: pa.Table | None = None) -> dict[int, list[str]]:
    """Return the codes of the rows of the second delivery, by record."""
    outcome = run(feed, landed, same_key_rows=landed, posted=posted)
    codes: dict[int, list[str]] = {
        row["record"]: [] for row in outcome.valid.to_pylist() if row["arrival"] == 2
    }
    return codes | {row["record"]: row["codes"] for row in outcome.quarantine.to_pylist()}


AMOUNT: Final[Row] = {"tax_amount": "", "gross_amount": ""}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"net_amount": "-100"}, {2: ["SC-DUP-002"], 3: ["SC-DUP-002"], 4: []}),
        ({"net_amount": "100"}, {2: ["SC-DUP-001"], 3: [], 4: []}),
    ],
)
def test_a_line_waits_with_the_conflict_of_its_document(changed: Row, expected: dict[int, list[str]]) -> None:
    taken_back = SECOND | AMOUNT | changed
    anew = SECOND | AMOUNT | {"record": 3, "line_no": "2", "net_amount": "115"}
    other = SECOND | AMOUNT | {"record": 4, "invoice_no": "OTHER-1"}
    assert codes_by_record(rows(FIRST | AMOUNT, taken_back, anew, other), FEED) == expected


def test_the_reason_of_a_line_that_waits_names_the_contradicted_row() -> None:
    anew = SECOND | AMOUNT | {"record": 3, "line_no": "2", "net_amount": "115"}
    landed = rows(FIRST | AMOUNT, SECOND | AMOUNT | {"net_amount": "-100"}, anew)
    outcome = run(FEED, landed, same_key_rows=landed)
    (reason,) = json.loads(outcome.quarantine.to_pylist()[1]["reasons"])
    assert reason["expected"].endswith(": record 2 of delivery aaaaaaaaaaaa comes first")
    assert reason["source"].endswith("lines of one document")


def test_a_feed_that_replaces_line_by_line_waits_for_no_other_line() -> None:
    by_policy = FEED.model_copy(update={"corrected_documents": "reverse_and_rebook"})
    anew = SECOND | AMOUNT | {"record": 3, "line_no": "2", "net_amount": "115"}
    landed = rows(FIRST | AMOUNT, SECOND | AMOUNT | {"net_amount": "90"}, anew)
    assert codes_by_record(landed, by_policy) == {2: ["SC-DUP-002"], 3: []}


def test_lines_of_one_delivery_that_contradict_each_other_hold_no_other_up() -> None:
    again = FIRST | AMOUNT | {"record": 3, "net_amount": "90"}
    landed = rows(FIRST | AMOUNT, again, FIRST | AMOUNT | {"record": 4, "line_no": "2"})
    outcome = run(FEED, landed, same_key_rows=landed)
    assert [row["record"] for row in outcome.valid.to_pylist()] == [2, 4]


def test_correction_of_a_row_that_was_never_valid_is_accepted() -> None:
    bad = FIRST | {"account": "0000"}
    landed = rows(bad, SECOND, THIRD)
    assert codes_by_delivery(landed) == {"a": ["SC-COA-001", "SC-DUP-002"], "b": [], "c": ["SC-DUP-001"]}


def test_a_key_that_no_row_can_hold_has_no_holder() -> None:
    bad: Row = {"account": "0000"}
    assert codes_by_delivery(rows(FIRST | bad, SECOND | bad)) == {"a": ["SC-COA-001"], "b": ["SC-COA-001"]}


def test_posted_row_holds_the_key_against_an_earlier_one() -> None:
    landed = rows(FIRST | {"description": "as first delivered"}, SECOND, THIRD)
    assert codes_by_delivery(landed) == {"a": [], "b": ["SC-DUP-002"], "c": ["SC-DUP-002"]}
    posted = as_posted(landed, "b")
    assert codes_by_delivery(landed, posted) == {"a": ["SC-DUP-002"], "b": [], "c": ["SC-DUP-001"]}


def test_posted_row_need_not_be_among_the_rows() -> None:
    posted = as_posted(rows(FIRST), "a")
    assert codes_by_delivery(rows(SECOND), posted) == {"b": ["SC-DUP-001"]}
    outcome = run(FEED, rows(SECOND), posted=posted)
    (reason,) = json.loads(outcome.quarantine.column("reasons")[0].as_py())
    assert reason["expected"] == f"one row with this key: record 2 of delivery {'a' * 12} is posted"


@pytest.mark.parametrize("earlier_date_first", [True, False])
def test_key_in_two_partitions_is_held_by_the_earlier_arrival(earlier_date_first: bool) -> None:
    dates = ("2026-10-05", "2026-10-09")
    first, second = dates if earlier_date_first else reversed(dates)
    landed = rows(FIRST | {"invoice_date": first}, SECOND | {"invoice_date": second})
    assert codes_by_delivery(landed) == {"a": [], "b": ["SC-DUP-002"]}


def test_a_pending_row_holds_its_key() -> None:
    assert codes_by_delivery(rows(FIRST, SECOND), status="pending") == {
        "a": ["SC-FX-001"],
        "b": ["SC-DUP-001", "SC-FX-001"],
    }


def test_dispositions_of_rows_that_do_not_hold_the_key() -> None:
    landed = rows(FIRST, SECOND | {"net_amount": "€100"}, THIRD | {"description": "other"})
    outcome = run(FEED, landed, fx_status=fx("pending"))
    assert outcome.quarantine.column("disposition").to_pylist() == ["pending", "duplicate", "quarantined"]


def test_duplicate_of_a_posted_row_stays_one_after_its_period_was_closed() -> None:
    dated: Row = {"invoice_date": "2026-09-16"}
    landed = rows(FIRST | dated, SECOND | dated)
    open_ = run(FEED, landed).quarantine
    assert open_.column("codes").to_pylist() == [["SC-PER-001"], ["SC-PER-001"]]
    reopened = PRODUCTION.model_copy(update={"closed_periods": ()})
    posted = as_posted(landed, "a", reopened)
    closed = run(FEED, landed, posted=posted)
    assert closed.valid.column("flags").to_pylist() == [["SC-PER-001"]]
    assert closed.quarantine.column("disposition").to_pylist() == ["duplicate"]


def test_an_undated_row_is_a_candidate_but_cannot_hold_the_key() -> None:
    landed = rows(FIRST | {"invoice_date": "soon"}, SECOND)
    assert codes_by_delivery(landed) == {"a": ["SC-DAT-001", "SC-DUP-002"], "b": []}


def test_a_key_that_is_posted_twice_is_an_integrity_error() -> None:
    posted = as_posted(rows(FIRST), "a")
    with pytest.raises(IntegrityError, match="posted more than once"):
        run(FEED, rows(SECOND), posted=pa.concat_tables([posted, posted]))


def test_a_row_that_is_handed_in_twice_is_an_integrity_error() -> None:
    with pytest.raises(IntegrityError, match="handed in more than once"):
        run(FEED, rows(FIRST, FIRST))
