"""Rule about personal data: no national identifier, IBAN or card number in a row (ROW-003).

A payroll row has a pseudonym in place of it. In other feeds the number is masked, and the production's policy
says whether the row is rejected, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow.compute as pc

from showcost.config.record_kinds import FieldType
from showcost.core.national_ids import ID_MARK, has_national_id
from showcost.validation.rules.model import ColumnRule, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from showcost.validation.reference import Reference

_PSEUDONYMS: Final = (
    "no social-security, social-insurance or national-insurance number, nor what looks like one"
)


def rules(reference: Reference) -> Iterator[Rule]:
    """Return the rules of this module; none for a feed without pay rules whose rows go on with a mark."""
    kind = reference.feed.kind
    if kind.has_pay_rules:
        for field in kind.fields:
            if field.type is FieldType.TEXT:
                yield ColumnRule(
                    "SC-ROW-003",
                    field.name,
                    _PSEUDONYMS,
                    "showcost: no personal identifiers",
                    column=field.name,
                    holds=_without_person if field.personal else _without,
                )
    elif reference.production.personal_numbers.rows == "quarantine":
        for name in sorted(kind.searched):
            yield ColumnRule(
                "SC-ROW-003",
                name,
                "no national identifier, IBAN or card number",
                "production.yaml: personal_numbers",
                column=name,
                holds=_unmarked,
            )


def _without(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.invert(has_national_id(texts))


def _without_person(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.invert(has_national_id(texts, names_person=True))


def _unmarked(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.invert(pc.match_substring(texts, ID_MARK))
