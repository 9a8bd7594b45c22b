"""A production of one week with some forty rows: small enough to be processed many times.

It runs from Wednesday to Tuesday over a weekend, in four currencies and the three kinds of record. Its rates
are the ECB's, from a file that ends on the Friday: Saturday and Sunday carry, Monday and Tuesday wait.
"""

from __future__ import annotations

import csv
import io
import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from showcost.pipeline.rate_files import import_rates
from showcost.workspace import Workspace, open_workspace
from showcost_tests.fx.independent import published
from showcost_tests.sample.truth import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

WEDNESDAY = date(2026, 10, 28)
THURSDAY, FRIDAY, SATURDAY, SUNDAY, MONDAY, TUESDAY = (
    WEDNESDAY + timedelta(number) for number in range(1, 7)
)
WEEK: Final = [WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY, MONDAY, TUESDAY]

_PRODUCTION: Final = """\
code: {code}
title: One week
company: One Week Pictures LLC
type: streaming
base_currency: USD
timezone: America/Los_Angeles
dates: {{start: 2026-10-28, end: 2026-11-03}}
principal_photography: {{start: 2026-10-28, end: 2026-11-03}}
currencies: [USD, EUR, GBP, CAD]
budget_rates: {{EUR: 1.15, GBP: 1.34, CAD: 0.72}}
agreements: {agreements}
control_accounts: {{recoverable_tax: 9110, refundable_deposit: 9120, fringe: {fringe}, {journal}}}
fx: {{carry_days: 4, sources: [file]}}
"""


_AGREEMENT: Final = """\
agreement: Toronto technicians
version: "2026.1"
union: iatse
currency: CAD
from: 2026-01-01
source: one week's own terms
certainty: H
locals: [{local: "667", title: camera, source: terms, certainty: H}]
rules:
  - {id: call, kind: minimum_call, unit: hours, hours: 8, source: terms, clause: call, certainty: H}
  - {id: rest, kind: rest_period, unit: h, hours: 10, over: day, source: terms, clause: rest, certainty: H}
"""


_JOURNAL_ACCOUNTS: Final = (
    "accounts_payable: 9210, payroll_clearing: 9220, permits_payable: 9230, currency_rounding: 6895"
)


@dataclass(frozen=True)
class Sample:
    """The folder with the chart of a small production, its fringe account, and its agreements."""

    chart: str
    fringe: str
    agreements: str = "[]"


HRB: Final = "HRB"
UKSPEND: Final = "UKSPEND"
"""The production with one feed only, the fastest with Dagster."""

_SIGNED: Final = "[{name: Toronto technicians, union: iatse}]"
_SAMPLES: Final = {HRB: Sample("data", "6990", _SIGNED), UKSPEND: Sample("examples/uk_spend", "7000")}


def make_home(folder: Path, code: str = HRB) -> Workspace:
    """Return a new data folder of the small production, with imported rates and an empty inbox."""
    sample = _SAMPLES[code]
    folder.mkdir(parents=True)
    (folder / "production.yaml").write_text(
        _PRODUCTION.format(
            code=code, fringe=sample.fringe, agreements=sample.agreements, journal=_JOURNAL_ACCOUNTS
        ),
        encoding="utf-8",
    )
    (folder / "agreements").mkdir()
    (folder / "agreements" / "toronto.yaml").write_text(_AGREEMENT, encoding="utf-8")
    for name in ("chart_of_accounts.csv", "budget.csv"):
        shutil.copyfile(REPOSITORY / sample.chart / name, folder / name)
    workspace = open_workspace(folder)
    know_rates(workspace, until=FRIDAY)
    return workspace


def know_rates(workspace: Workspace, *, until: date) -> None:
    """Import a rate file up to a day, with the ECB's rates; later days have invented rates."""
    table = dict(published())
    last = table[FRIDAY]
    table |= {day: last for day in (MONDAY, TUESDAY) if day not in table}
    codes = sorted(table[FRIDAY].keys() - {"EUR"})
    rows = [
        [day.isoformat(), *(format(table[day][code], "f") for code in codes)]
        for day in sorted(table, reverse=True)
        if date(2026, 10, 19) <= day <= until
    ]
    file = workspace.path / f"rates-until-{until}.csv"
    file.write_text(delimited([["Date", *codes], *rows]), encoding="utf-8")
    import_rates(workspace, file)


