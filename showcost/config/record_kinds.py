"""Registry of the record kinds: their fields, in the order and with the names that feeds use.

A record kind defines the fields of a row; a feed (`showcost.config.feed`) says how one sender writes them.
Rules about values are in `showcost.validation`. A new record kind is one more entry in `RECORD_KINDS`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, WithJsonSchema

from showcost.config.pay_words import (
    DAY_OF_WORKWEEK,
    DAY_TYPE,
    DEAL,
    EARNING_TYPE,
    RATE_BASIS,
    WORK_PLACE,
    YES_OR_NO,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class FieldType(StrEnum):
    """Type of a field, which determines the parser of its text."""

    TEXT = "text"
    DATE = "date"
    TIMESTAMP = "timestamp"
    AMOUNT = "amount"


@dataclass(frozen=True)
class Field:
    """One field of a record kind.

    `required` applies unless a feed lists its own required fields. `personal` marks a field that may identify
    a person: it never reaches logs, metadata or previews. `quantity` marks an amount that is not money
    (hours, counts, rates of pay), so that no currency's minor unit applies to it. `words` is the closed list
    of a coded field: each word with further ways of writing it. An `added` field came after rows had been
    posted: where it is blank, a row has the content that it had before. A `reference` is a number or code
    that a business gives: personal numbers are searched for in every other text.
    """

    name: str
    type: FieldType
    meaning: str
    required: bool = False
    personal: bool = False
    quantity: bool = False
    words: tuple[tuple[str, tuple[str, ...]], ...] = ()
    added: bool = False
    reference: bool = False


@dataclass(frozen=True)
class Component:
    """The primary component of a row: its name in the ledger and the field of its amount."""

    name: str
    field: str


@dataclass(frozen=True)
class SecondaryComponent:
    """The second component of a row: its name, the field of its amount, and its control account.

    `control` names the control account in production.yaml. `fringe` lets the fringe account of the row's own
    account take precedence. `cost_unless` names a yes/no field: where it says no, the amount is a cost of the
    row's own account. `tax_code` and `country` name the fields by which the production's tax codes say
    what share of the amount is recovered; the rest is a cost of the row's own account.
    """

    name: str
    field: str
    control: str
    fringe: bool = False
    cost_unless: str | None = None
    tax_code: str | None = None
    country: str | None = None


ENTRY_FIELDS: Final[Mapping[str, str]] = {
    "po_no": "VARCHAR",
    "vendor_country": "VARCHAR",
    "tax_code": "VARCHAR",
    "service_from": "DATE",
    "service_to": "DATE",
    "due_date": "DATE",
    "jurisdiction": "VARCHAR",
    "loan_out": "BOOLEAN",
    "earning_type": "VARCHAR",
}
"""The columns of a ledger entry that a record kind may fill from its fields, with their DuckDB types."""


@dataclass(frozen=True)
class CostIdentity:
    """The fields by which a cost is recognised when another feed delivers it too.

    `tax_id`, `code` and `name` are the fields that name the payee; the document is the kind's `document`.
    `tax` is the amount that comes on top of the primary one, `gross` the amount with it, if any. `within` are
    fields that divide a document into costs of their own, such as the employee of a payroll invoice: feeds of
    other kinds do not know them and are compared with the whole document. `by_total` says that other kinds
    bill such a document in one amount, or only a fee for it, so that nothing but its total tells.
    """

    tax_id: str | None
    code: str
    name: str
    tax: str | None = None
    gross: str | None = None
    within: tuple[str, ...] = ()
    by_total: bool = False


@dataclass(frozen=True)
class RecordKind:
    """A kind of record: its fields and their roles.

    `transaction_date` is the field with the transaction date, `document` the field with the document number,
    `key` the fields that identify a row. `primary` posts to the row's own account, `secondary`, if there is
    one, to a control account. `derived` maps a column of the valid rows to the fields that it is joined from,
    never a personal field. `has_pay_rules` says that union pay rules apply.

    `payable` names the control account of the other side of a document, `numbered_yearly` says that senders
    may start their document numbers anew each year. `entry_fields` maps a column of the ledger's entries
    (`ENTRY_FIELDS`) to the field that it is taken from. `line` is the field with the number of a line in its
    document: rows of one document and delivery that leave it blank are told apart by their order. `identity`
    are the fields by which the same cost is recognised in all feeds.

    A kind without `payable` is a kind of plan: its rows are not a cost. They become plan lines of the ledger
    database, never entries, and need no rate (decision record 25). `primary` names their amount.
    `cost_accounts_only` says that they may only name accounts of kind cost, `yes_or_no` the fields that say
    nothing but yes or no, each with further words for both.

    `key_if_given` are fields that belong to the key of rows that do not leave them blank. Rows of one key and
    delivery without a line number are lines of their own where they differ in `lines_by`; without
    `lines_by`, each is.
    """

    name: str
    title: str
    fields: tuple[Field, ...]
    transaction_date: str
    key: tuple[str, ...]
    document: str
    primary: Component
    payable: str | None = None
    secondary: SecondaryComponent | None = None
    derived: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    entry_fields: Mapping[str, str] = field(default_factory=dict, hash=False)
    numbered_yearly: bool = False
    line: str | None = None
    key_if_given: tuple[str, ...] = ()
    lines_by: tuple[str, ...] = ()
    identity: CostIdentity | None = None
    has_pay_rules: bool = False
    cost_accounts_only: bool = False
    yes_or_no: Mapping[str, tuple[str, str]] = field(default_factory=dict, hash=False)

    @property
    def is_plan(self) -> bool:
        """True if the rows become plan lines, not ledger entries."""
        return self.payable is None

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """The fields by name."""
        return {field.name: field for field in self.fields}

    @property
    def coded(self) -> tuple[Field, ...]:
        """The fields with a closed list of words."""
        return tuple(field for field in self.fields if field.words)

    @cached_property
    def searched(self) -> frozenset[str]:
        """The names of the texts in which personal numbers are searched for."""
        return frozenset(self.of_type(FieldType.TEXT)) - {
            field.name for field in self.fields if field.reference
        }

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The names of the fields that no row may leave blank."""
        return tuple(field.name for field in self.fields if field.required)

    @cached_property
    def quantities(self) -> frozenset[str]:
        """The names of the amount fields that are not money."""
        return frozenset(field.name for field in self.fields if field.quantity)

    def of_type(self, *types: FieldType) -> tuple[str, ...]:
        """Return the names of the fields of these types."""
        return tuple(field.name for field in self.fields if field.type in types)


