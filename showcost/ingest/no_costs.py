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

from showcost.readers.model import NO_COST
from showcost.values.column import any_true

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from showcost.config.feed import FeedSpec
    from showcost.ingest.records import Accepted

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
"""States of a row that is not to be paid, or not yet."""
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
LONGEST_HEADING: Final = 80
"""Characters of a text that may call rows so."""
_MOST_WORDS: Final = 7
_ZERO: Final = r"^-?0*(?:\.0*)?$"


def said_by(text: str) -> str | None:
    """Return a heading that calls the rows below it credits or no costs.

    The empty text for one that says what other rows are, so that it ends the rows of a heading above; None
    for any other text.
    """
    text = text.strip(" \t\r\n:;,=*-_#|\"'")
    if not text or len(text) > LONGEST_HEADING or len(text.split()) > _MOST_WORDS:
        return None
    rest = _NEGATED.sub(" ", text)
    without_credits = _CREDITS.sub(" ", rest)
    if _VOIDS.search(rest) or _ONE_WORD.fullmatch(rest):
        return text
    if without_credits != rest:
        # `Invoices and credit notes`: the rows have both.
        return "" if _OTHER.search(without_credits) else text
    return "" if _OTHER.search(rest) else None


def kind_of_heading(text: str) -> str | None:
    """Return what a heading says, as the detail of the rows below it shows it; see `said_by`."""
    return _shown("heading", said_by(text))


def kind_of_sheet(name: str) -> str | None:
    """Return what the name of a sheet says, as the detail of its rows shows it; see `said_by`."""
    return _shown("sheet", said_by(name))


def kind_of_title(lines: Iterable[str]) -> str | None:
    """Return what a title above the table says of all rows, as their detail shows it; None for nothing."""
    said = [said_by(text) for text in lines if ":" not in text.strip().rstrip(":")]
    return _shown("title", next(filter(None, said), "")) or None if "" not in said else None


def _shown(place: str, said: str | None) -> str | None:
    return f'the {place} "{said}"' if said else said


def with_no_costs(feed: FeedSpec, records: pa.Table, accepted: Accepted) -> pa.Table:
    """Return records, in the order of `accepted`, with a detail for those that a text calls no cost.

    A credit has it if its amount is positive, since a minus says the same; a void row has it in any case.
    """
    texts = list(_said(feed, records, accepted))
    if not texts:
        return records
    amounts = [pc.fill_null(records.column(f"{name}__value"), "") for name in feed.money_fields]
    filled = reduce(pc.or_, [pc.invert(pc.match_substring_regex(values, _ZERO)) for values in amounts])
    negative = reduce(pc.or_, [pc.starts_with(values, "-") for values in amounts])
    positive = pc.and_not(filled, negative)
    details = pa.chunked_array([pa.nulls(records.num_rows, pa.string())])
    for said, is_void in texts:
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
        is_void = (text for text in texts if _VOIDS.search(text) or not _CREDITS.search(text))
        void = pa.array(is_void, pa.string())
        yield accepted.kinds, pc.is_in(accepted.kinds, value_set=void)
    if accepted.match.signs is not None or accepted.match.credits:
        return
    for name in ("description", "event_type", feed.kind.document):
        if name not in feed.kind.by_name:
            continue
        texts = records.column(name)
        pattern = _NUMBERED if name == feed.kind.document else _BEGINS
        named = pc.fill_null(pc.match_substring_regex(texts, pattern), False)
        if not any_true(named):
            continue
        named = pc.and_not(named, pc.fill_null(pc.match_substring_regex(texts, _FEES), False))
        shown = pc.utf8_slice_codeunits(pc.replace_substring(texts, "; ", ", "), 0, LONGEST_HEADING)
        said = pc.binary_join_element_wise(f'its {name} "', shown, '"', "")
        yield pc.if_else(named, said, pa.scalar(None, pa.string())), pa.repeat(False, records.num_rows)
