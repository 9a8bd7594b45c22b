"""Rows that a text beside the amount calls a credit, or no cost at all.

The text is the heading above them, the title of the file, the name of their sheet, their description, the
beginning of their document number or a word in a column of kinds or states. A credit note with a positive
amount would post as a cost, and so would a void invoice or a quotation: a person decides (SC-AMT-004).
"""

from __future__ import annotations

import re
from functools import reduce
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.ingest.line_cells import line_cells
from showcost.readers.model import NO_COST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from showcost.config.feed import FeedSpec
    from showcost.ingest.records import Accepted
    from showcost.readers import Dialect, Rejected

CREDIT_PHRASES: Final = (
    r"credit[\W_]{0,2}(?:notes?|memos?|memoranda|memorandums?|invoices?|adjustments?)|credited invoices?"
    r"|cr\.?[\W_](?:notes?|memos?)|gutschrift(?:en)?|rechnungskorrektur(?:en)?|storno(?:s|rechnung(?:en)?)?"
    r"|avoirs?|notes? de cr(?:é|e)dit|factures? d['"
    "\u2019"
    r"]avoir|notas? de (?:cr(?:é|e)dito|abono)|abonos?"
    r"|not[ae] di credito|creditnota(?:['"
    "\u2019"
    r"]?s)?|creditfactu(?:ur|ren)|kreditnot(?:a|or|aer|er)?"
    r"|kreditfaktur(?:a|or)|hyvityslasku(?:t)?|faktur[ay] koryguj(?:ą|a)c[ae]|not[ay] kredytow[ae]"
    r"|dobropis(?:y)?"
)
"""Names of documents that take something back, as UNTDID 1001 and vendors' programs call them."""
VOID_PHRASES: Final = (
    r"void(?:ed|s)?|cancell?ed|storniert(?:e[nrs]?)?|annul(?:é|e)e?s?|annulliert(?:e[nrs]?)?|anulad[oa]s?"
    r"|annullat[oaie]|geannuleerd|deleted|rejected|declined|abgelehnt(?:e[nrs]?)?|superseded"
    r"|drafts?|entw(?:u|ü)rfe?|pro[\W_]?forma[s']?|quotes?|quotations?|angebote?|devis|presupuestos?|preventiv[oi]"
    r"|(?:not yet|noch nicht|nicht) (?:invoiced|billed|berechnet|fakturiert|in rechnung gestellt)"
    r"|un(?:invoiced|billed)|non factur(?:é|e)e?s?|(?:à|a) facturer|disputed|in dispute|strittig(?:e[nrs]?)?"
    r"|on hold|do not pay|duplicates?"
)
"""States in which a row is no cost, or not yet."""
_INVOICES: Final = (
    r"invoices?|bills?|charges?|debits?|purchases?|costs?|rechnung(?:en)?|factures?|facturas?|fattur[ae]"
    r"|facturen|fakturor|faktury|lasten|kosten"
)
_NEVER: Final = (
    r"(?:no|not|non|without|excl\w*|incl\w*|less|net of|before|after|ohne|keine?|zzgl|abzgl|inkl\w*|exkl\w*"
    r"|sans|hors|sin|senza)"
)
_CREDITS: Final = re.compile(rf"(?i)(?<!\w)(?:{CREDIT_PHRASES}|refunds?|credits|reversed|reversals?)(?!\w)")
_VOIDS: Final = re.compile(rf"(?i)(?<!\w)(?:{VOID_PHRASES})(?!\w)")
_OTHER: Final = re.compile(rf"(?i)(?<!\w)(?:{_INVOICES})(?!\w)")
_NEGATED: Final = re.compile(
    rf"(?i)(?<!\w){_NEVER}\.?(?: any)?\W+(?:{CREDIT_PHRASES}|refunds?|credits|{VOID_PHRASES})(?!\w)"
)
_ONE_WORD: Final = re.compile(
    r"(?i)\W*(?:payments?(?: (?:made|received))?|zahlungen|paiements|pagos|pagamenti)\W*"
)
_BEGINS: Final = (
    rf"(?i)^\W*(?:(?:{CREDIT_PHRASES}|stornierung|refund|r(?:ü|ue)ckerstattung|quotation)\b"
    r"|(?:void(?:ed)?|cancell?ed|reversal|reversed|storniert|annul(?:é|e)e?|pro[\W_]?forma)\W*"
    r"(?:$|[-:(\x{2013}]|of\b|invoice))"
)
_FEES: Final = (
    r"(?i)^\W*[\p{L}.]+(?:[\W_]{0,2}(?:notes?|memos?))?[\W_]{0,3}"
    r"(?:fees?|charges?|geb(?:ü|ue)hr|kosten|insurance|protection|cards?)\b"
)
_NUMBERED: Final = (
    r"(?i)^\W*(?:credit(?:[\W_]{0,2}(?:notes?|memos?))?|crn|gutschrift|avoir|storno|void|pro[\W_]?forma)"
    r"[\W_]{0,2}[0-9]"
)
_LONGEST: Final = 80
_MOST_WORDS: Final = 7
_MOST_CELLS: Final = 2
_ZERO: Final = r"^-?0*(?:\.0*)?$"


