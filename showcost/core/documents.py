"""Document numbers, vendor names and tax ids in the normal forms by which they are compared.

People and spreadsheets change how a number is written, never the document it names: `INV - 8` and `INV-8` are
one invoice. The ledger keeps the number as it was delivered.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_DASHES: Final = r"[\x{2010}-\x{2015}\x{2043}\x{2212}\x{FE58}\x{FE63}]"
_NOT_SHOWN: Final = r"[\s\p{Z}\p{Cc}\p{Cf}]+"
"""White space, control characters and invisible marks such as soft hyphens and directions."""

LOST_DIGITS: Final = r"^\s*['\x{2019}]?\d([.,]\d+)?[eE]\+\d{1,3}\s*$"
"""A document number that a spreadsheet turned into a rounded number: `1.23457E+11`."""

_TEXT_MARK: Final = r"^['\x{2018}\x{2019}`]+"
"""The apostrophe by which a spreadsheet is told that a cell is text."""
_LABEL: Final = r"^(NO|NR|N|NUM|NUMMER|NUMBER)?[.:#\x{B0}]+(\d)"
"""`Nr.`, `No:`, `N°` or `#` before a number; without a mark after it, `NO` and `NR` may be part of it."""
_FROM_FLOAT: Final = r"^(\d+)\.0+$"

_KIND_WORDS: Final = (
    r"^((INVOICE|INV|RECHNUNG|RECH|RG|RE|FACTURE|FACT|FAC|FA|FATTURA|FACTURA|BILL|CREDITNOTE|CN|GUTSCHRIFT|GS|R"
    r"|NUMBER|NUMMER|NUM|NR|NO) ?)+(O?\d)"
)

_LEGAL_FORMS: Final = (
    *("LIMITED", "LTD", "LLC", "LLP", "LP", "PLC", "INC", "INCORPORATED", "CORP", "CORPORATION", "CO"),
    *(
        "COMPANY",
        "GMBH",
        "UG",
        "HAFTUNGSBESCHRANKT",
        "AG",
        "KG",
        "KGAA",
        "OHG",
        "GBR",
        "EK",
        "EG",
        "SE",
        "MBH",
    ),
    *("SARL", "SAS", "SASU", "SA", "EURL", "SNC", "SPA", "SRL", "SL", "SLU", "BV", "NV", "VOF", "AB", "AS"),
    *("APS", "OY", "OYJ", "KFT", "SRO", "SPZOO", "PTY", "ULC", "LTEE", "INTL"),
)
"""Legal forms at the end of a company's name, without their points."""

_GENERAL: Final = frozenset(
    (
        *_LEGAL_FORMS,
        *(
            "AND",
            "UND",
            "ET",
            "Y",
            "E",
            "THE",
            "OF",
            "DER",
            "DIE",
            "DAS",
            "LE",
            "LA",
            "LES",
            "DE",
            "DU",
            "TRADING",
        ),
        *(
            "UK",
            "US",
            "USA",
            "EU",
            "GB",
            "CANADA",
            "DEUTSCHLAND",
            "GERMANY",
            "FRANCE",
            "ITALIA",
            "ESPANA",
            "EUROPE",
        ),
        *(
            "INTERNATIONAL",
            "INTL",
            "GROUP",
            "HOLDING",
            "HOLDINGS",
            "GRUPPE",
            "GROUPE",
            "L",
            "P",
            "S",
            "A",
            "R",
        ),
        *("C", "O", "SP", "Z", "OO", "DBA", "TA"),
    )
)
"""Words that one list has in the name of a vendor and another leaves out."""


