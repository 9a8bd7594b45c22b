"""An alert, and the message that sends some of them: what, where, since when, and what to do next.

An alert names feeds, dates, checks, counts and runs. It has no text of a row, no file name and no id of a
person: it leaves this machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from showcost.core.visible_text import visible_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from showcost.config.production import Production

_MOST: Final = 30
"""Alerts that a message lists; it counts the others."""
_LONGEST: Final = 300
_SUBJECT: Final = 120


@dataclass(frozen=True)
class Alert:
    """Something open that needs a person.

    `keys` tell the matters apart that it is about, such as the dates of a feed: it is sent again once it has
    a new one. `since` is None if that is not known.
    """

    kind: str
    keys: tuple[str, ...]
    what: str
    where: str
    since: datetime | None
    next_step: str

    @property
    def facts(self) -> dict[str, Any]:
        """The alert as plain data."""
        return {
            "kind": self.kind,
            "what": one_line(self.what),
            "where": one_line(self.where),
            "since": time_text(self.since),
            "next": one_line(self.next_step),
        }


@dataclass(frozen=True)
class Message:
    """A text for people with its subject, and the same as `facts` for programs."""

    subject: str
    text: str
    facts: Mapping[str, Any]


def one_line(text: str, longest: int = _LONGEST) -> str:
    """Return a text on one line, without characters that a header, a terminal or a chat would obey."""
    line = visible_line(text.replace("\r\n", "\n"))
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def time_text(moment: datetime | None) -> str | None:
    """Return a time as messages show it; None for none."""
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"


def alert_message(production: Production, alerts: Sequence[Alert]) -> Message:
    """Return the message with some alerts of a production."""
    first, *others = alerts
    more = f" and {len(others)} more" if others else ""
    blocks = [_block(number, alert) for number, alert in enumerate(alerts[:_MOST], start=1)]
    if len(alerts) > _MOST:
        blocks.append(f"{len(alerts) - _MOST} more: `showcost alerts` lists them")
    title = one_line(production.title)
    count = f"{len(alerts)} alert" + "s" * bool(others)
    return _message(
        production,
        f"{first.what}{more}",
        "\n\n".join([f"{title} ({production.code}): {count}", *blocks]),
        {"alerts": [alert.facts for alert in alerts[:_MOST]], "count": len(alerts)},
    )


def plain_message(production: Production, subject: str, text: str, facts: Mapping[str, Any]) -> Message:
    """Return a message of another kind, such as a test."""
    return _message(production, subject, text, facts)


def _message(production: Production, subject: str, text: str, facts: Mapping[str, Any]) -> Message:
    line = one_line(f"[showcost {production.code}] {subject}", _SUBJECT)
    return Message(line, text, {"text": f"{line}\n{text}", "production": production.code, **facts})


def _block(number: int, alert: Alert) -> str:
    facts = alert.facts
    lines = [f"{number}. {facts['what']}", f"   where: {facts['where']}"]
    if facts["since"] is not None:
        lines.append(f"   since: {facts['since']}")
    return "\n".join([*lines, f"   next:  {facts['next']}"])
