"""The reader, compared with DuckDB's strict all-text read of the same file.

Both give the same output, Arrow batches with a list of texts for each record, which is read and discarded.
The reader's time includes the check of the encoding, the detection of the dialect, the number, place and raw
text of each record, the rejected records with their raw bytes, and the proof that no byte was lost. The
engines take turns, in new processes; the shortest run counts.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb

from showcost.readers import read_delivery

if TYPE_CHECKING:
    import argparse

    from benchmarks.harness import Report

HEADER: Final = (
    "production_code,vendor_code,vendor_name,vendor_country,invoice_no,invoice_date,"
    "account,description,currency,net_amount,tax_amount,gross_amount"
)
COLUMNS: Final = HEADER.split(",")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of size and number of runs."""
    parser.add_argument("--megabytes", type=int, default=256)
    parser.add_argument("--runs", type=int, default=1)


def run(options: argparse.Namespace, report: Report) -> None:
    """Read a clean file and one with broken records with each engine."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.csv"
        for name, broken in (("clean", 0.0), ("1% broken", 0.01)):
            rows = generate(path, options.megabytes, broken)
            size = path.stat().st_size / 2**20
            for _ in range(options.runs):
                for engine in ENGINES:
                    report.in_process(f"{name}, {engine}", read, engine, path, rows=rows)
            best = {engine: report.shortest(f"{name}, {engine}") for engine in ENGINES}
            speeds = {f"{engine}_mib_per_second": round(size / best[engine]) for engine in ENGINES}
            report.note(name, reader_to_duckdb=round(best["duckdb"] / best["reader"], 2), **speeds)


def read(engine: str, path: Path) -> dict[str, Any]:
    """Read a file and return the number of records."""
    return {"records": ENGINES[engine](path)}


def read_with_reader(path: Path) -> int:
    """Read with the reader; return the number of records."""
    with read_delivery(path) as reading:
        return sum(batch.num_rows for batch in reading.records)


def read_with_duckdb(path: Path) -> int:
    """Read with DuckDB, strict, all columns text, rejects stored; return the number of records."""
    columns = "{" + ", ".join(f"'{name}': 'VARCHAR'" for name in COLUMNS) + "}"
    query = (
        f"SELECT [{', '.join(COLUMNS)}] FROM read_csv('{path}', columns={columns}, auto_detect=false,"  # noqa: S608 -- a path of our own
        " header=true, delim=',', quote='\"', escape='\"', strict_mode=true,"
        " store_rejects=true, rejects_limit=0)"
    )
    return sum(batch.num_rows for batch in duckdb.connect().sql(query).to_arrow_reader(100_000))


ENGINES: Final = {"reader": read_with_reader, "duckdb": read_with_duckdb}


def generate(path: Path, megabytes: int, broken: float, year: int = 2025) -> int:
    """Write a file of vendor invoices and return the number of records, at least 20,000.

    The share `broken` of the records is ragged or has a stray quote.
    """
    rng = random.Random(7)  # noqa: S311 -- repeatable, no secret
    rows = [_row(rng, year) for _ in range(20_000)]
    size, number = 0, 0
    with path.open("w", encoding="utf-8", newline="") as out:
        out.write(HEADER + "\r\n")
        while size < megabytes * 2**20:
            lines = []
            for before, after in rows:
                number += 1
                line = f"{before}INV-{number:08d}{after}"
                lines.append(_broken(line, rng) if rng.random() < broken else line)
            size += out.write("\r\n".join(lines) + "\r\n")
    return number


def _row(rng: random.Random, year: int) -> tuple[str, str]:
    net = rng.randint(100, 9_999_999)
    vendor = rng.choice([f"Vendor {net % 200} Ltd", '"Smith, Jones & Co"'])
    text = rng.choice(["Camera hire", "Van hire", '"Lighting, weekly"', "Set dressing and props"])
    day = f"{rng.randint(1, 28):02d}/{rng.randint(1, 12):02d}/{year}"
    before = f"NIGHT,V{net % 999:04d},{vendor},{rng.choice(['GB', 'US', 'DE'])},"
    return (
        before,
        f",{day},{rng.choice(['2000', '3300'])},{text},GBP,{net / 100:.2f},{net / 500:.2f},{net / 80:.2f}",
    )


def _broken(line: str, rng: random.Random) -> str:
    fault = rng.randrange(3)
    if fault == 0:
        return line.replace(",", "", 1)
    return line + ",x" if fault == 1 else line.replace("NIGHT", '"NIGHT', 1)
