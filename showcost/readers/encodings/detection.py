"""The encoding of text: UTF-8 if its words say so, or the one whose text is likeliest, if none is nearly so.

The distinct words beyond ASCII of a file are read in each encoding, and their likelihoods in its languages
are compared. Encodings that give the same text are one answer. Words are weighed, not guessed: if two texts
remain possible, or none makes sense, the encoding is not certain, and a person has to name it.
"""

from __future__ import annotations

import codecs
import heapq
import math
import re
import unicodedata
import zlib
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final

from showcost.core.languages import LANGUAGES
from showcost.readers.encodings.families import WIDE_CHARACTERS, encodings
from showcost.readers.encodings.likelihood import likeliest, likelihood
from showcost.readers.model import C1_CONTROLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_BLOCK: Final = 2**20
_ASCII: Final = bytes(range(128))
_WORD: Final = re.compile(rb'[\x80-\xff][^\x00-\x20,;"]*')
"""A word from its first byte beyond ASCII on."""
_BEGUN: Final = re.compile(rb'[^\x00-\x20,;"\x80-\xff]*\Z')
_DIGITS: Final = re.compile(rb"([\x81-\xfe][0-9][\x81-\xfe][0-9])|[0-9]+")
"""Digits that are numbers, and not parts of a character of GB 18030."""
_RUN: Final = re.compile(rb"([\x80-\xff])\1{3,}")
"""A row of the same bytes; what is kept of it is odd or even as it is, so that pairs of bytes stay pairs."""
_LONGEST_START: Final = 24
_MOST_OF_BLOCK: Final = 1_000
_MOST_OF_LATER: Final = 100
_FIRST_BLOCKS: Final = 8
"""Words looked at in each MiB: which one is kept of a longer file depends on its bytes alone."""
_LONGEST: Final = 240
_MOST_WORDS: Final = 400
_FEW: Final = 60
_EVERY: Final = 6
_RULED_OUT: Final = 60.0
_MOST_KEPT: Final = 4 * _MOST_WORDS
_SURE: Final = 7.5
"""The logarithm of how much likelier a text must be than any other one."""
_UNLIKELY: Final = -13.0
"""The mean logarithm of the likelihood of a character below which a text makes no sense."""
_STRAY: Final = -15.0
_USUAL_IN_UTF8: Final = -7.0
"""The mean logarithm of the likelihood of a character from which a word is usual in UTF-8."""
_ENOUGH: Final = 5
"""Usual words that no other encoding has by chance."""
_SENSIBLE: Final = -10.5
_SURE_OF_UTF8: Final = 4.0
"""The logarithm of how much likelier a text in UTF-8 must be than one in another encoding."""
_OTHER_ENCODING: Final = -8.0
"""The prior of encodings that the stated languages do not have."""
_OTHER_LANGUAGE: Final = -3.0
"""The prior of other languages in the encodings of the stated ones."""
_USUAL, _UNUSUAL = "en", -3.0
"""If no languages are stated, the encodings of English are likelier."""
_ANY_LANGUAGE: Final = -4.0


@dataclass(frozen=True)
class Words:
    """The distinct words of a file with bytes beyond ASCII, at most some hundred, and all its high bytes.

    Which words are kept depends on the words alone, and not on where they stand.
    """

    words: tuple[bytes, ...]
    high_bytes: frozenset[int]

    @classmethod
    def of(cls, blocks: Iterable[bytes]) -> Words:
        """Gather the words of blocks that end with whole words."""
        kept: set[bytes] = set()
        high: set[int] = set()
        for number, block in enumerate(blocks):
            beyond = block.translate(None, _ASCII)
            if beyond:
                high.update(beyond)
                kept.update(_words(block, number))
            if len(kept) > _MOST_KEPT:
                kept = set(heapq.nsmallest(_MOST_WORDS, kept, key=_order))
        return cls(_chosen(kept), frozenset(high))

    def and_those_of(self, block: bytes, number: int) -> Words:
        """Return these words with those of one more block, the `number`th of the file."""
        kept = {*self.words, *_words(block, number)}
        return Words(_chosen(kept), self.high_bytes.union(block.translate(None, _ASCII)))

    def only(self, words: tuple[bytes, ...]) -> Words:
        """Return some of the words, with their high bytes alone if they are not all."""
        if len(words) == len(self.words):
            return self
        return Words(words, frozenset(b"".join(words).translate(None, _ASCII)))


def _words(block: bytes, number: int) -> Iterator[bytes]:
    most = _MOST_OF_BLOCK if number < _FIRST_BLOCKS else _MOST_OF_LATER
    return map(_word, islice(_WORD.finditer(block), most))


def _chosen(words: set[bytes]) -> tuple[bytes, ...]:
    return tuple(sorted(heapq.nsmallest(_MOST_WORDS, words, key=_order)))


