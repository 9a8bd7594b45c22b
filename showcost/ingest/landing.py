"""Landing: taking deliveries from the inbox into the payload store and reading their records.

Landing is repeatable: registered deliveries that were read do not change; registered deliveries that were
not (after a crash or a change of the feed) are read from the stored payload, never from the inbox. Arrivals
and readings are in the audit log before they count.
"""

from __future__ import annotations

import operator
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from enum import Enum
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import pyarrow as pa
from pydantic import BaseModel

from showcost.core.errors import IntegrityError
from showcost.core.hashing import sha256_framed
from showcost.ingest.audit_records import record_hashes, record_read, record_received
from showcost.ingest.control_totals import RunningTotal, contradicted, mismatch, unchecked_totals
from showcost.ingest.delivery_records import CHUNK_BYTES, AcceptedRecords, DeliveryRecords
from showcost.ingest.fill_down import FillDown
from showcost.ingest.headings import Headings, said_by_lines, said_by_sheets
from showcost.ingest.hidden import with_hidden
from showcost.ingest.inbox import SeenFiles, archived, settled, waiting
from showcost.ingest.line_cells import line_cells
from showcost.ingest.masking import PersonalPlaces, personal_places, shown_name, shown_texts
from showcost.ingest.minor_units import in_major_units
from showcost.ingest.no_costs import (
    LONGEST_HEADING,
    kind_of_heading,
    kind_of_sheet,
    kind_of_title,
    with_no_costs,
)
from showcost.ingest.records import (
    Accepted,
    FormatEvidence,
    HeaderMatch,
    Origin,
    RejectedRow,
    build_records,
    evidence_of,
    match_header,
    rejected_records,
)
from showcost.ingest.repeated_tables import Tables
from showcost.ingest.shredding import finish_shredding
from showcost.ingest.stated_units import (
    LONGEST_LINE,
    stated_unit,
    symbols_of_first_rows,
    unit_of_heading,
    unit_of_sheet,
    units_below_names,
)
from showcost.ingest.subtotals import is_ragged_subtotal, subtotal_rows
from showcost.ingest.totals import labelled_lines, labels_in, total_lines, with_doubts
from showcost.ingest.unstated import (
    credit_columns,
    currency_column,
    spilled_cents,
    spilling_columns,
    table_beside,
    texts_with_digits,
)
from showcost.readers import Hints, Reading, Rejected, read_delivery
from showcost.readers.archives import UnreadableError, opened
from showcost.readers.model import CONTROL_TOTAL, ROW_RAGGED, HiddenCells
from showcost.readers.ubl import UblReading
from showcost.staging import PartitionRows
from showcost.staging.assets import records_asset
from showcost.values.symbols import known_symbols

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import BinaryIO
    from zipfile import ZipFile

    from showcost.audit.log import AuditLog
    from showcost.config.feed import FeedSpec
    from showcost.deliveries.payloads import Payload, PayloadStore
    from showcost.deliveries.register import Arrival
    from showcost.ingest.headings import Meaning
    from showcost.ingest.inbox import InboxFile
    from showcost.readers.archives import Member
    from showcost.readers.model import Dialect
    from showcost.workspace import Workspace

RECORDS_VERSION: Final = "17"
"""Incremented when a change of reader or inference changes records, so that payloads are read again."""


class ReadAs(Enum):
    """Readings of the same bytes: as now, or as by earlier versions of the records."""

    NOW = "now"
    BEFORE_16 = "only national identifiers are masked, in manifests of pay alone"
    BEFORE_14 = "totals with a number and a date are rows, and column names state no currency"
    BEFORE_4 = "subtotals are rows, too"


NO_HEADER: Final = "SC-FIL-002"
NO_ROWS: Final = "SC-FIL-001"
_UNSURE: Final = "the header has another number of names than the rows have cells"
_RAW_SHOWN: Final = 2_000
_ROW_BYTES: Final = 200


