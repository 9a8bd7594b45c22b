"""From a delivery on disk to plain bytes on disk: file type, decompression, limits, encoding.

It decides whether the bytes can be a text table at all, and knows nothing of delimiters or records.
"""

from __future__ import annotations

import codecs
import gzip
import re
import tempfile
import unicodedata
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import zstandard

from showcost.readers.archives import UnreadableError, is_archive, members, opened
from showcost.readers.encodings import WIDE_CHARACTERS, detect, rivals_of_utf8
from showcost.readers.model import FILE_NO_ENCODING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from showcost.readers.model import Hints, Limits

__all__ = ["PlainText", "UnreadableError", "decompress", "kind_of", "to_plain"]

_BLOCK: Final = 2**20
_PROBE: Final = 2**16
_ZIP: Final = b"PK\x03\x04"
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FOREIGN: Final = (
    (b"%PDF", "a PDF document"),
    (b"{\\rtf", "a rich text document"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3", "a database"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"\xff\xfe\x00\x00", "text in UTF-32"),
    (b"\x00\x00\xfe\xff", "text in UTF-32"),
)
_MARKUP: Final = re.compile(
    rb"(?i)\s*<(?:!doctype|html|head|body|table|meta|script|\?xml|!--|[a-z][\w.-]*(?::[\w.-]+)?[\s/>])"
)
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x7f]")
_MOSTLY_ASCII: Final = 0.4
_DENSE: Final = 0.02
"""The share of control characters above which bytes are not taken for text."""


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class UncertainEncodingError(UnreadableError):
    """Several encodings give different texts that make sense, or none does."""

    code = FILE_NO_ENCODING


@dataclass(frozen=True)
class PlainText:
    """The bytes to parse.

    `path` contains them in an encoding that includes ASCII unchanged. `wide` is "" or the UTF-16 form
    that they were transcoded from, with `source` the file in that form: places are then counted in it.
    `bom` is the number of bytes of the byte order mark at the start of the source.
    """

    path: Path
    source: Path
    encoding: str
    sure: bool
    bom: int
    size: int
    wide: str = ""
    notes: tuple[str, ...] = ()


def kind_of(path: Path) -> str:
    """Return the type of a file by its first bytes: text, workbook, gzip, zip or zstd.

    Raises UnreadableError for an empty file and for formats other than a text table.
    """
    with path.open("rb") as file:
        head = file.read(_PROBE)
    if not head:
        raise UnreadableError("the file is empty")
    for magic, name in _FOREIGN:
        if head.startswith(magic):
            raise UnreadableError(f"the file is {name}, not a table")
    if head.startswith(_OLE):
        return "workbook"
    if head.startswith(_ZIP):
        return "zip" if is_archive(path) else "workbook"
    if head.startswith(_GZIP):
        return "gzip"
    if head.startswith(_ZSTD):
        return "zstd"
    return "text"


def decompress(path: Path, kind: str, folder: Path, limits: Limits) -> Path:
    """Write the decompressed delivery into `folder` and return its path.

    Raises UnreadableError when it is damaged, has more than one member or exceeds the limits.
    """
    allowed = min(
        limits.payload_bytes,
        max(limits.expansion_floor_bytes, path.stat().st_size * limits.expansion_ratio),
    )
    try:
        if kind == "gzip":
            with gzip.open(path) as stream:
                return _spool(stream, folder, allowed)
        if kind == "zstd":
            with (
                path.open("rb") as raw,
                zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(
                    raw, read_across_frames=True
                ) as stream,
            ):
                return _spool(stream, folder, allowed)
        with opened(path) as archive:
            found = members(archive, path.stat().st_size, limits)
            if len(found) != 1:
                raise UnreadableError(f"the zip archive has {len(found)} files, one is expected")
            with archive.open(found[0].info) as stream:
                return _spool(stream, folder, allowed)
    except (
        OSError,
        EOFError,
        ValueError,
        NotImplementedError,
        RuntimeError,
        zlib.error,
        zstandard.ZstdError,
    ) as error:
        raise UnreadableError(f"the {kind} file is damaged or encrypted") from error


