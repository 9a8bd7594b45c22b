"""Outcome of a check: passed or not, one sentence, and its figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class CheckOutcome:
    """The outcome of a check; `message` names the differences, never the content of a row."""

    passed: bool
    message: str
    facts: Mapping[str, str | int] = field(default_factory=dict)
