"""The cost bugs of other gateways (reference peers.md 2.1) that lived between the answer and the books: attempts that
were left, lost or refused, and what a provider itself says. A whole gateway, a fake provider, the ledger.

Unless a test says otherwise: 2 USD per million tokens of input, 8 of output, 0.5 from the cache (`fakes.gateway`).
"""

from __future__ import annotations

import asyncio
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from fakes.gateway import running
from fakes.upstream import Answer, FakeUpstream
from fakes.upstream_answers import STREAM_HEADERS, anthropic_stream, openai_reply, openai_stream

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.gateway import Running

D = Decimal
SECONDS = 10.0
USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
CHAT = "/v1/chat/completions"


def one(url: str, *, kind: str = "openai", more: str = "", route: str = "") -> str:
    return f"""
defaults: {{retries: 0}}
providers:
  one: {{kind: {kind}, base_url: "{url}/v1", api_key: test-key{more}}}
routes: {{chat: {route or "one/m"}}}
"""


async def ask(gateway: Running, path: str = CHAT, **fields: Any) -> tuple[int, dict[str, str], bytes]:
    body = {"model": "chat", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}], **fields}
    async with aiohttp.ClientSession() as client, client.post(gateway.url + path, json=body) as response:
        headers = {name.lower(): value for name, value in response.headers.items()}
        return response.status, headers, await response.read()


