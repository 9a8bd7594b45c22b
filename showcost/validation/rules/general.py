"""Rules about blank fields, dates, the production and its fiscal periods (ROW-002, FIL, DAT, PER).

And about the document number, which a spreadsheet may have spoilt (DOC).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.record_kinds import FieldType
from showcost.core.documents import LOST_DIGITS
from showcost.readers.model import HIDDEN, MAY_BE_TOTAL, NO_COST, REPEATS
from showcost.validation.rules.model import ColumnRule, RowRule, Rule
from showcost.values.column import BLANK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.config.feed import FeedSpec
    from showcost.config.production import ClosedPeriod, Production
    from showcost.validation.reference import Reference

_TAX_ID: Final = "vendor_tax_id"
ERROR_VALUES: Final = pa.array(
    [
        *("#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#FIELD!"),
        *(
            "#GETTING_DATA",
            "#BUSY!",
            "#BLOCKED!",
            "#CONNECT!",
            "#UNKNOWN!",
            "#FORMULA!",
            "Err:502",
            "Err:508",
        ),
    ]
)
"""What spreadsheets show for a cell that they cannot calculate."""
UNCONFIRMED: Final = "SC-FIL-004"
"""The flag of the rows of a delivery whose control total is not confirmed."""


def rules(reference: Reference) -> Iterator[Rule]:
    """Return the rules of this module."""
    feed, production = reference.feed, reference.production
    yield from _required_values(feed)
    yield from _no_error_values(feed)
    yield from _known_words(feed)
    yield from _dates(feed)
    yield from _within_production(feed, production)
    yield RowRule(
        MAY_BE_TOTAL,
        feed.kind.primary.field,
        lambda failed: pc.binary_join_element_wise(
            "a cost of its own, but ", failed.column("read_detail"), ""
        ),
        "reader",
        holds=_is_no_total,
    )
    yield RowRule(
        "SC-ROW-006",
        feed.kind.primary.field,
        "a row that the workbook shows",
        "reader",
        holds=_is_shown,
    )
    yield RowRule(
        "SC-AMT-004",
        feed.kind.primary.field,
        lambda failed: pc.binary_join_element_wise("a cost, but ", failed.column("read_detail"), ""),
        "reader",
        holds=_is_cost,
    )
    yield RowRule(
        "SC-DUP-003",
        feed.kind.document,
        lambda failed: pc.binary_join_element_wise(
            "no row of another table of its file again, but ", failed.column("read_detail"), ""
        ),
        "reader",
        holds=_is_in_one_table,
    )
    if feed.kind.by_name[feed.kind.document].type is FieldType.TEXT:
        yield ColumnRule(
            "SC-DOC-001",
            feed.kind.document,
            "the number as on the document; a spreadsheet rounded it",
            "digits lost",
            column=feed.kind.document,
            holds=_has_all_digits,
        )
    if reference.unconfirmed:
        control = feed.control_total
        yield RowRule(
            UNCONFIRMED,
            control.field if control else feed.kind.primary.field,
            "a file whose rows add up to its control total",
            f"feed {feed.name}: control_total",
            holds=partial(_is_confirmed, pa.array(sorted(reference.unconfirmed), pa.string())),
        )
    if production.closed_periods:
        yield ColumnRule(
            "SC-PER-001",
            feed.date_field,
            partial(_open_period, production.closed_periods),
            "closed periods: production.yaml, showcost period",
            column="date",
            holds=partial(_in_open_period, production.closed_periods),
        )


def _is_no_total(cells: pa.Table) -> pa.ChunkedArray:
    return pc.fill_null(pc.not_equal(cells.column("read_code"), MAY_BE_TOTAL), True)


def _is_shown(cells: pa.Table) -> pa.ChunkedArray:
    return pc.fill_null(pc.invert(pc.ends_with(cells.column("read_detail"), HIDDEN)), True)


def _is_in_one_table(cells: pa.Table) -> pa.ChunkedArray:
    return pc.fill_null(pc.invert(pc.starts_with(cells.column("read_detail"), REPEATS)), True)


def _is_cost(cells: pa.Table) -> pa.ChunkedArray:
    return pc.fill_null(pc.invert(pc.match_substring(cells.column("read_detail"), NO_COST)), True)


def _has_all_digits(numbers: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.invert(pc.match_substring_regex(numbers, LOST_DIGITS))


def _is_confirmed(unconfirmed: pa.Array, cells: pa.Table) -> pa.ChunkedArray:
    return pc.invert(pc.is_in(cells.column("delivery"), value_set=unconfirmed))


def required_fields(feed: FeedSpec) -> tuple[str, ...]:
    """Return the fields that no row may leave blank.

    These are the feed's required fields and, in any case, the fields that posting needs: date, account,
    currency and primary amount.
    """
    posting = (feed.date_field, "account", "currency", feed.kind.primary.field)
    return tuple(dict.fromkeys((*feed.required_fields, *posting)))


def _required_values(feed: FeedSpec) -> Iterator[Rule]:
    required = required_fields(feed)
    # A blank tax id has a code of its own, as has a text that the feed's account mapping does not list.
    own_codes = {_TAX_ID} | ({"account"} if feed.accounts is not None else set())
    for name in required:
        if name not in own_codes:
            text = feed.kind.by_name[name].type is FieldType.TEXT
            yield ColumnRule(
                "SC-ROW-002",
                name,
                "a value",
                f"feed {feed.name}: required",
                column=name if text else f"{name}__problem",
                holds=pc.is_valid if text else _not_blank,
            )
    for name in feed.key_fields:
        if name not in required:
            yield RowRule(
                "SC-ROW-002",
                name,
                "a value, for it is part of what identifies the row",
                f"feed {feed.name}: key",
                holds=partial(_has_key, name),
            )


def _no_error_values(feed: FeedSpec) -> Iterator[Rule]:
    """Yield the rules on text; in dates and amounts, an error value is unreadable anyway."""
    for name in feed.kind.of_type(FieldType.TEXT):
        yield ColumnRule(
            "SC-ROW-004",
            name,
            "text, not the error value of a spreadsheet",
            "a cell that its workbook could not calculate",
            column=name,
            holds=_is_no_error_value,
        )


def _known_words(feed: FeedSpec) -> Iterator[Rule]:
    """Yield the rules on coded fields: a text that stands for no word would switch off what depends on it."""
    for field in feed.kind.coded:
        listed = ", ".join(word for word, _ in field.words)
        yield RowRule(
            "SC-ROW-005",
            field.name,
            f"one of {listed}, or a way of writing it that the feed lists",
            f"feed {feed.name}: fields.{field.name}.words",
            holds=partial(_is_known_word, field.name),
        )


def _is_known_word(field: str, cells: pa.Table) -> pa.ChunkedArray:
    texts = cells.column(field)
    unknown = pc.and_(pc.is_valid(texts), pc.is_null(cells.column(f"{field}__word")))
    # An error value of a spreadsheet has a code of its own.
    return pc.or_(pc.invert(unknown), pc.fill_null(pc.is_in(texts, value_set=ERROR_VALUES), False))


def _is_no_error_value(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.invert(pc.is_in(texts, value_set=ERROR_VALUES))


def _not_blank(problem: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.not_equal(problem, BLANK)


def _has_key(name: str, cells: pa.Table) -> pa.ChunkedArray:
    return pc.or_(pc.is_valid(cells.column(name)), pc.is_valid(cells.column("row_key")))


def _dates(feed: FeedSpec) -> Iterator[Rule]:
    for name in feed.kind.of_type(FieldType.DATE, FieldType.TIMESTAMP):
        timestamp = feed.kind.by_name[name].type is FieldType.TIMESTAMP
        formats = feed.formats_of(name)
        written = f"written as {' or '.join(formats)}" if formats else "that can be read in one way only"
        yield ColumnRule(
            "SC-DAT-001",
            name,
            f"a {'date and time' if timestamp else 'date'} {written}",
            f"feed {feed.name}: date_formats, day_first",
            column=f"{name}__problem",
            holds=_is_blank,
        )


def _is_blank(problem: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.equal(problem, BLANK)


def _within_production(feed: FeedSpec, production: Production) -> Iterator[Rule]:
    span = production.dates
    yield ColumnRule(
        "SC-DAT-002",
        feed.date_field,
        f"a date from {span.start} to {span.end}",
        "production.yaml: dates",
        column="date",
        holds=lambda days: pc.and_(pc.greater_equal(days, span.start), pc.less_equal(days, span.end)),
    )
    # A row of another show is outside this production whatever its date: same code, same remedy.
    yield ColumnRule(
        "SC-DAT-002",
        "production_code",
        f"the production code {production.code}, or none",
        "production.yaml: code",
        column="production_code",
        holds=lambda codes: pc.equal(pc.utf8_upper(codes), production.code),
    )


def _in_open_period(periods: tuple[ClosedPeriod, ...], days: pa.ChunkedArray) -> pa.ChunkedArray:
    open_ = pc.is_valid(days)
    for period in periods:
        closed = pc.and_(pc.greater_equal(days, period.start), pc.less_equal(days, period.end))
        open_ = pc.and_not(open_, closed)
    return open_


def _open_period(periods: tuple[ClosedPeriod, ...], failed: pa.Table) -> pa.ChunkedArray:
    days = failed.column("date")
    text: pa.ChunkedArray = pa.chunked_array([pa.nulls(len(days), pa.string())])
    for period in periods:
        closed = pc.and_(pc.greater_equal(days, period.start), pc.less_equal(days, period.end))
        message = f"a date outside {period.name} ({period.start} to {period.end}), which is closed"
        text = pc.coalesce(text, pc.if_else(closed, message, pa.scalar(None, pa.string())))
    return text
