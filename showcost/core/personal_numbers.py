"""National identifiers, IBANs and card numbers in free text, found by form and check digits.

`showcost.core.national_ids` goes by form alone, which is right where a row names a person. In the memo of an
invoice the same forms are numbers of documents, parts and telephones. So here a number counts only if
python-stdnum finds its check digits right, is written as its country writes it, or has its label before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from stdnum import iban, luhn, numdb
from stdnum.us import atin, itin, ssn

from showcost.core.errors import InputError
from showcost.core.money import currency_codes
from showcost.core.national_ids import ID_MARK, masked_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_S: Final = "[- .\u00a0\u2007\u202f\u2010-\u2015]"
"""Characters that group the digits of a number."""
_START: Final = "(?<![0-9A-Za-z+])(?<![0-9A-Za-z+][-.])"
_END: Final = "(?![0-9A-Za-z])(?![-.][0-9])"
_MORE_BEFORE: Final = r"(?<!\b[0-9][- \u00a0])(?<!\b[0-9]{2}[- \u00a0])(?<!\+[0-9]{3}[- \u00a0])"
_DECIMALS: Final = "(?!,[0-9]{2}(?![0-9]|,[0-9]))"
_RE2_START, _RE2_END = "(?:^|[^0-9A-Za-z])", "(?:$|[^0-9A-Za-z])"
_AROUND: Final = 24
"""Characters beside a number that tell it from others."""
_SHORTEST: Final = 8
"""Bytes of the shortest number."""
_GROUPING: Final = re.compile(_S)
_TELEPHONE: Final = re.compile(r"(?i:tel|phone|mobile?|fax|call|cell)\W{0,3}(?i:no|nr|number)?\W{0,3}$")
_MONEY_BEFORE: Final = re.compile(r"(?:[$\u20ac\u00a3]|(?<![A-Za-z])[A-Z]{3}) ?$")
_MONEY_AFTER: Final = re.compile(r" ?(?:[$\u20ac\u00a3]|[A-Z]{3}(?![0-9A-Za-z]))")


def _compact(number: str) -> str:
    return _GROUPING.sub("", number)


def _is_amount(before: str, after: str) -> bool:
    """Return whether digits in threes are an amount of money, by the currency beside them."""
    beside = (_MONEY_BEFORE.search(before), _MONEY_AFTER.match(after))
    known = {"", *currency_codes()}
    return any(match is not None and match[0].strip(" $\u20ac\u00a3") in known for match in beside)


class _Form(NamedTuple):
    """The form of a number, as a regular expression of RE2 and Python alike, and what checks it.

    `modules` are those of python-stdnum, one of which must find the number valid. A form with `labels` counts
    only after one of them, since too many other numbers would pass.
    """

    form: str
    modules: tuple[str, ...]
    labels: str = ""


_TEN, _ELEVEN, _THIRTEEN = ("[0-9]{10}", "[0-9]{11}", "[0-9]{13}")
_THREES: Final = "[0-9]{3}(?:[- \u00a0][0-9]{3}){2}|[0-9]{3}(?:[\u2010-\u2015][0-9]{3}){2}"
"""Not with points, which are those of thousands."""

_FORMS: Final[Mapping[str, tuple[_Form, ...]]] = {
    "AR": (_Form("[0-9]{2}-[0-9]{8}-[0-9]", ("ar.cuit",)),),
    "AT": (_Form("[1-9][0-9]{3} ?[0-9]{6}", ("at.vnr",)),),
    "AU": (_Form("[0-9]{3} [0-9]{3} [0-9]{3}|[0-9]{9}", ("au.tfn",), "TFN|tax file"),),
    "BE": (_Form(r"[0-9]{2}[. ]?[0-9]{2}[. ]?[0-9]{2}[- ]?[0-9]{3}[-. ]?[0-9]{2}", ("be.nn", "be.bis")),),
    "BG": (_Form(_TEN, ("bg.egn",)), _Form(_TEN, ("bg.pnf",), "PNF|\u041b\u041d\u0427|LNCh")),
    "BR": (_Form(r"[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-?[0-9]{2}", ("br.cpf",)),),
    "CH": (_Form(rf"756{_S}?[0-9]{{4}}{_S}?[0-9]{{4}}{_S}?[0-9]{{2}}", ("ch.ssn",)),),
    "CL": (_Form(r"[0-9]{1,2}\.?[0-9]{3}\.?[0-9]{3}-[0-9Kk]", ("cl.rut",)),),
    "CN": (_Form("[1-9][0-9]{16}[0-9Xx]", ("cn.ric",)),),
    "CZ": (_Form("[0-9]{6}/[0-9]{3,4}", ("cz.rc",)),),
    "DE": (_Form(f"[1-9][0-9](?:{_S}?[0-9]{{3}}){{3}}", ("de.idnr",)),),
    "DK": (_Form("[0-9]{6}-[0-9]{4}", ("dk.cpr",)),),
    "DO": (_Form("[0-9]{3}-[0-9]{7}-[0-9]", ("do.cedula",)),),
    "EC": (_Form("[0-9]{9}-?[0-9]", ("ec.ci",), "CI|c\u00e9dula|cedula"),),
    "EE": (_Form("[1-8][0-9]{10}", ("ee.ik",)),),
    "ES": (
        _Form("[0-9]{8}-?[A-Za-z]", ("es.dni",)),
        _Form("[XYZxyz]-?[0-9]{7}-?[A-Za-z]", ("es.nie",)),
    ),
    "FI": (_Form("[0-9]{6}[-+A-FU-Ya-fu-y][0-9]{3}[0-9A-Za-z]", ("fi.hetu",)),),
    "FR": (
        _Form(
            f"[12]{_S}?[0-9]{{2}}{_S}?[0-9]{{2}}{_S}?[0-9][0-9ABab]{_S}?[0-9]{{3}}{_S}?[0-9]{{3}}"
            f"{_S}?[0-9]{{2}}",
            ("fr.nir",),
        ),
        _Form("[0-3](?: ?[0-9]){12}", ("fr.nif",), "NIF|SPI|num\u00e9ro fiscal"),
    ),
    "GB": (
        _Form("[0-9]{3}[- ]?[0-9]{3}[- ]?[0-9]{4}", ("gb.nhs",), "NHS"),
        _Form("[0-9]{10}", ("gb.utr",), "UTR"),
    ),
    "GR": (_Form(_ELEVEN, ("gr.amka",)),),
    "HR": (_Form(_ELEVEN, ("hr.oib",), "OIB"),),
    "IE": (_Form("[0-9]{7}[A-Wa-w][A-IWa-iw]?", ("ie.pps",)),),
    "IL": (_Form("[0-9]{8}-?[0-9]", ("il.idnr",), "ID|TZ|\u05ea\\.?\u05d6"),),
    "IN": (
        _Form("[2-9][0-9]{3}[- ]?[0-9]{4}[- ]?[0-9]{4}", ("in_.aadhaar",)),
        _Form("[A-Za-z]{3}[Pp][A-Za-z][0-9]{4}[A-Za-z]", ("in_.pan",)),
    ),
    "IS": (_Form("[0-9]{6}-[0-9]{4}", ("is_.kennitala",)),),
    "IT": (
        _Form(
            "[A-Za-z]{6}[0-9A-Za-z]{2}[A-Za-z][0-9A-Za-z]{2}[A-Za-z][0-9A-Za-z]{3}[A-Za-z]",
            ("it.codicefiscale",),
        ),
    ),
    "JP": (_Form("[0-9]{4}[- ]?[0-9]{4}[- ]?[0-9]{4}", ("jp.in_",)),),
    "KR": (_Form("[0-9]{6}-[0-9]{7}", ("kr.rrn",)),),
    "LT": (_Form("[1-6][0-9]{10}", ("lt.asmens",)),),
    "LV": (_Form("[0-9]{6}-[0-9]{5}", ("lv.pvn",)),),
    "MX": (
        _Form("[A-Za-z]{4}[0-9]{6}[A-Za-z0-9]{8}", ("mx.curp",)),
        _Form("[A-Za-z\u00d1&]{4}[- ]?[0-9]{6}[- ]?[A-Za-z0-9]{3}", ("mx.rfc",)),
    ),
    "MY": (_Form("[0-9]{6}-[0-9]{2}-[0-9]{4}", ("my.nric",)),),
    "NL": (
        _Form(r"[0-9]{4}\.[0-9]{2}\.[0-9]{3}", ("nl.bsn",)),
        _Form("[0-9]{9}", ("nl.bsn",), "BSN|burgerservicenummer|sofi"),
    ),
    "NO": (_Form("[0-9]{6} ?[0-9]{5}", ("no.fodselsnummer",)),),
    "NZ": (_Form("[0-9]{2,3}-?[0-9]{3}-?[0-9]{3}", ("nz.ird",), "IRD"),),
    "PE": (_Form("[0-9]{8}-?[0-9A-Za-z]", ("pe.cui",), "CUI|DNI"),),
    "PK": (_Form("[0-9]{5}-[0-9]{7}-[0-9]", ("pk.cnic",)),),
    "PL": (_Form(_ELEVEN, ("pl.pesel",)),),
    "PT": (
        _Form("[0-9]{8} ?[0-9] ?[A-Za-z0-9]{2}[0-9]", ("pt.cc",)),
        _Form("[0-9]{9}|[0-9]{3} [0-9]{3} [0-9]{3}", ("pt.nif",), "NIF|contribuinte"),
    ),
    "RO": (_Form("[1-9][0-9]{12}", ("ro.cnp",)),),
    "SE": (_Form("(?:19|20)?[0-9]{6}[-+][0-9]{4}", ("se.personnummer",)),),
    "SI": (_Form(_THIRTEEN, ("si.emso",)),),
    "SK": (_Form("[0-9]{6}/[0-9]{3,4}", ("sk.rc",)),),
    "TH": (_Form("[1-8]-[0-9]{4}-[0-9]{5}-[0-9]{2}-[0-9]|[1-8][0-9]{12}", ("th.pin",)),),
    "TR": (_Form("[1-9][0-9]{10}", ("tr.tckimlik",)),),
    "UA": (_Form(_TEN, ("ua.rntrc",), "RNTRC|\u0420\u041d\u041e\u041a\u041f\u041f|\u0406\u041f\u041d"),),
    "ZA": (_Form("[0-9]{6} ?[0-9]{4} ?[0-9]{2} ?[0-9]|[0-9]{13}", ("za.idnr",)),),
}
"""The personal numbers of python-stdnum by country; those of three more countries are always searched for."""

KNOWN_COUNTRIES: Final = frozenset({*_FORMS, "US", "CA", "GB"})
"""The countries (ISO 3166) whose national identifiers are known."""

_SSN: Final = f"[0-9]{{3}}{_S}[0-9]{{2}}{_S}[0-9]{{4}}"
_NINO: Final = (
    "(?:[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]|[a-ceghj-pr-tw-z][a-ceghj-npr-tw-z])"
    f"{_S}?[0-9]{{2}}{_S}?[0-9]{{2}}{_S}?[0-9]{{2}}{_S}?[A-Da-d]"
)
_NOT_ISSUED: Final = frozenset({"BG", "GB", "NK", "KN", "TN", "NT", "ZZ"})
_APART: Final = "[^0-9A-Za-z]{0,3}"


def _label(labels: str) -> str:
    """Return the regular expression of labels before a number."""
    return rf"(?i:{labels}){_APART}(?i:no|nr|number)?{_APART}"


_LABEL_AFTER: Final = rf"{_APART}(?:(?:SSN|SIN|ITIN)\b|(?i:social (?:security|insurance)))"
"""A label behind the number; in capitals, since *sin* is Spanish for without."""
_LABELLED: Final = _label("SSN|SS#|SS no|SIN|ITIN|social security|social insurance")
_CARD: Final = (
    f"[2-6][0-9]{{3}}{_S}[0-9]{{4}}{_S}[0-9]{{4}}{_S}[0-9]{{4}}(?:{_S}[0-9]{{3}})?"
    f"|3[0-9]{{3}}{_S}[0-9]{{6}}{_S}[0-9]{{4,5}}|[2-6][0-9]{{13,18}}"
)
_ISSUERS: Final = re.compile(
    "4(?:[0-9]{15}|[0-9]{18})|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}"
    "|3[47][0-9]{13}|3(?:0[0-5]|[689][0-9])[0-9]{11}|6(?:011|5[0-9]{2}|4[4-9][0-9])[0-9]{12}"
    "|35(?:2[89]|[3-8][0-9])[0-9]{12}|62[0-9]{14,17}|(?:50|5[6-9]|6[0-9])[0-9]{14}"
)
"""The first digits and the lengths of cards: Visa, Mastercard, American Express, Diners, Discover, JCB,
UnionPay and Maestro."""
_IBAN: Final = f"[A-Za-z]{{2}}[0-9]{{2}}(?:{_S}?[0-9A-Za-z]){{11}}"


def _is_card(number: str) -> bool:
    digits = _compact(number)
    return _ISSUERS.fullmatch(digits) is not None and luhn.is_valid(digits)


def _is_sin(number: str) -> bool:
    # python-stdnum's own module refuses numbers that begin with 0, which the usual examples do.
    return luhn.is_valid(_compact(number))


def _is_us(number: str) -> bool:
    number = _compact(number)
    return ssn.is_valid(number) or itin.is_valid(number) or (number.startswith("9") and atin.is_valid(number))


def _is_nino(number: str) -> bool:
    return number[:2].upper() not in _NOT_ISSUED


@cache
def _iban_lengths() -> Mapping[str, int]:
    """Return the length of the IBAN of each country, by python-stdnum's list."""
    known = numdb.get("iban")
    lengths = {}
    for first in map(chr, range(ord("A"), ord("Z") + 1)):
        for second in map(chr, range(ord("A"), ord("Z") + 1)):
            structure = known.info(f"{first}{second}")[0][1].get("bban")
            if structure:
                lengths[first + second] = 4 + sum(map(int, re.findall(r"(\d+)!", structure)))
    return lengths


