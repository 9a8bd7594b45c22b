"""Expected results of the sample: number of rows, planted rows and totals of posted rows, per file.

A test of the whole pipeline compares its results for the inbox with them.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sample_production.layouts import Record


@dataclass(frozen=True)
class Planted:
    """A planted row, its reason code and its expected state.

    `record` is its 1-based number in the file, with preamble and header counted.
    """

    record: int
    code: str
    disposition: str
    fault: str


@dataclass
class Delivery:
    """A file of the inbox.

    `planted` rows are not posted; `flagged` rows are, with their code. `posted` has the totals of posted rows
    by currency.
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
    records: list[Record] = field(default_factory=list)
    """The records of the posted rows."""

    def refuse(self, code: str, note: str) -> None:
        """Mark the file as refused as a whole, despite its rows."""
        self.file_code, self.note, self.posted = code, note, {}

    @property
    def received(self) -> int:
        """Number of records to account for: 1 for a refused file, 0 for bytes that were delivered before."""
        if self.same_bytes_as:
            return 0
        return 1 if self.file_code else self.rows

    def as_json(self) -> dict[str, object]:
        """Return the expected results of this file."""
        results: dict[str, object] = {
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
            results["flagged"] = [vars(flagged) for flagged in self.flagged]
        return results | {"planted": [vars(planted) for planted in self.planted]}


def as_text(seed: int, deliveries: Sequence[Delivery]) -> str:
    """Return the expected results of all files as JSON."""
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
