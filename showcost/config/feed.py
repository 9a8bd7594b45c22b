"""A feed: how one sender writes one kind of record down.

The feed's YAML is checked here, without Dagster; `showcost.components.Feed` turns it into assets.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from showcost.config.loading import ConfigModel
from showcost.config.production import (
    AccountNumber,
    Code,
    Currency,
)
from showcost.config.record_kinds import RECORD_KINDS, FieldType, RecordKind

FeedName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
DateFormat = Annotated[str, Field(pattern=r"%|^excel$")]


class DialectHints(ConfigModel):
    """What is known of the files; whatever is not given is detected.

    `header_record` is the 1-based number of the record that holds the column names, 0 when there is none.
    """

    encoding: str | None = None
    delimiter: str | None = Field(default=None, min_length=1)
    quote: str | None = Field(default=None, max_length=1)
    escape: str | None = Field(default=None, max_length=1)
    header_record: int | None = Field(default=None, ge=0)
    skip_records: int | None = Field(default=None, ge=0)
    sheet: str | None = None


class FieldHints(ConfigModel):
    """How one field is written: the header names that mean it, and its formats."""

    headers: tuple[str, ...] = ()
    formats: tuple[DateFormat, ...] = ()


class AccountMapping(ConfigModel):
    """Which account a row belongs to when the sender does not write the production's account numbers.

    The text under the first of `headers` that a delivery has (compared without regard to case and spacing)
    is looked up in `map`; `otherwise` is the account of all texts that are not listed. Without `otherwise`,
    such rows have no account.
    """

    headers: tuple[str, ...] = Field(min_length=1)
    map: dict[str, AccountNumber] = Field(default_factory=dict)
    otherwise: AccountNumber | None = None


class ControlTotal(ConfigModel):
    """The record after the rows in which the sender states the total of a file.

    It is a record whose first cell with content is one of `labels` (compared as headers are) and is no row;
    the cell in the column of the amount field `field` is the total of that column over all rows of the
    delivery. A file whose rows do not add up to it is SC-FIL-003.
    """

    labels: tuple[str, ...] = Field(min_length=1)
    field: str


class FeedSpec(ConfigModel):
    """One feed.

    `record_kind` decides the fields; `fields` lists, per field, the header names that mean it beside its
    own name. `key` are the fields that identify a row; `key_ordinal` adds the number of the row among
    those with the same key in its delivery, for senders without line numbers. `constants` fill a field on
    every row; `default_currency` only blank ones. `required` replaces the record kind's list.
    `productions` restricts the feed to the production codes listed. `inbox` is the folder below the inbox
    and `patterns` are the file names taken from it.
    """

    name: FeedName
    description: str = Field(min_length=1)
    record_kind: Literal["vendor_invoice", "location_permit", "payroll"]
    format: Literal["csv", "xlsx"] = "csv"
    owners: tuple[Annotated[str, Field(pattern=r"^(team:[\w-]+|[^@\s]+@[^@\s]+)$")], ...] = (
        "team:production-accounting",
    )
    productions: tuple[Code, ...] = ()
    inbox: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] | None = None
    patterns: tuple[str, ...] = ("*.csv", "*.txt", "*.csv.gz", "*.zip", "*.xls", "*.xlsx")
    dialect: DialectHints = DialectHints()
    fields: dict[str, FieldHints] = Field(default_factory=dict)
    date_formats: tuple[DateFormat, ...] = ()
    day_first: bool | None = None
    decimal_mark: Literal[".", ","] | None = None
    dash_is_zero: bool = False
    default_currency: Currency | None = None
    transaction_date: str | None = None
    key: tuple[str, ...] = ()
    key_ordinal: bool = False
    required: tuple[str, ...] | None = None
    constants: dict[str, str] = Field(default_factory=dict)
    accounts: AccountMapping | None = None
    control_total: ControlTotal | None = None

    @property
    def kind(self) -> RecordKind:
        """The record kind of this feed."""
        return RECORD_KINDS[self.record_kind]

    @property
    def inbox_folder(self) -> str:
        """The name of the feed's folder below the inbox."""
        return self.inbox or self.name

    @property
    def date_field(self) -> str:
        """The field that dates the transaction, by which rows are partitioned."""
        return self.transaction_date or self.kind.transaction_date

    @property
    def key_fields(self) -> tuple[str, ...]:
        """The fields that identify a row."""
        return self.key or self.kind.key

    @property
    def required_fields(self) -> tuple[str, ...]:
        """The fields that no row may leave blank."""
        return self.kind.required if self.required is None else self.required

    def headers_of(self, field: str) -> tuple[str, ...]:
        """Return the header names that mean a field: its own name, then the feed's synonyms."""
        return (field, *self.fields.get(field, FieldHints()).headers)

    def formats_of(self, field: str) -> tuple[str, ...]:
        """Return the date formats of a field: its own, else the feed's."""
        return self.fields.get(field, FieldHints()).formats or self.date_formats

    def is_active(self, production: str) -> bool:
        """Say whether this feed delivers to the production."""
        return not self.productions or production in self.productions

    @model_validator(mode="after")
    def _fields_exist(self) -> Self:
        known = self.kind.by_name
        named = {
            "fields": tuple(self.fields),
            "key": self.key,
            "required": self.required or (),
            "constants": tuple(self.constants),
            "transaction_date": (self.date_field,),
        }
        for setting, names in named.items():
            for name in names:
                if name not in known:
                    raise ValueError(
                        f"{setting} of the record kind {self.record_kind}, which has no {name!r}"
                    )
        if known[self.date_field].type not in {FieldType.DATE, FieldType.TIMESTAMP}:
            raise ValueError(f"a date as transaction_date, which {self.date_field!r} is not")
        total = self.control_total
        if total is not None and total.field not in self.kind.of_type(FieldType.AMOUNT):
            raise ValueError(f"an amount of the record kind as control_total.field, not {total.field!r}")
        return self

    @model_validator(mode="after")
    def _headers_tell_fields_apart(self) -> Self:
        meaning: dict[str, str] = {}
        for field in self.kind.by_name:
            for header in self.headers_of(field):
                other = meaning.setdefault(normal_header(header), field)
                if other != field:
                    raise ValueError(f"each header once; {header!r} stands for {other} and {field}")
        return self


def normal_header(header: str) -> str:
    """Return a header without case, spaces, punctuation and plural: what headers are compared by."""
    words = re.findall(r"[^\W_]+", header.casefold())
    return " ".join(word[:-1] if len(word) > 3 and word.endswith("s") else word for word in words)  # noqa: PLR2004 -- `gas`, `tax`
