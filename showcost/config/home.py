"""The data folder of a production and what it holds: the one place where its paths are named."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from showcost.config.agreements import Agreements, load_agreements
from showcost.config.budget import Budget, load_budget
from showcost.config.chart import Chart, load_chart
from showcost.config.production import PRODUCTION_FILE, Production, inside, load_production
from showcost.core.errors import ConfigError

HOME_VARIABLE = "SHOWCOST_HOME"


@dataclass(frozen=True)
class Home:
    """A data folder; what production.yaml and its neighbours say is read once, when first asked for."""

    path: Path

    @cached_property
    def production(self) -> Production:
        """The production that this folder belongs to; ConfigError when it cannot be used."""
        return load_production(self.path)

    @cached_property
    def chart(self) -> Chart:
        """The chart of accounts; ConfigError when it cannot be used."""
        return load_chart(self._named("chart_of_accounts"), self.production)

    @cached_property
    def budget(self) -> Budget:
        """The budget; ConfigError when it cannot be used."""
        return load_budget(self._named("budget"), self.chart, self.production.base_currency)

    @cached_property
    def agreements(self) -> Agreements:
        """The union agreements: the package's, and those in `agreements/` here; ConfigError for a bad one."""
        return load_agreements(self.path)

    @property
    def inbox(self) -> Path:
        """Where deliveries are dropped, a folder per feed."""
        return self.path / "inbox"

    @property
    def raw(self) -> Path:
        """Deliveries as they arrived, by sha256."""
        return self.path / "raw"

    @property
    def rates(self) -> Path:
        """Rate files that were fetched or imported, by sha256."""
        return self.path / "rates"

    @property
    def locks(self) -> Path:
        """Lock files of the single writers."""
        return self.path / "locks"

    @property
    def ledger(self) -> Path:
        """The ledger database."""
        return self.path / "ledger.duckdb"

    def _named(self, key: str) -> Path:
        name: str = getattr(self.production, key)
        try:
            return inside(self.path, name)
        except ValueError as error:
            raise ConfigError(self.path / PRODUCTION_FILE, key, str(error), name) from None


def default_home() -> Path:
    """Return the data folder: `SHOWCOST_HOME`, else the repository's own `data/`."""
    named = os.environ.get(HOME_VARIABLE)
    return Path(named).resolve() if named else Path(__file__).resolve().parents[2] / "data"


def open_home(path: Path | None = None) -> Home:
    """Return the data folder at `path` (default: `default_home()`), checked to describe a production.

    Production, chart, budget and agreements are read here, so that what is wrong with one of them is said
    before any work and not when a step comes to need it.
    """
    home = Home(path or default_home())
    if not (home.path / PRODUCTION_FILE).is_file():
        raise ConfigError(
            home.path,
            "",
            f"a data folder with a {PRODUCTION_FILE} (name another one with {HOME_VARIABLE})",
        )
    _ = home.production, home.chart, home.budget, home.agreements
    return home
