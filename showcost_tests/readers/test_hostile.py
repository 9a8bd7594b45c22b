"""Files that are not tables, or that reach limits: a code each, bounded time and memory, no exception."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import time
import zipfile
from typing import TYPE_CHECKING

import pytest
import zstandard

from showcost.readers import Limits, read_delivery

if TYPE_CHECKING:
    from pathlib import Path

LINE = b"2025-01-02,ACME,12.50,GBP\n"
HEAD = b"date,vendor,amount,currency\n"


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, HEAD + LINE)
    return out.getvalue()


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "no content"),
        (b" \r\n\r\n", "no content"),
        (b"%PDF-1.7\n%\xe2\xe3", "PDF"),
        (b"<!DOCTYPE html><html><body>502</body></html>", "web page"),
        (b"\n  <?xml version='1.0'?><a/>", "web page"),
        (b"\0" * 5000, "binary"),
        (os.urandom(5000), ""),
        (b",".join(b"c%d" % n for n in range(10_000)) + b"\n", "10000 columns"),
        (gzip.compress(HEAD + LINE, mtime=0)[:-9], "damaged"),
        (gzip.compress(b"x" * 80_000_000, mtime=0), "expands"),
        (gzip.compress(gzip.compress(HEAD + LINE, mtime=0), mtime=0), "more than once"),
        (zipped("a.csv", "b.csv"), "2 files, one is expected"),
        (b"PK\x03\x04 no archive", "damaged"),
        (b"\xff\xfea", "UTF-16"),
        (b"x" * 20_000, "characters"),
    ],
)
def test_a_file_that_is_not_a_table_is_one_rejection(tmp_path: Path, payload: bytes, why: str) -> None:
    path = tmp_path / "delivery.csv"
    path.write_bytes(payload)
    with read_delivery(path) as reading:
        assert list(reading.records) == []
        rejected = list(reading.rejected)
    assert [r.code for r in rejected] == ["SC-FIL-001"]
    assert why in rejected[0].detail
    assert (rejected[0].record, rejected[0].start, rejected[0].end) == (0, 0, len(payload))


@pytest.mark.parametrize(
    "payload",
    [gzip.compress(HEAD + LINE * 3, mtime=0), zstandard.compress(HEAD + LINE * 3), zipped("../../up.csv")],
)
def test_compressed_deliveries_are_read(tmp_path: Path, payload: bytes) -> None:
    path = tmp_path / "delivery.csv"
    path.write_bytes(payload)
    with read_delivery(path, work_dir=tmp_path) as reading:
        assert reading.table().column("cells")[0].as_py() == ["2025-01-02", "ACME", "12.50", "GBP"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["delivery.csv"]


def codes(path: Path, payload: bytes) -> list[tuple[str, bytes]]:
    path.write_bytes(payload)
    with read_delivery(path) as reading:
        for _ in reading.records:
            continue
        return [(rejected.code, rejected.raw) for rejected in reading.rejected]


@pytest.mark.parametrize("line", [b"2025-01-02,A\0,1.00,GBP\n", b"2025-01-02,Caf\xe9,1.00,GBP\n"])
def test_bytes_that_are_not_text_have_their_own_code(tmp_path: Path, line: bytes) -> None:
    good = "2025-01-02,Caf\u00e9 Z\u00fcrich,12.50,GBP\n".encode()
    assert codes(tmp_path / "any", HEAD + good * 50 + line + good) == [("SC-ROW-004", line)]


def test_half_a_character_of_utf_16_costs_its_record(tmp_path: Path) -> None:
    text = (HEAD + LINE * 9).decode().encode("utf-16")
    broken = "2025-01-02,A\ud800,1.00,GBP\n".encode("utf-16-le", "surrogatepass")
    assert codes(tmp_path / "any", text + broken + LINE.decode().encode("utf-16-le")) == [
        ("SC-ROW-004", broken)
    ]


def test_rows_that_are_alike_are_not_a_header(tmp_path: Path) -> None:
    rows, details = accepted_and_rejected(tmp_path / "any", b"London,Hotel\n" * 50 + b"Paris,Rail\n" * 50)
    assert (rows, details) == (99, [])


def accepted_and_rejected(path: Path, payload: bytes) -> tuple[int, list[str]]:
    path.write_bytes(payload)
    began = time.monotonic()
    with read_delivery(path) as reading:
        rows = sum(batch.num_rows for batch in reading.records)
        details = [r.detail for r in reading.rejected]
    assert time.monotonic() - began < 30
    return rows, details


def test_a_quote_that_is_never_closed_costs_one_record(tmp_path: Path) -> None:
    payload = HEAD + LINE * 10 + b'2025-01-02,"ACME and sons,12.50,GBP\n' + LINE * 100_000
    rows, details = accepted_and_rejected(tmp_path / "any", payload)
    assert rows == 100_010
    assert details == ["a quote that is opened is not closed"]


def test_a_quote_at_the_very_start_costs_nothing_but_doubt(tmp_path: Path) -> None:
    rows, details = accepted_and_rejected(tmp_path / "any", b'"' + HEAD + LINE * 100_000)
    assert (rows, details) == (100_000, [])


@pytest.mark.parametrize("cell", [b"x" * 20_000_000, b'"' + b"x\n" * 10_000_000 + b'"'])
def test_a_huge_cell_costs_its_record(tmp_path: Path, cell: bytes) -> None:
    payload = HEAD + LINE * 1000 + b"2025-01-02," + cell + b",12.50,GBP\n" + LINE * 1000
    rows, details = accepted_and_rejected(tmp_path / "any", payload)
    assert rows == 2000
    assert details == [f"the record is longer than {Limits().record_bytes} bytes"]


def test_a_record_with_nul_bytes_is_rejected(tmp_path: Path) -> None:
    rows, details = accepted_and_rejected(
        tmp_path / "any", HEAD + LINE * 9 + b"2025-01-02,A\0,1.00,GBP\n" + LINE
    )
    assert (rows, details) == (10, ["the record has NUL bytes"])


def test_a_file_of_broken_records_ends(tmp_path: Path) -> None:
    rows, details = accepted_and_rejected(tmp_path / "any", b"a,b\n" + b'"a,b\n' * 300_000)
    assert rows == 0
    assert details[-1].startswith("most records before are ragged")


def test_bytes_that_are_not_valid_cost_their_record(tmp_path: Path) -> None:
    good = "2025-01-02,Café Zürich,12.50,GBP\n".encode()
    rows, details = accepted_and_rejected(
        tmp_path / "any", HEAD + good * 50 + b"2025-01-02,Caf\xe9,1.00,GBP\n" + good
    )
    assert (rows, details) == (51, ["the record has bytes that are not text in utf-8"])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_quote_at_the_start_of_a_gigabyte(tmp_path: Path) -> None:
    """Time and memory are those of a sound file, measured in a separate process."""
    path = tmp_path / "any"
    block = LINE * 40_000
    with path.open("wb") as file:
        file.write(b'"' + HEAD)
        for _ in range(2**30 // len(block)):
            file.write(block)
    script = (
        "import resource, sys\nfrom pathlib import Path\nfrom showcost.readers import read_delivery\n"
        "with read_delivery(Path(sys.argv[1])) as reading:\n"
        "    rows = sum(batch.num_rows for batch in reading.records)\n"
        "    print(rows, len(reading.rejected), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)\n"
    )
    command = [sys.executable, "-c", script, str(path)]
    out = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603 -- our own script
    rows, rejected, peak = map(int, out.stdout.split())
    assert (rows, rejected) == (2**30 // len(block) * 40_000, 0)
    assert peak < 512
