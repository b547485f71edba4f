"""Google's paths: the model and the method stand in them, the key may stand in the query."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
from google import genai

from costspan.wire import json, sse
from fakes.gateway import running
from fakes.upstream import FakeUpstream
from fakes.upstream_answers import gemini_reply, gemini_stream, openai_reply, openai_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.gateway import Running
    from fakes.upstream import Answer, Request

KEY = "cs-client-key-of-the-application"
CONFIG = """
keys: [{{name: application, hash: "sha256:{hash}"}}]
providers:
  one: {{kind: openai, base_url: "{url}/v1", api_key: test-key-one}}
  two: {{kind: gemini, base_url: "{url}/v1beta", api_key: test-key-two}}
routes: {{chat: one/gpt-fake, flash: two/gemini-3-flash}}
"""
PRICES = """
prices:
  catalog: none
  table:
    - {provider: openai, model: "*", input: 2, output: 8}
    - {provider: gemini, model: "*", input: 1, output: 4}
"""
ASKED = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}


def script(request: Request) -> Answer:
    stream = b'"stream":true' in request.body or "streamGenerateContent" in request.path
    if request.path.startswith("/v1beta"):
        return gemini_stream() if stream else gemini_reply()
    return openai_stream() if stream else openai_reply()


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[Running, FakeUpstream]]:
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    async with (
        FakeUpstream(script, reads=True) as upstream,
        running(folder, CONFIG.format(url=upstream.url, hash=digest), prices=PRICES) as gateway,
    ):
        yield gateway, upstream


def ask(url: str, model: str, *, stream: bool) -> str:
    client = genai.Client(api_key=KEY, http_options={"base_url": url})
    try:
        if not stream:
            return client.models.generate_content(model=model, contents="hello").text or ""
        return "".join(part.text or "" for part in client.models.generate_content_stream(model=model, contents="hello"))
    finally:
        client.close()


async def test_google_s_client_reaches_google_and_openai(tmp_path: Path) -> None:
    async with serving(tmp_path) as (gateway, upstream):
        for model in ("flash", "chat", "two/gemini-3-pro", "one/gpt-5"):
            for stream in (False, True):
                assert await asyncio.to_thread(ask, gateway.url, model, stream=stream) == "Hello!"

        paths = [request.path for request in upstream.requests]
        assert paths == [
            "/v1beta/models/gemini-3-flash:generateContent",
            "/v1beta/models/gemini-3-flash:streamGenerateContent?alt=sse",
            "/v1/chat/completions",
            "/v1/chat/completions",
            "/v1beta/models/gemini-3-pro:generateContent",
            "/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse",
            "/v1/chat/completions",
            "/v1/chat/completions",
        ]
        assert upstream.requests[0].header("x-goog-api-key") == "test-key-two"
        costs = {record["cost_usd"] for record in gateway.records("exchange")}
        assert costs == {"0.000021", "0.000042"}  # 9 x 1 + 3 x 4, and 9 x 2 + 3 x 8 USD per million


async def test_a_body_passes_byte_for_byte(tmp_path: Path) -> None:
    body = b'{ "contents":[{"parts":[{"text":"hello"}]}], "generationConfig":{"temperature":1.50}, "new": [1] }'
    async with serving(tmp_path) as (gateway, upstream), aiohttp.ClientSession() as client:
        url = f"{gateway.url}/v1beta/models/flash:generateContent?key={KEY}"
        async with client.post(url, data=body, headers={"content-type": "application/json"}) as answer:
            assert answer.status == 200
            assert await answer.read() == gemini_reply().body

        assert upstream.requests[0].body == body
        assert KEY not in upstream.requests[0].path


async def streamed(gateway: Running, query: str, model: str = "flash") -> tuple[str, bytes]:
    async with (
        aiohttp.ClientSession(headers={"x-goog-api-key": KEY}) as client,
        client.post(f"{gateway.url}/v1beta/models/{model}:streamGenerateContent{query}", json=ASKED) as answer,
    ):
        return answer.headers["content-type"], await answer.read()


async def test_without_alt_sse_the_stream_is_one_json_array(tmp_path: Path) -> None:
    async with serving(tmp_path) as (gateway, _):
        kind, body = await streamed(gateway, "")
        _, events = await streamed(gateway, "?alt=sse")

        assert kind == "application/json; charset=utf-8"
        whole: Any = json.loads(body)
        assert [json.loads(event.data) for event in sse.Parser().feed(events)] == whole
        assert "".join(one["candidates"][0]["content"]["parts"][0]["text"] for one in whole[:2]) == "Hello!"
        _, translated = await streamed(gateway, "", "chat")
        assert isinstance(json.loads(translated), list)


async def test_errors_have_google_s_shape(tmp_path: Path) -> None:
    async with serving(tmp_path) as (gateway, _), aiohttp.ClientSession() as client:
        url = f"{gateway.url}/v1beta/models/flash:generateContent"
        async with client.post(url, json=ASKED) as answer:
            unauthorised = await answer.json()
        async with client.post(f"{url}?key={KEY}", json={"contents": "no"}) as answer:
            wrong = await answer.json()
        async with client.get(f"{url}?key={KEY}") as answer:
            assert answer.status == 405
        async with client.post(f"{gateway.url}/v1beta/models/flash:predict?key={KEY}", json=ASKED) as answer:
            assert answer.status == 404

        assert unauthorised["error"]["code"] == 401
        assert unauthorised["error"]["status"] == "UNAUTHENTICATED"
        assert wrong["error"]["code"] == 400
        assert wrong["error"]["status"] == "INVALID_ARGUMENT"


async def test_tokens_are_counted_by_google_or_estimated(tmp_path: Path) -> None:
    async with serving(tmp_path) as (gateway, upstream), aiohttp.ClientSession() as client:
        for model in ("flash", "chat"):
            url = f"{gateway.url}/v1beta/models/{model}:countTokens?key={KEY}"
            async with client.post(url, json=ASKED) as answer:
                assert answer.status == 200
                estimated = answer.headers.get("x-costspan-estimated")
                assert estimated == (None if model == "flash" else "totalTokens")

        [request] = upstream.requests
        assert request.path == "/v1beta/models/gemini-3-flash:countTokens"
