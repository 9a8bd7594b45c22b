"""From page to page of a window: the URL of the first, and of the next by what a page says.

Where a window goes on is a `Step`: text that the journal keeps, so that a pull that was killed goes on with
it. What a step means depends on how the vendor pages.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import httpx

from showcost.config.api import CursorPages, LinkedPages, PageNumbers
from showcost.readers.json_text import Digits, look_up, parse_page
from showcost.readers.source import UnreadableError
from showcost.readers.ubl import check_document
from showcost.vendor_api.failures import RequestFailedError, Trouble
from showcost.vendor_api.guard import check_url, same_origin

if TYPE_CHECKING:
    from showcost.config.api import ApiSpec
    from showcost.config.items import ItemMapping
    from showcost.vendor_api.windows import Window

_LONGEST_STEP: Final = 4_096


class PageFacts(NamedTuple):
    """What a page says of itself: its items, and the step that leads on; None on the last page."""

    items: int
    next: str | None


class Pagination:
    """How one vendor pages, from its address on."""

    def __init__(self, api: ApiSpec, items: ItemMapping | None, base: httpx.URL) -> None:
        """Take the pages of an API; without a mapping of `items` each page is an e-invoice."""
        self._api, self._pages, self._items, self._base = api, api.pages, items, base

    def url(self, window: Window, step: str | None) -> httpx.URL:
        """Return the URL of a step of a window; of its first page without one."""
        if step is not None and isinstance(self._pages, LinkedPages):
            return self._linked(step)
        asked = self._api.window
        last = window.last if asked.last_included else window.last + timedelta(days=1)
        parameters = dict(self._api.parameters) | {
            asked.first_parameter: window.first.strftime(asked.format),
            asked.last_parameter: last.strftime(asked.format),
        }
        if self._pages.size_parameter is not None and self._pages.size is not None:
            parameters[self._pages.size_parameter] = str(self._pages.size)
        match self._pages:
            case PageNumbers(parameter=name, first=number):
                parameters[name] = str(number) if step is None else step
            case CursorPages(parameter=name) if step is not None:
                parameters[name] = step
        return self._base.copy_merge_params(parameters)

    def _linked(self, step: str) -> httpx.URL:
        """Return the URL of a link, which must lead to the vendor itself."""
        try:
            url = self._base.join(step)
        except httpx.InvalidURL:
            raise RequestFailedError(Trouble.ADDRESS, "the next page has no usable address") from None
        check_url(url, self._api.allowed_hosts)
        if not same_origin(url, self._base):
            raise RequestFailedError(Trouble.ADDRESS, "the next page is on another server")
        return url

    def facts(self, body: bytes, link: str | None, step: str | None) -> PageFacts:
        """Return what a page says; RequestFailedError when it is no page of items.

        `link` is the next page's address as the answer's headers have it, `step` the one that led here.
        """
        try:
            page, count = self._read(body)
        except UnreadableError as error:
            raise RequestFailedError(Trouble.UNREADABLE, str(error)) from None
        following = self._following(page, count, link, step)
        if following is not None and len(following) > _LONGEST_STEP:
            raise RequestFailedError(Trouble.UNREADABLE, f"a cursor of {len(following)} characters")
        if following is not None and following == step:
            raise RequestFailedError(Trouble.ENDLESS, "the page names itself as the next one")
        return PageFacts(count, following)

    def _read(self, body: bytes) -> tuple[object, int]:
        """Return a page and the number of its items; UnreadableError when it is none."""
        if self._items is None:
            if body:
                check_document(body)
            return None, 1 if body else 0
        page = parse_page(body)
        items = look_up(page, self._items.list)
        if not isinstance(items, list):
            raise UnreadableError("the page has no list of items")
        return page, len(items)

    def _following(self, page: object, items: int, link: str | None, step: str | None) -> str | None:
        match self._pages:
            case PageNumbers(first=first, size=size):
                number = first if step is None else int(step)
                return str(number + 1) if items >= size else None
            case CursorPages(next=path):
                return _cursor(look_up(page, path))
            case LinkedPages():
                return link


def _cursor(value: object) -> str | None:
    match value:
        case None | "" | False:
            return None
        case str():
            return value
        case Digits():
            return value.text
        case _:
            raise RequestFailedError(Trouble.UNREADABLE, "the cursor of the next page is no single value")
