"""The same cost in another place: another feed, another spelling of its number, or lines numbered anew.

A key is a matter of one feed. Here documents are compared over all feeds and record kinds: the rows of one
delivery with one payee and number, as spelled. Two documents are the same if payee (tax id before code and
name), number in normal form and date agree; then a row is a duplicate (SC-DUP-001) of the row with its
amount, or of the whole document where the totals agree, and else a conflict (SC-DUP-002). Documents that are
only alike need a person (SC-DUP-003): equal totals under a similar number, another date or a payee whose
name is like the other's (`core.documents.alike_names`). The row that is posted precedes, else the one that
arrived first; a row is compared with all that precede it, whether or not they are duplicates themselves, so
that the order in which partitions and feeds are validated does not matter.

Kinds divide a document in their own ways (a permit by event, payroll by employee), so documents of different
kinds are compared whole. A payroll manifest and the invoice for it are never the same, but alike if their
totals are equal, or the invoice of that number is not less than the wages: a smaller one is for the fee.

One feed may deliver a document again under other keys: with its lines numbered anew, or with a date a few
days later where the date is part of the key. Then the rows whose key the other delivery lacks are alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.core.arrow import query
from showcost.core.ids import ROW_ID_SQL

if TYPE_CHECKING:
    from datetime import date

ALIKE: Final = "SC-DUP-003"

FAR_DAYS: Final = 180
"""Days between two documents of one number that are not the same: their sender starts numbers anew."""
NEAR_DAYS: Final = 31
"""Days between two documents with similar numbers that may be the same."""
RETYPED_DAYS: Final = 6
"""Days between two dates of one number that may be one date, retyped; a rental comes again after seven."""
TELLING: Final = 4
"""Letters and digits of a number that tells something without its vendor; `1` or `12` are everybody's."""

LIKE_NAMES: Final = "0.93"
"""Jaro-Winkler similarity of the names of one vendor, one of them with a typing error or another ending."""


class SameKind(StrEnum):
    """The ways in which a row and the other place agree."""

    DOCUMENT = "document"
    ALIKE = "alike"


LINES: Final = pa.schema(
    [
        ("record_kind", pa.string()),
        ("yearly", pa.bool_()),
        ("by_total", pa.bool_()),
        ("feed", pa.string()),
        ("delivery", pa.string()),
        ("arrival", pa.int64()),
        ("record", pa.int64()),
        ("key", pa.string()),
        ("by_line", pa.bool_()),
        ("line", pa.int64()),
        ("spelled", pa.string()),
        ("style", pa.string()),
        ("number", pa.string()),
        ("loose", pa.string()),
        ("part", pa.string()),
        ("tax_id", pa.string()),
        ("code", pa.string()),
        ("name", pa.string()),
        ("alike", pa.string()),
        ("transaction_date", pa.date32()),
        ("day", pa.date32()),
        ("dated", pa.bool_()),
        ("currency", pa.string()),
        ("net", pa.decimal128(18, 4)),
        ("gross", pa.decimal128(18, 4)),
        ("mine", pa.bool_()),
    ]
)
"""Rows to compare, of all feeds; `mine` are the rows to judge.

`yearly` says that the senders of the kind may start their numbers anew each year (`RecordKind`), `by_total`
that other kinds are compared with the total of its documents only (`CostIdentity`).
`key` is what the feed's key has of the row: the lines of a document without line numbers share it. `by_line`
says that the kind numbers the lines of a document, `line` is the number, null if it is not a whole one.
`spelled` is payee and number as delivered, `style` whether the row has a line number, and how it is written;
`number`, `loose`, `tax_id`, `code`, `name` and `alike` are normal forms (`core.documents`), blank if unknown.
`part` divides a document (`CostIdentity`). `day` is the date on the document. `dated` says that the feed's
key has the date: documents of one number and different dates are different documents. `gross` is the amount
with tax, or with a deposit or contributions: totals agree if the net amounts do, or, where one document has
no tax, the amounts with tax.
"""

PRECEDENCE: Final = pa.schema(
    [
        ("feed", pa.string()),
        ("delivery", pa.string()),
        ("record", pa.int64()),
        ("posted", pa.bool_()),
        ("holds", pa.bool_()),
    ]
)
"""The rows that may precede another: posted rows, and sound ones.

`holds` marks rows that precede whenever they arrived: posted ones, and reversed ones, so that a reversal
admits no other row.
"""

