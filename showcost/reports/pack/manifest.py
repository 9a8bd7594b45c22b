"""The manifest of a pack: scope, policies, totals of its tables, and sha256 and size of every file.

Policies and settings are those of the data folder when the pack was made; the ledger is that of the scope.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from showcost.config.agreements.loading import names_of, normal
from showcost.config.production import PRODUCTION_FILE
from showcost.core.hashing import sha256_file
from showcost.reports.tables import totals, totals_by_currency

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from showcost.reports.scope import ReportScope
    from showcost.reports.tables import Cell, HeadlineFigure, ReportTable
    from showcost.workspace import Workspace

FORM: Final = "showcost-report-1"
"""The form of the pack."""

MANIFEST: Final = "manifest.json"
CSV_FOLDER: Final = "csv"


def manifest_of(
    workspace: Workspace,
    scope: ReportScope,
    tables: Sequence[ReportTable],
    headline: Sequence[HeadlineFigure],
    folder: Path,
) -> bytes:
    """Return the manifest of the files in a folder."""
    content = {
        "form": FORM,
        "showcost": version("showcost"),
        "production": {
            "code": scope.code,
            "title": scope.title,
            "company": scope.company,
            "base_currency": scope.base_currency,
        },
        "currency": scope.currency,
        "period": {"from": str(scope.first), "to": str(scope.last)},
        "as_of": {
            "record": scope.as_of,
            "at": None if scope.moment is None else scope.moment.isoformat(),
            "head": scope.head,
        },
        "ledger": {"to": str(scope.last), "entries": scope.entries, "digest": scope.digest},
        "policies": _policies(workspace),
        "settings": _settings(workspace),
        "headline": [_figure(figure) for figure in headline],
        "tables": [_table(table) for table in tables],
        "files": files_of(folder),
    }
    return json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n"


def files_of(folder: Path) -> dict[str, dict[str, str | int]]:
    """Return size and sha256 of every file below a folder, by its path, without the manifest.

    A symbolic link is not a file of a pack: it has neither.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    listed = [path for path in paths if path != folder.joinpath(MANIFEST)]
    with ThreadPoolExecutor(max_workers=2) as readers:
        facts = readers.map(_facts, listed)
        return {
            path.relative_to(folder).as_posix(): of_path for path, of_path in zip(listed, facts, strict=True)
        }


def _facts(path: Path) -> dict[str, str | int]:
    if path.is_symlink() or not path.is_file():
        return {}
    return {"size": path.stat().st_size, "sha256": sha256_file(path)}


def _policies(workspace: Workspace) -> dict[str, Any]:
    """Return the policies that determine amounts, and the versions of the pay rules."""
    production = workspace.production
    signed = {normal(agreement.name) for agreement in production.agreements}
    return {
        "fx": production.fx.model_dump(mode="json"),
        "budget_rates": {name: str(rate) for name, rate in sorted(production.budget_rates.items())},
        "pay_rules": sorted(
            agreement.label for agreement in workspace.agreements if names_of(agreement) & signed
        ),
    }


def _settings(workspace: Workspace) -> dict[str, str]:
    """Return the sha256 of the files that describe the production."""
    production = workspace.production
    names = (PRODUCTION_FILE, production.chart_of_accounts, production.budget)
    return {name: sha256_file(workspace.path.joinpath(name)) for name in names}


def _figure(figure: HeadlineFigure) -> dict[str, str]:
    return {
        "title": figure.title,
        "value": _text(figure.value),
        "currency": figure.currency,
        "meaning": figure.meaning,
        "table": figure.table,
        "column": figure.column,
    }


def _table(table: ReportTable) -> dict[str, Any]:
    """Return rows and totals of a table, which its CSV file must have."""
    return {
        "name": table.name,
        "title": table.title,
        "currency": table.currency,
        "rows": table.rows.num_rows,
        "totals": _texts({name: cell for name, cell in totals(table).items() if name in table.summed}),
        "totals_by_currency": {name: _texts(amounts) for name, amounts in totals_by_currency(table).items()},
        "notes": list(table.notes),
    }


def _texts(cells: Mapping[str, Cell]) -> dict[str, str]:
    return {name: _text(cell) for name, cell in cells.items()}


def _text(cell: Cell) -> str:
    """Return a number as text; zero for a column without any."""
    return f"{cell:f}" if isinstance(cell, Decimal) else str(cell or 0)
