"""Secrets of an API: in the environment, never in a feed's file."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from showcost.config.api import ApiSpec

PLAIN = {"base_url": "https://api.vendor.example/v1", "pages": {"kind": "page", "size": 10}}


@pytest.mark.parametrize(
    "name",
    [
        *("key", "api_key", "apiKey", "API-KEY", "apikey", "X.Api.Key", "subscription-key", "access_token"),
        *("token", "client_secret", "password", "pwd", "sig", "signature", "auth", "sessionId", "appKey"),
    ],
)
def test_a_literal_secret_in_the_parameters_is_refused(name: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ApiSpec.model_validate(PLAIN | {"parameters": {name: "4f2a9c81"}})
    assert "no secret in this file" in str(refused.value)
    assert f"parameter: {name}" in str(refused.value)


@pytest.mark.parametrize(
    "name", ["status", "sort_key", "orderKey", "keyword", "include", "tokens_before", "author", "monkey", "1"]
)
def test_other_parameters_are_not_secrets(name: str) -> None:
    assert ApiSpec.model_validate(PLAIN | {"parameters": {name: "x"}}).parameters == {name: "x"}


def test_a_token_is_in_a_header_or_in_a_parameter() -> None:
    auth = {"variable": "TOKEN", "parameter": "api_key"}
    assert ApiSpec.model_validate(PLAIN | {"auth": auth}).auth is not None
    with pytest.raises(ValidationError, match="`header` with `scheme`"):
        ApiSpec.model_validate(PLAIN | {"auth": auth | {"header": "X-Key"}})
    with pytest.raises(ValidationError, match="'page' occurs twice"):
        ApiSpec.model_validate(PLAIN | {"auth": auth | {"parameter": "page"}})