class _Search(NamedTuple):
    """A form of numbers in a text (the group `number`), with the test that a number must pass."""

    pattern: re.Pattern[str]
    is_valid: Callable[[str], bool]
    is_in_threes: bool = False


def _stdnum_test(modules: Sequence[str]) -> Callable[[str], bool]:
    checks = [import_module(f"stdnum.{name}").is_valid for name in modules]
    return lambda number: any(check(number) for check in checks)


class Span(NamedTuple):
    """The half-open range of a number in a text."""

    start: int
    end: int


@dataclass(frozen=True)
class PersonalNumbers:
    """The search for personal numbers of some countries: those of the US, Canada and the UK always.

    `countries` are codes of ISO 3166; those without known numbers add none.
    """

    countries: tuple[str, ...] = ()

    @cached_property
    def _own(self) -> list[_Form]:
        countries = sorted({"GB", *self.countries} & _FORMS.keys())
        return [form for country in countries for form in _FORMS[country]]

    @cached_property
    def candidates(self) -> str:
        """The regular expression, for RE2, of texts that may have a number."""
        own = (rf"{_label(form.labels)}(?:{form.form})" if form.labels else form.form for form in self._own)
        forms = [
            _SSN,
            _THREES,
            _NINO,
            _CARD,
            _IBAN,
            rf"{_LABELLED}[0-9]{{9}}",
            rf"[0-9]{{9}}{_LABEL_AFTER}",
            *own,
        ]
        escaped = re.sub(r"[^\x00-\x7f]", lambda match: rf"\x{{{ord(match[0]):x}}}", "|".join(forms))
        return f"{_RE2_START}(?:{escaped})"

    @cached_property
    def _searches(self) -> list[_Search]:
        tests: list[tuple[str, Callable[[str], bool]]] = [
            (_SSN, _is_us),
            (_NINO, _is_nino),
            (_CARD, _is_card),
        ]
        searches = [
            _Search(re.compile(rf"{_START}(?P<number>{form}){_END}"), is_valid) for form, is_valid in tests
        ]
        in_threes = rf"{_START}{_MORE_BEFORE}(?P<number>{_THREES}){_END}{_DECIMALS}"
        searches.append(_Search(re.compile(in_threes), _is_sin, is_in_threes=True))
        labelled = rf"(?<![0-9A-Za-z]){_LABELLED}(?P<number>[0-9]{{9}}){_END}"
        searches.append(_Search(re.compile(labelled), str.isdigit))
        before_label = rf"{_START}(?P<number>[0-9]{{9}}){_LABEL_AFTER}"
        searches.append(_Search(re.compile(before_label), str.isdigit))
        for own in self._own:
            start = _START
            if own.labels:
                start = rf"(?<![0-9A-Za-z]){_label(own.labels)}"
            pattern = re.compile(rf"{start}(?P<number>{own.form}){_END}")
            searches.append(_Search(pattern, _stdnum_test(own.modules)))
        return searches

    def spans(self, text: str) -> list[Span]:
        """Return the places of personal numbers in a text, ascending; overlapping ones are one."""
        found = sorted({*_ibans(text), *self._found(text)})
        merged = found[:1]
        for _, span in pairwise(found):
            if span.start < merged[-1].end:
                merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
            else:
                merged.append(span)
        return merged

    def _found(self, text: str) -> Iterator[Span]:
        for search in self._searches:
            for match in search.pattern.finditer(text):
                span = Span(*match.span("number"))
                # A little of what is around it: a cell may be long, and have many numbers.
                before = text[max(0, span.start - _AROUND) : span.start]
                after = text[span.end : span.end + _AROUND]
                if not search.is_valid(match["number"]) or _TELEPHONE.search(before):
                    continue
                if not (search.is_in_threes and _is_amount(before, after)):
                    yield span

    def masked_text(self, text: str, keep: Sequence[str] = ()) -> str:
        """Return a text with its personal numbers masked, but for those that a text of `keep` has."""
        parts, end = [], 0
        for span in self.spans(text):
            number = text[span.start : span.end]
            if any(number in kept for kept in keep):
                continue
            parts += [text[end : span.start], ID_MARK]
            end = span.end
        return "".join([*parts, text[end:]]) if parts else text

    def masked(
        self, texts: pa.ChunkedArray | pa.Array, keep: Sequence[pa.ChunkedArray | pa.Array] = ()
    ) -> pa.ChunkedArray | pa.Array:
        """Return texts as `masked_text` does, each with the cells of `keep` in its row; the same if nothing.

        Python sees only texts that may have a number.
        """
        longest = pc.max(pc.binary_length(texts)).as_py()
        if longest is None or longest < _SHORTEST:
            return texts
        # A text that occurs often, such as a vendor's name, is looked at once.
        distinct = texts if keep else pc.unique(texts)
        if not pc.any(pc.match_substring_regex(distinct, self.candidates), min_count=0).as_py():
            return texts
        may = pc.fill_null(pc.match_substring_regex(texts, self.candidates), False)
        kept = [column.filter(may).to_pylist() for column in keep]
        shown = []
        for number, text in enumerate(texts.filter(may).to_pylist()):
            shown.append(self.masked_text(text, [cells[number] for cells in kept if cells[number]]))
        flat, mask = (
            column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
            for column in (texts, may)
        )
        return pc.replace_with_mask(flat, mask, pa.array(shown, pa.string()))


