"""The deliveries of the sample: the files of each feed and the faults planted in them.

The files of a feed arrive in the order of their names.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from sample_production import faults as f
from sample_production import layouts, payroll, vendors
from sample_production import pay_faults as p
from sample_production.draw import Draw
from sample_production.e_invoices import EInvoice, Item
from sample_production.invoices import Ledger, taxed
from sample_production.layouts import CENT
from sample_production.permits import PermitBook
from sample_production.truth import Delivery, Planted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sample_production.faults import Fault
    from sample_production.layouts import Layout, Record

_HTML = b"""<!DOCTYPE html>
<html lang="en"><head><title>502 Bad Gateway</title></head>
<body><h1>502 Bad Gateway</h1>
<p>The export service is not available, please try again in a few minutes.</p>
<hr><p>billing-export</p></body></html>
"""
OVERSTATED = Decimal("1130.00")
"""Amount by which the total of one Canadian report exceeds its rows: an invoice missing from the export."""


@dataclass
class Row:
    """A record to be written, and its fault."""

    record: Record
    fault: Fault | None = None


@dataclass
class Builder:
    """Builds the files of one feed.

    `amounts` are the fields that are totalled; corrections change the first of them.
    """

    feed: str
    seed: int
    amounts: tuple[str, ...]
    deliveries: list[Delivery] = field(default_factory=list)
    clean: list[Record] = field(default_factory=list)

    def draw(self, *names: str) -> Draw:
        """Return the stream of random draws for a part of this feed."""
        return Draw(self.seed, self.feed, *names)

    def plant(self, name: str, records: Sequence[Record], faults: Sequence[Fault]) -> list[Row]:
        """Return rows of the records with each fault planted in one of them; the other rows are clean."""
        rows = [Row(record) for record in records]
        draw = self.draw(name, "faults")
        anywhere = [fault for fault in faults if fault.fits is None]
        for fault in (fault for fault in faults if fault.fits is not None):
            candidates = [row for row in rows if row.fault is None and fault.fits and fault.fits(row.record)]
            draw.pick(candidates).fault = fault
        usable = [row for row in rows if row.fault is None and _is_plain(row.record, self.amounts[0])]
        for row, fault in zip(_shuffled(draw, draw.several(usable, len(anywhere))), anywhere, strict=True):
            row.fault = fault
        self.clean += [row.record for row in rows if row.fault is None]
        return rows

    def repeated_rows(self, name: str, count: int) -> list[Row]:
        """Return unchanged rows of earlier deliveries."""
        return [Row(dict(record), f.REPEATED) for record in self._take_clean(name, "repeated", count)]

    def corrected_rows(self, name: str, count: int) -> list[Row]:
        """Return rows of earlier deliveries with another amount."""
        rows = []
        for record in self._take_clean(name, "corrected", count):
            correction = dict(record)
            _correct(correction, self.amounts[0])
            rows.append(Row(correction, f.CORRECTED))
        return rows

    def _take_clean(self, name: str, part: str, count: int) -> list[Record]:
        """Draw clean records and remove them, so that no record is repeated or corrected twice."""
        draw = self.draw(name, part)
        records = draw.several([r for r in self.clean if _is_plain(r, self.amounts[0])], count)
        for record in records:
            self.clean.remove(record)
        return records

    def write(self, name: str, layout: Layout, rows: Sequence[Row], note: str = "") -> Delivery:
        """Write rows to a file and add it, with its expected results, to the deliveries."""
        lines = [*layout.preamble, layout.line([header for header, _ in layout.columns])]
        planted: list[Planted] = []
        flagged: list[Planted] = []
        posted = []
        for number, row in enumerate(rows, layout.header_record + 1):
            record = dict(row.record)
            if row.fault and row.fault.change:
                row.fault.change(record, layout)
            cells = layout.cells(record)
            lines.append(
                row.fault.spoil(cells, layout) if row.fault and row.fault.spoil else layout.line(cells)
            )
            if row.fault:
                (flagged if row.fault.only_flags else planted).append(
                    Planted(number, row.fault.code, row.fault.disposition, row.fault.name)
                )
            if row.fault is None or row.fault.only_flags:
                posted.append(record)
        delivery = Delivery(
            self.feed,
            name,
            layout.encode(lines),
            layout.header_record,
            len(rows),
            planted,
            note=note,
            flagged=flagged,
            posted=_totals(posted, self.amounts),
            records=posted,
        )
        return self._add(delivery)

    def add_refused(self, name: str, content: bytes, code: str, rows: int, note: str) -> None:
        """Add a file that is refused as a whole."""
        self._add(Delivery(self.feed, name, content, 0, rows, [], note=note, file_code=code))

    def add_clean(self, name: str, content: bytes, posted: dict[str, str]) -> None:
        """Add a file of amounts in euros without planted rows."""
        rows = int(posted["rows"])
        self._add(Delivery(self.feed, name, content, 0, rows, [], posted={"EUR": posted}))

    def add_copy(self, original: Delivery, name: str) -> None:
        """Add a file with the same bytes under another name."""
        self._add(
            Delivery(
                self.feed,
                name,
                original.content,
                original.header_record,
                0,
                [],
                note="the same bytes under another name: no new delivery",
                same_bytes_as=original.name,
            )
        )

    def _add(self, delivery: Delivery) -> Delivery:
        self.deliveries.append(delivery)
        return delivery


def _is_plain(record: Record, amount: str) -> bool:
    """Return whether a record is an ordinary charge, in which a fault or correction can be planted."""
    return f.amount_of(record, amount) > 0 and record.get("event_type") != "refund"


def _shuffled(draw: Draw, rows: list[Row]) -> list[Row]:
    remaining = list(rows)
    return [remaining.pop(draw.below(len(remaining))) for _ in rows]


def _correct(record: Record, amount: str) -> None:
    record[amount] = f.amount_of(record, amount) + Decimal("48.00")
    if amount == "net_amount":
        net = f.amount_of(record, amount)
        _, tax = taxed(str(record["vendor_country"]), str(record["account"]), net)
        record["tax_amount"], record["gross_amount"] = tax, net + tax
    if amount == "gross":
        record["rest_penalty_amount"] = f.amount_of(record, "rest_penalty_amount") + Decimal("48.00")


def _totals(records: Sequence[Record], amounts: Sequence[str]) -> dict[str, dict[str, str]]:
    counts: Counter[str] = Counter()
    sums: dict[tuple[str, str], Decimal] = {}
    for record in records:
        currency = str(record["currency"])
        counts[currency] += 1
        for name in amounts:
            value = record[name]
            if isinstance(value, Decimal):
                sums[currency, name] = sums.get((currency, name), Decimal(0)) + value
    return {
        currency: {"rows": str(count)}
        | {name: f"{sums[currency, name]:.2f}" for name in amounts if (currency, name) in sums}
        for currency, count in sorted(counts.items())
    }


_INVOICE_AMOUNTS = ("net_amount", "tax_amount")


def _day(month: int, day: int) -> date:
    return date(2026, month, day)


def germany(seed: int) -> list[Delivery]:
    """Return the files of the Babelsberg and Berlin unit."""
    build = Builder("vendor_invoices_de", seed, _INVOICE_AMOUNTS)
    ledger = Ledger(vendors.GERMANY, "EUR", build.draw("invoices"))
    late = ledger.records(46, _day(9, 21), _day(9, 30))
    name = "Rechnungen_KW39-40.csv"
    early = ledger.records(150, _day(9, 21), _day(10, 3))
    build.write(
        name,
        layouts.GERMAN,
        build.plant(
            name,
            early,
            (
                f.date_text("invoice_date", "31.09.2026"),
                f.letter_for_digit("net_amount"),
                f.account("3399", "SC-COA-001"),
                f.dated("invoice_date", _day(9, 16), "SC-PER-001"),
                f.dated("invoice_date", date(2025, 9, 30), "SC-DAT-002"),
                f.TAX_ID_MISSING,
                f.wrong_sum("gross_amount", "90.00"),
            ),
        ),
    )
    name = "Rechnungen_KW41.csv"
    week = ledger.records(240, _day(10, 5), _day(10, 10))
    main = build.write(
        name,
        layouts.GERMAN,
        [
            *build.plant(
                name,
                week,
                (
                    f.amount_text("net_amount", "1,250.00"),
                    f.amount_text("tax_amount", "siehe Anlage"),
                    f.thousandths("net_amount", "gross_amount"),
                    f.TAX_ID_TYPO,
                    f.account("2290", "SC-COA-002"),
                    f.UNCLOSED_QUOTE,
                    f.SHORT_ROW,
                    f.other_currency("EUO"),
                    f.other_symbol("net_amount", 0),
                    f.LEVA,
                    f.LEVA,
                ),
            ),
            *build.repeated_rows(name, 2),
        ],
    )
    build.add_copy(main, "Rechnungen_KW41_Kopie.csv")
    name = "Rechnungen_KW42.csv"
    after = ledger.records(170, _day(10, 12), _day(10, 17))
    build.write(
        name,
        layouts.GERMAN,
        [
            *build.plant(
                name,
                after,
                (
                    f.date_text("invoice_date", "10/14/2026"),
                    f.letter_for_digit("gross_amount"),
                    f.blank("account"),
                    f.LONG_ROW,
                    f.TAX_ID_TYPO,
                    f.wrong_sum("tax_amount", "19.00"),
                    f.account("33O0", "SC-COA-001"),
                    f.other_currency("SEK"),
                    f.LEVA,
                ),
            ),
            *build.corrected_rows(name, 2),
        ],
    )
    name = "Rechnungen_KW43-44.csv"
    wrap = ledger.records(110, _day(10, 19), _day(10, 30))
    build.write(
        name,
        layouts.GERMAN,
        [
            *build.plant(
                name,
                wrap,
                (
                    f.dated("invoice_date", _day(11, 2), "SC-FX-001"),
                    f.dated("invoice_date", _day(11, 3), "SC-FX-001"),
                    f.dated("invoice_date", _day(11, 3), "SC-FX-001"),
                    f.other_show("invoice_date", _day(6, 12)),
                    f.account("2290", "SC-COA-002"),
                    f.blank("invoice_no"),
                ),
            ),
            *build.repeated_rows(name, 1),
        ],
    )
    name = "Rechnungen_Nachtrag_September.csv"
    build.write(
        name,
        layouts.GERMAN,
        build.plant(
            name,
            late,
            (
                f.dated("invoice_date", _day(9, 18), "SC-PER-001"),
                f.TAX_ID_MISSING,
            ),
        ),
        note="late: delivered in November, dated in September",
    )
    return build.deliveries


def united_kingdom(seed: int) -> list[Delivery]:
    """Return the files of the London unit."""
    build = Builder("vendor_invoices_uk", seed, _INVOICE_AMOUNTS)
    ledger = Ledger(vendors.UNITED_KINGDOM, "GBP", build.draw("invoices"))
    name = "2026-10-02 purchase ledger.csv"
    first = ledger.records(120, _day(9, 21), _day(10, 2))
    build.write(name, layouts.BRITISH, [Row(record) for record in first])
    name = "2026-10-09 purchase ledger.csv"
    shoot = ledger.records(260, _day(10, 5), _day(10, 9))
    build.write(
        name,
        layouts.BRITISH,
        build.plant(
            name,
            shoot,
            (
                f.date_text("invoice_date", "31/02/2026"),
                f.date_text("invoice_date", "10/14/2026"),
                f.amount_text("net_amount", "£1.234,50"),
                f.amount_text("net_amount", "tbc"),
                f.thousandths("net_amount", "gross_amount"),
                f.wrong_sum("gross_amount", "-100.00"),
                f.TAX_ID_MISSING,
                f.TAX_ID_TYPO,
                f.TAX_ID_TYPO,
                f.account("4999", "SC-COA-001"),
                f.other_symbol("net_amount", 0),
                f.SHORT_ROW,
                f.blank("net_amount"),
            ),
        ),
    )
    name = "2026-10-16 purchase ledger.csv"
    after = ledger.records(150, _day(10, 9), _day(10, 16))
    build.write(
        name,
        layouts.BRITISH,
        [
            *build.plant(
                name,
                after,
                (
                    f.letter_for_digit("net_amount"),
                    f.other_currency("GPB"),
                    f.other_currency("STG"),
                    f.account("2290", "SC-COA-002"),
                    f.dated("invoice_date", date(2062, 10, 13), "SC-DAT-002"),
                    f.other_symbol("gross_amount", 1),
                    f.wrong_sum("tax_amount", "20.00"),
                    f.LONG_ROW,
                ),
            ),
            *build.repeated_rows(name, 2),
            *build.corrected_rows(name, 2),
        ],
    )
    build.write(
        "2026-10-26 purchase ledger, reissue of 2 October.csv",
        layouts.BRITISH_PLAIN,
        [Row(record, f.REPEATED) for record in first],
        note="a re-export: the rows of 2 October, other bytes",
    )
    build.clean += first
    name = "2026-11-04 purchase ledger.csv"
    wrap = ledger.records(90, _day(10, 19), _day(10, 30))
    build.write(
        name,
        layouts.BRITISH,
        [
            *build.plant(
                name,
                wrap,
                (
                    f.dated("invoice_date", _day(11, 2), "SC-FX-001"),
                    f.dated("invoice_date", _day(11, 2), "SC-FX-001"),
                    f.dated("invoice_date", _day(11, 4), "SC-FX-001"),
                    f.dated("invoice_date", _day(9, 17), "SC-PER-001"),
                    f.other_show("invoice_date", _day(10, 21)),
                ),
            ),
            *build.corrected_rows(name, 2),
        ],
    )
    return build.deliveries


def canada(seed: int) -> list[Delivery]:
    """Return the files of the Toronto unit, each with a report total in the last line."""
    build = Builder("vendor_invoices_ca", seed, _INVOICE_AMOUNTS)
    ledger = Ledger(vendors.CANADA, "CAD", build.draw("invoices"))
    name = "AP_20261002.csv"
    early = ledger.records(80, _day(9, 21), _day(10, 2))
    _report(
        build,
        name,
        build.plant(
            name,
            early,
            (
                f.dated("invoice_date", _day(9, 15), "SC-PER-001"),
                f.TAX_ID_MISSING,
                f.account("3610-01", "SC-COA-001"),
            ),
        ),
    )
    name = "AP_20261009.csv"
    prep = ledger.records(190, _day(10, 5), _day(10, 10))
    _report(
        build,
        name,
        build.plant(
            name,
            prep,
            (
                f.date_text("invoice_date", "2026-13-05"),
                f.date_text("invoice_date", "2026-09-31"),
                f.thousandths("net_amount", "gross_amount"),
                f.wrong_sum("gross_amount", "13.00"),
                f.TAX_ID_TYPO,
                f.TAX_ID_TYPO,
                f.account("2290", "SC-COA-002"),
                f.other_currency("CDN"),
                f.blank("vendor_code"),
            ),
        ),
    )
    name = "AP_20261016.csv"
    shoot = ledger.records(180, _day(10, 10), _day(10, 17))
    _report(
        build,
        name,
        [
            *build.plant(
                name,
                shoot,
                (
                    f.wrong_sum("net_amount", "250.00"),
                    f.other_symbol("net_amount", 0),
                    f.account("9999", "SC-COA-001"),
                    f.dated("invoice_date", _day(11, 3), "SC-FX-001"),
                    f.dated("invoice_date", _day(11, 4), "SC-FX-001"),
                    f.dated("invoice_date", _day(12, 31), "SC-DAT-002"),
                ),
            ),
            *build.repeated_rows(name, 2),
            *build.corrected_rows(name, 1),
        ],
    )
    wrap = ledger.records(42, _day(10, 19), _day(10, 23))
    _report(build, "AP_20261023.csv", [Row(record) for record in wrap], OVERSTATED)
    return build.deliveries


def _report(build: Builder, name: str, rows: list[Row], overstated: Decimal = Decimal(0)) -> None:
    """Write a Canadian report: the rows, then the total of the column Document Total."""
    delivery = build.write(name, layouts.CANADIAN, rows)
    total = overstated
    for row in rows:
        record = dict(row.record)
        if row.fault and row.fault.change:
            row.fault.change(record, layouts.CANADIAN)
        total += f.amount_of(record, "gross_amount")
    footer: Record = {"production_code": "Report total:", "gross_amount": total}
    line = layouts.CANADIAN.line(layouts.CANADIAN.cells(footer)) + layouts.CANADIAN.line_end
    delivery.content += line.encode(layouts.CANADIAN.encoding)
    delivery.footer_records = 1
    if overstated:
        delivery.refuse("SC-FIL-003", f"the report's total is {overstated} more than its rows")


def united_states(seed: int) -> list[Delivery]:
    """Return the files of the Los Angeles office."""
    build = Builder("vendor_invoices_us", seed, ("net_amount",))
    ledger = Ledger(vendors.UNITED_STATES, "USD", build.draw("invoices"))
    name = "bills_2026-10-02.csv"
    early = _with_line_breaks(ledger.records(90, _day(9, 21), _day(10, 2)))
    build.write(
        name,
        layouts.AMERICAN,
        build.plant(
            name,
            early,
            (
                f.date_text("invoice_date", "02/31/2026"),
                f.amount_text("net_amount", "1,2O0.00"),
                f.dated("invoice_date", _day(9, 14), "SC-PER-001"),
                f.TAX_ID_MISSING,
            ),
        ),
    )
    name = "bills_2026-10-09.csv"
    prep = ledger.records(110, _day(10, 5), _day(10, 9))
    build.write(
        name,
        layouts.AMERICAN,
        build.plant(
            name,
            prep,
            (
                f.TEXT_AFTER_QUOTE,
                f.amount_text("net_amount", "1.2e3"),
                f.TAX_ID_TYPO,
                f.account("4190-VFX", "SC-COA-001"),
                f.other_symbol("net_amount", 1),
                f.blank("invoice_date"),
            ),
        ),
    )
    name = "bills_2026-10-16.csv"
    shoot = ledger.records(100, _day(10, 12), _day(10, 16))
    build.write(
        name,
        layouts.AMERICAN,
        [
            *build.plant(
                name,
                shoot,
                (
                    f.date_text("invoice_date", "14/10/2026"),
                    f.thousandths("net_amount"),
                    f.other_currency("US$"),
                    f.account("2290", "SC-COA-002"),
                    f.SHORT_ROW,
                ),
            ),
            *build.repeated_rows(name, 2),
        ],
    )
    build.add_refused(
        "bills_2026-10-23.csv",
        _HTML,
        "SC-FIL-001",
        0,
        "the export service's error page, saved under the name of a CSV",
    )
    name = "bills_2026-10-30.csv"
    wrap = ledger.records(90, _day(10, 19), _day(10, 30))
    build.write(
        name,
        layouts.AMERICAN,
        [
            *build.plant(
                name,
                wrap,
                (
                    f.amount_text("net_amount", "12.345.67"),
                    f.dated("invoice_date", date(2024, 10, 22), "SC-DAT-002"),
                ),
            ),
            *build.corrected_rows(name, 2),
        ],
    )
    return build.deliveries


def _with_line_breaks(records: list[Record]) -> list[Record]:
    """Add a second line to some memos, as people do: a record may span several lines."""
    for record in records[10::25]:
        record["description"] = f"{record['description']}\nincl. weekend surcharge"
    return records


def e_invoices(seed: int) -> list[Delivery]:
    """Return the e-invoices of the Babelsberg unit's vendors."""
    build = Builder("e_invoices", seed, _INVOICE_AMOUNTS)
    draw = build.draw("documents")
    guards, canteen, lights, studio = (
        next(vendor for vendor in vendors.GERMANY if vendor.name.startswith(name))
        for name in ("Wachschutz", "Kantine", "Lichtwerk", "Atelierbetrieb")
    )

    def priced_item(vendor: vendors.Vendor, account: str, percent: int = 19) -> Item:
        supply = next(supply for supply in vendor.supplies if supply.account == account)
        return Item(supply.text, draw.money(supply.low, supply.high) * supply.max_pieces, percent, account)

    meals = priced_item(canteen, "3640", 7)
    documents = (
        EInvoice(
            guards,
            "E-WD26-0401",
            _day(10, 7),
            "3630",
            (
                priced_item(guards, "3630"),
                priced_item(guards, "3650"),
                Item("Nachtzuschlag", Decimal("185.00"), 19, on_document=True),
            ),
        ),
        EInvoice(
            canteen,
            "E-2026/0077",
            _day(10, 8),
            "3640",
            (
                meals,
                priced_item(canteen, "2540"),
                Item("Mengenrabatt", Decimal("-25.50"), 7, on_document=True),
            ),
            rounding=Decimal("0.02"),
        ),
        EInvoice(
            lights,
            "E-9004417",
            _day(10, 14),
            "3220",
            tuple(priced_item(lights, account) for account in ("3220", "3240", "3230")),
        ),
        EInvoice(
            canteen,
            "E-2026/0077-G",
            _day(10, 19),
            "3640",
            (Item("Gutschrift: nicht abgerufene Essen", (meals.net / 10).quantize(CENT), 7),),
            is_credit_note=True,
        ),
        EInvoice(
            studio,
            "E-AL-00388",
            _day(10, 21),
            "3680",
            (priced_item(studio, "3680"), priced_item(studio, "6820")),
            overstated=Decimal("100.00"),
        ),
    )
    for document in documents:
        name = f"{document.day}_{document.vendor.code}.xml"
        if document.overstated:
            note = "the total says 100.00 more than its lines (BR-CO-10)"
            build.add_refused(name, document.content(), "SC-FIL-003", len(document.items), note)
        else:
            build.add_clean(name, document.content(), document.posted)
    return build.deliveries


