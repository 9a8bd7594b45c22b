"""Verify a pack from its files: sizes, hashes, extra and missing files, totals of the CSV files.

Published packs are also compared with the seals in the audit log, which name those that are missing.

`tools/verify_pack.py` does the same without showcost.
"""

from __future__ import annotations

import csv
import json
import sys
from decimal import Decimal, InvalidOperation, localcontext
from typing import TYPE_CHECKING, Any

from showcost.audit.log import Discrepancy
from showcost.audit.transitions import AuditKind
from showcost.core.errors import InputError
from showcost.core.hashing import sha256_file
from showcost.core.money import EXACT_DIGITS
from showcost.reports.pack.folders import PUBLISHED, published_packs
from showcost.reports.pack.manifest import CSV_FOLDER, FORM, MANIFEST, files_of
from showcost.reports.tables import CURRENCY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from showcost.audit.log import Record
    from showcost.workspace import Workspace


def verify_report_pack(folder: Path) -> list[Discrepancy]:
    """Return the discrepancies between the files of a pack and its manifest; empty when there are none.

    Raises InputError if the folder is not a pack.
    """
    manifest = _manifest(folder)
    findings = [*_files(folder, manifest["files"])]
    if not findings:
        findings += [finding for table in manifest["tables"] for finding in _totals(folder, table)]
    return findings or [*_headline(manifest)]


def _headline(manifest: Mapping[str, Any]) -> Iterator[Discrepancy]:
    """Yield the headline figures that are not the totals of their tables, which are those of the files."""
    totals = {table["name"]: table["totals"] for table in manifest["tables"]}
    for figure in manifest["headline"]:
        total = totals.get(figure["table"], {}).get(figure["column"])
        if total is None or Decimal(figure["value"]) != Decimal(total):
            problem = f"{figure['title']} is {figure['value']}, its table comes to {total or 'nothing'}"
            yield Discrepancy(f"{MANIFEST}, headline", problem)


def verify_published_packs(
    workspace: Workspace, records: Iterable[Record]
) -> tuple[int, dict[str, list[Discrepancy]]]:
    """Return the number of published packs, sealed or present, and the discrepancies of each that differs.

    `records` are those of the audit log; only the seals count. A pack that was written elsewhere is not
    looked for. The keys are paths below the data folder.
    """
    seals = {
        str(record.facts["folder"]): record
        for record in records
        if record.kind is AuditKind.SNAPSHOT_PUBLISHED and record.facts["folder"] is not None
    }
    present = {f"{PUBLISHED}/{folder.name}": folder for folder in published_packs(workspace)}
    findings = {
        name: _published(name, seals.get(name), present.get(name))
        for name in sorted(seals.keys() | present.keys())
    }
    return len(findings), {name: found for name, found in findings.items() if found}


def _published(name: str, seal: Record | None, folder: Path | None) -> list[Discrepancy]:
    """Return the discrepancies of a pack that is sealed, present, or both."""
    if seal is None:
        return [Discrepancy(name, "no record of the audit log seals it")]
    if folder is None:
        problem = (
            f"it is missing; record {seal.seq} of the audit log sealed it, as of record {seal.facts['as_of']}"
        )
        return [Discrepancy(name, problem)]
    try:
        if sha256_file(folder.joinpath(MANIFEST)) != seal.facts["manifest"]:
            problem = f"its manifest is not the one that record {seal.seq} of the audit log sealed"
            return [Discrepancy(name, problem)]
        found = verify_report_pack(folder)
    except (InputError, OSError):
        return [Discrepancy(name, f"it is not the pack that record {seal.seq} of the audit log sealed")]
    return [Discrepancy(f"{name}/{finding.place}", finding.problem) for finding in found]


def _manifest(folder: Path) -> Mapping[str, Any]:
    try:
        manifest: Mapping[str, Any] = json.loads(folder.joinpath(MANIFEST).read_bytes())
        form, _ = manifest["form"], (manifest["files"].items(), manifest["tables"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{folder}: this is not the pack of a report") from None
    if form != FORM:
        raise InputError(f"{folder}: expected a pack of the form {FORM}, found {form}")
    return manifest


def _files(folder: Path, recorded: Mapping[str, Any]) -> Iterator[Discrepancy]:
    actual = files_of(folder)
    for name in sorted(recorded.keys() | actual.keys()):
        if name not in actual:
            yield Discrepancy(name, "the manifest names this file, but it is missing")
        elif name not in recorded:
            yield Discrepancy(name, "the manifest does not name this file")
        elif actual[name] != recorded[name]:
            yield Discrepancy(name, "its size or sha256 differs from the manifest")


def _totals(folder: Path, table: Mapping[str, Any]) -> Iterator[Discrepancy]:
    """Yield the differences between a CSV file and the rows and totals of its table."""
    name = f"{CSV_FOLDER}/{table['name']}.csv"
    try:
        rows, sums = _csv_sums(folder.joinpath(name), table)
    except (KeyError, InvalidOperation) as error:
        yield Discrepancy(name, f"its totals cannot be added up ({type(error).__name__}: {error})")
        return
    if rows != table["rows"]:
        yield Discrepancy(name, f"it has {rows} rows, the manifest says {table['rows']}")
    for (column, currency), expected in _expected(table).items():
        found = sums.get((column, currency), Decimal(0))
        if found != expected:
            place = f"{column} {currency}".strip()
            yield Discrepancy(name, f"the total of {place} is {found}, the manifest says {expected}")


def _expected(table: Mapping[str, Any]) -> dict[tuple[str, str], Decimal]:
    by_column = {(column, ""): Decimal(total) for column, total in table["totals"].items()}
    return by_column | {
        (column, currency): Decimal(total)
        for column, amounts in table["totals_by_currency"].items()
        for currency, total in amounts.items()
    }


def _csv_sums(path: Path, table: Mapping[str, Any]) -> tuple[int, dict[tuple[str, str], Decimal]]:
    """Return the number of rows and the sums, per column in all or by currency."""
    expected = [*_expected(table)]
    sums: dict[tuple[str, str], Decimal] = {}
    rows = 0
    csv.field_size_limit(sys.maxsize)
    with path.open(newline="", encoding="utf-8") as stream, localcontext() as context:
        context.prec = EXACT_DIGITS
        for row in csv.DictReader(stream):
            rows += 1
            for column, currency in expected:
                if row[column] and currency in {"", row.get(CURRENCY)}:
                    key = (column, currency)
                    sums[key] = sums.get(key, Decimal(0)) + Decimal(row[column])
    return rows, sums