def delimited(rows: Iterable[Sequence[str]], delimiter: str = ",") -> str:
    """Return rows as CSV text."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def deliver(workspace: Workspace, feed: str, name: str, content: str | bytes) -> Path:
    """Put a file into a feed's inbox."""
    path = workspace.inbox / feed / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@dataclass(frozen=True)
class Invoice:
    """A German invoice of one line, in euros, with texts as the sender writes them."""

    number: str
    day: str
    net: str
    tax: str
    gross: str
    account: str = "3630"
    text: str = "Objektschutz Drehort"

    def cells(self) -> list[str]:
        """Return the cells below `DE_HEADER`."""
        return [
            *("HRB", "V-DE-010", "Wachschutz Drewitz GmbH", "DE999000105", "DE", self.number, self.day),
            *("", "", "", "1", self.account, "101", "BBG", "", self.text, "EUR"),
            *(self.net, "V19", self.tax, self.gross, ""),
        ]


DE_HEADER: Final = (
    "Produktion;Kreditor;Kreditorname;USt-IdNr.;Land;Rechnungsnummer;Rechnungsdatum;Leistung von;"
    "Leistung bis;Bestellnummer;Position;Sachkonto;Folge;Drehort;Motiv;Buchungstext;Währung;Nettobetrag;"
    "Steuerschlüssel;Steuerbetrag;Bruttobetrag;Fällig am"
)
PERMITS_HEADER: Final = (
    "Show,Permit No.,Event,Authority,Jurisdiction,Site,Charged On,Start,End,Time Zone,Account,Episode,Unit,"
    "Set,Currency,Fee,Deposit,Refundable"
)
PAYROLL_HEADER: Final = (
    "Show,Payroll Company,Payroll Invoice,Employee,Loan Out,Agreement,Local,Occ Code,Schedule,Account,"
    "Episode,Unit,Work Date,Zone,Call Time,Meal1 Out,Meal1 In,Wrap Time,Workday,Holiday,Currency,Rate,"
    "Rate Basis,Hours 1x,Hours 1.5x,Hours 2x,Hours 3x,Meal Penalties,Meal Penalty,Rest Penalty,Gross,Benefits"
)
UK_HEADER: Final = (
    "Department family,Entity,Date,Expense Type,Expense area,Supplier,Transaction Number,Amount"
)


def german(invoices: Iterable[Invoice]) -> str:
    """Return a German delivery, with its byte order mark."""
    return "\ufeff" + delimited([DE_HEADER.split(";"), *(invoice.cells() for invoice in invoices)], ";")


def permit(number: str, event: str, day: date, currency: str, amounts: tuple[str, str]) -> list[str]:
    """Return a permit row with (fee, deposit)."""
    account = "9120" if event == "deposit" else "3610"
    return [
        *("HRB", number, event, "Basin Film Permit Desk", "US-CA", "Desert airstrip", day.isoformat()),
        *("2026-11-10T06:00", "2026-11-10T20:00", "America/Los_Angeles", account, "101", "LAX", ""),
        *(currency, *amounts, "yes" if event == "deposit" else "no"),
    ]


def payroll(employee: str, day: date, gross: str, benefits: str) -> list[str]:
    """Return a payroll row in Canadian dollars."""
    return [
        *("HRB", "Maple Slate Payroll Corp.", "MSP-W44", employee, "no", "Toronto technicians", "667"),
        *("T-CAM-OP", "", "4110", "101", "TOR", day.isoformat(), "zone", "05:30", "11:30", "12:00", "19:30"),
        *("2", "no", "CAD", "71.20", "hour", "8.00", "4.00", "1.50", "0.00", "0", "0.00", "0.00"),
        *(gross, benefits),
    ]


def spend(number: str, day: str, amount: str, supplier: str = "Acme Ltd") -> list[str]:
    """Return a row of UK spending."""
    return ["Home Office", "Home Office", day, "IT Services", "IT", supplier, number, amount]


