"""The truth file of the sample agrees with an independent reading; rows without a planted fault are clean."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import stdnum.ca.bn
import stdnum.de.vat
import stdnum.gb.vat
import stdnum.us.ein

from showcost.config.feed import FeedSpec, normal_header
from showcost.config.feeds import load_feeds
from showcost.core.reason_catalogue import CATALOGUE, Severity, in_force
from showcost.workspace import open_workspace
from showcost_tests.sample.truth import HOME, amount, clean_rows, day, delivered, truth

LAST_RATE = date(2026, 10, 30)
TAX_RULES = {"DE": stdnum.de.vat, "GB": stdnum.gb.vat, "CA": stdnum.ca.bn, "US": stdnum.us.ein}
ALL = {feed.name: feed for feed in load_feeds("HRB")}
FEEDS = {name: feed for name, feed in ALL.items() if feed.format == "csv"}
INVOICES = [name for name in FEEDS if name.startswith("vendor_invoices")]
CAC = "{urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2}"
CBC = "{urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2}"
HARMLESS = {"SC-DUP-001"}


def _files(feed: str) -> list[dict[str, Any]]:
    files: list[dict[str, Any]] = truth()["feeds"][feed]
    return files


def _tables(feed: str) -> list[dict[str, Any]]:
    return [file for file in _files(feed) if file["file_code"] in {None, "SC-FIL-003"}]


def _fields(feed: FeedSpec, row: dict[str, str]) -> dict[str, str]:
    """Return a row by field, as the feed names its columns."""
    meaning = {
        normal_header(header): field for field in feed.kind.by_name for header in feed.headers_of(field)
    }
    return {meaning[normal_header(header)]: text for header, text in row.items()} | feed.constants


def _clean(feed: str) -> list[dict[str, str]]:
    """Return the rows of a feed that must be posted."""
    return [
        _fields(FEEDS[feed], row)
        for file in _tables(feed)
        if not file["file_code"] and not file["same_bytes_as"]
        for row in clean_rows(feed, file)
    ]


def test_every_reason_in_force_is_planted_unless_no_file_of_the_sample_can_cause_it() -> None:
    """A changed rate set, a vendor's outage and a person's decision are not files of the inbox.

    An exceeded order (SC-PO-001) is a finding of the ledger and its plan lines, not of a row.

    Bytes that are not text are tested with the reader: this test could not read such a file.

    No vendor of the sample sends an invoice under two numbers, and no program spoilt a number (SC-DOC-001).

    The sample's payroll companies write listed words (SC-ROW-005), its vendors listed tax codes, and
    workbooks without hidden rows (SC-ROW-006);
    their totals are told from rows (SC-TOT-001), their credits have a sign (SC-AMT-004), and their amounts
    are in no other unit (SC-CUR-003).
    """
    elsewhere = {"SC-FX-003", "SC-COR-001", "SC-API-001", "SC-ROW-004", "SC-FIL-004", "SC-PO-001"}
    elsewhere |= {
        "SC-AMT-004",
        "SC-CUR-003",
        "SC-DOC-001",
        "SC-DUP-003",
        "SC-FIL-005",
        "SC-FX-004",
        "SC-ROW-005",
        "SC-ROW-006",
        "SC-TAX-001",
        "SC-TAX-002",
        "SC-TOT-001",
    }
    assert {reason.code for reason in in_force()} - set(truth()["codes"]) == elsewhere


def test_the_sample_is_of_the_size_and_badness_that_it_claims() -> None:
    files = [file for feed in ALL for file in _files(feed)]
    rows = sum(file["rows"] for file in files)
    bad = [row for file in files for row in file["planted"] if row["code"] not in HARMLESS]
    assert (len(files), rows) == (truth()["files"], truth()["rows"])
    assert 20 <= len(files) <= 36
    assert 2_800 <= rows <= 3_450
    assert 0.035 <= len(bad) / rows <= 0.055
    assert len({row["fault"] for row in bad}) >= 20


@pytest.mark.parametrize("feed", ALL)
def test_files_are_those_of_the_truth(feed: str) -> None:
    for file in _files(feed):
        content = (HOME / "inbox" / feed / file["file"]).read_bytes()
        assert sha256(content).hexdigest() == file["sha256"]
    names = [file["file"] for file in _files(feed)]
    assert names == sorted(names)


@pytest.mark.parametrize("feed", FEEDS)
def test_rows_are_counted_right(feed: str) -> None:
    for file in _tables(feed):
        around = file["header_record"] + file["footer_records"]
        if not file["same_bytes_as"]:
            assert len(delivered(feed, file)) == file["rows"] + around


@pytest.mark.parametrize("feed", FEEDS)
def test_dispositions_follow_from_the_codes(feed: str) -> None:
    special = {"SC-DUP-001": "duplicate"}
    for row in (row for file in _files(feed) for row in file["planted"]):
        pending = CATALOGUE[row["code"]].severity is Severity.PENDING
        assert row["disposition"] == ("pending" if pending else special.get(row["code"], "quarantined"))


@pytest.mark.parametrize("feed", FEEDS)
def test_clean_rows_can_be_posted(feed: str) -> None:
    workspace, spec = open_workspace(HOME), FEEDS[feed]
    for row in _clean(feed):
        dated = day(feed, row[spec.date_field])
        account = workspace.chart[row["account"]]
        assert all(row[field] for field in spec.required_fields)
        assert dated in workspace.production.dates
        assert dated <= LAST_RATE
        assert not any(dated in period for period in workspace.production.closed_periods)
        assert account.closed_on is None or dated < account.closed_on
        assert row["currency"] in {"USD", "EUR", "GBP", "CAD"}
        assert row["production_code"] == "HRB"


@pytest.mark.parametrize("feed", FEEDS)
def test_clean_rows_have_keys_of_their_own(feed: str) -> None:
    keys = Counter(tuple(row[field] for field in FEEDS[feed].key_fields) for row in _clean(feed))
    assert [key for key, count in keys.items() if count > 1] == []


@pytest.mark.parametrize("feed", INVOICES)
def test_clean_invoices_add_up_and_have_valid_tax_ids(feed: str) -> None:
    for row in _clean(feed):
        assert TAX_RULES[row["vendor_country"]].is_valid(row["vendor_tax_id"])
        if "gross_amount" in row:
            net, tax, gross = (amount(feed, row[f"{part}_amount"]) for part in ("net", "tax", "gross"))
            assert net + tax == gross


def test_clean_permits_end_after_they_start_and_keep_deposits_apart() -> None:
    workspace = open_workspace(HOME)
    for row in _clean("location_permits"):
        assert datetime.fromisoformat(row["start_datetime"]) < datetime.fromisoformat(row["end_datetime"])
        is_deposit = row["event_type"] in {"deposit", "refund"}
        assert (workspace.chart[row["account"]].kind == "balance") == is_deposit
        assert (amount("", row["fee_amount"]) == 0) == is_deposit


def test_clean_payroll_is_the_sum_of_its_components() -> None:
    for row in _clean("payroll_manifest"):
        hours = sum(
            amount("", row[name]) * factor
            for name, factor in (
                ("hours_1x", Decimal(1)),
                ("hours_1_5x", Decimal("1.5")),
                ("hours_2x", Decimal(2)),
                ("hours_3x", Decimal(3)),
            )
        )
        guaranteed = 10 if row["currency"] == "GBP" else 8
        rate = Decimal(row["rate"]) / (1 if row["rate_basis"] == "hour" else guaranteed)
        pay = rate * hours + Decimal(row["meal_penalty_amount"]) + Decimal(row["rest_penalty_amount"])
        assert abs(pay - Decimal(row["gross"])) <= Decimal("0.005")


@pytest.mark.parametrize("feed", FEEDS)
def test_totals_of_clean_rows_are_those_of_the_truth(feed: str) -> None:
    for file in _tables(feed):
        posted = not (file["same_bytes_as"] or file["file_code"])
        assert file["posted"] == (_totals(feed, file) if posted else {})


def _totals(feed: str, file: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Recompute the truth about a file: number and amounts of its clean rows by currency."""
    names = {name for totals in file["posted"].values() for name in totals} - {"rows"}
    by_currency: dict[str, dict[str, str]] = {}
    for row in (_fields(FEEDS[feed], row) for row in clean_rows(feed, file)):
        totals = by_currency.setdefault(row["currency"], {"rows": "0"})
        totals["rows"] = str(int(totals["rows"]) + 1)
        for name in (name for name in names if row[name]):
            totals[name] = f"{Decimal(totals.get(name, '0')) + amount(feed, row[name]):.2f}"
    return by_currency


