"""What is true of the sample: per file its rows, what is planted in them, and what the clean rows come to.

A test of the whole way compares what showcost makes of the inbox with this.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Planted:
    """One planted row and what it must become.

    `record` is its number in the file, 1-based, preamble and header counted.
    """

    record: int
    code: str
    disposition: str
    fault: str


@dataclass
class Delivery:
    """A file of the inbox.

    `planted` rows are not posted; `flagged` ones are, with their code. `posted` are the totals of the rows
    that are posted, by currency.
    """

    feed: str
    name: str
    content: bytes
    header_record: int
    rows: int
    planted: list[Planted]
    note: str = ""
    file_code: str = ""
    same_bytes_as: str = ""
    footer_records: int = 0
    flagged: list[Planted] = field(default_factory=list)
    posted: dict[str, dict[str, str]] = field(default_factory=dict)

    def refuse(self, code: str, note: str) -> None:
        """Make this a file that is refused as a whole, in spite of its rows."""
        self.file_code, self.note, self.posted = code, note, {}

    @property
    def received(self) -> int:
        """The records that must be accounted for: a file refused as a whole is one, a known one none."""
        if self.same_bytes_as:
            return 0
        return 1 if self.file_code else self.rows

    def as_json(self) -> dict[str, object]:
        """Return what the truth says of this file."""
        said: dict[str, object] = {
            "file": self.name,
            "sha256": hashlib.sha256(self.content).hexdigest(),
            "header_record": self.header_record,
            "footer_records": self.footer_records,
            "rows": self.rows,
            "received": self.received,
            "file_code": self.file_code or None,
            "same_bytes_as": self.same_bytes_as or None,
            "note": self.note,
            "posted": self.posted,
        }
        if self.flagged:
            said["flagged"] = [vars(flagged) for flagged in self.flagged]
        return said | {"planted": [vars(planted) for planted in self.planted]}


def as_text(seed: int, deliveries: Sequence[Delivery]) -> str:
    """Return the truth as JSON, a planted row a line."""
    rows = sum(delivery.rows for delivery in deliveries)
    codes = Counter(planted.code for delivery in deliveries for planted in delivery.planted)
    codes.update(flagged.code for delivery in deliveries for flagged in delivery.flagged)
    codes.update(delivery.file_code for delivery in deliveries if delivery.file_code)
    feeds: dict[str, list[dict[str, object]]] = {}
    for delivery in deliveries:
        feeds.setdefault(delivery.feed, []).append(delivery.as_json())
    truth = {
        "production": "HRB",
        "seed": seed,
        "files": len(deliveries),
        "rows": rows,
        "received": sum(delivery.received for delivery in deliveries),
        "codes": dict(sorted(codes.items())),
        "feeds": feeds,
    }
    return json.dumps(truth, ensure_ascii=False, indent=1) + "\n"
