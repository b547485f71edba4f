"""A storm over all strategies: clients that leave at any time, upstreams that fail in every way, reloads meanwhile.

Afterwards nothing is held any more: no slot, key, probe, reservation, task or connection; and the books are whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from fakes.gateway import running
from fakes.upstream import Answer, Cut, FakeUpstream, Request
from fakes.upstream_answers import STREAM_HEADERS, anthropic_reply, anthropic_stream, openai_reply, openai_stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from costspan.server.app import Gateway
    from fakes.gateway import Running

REQUESTS = 400
AT_ONCE = 40
RELOADS = 6
KEYS = ("cs-storm-a", "cs-storm-b")
CONFIG = """
defaults: {{retries: 1, timeouts: {{first_token: 300ms, idle: 300ms, total: 2s}}}}
providers:
  slots: {{kind: openai, base_url: "{openai}/v1", api_keys: [test-key-1, test-key-2], max_concurrency: 3}}
  narrow: {{kind: openai, base_url: "{openai}/v1", api_key: test-key-3, max_concurrency: 1}}
  bills: {{kind: openai, base_url: "{openai}/v1", api_key: test-key-4, abort_stops_billing: false}}
  stops: {{kind: openai, base_url: "{openai}/v1", api_key: test-key-5, abort_stops_billing: true}}
  claude: {{kind: anthropic, base_url: "{anthropic}", api_key: test-key-6, max_concurrency: 4}}
routes:
  speed: {{strategy: fastest, targets: [slots/m, stops/m, claude/m]}}
  price: {{strategy: cheapest, targets: [narrow/m, claude/m, bills/m]}}
  race: {{strategy: race, race: {{after: 0s, max_parallel: 3}}, targets: [slots/m, narrow/m, claude/m]}}
  drain: {{strategy: race, race: {{after: 0s, losers: drain}}, targets: [bills/m, stops/m]}}
  late: {{strategy: race, race: {{after: p95}}, targets: [stops/m, slots/m]}}
  mixed: {{strategy: race, race: {{after: 5ms}}, targets: [route: price, route: speed, narrow/n]}}
  chain: {{strategy: fallback, targets: [route: late, route: drain, route: race, claude/n]}}
  drawn: {{strategy: weighted, targets: [{{route: mixed, weight: 2}}, {{route: chain, weight: 1}}]}}
  hasty: {{targets: [route: race, bills/m], timeouts: {{total: 60ms}}}}