def _text(name: str, meaning: str, *, required: bool = False, personal: bool = False) -> Field:
    return Field(name, FieldType.TEXT, meaning, required, personal)


def _reference(name: str, meaning: str, *, required: bool = False, personal: bool = False) -> Field:
    return Field(name, FieldType.TEXT, meaning, required, personal, reference=True)


def _date(name: str, meaning: str, *, required: bool = False) -> Field:
    return Field(name, FieldType.DATE, meaning, required)


def _amount(name: str, meaning: str, *, required: bool = False) -> Field:
    return Field(name, FieldType.AMOUNT, meaning, required)


def _quantity(name: str, meaning: str, *, required: bool = False) -> Field:
    return Field(name, FieldType.AMOUNT, meaning, required, quantity=True)


def _coded(
    name: str,
    meaning: str,
    words: Mapping[str, tuple[str, ...]],
    *,
    required: bool = False,
    added: bool = False,
) -> Field:
    listed = tuple((str(word), synonyms) for word, synonyms in words.items())
    return Field(name, FieldType.TEXT, meaning, required, words=listed, added=added)


def _added(field: Field) -> Field:
    return replace(field, added=True)


_CODING: Final = (
    _reference("account", "account of the chart of accounts", required=True),
    _text("series", "episode or series code"),
    _text("location", "location code"),
    _text("set", "set code"),
)

VENDOR_INVOICE: Final = RecordKind(
    name="vendor_invoice",
    title="Vendor invoices",
    fields=(
        _text("production_code", "show named by the vendor"),
        _reference("vendor_code", "the vendor's code in the production's vendor list", required=True),
        _text("vendor_name", "the vendor's name"),
        _reference("vendor_tax_id", "VAT number, EIN or business number", required=True, personal=True),
        _text("vendor_country", "ISO 3166 country of the tax id"),
        _reference("invoice_no", "the vendor's invoice number", required=True),
        _date("invoice_date", "date of the invoice", required=True),
        _date("service_from", "first day of the service"),
        _date("service_to", "last day of the service"),
        _reference("po_no", "purchase order"),
        _reference("line_no", "line of the invoice"),
        *_CODING,
        _text("description", "goods or service supplied"),
        _text("currency", "ISO 4217 code", required=True),
        _amount("net_amount", "amount without tax", required=True),
        _text("tax_code", "tax code"),
        _amount("tax_amount", "tax"),
        _amount("gross_amount", "amount with tax"),
        _date("due_date", "date on which payment is due"),
    ),
    transaction_date="invoice_date",
    key=("vendor_code", "invoice_no", "line_no"),
    document="invoice_no",
    primary=Component("net", "net_amount"),
    payable="accounts_payable",
    secondary=SecondaryComponent(
        "tax", "tax_amount", "recoverable_tax", tax_code="tax_code", country="vendor_country"
    ),
    derived={"document_no": ("invoice_no",)},
    entry_fields={
        "po_no": "po_no",
        "vendor_country": "vendor_country",
        "tax_code": "tax_code",
        "service_from": "service_from",
        "service_to": "service_to",
        "due_date": "due_date",
    },
    numbered_yearly=True,
    line="line_no",
    identity=CostIdentity("vendor_tax_id", "vendor_code", "vendor_name", "tax_amount", "gross_amount"),
)

