"""Arrivals that cannot be taken, or that nobody expected, hold up no other file, feed or command."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from showcost.checks.verify import verify
from showcost.deliveries.encryption import MAGIC
from showcost.ingest.inbox import passed_over
from showcost.ingest.landing import landed
from showcost_tests.whole import small

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from showcost.workspace import Workspace
    from showcost_tests.command_line import CommandLine

FEED = "vendor_invoices_de"
GOOD = "good.csv"


def link_to_a_file(folder: Path) -> None:
    folder.joinpath("link.csv").symlink_to("/etc/passwd")


def dangling_link(folder: Path) -> None:
    folder.joinpath("link.csv").symlink_to("nowhere")


def fifo(folder: Path) -> None:
    os.mkfifo(folder / "pipe.csv")


def listening_socket(folder: Path) -> None:
    # The path of a socket is short.
    here = os.open(folder, os.O_RDONLY)
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"/proc/self/fd/{here}/socket.csv")
    server.close()
    os.close(here)


def folder_within(folder: Path) -> None:
    folder.joinpath("old.csv").mkdir()
    folder.joinpath("old.csv", "1.csv").write_text("a")


def hidden(folder: Path) -> None:
    folder.joinpath(".invoices.csv").write_text("a")


def unfinished(folder: Path) -> None:
    folder.joinpath("invoices.csv.part").write_text("a")


def name_in_another_encoding(folder: Path) -> None:
    folder.joinpath(os.fsdecode(b"r\xe9sum\xe9.csv")).write_text("a")


def name_that_a_terminal_obeys(folder: Path) -> None:
    folder.joinpath("\x1b[2J\x1b]52;c;eA==\x07.csv").write_text("a")


def name_of_two_lines(folder: Path) -> None:
    folder.joinpath("a\nbalances: yes.csv").write_text("a")


def name_from_right_to_left(folder: Path) -> None:
    folder.joinpath("\u202evsc.exe.csv").write_text("a")


STRANGE: dict[Callable[[Path], None], str] = {
    link_to_a_file: "link.csv: a link, which is not followed; put the file itself here",
    dangling_link: "link.csv: a link, which is not followed; put the file itself here",
    fifo: "pipe.csv: neither a file nor a folder",
    listening_socket: "socket.csv: neither a file nor a folder",
    folder_within: "old.csv: a folder within a feed's folder; only files beside it are taken",
    hidden: ".invoices.csv: a hidden file",
    unfinished: "invoices.csv.part: an unfinished transfer; its sender renames it at the end",
    name_in_another_encoding: "its name has characters that cannot be shown; rename it",
    name_that_a_terminal_obeys: "its name has characters that cannot be shown; rename it",
    name_of_two_lines: "a\N{SYMBOL FOR LINE FEED}balances: yes.csv: its name has characters",
    name_from_right_to_left: "its name has characters that cannot be shown; rename it",
}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = small.make_home(tmp_path / "home")
    small.deliver(workspace, FEED, GOOD, small.german(small.FIRST))
    return workspace


@pytest.mark.parametrize("make", STRANGE, ids=lambda make: make.__name__)
def test_a_strange_entry_is_told_of_and_the_others_land(
    workspace: Workspace, showcost: CommandLine, make: Callable[[Path], None]
) -> None:
    make(workspace.inbox / FEED)
    for landing in ("first", "again"):
        ended = showcost(workspace, "land")
        assert (ended.status, "Traceback" in ended.err) == (0, False), landing
        assert STRANGE[make] in ended.out
        assert not {"\x1b", "\x07", "\u202e"} & set(ended.out)
    (feed,) = (feed for feed in workspace.feeds if feed.name == FEED)
    assert [delivery.arrival.name for delivery in landed(workspace, feed)] == [GOOD]
    (told,) = showcost(workspace, "land", "--json").json["passed_over"]
    assert told.startswith(f"{FEED}/")


def test_a_feeds_folder_that_is_a_link_is_not_followed(
    workspace: Workspace, showcost: CommandLine, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    outside.joinpath("1.csv").write_bytes(small.german(small.FIRST).encode())
    workspace.inbox.joinpath("vendor_invoices_us").symlink_to(outside, target_is_directory=True)
    sentence = "vendor_invoices_us: a link to a folder, which is not followed; move the files here"
    assert passed_over(workspace.inbox) == [sentence]
    ended = showcost(workspace, "land")
    assert (ended.status, f"passed over: {sentence}" in ended.out) == (0, True)
    assert [arrival.name for arrival in workspace.register.arrivals()] == [GOOD]


def test_a_file_that_may_not_be_read_is_told_of(
    workspace: Workspace, showcost: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.inbox.joinpath(FEED, "closed.csv").write_text("a")
    # Root may read every file.
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: "closed" not in str(path) and allowed(path, mode))
    ended = showcost(workspace, "land")
    assert (ended.status, "closed.csv: it cannot be read (permission denied)" in ended.out) == (0, True)
    assert [arrival.name for arrival in workspace.register.arrivals()] == [GOOD]


def test_a_file_that_begins_as_an_encrypted_one_is_a_refused_delivery(
    workspace: Workspace, showcost: CommandLine
) -> None:
    workspace.inbox.joinpath(FEED, "magic.csv").write_bytes(MAGIC)
    for _ in range(2):
        assert showcost(workspace, "land").status == 0
    (feed,) = (feed for feed in workspace.feeds if feed.name == FEED)
    refused = {delivery.arrival.name: delivery.summary.refused for delivery in landed(workspace, feed)}
    assert refused.keys() == {GOOD, "magic.csv"}
    assert (refused[GOOD], bool(refused["magic.csv"])) == (None, True)
    assert verify(workspace, read_again=True).first is None


def test_a_damaged_payload_holds_up_no_other_delivery_and_no_other_feed(
    workspace: Workspace, showcost: CommandLine
) -> None:
    us = "vendor_invoices_us"
    assert showcost(workspace, "land").status == 0
    (arrival,) = workspace.register.arrivals()
    payload = workspace.payloads.path(arrival.delivery)
    payload.chmod(0o644)
    payload.write_bytes(payload.read_bytes().replace(b"1", b"2"))
    for index in workspace.path.joinpath("staging").rglob("index.jsonl"):
        index.unlink()
    small.deliver(workspace, FEED, "next.csv", small.german(small.FIRST).replace("R1", "R99"))
    small.deliver(workspace, us, "us.csv", "nothing that is an invoice\n")
    ended = showcost(workspace, "land", "--json")
    assert ended.status == 1
    assert list(ended.json["failed"]) == [FEED]
    assert f"the payload {arrival.delivery} has changed on disk" in ended.json["failed"][FEED]
    feeds = {feed.name: feed for feed in workspace.feeds}
    assert [delivery.arrival.name for delivery in landed(workspace, feeds[FEED])] == ["next.csv"]
    assert [delivery.arrival.name for delivery in landed(workspace, feeds[us])] == ["us.csv"]