class DeliverySummary(BaseModel, frozen=True):
    """Summary stored beside the records of a delivery.

    `received` = the sum of `dates` + `undated`; a refused delivery counts as one undated record with its
    code in `refused`. `subtotals` counts lines with a sum of rows of the file: they are not rows, and not
    received. `unchecked` are the control totals that the file states and that could not be compared, because
    a row or an amount is unreadable (see `pipeline.control_totals`). `columns` maps each field to its header,
    `shapes` has the inferred date formats and decimal marks, `dialect` the format of the delivery. `notes`
    say what was done to records: cells completed, dates taken in a time zone, signs applied.
    """

    received: int
    undated: int
    refused: str | None
    detail: str | None
    dates: dict[date, int]
    columns: dict[str, str]
    shapes: dict[str, str]
    dialect: dict[str, str | int | bool | list[str]]
    subtotals: int = 0
    unchecked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def assumed(self) -> list[str]:
        """The assumptions about the form of the delivery, and the notes, each once."""
        return list(dict.fromkeys([*self.stated_assumptions, *self.notes]))

    @property
    def stated_assumptions(self) -> list[str]:
        """The assumptions of the reader about the form of the delivery."""
        stated = self.dialect.get("assumptions")
        return stated if isinstance(stated, list) else []


@dataclass(frozen=True)
class LandedDelivery:
    """One landed delivery: its arrival, its summary, and the sha256 of its stored records.

    `shown_name` is the name of its file for people and events, numbers of people masked.
    """

    arrival: Arrival
    summary: DeliverySummary
    records: str
    shown_name: str


@dataclass(frozen=True)
class Landing:
    """The result of landing one feed.

    `read` are the deliveries read in this run, `again` the file names whose payload the feed already had,
    `changing` the names of files that are still being written and will be landed next time.
    """

    feed: str
    read: tuple[LandedDelivery, ...]
    again: tuple[str, ...]
    changing: tuple[str, ...]

    @property
    def touched(self) -> tuple[date, ...]:
        """The transaction dates of the deliveries read in this run, ascending."""
        return tuple(sorted({day for delivery in self.read for day in delivery.summary.dates}))


BeforeWaiting = Callable[[Sequence[str], int], None]
"""A function that is told the names of files that were just written, and the seconds to wait for them."""


def wait_silently(_names: Sequence[str], _seconds: int) -> None:
    """Wait for files that were just written."""


def land(home: Workspace, feed: FeedSpec, before_waiting: BeforeWaiting | None = wait_silently) -> Landing:
    """Land new files in the feed's inbox and read every delivery that has not been read yet.

    Files that were just written are waited for, after a call of `before_waiting`; without it, they are left
    for the next time.
    """
    audit = home.audit
    finish_shredding(home)
    again, changing = _take(home, feed, before_waiting)
    mark = fingerprint_of(home, feed)
    read: list[LandedDelivery] = []
    damaged: list[IntegrityError] = []
    for arrival in _unread(home, feed, mark):
        try:
            read.append(read_arrival(home, feed, arrival, audit, mark))
        except IntegrityError as error:
            damaged.append(error)
    if damaged:
        raise damaged[0]
    return Landing(feed.name, tuple(read), again, changing)


@dataclass(frozen=True)
class Unlanded:
    """The work of landing a feed: new files that it would take, deliveries that it would read.

    `changing` are the names of files that are still being written.
    """

    files: tuple[str, ...]
    deliveries: tuple[str, ...]
    changing: tuple[str, ...]


def unlanded(home: Workspace, feed: FeedSpec, unread: tuple[str, ...] | None = None) -> Unlanded:
    """Return what there is to land of a feed; nothing is taken, read or waited for.

    `unread` are its unread deliveries, if they are known.
    """
    files = waiting(home.inbox, feed, home.register.arrivals(feed.name), SeenFiles(home.raw / "inbox.json"))
    ready, changing = settled(files, feed, None)
    names = tuple("/".join(map(str, file.identity)) for file in ready)
    return Unlanded(names, unread_deliveries(home, feed) if unread is None else unread, tuple(changing))


def unread_deliveries(home: Workspace, feed: FeedSpec) -> tuple[str, ...]:
    """Return the deliveries of a feed that landing would read; if there are any, then its fingerprint."""
    mark = fingerprint_of(home, feed)
    unread = [arrival.delivery for arrival in _unread(home, feed, mark)]
    return (*unread, *((mark,) if unread else ()))