SAME_COSTS: Final = pa.schema(
    [
        ("delivery", pa.string()),
        ("record", pa.int64()),
        ("code", pa.string()),
        ("kind", pa.string()),
        ("holder_feed", pa.string()),
        ("holder_delivery", pa.string()),
        ("holder_record", pa.int64()),
        ("holder_posted", pa.bool_()),
    ]
)
"""The rows that repeat another: reason code, `SameKind`, and the place of the other row."""

# A document as rows of its kind are compared with it, and once more, `across`, as those of other kinds are.
_DOCUMENTS: Final = """
WITH levels AS (
    SELECT *, false AS across FROM lines
    UNION ALL BY NAME SELECT * REPLACE ('' AS style, '' AS part), true AS across FROM lines
    WHERE (SELECT count(DISTINCT record_kind) > 1 FROM lines)
)
SELECT row_number() OVER () AS document, * FROM (
    SELECT across, record_kind, yearly, by_total, feed, delivery, spelled, style, part, number, loose,
        max(nullif(tax_id, '')) AS tax_id, max(nullif(code, '')) AS code, max(nullif(name, '')) AS name,
        max(nullif(alike, '')) AS alike,
        min(day) AS first_day, max(day) AS last_day, bool_or(dated) AS dated,
        CASE WHEN min(currency) = max(currency) THEN min(currency) END AS currency,
        sum(net) AS net, sum(gross) AS gross, count(*) AS size, min(record) AS first_record,
        bool_and(by_line) AS by_line, list_sort(list(DISTINCT key)) AS keys,
        CASE WHEN count(*) = 1 THEN min(line) END AS only_line,
        bool_or(mine) AS mine
    FROM levels GROUP BY ALL
)
"""
# How many lines of a document all deliveries of its feed have: a line with a higher number leaves a gap.
_KNOWN_LINES: Final = """
SELECT feed, spelled, style, count(DISTINCT key) AS known_lines FROM lines GROUP BY ALL
"""

_LINES: Final = """
SELECT lines.*, document, size, first_record
FROM lines JOIN documents USING (feed, delivery, spelled, style, part) WHERE NOT across
UNION ALL SELECT lines.*, document, size, first_record
FROM lines JOIN (FROM documents WHERE across) AS documents USING (feed, delivery, spelled)
"""

