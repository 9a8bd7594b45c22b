"""The state machine is whole, and drawn in the documentation as it is in the code."""

from __future__ import annotations

import re
from pathlib import Path

from showcost.audit.transitions import MACHINE, AuditKind, State, SubjectType

PAGE = Path(__file__).resolve().parents[2] / "docs" / "audit.md"


def drawn() -> set[tuple[str, str, str, str]]:
    """Return (subject, state before, state after, kind) of every arrow of the page's diagrams."""
    arrows = set()
    for of, diagram in re.findall(
        r"### (\w+)\n[^#`]*```mermaid\nstateDiagram-v2\n(.*?)```", PAGE.read_text(), re.DOTALL
    ):
        for before, after, names in re.findall(r"^ +(\S+) --> (\S+): (.+)$", diagram, re.MULTILINE):
            state = State.NEW.value if before == "[*]" else before.replace("_", "-")
            arrows |= {(of, state, after.replace("_", "-"), kind) for kind in names.split(", ")}
    return arrows


def test_the_diagrams_show_every_move_and_no_other() -> None:
    moves = {
        (of.value, before.value, after.value, kind.value)
        for (of, kind), steps in MACHINE.items()
        for before, after in steps.items()
    }
    assert drawn() == moves


def test_every_kind_moves_something_and_every_subject_is_moved() -> None:
    assert {kind for _, kind in MACHINE} == set(AuditKind)
    assert {of for of, _ in MACHINE} == set(SubjectType)
