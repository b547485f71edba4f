"""Limits of client keys in a whole gateway: 429 with what is left and when to come back."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

import aiohttp
import openai
import pytest

from costspan.wire import json
from fakes.gateway import running
from fakes.upstream import Answer, FakeUpstream
from fakes.upstream_answers import openai_reply, openai_stream

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.gateway import Running

KEY = "cs-limited"
FREE = "cs-free"
USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
CHAT = "/v1/chat/completions"
THEIRS = (
    ("content-type", "application/json"),
    ("x-ratelimit-limit-requests", "5000"),
    ("x-ratelimit-remaining-tokens", "77"),
)


def config(url: str, limits: str, *, budgets: str = "") -> str:
    def digest(key: str) -> str:
        return hashlib.sha256(key.encode()).hexdigest()

    return f"""
defaults: {{retries: 0}}
providers: {{p: {{kind: openai, base_url: "{url}/v1", api_key: test-key}}}}
routes: {{chat: p/m}}
keys:
  - {{name: limited, hash: "sha256:{digest(KEY)}", limits: {{{limits}}}}}
  - {{name: free, hash: "sha256:{digest(FREE)}"}}
{budgets}
"""


async def ask(
    gateway: Running, key: str = KEY, *, path: str = CHAT, **fields: Any
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, body and headers of one answer."""
    body = {"model": "chat", "max_tokens": 500, "messages": [{"role": "user", "content": "word" * 1000}], **fields}
    async with (
        aiohttp.ClientSession(headers={"x-api-key": key}) as client,
        client.post(gateway.url + path, json=body) as response,
    ):
        data = await response.read()
        stream = response.headers["content-type"].startswith("text/event-stream")
        found = {name.lower(): value for name, value in response.headers.items()}
        return response.status, {} if stream else json.loads_object(data), found


async def test_a_key_may_make_so_many_requests_in_a_minute_and_is_told_what_is_left(tmp_path: Path) -> None:
    async with (
        FakeUpstream(lambda _: openai_reply()) as up,
        running(tmp_path, config(up.url, "requests_per_minute: 2")) as gateway,
    ):
        answers = [await ask(gateway) for _ in range(3)]
        other, _, headers = await ask(gateway, FREE)
        exchanges = gateway.records("exchange")

    assert [status for status, _, _ in answers] == [200, 200, 429]
    assert [headers["x-ratelimit-remaining-requests"] for _, _, headers in answers] == ["1", "0", "0"]
    _, body, refused = answers[2]
    assert body["error"]["code"] == "rate_limit_exceeded"
    assert body["error"]["message"] == "this API key may make 2 requests in a minute"
    assert 58 <= int(refused["retry-after"]) <= 61
    assert refused["x-ratelimit-limit-requests"] == "2"
    assert other == 200
    assert not [name for name in headers if name.startswith("x-ratelimit")]
    assert len(exchanges) == 3  # what was refused at the gate is no exchange


async def test_tokens_are_reserved_at_first_and_counted_in_the_end(tmp_path: Path) -> None:
    gate = asyncio.Event()
    answers = [openai_stream(("a", gate), usage=USAGE), openai_reply(usage={**USAGE, "completion_tokens": 100})]
    async with (
        FakeUpstream(answers) as up,
        running(tmp_path, config(up.url, "tokens_per_minute: 3000")) as gateway,
    ):
        first = asyncio.create_task(ask(gateway, stream=True, max_tokens=1900))  # 1,000 and 1,900 may come
        await up.received(1)
        meanwhile, body, _ = await ask(gateway)
        gate.set()
        _, _, headers = await first
        status, _, later = await ask(gateway)  # 1,500 were used, and 1,500 are asked for

    assert (meanwhile, status) == (429, 200)
    assert body["error"]["message"] == "this API key may use 3000 tokens in a minute, and this request 1500"
    assert headers["x-ratelimit-remaining-tokens"] == "100"
    assert later["x-ratelimit-remaining-tokens"] == "0"


async def test_only_so_many_requests_of_a_key_are_under_way_at_one_time(tmp_path: Path) -> None:
    gate = asyncio.Event()
    answers = [openai_stream(("a", gate)), openai_reply()]
    async with FakeUpstream(answers) as up, running(tmp_path, config(up.url, "concurrency: 1")) as gateway:
        first = asyncio.create_task(ask(gateway, stream=True))
        await up.received(1)
        meanwhile, body, headers = await ask(gateway)
        gate.set()
        await first
        afterwards, _, _ = await ask(gateway)

    assert (meanwhile, afterwards) == (429, 200)
    assert body["error"]["message"] == "this API key may have 1 requests under way at one time"
    assert headers["retry-after"] == "1"


