"""Arbitrary statuses, headers and bodies of one vendor of several."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import date

_STATUSES: Final = (
    *(
        "200 OK",
        "200 OK",
        "200 OK",
        "204 No Content",
        "206 Partial",
        "301 Moved",
        "302 Found",
        "401 No",
        "404",
    ),
    *(
        "418 I'm a teapot",
        "429 Slow",
        "500 Oops",
        "503 Later",
        "999 ?",
        "000",
        "abc",
        "",
        "200",
        "100 Continue",
    ),
)
_HEADERS: Final = (
    'Link: <https://xn--a.example/>; rel="next"',
    'Link: <>; rel="next"',
    'Link: <?page=\u2028>; rel="next"',
    'Link: <http://169.254.169.254/>; rel="next"',
    "Link: <" + "a" * 9_000 + '>; rel="next"',
    "Link: ;;;,,,<<<",
    'Link: <http://[::1/>; rel="next"',
    "Link: <//a..b/x>; rel=next",
    'Link: <?page=2>; rel="next"',
    "Retry-After: " + "9" * 5_000,
    "Retry-After: Fri, 31 Dec 99999 23:59:59 GMT",
    "Retry-After: -1",
    "Retry-After: x",
    "Retry-After: 0",
    "Retry-After: 1e400",
    "Content-Length: 5",
    "Content-Length: -1",
    "Content-Length: 99999999999",
    "Content-Encoding: gzip",
    "Content-Encoding: br, zstd",
    "Transfer-Encoding: chunked",
    "Location: /",
    "Location: https://a..b/",
    "Content-Type: application/json; charset=utf-99",
    "Content-Type: \xff",
    "Date: never",
    "Set-Cookie: a=b; Domain=..",
    "X: " + "y" * 70_000,
    "\0: \0",
    ": no name",
    "Expires: -1",
    'ETag: "\x1b[2J"',
)
_CELLS: Final[tuple[object, ...]] = (
    None,
    True,
    -1,
    0,
    1e308,
    10**400,
    "",
    " ",
    "x" * 5_000,
    "\ud800",
    "\x1b[2J\u202e",
    "=1+1",
    [],
    {},
    [[]],
    {"a": []},
    "2026-99-99",
    "0001-01-01",
    "99999-01-01",
    "1.234,56",
    "NaN",
    "-0",
    "V-1",
    "123-45-6789",
    "DE89370400440532013000",
)

_BODIES: Final = (b"null", b"NaN", b'{"invoices":', b'{"invoices": 1e999}', b"\xff\xfe", b"<html>")


def _item(pick: random.Random, days: tuple[date, ...]) -> object:
    if not pick.randrange(6):
        return pick.choice(_CELLS)
    good: dict[str, object] = {
        "id": f"R-{pick.randrange(50)}",
        "date": pick.choice(days).isoformat(),
        "vendor": "V-1",
        "currency": "EUR",
        "lines": [{"id": "1", "net": "10.00", "account": "3310", "text": "x"}],
    }
    for name in pick.sample(sorted(good), pick.randrange(3)):
        good[name] = pick.choice(_CELLS)
    return good


class Answers(Mapping[str, bytes]):
    """Answers of a vendor to any path, drawn anew for each request; the same seed gives the same."""

    def __init__(self, seed: int, days: tuple[date, ...]) -> None:
        self._pick = random.Random(seed)  # noqa: S311 -- repeatable, no secret
        self._days = days

    def __getitem__(self, path: str) -> bytes:
        pick = self._pick
        if not pick.randrange(12):
            return pick.randbytes(pick.choice((0, 1, 200)))
        body = self._body()
        headers = pick.sample(_HEADERS, pick.choice((0, 0, 1, 2)))
        if pick.randrange(6):
            headers.append(f"Content-Length: {len(body)}")
        head = "\r\n".join([f"HTTP/1.1 {pick.choice(_STATUSES)}", *headers, "", ""])
        return head.encode("utf-8", "surrogatepass") + body

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def _body(self) -> bytes:
        pick = self._pick
        match pick.randrange(8):
            case 0:
                return pick.randbytes(pick.choice((0, 1, 300)))
            case 1:
                return pick.choice((b"[", b'{"a":')) * 5_000
            case 2:
                return gzip.compress(b" " * 100_000)
            case 3:
                return pick.choice(
                    (b"null", b"NaN", b'{"invoices":', b'{"invoices": 1e999}', b"\xff\xfe", b"<html>")
                )
            case _:
                items = [_item(pick, self._days) for _ in range(pick.randrange(4))]
                page = {pick.choice(("invoices", "invoices", "x")): items, "next_cursor": pick.choice(_CELLS)}
                return json.dumps(page).encode()