def normal_codes(codes: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return vendor codes or document numbers (text) in the form in which they are compared; null stays null.

    Unicode NFKC, upper case, no white space or invisible characters, every dash as `-`. A text without a
    letter or digit is empty.
    """
    text = pc.replace_substring(codes.cast(pa.string()), pattern="\u2116", replacement="#")
    text = pc.utf8_upper(pc.utf8_normalize(text, form="NFKC"))
    text = pc.replace_substring_regex(text, pattern=_NOT_SHOWN, replacement="")
    text = pc.replace_substring_regex(text, pattern=_DASHES, replacement="-")
    return pc.replace_substring_regex(text, pattern=r"^[^\p{L}\p{N}]+$", replacement="")


def normal_numbers(numbers: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return document numbers (text) in normal form; null stays null.

    That of `normal_codes`, and without a spreadsheet's mark for text, without `Nr.` or `#` before the number,
    and, when the whole number is digits, without leading zeros and without the `.0` of a decimal.
    """
    text = pc.replace_substring_regex(normal_codes(numbers), pattern=_TEXT_MARK, replacement="")
    text = pc.replace_substring_regex(text, pattern=_LABEL, replacement=r"\2")
    text = pc.replace_substring_regex(text, pattern=_FROM_FLOAT, replacement=r"\1")
    return pc.replace_substring_regex(text, pattern=r"^0+(\d+)$", replacement=r"\1")


def similar_numbers(numbers: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return document numbers (text) in a form that similar numbers share; null stays null.

    That of `normal_numbers`, letters and digits only, the letter O as zero, without the words for an invoice
    before it and without zeros at the beginning of each run of digits: `INV-008`, `Rechnung 8` and `8`.
    Two different documents may share it.
    """
    text = pc.replace_substring_regex(normal_numbers(numbers), pattern=r"[^\p{L}\p{N}]+", replacement=" ")
    text = pc.replace_substring_regex(text, pattern=_KIND_WORDS, replacement=r"\3")
    text = pc.replace_substring(text, pattern="O", replacement="0")
    text = pc.replace_substring_regex(text, pattern=r"(^|[^\d])0+(\d)", replacement=r"\1\2")
    return pc.replace_substring(text, pattern=" ", replacement="")


def normal_names(names: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return vendor names (text) in the form in which they are compared; null stays null.

    Unicode NFKC, no accents, upper case, letters and digits only, `and` and `+` as `&`, and without the legal
    form at the end: `Café Müller GmbH & Co. KG` is `CAFEMULLER`.
    """
    text = _only_words(_plain_letters(names.cast(pa.string())))
    text = pc.replace_substring_regex(text, pattern=r"(^| )(AND|UND|ET|THE) ", replacement=r"\1")
    text = pc.utf8_trim_whitespace(text)
    forms = rf"( ({'|'.join(_LEGAL_FORMS)}))+$"
    text = pc.replace_substring_regex(text, pattern=forms, replacement="")
    return pc.replace_substring(text, pattern=" ", replacement="")


def alike_names(names: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return vendor names (text) in a form that names of one vendor mostly share; null stays null.

    That of `normal_names`, but umlauts written with e as without, without text in brackets, legal forms and
    general words wherever they are, and with the other words sorted: `Müller & Söhne GmbH (Berlin)`,
    `MUELLER SOEHNE` and `Söhne Müller` are `MULLER SOHNE`. Two vendors may share it.
    """
    text = pc.replace_substring_regex(
        names.cast(pa.string()), pattern=r"\([^)]*\)|\[[^\]]*\]", replacement=" "
    )
    text = _plain_letters(text)
    for letters, one in (("AE", "A"), ("OE", "O"), ("UE", "U")):
        text = pc.replace_substring(text, pattern=letters, replacement=one)
    text = _only_words(text)
    words = pa.array([_telling_words(name) for name in text.to_pylist()], pa.string())
    return pc.if_else(pc.equal(words, ""), pc.replace_substring(text, pattern=" ", replacement=""), words)


def _plain_letters(text: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return text in upper case, without accents, points, apostrophes and invisible marks."""
    text = pc.utf8_normalize(text, form="NFKD")
    text = pc.replace_substring_regex(text, pattern=r"[\p{M}\p{Cf}.'\x{2019}]+", replacement="")
    return pc.replace_substring(pc.utf8_upper(text), pattern="\u1e9e", replacement="SS")


def _only_words(text: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    return pc.replace_substring_regex(text, pattern=r"[^\p{L}\p{N}]+", replacement=" ")


def _telling_words(name: str | None) -> str | None:
    if name is None:
        return None
    words = [word for word in name.split() if word not in _GENERAL]
    return " ".join(sorted(words))


def normal_tax_ids(tax_ids: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return tax ids (text) in the form in which they are compared; null stays null.

    Letters and digits only, without the country's two letters at the beginning: `DE 999000105` is
    `999000105`. A masked id is empty.
    """
    text = pc.utf8_upper(pc.utf8_normalize(tax_ids.cast(pa.string()), form="NFKC"))
    text = pc.replace_substring_regex(text, pattern=r"^.*[*#].*$", replacement="")
    text = pc.replace_substring_regex(text, pattern=r"[^\p{L}\p{N}]+", replacement="")
    return pc.replace_substring_regex(text, pattern=r"^[A-Z]{2}([A-Z0-9]*\d)", replacement=r"\1")
