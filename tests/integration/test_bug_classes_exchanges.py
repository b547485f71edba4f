"""The cost bugs of other gateways (reference peers.md 2.1) that lived where attempts become one exchange, and in what
clients, tracing back ends and operators are told. A whole gateway, fake providers, the ledger.

Unless a test says otherwise: 2 USD per million tokens of input, 8 of output, 0.5 from the cache (`fakes.gateway`).
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from typer.testing import CliRunner

from costspan.cli.commands import app
from costspan.errors import ConfigError
from costspan.wire import json
from fakes.collector import Collector
from fakes.corpus import objects
from fakes.gateway import running
from fakes.upstream import Answer, Cut, FakeUpstream
from fakes.upstream_answers import STREAM_HEADERS, anthropic_stream, openai_reply, openai_stream

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.gateway import Running

D = Decimal
USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
RESET = Answer(headers=STREAM_HEADERS, body=[Cut.RESET], framing="chunked")
"""Taken, and then gone before it said anything of usage."""


def providers(*urls: str, retries: int = 0, more: str = "") -> str:
    """Providers `p0`, `p1` ... of OpenAI's kind, and a route `chat` that asks one after the other."""
    lines = [f'  p{n}: {{kind: openai, base_url: "{url}/v1", api_key: test-key-{n}}}' for n, url in enumerate(urls)]
    targets = ", ".join(f"p{n}/m{n}" for n in range(len(urls)))
    return "\n".join(
        (f"defaults: {{retries: {retries}}}", "providers:", *lines, f"routes: {{chat: {{targets: [{targets}]}}}}", more)
    )


async def ask(gateway: Running, path: str = CHAT, *, headers: dict[str, str] | None = None, **fields: Any) -> bytes:
    body = {"model": "chat", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}], **fields}
    async with (
        aiohttp.ClientSession(headers=headers) as client,
        client.post(gateway.url + path, json=body) as response,
    ):
        return await response.read()


async def test_c22_a_fallback_keeps_what_was_asked_what_served_and_what_each_attempt_cost(tmp_path: Path) -> None:
    # LiteLLM#8810 wrote no cost, #38107 lost the group that was asked for
    served = openai_stream(usage=USAGE, model="m1-2026-01-01")
    async with (
        FakeUpstream(RESET) as a,
        FakeUpstream(served) as b,
        running(tmp_path, providers(a.url, b.url)) as gateway,
    ):
        await ask(gateway, stream=True)
        attempts = gateway.records("attempt")
        (exchange,) = gateway.records("exchange")

    # the first had "hello", 2 tokens by their length; then 1,000 x 2 + 500 x 8 per million
    assert [
        (a["model_asked"], a["model_requested"], a["model_served"], a["cost_usd"] and D(a["cost_usd"]))
        for a in attempts
    ] == [("chat", "m0", None, None), ("chat", "m1", "m1-2026-01-01", D("0.006"))]
    assert [a["cost_estimated_usd"] for a in attempts] == ["0.000004", None]
    assert (exchange["model_asked"], exchange["model_requested"]) == ("chat", "m1")
    assert (D(exchange["cost_usd"]), D(exchange["cost_estimated_usd"])) == (D("0.006"), D("0.000004"))


async def test_c23_three_attempts_are_one_request(tmp_path: Path) -> None:
    # LiteLLM#39455: retries were counted as requests, and nothing tied them together
    broken = Answer(status=500, body=b"{}")
    async with (
        FakeUpstream([broken, broken, openai_reply(usage=USAGE)]) as up,
        running(tmp_path, providers(up.url, retries=2)) as gateway,
        aiohttp.ClientSession() as client,
    ):
        await ask(gateway)
        attempts = gateway.records("attempt")
        (exchange,) = gateway.records("exchange")
        async with client.get(f"{gateway.url}/metrics") as response:
            metrics = (await response.text()).splitlines()

    assert [(a["exchange_id"], a["index"], a["outcome"]) for a in attempts] == [
        (exchange["id"], 0, "failed"),
        (exchange["id"], 1, "failed"),
        (exchange["id"], 2, "ok"),
    ]
    assert len({a["id"] for a in attempts}) == 3
    assert exchange["attempts"] == 3
    assert (
        'gen_ai_server_request_duration_seconds_count{gen_ai_operation_name="chat",costspan_route="chat"} 1' in metrics
    )
    assert 'costspan_attempts_total{provider="p0",route="chat",outcome="ok"} 1' in metrics
    counted = [line for line in metrics if line.startswith("costspan_attempts_total{")]
    assert sum(int(line.rpartition(" ")[2]) for line in counted) == 3


