"""The workspace of a production: the settings and stores of its data folder.

Only here are the paths of a data folder named and its stores opened. A workspace is opened for one command,
step or sensor tick: it reads settings (production, chart, feeds) once. Its stores see later writes of other
processes.

Higher layers take the workspace; lower ones take the single store that they need.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from showcost.config.agreements import Agreements, load_agreements
from showcost.config.budget import Budget, load_budget
from showcost.config.chart import Chart, load_chart
from showcost.config.feeds import load_feeds
from showcost.config.incentives import ClaimedProgramme, claimed_programmes
from showcost.config.production import PRODUCTION_FILE, Production, inside, load_production
from showcost.core.errors import ConfigError, InputError, StoreBusyError
from showcost.core.locking import exclusive_lock
from showcost.deliveries.payloads import PayloadStore
from showcost.deliveries.register import Register
from showcost.ledger.store import Ledger
from showcost.pay.findings_log import FindingsStore
from showcost.staging import StagingStore

if TYPE_CHECKING:
    from showcost.audit.log import AuditLog
    from showcost.config.feed import FeedSpec

HOME_VARIABLE = "SHOWCOST_HOME"

LEDGER_WAIT = 60
"""Seconds to wait for a ledger that another process has open."""


@dataclass(frozen=True)
class Workspace:
    """A data folder; its settings are read once, on first access.

    `wait_seconds` bounds the wait for a ledger that another process has open.
    """

    path: Path
    wait_seconds: int = LEDGER_WAIT

    @cached_property
    def production(self) -> Production:
        """The production of this folder; ConfigError if it is invalid."""
        return load_production(self.path)

    @cached_property
    def chart(self) -> Chart:
        """The chart of accounts; ConfigError if it is invalid."""
        unions = self.agreements.unions | set(self.production.unions)
        return load_chart(self._named("chart_of_accounts"), self.production, unions)

    @cached_property
    def budget(self) -> Budget:
        """The budget; ConfigError if it is invalid."""
        return load_budget(self._named("budget"), self.chart, self.production.base_currency)

    @cached_property
    def agreements(self) -> Agreements:
        """The union agreements of the package and of `agreements/` here; ConfigError if one is invalid."""
        return load_agreements(self.path)

    @cached_property
    def incentives(self) -> tuple[ClaimedProgramme, ...]:
        """The incentive programmes that the production claims; ConfigError if one is invalid."""
        return claimed_programmes(self.path, self.production, self.chart)

    @cached_property
    def feeds(self) -> tuple[FeedSpec, ...]:
        """The active feeds of this production, by name; ConfigError if one is invalid.

        They are declared in the package or in `feeds/` here.
        """
        return tuple(load_feeds(self.production.code, home=self.path))

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger database."""
        return Ledger(self.path / "ledger.duckdb", wait_seconds=self.wait_seconds)

    @property
    def audit(self) -> AuditLog:
        """The audit log: the instance that attests the ledger, so that it is read once."""
        return self.ledger.audit

    @cached_property
    def staging(self) -> StagingStore:
        """Rows per asset and partition."""
        return StagingStore(self.path, self.audit.attested)

    def read_on(self, other: Workspace) -> None:
        """Go on with the ledger, audit log and staging of another workspace of this folder.

        They read what was added since, instead of everything again. For a folder that was not replaced.
        """
        self.__dict__.update({name: getattr(other, name) for name in ("ledger", "staging")})

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
        """The folder for incoming deliveries, with a folder per feed."""
        return self.path / "inbox"

    @property
    def raw(self) -> Path:
        """The folder of deliveries, their register, and the progress and dead letters of pulls."""
        return self.path / "raw"

    @property
    def rates(self) -> Path:
        """The folder of fetched and imported rate files, named by their sha256."""
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


def wait_for_writers(workspace: Workspace, *, wait_seconds: int = 10) -> None:
    """Wait until each store was free once, at most `wait_seconds` for each.

    A read-only copy has no writers.
    """
    if not os.access(workspace.locks, os.W_OK):
        return
    for path in sorted(workspace.locks.glob("*.lock")):
        with suppress(StoreBusyError), exclusive_lock(path, "busy", wait_seconds=wait_seconds):
            continue


def variable_home() -> Path | None:
    """Return the data folder that `SHOWCOST_HOME` names; None if it is not set."""
    named = os.environ.get(HOME_VARIABLE)
    return Path(named).resolve() if named else None


def required_home() -> Path:
    """Return the data folder that `SHOWCOST_HOME` names. Raises InputError if it is not set."""
    if (home := variable_home()) is None:
        raise InputError(
            f"no data folder is named: use --home FOLDER or {HOME_VARIABLE}, or make a new one with "
            "`showcost init FOLDER`"
        )
    return home


def definitions_workspace() -> Workspace:
    """Open the data folder whose production the Dagster definitions describe.

    Without `SHOWCOST_HOME` it is the repository's `data/`, so that the definitions can be checked without a
    data folder. Nothing may be written to it: steps and sensors open `required_home()`.
    """
    return open_workspace(variable_home() or Path(__file__).resolve().parents[1] / "data")


def open_workspace(path: Path, *, wait_seconds: int = LEDGER_WAIT) -> Workspace:
    """Return the workspace at `path`, checked to describe a production.

    Production, chart, budget, agreements and incentives are read here, so that an error in one of them is
    reported before any work starts. Raises InputError if the folder is not a data folder, ConfigError if its
    settings are invalid.
    """
    other = f"name another one with --home or {HOME_VARIABLE}, or make one with `showcost init`"
    if not path.is_dir():
        raise InputError(f"{path}: there is no such folder; {other}")
    if not (path / PRODUCTION_FILE).is_file():
        raise InputError(f"{path}: not a data folder, because it has no {PRODUCTION_FILE}; {other}")
    workspace = Workspace(path, wait_seconds)
    _ = workspace.production, workspace.chart, workspace.budget, workspace.agreements, workspace.incentives
    return workspace
