"""The guild audit pack of an agreement and a period: rows, rules applied, clauses, rates and results.

    rows.csv       pay as recorded, a line per row
    rules.csv      the rules of the agreement: kind, parameters, unit, source, clause, certainty, dates
    applied.csv    every check of every row with the rules, the requirement, and the result, or why none
    findings.csv   findings over neighbouring days and rules of low certainty, and who dismissed them
    guild_pack.xlsx  the same as sheets, after a first sheet that describes the pack
    manifest.json  the sha256 of each, the versions of the rules, counts

The same rows and rules give the same bytes. People appear as numbers derived from their pseudonyms. Amounts
are those paid; nothing is calculated here.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
import xlsxwriter

from showcost.config.agreements.loading import names_of, normal
from showcost.core.durable import make_folder, write_durably
from showcost.core.errors import InputError
from showcost.core.hashing import sha256_bytes, sha256_framed
from showcost.core.national_ids import masked_text
from showcost.core.visible_text import visible
from showcost.pay.applied import APPLIED, applied_checks
from showcost.pay.findings import findings
from showcost.pipeline.pay_findings import REACH, cells_of_valid, first_missing_day, valid_neighbours
from showcost.validation.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from xlsxwriter.workbook import Workbook

    from showcost.config.agreements import Agreement, PayRule
    from showcost.config.feed import FeedSpec
    from showcost.workspace import Workspace

FOLDER: Final = "guild_packs"
_PAID: Final = (
    *("transaction_date", "payroll_company", "payroll_invoice_no", "union_local", "occupation_code"),
    *("schedule", "location", "work_place", "call_time", "meal1_out", "meal1_in", "meal2_out", "meal2_in"),
    *("wrap_time", "day_of_workweek", "is_holiday", "currency", "rate", "rate_basis"),
    *("hours_1x", "hours_1_5x", "hours_2x", "hours_3x", "meal_penalty_count", "meal_penalty_amount"),
    *("rest_penalty_amount", "gross", "benefit_amount", "pay_rules"),
    *("account", "series", "line_no", "earning_type", "day_type", "deal", "loan_out", "tax_form"),
    *("hours_2_5x", "hours_4x", "hours_6x", "hours_at", "non_deductible_out", "non_deductible_in"),
    *("break_rate", "pay_not_checked"),
)
_RULE_KEYS: Final = frozenset(
    {"id", "kind", "unit", "source", "clause", "certainty", "start", "end", "keyed_on", "remark"}
)
_SHEET_LINES: Final = 1_048_575
_MADE: Final = datetime(2020, 1, 1)  # noqa: DTZ001 -- a workbook must have a date, and its content has none
_PERSON_DIGITS: Final = 8


@dataclass(frozen=True)
class GuildPack:
    """A written pack: `results` counts checks per result, `sha256` has the hash of each file."""

    folder: Path
    agreement: str
    first: date
    last: date
    rows: int
    results: dict[str, int]
    findings: int
    sha256: dict[str, str]


@dataclass(frozen=True)
class _Sheet:
    name: str
    columns: Sequence[str]
    lines: Sequence[Sequence[object]]


def write_guild_pack(workspace: Workspace, name: str, first: date, last: date, out: Path) -> GuildPack:
    """Write the pack of an agreement for the days from `first` to `last` into a folder.

    Only valid rows are in the pack: rejected rows were sent back to the payroll company and are not in these
    books. InputError for an unknown agreement, a production without a payroll feed, or a day of the period or
    near it without valid rows in staging.
    """
    agreement = workspace.agreements.named(name)
    if last < first:
        raise InputError(f"a pack from {first} to {last}: the end lies before the start")
    return _write(workspace, agreement, (first, last), _checked_payrolls(workspace, last), out)


def write_signed_packs(workspace: Workspace, first: date, last: date) -> list[GuildPack]:
    """Write the packs of all agreements that the production has signed, each to its `packs_folder`."""
    signed = signed_agreements(workspace)
    payrolls = _checked_payrolls(workspace, last) if signed else []
    return [
        _write(
            workspace,
            agreement,
            (first, last),
            payrolls,
            packs_folder(workspace, agreement.name, first, last),
        )
        for agreement in signed
    ]


def _write(
    workspace: Workspace,
    agreement: Agreement,
    period: tuple[date, date],
    payrolls: Sequence[_CheckedPayroll],
    out: Path,
) -> GuildPack:
    parts = [payroll.under(agreement, *period) for payroll in payrolls]
    rows, checks, findings_table = (_concatenated(tables) for tables in zip(*parts, strict=True))
    sheets = [
        _Sheet("rows", ("row", "person", *_PAID), _paid_lines(rows)),
        _rules_sheet(agreement),
        _Sheet("applied", APPLIED.names, _lines(checks, APPLIED.names)),
        _Sheet(
            "findings", (*_FINDING_COLUMNS, *_DISMISSAL_COLUMNS), _finding_lines(workspace, findings_table)
        ),
    ]
    results = _counted(checks.column("result"))
    about = _about(workspace, agreement, period, rows, results)
    files = {f"{sheet.name}.csv": _csv(sheet) for sheet in sheets}
    files["guild_pack.xlsx"] = _workbook([about, *sheets])
    hashes = {file: sha256_bytes(data) for file, data in files.items()}
    files["manifest.json"] = _manifest(workspace, agreement, period, rows.num_rows, results, hashes)
    make_folder(out)
    for file, data in files.items():
        write_durably(out / file, data)
    return GuildPack(out, agreement.name, *period, rows.num_rows, results, findings_table.num_rows, hashes)


_FINDING_COLUMNS: Final = (
    *("row_key", "transaction_date", "code", "field", "told", "source", "pay_rules", "cause"),
)
_DISMISSAL_COLUMNS: Final = ("dismissed_at", "dismissed_by", "dismissed_why")


def packs_folder(workspace: Workspace, agreement: str, first: date, last: date) -> Path:
    """Return the folder of a pack that a run writes."""
    slug = "-".join("".join(sign if sign.isalnum() else " " for sign in agreement.casefold()).split())
    return workspace.path / "published" / FOLDER / slug / f"{first}_{last}"


def signed_agreements(workspace: Workspace) -> list[Agreement]:
    """Return the agreements that the production has signed and for which there are rules."""
    signed = {normal(agreement.name) for agreement in workspace.production.agreements}
    return [agreement for agreement in workspace.agreements if names_of(agreement) & signed]


@dataclass(frozen=True)
class _CheckedPayroll:
    """The valid rows of a feed up to some days after the period, with their checks and findings."""

    rows: pa.Table
    checks: pa.Table
    findings: pa.Table

    def under(self, agreement: Agreement, first: date, last: date) -> tuple[pa.Table, pa.Table, pa.Table]:
        """Return the rows under an agreement in a period, their checks, and their findings."""
        days = self.rows.column("transaction_date")
        under = pc.and_(
            pc.equal(self.rows.column("pay_rules"), agreement.label),
            pc.and_(pc.greater_equal(days, first), pc.less_equal(days, last)),
        )
        rows = self.rows.filter(under).sort_by([("transaction_date", "ascending"), ("row_key", "ascending")])
        keys = rows.column("row_key").combine_chunks()
        return (
            rows,
            self.checks.filter(pc.is_in(self.checks.column("row_key"), value_set=keys)),
            self.findings.filter(pc.is_in(self.findings.column("row_key"), value_set=keys)),
        )


def _checked_payrolls(workspace: Workspace, last: date) -> list[_CheckedPayroll]:
    """Check the rows of each payroll feed up to the neighbouring days of `last`."""
    feeds = [feed for feed in workspace.feeds if feed.kind.has_pay_rules]
    if not feeds:
        raise InputError(
            f"production {workspace.production.code} has no payroll feed, so there is no pay to show"
        )
    return [_checked_payroll(workspace, feed, last) for feed in feeds]


def _checked_payroll(workspace: Workspace, feed: FeedSpec, last: date) -> _CheckedPayroll:
    _require_valid_rows(workspace, feed, last + REACH)
    rows = valid_neighbours(workspace, feed, last + REACH)
    reference = Reference(feed, workspace.production, workspace.chart, None, workspace.agreements)
    cells = cells_of_valid(rows, reference)
    return _CheckedPayroll(
        rows, applied_checks(reference.pay, cells, rows), findings(reference.pay, cells, rows)
    )


def _require_valid_rows(workspace: Workspace, feed: FeedSpec, last: date) -> None:
    """Raise InputError if a day up to `last` was validated, but has no valid rows in staging.

    A pack without that day would lack its rows, and with them findings about the days near it.
    """
    missing = first_missing_day(workspace, feed)
    if missing is not None and missing <= last:
        raise InputError(
            f"{feed.name}: the valid rows of {missing} are missing from staging; make them again with"
            f" `showcost run --from {missing} --to {missing}`"
        )


def _concatenated(tables: Iterable[pa.Table]) -> pa.Table:
    return pa.concat_tables(list(tables))


def _finding_lines(workspace: Workspace, findings_table: pa.Table) -> list[list[object]]:
    """Return the findings, each with time, name and reason of its dismissal, if any."""
    dismissals = {line.finding.finding_id: line for line in workspace.pay_findings.dismissed()}
    of_findings = map(dismissals.get, findings_table.column("finding_id").to_pylist())
    return [
        [*line, *((None,) * 3 if ruling is None else map(_shown, (ruling.at, ruling.who, ruling.why)))]
        for line, ruling in zip(_lines(findings_table, _FINDING_COLUMNS), of_findings, strict=True)
    ]


def _paid_lines(rows: pa.Table) -> list[list[object]]:
    people = rows.select(["payroll_company", "employee_ref"]).to_pylist()
    keys = rows.column("row_key").to_pylist()
    paid = _lines(rows, _PAID)
    return [
        [key, sha256_framed(list(person.values()))[:_PERSON_DIGITS], *line]
        for key, person, line in zip(keys, people, paid, strict=True)
    ]


def _lines(table: pa.Table, columns: Sequence[str]) -> list[list[object]]:
    return [[_shown(value) for value in row.values()] for row in table.select(list(columns)).to_pylist()]


def _shown(value: object) -> object:
    return visible(masked_text(value)) if isinstance(value, str) else value


def _rules_sheet(agreement: Agreement) -> _Sheet:
    columns = (
        "id",
        "kind",
        "parameters",
        "unit",
        "source",
        "clause",
        "certainty",
        "from",
        "to",
        "keyed_on",
        "remark",
    )
    return _Sheet("rules", columns, [_rule_line(rule) for rule in agreement.rules])


def _rule_line(rule: PayRule) -> list[object]:
    return [
        rule.id,
        rule.kind,
        parameters_of(rule),
        rule.unit,
        rule.source,
        rule.clause,
        rule.certainty.value,
        rule.start,
        rule.end,
        rule.keyed_on.value,
        rule.remark,
    ]


def parameters_of(rule: PayRule) -> str:
    """Return the parameters of a rule in words: the workers it covers, and its numbers."""
    parameters = rule.model_dump(mode="json", exclude_defaults=True, exclude=set(_RULE_KEYS))
    return "; ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in parameters.items())


def _value(value: object) -> str:
    match value:
        case list():
            return ", ".join(_value(item) for item in value)
        case dict():
            return " ".join(f"{name} {_value(item)}" for name, item in value.items() if item is not None)
        case _:
            return str(value)


def _about(
    workspace: Workspace,
    agreement: Agreement,
    period: tuple[date, date],
    rows: pa.Table,
    results: dict[str, int],
) -> _Sheet:
    lines: list[tuple[str, object]] = [
        ("production", f"{workspace.production.code} {workspace.production.title}"),
        ("company", workspace.production.company),
        ("agreement", agreement.name),
        ("rules", agreement.label),
        ("in force", f"{agreement.start} to {agreement.end or 'open'}"),
        ("agreement read from", f"{agreement.source} (certainty {agreement.certainty})"),
        ("first day", period[0]),
        ("last day", period[1]),
        ("start of photography", workspace.production.principal_photography.start),
        ("rows", rows.num_rows),
        *((f"checks that end with: {result}", count) for result, count in results.items()),
        ("certainty", "H primary text read, M official or trade summary, D derived, L unverified"),
        (
            "results",
            "holds; fails; look: a rule of low certainty does not hold; not checked: with the reason",
        ),
    ]
    return _Sheet("about", ("what", "says"), lines)


def _counted(results: pa.ChunkedArray) -> dict[str, int]:
    counts = pc.value_counts(results)
    pairs = zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
    return dict(sorted(pairs))


def _csv(sheet: _Sheet) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(sheet.columns)
    writer.writerows([["" if value is None else _plain(value) for value in line] for line in sheet.lines])
    return text.getvalue().encode()


def _plain(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _workbook(sheets: Sequence[_Sheet]) -> bytes:
    data = io.BytesIO()
    book = xlsxwriter.Workbook(
        data, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    book.set_properties({"title": "Guild audit pack", "created": _MADE})
    for sheet in sheets:
        _write_sheet(book, sheet)
    book.close()
    return data.getvalue()


def _write_sheet(book: Workbook, sheet: _Sheet) -> None:
    page = book.add_worksheet(sheet.name)
    bold, day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
    page.freeze_panes(1, 0)
    page.write_row(0, 0, sheet.columns, bold)
    # The limit of a sheet; the CSV beside it has every line.
    for number, line in enumerate(sheet.lines[:_SHEET_LINES], start=1):
        for column, value in enumerate(line):
            match value:
                case None:
                    continue
                case date():
                    page.write_datetime(number, column, value, day)
                case int() | Decimal():
                    page.write_number(number, column, value)
                case _:
                    page.write_string(number, column, str(value))
    if sheet.lines:
        page.autofilter(0, 0, min(len(sheet.lines), _SHEET_LINES), len(sheet.columns) - 1)
    page.set_column(0, len(sheet.columns) - 1, 18)


def _manifest(
    workspace: Workspace,
    agreement: Agreement,
    period: tuple[date, date],
    rows: int,
    results: dict[str, int],
    hashes: dict[str, str],
) -> bytes:
    content = {
        "production": workspace.production.code,
        "agreement": agreement.name,
        "rules": agreement.label,
        "from": period[0].isoformat(),
        "to": period[1].isoformat(),
        "rows": rows,
        "results": results,
        "sha256": hashes,
    }
    return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


__all__ = ["GuildPack", "packs_folder", "parameters_of", "signed_agreements", "write_guild_pack"]
