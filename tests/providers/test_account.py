"""costspan.providers.account: which dialect to use towards which model, and the headers of a request."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from costspan.providers.account import Cloud, request_headers
from fakes.accounts import IN_AMERICA, IN_EUROPE, account

if TYPE_CHECKING:
    from costspan.providers.account import Account

CHAT = {"openai-chat", "openai-responses", "anthropic-messages", "gemini-generate", "bedrock-converse", "mistral-chat"}
EMBEDDINGS = {"openai-embeddings", "gemini-embed", "gemini-batch-embed", "vertex-embed", "titan-embed", "cohere-embed"}

OPENAI = account("openai")
AZURE = account("azure", "http://127.0.0.1:9")
BEDROCK = account("bedrock", None, IN_AMERICA)
VERTEX = account("vertex", None, IN_EUROPE)

CHOICES: dict[str, tuple[Account, str, str, set[str], str | None]] = {
    "its own": (OPENAI, "openai-responses", "gpt-5.4", CHAT, "openai-responses"),
    "its own though another is preferred": (
        BEDROCK,
        "bedrock-converse",
        "anthropic.claude-x",
        CHAT,
        "bedrock-converse",
    ),
    "the preferred of the kind": (OPENAI, "anthropic-messages", "gpt-5.4", CHAT, "openai-chat"),
    "of a model that only Responses serve": (OPENAI, "openai-chat", "gpt-5-codex", CHAT, "openai-responses"),
    "and another such": (OPENAI, "openai-chat", "codex-mini-latest", CHAT, "openai-responses"),
    "and another": (AZURE, "anthropic-messages", "o3-pro-2025-06-10", CHAT, "openai-responses"),
    "Claude on Bedrock": (BEDROCK, "openai-chat", "us.anthropic.claude-sonnet-5-v1:0", CHAT, "anthropic-messages"),
    "Claude by a profile's name": (
        BEDROCK,
        "anthropic-messages",
        "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-5-v1:0",
        CHAT,
        "anthropic-messages",
    ),
    "Nova on Bedrock": (BEDROCK, "anthropic-messages", "us.amazon.nova-2-lite-v1:0", CHAT, "bedrock-converse"),
    "a profile that does not tell": (
        BEDROCK,
        "anthropic-messages",
        "arn:aws:bedrock:us-east-1:1:application-inference-profile/x",
        CHAT,
        "bedrock-converse",
    ),
    "Claude on Vertex": (VERTEX, "openai-chat", "claude-sonnet-4-5@20250929", CHAT, "anthropic-messages"),
    "Gemini on Vertex": (VERTEX, "anthropic-messages", "gemini-3.8-flash", CHAT, "gemini-generate"),
    "embeddings": (account("mistral"), "openai-embeddings", "mistral-embed", EMBEDDINGS, "openai-embeddings"),
    "several texts for Gemini": (
        account("gemini"),
        "openai-embeddings",
        "gemini-embedding-001",
        EMBEDDINGS,
        "gemini-batch-embed",
    ),
    "embeddings on Bedrock": (BEDROCK, "openai-embeddings", "amazon.titan-embed-text-v2:0", EMBEDDINGS, "titan-embed"),
    "embeddings of a chat model": (BEDROCK, "openai-embeddings", "amazon.nova-2-lite-v1:0", EMBEDDINGS, None),
    "embeddings where there are none": (account("anthropic"), "openai-embeddings", "claude-sonnet-5", EMBEDDINGS, None),
    "not one that is not registered": (account("mistral"), "openai-chat", "mistral-large", {"openai-chat"}, None),
    "passed": (account("together"), "rerank", "any", {"rerank"}, "rerank"),
    "not passed": (account("groq"), "rerank", "any", {"rerank"}, None),
}


@pytest.mark.parametrize(("mine", "client", "model", "among", "expected"), CHOICES.values(), ids=CHOICES.keys())
def test_the_dialect_towards_a_model(
    mine: Account, client: str, model: str, among: set[str], expected: str | None
) -> None:
    assert mine.dialect_for(client, model, among) == expected


KEYS: dict[str, tuple[Account, tuple[str, str]]] = {
    "openai": (OPENAI, ("authorization", "Bearer the-key")),
    "azure": (AZURE, ("api-key", "the-key")),
    "anthropic": (account("anthropic"), ("x-api-key", "the-key")),
    "gemini": (account("gemini"), ("x-goog-api-key", "the-key")),
    "vertex": (VERTEX, ("x-goog-api-key", "the-key")),
    "bedrock": (BEDROCK, ("authorization", "Bearer the-key")),
    "mistral": (account("mistral"), ("authorization", "Bearer the-key")),
    "cohere": (account("cohere"), ("authorization", "Bearer the-key")),
}


@pytest.mark.parametrize(("mine", "expected"), KEYS.values(), ids=KEYS.keys())
def test_the_key_goes_where_the_kind_looks_for_it(mine: Account, expected: tuple[str, str]) -> None:
    assert [header for header in request_headers(mine, "the-key", ()) if "the-key" in header[1]] == [expected]


def test_the_mock_is_given_no_key() -> None:
    assert "the-key" not in str(request_headers(account("mock"), "the-key", ()))


def test_the_key_wins_over_what_is_configured_and_that_over_the_clients() -> None:
    mine = replace(OPENAI, headers=(("authorization", "configured"), ("openai-beta", "configured")))

    headers = dict(request_headers(mine, "the-key", [("openai-beta", "sent"), ("user-agent", "sent")]))

    assert headers["authorization"] == "Bearer the-key"
    assert headers["openai-beta"] == "configured"
    assert headers["user-agent"] == "sent"


def test_a_request_without_a_body_has_no_type() -> None:
    assert "content-type" not in dict(request_headers(OPENAI, None, [("content-type", "application/json")], None))


def test_prices_are_those_of_the_kind_or_as_told() -> None:
    assert account("bedrock", None, Cloud(region="us-east-1")).catalog == "aws"
    assert account("vertex", None, IN_EUROPE).catalog == account("gemini").catalog == "google"
    assert (AZURE.catalog, account("mistral").catalog, account("cohere").catalog) == ("azure", "mistral", "cohere")
    assert replace(OPENAI, price_as="free").catalog == "free"