LOCATION_PERMIT: Final = RecordKind(
    name="location_permit",
    title="Location permits",
    fields=(
        _text("production_code", "show named by the permit"),
        _reference("permit_id", "the authority's permit number", required=True),
        _text("event_type", "application, fee, deposit, extension, refund", required=True),
        _text("authority", "authority that granted the permit", required=True),
        _text("jurisdiction", "country or state"),
        _text("location_name", "place of filming"),
        _date("entered_on", "date on which the authority charged the fee", required=True),
        Field("start_datetime", FieldType.TIMESTAMP, "start of the permit, local time", required=True),
        Field("end_datetime", FieldType.TIMESTAMP, "end of the permit, local time", required=True),
        _text("timezone", "IANA time zone of the location"),
        *_CODING,
        _text("currency", "ISO 4217 code", required=True),
        _amount("fee_amount", "fee", required=True),
        _amount("deposit_amount", "deposit"),
        _coded("refundable", "yes or no: whether the deposit is refundable", YES_OR_NO),
    ),
    transaction_date="entered_on",
    key=("authority", "permit_id", "event_type"),
    document="permit_id",
    primary=Component("fee", "fee_amount"),
    payable="permits_payable",
    secondary=SecondaryComponent("deposit", "deposit_amount", "refundable_deposit", cost_unless="refundable"),
    derived={
        "document_no": ("permit_id",),
        "vendor_code": ("authority",),
        "vendor_name": ("authority",),
        "description": ("event_type", "location_name"),
    },
    entry_fields={
        "service_from": "start_datetime",
        "service_to": "end_datetime",
        "jurisdiction": "jurisdiction",
    },
    identity=CostIdentity(None, "authority", "authority", "deposit_amount", within=("event_type",)),
)

_HOURS: Final = ("hours_1x", "hours_1_5x", "hours_2x", "hours_3x")

PAYROLL: Final = RecordKind(
    name="payroll",
    title="Payroll manifests",
    fields=(
        _text("production_code", "show named by the payroll company"),
        _text("payroll_company", "payroll company", required=True),
        _reference("payroll_invoice_no", "payroll invoice number", required=True),
        _text("employee_ref", "pseudonym of the employee", required=True, personal=True),
        _coded("loan_out", "yes or no: paid to a loan-out company", YES_OR_NO),
        _text("agreement", "union agreement", required=True),
        _text("union_local", "union local"),
        _text("occupation_code", "occupation code of the wage schedule", required=True),
        _text("schedule", "wage schedule"),
        *_CODING,
        _date("work_date", "day of work", required=True),
        _coded("work_place", "studio, zone or distant", WORK_PLACE),
        _text("call_time", "call, local time"),
        _text("meal1_out", "start of the first meal"),
        _text("meal1_in", "end of the first meal"),
        _text("meal2_out", "start of the second meal"),
        _text("meal2_in", "end of the second meal"),
        _text("wrap_time", "wrap, local time"),
        _coded("day_of_workweek", "1 to 7", DAY_OF_WORKWEEK),
        _coded("is_holiday", "yes or no", YES_OR_NO),
        _text("currency", "ISO 4217 code", required=True),
        _quantity("rate", "rate of pay", required=True),
        _coded("rate_basis", "hour, day or week", RATE_BASIS, required=True),
        *(
            _quantity(name, f"hours paid at {name.removeprefix('hours_').replace('_', '.')}")
            for name in _HOURS
        ),
        _quantity("meal_penalty_count", "meal penalties"),
        _amount("meal_penalty_amount", "pay for meal penalties"),
        _amount("rest_penalty_amount", "pay for rest violations"),
        _amount("gross", "gross pay", required=True),
        _amount("benefit_amount", "pension, health and other contributions"),
        _added(_reference("line_no", "line of the person's day")),
        _coded("earning_type", "what the line is pay for; work by default", EARNING_TYPE, added=True),
        _coded("day_type", "what the day is; a day of work by default", DAY_TYPE, added=True),
        _coded("deal", "how pay follows from time; by the hours by default", DEAL, added=True),
        *(
            _added(_quantity(name, f"hours paid at {name.removeprefix('hours_').replace('_', '.')}"))
            for name in ("hours_2_5x", "hours_4x", "hours_6x")
        ),
        _added(_text("hours_at", "hours at other multiples, as pairs such as 4.5: 1; 8: 0.5")),
        _added(_text("non_deductible_out", "start of a non-deductible meal")),
        _added(_text("non_deductible_in", "end of a non-deductible meal")),
        _added(_quantity("break_rate", "amount per day on which overtime above a money break is paid")),
        _coded("tax_form", "yes or no: tax form of the loan-out company on file", YES_OR_NO, added=True),
    ),
    transaction_date="work_date",
    key=("payroll_company", "payroll_invoice_no", "employee_ref", "work_date", "occupation_code"),
    document="payroll_invoice_no",
    primary=Component("gross", "gross"),
    payable="payroll_clearing",
    secondary=SecondaryComponent("benefit", "benefit_amount", "fringe", fringe=True),
    derived={
        "document_no": ("payroll_invoice_no",),
        "vendor_code": ("payroll_company",),
        "vendor_name": ("payroll_company",),
        "description": ("agreement", "occupation_code"),
    },
    entry_fields={
        "service_from": "work_date",
        "service_to": "work_date",
        "loan_out": "loan_out",
        "earning_type": "earning_type",
    },
    line="line_no",
    key_if_given=("line_no",),
    lines_by=("account", "series", "location", "set", "earning_type"),
    identity=CostIdentity(
        *(None, "payroll_company", "payroll_company", "benefit_amount"),
        within=("employee_ref", "work_date", "occupation_code"),
        by_total=True,
    ),
    has_pay_rules=True,
)

