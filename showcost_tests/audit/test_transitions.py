"""The state machine covers every kind and subject, and the documentation draws it as it is."""

from __future__ import annotations

import re
from pathlib import Path

from showcost.audit.transitions import MACHINE, AuditKind, State, SubjectType

PAGE = Path(__file__).resolve().parents[2] / "docs" / "audit.md"


def drawn_transitions() -> set[tuple[str, str, str, str]]:
    """Return (subject, state before, state after, kind) of every arrow of the page's diagrams."""
    arrows = set()
    for subject_type, diagram in re.findall(
        r"### (\w+)\n[^#`]*```mermaid\nstateDiagram-v2\n(.*?)```", PAGE.read_text(), re.DOTALL
    ):
        for before, after, names in re.findall(r"^ +(\S+) --> (\S+): (.+)$", diagram, re.MULTILINE):
            state = State.NEW.value if before == "[*]" else before.replace("_", "-")
            arrows |= {(subject_type, state, after.replace("_", "-"), kind) for kind in names.split(", ")}
    return arrows


def test_the_diagrams_show_every_transition_and_no_other() -> None:
    transitions = {
        (subject_type.value, before.value, after.value, kind.value)
        for (subject_type, kind), steps in MACHINE.items()
        for before, after in steps.items()
    }
    assert drawn_transitions() == transitions


def test_every_kind_and_every_subject_type_has_a_transition() -> None:
    assert {kind for _, kind in MACHINE} == set(AuditKind)
    assert {subject_type for subject_type, _ in MACHINE} == set(SubjectType)
