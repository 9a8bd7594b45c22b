"""Requests to one vendor, as the pool sends them."""

from __future__ import annotations

import asyncio
import ssl
from functools import partial
from typing import TYPE_CHECKING, Any

from showcost.config.api import ApiSpec
from showcost.vendor_api.client import SharedLimits, Vendor
from showcost.vendor_api.failures import RequestFailedError
from showcost.vendor_api.guard import resolve
from showcost.vendor_api.limits import MemoryBudget
from showcost_tests.vendor_api.vendors import RETRIES

if TYPE_CHECKING:
    from showcost.vendor_api.guard import Resolver


def api(base_url: str, **settings: Any) -> ApiSpec:  # noqa: ANN401 -- of the API
    content = {"base_url": base_url, "pages": {"kind": "page", "size": 10}, "retries": RETRIES} | settings
    return ApiSpec.model_validate(content)


def vendor_of(spec: ApiSpec, resolver: Resolver = resolve, *, tls: ssl.SSLContext | None = None) -> Vendor:
    shared = SharedLimits(asyncio.Semaphore(8), MemoryBudget(2**26), tls or ssl.create_default_context())
    return Vendor("vendor", spec, shared, resolver)


def fetch(vendor: Vendor) -> bytes:
    """Return the body at the vendor's URL; raises RequestFailedError as the client does."""

    async def requested() -> bytes:
        async with vendor.opened():
            answer = await vendor.retried(partial(vendor.fetch, vendor.url))
            answer.lease.release()
            return answer.received.body

    return asyncio.run(requested())


def failure(vendor: Vendor) -> RequestFailedError:
    """Return the failure of a request to a vendor."""
    try:
        fetch(vendor)
    except RequestFailedError as error:
        return error
    raise AssertionError("the vendor answered")
