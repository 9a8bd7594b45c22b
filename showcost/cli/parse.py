"""`showcost parse`: dry run ("edit list") of one or more files; nothing is landed."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import click

from showcost.cli.home import open_home
from showcost.cli.output import CommandResult, plural, prints_result, say, show_table
from showcost.config.feeds import choose_feed, load_feeds
from showcost.core.errors import InputError
from showcost.core.reason_catalogue import CATALOGUE
from showcost.core.visible_text import visible_line
from showcost.ingest.inbox import archived
from showcost.ingest.landing import NO_HEADER, hints_of
from showcost.ingest.masking import cells_of_file, shown_texts, texts_of_file
from showcost.pipeline.dry_run import DryRun, dry_run
from showcost.readers import Hints, read_delivery
from showcost.readers.archives import UnreadableError, opened
from showcost.readers.export import write_csv, write_rejects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from showcost.config.feed import FeedSpec
    from showcost.readers import Reading, TextRecord
    from showcost.readers.archives import Member

_HELD: Final = 2**25
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, path_type=Path)
_NEW_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option("--feed", "feed_name", help="Read and validate as this feed would.")
@click.option("--rejects", type=_NEW_FILE, help="Write rejected records to this file, as JSON lines.")
@click.option("--out", type=_NEW_FOLDER, help="Write one CSV per file to this folder.")
@prints_result
def parse(
    files: tuple[Path, ...], feed_name: str | None, rejects: Path | None, out: Path | None
) -> CommandResult:
    """Read FILES without landing them and print the rows as CSV on stdout.

    Without a feed, the dialect, encoding and header are detected, and a total line at the end is an ordinary
    row. With a feed, its header mapping, date and amount formats and rules apply as well, and the rejected
    records are those that would not be posted, as far as that can be known without the ledger. National
    identifiers (SSN, SIN, NI number) are masked: in payroll feeds, and without a feed in columns whose header
    names one. Several files need --out, which also receives the rejected records as NAME.rejects.jsonl. Each
    file of a zip archive is read by itself, as ARCHIVE/NAME; in --out, an underscore replaces each slash.
    """
    feed = choose_feed(load_feeds(home=open_home().path), feed_name) if feed_name else None
    with _each(files) as sources:
        return _parse_all(sources, feed, rejects, out)


@dataclass(frozen=True)
class _ParsedFile:
    """A file to parse: the name that is shown, and its bytes."""

    name: str
    path: Path

    @property
    def output(self) -> str:
        """The name in the folder of results: without folders of an archive."""
        return self.name.replace("/", "_").replace("\\", "_")


@contextmanager
def _each(files: Sequence[Path]) -> Iterator[list[_ParsedFile]]:
    """Yield the files, those of an archive with several of them one by one."""
    with tempfile.TemporaryDirectory(prefix="showcost-") as folder:
        sources: list[_ParsedFile] = []
        for file in files:
            contained = archived(file)
            if not contained:
                sources.append(_ParsedFile(file.name, file))
                continue
            try:
                sources += _unpacked(file, contained, Path(folder), len(sources))
            except UnreadableError as error:
                raise InputError(f"{file.name}: {error}") from error
        yield sources


def _unpacked(file: Path, contained: Sequence[Member], folder: Path, first: int) -> Iterator[_ParsedFile]:
    """Unpack the files of an archive; their targets are numbered, since their names are never a path."""
    with opened(file) as archive:
        for number, member in enumerate(contained, start=first):
            target = folder / str(number)
            with archive.open(member.info) as stream, target.open("wb") as out:
                shutil.copyfileobj(stream, out)
            yield _ParsedFile(f"{file.name}/{member.name}", target)


def _parse_all(
    sources: Sequence[_ParsedFile], feed: FeedSpec | None, rejects: Path | None, out: Path | None
) -> CommandResult:
    if out is None and len(sources) > 1:
        raise InputError(f"{len(sources)} files need --out DIR")
    if out is None:
        return _to_stdout(sources[0], feed, rejects)
    if rejects is not None:
        raise InputError(
            "--rejects is for a single file; with --out, each file gets its own NAME.rejects.jsonl"
        )
    names = [source.output for source in sources]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"two of the files are named {repeated[0]}; --out needs distinct file names")
    out.mkdir(parents=True, exist_ok=True)
    parsed = []
    for source in sources:
        target, log_of = out / source.output, out / f"{source.output}.rejects.jsonl"
        with target.open("wb") as csv, log_of.open("wb") as log:
            parsed.append(_parse(source, feed, csv, log))
    return CommandResult({"files": parsed}, lambda: _show(parsed))


def _to_stdout(source: _ParsedFile, feed: FeedSpec | None, rejects: Path | None) -> CommandResult:
    """Parse one file: the CSV goes to stdout, the summary to stderr."""
    csv = click.get_current_context().with_resource(tempfile.SpooledTemporaryFile(_HELD))  # noqa: SIM115 - closed with the context
    with _sink(rejects) as log:
        facts = _parse(source, feed, csv, log)

    def show() -> None:
        csv.seek(0)
        shutil.copyfileobj(csv, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        for line in _summary(facts, rejects):
            click.echo(visible_line(f"{source.name}: {line}"), err=True)

    return CommandResult(facts, show, is_data=True)


def _summary(facts: Mapping[str, object], rejects: Path | None) -> Iterator[str]:
    """Yield sentences that summarise a file."""
    where = f"see {rejects}" if rejects else "use --rejects FILE to keep them"
    landing = facts["landing"]
    if not isinstance(landing, dict):
        if facts["rejected"]:
            yield f"{facts['rejected']} records rejected; {where}."
        return
    if landing["refused"]:
        yield f"The delivery would be refused. {landing['refused']}: {landing['refusal']}."
        return
    then = "recorded" if landing["is_plan"] else "posted once their rates are available"
    yield f"{landing['received']} records, {landing['valid']} would be {then}."
    if landing["subtotals"]:
        yield f"{plural(landing['subtotals'], 'subtotal line')} in the file, not counted as records."
    if landing["unchecked_totals"]:
        stated = " and ".join(landing["unchecked_totals"])
        yield f"The control total {stated} would not be checked yet: a row or an amount is unreadable."
    for note in landing["notes"]:
        yield f"{note}."
    for field, column in landing["columns"].items():
        style = landing["shapes"].get(field)
        yield f"{field} is read from the column {column!r}{f' as {style}' if style else ''}."
    for code, count in landing["codes"].items():
        yield f"{count} would be rejected: {code} ({CATALOGUE[code].meaning}); {where}."


@contextmanager
def _sink(path: Path | None) -> Iterator[IO[bytes]]:
    if path is None:
        yield io.BytesIO()
        return
    with path.open("wb") as stream:
        yield stream


def _parse(source: _ParsedFile, feed: FeedSpec | None, csv: IO[bytes], log: IO[bytes]) -> dict[str, object]:
    file = source.path
    hints = hints_of(feed) if feed else Hints(totals_are_rows=True, as_written=True)
    with read_delivery(file, format=feed.format if feed else "csv", hints=hints) as reading:
        shown = _shown(feed, reading.header)
        if feed is None:
            accepted, landing = write_csv(reading, csv, shown=cells_of_file(reading.header)), None
            write_rejects(reading, log, shown)
        else:
            run = dry_run(open_home(), feed, file, reading, csv, log)
            accepted, landing = run.written, _landing(run, feed)
        return {
            "file": source.name,
            "accepted": accepted,
            "rejected": len(reading.rejected),
            "header": list(reading.header),
            "header_problem": landing["refusal"] if landing and landing["refused"] == NO_HEADER else None,
            "counts": _counts(reading),
            "dialect": _dialect(reading),
            "preamble": _kept(reading.preamble, shown),
            "header_lines": _kept(reading.header_lines, shown),
            "footer": _kept(reading.footer, shown),
            "landing": landing,
        }


def _landing(run: DryRun, feed: FeedSpec) -> dict[str, object]:
    """Return how the feed would land the delivery."""
    summary = run.summary
    dates = sorted(summary.dates)
    return {
        "received": summary.received,
        "is_plan": feed.kind.is_plan,
        "valid": run.valid,
        "quarantined": run.quarantined,
        "duplicate": run.duplicate,
        "codes": dict(sorted(run.codes.items())),
        "refused": summary.refused,
        "refusal": summary.detail,
        "columns": summary.columns,
        "shapes": summary.shapes,
        "first_date": dates[0] if dates else None,
        "last_date": dates[-1] if dates else None,
        "undated": summary.undated,
        "subtotals": summary.subtotals,
        "notes": summary.notes,
        "unchecked_totals": summary.unchecked,
    }


def _counts(reading: Reading) -> Mapping[str, int]:
    counts = reading.counts
    names = ("preamble", "header", "blank", "footer", "accepted", "rejected", "lines", "bytes")
    return {name: getattr(counts, name) for name in names}


def _shown(feed: FeedSpec | None, header: Sequence[str]) -> Callable[[str], str]:
    """Return the masking for text outside cells: unchanged except for national identifiers."""
    if feed is None:
        return texts_of_file(header)
    return shown_texts(feed, header, open_home().production.numbers_of_people)


def _kept(records: Sequence[TextRecord], shown: Callable[[str], str]) -> list[dict[str, object]]:
    """Return records that are not rows, as JSON facts."""
    return [
        {"record": record.record, "start": record.start, "end": record.end, "raw": shown(record.text)}
        for record in records
    ]


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


def _outcome(landing: object) -> tuple[object, object]:
    if not isinstance(landing, dict):
        return None, None
    codes = ", ".join(f"{count} {code}" for code, count in landing["codes"].items())
    return landing["valid"], codes


def _show(parsed: Sequence[Mapping[str, object]]) -> None:
    columns = ["file", "accepted", "rejected", "would be posted", "not posted"]
    rows = [[file["file"], file["accepted"], file["rejected"], *_outcome(file["landing"])] for file in parsed]
    show_table("Parsed", columns, rows)
    say("Each file's CSV and rejected records (NAME.rejects.jsonl) are in the --out folder.")
