"""The budget: one amount per account, in the base currency."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from showcost.config.loading import read_csv_rows
from showcost.core.errors import ConfigError
from showcost.core.money import minor_units, round_half_away

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from showcost.config.chart import Chart

# Decimal accepts more: exponents, underscores, digits of other scripts.
_AMOUNT: Final = re.compile(r"-?[0-9]{1,14}(?:\.[0-9]+)?")


@dataclass(frozen=True)
class Budget:
    """Budgeted amounts in the base currency, by account number."""

    amounts: Mapping[str, Decimal]

    @property
    def total(self) -> Decimal:
        """The total budget in the base currency."""
        return sum(self.amounts.values(), Decimal(0))


def load_budget(path: Path, chart: Chart, base_currency: str) -> Budget:
    """Read and check the budget; ConfigError names the file, the line and the expected value."""
    amounts: dict[str, Decimal] = {}
    for row in read_csv_rows(path, ("account", "amount"), ("description",)):
        line, number = f"line {row['line']}", row["account"]
        if number not in chart:
            raise ConfigError(path, f"{line}, account", "an account of the chart", number)
        if number in amounts:
            raise ConfigError(path, f"{line}, account", "each account once", number)
        amounts[number] = read_amount(path, line, row["amount"], base_currency)
    return Budget(amounts)


def read_amount(path: Path, line: str, text: str, currency: str) -> Decimal:
    """Return an amount of a configuration file; ConfigError for one that is not an amount in the currency."""
    expected = f"an amount in {currency} with at most {minor_units(currency)} decimals, such as 125000.00"
    if not _AMOUNT.fullmatch(text):
        raise ConfigError(path, f"{line}, amount", expected, text)
    amount = Decimal(text)
    if amount != round_half_away(amount, minor_units(currency)):
        raise ConfigError(path, f"{line}, amount", expected, text)
    return amount