async def leave(gateway: Running, seen: bytes, **fields: Any) -> None:
    """Ask for a stream, and close the connection once `seen` was in it."""
    body = {"model": "chat", "stream": True, "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
    got = b""
    async with aiohttp.ClientSession() as client, client.post(gateway.url + CHAT, json=body | fields) as response:
        while seen not in got:
            got += await response.content.readany()
        response.close()


async def the_attempt(gateway: Running) -> dict[str, Any]:
    """The one attempt, once it has ended."""
    (record,) = await gateway.written("attempt")
    return record


GARBAGE: dict[str, Any] = {
    "text": {"prompt_tokens": "many", "completion_tokens": -3},
    "lists": {"prompt_tokens": [1], "completion_tokens": {"a": 1}, "prompt_tokens_details": [1]},
    "a number that is none": {"prompt_tokens": 1e308, "completion_tokens": 5, "cost": -1},
    "a whole smaller than its parts": {
        "prompt_tokens": 1,
        "completion_tokens": 1,
        "prompt_tokens_details": {"cached_tokens": 10**6},
    },
}


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("usage", GARBAGE.values(), ids=GARBAGE.keys())
async def test_c08_a_report_that_makes_no_sense_never_costs_the_answer(
    tmp_path: Path, usage: dict[str, Any], stream: bool
) -> None:
    # LiteLLM#8579: the cost calculation raised into the request
    answer = openai_stream(usage=usage) if stream else openai_reply(usage=usage)
    async with FakeUpstream(answer) as up, running(tmp_path, one(up.url)) as gateway:
        status, _, body = await ask(gateway, stream=stream)
        attempt = await the_attempt(gateway)

    assert status == 200
    assert b"lo!" in body
    assert attempt["flags"] == ["usage_inconsistent"]
    assert D(attempt["cost_usd"]) >= 0


async def test_c10_the_tier_that_served_is_billed_and_not_the_one_asked_for(tmp_path: Path) -> None:
    prices = """
prices:
  catalog: none
  table: [{provider: one, model: m, input: 2, output: 8, service_tiers: {priority: {multiplier: 2}}}]
"""
    served = openai_reply(usage=USAGE)
    assert isinstance(served.body, bytes)
    default = Answer(body=served.body.replace(b'"usage"', b'"service_tier":"default","usage"'))
    priority = Answer(body=served.body.replace(b'"usage"', b'"service_tier":"priority","usage"'))
    async with (
        FakeUpstream([default, priority, served]) as up,
        running(tmp_path, one(up.url), prices=prices) as gateway,
    ):
        for _ in range(3):
            await ask(gateway, service_tier="priority")
        attempts = gateway.records("attempt")

    # 1,000 x 2 + 500 x 8 per million, and twice that
    assert [(a["service_tier"], D(a["cost_usd"]), a["flags"]) for a in attempts] == [
        ("default", D("0.006"), []),
        ("priority", D("0.012"), []),
        (None, D("0.012"), ["tier_assumed"]),
    ]


@pytest.mark.parametrize("stops", [True, False], ids=["cut off", "read on"])
async def test_c14_a_client_that_leaves_leaves_a_bill(tmp_path: Path, stops: bool) -> None:
    # LiteLLM#33736: "pays nothing"
    gate = asyncio.Event()
    async with (
        FakeUpstream(openai_stream(("Hel", gate, "lo"), usage=USAGE)) as up,
        running(tmp_path, one(up.url, more=f", abort_stops_billing: {str(stops).lower()}")) as gateway,
    ):
        await leave(gateway, b"Hel")
        if not stops:
            gate.set()
        attempt = await the_attempt(gateway)

    if stops:  # "hello" 2 tokens and "Hel" 1 by their length: 2 x 2 + 1 x 8 per million
        assert (attempt["cost_status"], attempt["cost_usd"]) == ("estimated", None)
        assert (attempt["cost_estimated_usd"], attempt["usage"]) == ("0.000012", {})
    else:
        assert (attempt["cost_status"], attempt["cost_estimated_usd"]) == ("exact", None)
        assert D(attempt["cost_usd"]) == D("0.006")
    assert attempt["outcome"] == "cancelled"


async def test_c15_the_placeholder_of_a_stream_that_was_left_is_no_usage(tmp_path: Path) -> None:
    # LiteLLM#39893: `output_tokens: 1` of message_start was billed as the output of a long answer
    never, text = asyncio.Event(), "x" * 400
    usage = {"input_tokens": 1000, "output_tokens": 9999}
    async with (
        FakeUpstream(anthropic_stream((text, never), usage=usage)) as up,
        running(tmp_path, one(up.url, kind="anthropic")) as gateway,
    ):
        await leave(gateway, b"xxx")
        attempt = await the_attempt(gateway)

    # 1,000 x 3 as reported, and 400 characters, 100 tokens, x 15 per million
    assert (attempt["cost_usd"], D(attempt["cost_estimated_usd"])) == (None, D("0.0045"))
    assert attempt["estimate_basis"] == "prompt as reported, output 100 tokens seen"
    assert "usage_partial" in attempt["flags"]


DEARER = """
prices:
  catalog: none
  table: [{provider: one, model: m, input: 2, output: 8, service_tiers: {priority: {multiplier: 2}}}]
"""


async def test_c15_an_estimate_is_of_the_tier_that_was_asked_for(tmp_path: Path) -> None:
    never = asyncio.Event()
    async with (
        FakeUpstream(openai_stream(("Hel", never))) as up,
        running(tmp_path, one(up.url), prices=DEARER) as gateway,
    ):
        await leave(gateway, b"Hel", service_tier="priority")
        attempt = await the_attempt(gateway)
        (started,) = gateway.records("attempt_started")

    # "hello" 2 tokens and "Hel" 1 by their length: (2 x 2 + 1 x 8) x 2 per million
    assert D(attempt["cost_estimated_usd"]) == D("0.000024")
    assert D(started["estimate_usd"]) == D("0.000152")  # 9 tokens may come: (2 x 2 + 9 x 8) x 2


async def test_c15_what_the_provider_goes_on_to_make_is_billed_in_full(tmp_path: Path) -> None:
    # LiteLLM#36008: Bedrock generates on after the client has left
    gate = asyncio.Event()
    usage = {"input_tokens": 1000, "output_tokens": 9999}
    async with (
        FakeUpstream(anthropic_stream(("Hel", gate, "lo"), usage=usage)) as up,
        running(tmp_path, one(up.url, kind="anthropic", more=", abort_stops_billing: false")) as gateway,
    ):
        await leave(gateway, b"Hel")
        gate.set()
        attempt = await the_attempt(gateway)

    assert (attempt["usage"], attempt["cost_status"]) == ({"input": 1000, "output": 9999}, "exact")
    assert D(attempt["cost_usd"]) == D("0.152985")  # 1,000 x 3 + 9,999 x 15


LONG_ERROR = b'{"error":{"message":"%s","type":"server_error"}}' % (b"no " * 30_000)


async def test_c16_the_words_of_an_error_are_no_output(tmp_path: Path) -> None:
    # new-api#5289 billed them; llmgateway#3443 billed 23.17 for one refused request
    async with FakeUpstream(Answer(status=500, body=LONG_ERROR)) as up, running(tmp_path, one(up.url)) as gateway:
        status, _, _ = await ask(gateway)
        (attempt,) = gateway.records("attempt")

    assert (status, attempt["cost_status"], attempt["cost_usd"]) == (502, "free", "0")


async def test_c16_a_stream_that_fails_costs_what_was_seen_and_only_as_an_estimate(tmp_path: Path) -> None:
    broken = openai_stream(("Hello!",), done=False)
    assert not isinstance(broken.body, bytes)
    steps = [*list(broken.body)[:2], b"data: " + LONG_ERROR + b"\n\n"]
    answer = Answer(headers=STREAM_HEADERS, body=steps, framing="chunked")
    async with FakeUpstream(answer) as up, running(tmp_path, one(up.url)) as gateway:
        await ask(gateway, stream=True)
        (attempt,) = gateway.records("attempt")
        (exchange,) = gateway.records("exchange")

    # "hello" and "Hello!", 2 tokens each by their length: 2 x 2 + 2 x 8 per million
    assert (attempt["cost_usd"], D(attempt["cost_estimated_usd"])) == (None, D("0.00002"))
    assert (exchange["cost_usd"], D(exchange["cost_estimated_usd"])) == (None, D("0.00002"))
    assert exchange["cost_status"] == "estimated"


BYOK: dict[str, tuple[dict[str, Any], str]] = {
    # the fee is in `cost`, and what the provider bills as well: not both added up (yvgude/lean-ctx#746)
    "OpenRouter's key": (
        {"cost": 0.0121, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.0121}},
        "0.0121",
    ),
    # here `cost` is the fee alone: 5 % of 0.012
    "the caller's own key": (
        {"cost": 0.0006, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.012}},
        "0.0126",
    ),
}


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(("told", "expected"), BYOK.values(), ids=BYOK.keys())
async def test_c17_openrouter_s_fee_and_the_provider_s_bill_are_added_once(
    tmp_path: Path, told: dict[str, Any], expected: str, stream: bool
) -> None:
    usage = {**USAGE, **told}
    answer = openai_stream(usage=usage) if stream else openai_reply(usage=usage)
    async with (
        FakeUpstream(answer) as up,
        running(tmp_path, one(up.url, kind="openrouter", more=", price_as: provider")) as gateway,
    ):
        await ask(gateway, stream=stream)
        (attempt,) = gateway.records("attempt")

    assert (attempt["cost_usd"], attempt["cost_status"]) == (expected, "provider")