_STATED_ON: Final = _date("stated_on", "date from which the line holds", required=True)

PURCHASE_ORDER: Final = RecordKind(
    name="purchase_order",
    title="Purchase orders",
    fields=(
        _text("production_code", "show named on the order"),
        _reference("po_no", "number of the purchase order", required=True),
        _reference("line_no", "line of the order"),
        _reference("vendor_code", "the vendor's code in the production's vendor list", required=True),
        _text("vendor_name", "the vendor's name"),
        _date("stated_on", "date of the order, or of the last change of the line", required=True),
        _date("service_from", "first day of the service"),
        _date("service_to", "last day of the service"),
        *_CODING,
        _text("description", "goods or service ordered"),
        _text("currency", "ISO 4217 code", required=True),
        _amount("amount", "amount of the line, without tax", required=True),
        _text("is_closed", "yes or no: nothing more will be invoiced on the line"),
    ),
    transaction_date="stated_on",
    key=("vendor_code", "po_no", "line_no", "stated_on"),
    document="po_no",
    primary=Component("order", "amount"),
    derived={"document_no": ("po_no",)},
    line="line_no",
    yes_or_no={"is_closed": ("closed", "open")},
)

ESTIMATE: Final = RecordKind(
    name="estimate",
    title="Estimates to complete",
    fields=(
        _text("production_code", "show that the estimate is for"),
        _STATED_ON,
        *(field for field in _CODING if field.name != "set"),
        _text("currency", "ISO 4217 code", required=True),
        _amount("amount", "estimate of the cost still to come, beyond commitments", required=True),
        _text("stated_by", "person who made the estimate", required=True),
        _text("reason", "reason for the estimate", required=True),
    ),
    transaction_date="stated_on",
    key=("account", "series", "location", "stated_on"),
    document="account",
    primary=Component("estimate", "amount"),
    derived={"document_no": ("account",), "description": ("reason",)},
    cost_accounts_only=True,
)

BUDGET_REVISION: Final = RecordKind(
    name="budget_revision",
    title="Budget revisions",
    fields=(
        _text("production_code", "show whose budget is revised"),
        _reference("revision_no", "number of the revision", required=True),
        _STATED_ON,
        *(field for field in _CODING if field.name != "set"),
        _text("currency", "ISO 4217 code", required=True),
        _amount("amount", "change of the approved budget; negative for a cut", required=True),
        _text("stated_by", "person who approved the revision", required=True),
        _text("reason", "reason for the revision", required=True),
    ),
    transaction_date="stated_on",
    key=("revision_no", "account", "series", "location"),
    document="revision_no",
    primary=Component("revision", "amount"),
    derived={"document_no": ("revision_no",), "description": ("reason",)},
    cost_accounts_only=True,
)

RECORD_KINDS: Final[dict[str, RecordKind]] = {
    kind.name: kind
    for kind in (VENDOR_INVOICE, LOCATION_PERMIT, PAYROLL, PURCHASE_ORDER, ESTIMATE, BUDGET_REVISION)
}
"""The record kinds by name."""


def _registered(name: str) -> str:
    if name not in RECORD_KINDS:
        *others, last = map(repr, RECORD_KINDS)
        raise ValueError(f"{', '.join(others)} or {last}")
    return name


RecordKindName = Annotated[
    str, AfterValidator(_registered), WithJsonSchema({"type": "string", "enum": list(RECORD_KINDS)})
]
"""The name of a registered record kind, in settings."""