def _spool(stream: _Readable, folder: Path, allowed: int) -> Path:
    written = 0
    with tempfile.NamedTemporaryFile(dir=folder, prefix="plain-", delete=False) as out:
        while block := stream.read(_BLOCK):
            written += len(block)
            if written > allowed:
                raise UnreadableError(f"the delivery expands beyond the limit of {allowed} bytes")
            out.write(block)
    return Path(out.name)


def to_plain(path: Path, folder: Path, hints: Hints) -> PlainText:
    """Detect the encoding over the whole file; transcode what is not ASCII by its bytes into `folder`.

    Raises UnreadableError for markup, for binary content and for an unknown hinted encoding, and
    UncertainEncodingError if several encodings remain possible; `as_written`, the likeliest is noted.
    """
    with path.open("rb") as file:
        head = file.read(_PROBE)
    if not head:
        raise UnreadableError("the file is empty")
    size = path.stat().st_size
    wide = _wide_form(head, hints.encoding)
    if wide:
        return _from_wide(path, folder, wide, size)
    _refuse_foreign(head)
    bom = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
    if hints.encoding is not None:
        name, sure, notes = _checked_encoding(hints.encoding), True, tuple[str, ...]()
    else:
        name, sure, notes = _narrow_form(path, head, hints, bom=bool(bom))
    if name in WIDE_CHARACTERS:
        return _from_wide_characters(path, folder, name, sure=sure, notes=notes)
    return PlainText(path, path, name, sure=sure, bom=bom, size=size, notes=notes)


def _from_wide_characters(
    path: Path, folder: Path, encoding: str, *, sure: bool, notes: tuple[str, ...]
) -> PlainText:
    """Transcode to UTF-8; bytes that are no text stay invalid, so that their records are rejected."""
    decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
    with (
        path.open("rb") as file,
        tempfile.NamedTemporaryFile(dir=folder, prefix="plain-", delete=False) as out,
    ):
        while block := file.read(_BLOCK):
            out.write(decoder.decode(block).encode("utf-8", "surrogateescape"))
        out.write(decoder.decode(b"", final=True).encode("utf-8", "surrogateescape"))
    target = Path(out.name)
    notes = (*notes, f"the encoding is {encoding}; places are counted in the UTF-8 form of the file")
    return PlainText(target, target, "utf-8", sure=sure, bom=0, size=target.stat().st_size, notes=notes)