def _unread(home: Workspace, feed: FeedSpec, mark: str) -> Iterator[Arrival]:
    """Yield the deliveries that were not read under the present settings, or whose records nobody attests."""
    store, asset = home.staging, records_asset(feed.name)
    for arrival in home.register.deliveries(feed.name):
        staged = store.metadata(asset, arrival.delivery)
        current = staged is not None and staged.inputs.get("fingerprint") == mark
        current = current and store.is_attested(asset, arrival.delivery)
        if not (current or home.payloads.is_shredded(arrival.delivery)):
            yield arrival


def landed(home: Workspace, feed: FeedSpec) -> list[LandedDelivery]:
    """Return every registered and read delivery of a feed, in order of arrival."""
    store = home.staging
    deliveries: list[LandedDelivery] = []
    for arrival in home.register.deliveries(feed.name):
        staged = store.metadata(records_asset(feed.name), arrival.delivery)
        if staged is not None:
            summary = DeliverySummary.model_validate_json(str(staged.inputs["summary"]))
            deliveries.append(_landed(feed, arrival, summary, staged.sha256))
    return deliveries


def _landed(feed: FeedSpec, arrival: Arrival, summary: DeliverySummary, records: str) -> LandedDelivery:
    return LandedDelivery(arrival, summary, records, shown_name(feed, arrival.name))


