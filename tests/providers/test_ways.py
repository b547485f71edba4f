"""costspan.providers.ways: what is sent where, byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from costspan.providers import ways
from costspan.providers.account import Cloud
from costspan.providers.ways.asked import Asked
from fakes.accounts import IN_AMERICA, IN_EUROPE, account

if TYPE_CHECKING:
    from costspan.providers.account import Account
    from costspan.wire.http import Outgoing

CLAUDE = b'{"model":"claude","stream":true,"max_tokens":5,"messages":[{"role":"user","content":"caf\\u00e9 1.50"}]}'
BEDROCK = account("bedrock", None, IN_AMERICA)
VERTEX = account("vertex", None, IN_EUROPE)


def sent(
    mine: Account,
    dialect: str,
    path: str,
    model: str = "m",
    *,
    body: bytes = b"{}",
    stream: bool = False,
    forwarded: tuple[tuple[str, str], ...] = (),
) -> Outgoing:
    return ways.outgoing(mine, Asked(dialect, path, model, body, stream=stream, key="the-key", forwarded=forwarded))


def azure(version: str | None) -> Account:
    return account("azure", "https://me.openai.azure.com", Cloud(api_version=version))


PATHS: dict[str, tuple[Account, str, str, str, str]] = {
    "openai": (account("openai"), "openai-chat", "/chat/completions", "m", "/v1/chat/completions"),
    "behind a path": (
        account("openai", "http://127.0.0.1:9/tenant-a/v1"),
        "openai-chat",
        "/chat/completions",
        "m",
        "/tenant-a/v1/chat/completions",
    ),
    "gemini": (
        account("gemini"),
        "gemini-generate",
        "/models/m:streamGenerateContent?alt=sse",
        "m",
        "/v1beta/models/m:streamGenerateContent?alt=sse",
    ),
    "cohere": (account("cohere"), "cohere-chat", "/chat", "m", "/v2/chat"),
    "azure v1": (azure(None), "openai-chat", "/chat/completions", "m", "/openai/v1/chat/completions"),
    "azure v1 by name": (azure("v1"), "openai-responses", "/responses", "m", "/openai/v1/responses"),
    "azure v1 in preview": (
        azure("preview"),
        "openai-responses",
        "/responses",
        "m",
        "/openai/v1/responses?api-version=preview",
    ),
    "azure dated": (
        azure("2024-10-21"),
        "openai-chat",
        "/chat/completions",
        "my deployment",
        "/openai/deployments/my%20deployment/chat/completions?api-version=2024-10-21",
    ),
    "azure dated, of the whole resource": (
        azure("2025-04-01-preview"),
        "openai-responses",
        "/responses",
        "m",
        "/openai/responses?api-version=2025-04-01-preview",
    ),
    "vertex": (
        VERTEX,
        "gemini-generate",
        "/models/gemini-3.8-flash:generateContent",
        "gemini-3.8-flash",
        "/v1/projects/my-project/locations/europe-west1/publishers/google/models/gemini-3.8-flash:generateContent",
    ),
    "vertex embeddings": (
        VERTEX,
        "vertex-embed",
        "/models/text-embedding-005:predict",
        "text-embedding-005",
        "/v1/projects/my-project/locations/europe-west1/publishers/google/models/text-embedding-005:predict",
    ),
    "claude on vertex": (
        VERTEX,
        "anthropic-messages",
        "/messages",
        "claude-sonnet-4-5@20250929",
        (
            "/v1/projects/my-project/locations/europe-west1/publishers/anthropic/models/claude-sonnet-4-5@20250929"
            ":rawPredict"
        ),
    ),
    "converse": (
        BEDROCK,
        "bedrock-converse",
        "/model/us.amazon.nova-2-lite-v1%3A0/converse",
        "us.amazon.nova-2-lite-v1:0",
        "/model/us.amazon.nova-2-lite-v1%3A0/converse",
    ),
    "claude on bedrock": (
        BEDROCK,
        "anthropic-messages",
        "/messages",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke",
    ),
    "a profile by its ARN": (
        BEDROCK,
        "anthropic-messages",
        "/messages",
        "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude",
        "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.anthropic.claude/invoke",
    ),
}


@pytest.mark.parametrize(("mine", "dialect", "path", "model", "expected"), PATHS.values(), ids=PATHS.keys())
def test_the_path(mine: Account, dialect: str, path: str, model: str, expected: str) -> None:
    outgoing = sent(mine, dialect, path, model)

    assert (outgoing.method, outgoing.path) == ("POST", expected)


def test_claude_on_vertex_has_its_version_in_the_body_and_its_model_in_the_path() -> None:
    outgoing = sent(VERTEX, "anthropic-messages", "/messages", "claude-opus-5", body=CLAUDE, stream=True)

    assert outgoing.path.endswith("/publishers/anthropic/models/claude-opus-5:streamRawPredict")
    assert outgoing.body == (
        b'{"anthropic_version":"vertex-2023-10-16","stream":true,"max_tokens":5,'
        b'"messages":[{"role":"user","content":"caf\\u00e9 1.50"}]}'
    )


def test_vertex_takes_beta_features_by_header_and_no_version() -> None:
    forwarded = (("anthropic-beta", "context-1m-2025-08-07"), ("anthropic-version", "2023-06-01"))

    headers = dict(sent(VERTEX, "anthropic-messages", "/messages", body=CLAUDE, forwarded=forwarded).headers)

    assert headers["anthropic-beta"] == "context-1m-2025-08-07"
    assert "anthropic-version" not in headers


def test_claude_on_bedrock_says_in_the_path_whether_it_streams() -> None:
    outgoing = sent(BEDROCK, "anthropic-messages", "/messages", "anthropic.claude-x", body=CLAUDE, stream=True)

    assert outgoing.path == "/model/anthropic.claude-x/invoke-with-response-stream"
    assert outgoing.body == (
        b'{"anthropic_version":"bedrock-2023-05-31","max_tokens":5,'
        b'"messages":[{"role":"user","content":"caf\\u00e9 1.50"}]}'
    )


def test_bedrock_takes_beta_features_in_the_body() -> None:
    forwarded = (
        ("anthropic-beta", "context-1m-2025-08-07, ,interleaved-thinking-2025-05-14"),
        ("anthropic-version", "2023-06-01"),
        ("accept", "text/event-stream"),
        ("user-agent", "claude-cli/3"),
    )

    outgoing = sent(BEDROCK, "anthropic-messages", "/messages", body=b'{"model":"x"}', forwarded=forwarded)

    assert outgoing.body == (
        b'{"anthropic_version":"bedrock-2023-05-31",'
        b'"anthropic_beta":["context-1m-2025-08-07","interleaved-thinking-2025-05-14"]}'
    )
    assert dict(outgoing.headers) == {
        "accept-encoding": "identity",
        "authorization": "Bearer the-key",
        "content-type": "application/json",
        "user-agent": "claude-cli/3",
    }


def test_what_the_client_says_itself_stays() -> None:
    body = b'{"model":"x","anthropic_version":"bedrock-2024-01-01"}'

    assert sent(BEDROCK, "anthropic-messages", "/messages", body=body).body == (
        b'{"anthropic_version":"bedrock-2024-01-01"}'
    )


def test_other_bodies_are_not_touched() -> None:
    body = b'{ "model" : "m" }'

    for mine in (account("openai"), azure(None), azure("2024-10-21")):
        assert sent(mine, "openai-chat", "/chat/completions", body=body).body == body
    assert sent(BEDROCK, "bedrock-converse", "/model/m/converse", body=body).body == body
    assert sent(VERTEX, "gemini-generate", "/models/m:generateContent", body=body).body == body


FRAMINGS: dict[str, tuple[Account, str, bool, str]] = {
    "openai": (account("openai"), "openai-chat", True, "sse"),
    "vertex": (VERTEX, "anthropic-messages", True, "sse"),
    "azure": (azure(None), "openai-responses", True, "sse"),
    "converse": (BEDROCK, "bedrock-converse", True, "aws-converse"),
    "claude on bedrock": (BEDROCK, "anthropic-messages", True, "aws-invoke"),
    "not streamed": (BEDROCK, "anthropic-messages", False, "sse"),
}


@pytest.mark.parametrize(("mine", "dialect", "stream", "expected"), FRAMINGS.values(), ids=FRAMINGS.keys())
def test_the_framing_of_the_answer(mine: Account, dialect: str, stream: bool, expected: str) -> None:
    assert ways.framing(mine, dialect, stream=stream) == expected
