"""A feed: one sender's deliveries of one record kind.

The feed's YAML is checked here, without Dagster; `showcost.components.Feed` turns it into assets.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Final, Literal, Self

from babel import Locale, UnknownLocaleError
from pydantic import AfterValidator, ConfigDict, Field, model_validator

from showcost.config.api import ApiSpec
from showcost.config.items import ItemMapping
from showcost.config.loading import ConfigModel
from showcost.config.production import AccountNumber, Code, Currency, TimeZone
from showcost.config.record_kinds import RECORD_KINDS, FieldType, RecordKind, RecordKindName
from showcost.core.languages import ALSO_KNOWN_AS, LANGUAGES, languages_of_country

FeedName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]


def _language(name: str) -> str:
    try:
        Locale.parse(name, sep="-" if "-" in name else "_")
    except (UnknownLocaleError, ValueError):
        raise ValueError("a language such as de, es or pt_BR") from None
    return name


Language = Annotated[str, AfterValidator(_language)]
DateFormat = Annotated[str, Field(pattern=r"%|^excel$")]


class DialectHints(ConfigModel):
    """Known properties of the files; anything not given is detected.

    `header_record` is the 1-based number of the record with the column names, 0 if there is none. `widths`
    are those of the columns of a file without delimiters, in characters.
    """

    encoding: str | None = None
    delimiter: str | None = Field(default=None, min_length=1)
    quote: str | None = Field(default=None, max_length=1)
    escape: str | None = Field(default=None, max_length=1)
    header_record: int | None = Field(default=None, ge=0)
    skip_records: int | None = Field(default=None, ge=0)
    sheet: str | None = None
    widths: tuple[Annotated[int, Field(ge=1, le=10_000)], ...] = Field(default=(), max_length=1_000)

    @model_validator(mode="after")
    def _widths_stand_alone(self) -> Self:
        if self.widths and (self.delimiter or self.quote or self.escape or self.sheet):
            raise ValueError("`widths` are for files without delimiter, quote, escape and sheet")
        return self


class FieldHints(ConfigModel):
    """Spelling of one field: its header names, and its formats.

    `credit_headers` are names of the column with the same amount where it is a credit, which counts negative.
    `words` are the sender's ways of writing the words of a coded field: `rate_basis: {words: {hour: [Std]}}`.
    """

    headers: tuple[str, ...] = ()
    formats: tuple[DateFormat, ...] = ()
    credit_headers: tuple[str, ...] = ()
    words: dict[str, tuple[str, ...]] = Field(default_factory=dict)


DEBIT_WORDS: Final = ("D", "DR", "DEBIT", "DBIT", "S", "SOLL", "+")
CREDIT_WORDS: Final = ("C", "CR", "CREDIT", "CRDT", "H", "HABEN", "-")


class Signs(ConfigModel):
    """Signs of amounts that stand in a column of their own, under the first of `headers` that a file has.

    Its words (compared without case and spacing) say that the amounts of the row are positive or negative. An
    amount without one of the words, or with a sign of its own, is rejected. `fields` are the amounts, all of
    money by default.
    """

    headers: tuple[str, ...] = Field(min_length=1)
    positive: tuple[str, ...] = DEBIT_WORDS
    negative: tuple[str, ...] = CREDIT_WORDS
    fields: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _words_differ(self) -> Self:
        both = {word.strip().lower() for word in self.positive} & {w.strip().lower() for w in self.negative}
        if both:
            raise ValueError(f"a sign for each word; {min(both)!r} is both positive and negative")
        return self


class AccountMapping(ConfigModel):
    """Mapping to accounts for a sender who does not use the production's account numbers.

    The text under the first of `headers` that a delivery has (compared without case and spacing) is looked up
    in `map`; `otherwise` is the account of all texts that are not listed. Without `otherwise`, such rows have
    no account.
    """

    headers: tuple[str, ...] = Field(min_length=1)
    map: dict[str, AccountNumber] = Field(default_factory=dict)
    otherwise: AccountNumber | None = None


class ControlTotal(ConfigModel):
    """The record after the rows in which the sender states the total of a file.

    Its first cell with content is one of `labels` (compared as headers are), and it is not a row. The cell in
    the column of the amount field `field` is the total of that column over all rows of the delivery. A file
    whose rows do not add up to it is rejected with SC-FIL-003.
    """

    labels: tuple[str, ...] = Field(min_length=1)
    field: str


class FeedSpec(ConfigModel):
    """One feed, as declared in the `attributes` of its YAML file."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: FeedName
    """Name of the feed's assets, inbox folder and keys; lower-case letters, digits and underscores."""
    description: str = Field(min_length=1)
    """Sender and frequency of the deliveries."""
    record_kind: RecordKindName
    """Record kind of the rows; determines the fields."""
    format: Literal["csv", "xlsx", "ubl", "json", "datev", "camt053", "mt940"] = "csv"
    """`csv`, `xlsx`, `ubl` (e-invoices, EN 16931) or `json`; the first three also read each other. `datev` is
    a booking stack of DATEV (EXTF), `camt053` and `mt940` are bank statements; see docs/add-a-feed.md."""
    owners: tuple[Annotated[str, Field(pattern=r"^(team:[\w-]+|[^@\s]+@[^@\s]+)$")], ...] = (
        "team:production-accounting",
    )
    """Owners of the feed: `team:name` or an e-mail address."""
    productions: tuple[Code, ...] = ()
    """Codes of the productions that the feed delivers to; default: all."""
    inbox: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] | None = None
    """Folder in the inbox; default: the feed's name."""
    patterns: tuple[str, ...] = (
        *("*.csv", "*.txt", "*.csv.gz", "*.zip", "*.xls", "*.xlsx"),
        "*.xml",
    )
    """File names to land from the inbox; case is ignored."""
    quiet_seconds: int = Field(3, ge=0, le=86_400)
    """Seconds for which a file must be unchanged to be landed; with `NAME.done` beside it, it is at once."""
    done_marker: bool = False
    """True if a file is landed only once its sender has put `NAME.done` beside it."""
    expected_every_days: int | None = Field(None, ge=1, le=366)
    """Days within which a new delivery is expected while the production lasts; longer silence is an alert."""
    dialect: DialectHints = DialectHints()
    """Known settings: encoding, delimiter, quote, escape, header_record, skip_records, sheet, widths."""
    fields: dict[str, FieldHints] = Field(default_factory=dict)
    """Per field: `headers`, further column names in order of preference, `formats` of a date, `words` of a
    coded field, `credit_headers` of an amount."""
    date_formats: tuple[DateFormat, ...] = ()
    """The only formats of dates, tried in order; `excel` for spreadsheet day numbers."""
    day_first: bool | None = None
    """True if an ambiguous 03/04/2026 is 3 April, false if it is 4 March."""
    year: int | None = Field(default=None, ge=1900, le=2100)
    """Year of dates in a format without one, such as `%d%m`."""
    languages: tuple[Language, ...] = ()
    """Languages of the texts: `es`, `pt_BR`, …; for the names of months and days, besides English, German and
    French, and for encodings other than Unicode (default there: those of a constant `vendor_country`)."""
    timezone: TimeZone | None = None
    """Time zone in which a time with a zone (`23:30:00Z`) has its date; the row's own field `timezone` goes
    first. Default: that of the row's location, or of the production."""
    decimal_mark: Literal[".", ","] | None = None
    """Decimal mark of ambiguous amounts."""
    scale: int = Field(0, ge=-6, le=4)
    """Decimal places that amounts of money leave out: 2 if they are in cents, -3 if they are in thousands."""
    signs: Signs | None = None
    """Signs in a column of their own: `headers`, words that are `positive` and `negative`, `fields`."""
    fill_down: tuple[str, ...] = ()
    """Fields whose blank cells have the value of the row above, as merged cells of a workbook do."""
    dash_is_zero: bool = False
    """True if a single dash is an amount of zero, as in workbooks."""
    default_currency: Currency | None = None
    """Currency of rows without one."""
    transaction_date: str | None = None
    """Field with the transaction date; default: that of the record kind."""
    key: tuple[str, ...] = ()
    """Fields that identify a row; default: those of the record kind."""
    key_ordinal: bool = False
    """True if rows with the same key are numbered by their order in the file (no line numbers)."""
    required: tuple[str, ...] | None = None
    """Fields that must not be blank; default: those of the record kind."""
    constants: dict[str, str] = Field(default_factory=dict)
    """Fields with the same value in every row."""
    accounts: AccountMapping | None = None
    """Accounts by the text of a column: `headers`, `map`, and `otherwise` for unlisted texts."""
    control_total: ControlTotal | None = None
    """Total line that the rows must add up to: `labels` of the line, `field` to sum."""
    corrected_documents: Literal["quarantine", "reverse_and_rebook"] = "quarantine"
    """Handling of a document delivered again with different content (SC-DUP-002): `quarantine` leaves it to a
    person, `reverse_and_rebook` reverses the posted entries and posts the later document."""
    items: ItemMapping | None = None
    """Mapping of JSON to records: `list`, `lines`, `paths` per field, fields that occur `once` per item; or
    `document`, an e-invoice per item."""
    api: ApiSpec | None = None
    """The vendor's API, queried by date; see docs/api-feeds.md."""

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
    def vendor(self) -> str:
        """The vendor of the API, who may have several feeds; for a feed without an API, the feed's name."""
        return (self.api and self.api.vendor) or self.name

    @property
    def text_languages(self) -> tuple[str, ...]:
        """The languages of the texts: as stated, else of the country of all rows, else () for any."""
        stated = (name.replace("-", "_").partition("_")[0] for name in self.languages)
        known = tuple(dict.fromkeys(ALSO_KNOWN_AS.get(name, name) for name in stated))
        if known:
            return tuple(name for name in known if name in LANGUAGES)
        return languages_of_country(self.constants.get("vendor_country", ""))

    @property
    def key_fields(self) -> tuple[str, ...]:
        """The fields that identify a row."""
        return self.key or self.kind.key

    @property
    def required_fields(self) -> tuple[str, ...]:
        """The fields that no row may leave blank."""
        return self.kind.required if self.required is None else self.required

    def headers_of(self, field: str) -> tuple[str, ...]:
        """Return the header names of a field: its own name, then the feed's synonyms.

        Its own name is left out if the feed lists it for another purpose: `Gross Amount` for the net amount,
        `Account` for the text that accounts are mapped from.
        """
        other_headers = [hints.headers for other, hints in self.fields.items() if other != field]
        if self.accounts is not None:
            other_headers.append(self.accounts.headers)
        listed = {normal_header(header) for headers in other_headers for header in headers}
        own = () if normal_header(field) in listed else (field,)
        return (*own, *self.fields.get(field, FieldHints()).headers)

    def words_of(self, field: str) -> dict[str, str]:
        """Return the word that each way of writing one stands for, compared without case and spacing.

        The sender's own ways go first; empty for a field without a list of words.
        """
        listed = dict(self.kind.by_name[field].words)
        own = self.fields.get(field, FieldHints()).words
        words = {_normal_word(way): word for word, ways in listed.items() for way in (word, *ways)}
        return words | {_normal_word(way): word for word, ways in own.items() for way in ways}

    def formats_of(self, field: str) -> tuple[str, ...]:
        """Return the date formats of a field: its own, else the feed's."""
        return self.fields.get(field, FieldHints()).formats or self.date_formats

    @property
    def signed_fields(self) -> tuple[str, ...]:
        """The amounts whose sign stands in a column of its own."""
        if self.signs is None:
            return ()
        return self.signs.fields or self.money_fields

    @property
    def money_fields(self) -> tuple[str, ...]:
        """The amounts of money among the fields."""
        return tuple(n for n in self.kind.of_type(FieldType.AMOUNT) if n not in self.kind.quantities)

    def is_active(self, production: str) -> bool:
        """Say whether this feed delivers to the production."""
        return not self.productions or production in self.productions

    @model_validator(mode="after")
    def _fields_exist(self) -> Self:
        fields = self.kind.by_name
        named = {
            "fields": tuple(self.fields),
            "key": self.key,
            "required": self.required or (),
            "constants": tuple(self.constants),
            "fill_down": self.fill_down,
            "signs.fields": self.signs.fields if self.signs else (),
            "transaction_date": (self.date_field,),
        }
        for setting, names in named.items():
            for name in names:
                if name not in fields:
                    raise ValueError(
                        f"{setting} of the record kind {self.record_kind}, which has no {name!r}"
                    )
        if fields[self.date_field].type not in {FieldType.DATE, FieldType.TIMESTAMP}:
            raise ValueError(f"a date field as transaction_date, not {self.date_field!r}")
        total = self.control_total
        if total is not None and total.field not in self.kind.of_type(FieldType.AMOUNT):
            raise ValueError(
                f"an amount field of the record kind as control_total.field, not {total.field!r}"
            )
        return self

    @model_validator(mode="after")
    def _words_are_listed(self) -> Self:
        for name, hints in self.fields.items():
            listed = [word for word, _ in self.kind.by_name[name].words]
            ways: dict[str, str] = {}
            for word, own in hints.words.items():
                if word not in listed:
                    allowed = f"any of {', '.join(listed)}" if listed else "no words"
                    raise ValueError(f"in fields.{name}.words {allowed}, not {word!r}")
                for way in own:
                    other = ways.setdefault(_normal_word(way), word)
                    if other != word:
                        raise ValueError(
                            f"one word for {way!r} in fields.{name}.words, not {other} and {word}"
                        )
        return self

    @model_validator(mode="after")
    def _amounts_are_signed_once(self) -> Self:
        for name in (*self.signed_fields, *(n for n, hints in self.fields.items() if hints.credit_headers)):
            if name not in self.money_fields:
                raise ValueError(f"an amount of money for signs and credit_headers, not {name!r}")
        twice = [name for name in self.signed_fields if self.fields.get(name, FieldHints()).credit_headers]
        if twice:
            raise ValueError(f"either signs or credit_headers for {twice[0]!r}")
        for formats in (self.date_formats, *(hints.formats for hints in self.fields.values())):
            for format_ in formats:
                has_year = format_ == "excel" or "%y" in format_.lower()
                if self.year is None and not has_year and self.format != "datev":
                    raise ValueError(f"a year, because the date format {format_!r} has none")
        return self

    @model_validator(mode="after")
    def _json_is_mapped(self) -> Self:
        if (self.format == "json") != (self.items is not None):
            raise ValueError("items together with format: json")
        if self.api is not None and self.format not in {"json", "ubl"}:
            raise ValueError("format: json or ubl, because an API answers in JSON or with e-invoices")
        if self.api is not None and self.format == "ubl" and self.api.pages.kind == "cursor":
            raise ValueError("api.pages by link or number; a page that is an e-invoice has no cursor")
        if self.items is None:
            return self
        named = self.kind.by_name.keys() | set(self.accounts.headers if self.accounts else ())
        if unknown := sorted(self.items.paths.keys() - named):
            raise ValueError(f"in items.paths fields of {self.record_kind}, which has no {unknown[0]!r}")
        if self.control_total is not None:
            raise ValueError("control_total only for files with a line for it, not for JSON")
        return self

    @model_validator(mode="after")
    def _headers_are_unique(self) -> Self:
        fields_by_header: dict[str, str] = {}
        for field in self.kind.by_name:
            for header in self.headers_of(field):
                other = fields_by_header.setdefault(normal_header(header), field)
                if other != field:
                    raise ValueError(f"fields with unique headers; {header!r} means {other} and {field}")
        return self


def _normal_word(text: str) -> str:
    return " ".join(text.casefold().split())


_DATE_FORMAT: Final = re.compile(r"\bd{1,2}[-/. ]?m{1,3}[-/. ]?(?:yy){1,2}\b", re.IGNORECASE)
_SHORTEST_PLURAL: Final = 4
"""Minimum length of a plural in letters: `gas` and `bus` are singular."""
_WORD_IN_WORD: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


@lru_cache(maxsize=10_000)
def normal_header(header: str) -> str:
    """Return a header in its form for comparison: without case, spaces, punctuation, plural and date format.

    `SupplierName`, `SUPPLIER_NAME` and `Supplier names` are equal. A header of symbols only, such as `£`, is
    unchanged.
    """
    separated = _WORD_IN_WORD.sub(" ", _DATE_FORMAT.sub(" ", header))
    words = re.findall(r"[^\W_]+", separated.casefold())
    if not words:
        return header.strip()
    return "".join(
        word[:-1] if len(word) >= _SHORTEST_PLURAL and word.endswith("s") else word for word in words
    )