# One equality for each way in which two documents may agree, so that no join compares all with all.
_SAME_PART: Final = """
JOIN documents AS i ON j.loose = i.loose AND j.part = i.part AND j.across = i.across
    AND (j.record_kind <> i.record_kind) = j.across
"""
_ALIKE: Final = f"""
coalesce((jaro_winkler_similarity(j.alike, i.alike) >= {LIKE_NAMES}
    OR length(j.alike) >= {TELLING} AND list_has_all(string_split(i.alike, ' '), string_split(j.alike, ' '))
    OR length(i.alike) >= {TELLING} AND list_has_all(string_split(j.alike, ' '), string_split(i.alike, ' ')))
    AND regexp_replace(j.alike, '[^0-9]', '', 'g') = regexp_replace(i.alike, '[^0-9]', '', 'g'), false)
"""
_PAIRS: Final = f"""
WITH met AS (
    SELECT j.document AS j, i.document AS i
        FROM documents AS j {_SAME_PART} AND j.tax_id = i.tax_id WHERE j.mine
    UNION SELECT j.document, i.document FROM documents AS j {_SAME_PART} AND j.code = i.code WHERE j.mine
    UNION SELECT j.document, i.document FROM documents AS j {_SAME_PART} AND j.name = i.name WHERE j.mine
    UNION SELECT j.document, i.document FROM documents AS j {_SAME_PART} AND j.first_day = i.first_day
            AND j.currency = i.currency AND (j.net = i.net OR j.gross = i.gross)
        WHERE j.mine AND (length(j.loose) >= {TELLING} AND j.feed <> i.feed OR {_ALIKE})
    UNION SELECT j.document, i.document FROM documents AS j {_SAME_PART} AND j.alike = i.alike WHERE j.mine
    UNION SELECT j.document, i.document FROM documents AS j {_SAME_PART} AND j.first_day = i.first_day
        WHERE j.mine AND length(j.loose) >= {TELLING} AND {_ALIKE}
), compared AS (
    SELECT met.j, met.i, j.number = i.number AS same_number,
        coalesce(j.tax_id = i.tax_id, coalesce(j.code = i.code, false) OR coalesce(j.name = i.name, false))
            AS same_vendor,
        NOT coalesce(j.tax_id <> i.tax_id, false) AND {_ALIKE} AS like_name,
        coalesce(j.tax_id <> i.tax_id, false)
            AND (coalesce(j.code = i.code, false) OR coalesce(j.name = i.name, false))
            OR like_name AS like_vendor,
        coalesce(j.tax_id <> i.tax_id, false) AS other_tax_id,
        abs(j.first_day - i.first_day) AS days, year(j.first_day) = year(i.first_day) AS same_year,
        j.dated OR i.dated AS dated, j.yearly OR i.yearly AS yearly,
        j.first_day = i.first_day AND j.last_day = i.last_day AS same_days,
        coalesce(j.currency = i.currency, false)
            AND (j.net = i.net OR j.gross = i.gross AND (j.net = j.gross OR i.net = i.gross)) AS same_total,
        j.across AND (j.by_total OR i.by_total) AS by_total,
        coalesce(j.currency = i.currency, false)
            AND CASE WHEN j.by_total THEN abs(i.gross) >= abs(j.net) ELSE abs(j.gross) >= abs(i.net) END
            AS covers,
        j.feed <> i.feed AS other_feed, length(j.loose) AS length,
        j.by_line AND i.by_line AND (abs(j.first_day - i.first_day) <= {RETYPED_DAYS}
            OR (same_year AND day(j.first_day) = month(i.first_day)
                AND month(j.first_day) = day(i.first_day))) AS retyped,
        j.feed = i.feed AND j.spelled = i.spelled AND j.style = i.style AS own,
        j.only_line IS NOT NULL AND i.only_line IS NOT NULL AND j.only_line <> i.only_line
            AND j.first_day = i.first_day AND greatest(j.only_line, i.only_line) <= known_lines AS goes_on
    FROM met JOIN documents AS j ON j.document = met.j JOIN documents AS i ON i.document = met.i
    LEFT JOIN known_lines ON (known_lines.feed, known_lines.spelled, known_lines.style)
        = (j.feed, j.spelled, j.style)
    WHERE met.j <> met.i AND NOT (j.feed = i.feed AND j.spelled = i.spelled AND (j.delivery = i.delivery
        OR (j.style = i.style AND (j.across OR NOT j.by_line OR j.keys = i.keys))))
), judged AS (
    SELECT *, same_number AND same_vendor AND NOT by_total AND NOT own AND CASE WHEN dated THEN days = 0
        ELSE days <= {FAR_DAYS} AND (same_year OR NOT yearly) END AS same_document
    FROM compared
)
SELECT j, i, own, same_document, same_total AND same_days AS whole FROM judged
WHERE same_document OR (NOT own AND (by_total AND covers AND same_vendor AND same_number)) OR same_total AND (
    ((same_vendor OR like_vendor) AND days <= {NEAR_DAYS} AND NOT own AND NOT (dated AND days > 0))
    OR (same_vendor AND same_number AND NOT dated AND NOT own)
    OR (same_vendor AND same_number AND retyped AND NOT goes_on
        AND (days = 0 OR NOT dated OR length >= {TELLING}))
    OR (NOT other_tax_id AND other_feed AND days = 0 AND length >= {TELLING})
) OR (like_name AND same_number AND days = 0 AND length >= {TELLING} AND NOT own AND NOT by_total)
"""  # noqa: S608 -- constants only

_OTHERS: Final = """
SELECT DISTINCT feed, delivery, record FROM lines SEMI JOIN pairs ON pairs.i = lines.document
"""

