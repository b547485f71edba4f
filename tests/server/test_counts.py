"""Counting a prompt's tokens: the provider's count where it has the client's way of counting, else an estimate."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import anthropic

from costspan.wire import json
from fakes.gateway import running, two_kinds
from fakes.upstream import Answer, FakeUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.gateway import Running


@asynccontextmanager
async def serving(folder: Path, answer: Answer) -> AsyncIterator[tuple[Running, FakeUpstream]]:
    async with (
        FakeUpstream(answer) as upstream,
        running(folder, two_kinds(upstream.url, upstream.url)) as gateway,
    ):
        yield gateway, upstream


ASKED = [{"role": "user", "content": "How many tokens is this?"}]


async def test_the_provider_counts_where_it_speaks_the_client_s_dialect(tmp_path: Path) -> None:
    async with serving(tmp_path, Answer(body=b'{"input_tokens": 14}')) as (gateway, upstream):
        async with anthropic.AsyncAnthropic(base_url=gateway.url, api_key="any", max_retries=0) as client:
            counted = await client.messages.count_tokens(model="claude", messages=ASKED)  # type: ignore[arg-type] # - plain dicts

        assert counted.input_tokens == 14
        [request] = upstream.requests
        assert request.path == "/v1/messages/count_tokens"
        assert json.loads_object(request.body) == {"model": "claude-fake", "messages": ASKED}
        [attempt] = gateway.records("attempt")
        assert (attempt["cost_status"], attempt["cost_usd"]) == ("free", "0")


async def test_another_dialect_s_target_is_not_asked_and_the_answer_says_that_it_is_estimated(tmp_path: Path) -> None:
    async with serving(tmp_path, Answer(500)) as (gateway, upstream):
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{gateway.url}/v1/messages/count_tokens", json={"model": "chat", "messages": ASKED}) as answer,
        ):
            assert await answer.json() == {"input_tokens": 10}
            assert answer.headers["x-costspan-estimated"] == "input_tokens"

        assert upstream.requests == []
        assert gateway.records() == []


async def test_a_wrong_request_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path, Answer(500)) as (gateway, upstream):
        async with (
            aiohttp.ClientSession() as client,
            client.post(
                f"{gateway.url}/v1/messages/count_tokens", json={"model": "claude", "messages": "no"}
            ) as answer,
        ):
            assert answer.status == 400
            assert (await answer.json())["type"] == "error"

        assert upstream.requests == []
