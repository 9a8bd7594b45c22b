"""Checks of tax ids by country, with python-stdnum.

Checked are VAT numbers, in the United States the EIN and in Canada the business number. Ids of a country that
python-stdnum cannot check pass; so do ids without a country, unless they have the prefix of an EU VAT number.
No check uses the network.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final, Protocol, cast

import pyarrow as pa
import pyarrow.compute as pc
import stdnum
from stdnum.eu.vat import MEMBER_STATES
from stdnum.us import ein

if TYPE_CHECKING:
    from collections.abc import Mapping

_ALIASES: Final[Mapping[str, str]] = {"UK": "GB", "EL": "GR"}
_EU_PREFIXES: Final = frozenset({state.upper() for state in MEMBER_STATES} | {"EL"})
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_TAX_ID: Final = re.compile(r"[0-9A-Za-zÑñ .,/:&+*-]{1,40}")
"""Characters of tax ids in any country (Ñ in Mexico); other texts fail without reaching a checker."""

_BETWEEN: Final = "\x1f"


class _Checker(Protocol):
    def is_valid(self, number: str) -> bool: ...


def failing(countries: pa.ChunkedArray, tax_ids: pa.ChunkedArray) -> pa.Array:
    """Say for each row whether its tax id fails its check; null without a tax id.

    Each distinct pair of country and id is checked once.
    """
    pairs = pc.binary_join_element_wise(pc.fill_null(countries, ""), tax_ids, _BETWEEN)
    encoded = pairs.combine_chunks().dictionary_encode()
    failed = [not passes(*pair.split(_BETWEEN, 1)) for pair in encoded.dictionary.to_pylist()]
    return pc.take(pa.array(failed, pa.bool_()), encoded.indices)


@lru_cache(maxsize=65_536)
def passes(country: str, tax_id: str) -> bool:
    """Say whether a tax id passes its country's check, or cannot be checked."""
    checker = _checker(_country_of(country, tax_id))
    if checker is None:
        return True
    return _TAX_ID.fullmatch(tax_id) is not None and checker.is_valid(tax_id)


def _country_of(country: str, tax_id: str) -> str:
    """Return the code of the country whose check applies; empty if there is none."""
    code = country.strip().upper()
    if not code:
        prefix = tax_id.lstrip()[:2].upper()
        code = prefix if prefix in _EU_PREFIXES else ""
    return _ALIASES.get(code, code)


@cache
def _checker(country: str) -> _Checker | None:
    if not _COUNTRY.fullmatch(country):
        return None
    if country == "US":
        return cast("_Checker", ein)
    return cast("_Checker | None", stdnum.get_cc_module(country, "vat"))
