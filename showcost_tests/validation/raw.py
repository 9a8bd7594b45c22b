"""Raw rows for tests, from cells as text; typed by a minimal reader, independent of showcost's own."""

from __future__ import annotations

import hashlib
import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.config.chart import NO_UNION, Account, AccountKind, Chart
from showcost.config.feed import FeedSpec
from showcost.config.production import Production
from showcost.config.record_kinds import FieldType
from showcost.validation.columns import RowTable, arrow_schema
from showcost.validation.duplicates import POSTED
from showcost.validation.reference import FX_STATUS
from showcost.validation.validate import ValidationResult, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Row = dict[str, object]

PRODUCTION: Final = Production.model_validate(
    {
        "code": "HRB",
        "title": "Harrow Bridge",
        "company": "Harrow Bridge Pictures LLC",
        "type": "streaming",
        "base_currency": "USD",
        "timezone": "America/Los_Angeles",
        "dates": {"start": date(2026, 9, 14), "end": date(2026, 11, 6)},
        "principal_photography": {"start": date(2026, 10, 5), "end": date(2026, 10, 23)},
        "currencies": ["USD", "EUR", "GBP", "CAD", "JPY"],
        "closed_periods": [{"name": "P01", "start": date(2026, 9, 14), "end": date(2026, 9, 20)}],
        "agreements": [
            {"name": "SAG-AFTRA TV/Theatrical 2026", "union": "sag-aftra"},
            {"name": "IATSE Basic Agreement", "union": "iatse"},
            {"name": "Pact/Bectu TV drama", "union": "bectu"},
        ],
        "control_accounts": {"recoverable_tax": "9110", "refundable_deposit": "9120", "fringe": "6990"},
    }
)


def _account(
    number: str,
    kind: AccountKind = AccountKind.COST,
    union: str = NO_UNION,
    closed_on: date | None = None,
    fringe: str | None = None,
) -> Account:
    return Account(number, f"Account {number}", kind, union, closed_on, fringe, "Accounts")


CHART: Final = Chart(
    {
        account.number: account
        for account in (
            _account("2210", union="iatse"),
            _account("2290", closed_on=date(2026, 9, 28)),
            _account("1410", union="sag-aftra", fringe="1990"),
            _account("1420", union="sag-aftra"),
            _account("1990"),
            _account("3610"),
            _account("6990"),
            _account("9110", kind=AccountKind.BALANCE),
            _account("9120", kind=AccountKind.BALANCE),
        )
    }
)

STATUSES: Final = ("ok", "pending", "missing", "changed")


def fx(status: str = "ok") -> pa.Table:
    """Return one status for every currency and date of the production."""
    days = [date.fromordinal(n) for n in range(date(2026, 9, 14).toordinal(), date(2026, 11, 7).toordinal())]
    pairs = [(day, currency) for day in days for currency in PRODUCTION.currencies]
    return pa.table([[p[0] for p in pairs], [p[1] for p in pairs], [status] * len(pairs)], schema=FX_STATUS)


INVOICE: Final[Row] = {
    "production_code": "HRB",
    "vendor_code": "V100",
    "vendor_name": "Studio Babelsberg  Rentals",
    "vendor_tax_id": "DE136695976",
    "vendor_country": "DE",
    "invoice_no": "R-1001",
    "invoice_date": "2026-10-05",
    "line_no": "1",
    "account": "2210",
    "series": "101",
    "description": "Flats and platforms",
    "currency": "EUR",
    "net_amount": "100.00",
    "tax_amount": "19.00",
    "gross_amount": "119.00",
}
PERMIT: Final[Row] = {
    "permit_id": "P-7",
    "event_type": "fee",
    "authority": "FilmLA",
    "location_name": "Pier 12",
    "entered_on": "2026-10-05",
    "start_datetime": "2026-10-06 06:00",
    "end_datetime": "2026-10-06 22:00",
    "account": "3610",
    "currency": "USD",
    "fee_amount": "850",
    "deposit_amount": "2000",
    "refundable": "yes",
}
PAY: Final[Row] = {
    "payroll_company": "Cast & Crew",
    "payroll_invoice_no": "CC-9",
    "employee_ref": "E-4711",
    "agreement": "SAG-AFTRA",
    "union_local": "SAG-AFTRA",
    "occupation_code": "DAY",
    "account": "1410",
    "work_date": "2026-10-05",
    "currency": "USD",
    "rate": "160.375",
    "rate_basis": "hour",
    "hours_1x": "8",
    "gross": "1283.00",
    "benefit_amount": "269.43",
}
ESTIMATE: Final[Row] = {
    "stated_on": "2026-10-20",
    "account": "2210",
    "currency": "EUR",
    "amount": "900.00",
    "stated_by": "A. Manager",
    "reason": "second unit",
}