PRICED = 'prices: {catalog: none, table: [{provider: one, model: "*", input: 2, output: 8}]}'
TRUST = {
    "ours, unless told to trust": ("", "0.006", "exact", None),
    "theirs, where told to trust": (", price_as: provider", "0.0075", "provider", "0.006"),
}


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(("trust", "cost", "status", "computed"), TRUST.values(), ids=TRUST.keys())
async def test_c18_both_figures_are_kept_and_their_difference_is_a_metric(
    tmp_path: Path, trust: str, cost: str, status: str, computed: str | None, stream: bool
) -> None:
    # LiteLLM#23805: OpenRouter's cost beat a configured price; #38802: DeepInfra's was ignored
    usage = {**USAGE, "estimated_cost": 0.0075}
    answer = openai_stream(usage=usage) if stream else openai_reply(usage=usage)
    async with (
        FakeUpstream(answer) as up,
        running(tmp_path, one(up.url, kind="deepinfra", more=trust), prices=PRICED) as gateway,
        aiohttp.ClientSession() as client,
    ):
        await ask(gateway, stream=stream)
        (attempt,) = gateway.records("attempt")
        async with client.get(f"{gateway.url}/metrics") as response:
            metrics = await response.text()

    assert D(attempt["cost_usd"]) == D(cost)
    assert attempt["cost_status"] == status
    assert attempt["cost_reported_usd"] == "0.0075"
    assert attempt["cost_computed_usd"] == (computed and attempt["cost_computed_usd"])
    assert computed is None or D(attempt["cost_computed_usd"]) == D(computed)
    drift = dict(re.findall(r'^costspan_cost_drift_usd_total\{.*direction="(\w+)"\} (\S+)$', metrics, re.MULTILINE))
    assert {name: D(usd) for name, usd in drift.items()} == {"over": D("0.0015"), "under": D(0)}


