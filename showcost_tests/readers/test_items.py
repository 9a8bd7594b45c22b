"""Records of a page of JSON: places, digits, and every item in exactly one record."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from showcost.config.items import ItemMapping
from showcost.readers import Limits, Reading, read_delivery
from showcost.readers.json_items import JsonReading
from showcost.readers.json_text import canonical_json, look_up, parse_page
from showcost.readers.source import UnreadableError

if TYPE_CHECKING:
    from pathlib import Path

FLAT = ItemMapping(list="data.items", paths={"no": "id", "net": "amounts.net", "page": "$.meta.page"})
LINES = ItemMapping(
    list="$",
    lines="body.lines",
    paths={"no": "id", "line": "line.n", "net": "line.net", "tax": "tax"},
    once=("tax",),
)


def read(mapping: ItemMapping, page: str | bytes) -> Reading:
    return JsonReading(page if isinstance(page, bytes) else page.encode(), mapping, Limits())


def records(reading: Reading) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = reading.table().to_pylist()
    return rows


def test_an_item_is_a_record_with_its_place_and_its_digits() -> None:
    page = (
        '{"meta": {"page": 3},\n "data": {"n": 2, "items": [ {"id":"é1","amounts":{"net":1.50}},{"id":2} ]}}'
    )
    reading = read(FLAT, page)
    first, second = records(reading)
    assert first["cells"] == ["é1", "1.50", "3"]
    assert second["cells"] == ["2", "", "3"]
    assert (first["record"], second["record"]) == (1, 2)
    for record in (first, second):
        span = page.encode()[record["byte_start"] : record["byte_end"]]
        assert json.loads(span) == json.loads(record["raw"])
    assert first["raw"] == '{"amounts":{"net":1.50},"id":"é1"}'
    assert reading.counts.accepted == reading.counts.total == 2
    assert reading.header == ("no", "net", "page")


def test_each_line_of_an_item_is_a_record_and_the_tax_occurs_once() -> None:
    page = '[{"id":"A","tax":"1.9","body":{"x":1,"lines":[{"n":1,"net":"10"},{"n":2,"net":"0.0"}]}}]'
    first, second = records(read(LINES, page))
    assert first["cells"] == ["A", "1", "10", "1.9"]
    assert second["cells"] == ["A", "2", "0.0", ""]
    assert first["raw"] == '{"item":{"body":{"x":1},"id":"A","tax":"1.9"},"line":{"n":1,"net":"10"}}'


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ("17", "no object"),
        ("null", "no object"),
        ("[]", "no object"),
        ('{"id":"A"}', "without lines"),
        ('{"body":{"lines":[]}}', "without lines"),
        ('{"body":{"lines":{"n":1}}}', "without lines"),
        ('{"body":{"lines":[3]}}', "line 1 of an item is no object"),
        ('{"id":[1],"body":{"lines":[{"n":1}]}}', "no is no single value"),
        ('{"body":{"lines":[{"net":{"a":1}}]}}', "net is no single value"),
        (r'{"id":"\ud800","body":{"lines":[{"n":1}]}}', "half a character"),
    ],
)
def test_an_element_that_is_not_a_record_is_rejected_with_its_text(item: str, why: str) -> None:
    page = f'[{{"id":"A","body":{{"lines":[{{"n":1}}]}}}},{item}]'
    reading = read(LINES, page)
    assert [record["record"] for record in records(reading)] == [1]
    (rejected,) = reading.rejected
    assert (rejected.record, rejected.code) == (2, "SC-ROW-001")
    assert why in rejected.detail
    assert page.encode()[rejected.start : rejected.end].decode() == item
    assert rejected.raw
    assert reading.counts.total == 2


@pytest.mark.parametrize(
    "page",
    [
        *("", "  ", "<html></html>", '{"data": {"items": [', '{"data": {"items": [1,]}}', "[1] [2]", "nul"),
        *('{"data": {}}', '{"data": {"items": {}}}', '{"data": {"items": "x"}}', "[]", "17"),
        *('{"data": {"items": [NaN]}}', '{"data": {"items": [{"a":1,"a":2}]}}', "[" * 100_000),
        '{"data": {"items": [-Infinity]}}',
    ],
)
def test_an_invalid_page_is_refused_as_a_whole(page: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableError):
        read(FLAT, page)
    path = tmp_path / "page"
    path.write_text(page)
    with read_delivery(path, format="json", items=FLAT) as reading:
        assert reading.table().num_rows == 0
        (rejected,) = reading.rejected
    assert (rejected.code, rejected.record) == ("SC-FIL-001", 0)


def test_bytes_that_are_not_text_are_refused() -> None:
    with pytest.raises(UnreadableError, match="byte 1 "):
        read(LINES, b"[\xff]")


def test_a_page_in_the_inbox_may_be_compressed(tmp_path: Path) -> None:
    path = tmp_path / "page.json.gz"
    path.write_bytes(gzip.compress(b'{"data":{"items":[{"id":1}]}}'))
    with read_delivery(path, format="json", items=FLAT) as reading:
        assert reading.table().num_rows == 1


def test_an_empty_list_has_no_records() -> None:
    assert records(read(LINES, " [ ] ")) == []


def test_paths_lead_through_lists_and_stop_at_missing_values() -> None:
    page = parse_page(b'{"a": [{"b": "x"}, 2]}')
    assert look_up(page, "a.0.b") == "x"
    for path in ("a.7", "a.b", "a.0.b.c", "c", "a.1.b"):
        assert look_up(page, path) is None


_LEAVES = (
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(allow_nan=False, allow_infinity=False)
)
_JSON = st.recursive(
    _LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


def _dump(value: object) -> str:
    """Write JSON with the digits of decimals, which the library cannot."""
    if isinstance(value, dict):
        return "{ " + " , ".join(f"{json.dumps(k)} : {_dump(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[ " + " , ".join(map(_dump, value)) + " ]"
    return json.dumps(value) if isinstance(value, str | bool | int | None) else f"{value:f}"


@given(st.lists(_JSON, max_size=8))
def test_every_item_is_in_one_place_and_its_span_is_its_text(items: list[Any]) -> None:
    page = '{"x":"[{","data":{"items":' + _dump(items) + "}}"
    reading = read(FLAT, page)
    accepted = records(reading)
    places = [(record["record"], record["byte_start"], record["byte_end"]) for record in accepted]
    places += [(record.record, record.start, record.end) for record in reading.rejected]
    assert sorted(number for number, *_ in places) == list(range(1, len(items) + 1))
    data = page.encode()
    for number, start, end in places:
        assert data[start:end].decode() == _dump(items[number - 1])
    assert [canonical_json(parse_page(record["raw"].encode())) for record in accepted] == [
        record["raw"] for record in accepted
    ]


@pytest.mark.parametrize(("open_", "close"), [("[", "]"), ('{"a":', "}")])
def test_a_page_that_is_nested_deeper_than_can_be_written_again_is_refused(open_: str, close: str) -> None:
    for levels, is_read in ((90, True), (96, True), (101, False), (900, False), (50_000, False)):
        value = open_ * levels + "1" + close * levels
        page = f'{{"data":{{"items":[{{"id":1,"x":{value}}}]}}}}'
        if is_read:
            assert len(records(read(FLAT, page))) == 1
            continue
        with pytest.raises(UnreadableError, match=r"levels of JSON|nested too deeply"):
            read(FLAT, page)


def test_a_line_that_is_nested_too_deeply_is_rejected_and_the_others_are_records() -> None:
    lines = ItemMapping(list="$lines", paths={"no": "id"})
    deep = "[" * 120 + "]" * 120
    reading = read(lines, f'{{"id":1}}\n{{"id":{deep}}}\n{{"id":2}}\n')
    assert [row["cells"] for row in records(reading)] == [["1"], ["2"]]
    assert (reading.counts.rejected, reading.counts.accepted) == (1, 2)