def _word(match: re.Match[bytes]) -> bytes:
    """Return a word with the ASCII before it, its numbers as zeros: `£12` and `£15` say the same."""
    block, start, end = match.string, match.start(), match.end()
    begun = _BEGUN.search(block, max(0, start - _LONGEST_START), start)
    first = start if begun is None else begun.start()
    word = _RUN.sub(lambda run: run[0][: 2 + len(run[0]) % 2], block[first : min(end, start + _LONGEST)])
    return _DIGITS.sub(lambda found: found[1] or b"0", word)


def _order(word: bytes) -> tuple[int, bytes]:
    return zlib.crc32(word), word


@dataclass(frozen=True)
class Candidate:
    """An encoding with the likelihood of its text, and that of a character of it.

    `at_best` is the likelihood if the encoding is not as rare as its prior says: that alone decides nothing.
    """

    encoding: str
    score: float
    mean: float
    at_best: float


@dataclass(frozen=True)
class Detected:
    """The most likely encoding; `is_sure` if no other one gives another text that is nearly as likely.

    `others` are the encodings that remain possible, or that come next.
    """

    encoding: str
    is_sure: bool
    others: tuple[str, ...]


def detect(path: Path, languages: Sequence[str], *, may_be_utf8: bool = False) -> Detected | None:
    """Return the encoding of a file that is not valid UTF-8; None if none makes sense.

    `languages` are those of the feed; without them, all are possible. With `may_be_utf8`, the file may be
    UTF-8 with some stray bytes.
    """
    words = Words.of(_blocks(path))
    if may_be_utf8:
        ranked = _ranked([*ranking(words, languages), _utf8(words)])
        if ranked[0].encoding == "utf-8":
            rival = _rival_of_strays(words, languages)
            return Detected("utf-8", is_sure=False, others=(rival,)) if rival else _first_of(ranked, words)
    others = words.only(tuple(word for word in words.words if not _is_stray_utf8(word)))
    if not others.words:
        others = words
    detected = _first_of(ranking(others, languages), others)
    if detected and len(others.words) < len(words.words) and detected.encoding in WIDE_CHARACTERS:
        return Detected(detected.encoding, is_sure=False, others=("utf-8",))
    return detected


def _first_of(ranked: Sequence[Candidate], words: Words) -> Detected | None:
    """Return the first candidate, and whether it is certain; None if its text makes no sense."""
    if not ranked or ranked[0].mean < _UNLIKELY:
        return None
    first = ranked[0]
    rivals = [item for item in ranked[1:] if not _same_text(first.encoding, item.encoding, words)]
    close = [item.encoding for item in rivals if first.score - item.at_best < _SURE]
    return Detected(first.encoding, not close, tuple(close[:3] or [item.encoding for item in rivals[:1]]))


def _rival_of_strays(words: Words, languages: Sequence[str]) -> str:
    """Return the encoding of the words that are not UTF-8, if others make more sense in it too; else ""."""
    unusual = [word for word in words.words if not _is_stray_utf8(word)]
    by_chance = [word for word in unusual if _is_utf8(word)]
    ranked = ranking(words.only(tuple(unusual)), languages) if by_chance else []
    if not ranked or ranked[0].mean < _SENSIBLE:
        return ""
    texts = [(word.decode(), _decoded(word, ranked[0].encoding)) for word in by_chance]
    return ranked[0].encoding if any(likeliest(b) - likeliest(a) > _SURE for a, b in texts) else ""


def _is_utf8(word: bytes) -> bool:
    try:
        word.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_stray_utf8(word: bytes) -> bool:
    """Return whether a word of a file in another encoding is certainly UTF-8."""
    return _is_utf8(word) and _is_usual_in_utf8(word)


def rivals_of_utf8(path: Path, languages: Sequence[str]) -> tuple[str, ...]:
    """Return the encodings in which a file that is valid UTF-8 makes more sense, the likeliest first.

    Some bytes of other encodings are valid UTF-8 by chance: `Dvořák` of Mac OS is `Dvoאk` then. If the
    words of the file are usual in UTF-8, no other encoding is tried.
    """
    words = _doubtful_words(_blocks(path))
    if words is None:
        return ()
    for delimiter in _delimiters(words):
        parts = {part for word in words.words for part in word.split(delimiter.encode())}
        words = words.only(tuple(sorted(part for part in parts if not part.isascii())))
    score = sum(likeliest(word.decode("utf-8", "ignore")) for word in words.words)
    return tuple(
        item.encoding
        for item in ranking(words, languages)
        if item.mean > _SENSIBLE
        and score - item.at_best < _SURE_OF_UTF8
        and not _same_text("utf-8", item.encoding, words)
    )[:3]


