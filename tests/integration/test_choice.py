"""Cheapest, fastest and weighted routes over real sockets: who is asked, and that it follows from what was learnt."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from costspan.wire import json
from fakes.gateway import running
from fakes.upstream import Answer, FakeUpstream, Request
from fakes.upstream_answers import openai_reply

if TYPE_CHECKING:
    from pathlib import Path

PRICES = """
prices:
  catalog: none
  table:
    - {provider: reads, model: m, input: 1, output: 10, service_tiers: {flex: {multiplier: 0.1}}}
    - {provider: writes, model: m, input: 3, output: 2}
"""
"""`reads` is cheap where much is read and little written, `writes` the other way round."""
LONG = "word " * 4000
"""5 000 tokens by length."""


@dataclass
class Model:
    """A provider that answers with as many tokens as it is told, and may have a cache of what it was asked before."""

    output: int = 20
    caches: bool = False
    slow: float = 0.0
    status: int = 200
    asked: list[dict[str, Any]] = field(default_factory=list)
    held: dict[str, int] = field(default_factory=dict)
    """Tokens by the opening of a conversation."""

    def __call__(self, request: Request) -> Answer:
        body = json.loads_object(request.body)
        self.asked.append(body)
        prompt = sum(len(message["content"]) for message in body["messages"]) // 4
        opening = body["messages"][0]["content"]
        cached = self.held.get(opening, 0) if self.caches else 0
        self.held[opening] = prompt
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": self.output,
            "total_tokens": prompt + self.output,
            "prompt_tokens_details": {"cached_tokens": cached},
        }
        gate = asyncio.Event()
        asyncio.get_running_loop().call_later(self.slow, gate.set)
        reply = openai_reply("x" * 4 * self.output, usage=usage)
        return Answer(self.status, reply.headers, reply.body, before=[gate])


def routes(reads: str, writes: str, *, strategy: str = "cheapest", reads_more: str = "", targets: str = "") -> str:
    return f"""
defaults: {{retries: 0}}
providers:
  reads: {{kind: openai, base_url: "{reads}/v1", api_key: test-key-reads{reads_more}}}
  writes: {{kind: openai, base_url: "{writes}/v1", api_key: test-key-writes}}
routes:
  chat: {{strategy: {strategy}, targets: [{targets or "writes/m, reads/m"}]}}
"""


async def ask(url: str, *content: str, **more: Any) -> str:
    """Who answered a conversation of these messages."""
    roles = ("user", "assistant")
    messages = [{"role": roles[turn % 2], "content": text} for turn, text in enumerate(content)]
    body = {"model": "chat", "messages": messages, **more}
    async with aiohttp.ClientSession() as client, client.post(f"{url}/v1/chat/completions", json=body) as response:
        await response.read()
        assert response.status == 200, await response.text()
        return response.headers["x-costspan-target"].removesuffix("/m")


async def test_the_cheapest_target_is_that_of_this_very_request(tmp_path: Path) -> None:
    async with (
        FakeUpstream(Model(), reads=True) as reads,
        FakeUpstream(Model(), reads=True) as writes,
        running(tmp_path, routes(reads.url, writes.url), prices=PRICES) as gateway,
    ):
        # 5 000 read, at most 50 written: 0.0055 USD at `reads`, 0.0151 at `writes`
        assert await ask(gateway.url, LONG, max_tokens=50) == "reads"
        # hardly anything read, at most 4 000 written
        assert await ask(gateway.url, "a novel please", max_tokens=4000) == "writes"
        # At a tenth of its price `reads` is cheaper for that, too.
        assert await ask(gateway.url, "a novel please", max_tokens=4000, service_tier="flex") == "reads"


async def test_what_answers_to_a_route_are_like_is_learnt(tmp_path: Path) -> None:
    async with (
        FakeUpstream(Model(output=5), reads=True) as reads,
        FakeUpstream(Model(output=5), reads=True) as writes,
        running(tmp_path, routes(reads.url, writes.url), prices=PRICES) as gateway,
    ):
        prompt = "is this spam: " + LONG[:1000]
        first = await ask(gateway.url, prompt)
        for _ in range(20):
            last = await ask(gateway.url, prompt)

    # 253 tokens read; what nobody knows is thought to be some hundred tokens long, and turns out to be 5
    assert (first, last) == ("writes", "reads")


async def test_a_free_target_is_the_cheapest_and_one_without_a_price_the_last(tmp_path: Path) -> None:
    free = ", price_as: free"
    prices = PRICES.replace(
        "    - {provider: reads, model: m, input: 1, output: 10", "    - {provider: x, model: m, input: 1"
    )
    async with FakeUpstream(Model(), reads=True) as reads, FakeUpstream(Model(), reads=True) as writes:
        for name, more, expected in (("free", free, "reads"), ("unpriced", "", "writes")):
            (folder := tmp_path / name).mkdir()
            config = routes(reads.url, writes.url, reads_more=more, targets="reads/m, writes/m")
            async with running(folder, config, prices=prices) as gateway:
                assert await ask(gateway.url, "hello") == expected


async def test_a_target_of_which_only_the_prompt_has_a_price_is_not_the_cheapest(tmp_path: Path) -> None:
    """What its answer costs nobody knows, and that is not nothing."""
    prices = PRICES.replace("model: m, input: 1, output: 10", "model: m, input: 1")
    async with (
        FakeUpstream(Model(), reads=True) as reads,
        FakeUpstream(Model(), reads=True) as writes,
        running(tmp_path, routes(reads.url, writes.url, targets="reads/m, writes/m"), prices=prices) as gateway,
    ):
        assert await ask(gateway.url, LONG, max_tokens=50) == "writes"


async def test_a_discount_counts(tmp_path: Path) -> None:
    async with (
        FakeUpstream(Model(), reads=True) as reads,
        FakeUpstream(Model(), reads=True) as writes,
        running(tmp_path, routes(reads.url, writes.url, reads_more=", discount: 90%"), prices=PRICES) as gateway,
    ):
        assert await ask(gateway.url, "a novel please", max_tokens=4000) == "reads"


async def test_the_second_cheapest_takes_over_when_the_cheapest_fails(tmp_path: Path) -> None:
    async with (
        FakeUpstream(Model(status=503), reads=True) as reads,
        FakeUpstream(Model(), reads=True) as writes,
        running(tmp_path, routes(reads.url, writes.url), prices=PRICES) as gateway,
    ):
        assert await ask(gateway.url, LONG, max_tokens=50) == "writes"
        assert len(reads.requests) == 1


@pytest.mark.parametrize("strategy", ["cheapest", "weighted"])
async def test_a_conversation_stays_where_its_prompt_is_cached(tmp_path: Path, strategy: str) -> None:
    """Both cost the same, but for what is cached: a tenth."""
    prices = """
