"""Lines of an append-only file count once they are whole, and are never lost, changed or skipped."""

from __future__ import annotations

import json
import threading
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import pytest

from showcost.core.durable import System, using
from showcost.core.errors import IntegrityError, StorageError
from showcost.core.hashing import sha256_framed
from showcost.core.jsonl import NO_HASH, JsonLines, Position, is_torn
from showcost.core.locking import exclusive_lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO


def number_of(line: bytes, _: Position) -> int:
    return int(json.loads(line)["n"])


def lines_of(path: Path) -> JsonLines[int]:
    return JsonLines(path, number_of, entry="a number", restore="restore it")


def line(number: int) -> bytes:
    return json.dumps({"n": number}).encode()


class Link(NamedTuple):
    number: int
    text: str
    chain: str


def chained(path: Path) -> JsonLines[Link]:
    def parse(line: bytes, before: Position) -> Link:
        link = Link(**json.loads(line))
        if link != linked(link.text, before):
            raise ValueError
        return link

    return JsonLines(
        path, parse, entry="the next link", restore="restore it", hash_of=lambda link: link.chain
    )


def linked(text: str, before: Position) -> Link:
    number = before.number + 1
    return Link(number, text, sha256_framed([before.hash, number, text]))


def link_line(text: str, before: Position) -> bytes:
    return json.dumps(linked(text, before)._asdict()).encode()


def test_missing_file_has_no_lines_and_is_made_by_the_first_append(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.jsonl"
    file = lines_of(path)
    assert file.read_on() == []
    assert file.tail() == b""
    assert file.append() == []
    assert not path.exists()
    assert file.append(line(1), line(2)) == [1, 2]
    assert path.read_bytes() == b'{"n": 1}\n{"n": 2}\n'
    assert file.position == Position(2, NO_HASH, 18)


def test_lines_are_read_once_and_from_the_first_one_by_another_instance(tmp_path: Path) -> None:
    path = tmp_path / "file"
    writer, reader = lines_of(path), lines_of(path)
    writer.append(line(1), line(2))
    assert reader.read_on() == [1, 2]
    assert reader.read_on() == []
    writer.append(line(3))
    assert reader.read_on() == [3]
    assert lines_of(path).read_on() == [1, 2, 3]


@pytest.mark.parametrize("kept", range(1, 9))
def test_torn_last_line_is_not_a_line_and_is_cut_by_the_next_append(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(line(1) + b"\n" + line(2)[:kept])
    file = lines_of(path)
    assert file.read_on() == [1]
    assert file.tail() == line(2)[:kept]
    assert path.read_bytes().endswith(line(2)[:kept])
    file.append(line(3))
    assert path.read_bytes() == line(1) + b"\n" + line(3) + b"\n"


def test_line_without_its_line_feed_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(line(1))
    assert lines_of(path).read_on() == []


@pytest.mark.parametrize("garbage", [b"", b"\xff\xfe", b"{", b"7", b"null", b'{"m": 1}', b'{"n": []}'])
def test_garbage_in_the_middle_is_named_and_nothing_after_it_is_read(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(line(1) + b"\n" + garbage + b"\n" + line(3) + b"\n")
    file = lines_of(path)
    for _ in range(2):
        with pytest.raises(IntegrityError, match=f"{path}, line 2: not a number; restore it"):
            file.read_on()
        assert file.position.number == 1


def test_append_that_failed_leaves_nothing_behind(tmp_path: Path) -> None:
    class FullDisk(System):
        def write(self, stream: BinaryIO, data: bytes, path: Path) -> None:
            super().write(stream, data[:3], path)
            raise OSError(28, "No space left on device")

    path = tmp_path / "file"
    file = lines_of(path)
    file.append(line(1))
    with using(FullDisk()), pytest.raises(StorageError):
        file.append(line(2))
    assert lines_of(path).read_on() == [1]
    file.append(line(3))
    assert path.read_bytes() == line(1) + b"\n" + line(3) + b"\n"


def at_once(*works: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads_that_share_an_instance_lose_no_line(tmp_path: Path) -> None:
    file = lines_of(tmp_path / "file")

    def write(first: int) -> None:
        for number in range(first, first + 10):
            file.append(line(number))

    at_once(*(partial(write, 10 * number) for number in range(6)))
    assert sorted(lines_of(file.path).read_on()) == list(range(60))


def test_writers_that_share_a_lock_see_and_keep_each_others_lines(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def write() -> None:
        lock = partial(exclusive_lock, tmp_path / "lock", "busy", wait_seconds=60)
        file = JsonLines(path, number_of, entry="a number", restore="restore it", lock=lock)
        for _ in range(10):
            with file.writing():
                file.append(line(file.position.number))

    at_once(*[write] * 6)
    assert lines_of(path).read_on() == list(range(60))


def test_file_that_became_shorter_is_damaged_or_read_from_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "file"
    lines_of(path).append(line(1), line(2))
    forgotten: list[bool] = []
    forget = partial(forgotten.append, True)
    strict = lines_of(path)
    lenient = JsonLines(path, number_of, entry="a number", restore="restore it", forget=forget)
    assert strict.read_on() == lenient.read_on() == [1, 2]
    path.write_bytes(line(3) + b"\n")
    with pytest.raises(IntegrityError, match="the file became shorter after it was read; restore it"):
        strict.read_on()
    assert lenient.read_on() == [3]
    assert forgotten == [True]
    path.unlink()
    with pytest.raises(IntegrityError, match="the file is missing after it was read; restore it"):
        strict.read_on()
    assert lenient.read_on() == []


def test_chained_lines_build_on_the_line_before(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for text in ("a", "b", "c"):
        file = chained(path)
        file.read_on()
        file.append(link_line(text, file.position))
    assert [link.text for link in chained(path).read_on()] == ["a", "b", "c"]
    whole = path.read_bytes().splitlines(keepends=True)
    for order, damaged in (([1, 2], 1), ([0, 2], 2), ([0, 2, 1], 2), ([0, 0, 1, 2], 2), ([0, 1, 1], 3)):
        path.write_bytes(b"".join(whole[number] for number in order))
        with pytest.raises(IntegrityError, match=f"line {damaged}: not the next link"):
            chained(path).read_on()
    path.write_bytes(whole[0] + whole[1].replace(b'"b"', b'"x"') + whole[2])
    with pytest.raises(IntegrityError, match="line 2"):
        chained(path).read_on()


def test_chained_line_that_builds_on_another_is_refused(tmp_path: Path) -> None:
    file = chained(tmp_path / "file")
    file.append(link_line("a", file.position))
    with pytest.raises(IntegrityError, match="line 2"):
        file.append(link_line("b", Position()))


@pytest.mark.parametrize(
    ("tail", "torn"),
    [
        (b'{"at', True),
        (b'{"at":"x", "n": 1', True),
        (b'{"at":"x"}', True),
        ('{"at":"ü'.encode()[:-1], True),
        (b'{"at":"x"}\x0b', False),
        (b'{"at":"x"}{', False),
        (b'{"at":"\xff"', False),
        (b'{"n', False),
    ],
)
def test_only_the_beginning_of_a_line_is_torn(tail: bytes, torn: bool) -> None:
    assert is_torn(tail, b'{"at":"') is torn
