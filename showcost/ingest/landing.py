"""Landing: taking deliveries from the inbox into the payload store and reading their records.

Landing is repeatable: what is registered and read stays as it is; what is registered but not read yet (a
crash in between, a feed that was corrected since) is read from the stored payload, never from the inbox.
Both are in the audit log before they count.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from showcost.core.hashing import sha256_framed
from showcost.ingest.control_totals import MISMATCH, footer_cells, mismatch
from showcost.ingest.inbox import waiting
from showcost.ingest.payloads import PayloadStore
from showcost.ingest.readers import Hints, Reading, Rejected, read_delivery
from showcost.ingest.recording import record_hashes, record_read, record_received
from showcost.ingest.records import (
    Accepted,
    HeaderMatch,
    RejectedRow,
    build_records,
    match_header,
    rejected_records,
)
from showcost.ingest.register import Arrival, Register
from showcost.ledger.audit import AuditLog
from showcost.staging import StagingStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from showcost.config.feed import FeedSpec
    from showcost.config.home import Home

RECORDS_VERSION: Final = "1"
"""Raised when reading or settling changes what records a payload gives, so that payloads are read again."""

NO_HEADER: Final = "SC-FIL-002"
_UNSURE: Final = "the header has another number of names than the rows have cells"
_RAW_SHOWN = 2_000


class Summary(BaseModel, frozen=True):
    """What is kept beside the records of a delivery.

    `received` = the sum of `dates` + `undated`; a refused delivery counts as one undated record with its
    code in `refused`. `columns` says which header was taken for which field, `shapes` which date formats
    and decimal marks were settled on, `dialect` how the delivery is written.
    """

    received: int
    undated: int
    refused: str | None
    detail: str | None
    dates: dict[date, int]
    columns: dict[str, str]
    shapes: dict[str, str]
    dialect: dict[str, str | int | bool | list[str]]


@dataclass(frozen=True)
class LandedDelivery:
    """One delivery that was landed: how it arrived, what it gave, and the sha256 of its stored records."""

    arrival: Arrival
    summary: Summary
    records: str


@dataclass(frozen=True)
class Landing:
    """The outcome of landing one feed.

    `read` are the deliveries whose records were read now, `again` the file names whose payload the feed
    had before, `changing` those that are still being written to and will be taken next time.
    """

    feed: str
    read: tuple[LandedDelivery, ...]
    again: tuple[str, ...]
    changing: tuple[str, ...]

    @property
    def touched(self) -> tuple[date, ...]:
        """The transaction dates that the deliveries read now touch, ascending."""
        return tuple(sorted({day for delivery in self.read for day in delivery.summary.dates}))


def records_asset(feed: str) -> str:
    """Return the staging name of a feed's records, which are kept per delivery."""
    return f"records/{feed}"


def land(home: Home, feed: FeedSpec) -> Landing:
    """Take what waits in the feed's inbox and read every delivery that has not been read yet."""
    register = Register(home.raw, home.locks)
    audit = AuditLog(home.path)
    again, changing = _take(home, feed, register, audit)
    store, payloads = StagingStore(home.path), PayloadStore(home.raw)
    mark = _fingerprint(home, feed)
    read: list[LandedDelivery] = []
    for arrival in register.deliveries(feed.name):
        staged = store.metadata(records_asset(feed.name), arrival.delivery)
        if staged is None or (
            staged.inputs.get("fingerprint") != mark and not payloads.is_shredded(arrival.delivery)
        ):
            read.append(_read(home, feed, arrival, audit, mark))
    return Landing(feed.name, tuple(read), again, changing)


def read_arrival(home: Home, feed: FeedSpec, arrival: Arrival, audit: AuditLog) -> LandedDelivery:
    """Read one registered delivery, as `land` does with those that it takes."""
    return _read(home, feed, arrival, audit, _fingerprint(home, feed))


def landed(home: Home, feed: FeedSpec) -> list[LandedDelivery]:
    """Return what every registered and read delivery of a feed gave, in order of arrival."""
    store = StagingStore(home.path)
    found: list[LandedDelivery] = []
    for arrival in Register(home.raw, home.locks).deliveries(feed.name):
        staged = store.metadata(records_asset(feed.name), arrival.delivery)
        if staged is not None:
            summary = Summary.model_validate_json(str(staged.inputs["summary"]))
            found.append(LandedDelivery(arrival, summary, staged.sha256))
    return found