prices:
  catalog: none
  table: [{provider: openai, model: m, input: 10, output: 10, cache_read: 1}]
"""
    a, b = Model(output=5, caches=True), Model(output=5, caches=True)
    async with (
        FakeUpstream(a, reads=True) as reads,
        FakeUpstream(b, reads=True) as writes,
        running(tmp_path, routes(reads.url, writes.url, strategy=strategy), prices=prices) as gateway,
    ):
        for turn in range(12):  # until it is known that there are caches at all
            await ask(gateway.url, LONG, "yes", f"and {turn}", max_tokens=5)
        stayed = 0
        for conversation in range(20):
            opening = f"{conversation} {LONG}"
            first = await ask(gateway.url, opening, max_tokens=5)
            second = await ask(gateway.url, opening, "yes", "go on", max_tokens=5)
            third = await ask(gateway.url, opening, "yes", "go on", "yes", "and on", max_tokens=5)
            stayed += first == second == third

    assert stayed >= 15, "five of twenty would by chance"


async def test_the_fastest_target_gets_the_traffic_and_loses_it_when_it_turns_slow(tmp_path: Path) -> None:
    quick, steady = Model(slow=0.005), Model(slow=0.05)
    async with (
        FakeUpstream(quick, reads=True) as a,
        FakeUpstream(steady, reads=True) as b,
        running(tmp_path, routes(a.url, b.url, strategy="fastest"), prices=PRICES) as gateway,
    ):
        before = [await ask(gateway.url, "hello") for _ in range(60)]
        quick.slow = 0.5
        after = [await ask(gateway.url, "hello") for _ in range(40)]

    assert before[-40:].count("reads") >= 38
    assert after[-20:].count("writes") >= 18


async def test_a_target_that_fails_quickly_is_not_the_fastest(tmp_path: Path) -> None:
    failing, steady = Model(status=500), Model(slow=0.03)
    async with (
        FakeUpstream(failing, reads=True) as a,
        FakeUpstream(steady, reads=True) as b,
        running(
            tmp_path, routes(a.url, b.url, strategy="fastest", targets="reads/m, writes/m"), prices=PRICES
        ) as gateway,
    ):
        answered = [await ask(gateway.url, "hello") for _ in range(50)]

    assert set(answered) == {"writes"}
    assert len(failing.asked) <= 5


async def test_nested_routes_are_chosen_by_what_they_would_ask(tmp_path: Path) -> None:
    async with FakeUpstream(Model(), reads=True) as reads, FakeUpstream(Model(), reads=True) as writes:
        config = routes(reads.url, writes.url).replace("  chat:", "  cheap:") + (
            "  chat: {targets: [route: cheap, writes/m]}\n"
        )
        async with running(tmp_path, config, prices=PRICES) as gateway:
            assert await ask(gateway.url, LONG, max_tokens=50) == "reads"
            assert await ask(gateway.url, "a novel please", max_tokens=4000) == "writes"
            (first, second) = gateway.records("exchange")

    assert [first["strategy"], second["strategy"]] == ["fallback", "fallback"]