def permits(seed: int) -> list[Delivery]:
    """Return the permit lists of the location departments."""
    build = Builder("location_permits", seed, ("fee_amount", "deposit_amount"))
    book = PermitBook(build.draw("permits"))
    name = "permits_2026-10-04.csv"
    before = book.records(48, _day(9, 21), _day(10, 3))
    build.write(
        name,
        layouts.PERMITS,
        build.plant(
            name,
            before,
            (
                f.ENDS_BEFORE_START,
                f.DEPOSIT_AS_COST,
                f.amount_text("fee_amount", "on request"),
                f.blank("permit_id"),
                f.account("3611", "SC-COA-001"),
            ),
        ),
    )
    name = "permits_2026-10-18.csv"
    during = book.records(44, _day(10, 5), _day(10, 17))
    build.write(
        name,
        layouts.PERMITS,
        [
            *build.plant(
                name,
                during,
                (
                    f.ENDS_BEFORE_START,
                    f.ENDS_BEFORE_START,
                    f.DEPOSIT_AS_COST,
                    f.DEPOSIT_AS_COST,
                    f.date_text("start_datetime", "2026-10-09T25:00"),
                    f.dated("entered_on", date(2025, 10, 8), "SC-DAT-002"),
                    f.thousandths("fee_amount"),
                    f.other_currency("EURO"),
                    f.other_symbol("fee_amount", 0),
                    f.dated("entered_on", _day(9, 18), "SC-PER-001"),
                ),
            ),
            *build.repeated_rows(name, 1),
            *build.corrected_rows(name, 1),
        ],
    )
    without_header = layouts.PERMITS.encode(
        [layouts.PERMITS.line(layouts.PERMITS.cells(r)) for r in book.records(12, _day(10, 19), _day(10, 24))]
    )
    build.add_refused(
        "permits_2026-10-25.csv",
        without_header,
        "SC-FIL-002",
        without_header.count(b"\n"),
        "the line with the column names is missing",
    )
    return build.deliveries


