"""Location permits: application, fee, deposit, extension and refund, in the authority's currency."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sample_production.layouts import CENT

if TYPE_CHECKING:
    from sample_production.draw import Draw
    from sample_production.layouts import Record

FEE_ACCOUNT, DEPOSIT_ACCOUNT = "3610", "9120"


@dataclass(frozen=True)
class Authority:
    """A film office that grants permits for the sites of one unit; the names are invented."""

    name: str
    prefix: str
    jurisdiction: str
    unit: str
    timezone: str
    currency: str
    shoot: tuple[date, date]
    sites: tuple[str, ...]


_OCTOBER = (date(2026, 10, 5), date(2026, 10, 17))
AUTHORITIES = (
    Authority(
        "Drehgenehmigungen Havelstadt",
        "DGH-26-",
        "DE-BB",
        "BBG",
        "Europe/Berlin",
        "EUR",
        (date(2026, 10, 5), date(2026, 10, 6)),
        ("Alte Werfthalle", "Uferpromenade Süd", "Pontonbrücke", "Kopfsteingasse", "Wasserturm"),
    ),
    Authority(
        "Bezirksfilmstelle Spreebogen",
        "BFS/",
        "DE-BE",
        "BBG",
        "Europe/Berlin",
        "EUR",
        (date(2026, 10, 5), date(2026, 10, 7)),
        ("Kontorhaus", "Markthalle", "Bahnbogen 14", "Dachboden Kontor"),
    ),
    Authority(
        "Pool of London Film Office",
        "PLF",
        "GB-ENG",
        "LDN",
        "Europe/London",
        "GBP",
        (date(2026, 10, 7), date(2026, 10, 9)),
        ("Wherry Wharf", "Cornhill alley", "St Erconwald chapel", "Tanner's yard", "Cold store no. 3"),
    ),
    Authority(
        "Harbourfront Film Permits",
        "HFP-",
        "CA-ON",
        "TOR",
        "America/Toronto",
        "CAD",
        (date(2026, 10, 9), date(2026, 10, 17)),
        ("Ferry dock", "Old foundry", "Station hall", "Grain silo", "Ravine footbridge", "Lakeshore lot C"),
    ),
    Authority(
        "Basin Film Permit Desk",
        "BFP",
        "US-CA",
        "LAX",
        "America/Los_Angeles",
        "USD",
        _OCTOBER,
        ("Warehouse 40 rooftop", "Canal bridge", "Desert airstrip"),
    ),
)


@dataclass
class PermitBook:
    """Permits in the order of their numbers; each charge of a permit is a record."""

    draw: Draw
    _numbers: dict[str, int] = field(default_factory=dict)

    def records(self, permits: int, first: date, last: date) -> list[Record]:
        """Return the records of new permits in order of date, charged from `first` to `last` inclusive."""
        records = [record for _ in range(permits) for record in self._permit(first, last)]
        return sorted(records, key=lambda record: str(record["entered_on"]))

    def _permit(self, first: date, last: date) -> list[Record]:
        authority = self.draw.pick(AUTHORITIES)
        number = self._numbers[authority.prefix] = self._numbers.get(authority.prefix, 4100) + 1
        opens, closes = authority.shoot
        day = opens + timedelta(days=self.draw.below((closes - opens).days + 1))
        start = datetime.combine(day, time(self.draw.between(5, 9), self.draw.pick((0, 30))))
        hours = self.draw.between(8, 16)
        entered = self.draw.workday(first, last)
        common: Record = {
            "production_code": "HRB",
            "permit_id": f"{authority.prefix}{number}",
            "authority": authority.name,
            "jurisdiction": authority.jurisdiction,
            "location_name": self.draw.pick(authority.sites),
            "entered_on": entered,
            "start_datetime": start,
            "end_datetime": start + timedelta(hours=hours),
            "timezone": authority.timezone,
            "series": self.draw.pick(("101", "102", "103")),
            "location": authority.unit,
            "set": "",
            "currency": authority.currency,
        }
        return self._events(common, entered, last)

    def _events(self, common: Record, entered: date, last: date) -> list[Record]:
        fee = self.draw.money(120, 2400)
        events = [_fee(common, "fee", fee)]
        if self.draw.chance(35):
            events.append(_fee(common, "application", self.draw.money(25, 90)))
        if self.draw.chance(15):
            extended = _fee(common, "extension", (fee / 2).quantize(Decimal(1)).quantize(CENT))
            end = common["end_datetime"]
            events.append(extended | {"end_datetime": _later(end, self.draw.between(2, 4))})
        if self.draw.chance(50):
            deposit = Decimal(self.draw.between(2, 20) * 250).quantize(CENT)
            events.append(_deposit(common, "deposit", deposit, entered))
            if self.draw.chance(45) and entered < last:
                refunded = self.draw.workday(entered, last)
                events.append(_deposit(common, "refund", -deposit, refunded))
        return events


def _later(end: object, hours: int) -> datetime:
    if not isinstance(end, datetime):
        raise TypeError("the end of a permit must be a date and time")
    return end + timedelta(hours=hours)


def _fee(common: Record, event: str, fee: Decimal) -> Record:
    return common | {
        "event_type": event,
        "account": FEE_ACCOUNT,
        "fee_amount": fee,
        "deposit_amount": None,
        "refundable": "no",
    }


def _deposit(common: Record, event: str, deposit: Decimal, day: date) -> Record:
    return common | {
        "event_type": event,
        "entered_on": day,
        "account": DEPOSIT_ACCOUNT,
        "fee_amount": Decimal("0.00"),
        "deposit_amount": deposit,
        "refundable": "yes",
    }
