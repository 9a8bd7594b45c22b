"""The encoding of text that is not UTF-8: the one whose text is likeliest, if no other text is nearly so.

The distinct words beyond ASCII of a file are read in each encoding, and their likelihoods in its languages
are compared. Encodings that give the same text are one answer. Words are weighed, not guessed: if two texts
remain possible, or none makes sense, the encoding is not certain, and a person has to name it.
"""

from __future__ import annotations

import codecs
import heapq
import math
import re
import zlib
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from showcost.core.languages import LANGUAGES
from showcost.readers.encodings.families import WIDE_CHARACTERS, encodings
from showcost.readers.encodings.likelihood import likelihood

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
"""Words looked at in each MiB: which one is kept of a longer file depends on its bytes alone."""
_LONGEST: Final = 240
_MOST_WORDS: Final = 400
_FEW: Final = 60
_EVERY: Final = 6
_RULED_OUT: Final = 60.0
_MOST_KEPT: Final = 4 * _MOST_WORDS
_SURE: Final = 5.0
"""The logarithm of how much likelier a text must be than any other one."""
_UNLIKELY: Final = -13.0
"""The mean logarithm of the likelihood of a character below which a text makes no sense."""
_STRAY: Final = -15.0
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
        for block in blocks:
            beyond = block.translate(None, _ASCII)
            if beyond:
                high.update(beyond)
                kept.update(map(_word, islice(_WORD.finditer(block), _MOST_OF_BLOCK)))
            if len(kept) > _MOST_KEPT:
                kept = set(heapq.nsmallest(_MOST_WORDS, kept, key=_order))
        chosen = heapq.nsmallest(_MOST_WORDS, kept, key=_order)
        return cls(tuple(sorted(chosen)), frozenset(high))


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
    ranked = ranking(words, languages)
    if may_be_utf8:
        ranked = _ranked([*ranked, _utf8(words)])
    if not ranked or ranked[0].mean < _UNLIKELY:
        return None
    first = ranked[0]
    rivals = [item for item in ranked[1:] if not _same_text(first.encoding, item.encoding, words)]
    close = [item.encoding for item in rivals if first.score - item.at_best < _SURE]
    return Detected(first.encoding, not close, tuple(close[:3] or [item.encoding for item in rivals[:1]]))


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
    text = sum(max(likelihood(item, language) for language in LANGUAGES) for item in sound)
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