ORDER: Final[Row] = {
    "po_no": "PO-7",
    "line_no": "1",
    "vendor_code": "V1",
    "stated_on": "2026-10-20",
    "account": "2210",
    "currency": "EUR",
    "amount": "900.00",
    "is_closed": "no",
}

SAMPLES: Final[Mapping[str, Row]] = {
    "vendor_invoice": INVOICE,
    "location_permit": PERMIT,
    "payroll": PAY,
    "estimate": ESTIMATE,
    "purchase_order": ORDER,
}


def feed_of(kind: str, **settings: object) -> FeedSpec:
    return FeedSpec.model_validate(
        {"name": f"sample_{kind}", "description": "a sample", "record_kind": kind} | settings
    )


def _date(text: str) -> object:
    return date.fromisoformat(text)


def _timestamp(text: str) -> object:
    return datetime.fromisoformat(text)


def _amount(text: str) -> object:
    if not re.fullmatch(r"-?\d+(\.\d+)?", text):
        raise ValueError
    return text


_READERS: Final[Mapping[FieldType, tuple[Callable[[str], object], str]]] = {
    FieldType.DATE: (_date, "invalid"),
    FieldType.TIMESTAMP: (_timestamp, "invalid"),
    FieldType.AMOUNT: (_amount, "unparseable"),
}


def _typed(row: Row, name: str, type_: FieldType) -> Row:
    """Return the typed columns of one cell; a test overrides them by naming them itself."""
    text = row.get(name)
    if type_ is FieldType.TEXT:
        return {}
    settled: Row = {f"{name}__value": None, f"{name}__problem": None}
    if not isinstance(text, str) or not text.strip():
        settled[f"{name}__problem"] = "blank"
        return settled
    read, problem = _READERS[type_]
    symbol = re.match(r"[^\d-]+(?=[\d-])", text) if type_ is FieldType.AMOUNT else None
    if symbol:
        settled[f"{name}__symbol"] = symbol[0].strip()
        text = text.removeprefix(symbol[0])
    try:
        settled[f"{name}__value"] = read(text)
    except ValueError:
        settled[f"{name}__problem"] = problem
    return settled


def raw_table(feed: FeedSpec, rows: Iterable[Row]) -> pa.Table:
    """Return raw rows as landing writes them, with defaults for missing values."""
    schema = arrow_schema(feed.kind, RowTable.RAW)
    full = [_complete(feed, number, row) for number, row in enumerate(rows, start=2)]
    return pa.Table.from_pylist(full, schema=schema)


def _complete(feed: FeedSpec, number: int, row: Row) -> Row:
    settled: Row = {}
    for field in feed.kind.fields:
        settled |= _typed(row, field.name, field.type)
    day = settled[f"{feed.date_field}__value"]
    if isinstance(day, datetime):
        day = day.date()
    inside = isinstance(day, date) and day in PRODUCTION.dates
    key = "|".join(str(row.get(name) or "").strip().lower() for name in feed.key_fields)
    place: Row = {
        "delivery": "d" * 64,
        "arrival": 1,
        "record": number,
        "byte_start": 0,
        "byte_end": 1,
        "ordinal": 1,
        "row_key": hashlib.sha256(key.encode()).hexdigest()[:32],
        "transaction_date": day if inside else None,
        "raw": "raw text",
    }
    return place | settled | row


def posted_table(rows: Iterable[tuple[str, str, int, str]] = ()) -> pa.Table:
    """Return posted rows from (row_key, delivery, record, content)."""
    listed = list(rows)
    return pa.table([[row[place] for row in listed] for place in range(4)], schema=POSTED)


def run(
    feed: FeedSpec,
    rows: pa.Table,
    *,
    fx_status: pa.Table | None = None,
    posted: pa.Table | None = None,
    same_key_rows: pa.Table | None = None,
    production: Production = PRODUCTION,
    chunk_rows: int = 1000,
) -> ValidationResult:
    """Validate against the sample production."""
    return validate(
        rows,
        feed=feed,
        production=production,
        chart=CHART,
        fx_status=fx() if fx_status is None else fx_status,
        posted=posted_table() if posted is None else posted,
        same_key_rows=rows if same_key_rows is None else same_key_rows,
        chunk_rows=chunk_rows,
    )
