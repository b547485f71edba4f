"""A provider's own paths, passed as sent: `/providers/{provider}/...`."""

from __future__ import annotations

import asyncio
import hashlib
import io
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest

from costspan.wire import json
from fakes.gateway import running
from fakes.upstream import Answer, Cut, FakeUpstream
from fakes.upstream_answers import openai_reply, openai_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.gateway import Running
    from fakes.upstream import Script

KEY = "cs-client-key-of-the-application"
NARROW = "cs-client-key-for-one-model"
CONFIG = """
keys:
  - {{name: application, hash: "sha256:{wide}"}}
  - {{name: narrow, hash: "sha256:{narrow}", routes: [chat, "one/gpt-*"]}}
providers:
  one: {{kind: openai, base_url: "{url}/tenant/v1", api_key: test-key-of-one}}
routes: {{chat: one/gpt-fake}}
"""
CHAT = {"model": "gpt-fake", "messages": [{"role": "user", "content": "hello"}]}


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


@asynccontextmanager
async def serving(folder: Path, script: Script) -> AsyncIterator[tuple[Running, FakeUpstream, aiohttp.ClientSession]]:
    async with FakeUpstream(script) as upstream:
        config = CONFIG.format(url=upstream.url, wide=digest(KEY), narrow=digest(NARROW))
        async with running(folder, config) as gateway, aiohttp.ClientSession(headers=bearer(KEY)) as client:
            yield gateway, upstream, client


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


async def test_a_known_path_passes_byte_for_byte_and_is_priced(tmp_path: Path) -> None:
    body = b'{"model": "gpt-fake",  "messages":[{"role":"user","content":"hello"}], "new": 1.50}'
    async with serving(tmp_path, openai_reply()) as (gateway, upstream, client):
        url = f"{gateway.url}/providers/one/v1/chat/completions"
        async with client.post(url, data=body, headers={"content-type": "application/json"}) as answer:
            assert answer.status == 200
            assert await answer.read() == openai_reply().body
            assert answer.headers["x-costspan-target"] == "one/gpt-fake"

    [request] = upstream.requests
    assert (request.method, request.path, request.body) == ("POST", "/tenant/v1/chat/completions", body)
    assert request.header("authorization") == "Bearer test-key-of-one"
    [attempt] = gateway.records("attempt")
    assert attempt["dialect_in"] == attempt["dialect_out"] == "openai-chat"
    assert attempt["cost_status"] == "exact"
    assert attempt["usage"] == {"input": 9, "output": 3}
    assert attempt["cost_usd"] == "0.000042"  # 9 x 2 USD + 3 x 8 USD per million


async def test_a_stream_passes_as_it_is_and_its_usage_is_read_from_aside(tmp_path: Path) -> None:
    stream = openai_stream()
    async with serving(tmp_path, stream) as (gateway, _, client):
        async with client.post(
            f"{gateway.url}/providers/one/v1/chat/completions", json=CHAT | {"stream": True}
        ) as answer:
            assert answer.headers["content-type"] == "text/event-stream"
            passed = await answer.read()

        body = stream.body
        assert passed == (body if isinstance(body, bytes) else b"".join(p for p in body if isinstance(p, bytes)))
        [attempt] = gateway.records("attempt")
        assert (attempt["outcome"], attempt["cost_status"]) == ("ok", "exact")


async def test_an_unknown_path_passes_and_is_unpriced(tmp_path: Path) -> None:
    listed = Answer(headers=[("content-type", "application/json"), ("set-cookie", "a=b")], body=b'{"data": []}')
    async with serving(tmp_path, listed) as (gateway, upstream, client):
        async with client.get(f"{gateway.url}/providers/one/v1/files?limit=2&key=x&after=%20a") as answer:
            assert answer.status == 400  # two different keys
        async with client.get(f"{gateway.url}/providers/one/v1/files?limit=2&after=%20a") as answer:
            assert (answer.status, await answer.read()) == (200, b'{"data": []}')
            assert "set-cookie" not in answer.headers
        async with client.delete(f"{gateway.url}/providers/one/v1/files/f-1") as answer:
            assert answer.status == 200

    assert [(r.method, r.path) for r in upstream.requests] == [
        ("GET", "/tenant/v1/files?limit=2&after=%20a"),
        ("DELETE", "/tenant/v1/files/f-1"),
    ]
    assert {record["cost_status"] for record in gateway.records("attempt")} == {"unpriced"}
    assert {record["dialect_out"] for record in gateway.records("attempt")} == {"raw"}