async def test_a_client_that_leaves_makes_room(tmp_path: Path) -> None:
    gate = asyncio.Event()
    answers = [openai_stream(("a", gate)), openai_reply()]
    async with FakeUpstream(answers) as up, running(tmp_path, config(up.url, "concurrency: 1")) as gateway:
        first = asyncio.create_task(ask(gateway, stream=True))
        await up.received(1)
        first.cancel()
        await asyncio.wait({first})
        await gateway.gateway.state.until_idle(5)
        afterwards, _, _ = await ask(gateway)
        gate.set()

    assert afterwards == 200


async def test_our_limits_take_the_place_of_the_providers(tmp_path: Path) -> None:
    reply = openai_reply()
    answer = Answer(headers=THEIRS, body=reply.body)
    async with (
        FakeUpstream(lambda _: answer) as up,
        running(tmp_path, config(up.url, "requests_per_minute: 600")) as gateway,
    ):
        _, _, ours = await ask(gateway)
        _, _, theirs = await ask(gateway, FREE)

    assert {name: value for name, value in ours.items() if name.startswith("x-ratelimit")} == {
        "x-ratelimit-limit-requests": "600",
        "x-ratelimit-remaining-requests": "599",
        "x-ratelimit-reset-requests": ours["x-ratelimit-reset-requests"],
    }
    assert ours["x-ratelimit-reset-requests"] in {"60s", "61s"}
    assert theirs["x-ratelimit-limit-requests"] == "5000"


async def test_what_a_provider_refuses_tells_our_limits_too(tmp_path: Path) -> None:
    refused = Answer(status=503, headers=THEIRS, body=b"{}")
    async with (
        FakeUpstream(refused) as up,
        running(tmp_path, config(up.url, "requests_per_minute: 600")) as gateway,
    ):
        status, _, headers = await ask(gateway)

    assert status == 503
    assert headers["x-ratelimit-remaining-requests"] == "599"
    assert "x-ratelimit-remaining-tokens" not in headers


async def test_counting_tokens_by_estimate_is_neither_limited_nor_refused(tmp_path: Path) -> None:
    text = config("http://127.0.0.1:9", "requests_per_minute: 5", budgets="budgets: [{name: a, usd: 0, per: day}]")
    async with running(tmp_path, text) as gateway:
        path = "/v1/messages/count_tokens"
        counted = [(await ask(gateway, path=path))[0] for _ in range(7)]
        chat, _, _ = await ask(gateway, FREE)

    assert counted == [200] * 7  # estimated here: no provider is asked
    assert chat == 402


async def test_openais_sdk_understands_the_refusal(tmp_path: Path) -> None:
    async with (
        FakeUpstream(lambda _: openai_reply()) as up,
        running(tmp_path, config(up.url, "requests_per_minute: 1")) as gateway,
        openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as client,
    ):
        await client.chat.completions.create(model="chat", messages=[{"role": "user", "content": "hi"}])
        with pytest.raises(openai.RateLimitError) as caught:
            await client.chat.completions.create(model="chat", messages=[{"role": "user", "content": "hi"}])

    assert caught.value.code == "rate_limit_exceeded"


async def test_a_reload_keeps_what_was_used_and_a_changed_limit_holds_at_once(tmp_path: Path) -> None:
    async with (
        FakeUpstream(lambda _: openai_reply()) as up,
        running(tmp_path, config(up.url, "requests_per_minute: 1")) as gateway,
    ):
        first, _, _ = await ask(gateway)
        text = gateway.config.read_text()
        gateway.config.write_text(text + "\ndirect_targets: false\n")
        assert await gateway.gateway.reload()
        kept, _, _ = await ask(gateway)
        gateway.config.write_text(text.replace("requests_per_minute: 1", "requests_per_minute: 2"))
        assert await gateway.gateway.reload()
        raised, _, headers = await ask(gateway)

    assert (first, kept, raised) == (200, 429, 200)
    assert headers["x-ratelimit-remaining-requests"] == "0"