def _checked_encoding(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
        if 'a,";\n'.encode(name) != b'a,";\n' or name.startswith(("utf-16", "utf-32", "utf-7")):
            raise UnreadableError(f"the encoding {name} is not supported")
    except (LookupError, UnicodeError) as error:
        raise UnreadableError("the encoding that the feed states is not known") from error
    return {"utf-8-sig": "utf-8", "ascii": "utf-8", "iso8859-1": "iso-8859-1"}.get(name, name)


def _refuse_foreign(head: bytes) -> None:
    text = head.removeprefix(codecs.BOM_UTF8)
    if _MARKUP.match(text):
        raise UnreadableError("the file is a web page or markup, not a table")
    if len(_CONTROL.findall(text)) > _DENSE * len(text):
        raise UnreadableError("the file is binary, not text")


def _wide_form(head: bytes, encoding: str | None) -> str:
    """Recognise UTF-16 by its byte order mark, by the hint, or by the positions of its zero bytes."""
    if head.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if head.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    if encoding is not None:
        name = encoding.lower().replace("_", "-")
        return {
            "utf-16": "utf-16-le",
            "utf-16-le": "utf-16-le",
            "utf-16-be": "utf-16-be",
            "utf-16le": "utf-16-le",
            "utf-16be": "utf-16-be",
        }.get(name, "")
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    for form, many, few in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if half and many > _MOSTLY_ASCII * half and few < _DENSE * half:
            return form
        if half and many > _DENSE * half and not few and _is_text(head[: half * 2], form):
            return form
    return ""


def _is_text(data: bytes, encoding: str) -> bool:
    """Return whether bytes are text without control characters; the last character may be cut."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(data)
    except UnicodeDecodeError:
        return False
    kinds = Counter(unicodedata.category(character) for character in set(text) - set("\t\r\n"))
    return not kinds.keys() & {"Cc", "Cn", "Co", "Cs"} and "\n" in text


def _from_wide(path: Path, folder: Path, wide: str, size: int) -> PlainText:
    """Transcode to UTF-8, unit by unit: unpaired surrogates survive, so that places can be mapped back."""
    with (
        path.open("rb") as file,
        tempfile.NamedTemporaryFile(dir=folder, prefix="plain-", delete=False) as out,
    ):
        bom = 2 if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else 0
        file.seek(bom)
        decoder = codecs.getincrementaldecoder(wide)("surrogatepass")
        first = True
        while block := file.read(_BLOCK):
            try:
                text = decoder.decode(block)
            except UnicodeDecodeError as error:
                raise UnreadableError("the file is damaged UTF-16") from error
            data = text.encode("utf-8", "surrogatepass")
            if first:
                _refuse_foreign(data[:_PROBE])
                first = False
            out.write(data)
        if decoder.getstate()[0]:
            raise UnreadableError("the file is UTF-16 that ends within a character")
    return PlainText(Path(out.name), path, "utf-8", sure=True, bom=bom, size=size, wide=wide)


_ASCII: Final = bytes(range(128))
_HIGH: Final = re.compile(rb"[\x80-\xff]+")
_SEQUENCES: Final = re.compile(
    rb"(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})+"
)
_JAPANESE: Final = re.compile(rb"\x1b\$[@B]")
"""The start of Japanese text in ISO-2022-JP, which is all ASCII."""


def _narrow_form(path: Path, head: bytes, hints: Hints, *, bom: bool) -> tuple[str, bool, tuple[str, ...]]:
    """Return the encoding, whether it is certain, and notes: UTF-8, or what the words of the file tell."""
    if bom:
        return "utf-8", True, ()
    is_utf8, is_ascii = _is_utf8_or_ascii(path)
    if is_utf8:
        if _JAPANESE.search(head):
            return "iso2022_jp", True, ()
        rivals = () if is_ascii else rivals_of_utf8(path, hints.languages)
        return _uncertain(("utf-8", *rivals), hints) if rivals else ("utf-8", True, ())
    detected = detect(path, hints.languages, may_be_utf8=_is_mostly_utf8(path))
    if detected is not None and detected.is_sure:
        is_utf8 = detected.encoding == "utf-8"
        notes = ("most of the file is UTF-8; records with other bytes are rejected",) if is_utf8 else ()
        return detected.encoding, not is_utf8, notes
    return _uncertain(() if detected is None else (detected.encoding, *detected.others), hints)


def _uncertain(names: Sequence[str], hints: Hints) -> tuple[str, bool, tuple[str, ...]]:
    """Refuse a file whose encoding is not certain; return the first one for a user who looks at it."""
    why = (
        f"the text makes sense in several encodings ({', '.join(names)})"
        if names
        else "the text makes sense in no known encoding"
    )
    if not hints.as_written:
        raise UncertainEncodingError(f"{why}: state `encoding` or `languages` in the feed, or ask for UTF-8")
    return (names[0] if names else "cp1252"), False, (f"{why}: it may be garbled",)


def _is_utf8_or_ascii(path: Path) -> tuple[bool, bool]:
    """Return whether a file is valid UTF-8, and whether all of it is ASCII."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_ascii = True
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            if not block.isascii() or decoder.getstate()[0]:
                is_ascii = False
                try:
                    decoder.decode(block)
                except UnicodeDecodeError:
                    return False, False
    return not decoder.getstate()[0], is_ascii


def _is_mostly_utf8(path: Path) -> bool:
    """Return whether more than half of the bytes beyond ASCII are characters in UTF-8."""
    high = within = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            if not block.isascii():
                high += len(block.translate(None, _ASCII))
                runs = b" ".join(_HIGH.findall(block))
                within += sum(map(len, _SEQUENCES.findall(runs)))
    return within * 2 > high
