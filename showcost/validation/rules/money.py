"""Rules about amounts, currencies and the status of rates (AMT, CUR, FX)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.record_kinds import FieldType
from showcost.core.money import AMOUNT_SCALE
from showcost.validation.columns import INTEGER_DIGITS, QUANTITY_SCALE
from showcost.validation.rules.model import ColumnRule, RowRule, Rule
from showcost.values.column import BLANK
from showcost.values.symbols import contradicts, unit_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.config.feed import FeedSpec
    from showcost.validation.reference import Reference

_BETWEEN: Final = "\x1f"
_RATE_CODES: Final = {
    "pending": "SC-FX-001",
    "missing": "SC-FX-002",
    "changed": "SC-FX-003",
    "jumped": "SC-FX-004",
}


def rules(reference: Reference) -> Iterator[Rule]:
    """Return the rules of this module."""
    feed = reference.feed
    for name in feed.kind.of_type(FieldType.AMOUNT):
        yield from _amount(feed, name)
    if {"net_amount", "tax_amount", "gross_amount"} <= feed.kind.by_name.keys():
        yield RowRule(
            "SC-AMT-003",
            "gross_amount",
            _total_text,
            "EN 16931 BR-CO-15",
            holds=_adds_up,
        )
    yield ColumnRule(
        "SC-CUR-001",
        "currency",
        f"one of {', '.join(reference.currencies.to_pylist())}",
        "production.yaml: currencies; ISO 4217",
        column="currency",
        holds=lambda codes: pc.or_(pc.is_null(codes), pc.is_in(codes, value_set=reference.currencies)),
    )
    if reference.fx_status is not None:
        yield from _rates(reference)


def _amount(feed: FeedSpec, name: str) -> Iterator[Rule]:
    mark = f" with decimal mark {feed.decimal_mark}" if feed.decimal_mark else ""
    yield ColumnRule(
        "SC-AMT-001",
        name,
        f"an amount{mark} that can be read in one way only",
        f"feed {feed.name}: decimal_mark",
        column=f"{name}__problem",
        holds=lambda problem: pc.equal(problem, BLANK),
    )
    quantity = name in feed.kind.quantities
    yield RowRule(
        "SC-AMT-002",
        name,
        f"at most {QUANTITY_SCALE} decimals and {INTEGER_DIGITS} digits before them"
        if quantity
        else _minor_text,
        "showcost: stored digits" if quantity else "ISO 4217 minor units (Unicode CLDR)",
        holds=partial(_storable, name, quantity=quantity),
    )
    yield RowRule(
        "SC-CUR-002",
        name,
        _symbol_text,
        "ISO 4217; currency symbols of the Unicode CLDR",
        holds=partial(_symbol_fits, name),
    )
    yield RowRule(
        "SC-CUR-003",
        name,
        _unit_text,
        f"feed {feed.name}: scale",
        holds=partial(_is_in_currency, name),
    )


def _storable(name: str, cells: pa.Table, *, quantity: bool) -> pa.ChunkedArray:
    """Say whether digits and decimals fit; trailing zeros of the decimals do not count."""
    allowed = QUANTITY_SCALE if quantity else _allowed_decimals(cells)
    return pc.and_(
        pc.less_equal(cells.column(f"{name}__digits"), INTEGER_DIGITS),
        pc.less_equal(cells.column(f"{name}__decimals"), allowed),
    )


def _allowed_decimals(cells: pa.Table) -> pa.ChunkedArray:
    return pc.fill_null(cells.column("minor_units"), AMOUNT_SCALE)


def _minor_text(failed: pa.Table) -> pa.ChunkedArray:
    decimals = _allowed_decimals(failed).cast(pa.string())
    currency = pc.fill_null(failed.column("currency"), "an unknown currency")
    return pc.binary_join_element_wise(
        "at most ", decimals, " decimals in ", currency, f" and {INTEGER_DIGITS} digits before them", ""
    )


def _adds_up(cells: pa.Table) -> pa.ChunkedArray:
    total = pc.add(cells.column("net_amount"), cells.column("tax_amount"))
    return pc.equal(total, cells.column("gross_amount"))


def _total_text(failed: pa.Table) -> pa.ChunkedArray:
    net, tax = failed.column("net_amount"), failed.column("tax_amount")
    parts = [values.cast(pa.string()) for values in (net, tax, pc.add(net, tax))]
    return pc.binary_join_element_wise("net + tax: ", parts[0], " + ", parts[1], " = ", parts[2], "")


def _symbol_fits(name: str, cells: pa.Table) -> pa.Array:
    """Say whether the symbol in a cell fits the row's currency; each distinct pair is checked once.

    Parts and multiples of a currency are another fault.
    """
    exists = pc.is_valid(cells.column("minor_units"))
    currency = pc.if_else(exists, cells.column("currency"), pa.scalar(None, pa.string()))
    pairs = pc.binary_join_element_wise(cells.column(f"{name}__symbol"), currency, _BETWEEN)
    encoded = pairs.combine_chunks().dictionary_encode()
    split = [pair.split(_BETWEEN, 1) for pair in encoded.dictionary.to_pylist()]
    matches = [unit_of(symbol) is not None or not contradicts(symbol, code) for symbol, code in split]
    return pc.take(pa.array(matches, pa.bool_()), encoded.indices)


def _is_in_currency(name: str, cells: pa.Table) -> pa.Array:
    """Say whether the symbol of a cell, if it has any, is not a part or multiple of a currency."""
    encoded = cells.column(f"{name}__symbol").combine_chunks().dictionary_encode()
    matches = [unit_of(symbol) is None for symbol in encoded.dictionary.to_pylist()]
    return pc.fill_null(pc.take(pa.array(matches, pa.bool_()), encoded.indices), True)


def _symbol_text(failed: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise("a symbol of ", failed.column("currency"), ", or none", "")


def _unit_text(failed: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(
        "an amount in ", failed.column("currency"), ", not in a multiple or part of it", ""
    )


def _rates(reference: Reference) -> Iterator[Rule]:
    carry = reference.production.fx.carry_days
    conditions = {
        "pending": "",
        "missing": f", published on that day or at most {carry} days before it",
        "changed": ", unchanged since it was pinned",
        "jumped": f" within {reference.production.fx.jump_percent}% of the publication before, or accepted",
    }
    for status, code in _RATE_CODES.items():
        yield RowRule(
            code,
            "currency",
            partial(_rate_text, conditions[status]),
            "production.yaml: fx",
            holds=partial(_status_is_not, status),
        )


def _status_is_not(status: str, cells: pa.Table) -> pa.ChunkedArray:
    return pc.not_equal(cells.column("fx__status"), status)


def _rate_text(condition: str, failed: pa.Table) -> pa.ChunkedArray:
    day = failed.column("date").cast(pa.string())
    return pc.binary_join_element_wise("a rate of ", failed.column("currency"), " for ", day, condition, "")