_CLAIMS: Final = f"""
WITH others AS (
    SELECT document, feed, delivery, arrival, record, first_record, day, currency, net, size, posted, holds,
        row_number() OVER (PARTITION BY document, currency, net ORDER BY record) AS again
    FROM lines JOIN precedence USING (feed, delivery, record)
), firsts AS (
    SELECT document, any_value(size) AS size, count(*) AS preceding,
        arg_min({{'feed': feed, 'delivery': delivery, 'record': record, 'posted': posted, 'holds': holds,
            'arrival': arrival, 'first_record': first_record}}, (NOT holds, record)) AS first
    FROM others GROUP BY document
), known AS (
    SELECT DISTINCT document, key FROM lines
), rows AS (
    SELECT document, delivery, record, key, arrival, first_record, day, currency, net,
        row_number() OVER (PARTITION BY document, currency, net ORDER BY record) AS again
    FROM lines WHERE mine
), found AS (
    SELECT rows.delivery, rows.record, (rows.arrival, rows.first_record) AS place,
        CASE WHEN NOT same_document THEN '{ALIKE}'
            WHEN whole AND firsts.preceding = firsts.size THEN $duplicate
            WHEN others.day = rows.day THEN $duplicate ELSE $conflict END AS code,
        CASE WHEN same_document THEN '{SameKind.DOCUMENT}' ELSE '{SameKind.ALIKE}' END AS kind,
        CASE WHEN others.document IS NULL THEN first ELSE
            {{'feed': others.feed, 'delivery': others.delivery, 'record': others.record,
                'posted': others.posted, 'holds': others.holds, 'arrival': others.arrival,
                'first_record': others.first_record}}
            END AS holder
    FROM rows JOIN pairs ON pairs.j = rows.document
    JOIN firsts ON firsts.document = pairs.i
    LEFT JOIN others ON others.document = pairs.i AND others.currency = rows.currency
        AND others.net = rows.net AND others.again = rows.again
    LEFT JOIN known ON known.document = pairs.i AND known.key = rows.key AND pairs.own
    WHERE known.key IS NULL
)
SELECT delivery, record, best.code AS code, best.kind AS kind, best.holder.feed AS holder_feed,
    best.holder.delivery AS holder_delivery, best.holder.record AS holder_record,
    best.holder.posted AS holder_posted
FROM (
    SELECT delivery, record,
        arg_min({{'code': code, 'kind': kind, 'holder': holder}},
            (code, NOT holder.holds, holder.arrival, holder.feed, holder.record)) AS best
    FROM found WHERE holder.holds OR (holder.arrival, holder.first_record) < place
    GROUP BY ALL
)
ORDER BY delivery, record
"""  # noqa: S608 -- constants only


_STAMPS: Final = f"""
WITH decided AS (
    SELECT document, feed, delivery, record, row_id, seq
    FROM lines JOIN effects USING (feed, delivery, record) WHERE mine
), related AS (
    SELECT decided.row_id, decided.seq, lines.feed, lines.delivery, lines.record, lines.transaction_date
    FROM decided JOIN pairs ON pairs.j = decided.document JOIN lines ON lines.document = pairs.i
    UNION SELECT decided.row_id, decided.seq, lines.feed, lines.delivery, lines.record, lines.transaction_date
    FROM decided JOIN lines USING (document) WHERE lines.by_line AND lines.record <> decided.record
)
SELECT feed, transaction_date, row_id || ':' || seq || '+' || {ROW_ID_SQL} AS stamp FROM related
"""  # noqa: S608 -- constants only


@dataclass(frozen=True)
class RelatedDocuments:
    """Rows with the number of their document, and the pairs of documents of which j may repeat i."""

    lines: pa.Table
    pairs: pa.Table

    @property
    def others(self) -> pa.Table:
        """The rows (feed, delivery, record) that rows of `mine` may repeat."""
        return query(_OTHERS, lines=self.lines, pairs=self.pairs)

    def stamps(self, effects: pa.Table) -> list[tuple[str, date, str]]:
        """Return feed, date and stamp of each row that a decided row of `mine` may concern.

        It may share its cost, or be another line of its document, which waits with it.

        `effects` has the decided rows (`ledger.decisions.DECISION_EFFECTS`); see `pipeline.decision_stamps`.
        """
        rows = query(_STAMPS, lines=self.lines, pairs=self.pairs, effects=effects).to_pylist()
        return [(row["feed"], row["transaction_date"], row["stamp"]) for row in rows]

    def claims(self, precedence: pa.Table, *, duplicate: str, conflict: str) -> pa.Table:
        """Return the rows of `mine` that repeat a row which precedes them (`SAME_COSTS`).

        `precedence` has the columns of `PRECEDENCE`, for those rows of `others` that may precede.
        """
        codes = {"duplicate": duplicate, "conflict": conflict}
        tables = {"lines": self.lines, "pairs": self.pairs, "precedence": precedence}
        return query(_CLAIMS, codes, **tables).cast(SAME_COSTS)


def related_documents(lines: pa.Table) -> RelatedDocuments:
    """Return the documents that rows which are `mine` may repeat; `lines` has the columns of `LINES`."""
    documents = query(_DOCUMENTS, lines=lines)
    pairs = query(_PAIRS, documents=documents, known_lines=query(_KNOWN_LINES, lines=lines))
    numbered = query(_LINES, lines=lines, documents=documents)
    return RelatedDocuments(numbered, pairs)
