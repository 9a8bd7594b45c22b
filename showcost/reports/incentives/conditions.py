"""Conditions of programmes as SQL over the costs: true, false, or null where the ledger does not know.

The columns are those of the table `spend` (`showcost.reports.incentives.costs`), and `resident`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from showcost.config.incentives import CostKind
from showcost.config.record_kinds import PAYROLL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from showcost.config.incentives import ClaimedProgramme, SpendRule
    from showcost.config.incentives.model import CostConditions

UNKNOWN: Final = "CAST(NULL AS BOOLEAN)"


@dataclass(frozen=True)
class Condition:
    """A condition in SQL, and the words for the fact that is missing where it is null."""

    sql: str
    fact: str


@dataclass(frozen=True)
class RuleCondition:
    """The whole condition of a rule, and its parts."""

    sql: str
    parts: tuple[Condition, ...]


def text_sql(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def list_sql(texts: Iterable[str]) -> str:
    """Return texts as an SQL list for IN; never empty."""
    return ", ".join(text_sql(text) for text in texts)


def rule_condition(rule: SpendRule, claimed: ClaimedProgramme) -> RuleCondition:
    """Return the condition under which a rule decides on a cost."""
    parts = _conditions(rule.when, claimed)
    sql = _all(parts)
    if rule.unless is not None:
        exceptions = _conditions(rule.unless, claimed)
        sql = f"({sql} AND NOT ({_all(exceptions)}))"
        parts = (*parts, *exceptions)
    return RuleCondition(sql, parts)


def residence_sql(claimed: ClaimedProgramme) -> str:
    """Return the expression of the declared residence: of accounts for pay, of vendors for all else."""
    of_accounts = {
        account: declared.jurisdiction
        for declared in claimed.claim.residence
        for text in declared.accounts
        for account in claimed.named[text]
    }
    of_vendors = {
        vendor.strip().upper(): declared.jurisdiction
        for declared in claimed.claim.residence
        for vendor in declared.vendors
    }
    accounts = _lookup_sql("account", of_accounts)
    vendors = _lookup_sql("upper(trim(vendor_code))", of_vendors)
    return f"CASE WHEN record_kind = '{PAYROLL.name}' THEN {accounts} ELSE {vendors} END"


def within_sql(place: str, jurisdictions: Iterable[str]) -> str:
    """Return the condition that a place is in one of some jurisdictions, a country with its regions.

    Null if the place is null, or is a country of which a jurisdiction is a part.
    """
    return "(" + " OR ".join(_within_one_sql(place, jurisdiction) for jurisdiction in jurisdictions) + ")"


def _within_one_sql(place: str, jurisdiction: str) -> str:
    inside = f"{place} = {text_sql(jurisdiction)} OR starts_with({place}, {text_sql(jurisdiction + '-')})"
    return (
        f"CASE WHEN {place} IS NULL THEN {UNKNOWN} WHEN {inside} THEN true"
        f" WHEN starts_with({text_sql(jurisdiction)}, {place} || '-') THEN {UNKNOWN} ELSE false END"
    )


def _all(parts: Iterable[Condition]) -> str:
    return "(" + " AND ".join(["true", *(part.sql for part in parts)]) + ")"


def _conditions(when: CostConditions, claimed: ClaimedProgramme) -> tuple[Condition, ...]:
    """Return the conditions that are given, each with its missing fact."""
    given: list[Condition] = []
    if when.accounts:
        accounts = sorted({account for text in when.accounts for account in claimed.named[text]})
        given.append(Condition(_among_sql("account", accounts), "the account"))
    if when.categories:
        given.append(_category_condition(when.categories, claimed.categories))
    given += [
        Condition(_among_sql(column, values), fact)
        for column, values, fact in (
            ("coalesce(union_category, 'none')", list(when.unions), "the union"),
            ("record_kind", when.record_kinds, "the kind of record"),
            ("component", when.components, "the component"),
            ("lower(trim(earning_type))", [name.lower() for name in when.earning_types], "the earning type"),
            ("cost_kind", [kind.value for kind in when.cost_kinds], "whether it is labour"),
            ("country", when.vendor_countries, "the provider's country"),
        )
        if values
    ]
    if when.performed_in:
        given.append(Condition(within_sql("place", when.performed_in), "where it was performed"))
    if when.resident_in:
        sql = " OR ".join(_resident_sql(jurisdiction) for jurisdiction in when.resident_in)
        given.append(Condition(f"({sql})", "the residence of who is paid"))
    if when.loan_out is not None:
        given.append(Condition(f"(loan_out = {when.loan_out})", "whether a loan-out company is paid"))
    return tuple(given)


def _category_condition(names: Iterable[str], categories: Mapping[str, tuple[str, ...]]) -> Condition:
    """Return the condition that the account is of a category; an undefined category makes it unknown."""
    listed = list(names)
    accounts = sorted({account for name in listed for account in categories.get(name, ())})
    missing = [name for name in listed if name not in categories]
    among = _among_sql("account", accounts)
    sql = f"({among} OR {UNKNOWN})" if missing else among
    return Condition(sql, f"which accounts are {' or '.join(missing)} (account_categories)")


def _among_sql(column: str, values: Iterable[str]) -> str:
    listed = list_sql(values)
    return f"({column} IN ({listed}))" if listed else "false"


def _resident_sql(jurisdiction: str) -> str:
    """Return the condition of residence: as declared, else only a foreign country of the tax id decides."""
    foreign = f"record_kind <> '{PAYROLL.name}' AND country <> {text_sql(jurisdiction[:2])}"
    return (
        f"CASE WHEN resident IS NOT NULL THEN {within_sql('resident', [jurisdiction])}"
        f" WHEN {foreign} THEN false ELSE {UNKNOWN} END"
    )


def _lookup_sql(column: str, values: Mapping[str, str]) -> str:
    cases = " ".join(
        f"WHEN {column} = {text_sql(name)} THEN {text_sql(value)}" for name, value in sorted(values.items())
    )
    return f"CASE {cases} END" if cases else "CAST(NULL AS VARCHAR)"


LABOUR_SQL: Final = f"""
CASE WHEN record_kind = '{PAYROLL.name}' AND component = '{PAYROLL.primary.name}'
        THEN '{CostKind.LABOUR.value}'
    WHEN record_kind = '{PAYROLL.name}' THEN '{CostKind.FRINGE.value}'
    WHEN coalesce(union_category, 'none') <> 'none' THEN NULL
    ELSE '{CostKind.OTHER.value}' END
"""
"""The kind of a cost; null for an invoice on an account of union labour, which may contain labour."""
