"""The proxy is a setting of showcost's own."""

from __future__ import annotations

import pytest

from showcost.core.errors import InputError
from showcost.core.proxy import PROXY_VARIABLE, proxy_url


@pytest.mark.parametrize("text", ["http://proxy.example:3128", "https://user:pass@proxy.example", " ", ""])
def test_a_proxy_is_a_url_or_there_is_none(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(PROXY_VARIABLE, text)
    assert proxy_url() == (text.strip() or None)


@pytest.mark.parametrize(
    "text",
    ["proxy.example:3128", "socks5://a.example:1", "http://", "http://a:x", "http://a/b", "http://u:s3@:1"],
)
def test_another_text_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(PROXY_VARIABLE, text)
    with pytest.raises(InputError) as refused:
        proxy_url()
    assert str(refused.value) == f"{PROXY_VARIABLE} must be a URL such as http://proxy.example:3128"
