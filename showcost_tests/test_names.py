"""One name for one thing, and docstrings that open with a noun phrase or a verb."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import showcost

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(showcost.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

QUESTION_WORDS: Final = frozenset({"What", "Which", "How", "Where", "Whether", "Whose", "Who", "When"})

_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _docstrings(module: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of each docstring of a module."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, _Documented) and (text := ast.get_docstring(node)):
            yield node.body[0].lineno, text


def test_no_class_name_is_defined_in_two_modules() -> None:
    modules: dict[str, list[str]] = defaultdict(list)
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                modules[node.name].append(f"{module.relative_to(PACKAGE)}:{node.lineno}")
    shared = {name: places for name, places in modules.items() if len(places) > 1}
    assert shared == {}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_no_docstring_opens_with_a_question_word(module: Path) -> None:
    opening = [(line, text.split()[0].strip(".,:;")) for line, text in _docstrings(module)]
    assert [(line, word) for line, word in opening if word in QUESTION_WORDS] == []
