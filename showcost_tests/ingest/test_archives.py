"""Zip archives in the inbox: each file a delivery of its own, and archives that are refused whole."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from showcost.config.feed import FeedSpec
from showcost.ingest.landing import Landing, land
from showcost.readers import read_delivery
from showcost_tests.ingest.test_inbox import ROW, home
from showcost_tests.ingest.test_landing import FEED, HEADER

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.workspace import Workspace

__all__ = ["home"]


def text(number: int) -> str:
    return f"{HEADER}\n{ROW.format(f'{number}.00')}"


def archive(path: Path, files: dict[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in files.items():
            out.writestr(name, content)
    return path


def zipped(content: bytes | str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as out:
        out.writestr("any.csv", content)
    return stream.getvalue()


def names(landing: Landing) -> list[tuple[str, str | None]]:
    return [(delivery.arrival.name, delivery.summary.refused) for delivery in landing.read]


def test_each_file_of_an_archive_is_a_delivery(home: Workspace) -> None:
    inbox = home.inbox / FEED.name
    files: dict[str, bytes | str] = {"a.csv": text(1), "sub/b.csv": text(2), "readme.pdf": b"%PDF-1.7"}
    path = archive(inbox / "all.zip", files)
    landing = land(home, FEED)
    expected = [("all.zip/a.csv", None), ("all.zip/sub/b.csv", None), ("all.zip/readme.pdf", "SC-FIL-001")]
    assert names(landing) == expected
    assert [delivery.summary.received for delivery in landing.read] == [1, 1, 1]
    assert names(land(home, FEED)) == []
    (home.raw / "inbox.json").unlink()
    second = land(home, FEED)
    assert (second.read, second.again) == ((), ())
    assert len(home.register.arrivals(FEED.name)) == 3
    path.rename(inbox / "again.zip")
    assert land(home, FEED).again == ("again.zip/a.csv", "again.zip/sub/b.csv", "again.zip/readme.pdf")
    assert land(home, FEED).again == ()


def test_what_a_mac_adds_is_not_a_file(home: Workspace) -> None:
    files: dict[str, bytes | str] = {"a.csv": text(1), "__MACOSX/._a.csv": b"\0\5\x16\7", ".DS_Store": b"\0"}
    archive(home.inbox / FEED.name / "mac.zip", files)
    landing = land(home, FEED)
    assert names(landing) == [("mac.zip", None)]
    assert landing.read[0].summary.received == 1


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"a.csv": text(1), "b.zip": zipped(text(2))}, "the zip archive has another archive in it"),
        ({"a.csv": text(1), "b.csv.gz": b"\x1f\x8b\x08\0"}, "the zip archive has another archive in it"),
        ({"a.csv": text(1), "b.csv": b"1" * 2**27}, "the zip archive expands beyond the limit"),
        ({f"{n}.csv": "" for n in range(1_001)}, "the zip archive has 1001 files, more than 1000"),
        ({"__MACOSX/._a.csv": b"\0"}, "the zip archive has 0 files, one is expected"),
    ],
)
def test_an_archive_that_is_not_safe_is_refused_whole(
    home: Workspace, files: dict[str, bytes | str], why: str
) -> None:
    archive(home.inbox / FEED.name / "bad.zip", files)
    (home.inbox / FEED.name / "good.csv").write_text(text(1), encoding="utf-8")
    landing = land(home, FEED)
    assert names(landing) == [("bad.zip", "SC-FIL-001"), ("good.csv", None)]
    assert str(landing.read[0].summary.detail).startswith(why)


def test_a_damaged_file_refuses_its_archive(home: Workspace) -> None:
    path = archive(home.inbox / FEED.name / "bad.zip", {"a.csv": text(1), "b.csv": text(2) * 99})
    payload = bytearray(path.read_bytes())
    payload[payload.rindex(b"b.csv", 0, payload.index(b"PK\x01\x02")) + 9] ^= 0xFF
    path.write_bytes(payload)
    assert names(land(home, FEED)) == [("bad.zip", "SC-FIL-001")]


def test_json_lines_are_items(tmp_path: Path) -> None:
    feed = FeedSpec(
        name="lines",
        description="Lines",
        record_kind="vendor_invoice",
        format="json",
        items={"list": "$lines", "paths": {"invoice_no": "no", "net_amount": "net"}},
    )
    path = tmp_path / "any.jsonl"
    items = [json.dumps({"no": f"R{n}", "net": n + 0.5}) for n in range(3)]
    path.write_text("\ufeff" + "\n".join([items[0], "", '{"no": "R9", "net"', items[1], "[1]", items[2]]))
    with read_delivery(path, format="json", items=feed.items) as reading:
        rows = reading.table().to_pylist()
        rejected = [(item.raw.decode(), item.detail) for item in reading.rejected]
    assert [row["cells"] for row in rows] == [["R0", "0.5"], ["R1", "1.5"], ["R2", "2.5"]]
    payload = path.read_bytes()
    for row in rows:
        assert json.loads(payload[row["byte_start"] : row["byte_end"]])["no"] == row["cells"][0]
    assert [raw for raw, _ in rejected] == ['{"no": "R9", "net"', "[1]"]
    assert rejected[0][1].startswith("no JSON")
