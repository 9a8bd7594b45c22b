"""E-invoices by API, one per page or in the items of a page: each row exactly once."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from showcost.config.feed import FeedSpec
from showcost.config.items import ItemMapping
from showcost.ingest.landing import land, landed
from showcost.readers import read_delivery
from showcost.simulator.running import simulated
from showcost.simulator.scripts import Script, invoices
from showcost.vendor_api.failures import FailureKind, RequestFailedError
from showcost.vendor_api.pagination import Pagination
from showcost_tests.readers.ubl.build import Invoice, Line
from showcost_tests.vendor_api.asking import api
from showcost_tests.vendor_api.test_pull import home_of
from showcost_tests.vendor_api.vendors import PAGES, feed_of, scripts
from showcost_tests.vendor_api.whole import expected_of, outcome_of, post_week, posted_lines, pull_week
from showcost_tests.whole.small import WEEK

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.workspace import Workspace

EUROPEAN = scripts(2, lines_per_day=12, page_size=4, failing=10)[1]
VENDORS = {
    "documents by link": replace(EUROPEAN, pages="link", answers="e-invoices", gzip=True),
    "documents by number": replace(EUROPEAN, pages="page", answers="e-invoices"),
    "documents in JSON": replace(EUROPEAN, pages="cursor", answers="e-invoices in json"),
}


def feed_with_documents(script: Script, base_url: str) -> FeedSpec:
    """Return the feed of a vendor that sends e-invoices."""
    plain = feed_of(script, base_url).model_dump(exclude={"constants", "items", "format"}, exclude_unset=True)
    in_json = {"format": "json", "items": {"list": "invoices", "document": "document"}}
    constants = {"vendor_tax_id": "DE999000105", "vendor_country": "DE"}
    plain["api"]["pages"] = PAGES[script.pages] | {"size": script.page_size}
    if script.answers == "e-invoices":
        plain["api"]["pages"] |= {"size": 1}
        return FeedSpec.model_validate(plain | {"format": "ubl", "constants": constants})
    return FeedSpec.model_validate(plain | in_json | {"constants": constants})


@pytest.mark.parametrize("script", VENDORS.values(), ids=VENDORS)
def test_every_line_of_every_document_is_posted_once(tmp_path: Path, script: Script) -> None:
    home = home_of(tmp_path)
    with simulated([script]) as simulator:
        feed = feed_with_documents(script, simulator.base_url(script.name))
        pull_week(home, [feed])
        while pull_week(home, [feed], dead_only=True).dead:
            pass
        observed = simulator.statistics()[script.name]
    assert set(observed["fetched"].values()) == {1}
    assert (observed["over_rate"], observed["over_concurrency"]) == (0, 0)
    post_week(home, [feed])
    assert outcome_of(home, feed) == expected_of(script)
    assert set(posted_lines(home, feed.name).values()) == {1}
    assert amounts_of(home, feed) == sum(int(line["net"].replace(".", "")) for line in lines(script))


def lines(script: Script) -> list[dict[str, Any]]:
    return [line for day in WEEK for invoice in invoices(script, day, day) for line in invoice["lines"]]


def amounts_of(home: Workspace, feed: FeedSpec) -> int:
    """Return the net amount of a feed in the ledger, in cents."""
    with home.ledger.read() as connection:
        amounts: list[tuple[int]] = connection.execute(
            "SELECT CAST(sum(amount) * 100 AS BIGINT) FROM ledger_entries"
            " WHERE feed = $feed AND component = 'net'",
            {"feed": feed.name},
        ).fetchall()
    return amounts[0][0]


def test_a_day_without_documents_is_complete(tmp_path: Path) -> None:
    script = replace(VENDORS["documents by link"], failing=0, lines_per_day=0)
    home = home_of(tmp_path)
    with simulated([script]) as simulator:
        feed = feed_with_documents(script, simulator.base_url(script.name))
        (outcome,) = pull_week(home, [feed]).feeds
        assert (len(outcome.complete), outcome.items, outcome.dead) == (len(WEEK), 0, ())
        assert pull_week(home, [feed]).feeds[0].pages == 0
    assert [delivery.summary.received for delivery in landed(home, feed)] == [0]


ITEMS = ItemMapping(list="docs", document="body.xml")
GOOD = Invoice([Line("100.00"), Line("50.10", percent="7")])
WRONG = Invoice([Line("10.00")], totals={"PayableAmount": "99.00"})


def page(*documents: object) -> bytes:
    return json.dumps({"docs": [{"body": {"xml": document}} for document in documents]}).encode()


def base64_of(invoice: Invoice, encoding: str = "utf-8") -> str:
    return base64.b64encode(invoice.data(encoding)).decode()


def read(folder: Path, data: bytes) -> tuple[list[dict[str, Any]], list[tuple[int, str, str]], list[bytes]]:
    """Return the records, and (record, code, detail) and places of the rejected records."""
    path = folder / "page.json"
    path.write_bytes(data)
    with read_delivery(path, format="json", items=ITEMS) as reading:
        records = [
            record | dict(zip(reading.header, record["cells"], strict=True))
            for record in reading.table().to_pylist()
        ]
        rejected = [(record.record, record.code, record.detail) for record in reading.rejected]
        places = [data[record.start : record.end] for record in reading.rejected]
        assert reading.counts.total == len(records) + len(rejected)
    return records, rejected, places


def test_documents_in_json_are_read_as_text_and_in_base64_whatever_their_encoding(tmp_path: Path) -> None:
    utf16 = GOOD.data("utf-16").decode("utf-16")
    wrapped = base64_of(GOOD, "iso-8859-1")
    wrapped = "\r\n".join(wrapped[at : at + 76] for at in range(0, len(wrapped), 76))
    data = page(GOOD.data().decode(), base64_of(GOOD), wrapped, utf16)
    records, rejected, _ = read(tmp_path, data)
    assert rejected == []
    assert [record["record"] for record in records] == list(range(1, 9))
    assert [record["net_amount"] for record in records] == ["100.00", "50.10"] * 4
    assert {record["description"] for record in records} == {"Tonangel & Zubehör"}
    item = json.loads(data)["docs"][1]
    third = records[2]
    assert json.loads(data[third["byte_start"] : third["byte_end"]]) == item
    assert third["raw"].startswith("<cac:InvoiceLine")


def test_a_faulty_document_alone_is_rejected(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "b">]>' + GOOD.xml()
    data = page(GOOD.xml(), base64_of(WRONG), "<Invoice>", "no base64!", bomb, None, 17, base64_of(GOOD))
    records, rejected, places = read(tmp_path, data)
    assert [record["record"] for record in records] == [1, 2, 9, 10]
    assert [(number, code) for number, code, _ in rejected] == [
        (3, "SC-FIL-003"),
        (4, "SC-FIL-001"),
        (5, "SC-FIL-001"),
        (6, "SC-FIL-001"),
        (7, "SC-ROW-001"),
        (8, "SC-ROW-001"),
    ]
    details = [detail for *_, detail in rejected]
    assert "BR-CO-16" in details[0]
    assert "neither XML nor base64" in details[2]
    assert "document type" in details[3]
    assert [json.loads(place) for place in places] == json.loads(data)["docs"][1:7]


def test_a_faulty_document_does_not_stop_the_others_of_its_page(tmp_path: Path) -> None:
    home, script = home_of(tmp_path), VENDORS["documents in JSON"]
    feed = feed_with_documents(script, "http://127.0.0.1:1/x").model_copy(update={"items": ITEMS})
    folder = home.inbox / feed.inbox_folder
    folder.mkdir(parents=True)
    (folder / "page.json").write_bytes(page(base64_of(GOOD), base64_of(WRONG)))
    (delivery,) = land(home, feed).read
    assert (delivery.summary.received, delivery.summary.undated, delivery.summary.refused) == (3, 3, None)


@pytest.mark.parametrize(
    "body",
    [
        b"<html></html>",
        b"<Invoice/>",
        GOOD.data()[:-40],
        b'{"docs": []}',
        b'<!DOCTYPE x [<!ENTITY a "b">]><x/>',
    ],
)
def test_a_page_that_is_not_a_document_is_refused(body: bytes) -> None:
    spec = api("http://127.0.0.1:1/x", pages={"kind": "link"})
    pagination = Pagination(spec, None, httpx.URL("http://127.0.0.1:1/x"))
    with pytest.raises(RequestFailedError) as failure:
        pagination.facts(body, None, None)
    assert failure.value.kind is FailureKind.UNREADABLE
    assert pagination.facts(GOOD.data(), None, None) == (1, None)
    assert pagination.facts(b"", None, None) == (0, None)


def test_inconsistent_settings_are_refused() -> None:
    plain = feed_of(EUROPEAN, "http://127.0.0.1:1/x").model_dump(exclude_unset=True)
    del plain["items"]
    for change, why in (
        ({"format": "csv"}, "json or ubl"),
        ({"format": "ubl", "api": plain["api"] | {"pages": PAGES["cursor"]}}, "has no cursor"),
        ({"items": {"list": "x"}}, "either paths"),
        ({"items": {"list": "x", "document": "a", "paths": {"line_no": "b"}}}, "either paths"),
        ({"items": {"list": "x", "document": "a", "lines": "b"}}, "a document has its own"),
    ):
        with pytest.raises(ValueError, match=why):
            FeedSpec.model_validate(plain | change)


def test_an_empty_file_in_the_inbox_is_still_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.xml"
    path.write_bytes(b"")
    with read_delivery(path, format="ubl") as reading:
        assert [record.code for record in reading.rejected] == ["SC-FIL-001"]