def test_e_invoices_state_the_sums_of_the_truth() -> None:
    for file in _files("e_invoices"):
        root = ET.parse(HOME / "inbox" / "e_invoices" / file["file"]).getroot()  # noqa: S314 - ours
        sign = -1 if root.tag.endswith("CreditNote") else 1
        (monetary,) = root.iter(f"{CAC}LegalMonetaryTotal")
        (tax,) = (total.findtext(f"{CBC}TaxAmount") for total in root.findall(f"{CAC}TaxTotal"))
        stated = {element.tag.removeprefix(CBC): Decimal(str(element.text)) for element in monetary}
        lines = [element for element in root if element.tag.endswith("Line")]
        sum_of_lines = sum(
            (Decimal(str(line.findtext(f"{CBC}LineExtensionAmount"))) for line in lines), Decimal(0)
        )
        if file["file_code"]:
            assert sum_of_lines != stated["LineExtensionAmount"]
            continue
        assert sum_of_lines == stated["LineExtensionAmount"]
        others = len(root.findall(f"{CAC}AllowanceCharge")) + ("PayableRoundingAmount" in stated)
        assert file["rows"] == len(lines) + others
        net = stated["TaxExclusiveAmount"] + stated.get("PayableRoundingAmount", Decimal(0))
        assert file["posted"]["EUR"] == {
            "rows": str(file["rows"]),
            "net_amount": f"{sign * net:.2f}",
            "tax_amount": f"{sign * Decimal(str(tax)):.2f}",
        }


def test_the_totals_of_canadian_reports_hold_but_in_the_one_that_is_refused() -> None:
    for file in _files("vendor_invoices_ca"):
        records = delivered("vendor_invoices_ca", file)
        column = records[file["header_record"] - 1].index("Document Total")
        *rows, footer = records[file["header_record"] :]
        off = Decimal(footer[column]) - sum((Decimal(row[column]) for row in rows), Decimal(0))
        assert (off != 0) == (file["file_code"] == "SC-FIL-003")


def test_copies_are_byte_identical_and_the_reissue_is_not() -> None:
    hashes = {(feed, file["file"]): file["sha256"] for feed in FEEDS for file in _files(feed)}
    copies = [(feed, file) for feed in FEEDS for file in _files(feed) if file["same_bytes_as"]]
    assert len(copies) == 1
    for feed, file in copies:
        assert hashes[feed, file["file"]] == hashes[feed, file["same_bytes_as"]]
    assert len(set(hashes.values())) == len(hashes) - 1
