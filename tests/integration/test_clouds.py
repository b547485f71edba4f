"""Claude, OpenAI's and Google's models at the clouds that resell them: signed, wrapped, read back, priced."""

from __future__ import annotations

import base64
import contextlib
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from costspan.wire import json
from fakes.event_stream import write_event
from fakes.gateway import running
from fakes.upstream import Answer, FakeUpstream
from fakes.upstream_answers import anthropic_reply, anthropic_stream, openai_reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.gateway import Running

SONNET = "us.anthropic.claude-sonnet-5-v1:0"
PRICES = """
prices:
  catalog: none
  table: [{provider: cloud, model: "*", input: 3, output: 15}]
"""
CLAUDE = {"max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(autouse=True)
def aws_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret-key")


@contextlib.asynccontextmanager
async def cloud(folder: Path, entry: str, upstream: FakeUpstream, more: str = "") -> AsyncIterator[Running]:
    """A gateway with one provider, `cloud`, at `upstream`."""
    config = f'providers:\n  cloud: {{{entry}, base_url: "{upstream.url}"}}\n{more}'
    async with running(folder, config, prices=PRICES) as gateway:
        yield gateway


async def ask(url: str, path: str, body: object, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{url}{path}", json=body, headers=headers) as response,
    ):
        return response.status, await (response.json() if response.status == 200 else response.text())


async def test_claude_on_bedrock_is_asked_in_its_own_dialect_and_signed(tmp_path: Path) -> None:
    async with (
        FakeUpstream(anthropic_reply()) as upstream,
        cloud(tmp_path, "kind: bedrock, region: us-east-1", upstream) as gateway,
    ):
        status, answer = await ask(
            gateway.url,
            "/v1/messages",
            {"model": f"cloud/{SONNET}", **CLAUDE},
            {"anthropic-beta": "context-1m-2025-08-07"},
        )
        (attempt,) = gateway.records("attempt")
        (request,) = upstream.requests

    assert (status, answer["content"][0]["text"]) == (200, "Hello!")
    assert request.path == "/model/us.anthropic.claude-sonnet-5-v1%3A0/invoke"
    assert json.loads_object(request.body) == {
        **CLAUDE,
        "anthropic_version": "bedrock-2023-05-31",
        "anthropic_beta": ["context-1m-2025-08-07"],
    }
    assert "/us-east-1/bedrock/aws4_request" in (request.header("authorization") or "")
    assert request.header("anthropic-beta") is None
    assert attempt["cost_status"] == "exact"


async def test_a_stream_of_claude_on_bedrock_is_the_stream_of_claude(tmp_path: Path) -> None:
    events = b"".join(step for step in anthropic_stream().body if isinstance(step, bytes))
    payloads = [line.removeprefix(b"data: ") for line in events.split(b"\n") if line.startswith(b"data: ")]
    frames = [write_event("chunk", json.dumps({"bytes": base64.b64encode(data).decode()})) for data in payloads]
    answer = Answer(
        headers=(("content-type", "application/vnd.amazon.eventstream"),), body=b"".join(frames), framing="chunked"
    )
    async with (
        FakeUpstream(answer) as upstream,
        cloud(tmp_path, "kind: bedrock, region: us-east-1", upstream) as gateway,
        aiohttp.ClientSession() as client,
        client.post(
            f"{gateway.url}/v1/messages", json={"model": f"cloud/{SONNET}", "stream": True, **CLAUDE}
        ) as response,
    ):
        seen = await response.read()
        (request,) = upstream.requests

    assert response.headers["content-type"].startswith("text/event-stream")
    assert [line.removeprefix(b"data: ") for line in seen.split(b"\n") if line.startswith(b"data: ")] == payloads
    assert request.path.endswith("/invoke-with-response-stream")
    assert b"stream" not in request.body


async def test_a_bedrock_key_is_sent_as_it_is(tmp_path: Path) -> None:
    async with (
        FakeUpstream(anthropic_reply()) as upstream,
        cloud(tmp_path, "kind: bedrock, region: us-east-1, api_key: bedrock-api-key", upstream) as gateway,
    ):
        await ask(gateway.url, "/v1/messages", {"model": f"cloud/{SONNET}", **CLAUDE})
        (request,) = upstream.requests

    assert request.header("authorization") == "Bearer bedrock-api-key"


async def test_azure_is_asked_by_deployment(tmp_path: Path) -> None:
    entry = 'kind: azure, api_key: azure-key, api_version: "2024-10-21"'
    async with FakeUpstream(openai_reply()) as upstream, cloud(tmp_path, entry, upstream) as gateway:
        status, _ = await ask(
            gateway.url,
            "/v1/chat/completions",
            {"model": "cloud/my-gpt", "messages": [{"role": "user", "content": "hi"}]},
        )
        (request,) = upstream.requests

    assert status == 200
    assert request.path == "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21"
    assert (request.header("api-key"), request.header("authorization")) == ("azure-key", None)


async def test_without_credentials_the_next_target_is_asked_and_nothing_is_billed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    async with FakeUpstream(anthropic_reply()) as bedrock, FakeUpstream(anthropic_reply("Here.")) as other:
        config = (
            "providers:\n"
            f'  cloud: {{kind: bedrock, region: us-east-1, base_url: "{bedrock.url}"}}\n'
            f'  two: {{kind: anthropic, base_url: "{other.url}", api_key: test-key}}\n'
            f'routes: {{claude: {{targets: ["cloud/{SONNET}", two/claude-sonnet-5]}}}}\n'
        )
        async with running(tmp_path, config, prices=PRICES) as gateway:
            status, answer = await ask(gateway.url, "/v1/messages", {"model": "claude", **CLAUDE})
            attempts = gateway.records("attempt")

    assert (status, answer["content"][0]["text"]) == (200, "Here.")
    assert bedrock.requests == []
    assert [(attempt["error_type"], attempt["cost_status"]) for attempt in attempts if attempt["error_type"]] == [
        ("credentials_error", "free")
    ]


async def test_without_credentials_and_another_target_the_answer_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    async with (
        FakeUpstream(anthropic_reply()) as upstream,
        cloud(tmp_path, "kind: bedrock, region: us-east-1", upstream) as gateway,
    ):
        status, answer = await ask(gateway.url, "/v1/messages", {"model": f"cloud/{SONNET}", **CLAUDE})

    assert status == 502
    assert "credentials" in answer
    assert upstream.requests == []


async def test_a_body_for_a_path_of_bedrock_s_own_is_signed_whole(tmp_path: Path) -> None:
    async with (
        FakeUpstream(Answer(body=b'{"inputTokens":9}')) as upstream,
        cloud(tmp_path, "kind: bedrock, region: us-east-1", upstream) as gateway,
    ):
        path = "/model/anthropic.claude-sonnet-5/count-tokens"
        status, answer = await ask(gateway.url, f"/providers/cloud{path}", {"input": {}})
        (request,) = upstream.requests

    assert (status, answer) == (200, {"inputTokens": 9})
    assert (request.path, json.loads_object(request.body)) == (path, {"input": {}})
    assert "/us-east-1/bedrock/aws4_request" in (request.header("authorization") or "")