def _ibans(text: str) -> Iterator[Span]:
    """Yield the places of IBANs: an IBAN ends where its country says, whatever follows after a space."""
    for match in re.finditer(rf"{_START}[A-Za-z]{{2}}[0-9]{{2}}(?={_S}?[0-9A-Za-z])", text):
        length = _iban_lengths().get(match[0][:2].upper())
        if length is None:
            continue
        rest = re.compile(rf"(?:{_S}?[0-9A-Za-z]){{{length - 4}}}(?![0-9A-Za-z])").match(text, match.end())
        if rest is not None and iban.is_valid(_compact(match[0] + rest[0]), check_country=False):
            yield Span(match.start(), rest.end())


ANYWHERE: Final = PersonalNumbers()
"""The search without a production's countries, for what no production's settings apply to."""


def refuse_numbers(name: str, text: str, numbers: PersonalNumbers = ANYWHERE) -> None:
    """Raise InputError, with the name of a text but not its words, if it has a personal number."""
    if numbers.spans(text):
        raise InputError(
            f"{name} has what looks like a national identifier, an IBAN or a card number; what is recorded is"
            " kept for ever, so leave the number out"
        )


def masked_name(name: str, *, names_person: bool = False) -> str:
    """Return the name of a file for people and events; nine digits too if `names_person`."""
    return ANYWHERE.masked_text(masked_text(name, names_person=names_person))