WISHES = {"asked for": ({"x-costspan-cost": "true"}, [0.006]), "not asked for": ({}, [])}


@pytest.mark.parametrize(("headers", "costs"), WISHES.values(), ids=WISHES.keys())
async def test_c24_a_stream_tells_its_cost_to_whoever_asks_and_to_nobody_else(
    tmp_path: Path, headers: dict[str, str], costs: list[float]
) -> None:
    # LiteLLM#13264 had none to tell; #38348 told clients that had not asked
    async with FakeUpstream(openai_stream(usage=USAGE)) as up, running(tmp_path, providers(up.url)) as gateway:
        body = await ask(gateway, headers=headers, stream=True, stream_options={"include_usage": True})

    reports = [chunk["usage"] for chunk in objects(body) if chunk.get("usage")]
    assert [report["prompt_tokens"] for report in reports] == [1000]
    assert [report["cost"] for report in reports if "cost" in report] == costs


async def test_c25_a_stream_of_messages_never_begins_with_no_input(tmp_path: Path) -> None:
    # vercel/ai-gateway: zeros in message_start made Claude Code reckon nothing
    async with FakeUpstream(openai_stream(usage=USAGE)) as up, running(tmp_path, providers(up.url)) as gateway:
        body = await ask(gateway, MESSAGES, stream=True)

    told = {event["type"]: event for event in objects(body) if event["type"] in {"message_start", "message_delta"}}
    assert told["message_start"]["message"]["usage"]["input_tokens"] == 5  # an estimate: OpenAI tells it last
    assert told["message_delta"]["usage"]["input_tokens"] == 1000
    assert told["message_delta"]["usage"]["output_tokens"] == 500


async def test_c30_a_sink_has_parts_that_add_up_to_our_total(tmp_path: Path) -> None:
    # LiteLLM#26919: Langfuse priced the prompt, cached part included, and then the cached part again
    usage = {
        **USAGE,
        "prompt_tokens_details": {"cached_tokens": 900},
        "completion_tokens_details": {"reasoning_tokens": 300},
    }
    with Collector() as collector:
        config = providers("http://127.0.0.1:9", more=f'telemetry: {{otlp: {{endpoint: "{collector.endpoint}"}}}}')
        async with FakeUpstream(openai_stream(usage=usage)) as up:
            config = config.replace("http://127.0.0.1:9", up.url)
            async with running(tmp_path, config) as gateway:
                await ask(gateway, stream=True)
        told = [{pair.key: pair.value for pair in span.attributes} for span in collector.spans]

    (attempt,) = (span for span in told if "costspan.attempt.index" in span)
    parts = {name: each.double_value for name, each in attempt.items() if name.startswith("costspan.cost.part.")}
    # 100 x 2, 900 x 0.5, 200 x 8 and 300 x 8 per million
    assert parts == {
        "costspan.cost.part.input": 0.0002,
        "costspan.cost.part.cache_read": 0.00045,
        "costspan.cost.part.output": 0.0016,
        "costspan.cost.part.reasoning": 0.0024,
    }
    assert D(attempt["costspan.cost.exact"].string_value) == sum(map(D, map(str, parts.values()))) == D("0.00465")
    assert attempt["gen_ai.usage.input_tokens"].int_value == 1000
    assert attempt["gen_ai.usage.cache_read.input_tokens"].int_value == 900


BUDGET = "budgets: [{name: all, match: {}, usd: 0.006, per: day}]"
"""As much as one answer costs."""


async def test_c32_a_hundred_at_once_overspend_a_budget_by_one_request_at_most(tmp_path: Path) -> None:
    async with (
        FakeUpstream(openai_reply(usage=USAGE)) as up,
        running(tmp_path, providers(up.url, more=BUDGET)) as gateway,
    ):
        async with asyncio.TaskGroup() as together:
            for _ in range(100):  # each of a thousand tokens by its length, and at most 500 to come
                prompt = [{"role": "user", "content": "word" * 1000}]
                together.create_task(ask(gateway, max_tokens=500, messages=prompt))
        spent = sum(D(attempt["cost_usd"]) for attempt in gateway.records("attempt"))

    assert D("0.006") <= spent <= D("0.012")