def _take(
    home: Workspace, feed: FeedSpec, before_waiting: BeforeWaiting | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Store and register new files; return the names of repeated and of changing files."""
    register, payloads = home.register, home.payloads
    seen = SeenFiles(home.raw / "inbox.json")
    again: list[str] = []
    files = waiting(home.inbox, feed, register.arrivals(feed.name), seen)
    ready, changing = settled(files, feed, before_waiting)
    for file in ready:
        try:
            stored = _stored(payloads, file)
        except (FileNotFoundError, PermissionError):
            # Taken away, or closed to us, since it was listed.
            changing.append(shown_name(feed, file.name))
            continue
        if not file.unchanged() or (len(stored) == 1 and stored[0][1].size != file.size):
            changing.append(shown_name(feed, file.name))
            continue
        for name, payload in stored:
            # None for a file that another process took meanwhile, or one of an archive that was landed before
            # its archive was done.
            arrival = register.add_file(
                feed.name,
                payload,
                name,
                file.modified_ns,
                lambda arrival: record_received(home.audit, arrival),
            )
            if arrival is not None and arrival.again:
                again.append(shown_name(feed, name))
        seen.note(feed, file)
    seen.save()
    return tuple(again), tuple(changing)


def _stored(payloads: PayloadStore, file: InboxFile) -> list[tuple[str, Payload]]:
    """Store a file, or each file of a zip archive that has several; return their names and payloads.

    An archive that cannot be unpacked is stored as it is, so that its reading says why.
    """
    contained = archived(file.path)
    try:
        if contained:
            with opened(file.path) as archive:
                return [
                    (file.identity_of(member)[0], _stored_member(payloads, archive, member))
                    for member in contained
                ]
    except UnreadableError:
        pass
    return [(file.name, payloads.put(file.path))]


def _stored_member(payloads: PayloadStore, archive: ZipFile, member: Member) -> Payload:
    with archive.open(member.info) as stream:
        return payloads.put_stream(cast("BinaryIO", stream))


def fingerprint_of(home: Workspace, feed: FeedSpec) -> str:
    """Return a hash over everything that determines the records of a payload.

    The feed's description does not, so that its wording may change without a new reading; nor does the time
    at which its files are taken or expected.
    """
    span = home.production.dates
    exclude: dict[str, bool | set[str] | dict[str, set[str]]] = dict.fromkeys(
        ("api", "description", "quiet_seconds", "done_marker", "expected_every_days"), True
    )
    # The words of coded fields are read in validation.
    exclude["fields"] = {"__all__": {"words"}}
    if feed.items is None:
        exclude["items"] = True
    if not feed.dialect.widths:
        exclude["dialect"] = {"widths"}
    settings = feed.model_dump_json(exclude=exclude)
    places = [home.production.timezone, *sorted(map("=".join, home.production.location_timezones.items()))]
    places += home.production.numbers_of_people.countries
    return sha256_framed([RECORDS_VERSION, settings, span.start.isoformat(), span.end.isoformat(), *places])


def origin_of(home: Workspace, delivery: str, arrival: int, size: int) -> Origin:
    """Return the origin of the records of a delivery of some sha256, number and size in bytes."""
    production = home.production
    locations = production.location_timezones
    return Origin(
        *(delivery, arrival, size, production.dates, production.timezone, locations),
        numbers=production.numbers_of_people,
    )


def read_arrival(
    home: Workspace, feed: FeedSpec, arrival: Arrival, audit: AuditLog, fingerprint: str
) -> LandedDelivery:
    """Read one registered delivery, as `land` does; see `fingerprint_of`."""
    with _parsed(home, feed, arrival) as content:
        asset = records_asset(feed.name)
        inputs = {"fingerprint": fingerprint, "summary": content.summary.model_dump_json()}
        part = PartitionRows(arrival.delivery, content.records.by_date(), inputs)
        (staged,) = home.staging.write_together(
            {asset: [part]},
            partial(record_read, audit, arrival, content.records, fingerprint),
        )[asset]
        return _landed(feed, arrival, content.summary, staged.sha256)


def reread(home: Workspace, feed: FeedSpec, arrival: Arrival, read_as: ReadAs = ReadAs.NOW) -> pa.Table:
    """Parse a payload again and return its records as in the audit log; nothing is stored."""
    with _parsed(home, feed, arrival, read_as) as content:
        return record_hashes(content.records).read_all()


@dataclass(frozen=True)
class DeliveryContent:
    """The records of a delivery, their summary, and the records that the reader accepted."""

    records: DeliveryRecords
    summary: DeliverySummary
    accepted: AcceptedRecords


@contextmanager
def _parsed(
    home: Workspace, feed: FeedSpec, arrival: Arrival, read_as: ReadAs = ReadAs.NOW
) -> Iterator[DeliveryContent]:
    origin = origin_of(home, arrival.delivery, arrival.number, arrival.size)
    if read_as is not ReadAs.NOW:
        origin = replace(origin, numbers=None)
    if read_as is ReadAs.BEFORE_16:
        read_as = ReadAs.NOW
    with (
        home.payloads.opened(arrival.delivery) as path,
        read_delivery(
            path,
            format=feed.format,
            hints=hints_of(feed),
            items=feed.items,
            may_be_empty=feed.api is not None,
        ) as reading,
        inferred_content(feed, reading, origin, read_as) as content,
    ):
        yield content


def hints_of(feed: FeedSpec) -> Hints:
    """Return the hints of a feed about the format of its deliveries."""
    labels = feed.control_total.labels if feed.control_total else ()
    names = [header for field in feed.kind.by_name for header in feed.headers_of(field)]
    names += [*(feed.signs.headers if feed.signs else ()), *(feed.accounts.headers if feed.accounts else ())]
    names += [header for hints in feed.fields.values() for header in hints.credit_headers]
    row_fields = (feed.kind.document, feed.date_field, feed.kind.primary.field)
    credit = {name: hints.credit_headers for name, hints in feed.fields.items()}
    return Hints(
        **feed.dialect.model_dump(),
        total_labels=labels,
        names=tuple(names),
        languages=feed.text_languages,
        row_names=tuple(
            (*feed.headers_of(name), *credit.get(name, ()))
            for name in row_fields
            if name not in feed.constants
        ),
    )


@contextmanager
def inferred_content(
    feed: FeedSpec, reading: Reading, origin: Origin, read_as: ReadAs = ReadAs.NOW
) -> Iterator[DeliveryContent]:
    """Yield the records of a delivery; an unmatched header or a wrong total refuses the whole delivery.

    Memory is bounded, whatever the size of the delivery. Exhausts the reading.
    """
    with tempfile.TemporaryDirectory(prefix="landing-") as name:
        folder = Path(name)
        accepted = AcceptedRecords(reading, folder)
        refusal = _refused(feed, reading, origin)
        match = match_header(feed, reading.header, accepted.filled)
        if read_as is ReadAs.NOW and match.problem is None and not isinstance(reading, UblReading):
            match = _with_unstated(feed, reading, accepted, match)
        else:
            match = replace(match, symbols=None)
        problem = match.problem if reading.dialect.header_sure else _UNSURE
        if problem is None and read_as is ReadAs.NOW and not isinstance(reading, UblReading):
            problem = table_beside(reading.header, next(iter(accepted))[1], match)
        if refusal is None and problem is not None:
            refusal = _refusal(feed, reading, origin, (NO_HEADER, problem))
        is_empty = not reading.counts.accepted and not reading.counts.rejected
        # A page of a vendor's API may have no items; a file with only a header is faulty.
        if refusal is None and is_empty and feed.items is None and feed.api is None:
            refusal = _refusal(feed, reading, origin, (NO_ROWS, "a header and no rows"))
        with ExitStack() as stack:
            records = stack.enter_context(DeliveryRecords(feed, folder))
            shapes: Mapping[str, str] = {}
            total = _ControlTotal(None, ())
            rejected = [item.record for item in reading.rejected] if feed.fill_down else []
            headings = _headings(reading, match) if read_as is ReadAs.NOW else {}
            kinds = _kinds(reading, match, read_as)
            matched = _MatchedRecords(
                *(feed, accepted, match, rejected, reading.period, read_as, headings, kinds)
            )
            if refusal is None and read_as is ReadAs.NOW and reading.is_delimited:
                spilled = spilled_cents(feed, matched, match, reading.dialect.delimiter)
                if spilled is not None:
                    refusal = _refusal(feed, reading, origin, (NO_HEADER, spilled))
            if refusal is None:
                shapes, total = _build(records, reading, matched, origin)
                if total.problem is not None:
                    refusal = _refusal(feed, reading, origin, (CONTROL_TOTAL, total.problem))
                    records.close()
                    records = stack.enter_context(DeliveryRecords(feed, folder))
            if refusal is not None:
                records.add(rejected_records(feed, [refusal], origin))
                summary = _summary(records, reading, refusal, {}, {})
            else:
                headers = {field: reading.header[index] for field, index in match.columns.items()}
                summary = _summary(records, reading, None, headers, shapes)
                summary = summary.model_copy(
                    update={
                        "subtotals": len(matched.subtotals),
                        "unchecked": total.unchecked,
                        "notes": (*reading.notes, *_notes(feed, matched), *total.notes),
                    }
                )
            shown = shown_texts(feed, reading.header, origin.numbers)
            yield DeliveryContent(records, _masked_summary(summary, shown), accepted)


def _masked_summary(summary: DeliverySummary, shown: Callable[[str], str]) -> DeliverySummary:
    """Return a summary with the texts of the delivery in it masked: names of columns and sheets, labels."""
    assumptions = [shown(text) for text in summary.stated_assumptions]
    return summary.model_copy(
        update={
            "columns": {field: shown(name) for field, name in summary.columns.items()},
            "unchecked": tuple(map(shown, summary.unchecked)),
            "notes": tuple(map(shown, summary.notes)),
            "dialect": summary.dialect | {"assumptions": assumptions},
        }
    )


def _headings(reading: Reading, match: HeaderMatch) -> Mapping[int, str | None]:
    """Return the units that headings outside the records state; a feed with currencies needs none of them."""
    if "currency" in match.columns or match.problem is not None or isinstance(reading, UblReading):
        return {}
    return _said_below(reading, unit_of_sheet, unit_of_heading, LONGEST_LINE)


def _said_below(
    reading: Reading, of_sheet: Meaning, of_heading: Meaning, longest: int
) -> dict[int, str | None]:
    """Return what the names of sheets and rejected lines of at most `longest` bytes say, by record."""
    lines = said_by_lines(reading.rejected, reading.dialect, of_heading, longest)
    return said_by_sheets(reading.sheet_names, of_sheet) | lines


def _with_unstated(
    feed: FeedSpec, reading: Reading, accepted: AcceptedRecords, match: HeaderMatch
) -> HeaderMatch:
    """Return a match with what the file says about its amounts and the feed does not."""
    below = [*(line.text for line in reading.footer), *_lines_below(feed, reading, accepted, match)]
    unit = stated_unit([line.text for line in reading.preamble], below)
    first = next(iter(accepted))[1]
    beside = currency_column(reading.header, first, match)
    symbols = units_below_names(feed, first, match) | dict(match.symbols or {})
    if beside is None and "currency" not in match.columns:
        symbols = symbols_of_first_rows(feed, first, match) | symbols
    is_currency = unit in known_symbols()
    for name in feed.money_fields if unit and not is_currency else ():
        # A unit counts though the name of the column states a currency.
        if name in match.columns and symbols.get(name, "") in {"", *known_symbols()}:
            symbols[name] = unit
    return replace(
        match,
        symbols=symbols,
        titled=unit if is_currency else "",
        credit_marks=credit_columns(feed, reading.header, match),
        currency=beside,
    )


def _lines_below(
    feed: FeedSpec, reading: Reading, accepted: AcceptedRecords, match: HeaderMatch
) -> Iterator[str]:
    """Yield the last lines of the table that have neither date nor amount, such as `All amounts in USD`."""
    names = (feed.date_field, *feed.money_fields)
    places = [match.columns[name] for name in names if name in match.columns]
    last = 0
    for number, cells in reversed(accepted.last):
        if any(char.isdigit() for place in places if place < len(cells) for char in cells[place]):
            last = number
            break
        yield " ".join(filter(None, map(str.strip, cells)))
    for item in reading.rejected:
        if item.record > last and len(item.raw) <= LONGEST_LINE:
            yield item.raw.decode(reading.dialect.encoding or "utf-8", errors="replace").strip()


def _notes(feed: FeedSpec, matched: _MatchedRecords) -> Iterator[str]:
    """Yield a sentence for each field with cells that were filled, or times that have a zone."""
    for name, count in matched.filled.items():
        if count:
            yield f"{name}: {count} blank cells have the value of the row above"
    moments = matched.moments
    place = feed.timezone or "the zone of the location"
    for name in dict.fromkeys(name for name, _ in moments):
        zoned, moved = moments[name, "zoned"], moments[name, "moved"]
        yield f"{name}: {zoned} times with a zone have the date of {place}, {moved} not the one written"


class _Kinds(NamedTuple):
    """Lines outside the records that call the rows below them credits or no costs (`no_costs`)."""

    lines: Mapping[int, str | None]
    above: str | None


def _kinds(reading: Reading, match: HeaderMatch, read_as: ReadAs) -> _Kinds | None:
    """Return what titles, sheets and rejected lines say of rows; an e-invoice says it in a code."""
    if read_as is not ReadAs.NOW or match.problem is not None or isinstance(reading, UblReading):
        return None
    lines = _said_below(reading, kind_of_sheet, kind_of_heading, LONGEST_HEADING)
    return _Kinds(lines, kind_of_title(line.text for line in reading.preamble))


@dataclass(frozen=True)
class _MatchedRecords:
    """The accepted records of a delivery without subtotals, and the columns of the fields.

    `subtotals` are the numbers of the subtotal lines, complete once all records were iterated and the
    rejected ones were sorted out.
    """

    feed: FeedSpec
    accepted: AcceptedRecords
    match: HeaderMatch
    rejected_numbers: Sequence[int]
    period: tuple[date, date] | None
    read_as: ReadAs
    headings: Mapping[int, str | None] = field(default_factory=dict)
    kinds: _Kinds | None = None
    filled: Counter[str] = field(default_factory=Counter)
    subtotals: set[int] = field(default_factory=set)
    moments: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[Accepted]:
        columns = {
            name: self.match.columns[name] for name in self.feed.fill_down if name in self.match.columns
        }
        filling = FillDown(columns.values(), self.rejected_numbers)
        # A feed that names the currencies of its rows needs no headings for them.
        has_sections = self.read_as is ReadAs.NOW and "currency" not in self.match.columns
        sections = Headings(self.feed, self.match, self.headings, unit_of_heading)
        kinds = self.kinds and Headings(
            *(self.feed, self.match, self.kinds.lines, kind_of_heading), self.kinds.above
        )
        for rows in self._rows():
            chunk = replace(rows, section=sections.of(rows)) if has_sections else rows
            yield filling.fill(replace(chunk, kinds=kinds.of(chunk)) if kinds else chunk)
        self.filled.clear()
        self.filled.update({name: filling.count[column] for name, column in columns.items()})

    def with_no_costs(self, records: pa.Table, chunk: Accepted) -> pa.Table:
        """Return the records of a chunk, marked where a text calls them no cost."""
        return records if self.kinds is None else with_no_costs(self.feed, records, chunk)

    def _rows(self) -> Iterator[Accepted]:
        for place, columns in self.accepted:
            chunk = Accepted(place, columns, self.match, self.period)
            if self.read_as is ReadAs.BEFORE_4:
                yield chunk
                continue
            excluded = subtotal_rows(self.feed, chunk)
            if not excluded.any():
                yield chunk
                continue
            self.subtotals.update(place.column("record").filter(pa.array(excluded)).to_pylist())
            kept = pa.array(~excluded)
            yield Accepted(
                place.filter(kept), [column.filter(kept) for column in columns], self.match, self.period
            )

    def rejected(self, reading: Reading) -> Iterator[Rejected]:
        """Yield the records that the reader rejected, without subtotals that lack cells."""
        dialect = reading.dialect
        for item in reading.rejected:
            if self.read_as is not ReadAs.BEFORE_4 and item.code == ROW_RAGGED:
                text = item.raw.decode(dialect.encoding or "utf-8", errors="replace")
                (cells,) = line_cells([text], delimiter=dialect.delimiter, quote=dialect.quote)
                if is_ragged_subtotal(item, cells):
                    self.subtotals.add(item.record)
                    continue
            yield item


def _hidden_cells(reading: Reading, read_as: ReadAs) -> HiddenCells:
    return reading.hidden if read_as is ReadAs.NOW else HiddenCells()


def _tables(reading: Reading, read_as: ReadAs) -> Tables:
    if read_as is not ReadAs.NOW:
        return Tables()
    sheets = tuple(record for record in reading.sheet_names if record > 1)
    return Tables(tuple(line.record for line in reading.header_lines), sheets)


def _build(
    records: DeliveryRecords, reading: Reading, matched: _MatchedRecords, origin: Origin
) -> tuple[Mapping[str, str], _ControlTotal]:
    """Add the records of a delivery; return the inferred formats and the comparison with its total."""
    feed, is_e_invoice = records.feed, isinstance(reading, UblReading)
    parts, labels, spilling, digits = [], [], frozenset[int](), frozenset[int]()
    is_divided = matched.read_as is ReadAs.NOW and reading.is_delimited
    before = ""
    for chunk in matched:
        parts.append(evidence_of(feed, chunk))
        if is_divided:
            spilling |= spilling_columns(feed, chunk, reading.dialect.delimiter)
            digits |= texts_with_digits(feed, reading.header, chunk, reading.dialect.delimiter)
        if not is_e_invoice and matched.read_as is ReadAs.NOW:
            labels.append(labels_in(feed, chunk, before))
            before = chunk.place.column("raw")[-1].as_py() if chunk.place.num_rows else before
    evidence = reduce(operator.or_, parts) if parts else FormatEvidence({}, {})
    matched = replace(matched, match=replace(matched.match, spilling=spilling, digits_in_text=digits))
    labelled = labelled_lines(labels)
    doubts = {}
    if len(labelled):
        unread = [item.record for item in matched.rejected(reading)]
        doubts = total_lines(feed, matched, evidence, labelled, unread)
    control = feed.control_total
    fields = [control.field] if control else feed.money_fields if reading.footer else ()
    whole = bool(fields) and next(matched.rejected(reading), None) is None
    sums = [RunningTotal(name, whole=whole) for name in fields]
    hidden = _hidden_cells(reading, matched.read_as)
    records.tables = _tables(reading, matched.read_as)
    shapes: Mapping[str, str] = {}
    converted, codes = 0, set[str]()
    for chunk in matched:
        settled = build_records(feed, chunk, origin, evidence)
        shapes = settled.shapes
        for name, (zoned, moved) in settled.moments.items():
            matched.moments.update({(name, "zoned"): zoned, (name, "moved"): moved})
        doubtful = with_doubts(settled.records, doubts)
        doubtful = with_hidden(matched.with_no_costs(doubtful, chunk), chunk, hidden)
        for running in sums:
            running.add(doubtful)
        major, count, minor = (doubtful, 0, ()) if is_e_invoice else in_major_units(feed, doubtful)
        records.add(major)
        converted += count
        codes.update(minor)
    if converted:
        shapes = {**shapes, "currency": f"{' and '.join(sorted(codes))}: {converted} rows divided by 100"}
    personal = personal_places(feed, matched.match.columns, len(reading.header))
    shown = shown_texts(feed, reading.header, origin.numbers)
    for rejected in _by_size(
        _rejected_row(item, reading.dialect, shown, personal) for item in matched.rejected(reading)
    ):
        records.add(rejected_records(feed, rejected, origin))
    return shapes, _control_total(feed, reading, matched.match, sums)


def _by_size(rows: Iterable[RejectedRow]) -> Iterator[list[RejectedRow]]:
    """Yield rows in lists of a bounded size."""
    batch: list[RejectedRow] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row.raw) + _ROW_BYTES
        if size >= CHUNK_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _rejected_row(
    rejected: Rejected, dialect: Dialect, shown: Callable[[str], str], personal: PersonalPlaces | None = None
) -> RejectedRow:
    """Decode the raw bytes of a rejected record so that every byte is visible, personal cells masked."""
    raw = rejected.raw.decode(dialect.encoding or "utf-8", errors="backslashreplace")
    if personal is not None:
        raw = personal.masked(raw, dialect)
    facts = (shown(raw), rejected.code, shown(rejected.detail))
    return RejectedRow(rejected.record, rejected.start, rejected.end, *facts)


def _refused(feed: FeedSpec, reading: Reading, origin: Origin) -> RejectedRow | None:
    """Return the single rejection of a delivery that the reader could not read at all."""
    first = next(iter(reading.rejected), None)
    if first is None or first.record:
        return None
    return _rejected_row(first, reading.dialect, shown_texts(feed, reading.header, origin.numbers))


class _ControlTotal(NamedTuple):
    """The comparison with the total that the sender states: the difference, and totals not compared.

    `notes` are the differences of a total that the feed does not declare.
    """

    problem: str | None
    unchecked: tuple[str, ...]
    notes: tuple[str, ...] = ()


def _control_total(
    feed: FeedSpec, reading: Reading, match: HeaderMatch, sums: Sequence[RunningTotal]
) -> _ControlTotal:
    """Compare with the total that the sender states; it refuses a delivery only if the feed declares one."""
    if not sums:
        return _ControlTotal(None, ())
    dialect = reading.dialect
    texts = [record.text for record in reading.footer]
    footer = line_cells(texts, delimiter=dialect.delimiter, quote=dialect.quote)
    if feed.control_total is None:
        return _ControlTotal(None, (), tuple(contradicted(feed, sums, footer, match.columns)))
    column = match.columns.get(feed.control_total.field)
    return _ControlTotal(
        mismatch(feed, sums[0], footer, column), unchecked_totals(feed, sums[0], footer, column)
    )


def _refusal(feed: FeedSpec, reading: Reading, origin: Origin, why: tuple[str, str]) -> RejectedRow:
    """Return the single record for a delivery that was refused whole; `why` is its code and problem."""
    raw = reading.dialect.delimiter.join(reading.header)[:_RAW_SHOWN]
    shown = shown_texts(feed, reading.header, origin.numbers)
    return RejectedRow(0, 0, origin.size, shown(raw), why[0], shown(why[1]))


def _summary(
    records: DeliveryRecords,
    reading: Reading,
    refusal: RejectedRow | None,
    columns: Mapping[str, str],
    shapes: Mapping[str, str],
) -> DeliverySummary:
    dialect = reading.dialect
    return DeliverySummary(
        received=records.rows,
        undated=records.undated,
        refused=refusal.code if refusal else None,
        detail=refusal.detail if refusal else None,
        dates=dict(sorted(records.dates.items())),
        columns=dict(columns),
        shapes=dict(shapes),
        dialect={
            "encoding": dialect.encoding,
            "delimiter": dialect.delimiter,
            "quote": dialect.quote,
            "confidence": dialect.confidence,
            "preamble_records": len(dialect.preamble_records),
            "footer_records": len(dialect.footer_records),
            "mended_records": len(reading.repaired),
            "assumptions": list(dialect.assumptions),
        },
    )
