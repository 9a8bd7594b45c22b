"""Claims of a production: the incentive programmes that it applies for, and the facts that it declares.

They are keys of `production.yaml`. `showcost.config.incentives` has the programmes themselves.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, model_validator

from showcost.config.loading import ConfigModel

ProgrammeId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,40}$")]
Jurisdiction = Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]
"""A country of ISO 3166-1, or a region of ISO 3166-2, such as `GB` or `CA-ON`."""

JURISDICTION_FORM = "^[A-Z]{2}(-[A-Z0-9]{1,3})?$"
"""The same as a regular expression for the texts of entries."""

CategoryName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,40}$")]
"""A name for a group of accounts, such as `performers`."""

PositiveAmount = Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=4)]


class DeclaredResidence(ConfigModel):
    """Residence that the production has evidence of, for vendors by code or for the pay of accounts.

    `vendors` never covers pay: a payroll company's residence is not that of the crew.
    """

    jurisdiction: Jurisdiction = Field(alias="in")
    vendors: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    evidence: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _covers_something(self) -> Self:
        if not self.vendors and not self.accounts:
            raise ValueError("vendors or accounts whose residence is declared")
        return self


class IncentiveClaim(ConfigModel):
    """The claim of one programme.

    `start` and `end` narrow the dates of the programme. `allocation_letter` is the date of the letter or
    certificate from which spending counts. `category` is one of the programme's rates; the first, if not
    given. `core_expenditure` and `production_cost` are totals in the programme's currency, for its caps.
    """

    programme: ProgrammeId
    start: date | None = Field(default=None, alias="from")
    end: date | None = Field(default=None, alias="to")
    allocation_letter: date | None = None
    category: str | None = None
    core_expenditure: PositiveAmount | None = None
    production_cost: PositiveAmount | None = None
    residence: tuple[DeclaredResidence, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ValueError("a date `to` that is not before `from`")
        return self

    @model_validator(mode="after")
    def _residence_is_clear(self) -> Self:
        for kind in ("vendors", "accounts"):
            names = [name for declared in self.residence for name in getattr(declared, kind)]
            if repeated := sorted(name for name in set(names) if names.count(name) > 1):
                raise ValueError(f"{kind} with one residence each; {repeated[0]!r} is declared twice")
        return self
