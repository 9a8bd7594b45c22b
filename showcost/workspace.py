"""The workspace of a production: its data folder, what is declared there, and the stores below it.

This is the one place where the paths of a data folder are named and its stores are opened. A workspace is
opened for a command, a step or a tick and dropped after it: what it has read once (production, chart, feeds)
it does not read again. Its stores see what other processes write meanwhile.

Rooms above this one take the workspace; rooms below it take the single store that they need.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from showcost.config.agreements import Agreements, load_agreements
from showcost.config.budget import Budget, load_budget
from showcost.config.chart import Chart, load_chart
from showcost.config.feeds import load_feeds
from showcost.config.production import PRODUCTION_FILE, Production, inside, load_production
from showcost.core.errors import ConfigError
from showcost.deliveries.payloads import PayloadStore
from showcost.deliveries.register import Register
from showcost.ledger.store import Ledger
from showcost.pay.findings_log import FindingsStore
from showcost.staging import StagingStore

if TYPE_CHECKING:
    from showcost.audit.log import AuditLog
    from showcost.config.feed import FeedSpec

HOME_VARIABLE = "SHOWCOST_HOME"


@dataclass(frozen=True)
class Workspace:
    """A data folder; what is declared in it is read once, when first asked for."""

    path: Path

    @cached_property
    def production(self) -> Production:
        """The production that this folder belongs to; ConfigError for an invalid one."""
        return load_production(self.path)

    @cached_property
    def chart(self) -> Chart:
        """The chart of accounts; ConfigError for an invalid one."""
        return load_chart(self._named("chart_of_accounts"), self.production)

    @cached_property
    def budget(self) -> Budget:
        """The budget; ConfigError for an invalid one."""
        return load_budget(self._named("budget"), self.chart, self.production.base_currency)

    @cached_property
    def agreements(self) -> Agreements:
        """The union agreements: the package's, and those in `agreements/` here; ConfigError for a bad one."""
        return load_agreements(self.path)

    @cached_property
    def feeds(self) -> tuple[FeedSpec, ...]:
        """The feeds that are active for this production, by name; ConfigError for an invalid one."""
        return tuple(load_feeds(self.production.code))

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger database."""
        return Ledger(self.path / "ledger.duckdb")

    @property
    def audit(self) -> AuditLog:
        """The audit log: the same instance with which the ledger is attested, so it is read once."""
        return self.ledger.audit

    @cached_property
    def staging(self) -> StagingStore:
        """Rows per asset and partition."""
        return StagingStore(self.path)

    @cached_property
    def register(self) -> Register:
        """The register of arrivals."""
        return Register(self.raw, self.locks)

    @cached_property
    def payloads(self) -> PayloadStore:
        """Deliveries as they arrived, by sha256."""
        return PayloadStore(self.raw)

    @cached_property
    def pay_findings(self) -> FindingsStore:
        """The log of pay findings and their dismissals."""
        return FindingsStore(self.path)

    @property
    def inbox(self) -> Path:
        """The folder where deliveries are dropped, with a folder per feed."""
        return self.path / "inbox"

    @property
    def raw(self) -> Path:
        """The folder of deliveries, their register, and the progress and dead letters of pulls."""
        return self.path / "raw"

    @property
    def rates(self) -> Path:
        """The folder of rate files that were fetched or imported, by sha256."""
        return self.path / "rates"

    @property
    def locks(self) -> Path:
        """The folder of the single writers' lock files."""
        return self.path / "locks"

    def _named(self, key: str) -> Path:
        name: str = getattr(self.production, key)
        try:
            return inside(self.path, name)
        except ValueError as error:
            raise ConfigError(self.path / PRODUCTION_FILE, key, str(error), name) from None


def default_home() -> Path:
    """Return the data folder: `SHOWCOST_HOME`, else the repository's own `data/`."""
    named = os.environ.get(HOME_VARIABLE)
    return Path(named).resolve() if named else Path(__file__).resolve().parents[1] / "data"


def open_workspace(path: Path | None = None) -> Workspace:
    """Return the workspace at `path` (default: `default_home()`), checked to describe a production.

    Production, chart, budget and agreements are read here, so that an error in one of them is reported
    before any work starts.
    """
    workspace = Workspace(path or default_home())
    if not (workspace.path / PRODUCTION_FILE).is_file():
        raise ConfigError(
            workspace.path,
            "",
            f"a data folder with a {PRODUCTION_FILE} (name another one with {HOME_VARIABLE})",
        )
    _ = workspace.production, workspace.chart, workspace.budget, workspace.agreements
    return workspace