async def test_c19_a_configured_zero_wins_over_every_list_price(tmp_path: Path) -> None:
    # LiteLLM#25204: a subscription's proxy at $0 was billed at the list price of Opus
    prices = """
prices:
  catalog: genai-prices
  table:
    - {provider: anthropic, model: "*", input: 5, output: 25}
    - {provider: one, model: "claude-opus-*", input: 0, output: 0}
"""
    usage = {"input_tokens": 1000, "output_tokens": 500, "cache_read_input_tokens": 9}
    async with (
        FakeUpstream(anthropic_stream(usage=usage)) as up,
        running(tmp_path, one(up.url, kind="anthropic", route="one/claude-opus-4-5"), prices=prices) as gateway,
    ):
        await ask(gateway, stream=True)
        (attempt,) = gateway.records("attempt")

    assert (D(attempt["cost_usd"]), attempt["cost_status"]) == (D(0), "free")


async def test_c21_an_unknown_price_is_unknown_everywhere(tmp_path: Path) -> None:
    async with (
        FakeUpstream(openai_reply(usage=USAGE)) as up,
        running(tmp_path, one(up.url), prices="prices: {catalog: none}") as gateway,
        aiohttp.ClientSession(headers={"x-costspan-cost": "true"}) as client,
    ):
        body = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}
        async with client.post(gateway.url + CHAT, json=body) as response:
            headers, answer = response.headers, await response.json()
        (attempt,) = gateway.records("attempt")
        (exchange,) = gateway.records("exchange")
        async with client.get(f"{gateway.url}/metrics") as response:
            metrics = await response.text()

    assert "x-costspan-cost-usd" not in headers
    assert answer["usage"]["cost"] is None
    for record in (attempt, exchange):
        assert (record["cost_usd"], record["cost_estimated_usd"], record["cost_status"]) == (None, None, "unpriced")
        assert record["usage"] == {"input": 1000, "output": 500}
    assert 'costspan_unpriced_total{provider="one",model="m",route="chat"} 1' in metrics.splitlines()
    assert "costspan_cost_usd_total{" not in metrics


async def test_c21_and_c37_a_price_with_a_hole_is_unknown_too(tmp_path: Path) -> None:
    prices = "prices: {catalog: none, table: [{provider: one, model: m, output: 8}]}"
    async with FakeUpstream(openai_reply(usage=USAGE)) as up, running(tmp_path, one(up.url), prices=prices) as gateway:
        await ask(gateway)
        (attempt,) = gateway.records("attempt")

    assert (attempt["cost_usd"], attempt["cost_status"], attempt["flags"]) == (
        None,
        "unpriced",
        ["unpriced_bucket:input"],
    )