async def test_the_key_in_the_query_does_not_reach_the_provider(tmp_path: Path) -> None:
    async with serving(tmp_path, Answer(body=b"{}")) as (gateway, upstream, _), aiohttp.ClientSession() as client:
        async with client.get(f"{gateway.url}/providers/one/v1/files?key={KEY}&limit=2") as answer:
            assert answer.status == 200

        assert upstream.requests[0].path == "/tenant/v1/files?limit=2"


async def test_a_refusal_passes_in_the_provider_s_own_words(tmp_path: Path) -> None:
    refusal = Answer(404, body=b'{"error":{"message":"no such file","weird":[1]}}')
    async with serving(tmp_path, refusal) as (gateway, _, client):
        async with client.get(f"{gateway.url}/providers/one/v1/files/f-2") as answer:
            assert (answer.status, await answer.read()) == (404, refusal.body)

        [attempt] = gateway.records("attempt")
        [exchange] = gateway.records("exchange")
        assert (attempt["outcome"], attempt["http_status"], attempt["error_type"]) == ("failed", 404, "http_404")
        assert (exchange["outcome"], exchange["http_status"], attempt["cost_status"]) == ("failed", 404, "free")


async def test_a_refusal_about_our_key_is_told_in_our_words(tmp_path: Path) -> None:
    refusal = Answer(401, body=b'{"error":{"message":"Incorrect API key provided: test-key-of-one"}}')
    async with serving(tmp_path, refusal) as (gateway, _, client):
        async with client.get(f"{gateway.url}/providers/one/v1/files") as answer:
            told = json.loads_object(await answer.read())

        assert answer.status == 502
        assert told["error"]["code"] == "upstream_auth"
        assert "test-key" not in str(told)


@pytest.mark.parametrize(
    "path",
    ["v1/../../secret", "v1/%2e%2e/x", "v1//x", "v1/%5cx", "v1/%252e%252e/x", "v1/a%0d%0ab"],
)
async def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path, Answer(body=b"{}")) as (gateway, upstream, _):
        head = f"GET /providers/one/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {KEY}\r\n\r\n"
        status = await raw_status(gateway.url, head)

    assert status == 400
    assert upstream.requests == []


async def raw_status(url: str, head: str) -> int:
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head.encode())
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return int(line.split()[1])


async def test_a_key_for_some_models_may_not_use_the_paths(tmp_path: Path) -> None:
    async with serving(tmp_path, Answer(body=b"{}")) as (gateway, upstream, client):
        url = f"{gateway.url}/providers/one/v1/chat/completions"
        async with client.post(url, json=CHAT, headers=bearer(NARROW)) as answer:
            assert answer.status == 403
        async with client.get(f"{gateway.url}/providers/other/v1/x") as answer:
            assert answer.status == 404

        assert upstream.requests == []


async def test_a_large_body_of_any_kind_is_streamed_through(tmp_path: Path) -> None:
    async with serving(tmp_path, Answer(body=b"{}")) as (gateway, upstream, client):
        data = bytes(range(256)) * 20_000
        async with client.put(
            f"{gateway.url}/providers/one/v1/uploads/1",
            data=io.BytesIO(data),
            headers={"content-type": "application/octet-stream"},
        ) as answer:
            assert answer.status == 200

        assert upstream.requests[0].body == data
        assert upstream.requests[0].header("content-type") == "application/octet-stream"


async def test_an_answer_that_breaks_off_ends_the_client_s_connection(tmp_path: Path) -> None:
    broken = Answer(body=[b'{"half":', Cut.RESET], framing="chunked")
    async with serving(tmp_path, broken) as (gateway, _, client):
        with pytest.raises(aiohttp.ClientPayloadError):
            async with client.get(f"{gateway.url}/providers/one/v1/files") as answer:
                await answer.read()

        [attempt] = gateway.records("attempt")
        assert (attempt["outcome"], attempt["error_type"]) == ("failed", "upstream_reset")
