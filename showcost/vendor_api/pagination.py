"""Pagination of a window: the URL of the first page, and of the next one from the content of a page.

The next page is named by a step: a text that is kept in the pull progress, so that a pull that was killed
resumes there. Its meaning depends on the vendor's kind of pagination.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import httpx

from showcost.config.api import CursorPages, LinkedPages, PageNumbers
from showcost.readers.json_text import Digits, look_up, parse_page
from showcost.readers.source import UnreadableError
from showcost.readers.ubl import check_document
from showcost.vendor_api.failures import FailureKind, RequestFailedError
from showcost.vendor_api.guard import check_url, same_origin

if TYPE_CHECKING:
    from showcost.config.api import ApiSpec
    from showcost.config.items import ItemMapping
    from showcost.vendor_api.windows import Window

_LONGEST_STEP: Final = 4_096


class PageFacts(NamedTuple):
    """Number of items of a page, and the step to the next page, None on the last one."""

    items: int
    next: str | None


class Pagination:
    """Pagination of one feed, from its base URL."""

    def __init__(self, api: ApiSpec, items: ItemMapping | None, base: httpx.URL) -> None:
        """Use the pagination of an API; without a mapping of `items` each page is an e-invoice."""
        self._api, self._pages, self._items, self._base = api, api.pages, items, base

    def url(self, window: Window, step: str | None) -> httpx.URL:
        """Return the URL of a step of a window; without a step, that of its first page."""
        if step is not None and isinstance(self._pages, LinkedPages):
            return self._linked(step)
        query = self._api.window
        last = window.last if query.last_included else window.last + timedelta(days=1)
        parameters = dict(self._api.parameters) | {
            query.first_parameter: window.first.strftime(query.format),
            query.last_parameter: last.strftime(query.format),
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
        """Return the URL of a link, which must be on the vendor's own server."""
        try:
            url = self._base.join(step)
            check_url(url, self._api.allowed_hosts)
            is_own = same_origin(url, self._base)
        except (httpx.InvalidURL, ValueError):
            # ValueError is raised for a host that is not a name, such as one in wrong punycode.
            raise RequestFailedError(FailureKind.ADDRESS, "the next page has an invalid address") from None
        if not is_own:
            raise RequestFailedError(FailureKind.ADDRESS, "the next page is on another server")
        return url

    def facts(self, body: bytes, link: str | None, step: str | None) -> PageFacts:
        """Return the facts of a page; RequestFailedError if it is not a page of items.

        `link` is the next page's address from the response headers, `step` the step to this page.
        """
        try:
            page, count = self._read(body)
        except UnreadableError as error:
            raise RequestFailedError(FailureKind.UNREADABLE, str(error)) from None
        following = self._following(page, count, link, step)
        if following is not None and len(following) > _LONGEST_STEP:
            raise RequestFailedError(FailureKind.UNREADABLE, f"a cursor of {len(following)} characters")
        if following is not None and following == step:
            raise RequestFailedError(FailureKind.ENDLESS, "the page names itself as the next one")
        if following is not None and isinstance(self._pages, LinkedPages):
            # Before the page is stored: a pull could not go on from it.
            self._linked(following)
        return PageFacts(count, following)

    def _read(self, body: bytes) -> tuple[object, int]:
        """Return a page and the number of its items; UnreadableError if it is not a page of items."""
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
            raise RequestFailedError(
                FailureKind.UNREADABLE, "the cursor of the next page is not a single value"
            )
