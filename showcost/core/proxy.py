"""The proxy of the network, if there is one: a setting of showcost's own.

The variables `http_proxy` and `https_proxy` are ignored: they would lead requests around the checks of
addresses without a word.
"""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import urlsplit

from showcost.core.errors import InputError

PROXY_VARIABLE: Final = "SHOWCOST_PROXY"
"""The environment variable with the proxy for rates, vendors and webhooks, such as http://proxy.example:3128."""

_SCHEMES: Final = frozenset({"http", "https"})


def proxy_url() -> str | None:
    """Return the URL of the proxy; None if requests go out directly. Raises InputError for one that is none.

    The URL may have a user and a password; no message repeats it.
    """
    text = os.environ.get(PROXY_VARIABLE, "").strip()
    if not text:
        return None
    try:
        parts = urlsplit(text)
        valid = bool(parts.hostname) and parts.scheme in _SCHEMES and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise InputError(f"{PROXY_VARIABLE} must be a URL such as http://proxy.example:3128")
    return text