def _doubtful_words(blocks: Iterable[bytes]) -> Words | None:
    """Return the words of a file in UTF-8; None once enough of them, or all, are usual in UTF-8."""
    words = Words((), frozenset())
    for number, block in enumerate(blocks):
        if not block.isascii():
            words = words.and_those_of(block, number)
            words = words.only(tuple(word for word in words.words if not C1_CONTROLS.search(word)))
            usual = sum(map(_is_usual_in_utf8, words.words))
            if usual >= _ENOUGH and usual * 2 > len(words.words):
                return None
    return None if all(map(_is_usual_in_utf8, words.words)) else words


@lru_cache(_MOST_KEPT)
def _is_usual_in_utf8(word: bytes) -> bool:
    text = word.decode("utf-8", "ignore")
    least = _USUAL_IN_UTF8 * sum(not character.isascii() for character in text)
    return any(likeliest(text, (language,)) >= least for language in LANGUAGES)


def _delimiters(words: Words) -> frozenset[str]:
    """Return the signs that separate texts more than once in a word, as delimiters: `Date¬Vendor¬Net`."""
    beyond = (re.findall(r"[^\x00-\x7f]+", word.decode("utf-8", "ignore")) for word in words.words)
    return frozenset(
        signs[0]
        for signs in beyond
        if len(signs) > 1 and len(set(signs)) == 1 and unicodedata.category(signs[0][0])[0] in "SP"
    )


def ranking(words: Words, languages: Sequence[str]) -> list[Candidate]:
    """Return the encodings by the likelihood of their texts; those that some words rule out are left out."""
    few = Words(words.words[::_EVERY], words.high_bytes) if len(words.words) > _FEW * 2 else words
    ranked = _ranked([_candidate(encoding, few, languages) for encoding in encodings()])
    if few is words:
        return ranked
    best = [item.encoding for item in ranked if ranked[0].score - item.score < _RULED_OUT]
    return _ranked([_candidate(encoding, words, languages) for encoding in best])


def _ranked(candidates: list[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda item: -item.score)


def _candidate(encoding: str, words: Words, stated: Sequence[str]) -> Candidate:
    rarity, spoken = encodings()[encoding]
    texts = [_decoded(word, encoding) for word in words.words]
    size = sum(not character.isascii() for text in texts for character in text)
    if stated:
        prior = 0.0 if set(spoken) & set(stated) else _OTHER_ENCODING
    else:
        prior = 0.0 if _USUAL in spoken else _UNUSUAL
    text = _best(texts, spoken, stated)
    score = text + prior + rarity
    return Candidate(encoding, score, text / max(size, 1), score if prior else score - rarity / 2)


def _utf8(words: Words) -> Candidate:
    """Return UTF-8 as a candidate; a word that it cannot read costs less, for it may be a stray one."""
    texts = [word.decode("utf-8", "replace") for word in words.words[:_FEW]]
    sound = [text for text in texts if "\ufffd" not in text]
    size = sum(not character.isascii() for text in sound for character in text)
    text = sum(map(likeliest, sound))
    score = (text + _STRAY * (len(texts) - len(sound))) * len(words.words) / max(len(texts), 1)
    return Candidate("utf-8", score, text / max(size, 1), score)


def _decoded(word: bytes, encoding: str) -> str:
    if encoding in WIDE_CHARACTERS:
        decoder = codecs.getincrementaldecoder(encoding)("replace")
        return decoder.decode(word, final=len(word) < _LONGEST // 2)
    return word.decode(encoding, "replace")


def _best(texts: Sequence[str], spoken: Sequence[str], stated: Sequence[str]) -> float:
    """Return the likelihood of texts in the language that fits best, or in several of an encoding."""
    by_language = {language: [likelihood(text, language) for text in texts] for language in spoken}
    priors = {
        language: 0.0 if not stated or language in stated else _OTHER_LANGUAGE for language in by_language
    }
    single: float = max(priors[language] + sum(scores) for language, scores in by_language.items())
    share = -math.log(len(by_language))
    mixed: float = sum(max(scores) + share for scores in zip(*by_language.values(), strict=True))
    return max(single, mixed + _ANY_LANGUAGE + max(priors.values()))


def _same_text(one: str, other: str, words: Words) -> bool:
    if {one, other} & {*WIDE_CHARACTERS, "utf-8"}:
        return all(_decoded(word, one) == _decoded(word, other) for word in words.words)
    high = bytes(sorted(words.high_bytes))
    return high.decode(one, "replace") == high.decode(other, "replace")


def _blocks(path: Path) -> Iterator[bytes]:
    """Yield the file in blocks that end with a whole line, or else a whole word."""
    rest = b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            block = rest + block
            end = 1 + max(block.rfind(b"\n"), block.rfind(b"\r"))
            end = end or (1 + block.rfind(b" ") if len(block) > 2 * _BLOCK else 0)
            end = end or (len(block) if len(block) > 2 * _BLOCK else 0)
            yield block[:end]
            rest = block[end:]
    yield rest
