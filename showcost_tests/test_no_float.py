"""No float in the money path: no literal, conversion, division or query of the code yields one.

The types of tables at run time are checked in `whole/test_outcome.py`.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

import showcost

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(showcost.__file__).parent

# The readers are left out: they return text, and weigh dialects against each other by scores.
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if "readers" not in path.parts]

_SECONDS: Final = "seconds to wait"
ALLOWED: Final = {
    "fx/sources.py": {"float": _SECONDS, "0.5": _SECONDS, "5.0": _SECONDS, "20.0": _SECONDS},
    "backup.py": {"float": _SECONDS, "0.05": _SECONDS},
    "core/locking.py": {"float": _SECONDS, "0.05": _SECONDS},
    "vendor_api/guard.py": {"float": _SECONDS},
    "vendor_api/limits.py": {"float": _SECONDS, "milliseconds / 1000": _SECONDS},
    "simulator/server.py": {"milliseconds / 1000": _SECONDS, "_TICK_MS / 1000": _SECONDS},
    "audit/log.py": {"float": _SECONDS, "0.005": _SECONDS, "60.0": _SECONDS},
    "ledger/store.py": {
        "float": _SECONDS,
        "0.005": _SECONDS,
        "0.25": _SECONDS,
        "60.0": _SECONDS,
    },
    "staging/store.py": {"float": _SECONDS, "60.0": _SECONDS},
    "orchestration/runs.py": {"0.5": _SECONDS},
    "checks/verify.py": {"float": _SECONDS},
    "components/workers.py": {"float": _SECONDS},
    "fx/conversion.py": {
        "amount * rates[base] / rates[currency]": "Decimal by Decimal at sixty digits, then rounded once",
        "rates[base] / rates[currency]": "the same, for display",
    },
    "fx/checks.py": {
        "item.units_per_usd * table.tolerance_percent / 100": "Decimal; the width of a plausibility band",
        "units[day] / dollars[day]": "Decimal; a mean that is compared and never applied",
        "sum(crosses, Decimal(0)) / len(crosses)": "Decimal; the same",
    },
}
"""Allowed expressions by module, each with the reason why it is not an amount of money in a float."""

_TYPES: Final = {"float16", "float32", "float64", "double", "halffloat"}
_TO_FRAMES: Final = {"df", "fetchdf", "fetch_df", "fetchnumpy", "pl"}
_IN_TEXT: Final = re.compile(r"\b(DOUBLE|FLOAT[0-9]*|REAL|float(16|32|64))\b|\b(?i:avg|mean)\(| / ")
_PATHS: Final = {
    *("path", "root", "home", "raw", "locks", "_locks", "folder", "_folder", "inbox", "parent"),
    *("source", "out", "segments"),
}


class Finding(NamedTuple):
    line: int
    code: str


def _findings(tree: ast.AST) -> Iterator[Finding]:
    expressions = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    prose = {node for node in expressions if isinstance(node, ast.Constant)}
    for node in ast.walk(tree):
        if node not in prose and isinstance(node, ast.expr) and _is_float(node):
            yield Finding(node.lineno, ast.unparse(node))


def _is_float(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=float() | complex()):
            return True
        case ast.Constant(value=str(text)):
            return bool(_IN_TEXT.search(text))
        case ast.Name(id="float" | "complex"):
            return True
        case ast.Attribute(attr=name):
            return name in _TYPES | _TO_FRAMES
        case ast.BinOp(op=ast.Div()):
            return not _joins_paths(node)
        case _:
            return False


def _joins_paths(node: ast.BinOp) -> bool:
    """Say whether `/` joins paths, by the last name of what it begins with."""
    first: ast.expr = node
    while isinstance(first, ast.BinOp) and isinstance(first.op, ast.Div):
        first = first.left
    if isinstance(first, ast.Subscript):
        return ast.unparse(first).startswith(("Path(", "path.parents"))
    if isinstance(first, ast.Call):
        return ast.unparse(first).startswith("_repository(")
    if isinstance(first, ast.BoolOp):
        return any(isinstance(value, ast.Name) and value.id in _PATHS for value in first.values)
    text = ast.unparse(first)
    return text == "workspace.rates" or text.split(".")[-1] in _PATHS


def _found(path: Path) -> list[Finding]:
    return list(_findings(ast.parse(path.read_text(encoding="utf-8"))))


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_float_but_what_is_allowed(path: Path) -> None:
    allowed = ALLOWED.get(_name(path), {})
    assert [finding for finding in _found(path) if finding.code not in allowed] == []


@pytest.mark.parametrize("module", ALLOWED)
def test_nothing_is_allowed_that_is_not_there(module: str) -> None:
    codes = {finding.code for finding in _found(PACKAGE / module)}
    assert ALLOWED[module].keys() - codes == set()


@pytest.mark.parametrize(
    "code",
    [
        "float(text)",
        "rate = 1.5",
        "column.astype(float)",
        "pa.float64()",
        "amount / 2",
        "home.amounts.total / rate",
        "rates[base] / rates[other]",
        "connection.sql(query).df()",
        "query = 'SELECT CAST(amount AS DOUBLE)'",
        "query = f'SELECT {amount} / {rate}'",
        "query = 'SELECT avg(amount) FROM t'",
        "def convert(amount: float): ...",
    ],
)
def test_the_scan_sees_a_float(code: str) -> None:
    assert list(_findings(ast.parse(code)))


@pytest.mark.parametrize(
    "code", ["home.raw / name", "amount // 2", "'''amounts are no float64'''", "x = 'a double entry'"]
)
def test_the_scan_passes_what_is_none(code: str) -> None:
    assert list(_findings(ast.parse(code))) == []
