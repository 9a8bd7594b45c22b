"""`parse`: the dry run ("edit list") of one file or several; nothing is landed."""

from __future__ import annotations

import io
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from showcost.commands.output import Answer, answers, say, show_table
from showcost.config.feeds import choose_feed, load_feeds
from showcost.core.errors import InputError
from showcost.ingest.readers import Hints, read_delivery
from showcost.ingest.readers.edit_list import write_csv, write_rejects
from showcost.ingest.records import match_header

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from showcost.config.feed import FeedSpec
    from showcost.ingest.readers import Reading

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, path_type=Path)
_NEW_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option("--feed", "feed_name", help="Read with this feed's hints and match its header.")
@click.option("--rejects", type=_NEW_FILE, help="Write rejected records here, as JSON lines.")
@click.option("--out", type=_NEW_FOLDER, help="Write one CSV per file into this folder.")
@answers
def parse(files: tuple[Path, ...], feed_name: str | None, rejects: Path | None, out: Path | None) -> Answer:
    """Show what the reader finds in FILES, as CSV on stdout; land nothing.

    Without a feed, dialect, encoding and header are detected. Several files need --out, which also takes
    the rejected records, as NAME.rejects.jsonl.
    """
    feed = choose_feed(load_feeds(), feed_name) if feed_name else None
    if out is None and len(files) > 1:
        raise InputError(f"--out DIR is needed for {len(files)} files")
    if out is None:
        return _to_stdout(files[0], feed, rejects)
    if rejects is not None:
        raise InputError("--rejects goes with one file; with --out, each file has its NAME.rejects.jsonl")
    names = [file.name for file in files]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"two of the files are named {twice[0]}; --out needs names that differ")
    out.mkdir(parents=True, exist_ok=True)
    found = []
    for file in files:
        with (out / file.name).open("wb") as csv, (out / f"{file.name}.rejects.jsonl").open("wb") as log:
            found.append(_parse(file, feed, csv, log))
    return Answer({"files": found}, lambda: _show(found))


def _to_stdout(file: Path, feed: FeedSpec | None, rejects: Path | None) -> Answer:
    """Parse one file: the CSV is the answer, what is said about it goes to stderr."""
    csv = io.BytesIO()
    with _sink(rejects) as log:
        facts = _parse(file, feed, csv, log)

    def show() -> None:
        sys.stdout.buffer.write(csv.getvalue())
        sys.stdout.buffer.flush()
        rejected = facts["rejected"]
        if rejected or facts["header_problem"]:
            where = f"; see {rejects}" if rejects else "; name a file with --rejects to keep them"
            problem = f" SC-FIL-002: {facts['header_problem']}." if facts["header_problem"] else ""
            click.echo(f"{file.name}: {rejected} records rejected{where}.{problem}", err=True)

    return Answer(facts, show)


@contextmanager
def _sink(path: Path | None) -> Iterator[IO[bytes]]:
    if path is None:
        yield io.BytesIO()
        return
    with path.open("wb") as stream:
        yield stream


def _parse(file: Path, feed: FeedSpec | None, csv: IO[bytes], log: IO[bytes]) -> dict[str, object]:
    hints = Hints(**feed.dialect.model_dump()) if feed else Hints(totals_are_rows=True)
    with read_delivery(file, format=feed.format if feed else "csv", hints=hints) as reading:
        accepted = write_csv(reading, csv)
        rejected = write_rejects(reading, log)
        return {
            "file": file.name,
            "accepted": accepted,
            "rejected": rejected,
            "header": list(reading.header),
            "header_problem": _header_problem(feed, reading),
            "counts": _counts(reading),
            "dialect": _dialect(reading),
        }


def _header_problem(feed: FeedSpec | None, reading: Reading) -> str | None:
    """Say why the feed cannot use the header; which of two same headers has content is seen on landing."""
    if feed is None or not reading.header:
        return None
    return match_header(feed, reading.header, [True] * len(reading.header)).problem


def _counts(reading: Reading) -> Mapping[str, int]:
    counts = reading.counts
    names = ("preamble", "header", "blank", "footer", "accepted", "rejected", "lines", "bytes")
    return {name: getattr(counts, name) for name in names}


def _dialect(reading: Reading) -> Mapping[str, object]:
    dialect = reading.dialect
    return {
        "encoding": dialect.encoding,
        "encoding_sure": dialect.encoding_sure,
        "delimiter": dialect.delimiter,
        "quote": dialect.quote,
        "escape": dialect.escape,
        "newlines": dialect.newlines,
        "header_records": dialect.header_records,
        "confidence": dialect.confidence,
        "assumptions": dialect.assumptions,
    }


def _show(found: Sequence[Mapping[str, object]]) -> None:
    columns = ["file", "accepted", "rejected", "header_problem"]
    rows = [[one[name] for name in columns] for one in found]
    show_table("Parsed", columns, rows)
    say("The CSV of each file and its rejected records (NAME.rejects.jsonl) are in the folder named.")