def payroll_manifest(seed: int) -> list[Delivery]:
    """Return the manifests of the payroll companies."""
    build = Builder("payroll_manifest", seed, ("gross", "benefit_amount"))
    name = "HRB_manifest_2026-10-11.csv"
    first = payroll.records(build.draw("week 41"), _day(10, 5), _day(10, 11))
    build.write(
        name,
        layouts.PAYROLL,
        [
            *build.plant(
                name,
                first,
                (
                    f.date_text("work_date", "2026-10-32"),
                    f.letter_for_digit("gross"),
                    f.account("4015", "SC-COA-001"),
                    f.blank("employee_ref"),
                    f.blank("occupation_code"),
                    f.other_currency("MXN"),
                    f.SHORT_ROW,
                    f.dated("work_date", _day(9, 19), "SC-PER-001"),
                    p.BELOW_SCALE,
                    p.FLAT_OVERTIME,
                    p.CHEAP_MEAL,
                    p.EXPIRED,
                    p.OTHER_LOCAL,
                    p.SOCIAL_SECURITY,
                    p.SHORT_REST,
                    p.BELOW_DERIVED_SCALE,
                ),
            ),
            *build.repeated_rows(name, 2),
        ],
    )
    name = "HRB_manifest_2026-10-18.csv"
    second = payroll.records(build.draw("week 42"), _day(10, 12), _day(10, 18))
    build.write(
        name,
        layouts.PAYROLL,
        [
            *build.plant(
                name,
                second,
                (
                    f.thousandths("gross", "rest_penalty_amount"),
                    p.restricted(f.dated("work_date", date(2026, 1, 15), "SC-DAT-002"), p.of_basic),
                    f.other_symbol("gross", 1),
                    f.LONG_ROW,
                    p.SHORT_CALL,
                    p.WRONG_GROSS,
                    p.OTHER_UNION,
                    p.SHORT_CONTRIBUTION,
                ),
            ),
            *build.corrected_rows(name, 2),
        ],
    )
    build.add_refused(
        "HRB_manifest_2026-10-25.csv.gz",
        _truncated_gzip(build.deliveries[0].content),
        "SC-FIL-001",
        0,
        "a transfer that broke off: the compressed file ends in the middle",
    )
    return build.deliveries


def _truncated_gzip(content: bytes) -> bytes:
    """Return the first part of a gzip file, written without zlib: its bytes vary between versions."""
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    block = content[:60_000]
    stored = b"\x01" + len(block).to_bytes(2, "little") + (len(block) ^ 0xFFFF).to_bytes(2, "little")
    return header + stored + block[:6_000]


FEEDS: tuple[Callable[[int], list[Delivery]], ...] = (
    germany,
    e_invoices,
    united_kingdom,
    canada,
    united_states,
    permits,
    payroll_manifest,
)
