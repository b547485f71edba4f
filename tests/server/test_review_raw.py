"""Providers' own paths: who may use them, what they may do to others, what the books say (found by review)."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from costspan.wire import json
from fakes.gateway import running
from fakes.raw import connected, send
from fakes.upstream import Answer, FakeUpstream, Request
from fakes.upstream_answers import openai_reply, openai_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.gateway import Running
    from fakes.upstream import Script

PROVIDERS = """
providers:
  one: {{kind: openai, base_url: "{url}/v1", api_key: test-key-of-one}}
  two: {{kind: openai, base_url: "{url}/two/v1", api_key: test-key-of-two}}
routes: {{chat: {{targets: [one/gpt-fake, two/gpt-fake]}}}}
"""
CHAT = {"model": "gpt-fake", "messages": [{"role": "user", "content": "hello"}]}


@asynccontextmanager
async def serving(
    folder: Path, script: Script, more: str = "", **settings: Any
) -> AsyncIterator[tuple[Running, FakeUpstream]]:
    async with (
        asyncio.timeout(10),
        FakeUpstream(script) as upstream,
        running(folder, PROVIDERS.format(url=upstream.url) + more, **settings) as gateway,
    ):
        yield gateway, upstream


async def ask(
    gateway: Running, path: str, body: object = None, *, method: str = "POST", key: str | None = None
) -> tuple[int, bytes]:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    async with (
        aiohttp.ClientSession() as client,
        client.request(method, gateway.url + path, json=body, headers=headers) as answer,
    ):
        return answer.status, await answer.read()


def key_for(*routes: str) -> str:
    digest = hashlib.sha256(b"a-client-key").hexdigest()
    return f'keys: [{{name: narrow, hash: "sha256:{digest}", routes: {json.dumps(routes).decode()}}}]\n'


@pytest.mark.parametrize("status", [401, 403, 429])
async def test_what_a_raw_path_may_not_do_says_nothing_of_the_key(tmp_path: Path, status: int) -> None:
    """`/v1/organization/...` wants other rights than the key has; routes go on with it."""

    def script(request: Request) -> Answer:
        return Answer(status, body=b"{}") if "organization" in request.path else openai_reply()

    async with serving(tmp_path, script) as (gateway, upstream):
        await ask(gateway, "/providers/one/v1/organization/users", method="GET")
        status, _ = await ask(gateway, "/v1/chat/completions", CHAT | {"model": "chat"})

        assert (status, upstream.requests[-1].path) == (200, "/v1/chat/completions")


@pytest.mark.parametrize("told", ["test-key-of-one", "dGVzdC1rZXktb2Ytb25l"])
async def test_a_refusal_that_tells_our_key_does_not_pass(tmp_path: Path, told: str) -> None:
    refusal = Answer(400, body=b'{"error":{"message":"bad header: Bearer %s"}}' % told.encode())
    async with serving(tmp_path, refusal) as (gateway, _):
        for path in ("/providers/one/v1/files", "/providers/one/v1/chat/completions"):
            status, body = await ask(gateway, path, CHAT)

            assert status == 400
            assert told.encode() not in body
            assert b"cs_" in body
        assert {record["outcome"] for record in gateway.records("attempt")} == {"failed"}


@pytest.mark.parametrize(
    ("pattern", "status"), [("*-mini", 403), ("*", 200), ("one/*", 200), ("one/v1/files/*", 200), ("two/*", 403)]
)
async def test_a_pattern_for_models_opens_no_paths(tmp_path: Path, pattern: str, status: int) -> None:
    async with serving(tmp_path, Answer(body=b"{}"), key_for(pattern)) as (gateway, _):
        path = "/providers/one/v1/files/of-gpt-mini"

        assert (await ask(gateway, path, method="DELETE", key="a-client-key"))[0] == status


async def test_a_gateway_of_routes_only_has_no_raw_paths(tmp_path: Path) -> None:
    async with serving(tmp_path, Answer(body=b"{}"), "direct_targets: false\n") as (gateway, upstream):
        status, body = await ask(gateway, "/providers/one/v1/chat/completions", CHAT)

        assert (status, json.loads_object(body)["error"]["code"]) == (403, "route_not_allowed")
        assert upstream.requests == []


@pytest.mark.parametrize("model", ["x" * 257, "a\nb", "", 5, None])
async def test_what_is_no_name_of_a_model_is_in_no_record(tmp_path: Path, model: object) -> None:
    async with serving(tmp_path, openai_reply(model="")) as (gateway, _):
        assert (await ask(gateway, "/providers/one/v1/chat/completions", CHAT | {"model": model}))[0] == 200

        [attempt] = gateway.records("attempt")
        assert attempt["model_requested"] == attempt["model_asked"] == "unknown"
        assert attempt["cost_status"] == "unpriced"  # whatever a table says of all models


async def test_an_encoded_path_is_metered_as_what_it_is(tmp_path: Path) -> None:
    async with serving(tmp_path, openai_reply()) as (gateway, upstream):
        body = json.dumps(CHAT)
        head = (
            f"POST /providers/one/v1/chat/c%6Fmpletions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        reply = await send(gateway.url, head.encode() + body)

        assert reply.status == 200
        assert upstream.requests[0].path == "/v1/chat/c%6Fmpletions"
        [attempt] = gateway.records("attempt")
        assert (attempt["dialect_out"], attempt["cost_status"]) == ("openai-chat", "exact")


@pytest.mark.parametrize(("method", "status"), [("POST", 400), ("GET", 200), ("HEAD", 200)])
async def test_where_prices_are_needed_a_path_that_nobody_can_price_is_refused(
    tmp_path: Path, method: str, status: int
) -> None:
    table = '[{provider: openai, model: "*", input: 2, output: 8}]'
    prices = f"prices: {{catalog: none, on_unpriced: reject, table: {table}}}\n"
    async with serving(tmp_path, Answer(), prices=prices) as (gateway, upstream):
        assert (await ask(gateway, "/providers/one/v1/fine_tuning/jobs", method=method))[0] == status
        assert len(upstream.requests) == (status == 200)


async def test_a_raw_stream_without_usage_is_estimated_by_its_text(tmp_path: Path) -> None:
    text = "four" * 100
    stream = openai_stream((text,))
    assert not isinstance(stream.body, bytes)
    steps = [step for step in stream.body if not (isinstance(step, bytes) and b'"usage"' in step)]
    answer = Answer(headers=stream.headers, body=steps, framing="chunked")
    async with serving(tmp_path, answer) as (gateway, _):
        await ask(gateway, "/providers/one/v1/chat/completions", CHAT | {"stream": True})

        [attempt] = gateway.records("attempt")
        # 2 tokens of prompt at 2 USD and 100 of output (400 characters) at 8 USD per million
        assert attempt["cost_status"] == "estimated"
        assert attempt["cost_estimated_usd"] == "0.000804"


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_has_none(tmp_path: Path, status: int) -> None:
    async with serving(tmp_path, Answer(status, headers=())) as (gateway, _), connected(gateway.url) as client:
        for _ in range(2):  # on one connection: nothing of a body follows
            await client.write(b"DELETE /providers/one/v1/files/1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            reply = await client.reply()

            assert reply.status == (204 if status == 204 else 502)
            assert "transfer-encoding" not in reply.headers


async def test_head_has_no_body_and_the_connection_goes_on(tmp_path: Path) -> None:
    async with serving(tmp_path, Answer(body=b"")) as (gateway, upstream), connected(gateway.url) as client:
        for _ in range(2):
            await client.write(b"HEAD /providers/one/v1/files/1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            head = await client.until(b"\r\n\r\n")

            assert head.startswith(b"HTTP/1.1 200")
        assert [request.method for request in upstream.requests] == ["HEAD", "HEAD"]
        assert [record["outcome"] for record in gateway.records("attempt")] == ["ok", "ok"]


async def test_an_allowed_page_may_use_every_method_that_passes(tmp_path: Path) -> None:
    allowed = ", allowed_origins: ['http://page.example']"
    async with (
        running(tmp_path, PROVIDERS.format(url="http://127.0.0.1:1"), more=allowed) as gateway,
        aiohttp.ClientSession() as client,
    ):
        asked = {"origin": "http://page.example", "access-control-request-method": "DELETE"}
        async with client.options(f"{gateway.url}/providers/one/v1/files/1", headers=asked) as answer:
            assert answer.headers["access-control-allow-methods"] == "DELETE, GET, HEAD, PATCH, POST, PUT"
