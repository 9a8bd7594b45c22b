"""Rule about personal data: a payroll row has a pseudonym, never a national identifier (ROW-003)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc

from showcost.config.record_kinds import FieldType
from showcost.core.national_ids import has_national_id
from showcost.validation.rules.model import ColumnRule, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from showcost.validation.reference import Reference


def rules(reference: Reference) -> Iterator[Rule]:
    """Return the rules of this module; none unless the record kind has pay rules."""
    if not reference.feed.kind.has_pay_rules:
        return
    for field in reference.feed.kind.fields:
        if field.type is FieldType.TEXT:
            yield ColumnRule(
                "SC-ROW-003",
                field.name,
                "no social-security, social-insurance or national-insurance number, nor what looks like one",
                "showcost: no personal identifiers",
                column=field.name,
                holds=_without_person if field.personal else _without,
            )


def _without(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.invert(has_national_id(texts))


def _without_person(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.invert(has_national_id(texts, names_person=True))