async def test_c36_what_an_attempt_that_lost_cost_is_in_the_exchange(tmp_path: Path) -> None:
    # LiteLLM's fastest_response: losers never fire a terminal event. Here the loser told its usage and then broke.
    loser = openai_stream(("Hel",), usage=USAGE, done=False)
    assert not isinstance(loser.body, bytes)
    first, *_, report = list(loser.body)
    told = Answer(headers=STREAM_HEADERS, body=[first, report, Cut.RESET], framing="chunked")
    async with (
        FakeUpstream(told) as a,
        FakeUpstream(openai_stream(usage=USAGE)) as b,
        running(tmp_path, providers(a.url, b.url)) as gateway,
    ):
        await ask(gateway, stream=True)
        attempts = gateway.records("attempt")
        (exchange,) = gateway.records("exchange")

    assert [a["outcome"] for a in attempts] == ["failed", "ok"]
    # 1,000 x 2 + 500 x 8 per million, as reported early and so an estimate, and the same of the one that answered
    assert [a["cost_usd"] and D(a["cost_usd"]) for a in attempts] == [None, D("0.006")]
    assert D(attempts[0]["cost_estimated_usd"]) == D(exchange["cost_estimated_usd"]) == D("0.006")
    assert D(exchange["cost_usd"]) == D("0.006")


async def test_c36_the_first_content_wins_a_race_and_every_loser_is_on_the_books(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with (
        FakeUpstream(openai_stream((gate, "late"), usage=USAGE)) as a,
        FakeUpstream(openai_stream(("first",), usage=USAGE)) as b,
    ):
        config = providers(a.url, b.url).replace(
            "{chat: {targets:", "{chat: {strategy: race, race: {after: 0s}, targets:"
        )
        async with running(tmp_path, config) as gateway, asyncio.timeout(2):
            body = await ask(gateway, stream=True)
            gate.set()
            attempts = gateway.records("attempt")

    assert b"first" in body
    assert {a["outcome"] for a in attempts} == {"ok", "lost_race"}


async def test_c38_a_figure_is_exact_or_says_that_it_is_an_estimate(tmp_path: Path) -> None:
    # Cloudflare: "The cost metric is an estimation"; a negotiated price is one for input and one for output
    prices = """
prices:
  catalog: none
  table: [{provider: p0, model: m0, input: 1.9, output: 7.6, cache_read: 0.19, reasoning: 7.1}]
"""
    usage = {
        **USAGE,
        "prompt_tokens_details": {"cached_tokens": 900},
        "completion_tokens_details": {"reasoning_tokens": 300},
    }
    broken = openai_stream(("Hello!", Cut.RESET))
    async with (
        FakeUpstream([openai_reply(usage=usage), broken]) as up,
        running(tmp_path, providers(up.url), prices=prices) as gateway,
    ):
        await ask(gateway)
        await ask(gateway, stream=True)

    told = CliRunner().invoke(app, ["report", "--ledger", str(tmp_path / "ledger"), "--json"])
    assert told.exit_code == 0, told.output
    (group,) = json.loads(told.stdout.encode())["groups"]
    # 100 x 1.9 + 900 x 0.19 + 200 x 7.6 + 300 x 7.1, and of the broken one 2 x 1.9 + 2 x 7.6, per million
    assert (D(group["cost_usd"]), D(group["cost_estimated_usd"])) == (D("0.004011"), D("0.000019"))


async def test_c29_a_price_beyond_reason_is_refused_with_its_line(tmp_path: Path) -> None:
    # Bifrost#3559 took prices per million for prices per token; LiteLLM#23805 took KRW for USD
    prices = "prices: {catalog: none, table: [{provider: p0, model: m0, input: 3000000, output: 8}]}"

    with pytest.raises(ConfigError, match="more than 1000 USD per million tokens"):
        async with running(tmp_path, providers("http://127.0.0.1:9"), prices=prices):
            pass


async def test_c24_the_other_dialect_s_stream_tells_its_cost_too(tmp_path: Path) -> None:
    config = providers("http://127.0.0.1:9").replace("kind: openai", "kind: anthropic")
    usage = {"input_tokens": 1000, "output_tokens": 500}
    async with (
        FakeUpstream(anthropic_stream(usage=usage)) as up,
        running(tmp_path, config.replace("http://127.0.0.1:9/v1", up.url)) as gateway,
    ):
        body = await ask(gateway, MESSAGES, headers={"x-costspan-cost": "true"}, stream=True)

    (last,) = (event["usage"] for event in objects(body) if event["type"] == "message_delta")
    assert last["cost"] == 0.0105  # 1,000 x 3 + 500 x 15