FIRST: Final = (
    Invoice("R1", "28.10.2026", "100,10", "19,02", "119,12"),
    Invoice("R2", "28.10.2026", "1.234,56", "234,57", "1.469,13"),
    Invoice("R3", "29.10.2026", "12O,00", "22,80", "142,80"),  # the letter O
    Invoice("R4", "29.10.2026", "0,05", "0,01", "0,06"),
    Invoice("R5", "30.10.2026", "-500,00", "-95,00", "-595,00"),
    Invoice("R6", "31.10.2026", "333,33", "63,33", "396,66"),
    Invoice("R7", "02.11.2026", "70,00", "13,30", "83,30"),  # its rate is not published yet
    Invoice("R8", "31.09.2026", "10,00", "1,90", "11,90"),  # no such day
    Invoice("R9", "28.10.2026", "10,00", "1,90", "11,90", account="3399"),  # no such account
    Invoice("R10", "03.11.2026", "44,00", "8,36", "52,36"),
)
"""The German delivery of the week."""

LATE: Final = (
    Invoice("R1", "28.10.2026", "100,10", "19,02", "119,12"),  # the same again
    Invoice("R2", "28.10.2026", "1.234,57", "234,57", "1.469,14"),  # another amount
    Invoice("R4", "30.10.2026", "0,05", "0,01", "0,06"),  # another date, so another partition
    Invoice("R11", "29.10.2026", "2.000,00", "380,00", "2.380,00"),
)
"""The later German delivery: repeats, contradictions, and one new invoice of an old date."""

DELIVERIES: Final[Mapping[tuple[str, str], str]] = {
    ("vendor_invoices_de", "1 week.csv"): german(FIRST),
    ("vendor_invoices_de", "2 late.csv"): german(LATE),
    ("location_permits", "1 permits.csv"): delimited(
        [
            PERMITS_HEADER.split(","),
            permit("BFP1", "fee", THURSDAY, "USD", ("368.00", "")),
            permit("BFP1", "deposit", THURSDAY, "USD", ("0.00", "2750.00")),
            permit("PLF2", "fee", FRIDAY, "GBP", ("1249.95", "0.00")),
            permit("PLF3", "deposit", SUNDAY, "GBP", ("0.00", "3500.00")),
            permit("PLF4", "fee", MONDAY, "GBP", ("99.00", "")),
            permit("BFP5", "fee", TUESDAY, "USD", ("12.00", "")),
            ["HRB", "BFP6", "fee", "Basin Film Permit Desk", "US-CA"],  # cut off
        ]
    ),
    ("payroll_manifest", "1 manifest.csv"): delimited(
        [
            PAYROLL_HEADER.split(","),
            payroll("E-0400", WEDNESDAY, "1210.40", "205.77"),
            payroll("E-0401", WEDNESDAY, "1210.40", "205.77"),
            payroll("E-0400", SUNDAY, "999.99", "170.00"),
            payroll("E-0401", SUNDAY, "", "170.00"),  # no gross
        ]
    ),
}
"""All deliveries of the week by feed and name, in order of arrival."""

UK_DELIVERY: Final = delimited(
    [
        UK_HEADER.split(","),
        spend("T1", "28/10/2026", "30,000.00"),
        spend("T1", "28/10/2026", "25,000.10"),
        spend("T2", "29/10/2026", "-1.01"),
        spend("T3", "30/10/2026", "31,000"),
        spend("T4", "30/10/2026", "n/a"),
        spend("T5", "01/11/2026", "40000"),
        spend("T6", "02/11/2026", "27,500.00"),
        spend("T7", "32/10/2026", "26,000.00"),
    ]
)
"""The delivery of the production with one feed."""


def fill(workspace: Workspace) -> None:
    """Put all deliveries into the inbox."""
    if workspace.production.code == UKSPEND:
        deliver(workspace, "uk_spend", "week.csv", UK_DELIVERY)
        return
    for (feed, name), content in DELIVERIES.items():
        deliver(workspace, feed, name, content)