def _take(
    home: Home, feed: FeedSpec, register: Register, audit: AuditLog
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Store and register the files that wait; return the names that came again and those in flux."""
    payloads = PayloadStore(home.raw)
    again: list[str] = []
    changing: list[str] = []
    for file in waiting(home.inbox, feed, register.arrivals(feed.name)):
        payload = payloads.put(file.path)
        if payload.size != file.size or not file.unchanged():
            changing.append(file.name)
            continue
        item = (payload, file.name, file.modified_ns)
        (arrival,) = register.add(feed.name, [item], lambda one: record_received(audit, one))
        if arrival.again:
            again.append(file.name)
    return tuple(again), tuple(changing)


def _fingerprint(home: Home, feed: FeedSpec) -> str:
    """Return a hash over all that decides what records a payload gives; how it was asked for does not."""
    span = home.production.dates
    unset = {"items"} if feed.items is None else set()
    settings = feed.model_dump_json(exclude={"api", *unset})
    return sha256_framed([RECORDS_VERSION, settings, span.start.isoformat(), span.end.isoformat()])


def _read(home: Home, feed: FeedSpec, arrival: Arrival, audit: AuditLog, fingerprint: str) -> LandedDelivery:
    content, summary = _parse(home, feed, arrival)
    record_read(audit, arrival, content.records, fingerprint)
    staged = StagingStore(home.path).write(
        records_asset(feed.name),
        arrival.delivery,
        content.records.sort_by([("transaction_date", "ascending"), ("record", "ascending")]),
        {"fingerprint": fingerprint, "summary": summary.model_dump_json()},
    )
    return LandedDelivery(arrival, summary, staged.sha256)


def reread(home: Home, feed: FeedSpec, arrival: Arrival) -> pa.Table:
    """Parse a payload once more and return its records as the audit log has them; nothing is stored."""
    content, _ = _parse(home, feed, arrival)
    return record_hashes(content.records)


def _parse(home: Home, feed: FeedSpec, arrival: Arrival) -> tuple[_Content, Summary]:
    hints = Hints(**feed.dialect.model_dump())
    with (
        PayloadStore(home.raw).opened(arrival.delivery) as path,
        read_delivery(path, format=feed.format, hints=hints, items=feed.items) as reading,
    ):
        content = _content(home, feed, arrival, reading)
        return content, _summary(content, reading)


@dataclass(frozen=True)
class _Content:
    """The records of a delivery, and what was settled on for its columns."""

    records: pa.Table
    columns: Mapping[str, str]
    shapes: Mapping[str, str]


def _content(home: Home, feed: FeedSpec, arrival: Arrival, reading: Reading) -> _Content:
    """Return the delivery's records; a header that does not match or a wrong total refuses it whole."""
    accepted = reading.table()
    rejected = [_rejected_row(item, reading.dialect.encoding) for item in reading.rejected]
    columns = _columns(accepted, len(reading.header))
    match = match_header(feed, reading.header, [_filled(column) for column in columns])
    problem = match.problem if reading.dialect.header_sure else _UNSURE
    if problem is not None and not _refused(rejected):
        rejected = [_refusal(arrival, reading, NO_HEADER, problem)]
    if _refused(rejected):
        records = rejected_records(feed, rejected, delivery=arrival.delivery, arrival=arrival.number)
        return _Content(records, {}, {})
    settled = build_records(
        feed,
        Accepted(accepted, columns, match),
        delivery=arrival.delivery,
        arrival=arrival.number,
        dates=home.production.dates,
    )
    wrong_total = _wrong_total(feed, reading, settled.records, match, whole=not rejected)
    if wrong_total is not None:
        refusal = _refusal(arrival, reading, MISMATCH, wrong_total)
        records = rejected_records(feed, [refusal], delivery=arrival.delivery, arrival=arrival.number)
        return _Content(records, {}, {})
    others = rejected_records(feed, rejected, delivery=arrival.delivery, arrival=arrival.number)
    headers = {field: reading.header[index] for field, index in match.columns.items()}
    return _Content(pa.concat_tables([settled.records, others]), headers, settled.shapes)


def _rejected_row(rejected: Rejected, encoding: str) -> RejectedRow:
    """Decode the raw bytes of a rejected record so that none of them is lost to sight."""
    raw = rejected.raw.decode(encoding or "utf-8", errors="backslashreplace")
    return RejectedRow(rejected.record, rejected.start, rejected.end, raw, rejected.code, rejected.detail)


def _columns(accepted: pa.Table, width: int) -> list[pa.ChunkedArray]:
    cells = accepted.column("cells")
    return [pc.list_element(cells, index) for index in range(width)]


def _filled(column: pa.ChunkedArray) -> bool:
    return bool(pc.any(pc.not_equal(pc.utf8_trim_whitespace(column), "")).as_py())


def _refused(rejected: Sequence[RejectedRow]) -> bool:
    return any(row.code.startswith("SC-FIL-") for row in rejected)


def _wrong_total(
    feed: FeedSpec, reading: Reading, records: pa.Table, match: HeaderMatch, *, whole: bool
) -> str | None:
    """Say in which way the total that the sender states does not hold, where the feed has one."""
    if feed.control_total is None:
        return None
    dialect = reading.dialect
    texts = [record.text for record in reading.footer]
    footer = footer_cells(texts, delimiter=dialect.delimiter, quote=dialect.quote)
    return mismatch(feed, records, footer, match.columns.get(feed.control_total.field), whole=whole)


def _refusal(arrival: Arrival, reading: Reading, code: str, problem: str) -> RejectedRow:
    """Return the one record that stands for a delivery refused for its header or its total."""
    raw = reading.dialect.delimiter.join(reading.header)[:_RAW_SHOWN]
    return RejectedRow(0, 0, arrival.size, raw, code, problem)


def _summary(content: _Content, reading: Reading) -> Summary:
    records = content.records
    dated = Counter(records.column("transaction_date").drop_null().to_pylist())
    refusals = records.filter(pc.starts_with(records.column("read_code"), "SC-FIL-"))
    refused = refusals.select(["read_code", "read_detail"]).to_pylist()
    dialect = reading.dialect
    return Summary(
        received=records.num_rows,
        undated=records.num_rows - dated.total(),
        refused=refused[0]["read_code"] if refused else None,
        detail=refused[0]["read_detail"] if refused else None,
        dates=dict(sorted(dated.items())),
        columns=dict(content.columns),
        shapes=dict(content.shapes),
        dialect={
            "encoding": dialect.encoding,
            "delimiter": dialect.delimiter,
            "quote": dialect.quote,
            "confidence": dialect.confidence,
            "preamble_records": len(dialect.preamble_records),
            "footer_records": len(dialect.footer_records),
            "mended_records": len(reading.mended),
            "assumptions": list(dialect.assumptions),
        },
    )
