"""costspan.providers.raw: a provider's own paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from costspan.errors import ClientError
from costspan.providers.raw import raw_path
from fakes.accounts import IN_AMERICA, IN_EUROPE, account

if TYPE_CHECKING:
    from costspan.providers.account import Account

PASSED: dict[str, tuple[Account, str, str, str]] = {
    "as the documentation writes it": (account("openai"), "/v1/files", "", "/v1/files"),
    "with a query": (account("openai"), "/v1/files", "limit=2&after=a%2Fb", "/v1/files?limit=2&after=a%2Fb"),
    "without the slash": (account("openai"), "v1/files", "", "/v1/files"),
    "behind a proxy's path": (
        account("openai", "http://127.0.0.1:9/tenant-a/v1"),
        "/v1/files",
        "",
        "/tenant-a/v1/files",
    ),
    "behind a proxy that adds nothing": (account("openai", "http://127.0.0.1:9/v1"), "/v1/files", "", "/v1/files"),
    "a longer base path": (account("groq"), "/openai/v1/models", "", "/openai/v1/models"),
    "a mirror with another base path": (account("groq", "http://127.0.0.1:9/v1"), "/v1/models", "", "/v1/models"),
    "a host of its own": (account("vllm", "http://127.0.0.1:9/a/v1"), "/tokenize", "", "/a/tokenize"),
    "azure": (
        account("azure", "https://me.openai.azure.com/openai/v1"),
        "/openai/v1/files",
        "api-version=preview",
        "/openai/v1/files?api-version=preview",
    ),
    "vertex": (
        account("vertex", None, IN_EUROPE),
        "/v1beta1/projects/p/x:predict",
        "",
        "/v1beta1/projects/p/x:predict",
    ),
    "bedrock": (account("bedrock", None, IN_AMERICA), "/model/a%3A0/invoke", "", "/model/a%3A0/invoke"),
    "a slash within a name": (account("openai"), "/v1/models/ft%2Fx", "", "/v1/models/ft%2Fx"),
    "a slash at the end": (account("openai"), "/v1/models/", "", "/v1/models/"),
    "dots within a name": (account("openai"), "/v1/models/gpt-5..x", "", "/v1/models/gpt-5..x"),
}


@pytest.mark.parametrize(("mine", "path", "query", "expected"), PASSED.values(), ids=PASSED.keys())
def test_a_path_of_the_provider(mine: Account, path: str, query: str, expected: str) -> None:
    assert raw_path(mine, path, query) == expected


REFUSED = [
    "/v1/../admin",
    "/v1/./files",
    "/v1/..",
    "/..;x/admin",
    "/v1/%2e%2e/admin",
    "/v1/%2E./admin",
    "/v1/%252e%252e/admin",
    "/v1/..%2fadmin",
    "//evil.example.com/v1",
    "/v1//files",
    "/v1/%2f/files",
    "/v1/a\\b",
    "/v1/a%5cb",
    "/v1/a%0d%0ax",
    "/v1/a%00",
    "/v1/a b",
    "/v1/a\r\nx: y",
    "/v1/caf\u00e9",
    "/v1/files?x=1",
    "/v1/files#x",
]


@pytest.mark.parametrize("path", REFUSED)
def test_a_path_that_may_lead_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(ClientError) as caught:
        raw_path(account("openai"), path)

    assert (caught.value.status, caught.value.code) == (400, "invalid_value")
    assert path not in str(caught.value)


@pytest.mark.parametrize("query", ["a=b c", "a=\r\nx: y", "a=b#c", "a=\u00e9"])
def test_a_query_that_is_none_is_refused(query: str) -> None:
    with pytest.raises(ClientError):
        raw_path(account("openai"), "/v1/files", query)