def said_by(text: str) -> str | None:
    """Return a heading that calls the rows below it credits or no costs.

    The empty text for one that says what other rows are, so that it ends the rows of a heading above; None
    for any other text.
    """
    text = text.strip(" \t\r\n:;,=*-_#|\"'")
    if not text or len(text) > _LONGEST or len(text.split()) > _MOST_WORDS:
        return None
    rest = _NEGATED.sub(" ", text)
    without_credits = _CREDITS.sub(" ", rest)
    if _VOIDS.search(rest) or _ONE_WORD.fullmatch(rest):
        return text
    if without_credits != rest:
        # `Invoices and credit notes`: the rows have both.
        return "" if _OTHER.search(without_credits) else text
    return "" if _OTHER.search(rest) else None


def said_by_cells(cells: Iterable[str | None]) -> str | None:
    """Return what the cells of a line say as a heading (`said_by`); None for a line with more cells."""
    filled = [cell.strip() for cell in cells if cell and cell.strip()]
    return said_by(" ".join(filled)) if 0 < len(filled) <= _MOST_CELLS else None


def heading_of_cells(cells: Iterable[str | None]) -> str | None:
    """Return what the cells of a record say, as the detail of the rows below shows it; see `said_by`."""
    said = said_by_cells(cells)
    return f'the heading "{said}"' if said else said


def said_above(lines: Iterable[str]) -> str:
    """Return what a title above the table says of all rows; empty for nothing."""
    said = [said_by(text) for text in lines if ":" not in text.strip().rstrip(":")]
    return next((text for text in said if text), "") if "" not in said else ""


def said_by_lines(rejected: Iterable[Rejected], dialect: Dialect) -> dict[int, str | None]:
    """Return what rejected lines say of the rows below, by the number of the line; None ends it."""
    found: dict[int, str | None] = {}
    for item in rejected:
        if item.record and len(item.raw) <= _LONGEST:
            text = item.raw.decode(dialect.encoding or "utf-8", errors="replace")
            (cells,) = line_cells([text.strip()], delimiter=dialect.delimiter, quote=dialect.quote)
            if (said := said_by_cells(cells)) is not None:
                found[item.record] = f'the heading "{said}"' if said else None
    return found


def said_by_sheets(names: Mapping[int, str]) -> dict[int, str | None]:
    """Return what the names of sheets say, None for others, by the sheet's first record."""
    found = {begin: said_by(name) for begin, name in names.items()}
    if not any(found.values()):
        return {}
    return {begin: f'the sheet "{said}"' if said else None for begin, said in found.items()}


def with_no_costs(feed: FeedSpec, records: pa.Table, accepted: Accepted) -> pa.Table:
    """Return records, in the order of `accepted`, with a detail for those that a text calls no cost.

    Credits are those with a positive amount, since a negative one says the same; what is void is no cost
    whatever its sign.
    """
    amounts = [pc.fill_null(records.column(f"{name}__value"), "") for name in feed.money_fields]
    filled = reduce(pc.or_, [pc.invert(pc.match_substring_regex(texts, _ZERO)) for texts in amounts])
    negative = reduce(pc.or_, [pc.starts_with(texts, "-") for texts in amounts])
    positive = pc.and_not(filled, negative)
    details = pa.chunked_array([pa.nulls(records.num_rows, pa.string())])
    for said, is_void in _said(feed, records, accepted):
        marked = pc.and_(pc.is_valid(said), pc.if_else(is_void, filled, positive))
        details = pc.coalesce(details, pc.if_else(marked, said, pa.scalar(None, pa.string())))
    if details.null_count == len(details):
        return records
    before = records.column("read_detail")
    said = pc.binary_join_element_wise(NO_COST, details, "")
    detail = pc.coalesce(pc.binary_join_element_wise(before, said, "; "), said, before)
    place = records.schema.get_field_index("read_detail")
    return records.set_column(place, records.schema.field(place), detail)


def without_no_cost(detail: str) -> str | None:
    """Return the detail of a record whose amount a person has entered."""
    parts = [part for part in detail.split("; ") if not part.startswith(NO_COST)]
    return "; ".join(parts) or None


def _said(
    feed: FeedSpec, records: pa.Table, accepted: Accepted
) -> Iterator[tuple[pa.ChunkedArray | pa.Array, pa.ChunkedArray | pa.Array]]:
    """Yield the texts that call records no cost, null for others, and whether each says that of any sign."""
    if accepted.kinds is not None:
        texts = pc.unique(accepted.kinds).drop_null().to_pylist()
        void = pa.array([text for text in texts if not _CREDITS.search(text)], pa.string())
        yield accepted.kinds, pc.is_in(accepted.kinds, value_set=void)
    if accepted.match.signs is not None or accepted.match.credits:
        return
    for name in ("description", "event_type", feed.kind.document):
        if name not in feed.kind.by_name:
            continue
        texts = records.column(name)
        pattern = _NUMBERED if name == feed.kind.document else _BEGINS
        found = pc.fill_null(pc.match_substring_regex(texts, pattern), False)
        if not pc.any(found, min_count=0).as_py():
            continue
        found = pc.and_not(found, pc.fill_null(pc.match_substring_regex(texts, _FEES), False))
        shown = pc.utf8_slice_codeunits(pc.replace_substring(texts, "; ", ", "), 0, _LONGEST)
        said = pc.binary_join_element_wise(f'its {name} "', shown, '"', "")
        yield pc.if_else(found, said, pa.scalar(None, pa.string())), pa.repeat(False, records.num_rows)
