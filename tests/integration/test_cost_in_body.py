"""The cost in the answer's `usage`, for clients that ask for it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from costspan.wire import json
from fakes.gateway import running, two_kinds
from fakes.upstream import FakeUpstream
from fakes.upstream_answers import anthropic_reply, anthropic_stream, openai_reply, openai_stream

if TYPE_CHECKING:
    from pathlib import Path

# 9 input and 3 output tokens. OpenAI's kind at 2 and 8 USD per million: 0.000018 + 0.000024.
# Anthropic's at 3 and 15: 0.000027 + 0.000045.
OPENAI_COST, ANTHROPIC_COST = Decimal("0.000042"), Decimal("0.000072")
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
CASES = [
    pytest.param(client, model, stream, id=f"{client} client, {model}, {'stream' if stream else 'whole'}")
    for client in PATHS
    for model in ("chat", "claude")
    for stream in (False, True)
]


async def ask(url: str, client: str, model: str, stream: bool, headers: dict[str, str]) -> bytes:
    body = {"model": model, "max_tokens": 9, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url + PATHS[client], json=body, headers=headers) as response,
    ):
        assert response.status == 200
        return await response.read()


def usages(body: bytes, stream: bool) -> list[dict[str, Any]]:
    if not stream:
        return [json.loads_object(body)["usage"]]
    data = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: {")]
    return [event["usage"] for line in data if (event := json.loads_object(line)).get("usage")]


@pytest.mark.parametrize(("client", "model", "stream"), CASES)
async def test_a_client_that_asks_gets_the_cost_in_the_usage(
    tmp_path: Path, client: str, model: str, stream: bool
) -> None:
    async with (
        FakeUpstream(openai_stream() if stream else openai_reply()) as one,
        FakeUpstream(anthropic_stream() if stream else anthropic_reply()) as two,
        running(tmp_path, two_kinds(one.url, two.url)) as gateway,
    ):
        body = await ask(gateway.url, client, model, stream, {"x-costspan-cost": "true"})
        (exchange,) = gateway.records("exchange")

    expected = OPENAI_COST if model == "chat" else ANTHROPIC_COST
    assert Decimal(exchange["cost_usd"]) == expected
    assert Decimal(str(usages(body, stream)[-1]["cost"])) == expected


async def test_others_do_not_get_it(tmp_path: Path) -> None:
    async with FakeUpstream(openai_reply()) as up, running(tmp_path, two_kinds(up.url, up.url)) as gateway:
        body = await ask(gateway.url, "openai", "chat", False, {})

    assert "cost" not in usages(body, False)[0]


async def test_the_configuration_can_say_so_for_all(tmp_path: Path) -> None:
    async with (
        FakeUpstream(openai_reply()) as up,
        running(tmp_path, two_kinds(up.url, up.url), more=", cost_in_body: true") as gateway,
    ):
        body = await ask(gateway.url, "openai", "chat", False, {})

    assert usages(body, False)[0]["cost"] == 0.000042


async def test_unpriced_targets_are_passed_over_where_the_configuration_says_so(tmp_path: Path) -> None:
    prices = "prices: {catalog: none, on_unpriced: reject}"
    async with FakeUpstream() as up, running(tmp_path, two_kinds(up.url, up.url), prices=prices) as gateway:
        body = {"model": "chat", "messages": [{"role": "user", "content": "hi"}]}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{gateway.url}/v1/chat/completions", json=body) as response,
        ):
            assert (response.status, (await response.json())["error"]["code"]) == (400, "unpriced_model")

        assert up.requests == []
