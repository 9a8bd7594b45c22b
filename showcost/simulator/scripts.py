"""Invoices and behaviour of a simulated vendor; the same seed gives the same vendor on every machine."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from functools import lru_cache
from random import Random
from typing import Any, Final, Literal

Fault = Literal["429", "503", "cut off", "no answer", "wrong json", "slow"]

Answers = Literal["json", "e-invoices", "e-invoices in json"]

FAULTS: Final[tuple[Fault, ...]] = ("429", "503", "cut off", "no answer", "wrong json", "slow")
"""The ways in which an answer fails, each with equal probability; `slow` is only late."""

RATES: Final = {"EUR": 19, "GBP": 20}
"""Tax in percent, by currency; 0 for other currencies."""

_TEXTS: Final = (
    "Camera package",
    "Grip truck",
    "Lighting rental",
    "Sound cart",
    "Walkie-talkies",
    "Crane day",
)


@dataclass(frozen=True)
class Script:
    """A vendor.

    It has `lines_per_day` lines of invoices on each date. `failing`, `doubled` and `bad` are percentages: of
    answers that fail in one of the ways of `faults`, of invoices sent twice, and of invoices with an
    unreadable amount. It allows `requests` within any `period_ms` and `concurrency` at once, and answers
    429 beyond. `burst` is the number of requests that a 503 lasts. A `dead` vendor closes every connection.
    `answers` is the form of its pages: JSON with the invoices, one e-invoice (UBL 2.1) each, or JSON whose
    items are e-invoices in base64.
    """

    name: str
    pages: Literal["page", "cursor", "link"] = "page"
    answers: Answers = "json"
    seed: int = 1
    lines_per_day: int = 20
    page_size: int = 25
    currency: str = "USD"
    accounts: tuple[str, ...] = ("3310",)
    requests: int = 20
    period_ms: int = 1_000
    concurrency: int = 4
    latency_ms: int = 5
    failing: int = 0
    faults: tuple[Fault, ...] = FAULTS
    burst: int = 1
    doubled: int = 0
    bad: int = 0
    gzip: bool = False
    token: str | None = None
    dead: bool = False

    def fault_of(self, key: str, attempt: int) -> Fault | None:
        """Return the fault of the `attempt`-th answer (from 1) to a request, None without a fault."""
        drawn = self.draw(f"fault {key} {attempt}", 10_000)
        if drawn >= self.failing * 100 or not self.faults:
            return None
        return self.faults[drawn % len(self.faults)]

    def draw(self, purpose: str, below: int) -> int:
        """Return a number from 0 to `below` - 1, derived from seed, vendor and purpose."""
        digest = hashlib.sha256(f"{self.seed} {self.name} {purpose}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % below

    def to_json(self) -> str:
        """Return the script as JSON, for a simulator in another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Script:
        """Return the script that `to_json` wrote."""
        content = json.loads(text)
        content["accounts"], content["faults"] = tuple(content["accounts"]), tuple(content["faults"])
        return cls(**content)


@lru_cache(maxsize=64)
def invoices(script: Script, first: date, last: date) -> list[dict[str, Any]]:
    """Return a vendor's invoices from `first` to `last` in order, then the ones it sends twice."""
    sent: list[dict[str, Any]] = []
    for number in range((last - first).days + 1):
        sent += _invoices_of(script, first + timedelta(days=number))
    repeated = [invoice for invoice in sent if script.draw(f"doubled {invoice['id']}", 100) < script.doubled]
    return sent + repeated


@lru_cache(maxsize=512)
def _invoices_of(script: Script, day: date) -> tuple[dict[str, Any], ...]:
    random = Random(f"{script.seed} {script.name} {day}")  # noqa: S311 -- a sample, no secret
    left = script.lines_per_day
    made: list[dict[str, Any]] = []
    while left:
        count = min(left, random.randint(1, 4))
        left -= count
        made.append(_invoice(script, random, f"{script.name}-{day:%y%m%d}-{len(made) + 1:04}", day, count))
    return tuple(made)


def _invoice(script: Script, random: Random, number: str, day: date, count: int) -> dict[str, Any]:
    lines, net = [], 0
    for index in range(count):
        quantity, price = random.randint(1, 9), random.randint(500, 250_000)
        net += quantity * price
        lines.append(
            {
                "id": str(index + 1),
                "account": random.choice(script.accounts),
                "text": random.choice(_TEXTS),
                "qty": str(quantity),
                "unit_price": _money(price),
                "net": _money(quantity * price),
            }
        )
    tax = net * RATES.get(script.currency, 0) // 100
    if script.draw(f"bad {number}", 100) < script.bad:
        lines[0]["net"] = lines[0]["net"].replace("0", "O").replace(".", ".,")
    return {
        "id": number,
        "vendor_id": f"V-{script.name}",
        "issued_on": day.isoformat(),
        "currency": script.currency,
        "lines": lines,
        "tax_total": _money(tax),
        "payable_amount": _money(net + tax),
        "version": 1,
        "updated_at": f"{day.isoformat()}T18:00:00Z",
    }


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"