keys:
{keys}
attribution: {{headers: {{x-team: team}}}}
budgets:
{budgets}
"""
BUDGETS = (
    "{name: all, usd: 1000, per: month}",
    "{name: small, match: {team: small}, usd: 0.002, per: day, on_exceed: {route: price}}",
    "{name: large, match: {team: large}, usd: 1, per: day}",
)
MODELS = ("speed", "price", "race", "drain", "late", "mixed", "chain", "drawn", "hasty", "stops/m", "narrow/m")
DAMAGED = Answer(body=b'{"choices": [')
SILENT = Answer(before=[Cut.SILENCE])
MUTE = Answer(headers=STREAM_HEADERS, body=[Cut.SILENCE], framing="chunked")


def config(openai: str, anthropic: str, budgets: tuple[str, ...] = BUDGETS) -> str:
    keys = [
        f'  - {{name: k{place}, hash: "sha256:{hashlib.sha256(key.encode()).hexdigest()}", '
        f"limits: {{concurrency: {12 + 20 * place}, requests_per_minute: 100000, tokens_per_minute: 100000000}}}}"
        for place, key in enumerate(KEYS)
    ]
    return CONFIG.format(
        openai=openai, anthropic=anthropic, keys="\n".join(keys), budgets="\n".join(f"  - {b}" for b in budgets)
    )


class Weather:
    """An upstream that answers one request in two; the others meet with everything that goes wrong."""

    def __init__(self, chance: random.Random, reply: Callable[..., Answer], stream: Callable[..., Answer]) -> None:
        self._chance = chance
        self._reply = reply
        self._stream = stream

    def __call__(self, request: Request) -> Answer:
        streamed = b'"stream":true' in request.body.replace(b" ", b"")
        if self._chance.random() < 0.5:
            return self._stream(("x", self._gate(), "y")) if streamed else self._late(self._reply())
        return self._chance.choice(
            (
                lambda: SILENT,
                lambda: MUTE,
                lambda: DAMAGED,
                lambda: self._stream((Cut.RESET,)),
                lambda: self._stream(("x", self._gate(), Cut.FIN)),
                lambda: self._stream(("x", Cut.SILENCE)),
                lambda: Answer(before=[Cut.RESET]),
                lambda: self._late(Answer(status=500, body=b"{}")),
                lambda: Answer(status=503, body=b"<html>", headers=(("content-type", "text/html"),), close=True),
                lambda: Answer(status=429, body=b"{}", headers=(("retry-after", "0"),)),
                lambda: Answer(status=429, body=b"{}", headers=(("retry-after-ms", "40"),)),
                lambda: Answer(status=400, body=b'{"error":{"message":"no","type":"invalid_request_error"}}'),
                lambda: Answer(status=200, body=self._reply().body, length=100_000, close=True),
            )
        )()

    def _gate(self) -> asyncio.Event:
        gate = asyncio.Event()
        asyncio.get_running_loop().call_later(self._chance.random() * 0.03, gate.set)
        return gate

    def _late(self, answer: Answer) -> Answer:
        return Answer(answer.status, answer.headers, answer.body, before=[self._gate()])


async def one(client: aiohttp.ClientSession, url: str, chance: random.Random) -> int | None:
    """A request, and mostly its answer: the status, or None for who left."""
    body = {
        "model": chance.choice(MODELS),
        "stream": chance.random() < 0.6,
        "max_tokens": 50,
        "messages": [{"role": "user", "content": "hello " * chance.randrange(1, 50)}],
    }
    headers = {"x-api-key": chance.choice(KEYS), "x-team": chance.choice(("small", "large", "other"))}
    leaves_after = chance.random() * 0.08 if chance.random() < 0.4 else 20.0
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        async with asyncio.timeout(leaves_after):
            async with client.post(f"{url}/v1/chat/completions", json=body, headers=headers) as response:
                await response.read()
                return response.status
    return None


async def storm(gateway: Running, chance: random.Random, texts: list[str]) -> Counter[int | None]:
    seen: Counter[int | None] = Counter()
    left = iter(range(REQUESTS))

    async def ask_on(client: aiohttp.ClientSession) -> None:
        for number in left:
            if number % (REQUESTS // RELOADS) == 0:
                path = gateway.config
                path.write_text(path.read_text().replace(texts[0], texts[1]))
                texts.reverse()
                assert await gateway.gateway.reload()
            seen[await one(client, gateway.url, chance)] += 1

    async with aiohttp.ClientSession() as client, asyncio.TaskGroup() as together:
        for _ in range(AT_ONCE):
            together.create_task(ask_on(client))
    return seen


async def stop_in_the_middle(gateway: Running, chance: random.Random, upstream: FakeUpstream) -> None:
    async with aiohttp.ClientSession() as client, asyncio.TaskGroup() as together:
        for _ in range(AT_ONCE):
            together.create_task(one(client, gateway.url, chance))
        await upstream.received(AT_ONCE // 2)
        await gateway.gateway.stop(grace=0.05)


def held(gateway: Gateway) -> dict[str, Any]:
    """Everything that requests hold while they are under way."""
    gate = gateway.state.gate
    targets = gateway.targets._targets.values()
    found = {
        "requests": gateway.state.in_flight,
        "drains": len(gateway._drains._tasks) + len(gateway._drains._endings),
        "slots": {name: place.under_way for name, place in gateway._slots._places.items() if place.under_way},
        "in line": sum(len(place.waiting) for place in gateway._slots._places.values()),
        "keys": sum(state.under_way for pool in gateway.keys._pools.values() for state in pool.states.values()),
        "probes": [target.label for target in targets if target.breaker._probe is not None],
        "waiting": [target.label for target in targets if target.timing._waiting],
        "entered": len(gate._entered),
        "reserved": {match: tally._reserved for match, tally in gate._tallies.items() if tally._reserved},
        "running": {name: use.running for name, use in gate._uses.items() if use.running},
    }
    return {name: value for name, value in found.items() if value}


async def settled(gateway: Gateway) -> dict[str, Any]:
    """What is held when nothing changes any more."""
    for _ in range(400):
        if not held(gateway):
            break
        await asyncio.sleep(0.02)
    return held(gateway)


async def tasks_left(expected: set[asyncio.Task[Any]]) -> list[str]:
    """The names of tasks beside `expected`, once nothing changes any more."""
    for _ in range(100):
        if asyncio.all_tasks() <= expected:
            break
        await asyncio.sleep(0.02)
    return [repr(task) for task in asyncio.all_tasks() - expected]


def check_books(gateway: Running) -> None:
    """Each attempt that began has one end, each exchange one line, and its cost is that of its attempts."""
    started = Counter(line["id"] for line in gateway.records("attempt_started"))
    attempts, exchanges = gateway.records("attempt"), gateway.records("exchange")
    assert started == Counter(line["id"] for line in attempts)
    assert set(started.values()) == {1}
    assert set(Counter(line["id"] for line in exchanges).values()) == {1}
    of: dict[str, list[dict[str, Any]]] = {line["id"]: [] for line in exchanges}
    for line in attempts:
        of[line["exchange_id"]].append(line)
    for exchange in exchanges:
        own = of[exchange["id"]]
        assert exchange["attempts"] == len(own)
        for name in ("cost_usd", "cost_estimated_usd"):
            assert Decimal(exchange[name] or 0) == sum(Decimal(each[name] or 0) for each in own), exchange
        assert sum(each["outcome"] == "ok" for each in own) <= 1


def check_budgets(gateway: Running) -> None:
    """What budgets believe to be spent is what the ledger says."""
    attempts = gateway.records("attempt")
    for standing in gateway.gateway.state.gate.standings():
        mine = [a for a in attempts if all(a["attributes"].get(n) == v for n, v in standing.budget.key)]
        assert standing.spent == sum(Decimal(a["cost_usd"] or a["cost_estimated_usd"] or 0) for a in mine)
        assert standing.reserved == 0


@pytest.mark.parametrize("seed", [1, 2])
async def test_after_a_storm_nothing_is_held_and_the_books_are_whole(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    async with (
        FakeUpstream(Weather(chance, openai_reply, openai_stream), reads=True) as openai,
        FakeUpstream(Weather(chance, anthropic_reply, anthropic_stream), reads=True) as anthropic,
    ):
        before = asyncio.all_tasks()
        text = config(openai.url, anthropic.url)
        lines = [f"  - {BUDGETS[1]}", "  - {name: other, match: {team: other}, usd: 5, per: week}"]
        async with running(tmp_path, text) as gateway:
            quiet = asyncio.all_tasks()
            seen = await storm(gateway, chance, lines)
            assert seen[200] > REQUESTS / 5, seen
            assert await settled(gateway.gateway) == {}
            check_books(gateway)
            check_budgets(gateway)
            openai.close_connections()
            anthropic.close_connections()
            async with asyncio.timeout(5):
                await openai.connections_open(0)
                await anthropic.connections_open(0)
            assert await tasks_left(quiet) == []
        assert await tasks_left(before) == []


@pytest.mark.parametrize("seed", range(3, 6))
async def test_a_stop_in_the_middle_of_it_leaves_whole_books_too(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    async with (
        FakeUpstream(Weather(chance, openai_reply, openai_stream), reads=True) as openai,
        FakeUpstream(Weather(chance, anthropic_reply, anthropic_stream), reads=True) as anthropic,
    ):
        before = asyncio.all_tasks()
        async with running(tmp_path, config(openai.url, anthropic.url)) as gateway:
            await stop_in_the_middle(gateway, chance, openai)
            assert held(gateway.gateway) == {}
            check_books(gateway)
            check_budgets(gateway)
        async with asyncio.timeout(5):
            await openai.connections_open(0)
            await anthropic.connections_open(0)
        assert await tasks_left(before) == []


class Faulty:
    """An observer that breaks its word and raises, once, at the point of that name."""

    def __init__(self, point: str) -> None:
        self._point: str | None = point

    def _reach(self, point: str) -> None:
        if point == self._point:
            self._point = None
            raise RuntimeError(point)

    def attempt_started(self, _: object) -> None:
        self._reach("attempt_started")

    def attempt_ended(self, _: object) -> None:
        self._reach("attempt_ended")

    def exchange_ended(self, *_: object) -> None:
        """Tell nobody."""


@pytest.mark.parametrize("model", ["narrow/m", "race"])
@pytest.mark.parametrize("point", ["attempt_started", "attempt_ended"])
async def test_a_fault_of_ours_gives_back_all_that_it_held(tmp_path: Path, point: str, model: str) -> None:
    async with (
        FakeUpstream(lambda _: openai_reply()) as openai,
        FakeUpstream(lambda _: anthropic_reply()) as anthropic,
        running(tmp_path, config(openai.url, anthropic.url)) as gateway,
        aiohttp.ClientSession(headers={"x-api-key": KEYS[0]}) as client,
    ):
        observers: Any = gateway.gateway.state.engine._observer
        observers._observers += (Faulty(point),)
        statuses = []
        for _ in range(2):
            body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
            async with client.post(f"{gateway.url}/v1/chat/completions", json=body) as response:
                statuses.append(response.status)
        assert await settled(gateway.gateway) == {}
        started, attempts = gateway.records("attempt_started"), gateway.records("attempt")

    assert statuses[1] == 200
    assert {line["id"] for line in started} == {line["id"] for line in attempts}
