"""Text in columns of fixed widths as CSV: each line is cut at the widths that the feed states.

A line that reaches beyond the last column, or has a tab, is not cut: it is kept whole, beside more cells than
the table has columns, and so rejected with its text.
"""

from __future__ import annotations

import csv
import tempfile
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from showcost.readers.source import PlainText, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from showcost.readers.model import Limits

_SURPLUS: Final = 3
"""Cells beyond the columns, more than a surplus delimiter explains."""


def fixed_to_csv(plain: PlainText, folder: Path, widths: Sequence[int], limits: Limits) -> PlainText:
    """Write text in columns of some widths, in characters, as UTF-8 CSV into `folder`.

    Bytes that are no text stay invalid, so that their records are rejected. Raises UnreadableError for a line
    beyond the limit of a record.
    """
    spans = list(pairwise(accumulate(widths, initial=0)))
    with (
        plain.path.open(encoding=plain.encoding, errors="surrogateescape") as source,
        tempfile.NamedTemporaryFile(
            "w",
            dir=folder,
            prefix="plain-",
            delete=False,
            encoding="utf-8",
            errors="surrogateescape",
            newline="",
        ) as out,
    ):
        source.read(1 if plain.bom and not plain.wide else 0)
        writer = csv.writer(out, lineterminator="")
        while line := source.readline(limits.record_bytes + 1):
            if len(line) > limits.record_bytes:
                raise UnreadableError(f"a line has more than {limits.record_bytes} characters")
            text = line.removesuffix("\n")
            if text.strip():
                writer.writerow(_cells(text, spans))
            if len(text) < len(line):
                out.write("\n")
    path = Path(out.name)
    notes = (*plain.notes, "the columns have fixed widths; places are counted in the CSV form of the file")
    return PlainText(path, path, "utf-8", sure=plain.sure, bom=0, size=path.stat().st_size, notes=notes)


def _cells(text: str, spans: Sequence[tuple[int, int]]) -> list[str]:
    cells = [text[start:end].strip(" ") for start, end in spans]
    if "\t" in text or text[spans[-1][1] :].strip():
        return [*cells, *[text] * _SURPLUS]
    return cells
