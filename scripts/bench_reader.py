"""Measure the reader against DuckDB's own strict all-text read of the same file, in one run.

Both give the same output, Arrow batches with a list of texts for each record, which is consumed and let
go. The reader's time includes the check of the encoding, the detection, the number, place and raw text of
each record, the rejected records with their raw bytes, and the proof that nothing was lost. Each engine
runs in a process of its own, in turns; the best of the runs counts.

    python scripts/bench_reader.py --megabytes 1024 --runs 3
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from showcost.readers import read_delivery

HEADER = (
    "production_code,vendor_code,vendor_name,vendor_country,invoice_no,invoice_date,"
    "account,description,currency,net_amount,tax_amount,gross_amount"
)
COLUMNS = HEADER.split(",")


def generate(path: Path, megabytes: int, broken: float, year: int = 2025) -> None:
    """Write a file of vendor invoices, of which the share `broken` is ragged or has a stray quote."""
    pick = random.Random(7)  # noqa: S311 -- repeatable, no secret
    rows = [_row(pick, year) for _ in range(20_000)]
    written, number = 0, 0
    with path.open("w", encoding="utf-8", newline="") as out:
        out.write(HEADER + "\r\n")
        while written < megabytes * 2**20:
            lines = []
            for before, after in rows:
                number += 1
                line = f"{before}INV-{number:08d}{after}"
                lines.append(_broken(line, pick) if pick.random() < broken else line)
            written += out.write("\r\n".join(lines) + "\r\n")


def _row(pick: random.Random, year: int) -> tuple[str, str]:
    net = pick.randint(100, 9_999_999)
    vendor = pick.choice([f"Vendor {net % 200} Ltd", '"Smith, Jones & Co"'])
    what = pick.choice(["Camera hire", "Van hire", '"Lighting, weekly"', "Set dressing and props"])
    day = f"{pick.randint(1, 28):02d}/{pick.randint(1, 12):02d}/{year}"
    before = f"NIGHT,V{net % 999:04d},{vendor},{pick.choice(['GB', 'US', 'DE'])},"
    return (
        before,
        f",{day},{pick.choice(['2000', '3300'])},{what},GBP,{net / 100:.2f},{net / 500:.2f},{net / 80:.2f}",
    )


def _broken(line: str, pick: random.Random) -> str:
    how = pick.randrange(3)
    if how == 0:
        return line.replace(",", "", 1)
    return line + ",x" if how == 1 else line.replace("NIGHT", '"NIGHT', 1)


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


ENGINES = {"reader": read_with_reader, "duckdb": read_with_duckdb}


def main() -> None:
    """Run each engine in a process of its own on a clean and a broken file, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=256)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--engine", choices=ENGINES)
    parser.add_argument("--path", type=Path)
    options = parser.parse_args()
    if options.engine:
        began = time.perf_counter()
        rows = ENGINES[options.engine](options.path)
        seconds = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"{seconds:.3f} {rows} {peak}")
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, broken in (("clean", 0.0), ("1% broken", 0.01)):
            path = Path(folder) / "bench.csv"
            generate(path, options.megabytes, broken)
            spent: dict[str, list[float]] = {engine: [] for engine in ENGINES}
            for _ in range(options.runs):
                for engine in ENGINES:
                    spent[engine].append(_measure(engine, path))
            print(f"{name}: the reader runs at {min(spent['duckdb']) / min(spent['reader']):.2f} of DuckDB")


def _measure(engine: str, path: Path) -> float:
    command = [sys.executable, __file__, "--engine", engine, "--path", str(path)]
    spent, rows, peak = subprocess.run(  # noqa: S603 -- this interpreter and this file
        command, check=True, capture_output=True, text=True
    ).stdout.split()
    seconds = float(spent)
    speed = path.stat().st_size / 2**20 / seconds
    print(f"  {engine:8} {seconds:7.2f} s  {speed:6.0f} MiB/s  {rows} records  peak {peak} MiB")
    return seconds


if __name__ == "__main__":
    main()
