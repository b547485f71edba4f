"""Upstreams that are down: how often they are still asked, how fast the answer comes, and how soon they are back."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from costspan.wire import json
from fakes.gateway import running
from fakes.upstream import Answer, Cut, FakeUpstream, Request
from fakes.upstream_answers import openai_reply

if TYPE_CHECKING:
    from pathlib import Path

DOWN = Answer(status=503, headers=(("content-type", "application/json"),), body=b'{"error":{"message":"down"}}')
LIMITED = Answer(
    status=429,
    headers=(("content-type", "application/json"), ("retry-after", "30")),
    body=b'{"error":{"message":"slow down"}}',
)
BODY = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}


@dataclass
class Upstream:
    """A provider that is down until it is well, and counts how many requests it has at one time."""

    answer: Answer = DOWN
    slow: float = 0.0
    at_once: list[int] = field(default_factory=list)
    _now: int = 0

    def __call__(self, _: Request) -> Answer:
        self._now += 1
        self.at_once.append(self._now)
        gate = asyncio.Event()
        asyncio.get_running_loop().call_later(self.slow, self._end, gate)
        return Answer(self.answer.status, self.answer.headers, self.answer.body, before=[gate])

    def _end(self, gate: asyncio.Event) -> None:
        self._now -= 1
        gate.set()


@dataclass
class Reply:
    at: float
    seconds: float
    status: int
    headers: dict[str, str]
    body: dict[str, Any]


async def ask(client: aiohttp.ClientSession, url: str) -> Reply:
    began = time.monotonic()
    async with client.post(f"{url}/v1/chat/completions", json=BODY) as response:
        body = await response.read()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(began, time.monotonic() - began, response.status, headers, json.loads_object(body))


async def load(url: str, *, seconds: float, rate: int = 100) -> list[Reply]:
    """Ask `rate` times a second, whether there are answers or not."""
    loop = asyncio.get_running_loop()
    tasks: list[asyncio.Task[Reply]] = []
    done = asyncio.Event()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:

        def send(left: int) -> None:
            tasks.append(loop.create_task(ask(client, url)))
            if left > 1:
                loop.call_at(began + len(tasks) / rate, send, left - 1)
            else:
                done.set()

        began = loop.time()
        send(round(seconds * rate))
        await done.wait()
        return [await task for task in tasks]


def routes(*urls: str, more: str = "") -> str:
    names = [f"p{place}" for place in range(len(urls))]
    providers = "\n".join(
        f'  {name}: {{kind: openai, base_url: "{url}/v1", api_key: test-key-{name}}}'
        for name, url in zip(names, urls, strict=True)
    )
    return f"""
providers:
{providers}
routes:
  chat: {{targets: [{", ".join(f"{name}/m" for name in names)}]{more}}}
"""


async def test_an_upstream_that_is_down_is_probed_and_the_rest_is_told_at_once(tmp_path: Path) -> None:
    """Must show 4 of the routing issue: down at 100 requests a second, for three seconds."""
    down = Upstream(slow=0.05)
    async with FakeUpstream(down) as up, running(tmp_path, routes(up.url)) as gateway:
        replies = await load(gateway.url, seconds=3.0)
        exchanges = gateway.records("exchange")
        asked, at_once = len(up.requests), list(down.at_once)
        opened = next(reply.at for reply in replies if reply.body["error"]["code"] == "no_healthy_target")
        refused = [reply for reply in replies if reply.body["error"]["code"] == "no_healthy_target"]
        probes = len([request for request in up.requests if request.time > opened + 0.2])

        down.answer = openai_reply()
        recovered = time.monotonic()
        after = await load(gateway.url, seconds=3.0)
        back = next(reply.at + reply.seconds for reply in after if reply.status == 200)

    assert len(replies) == 300
    assert asked <= 1.2 * len(replies)
    assert asked < 60, "far fewer: after five failures it is left alone"
    assert {reply.status for reply in refused} == {503}
    assert len(refused) > 200
    # As the client sees it, which shares this process with the gateway and the upstream; and the gateway's own time.
    assert sorted(reply.seconds for reply in refused)[len(refused) // 2] <= 0.010
    own = sorted(line["duration_ms"] for line in exchanges if line["http_status"] == 503 and not line["attempts"])
    assert own[len(own) * 95 // 100] <= 10
    assert all(int(reply.headers["retry-after"]) >= 1 for reply in refused)
    # One probe at a time, and no more than one in a second.
    assert max(at_once[-probes:]) == 1
    assert 1 <= probes <= 4
    assert back - recovered <= 2 * 1.5, "two penalties of a second, with jitter"
    assert all(reply.status == 200 for reply in after if reply.at > back)


async def test_with_all_targets_down_the_least_bad_one_is_asked_once_a_second(tmp_path: Path) -> None:
    first, second = Upstream(), Upstream()
    async with (
        FakeUpstream(first) as a,
        FakeUpstream(second) as b,
        running(tmp_path, routes(a.url, b.url)) as gateway,
    ):
        await load(gateway.url, seconds=1.0)
        before = len(a.requests) + len(b.requests)
        await load(gateway.url, seconds=3.0)
        meanwhile = len(a.requests) + len(b.requests) - before
        second.answer = openai_reply()
        answered = next((reply for reply in await load(gateway.url, seconds=3.0) if reply.status == 200), None)

    assert 2 <= meanwhile <= 12, "never a dead end, and no flood: of 300"
    assert answered is not None
    assert answered.headers["x-costspan-target"] == "p1/m"


async def test_a_target_that_is_down_is_passed_over_while_another_is_well(tmp_path: Path) -> None:
    down, well = Upstream(), Upstream(openai_reply())
    async with (
        FakeUpstream(down) as a,
        FakeUpstream(well) as b,
        running(tmp_path, routes(a.url, b.url)) as gateway,
    ):
        replies = await load(gateway.url, seconds=1.2)  # one penalty of a second, and at most 3 s of the second one
        asked = len(a.requests)
        down.answer = openai_reply()
        after = await load(gateway.url, seconds=4.0)

    assert {reply.status for reply in (*replies, *after)} == {200}, "no client notices"
    assert asked < 50
    assert after[-1].headers["x-costspan-target"] == "p0/m", "the first one is the first again"


async def test_when_every_target_waits_for_its_rate_limit_the_client_is_told_for_how_long(tmp_path: Path) -> None:
    async with (
        FakeUpstream(lambda _: LIMITED) as a,
        FakeUpstream(lambda _: LIMITED) as b,
        running(tmp_path, routes(a.url, b.url)) as gateway,
        aiohttp.ClientSession() as client,
    ):
        first = await ask(client, gateway.url)
        replies = [await ask(client, gateway.url) for _ in range(20)]
        asked = len(a.requests) + len(b.requests)

    assert (first.status, first.body["error"]["code"]) == (429, "rate_limit_exceeded")
    assert {reply.status for reply in replies} == {429}
    assert all(25 <= int(reply.headers["retry-after"]) <= 30 for reply in replies)
    assert asked <= 4, "the two, and each once more as a last resort"


async def test_an_account_whose_key_is_not_accepted_says_so_and_is_not_asked_again_and_again(tmp_path: Path) -> None:
    refused = Answer(401, headers=(("content-type", "application/json"),), body=b'{"error":{"message":"bad key"}}')
    async with (
        FakeUpstream(lambda _: refused) as up,
        running(tmp_path, routes(up.url)) as gateway,
        aiohttp.ClientSession() as client,
    ):
        replies = [await ask(client, gateway.url) for _ in range(10)]

    assert {(reply.status, reply.body["error"]["code"]) for reply in replies} == {(502, "upstream_auth")}
    assert replies[-1].body["error"]["message"] == (
        "the provider accepts no key of the account: it is asked again when the key has changed"
    )
    assert len(up.requests) <= 2, "and once more as a last resort"


async def test_a_target_whose_breaker_opens_is_not_tried_again(tmp_path: Path) -> None:
    async with (
        FakeUpstream(lambda _: DOWN) as up,
        running(tmp_path, "defaults: {retries: 10}" + routes(up.url)) as gateway,
        aiohttp.ClientSession() as client,
    ):
        reply = await ask(client, gateway.url)

    assert reply.status == 503
    assert len(up.requests) == 5, "after five failures in a row it is left alone"


async def test_a_failed_attempt_at_a_bad_request_says_nothing_of_the_target(tmp_path: Path) -> None:
    refused = Answer(status=400, headers=(("content-type", "application/json"),), body=b'{"error":{"message":"no"}}')
    async with (
        FakeUpstream(lambda _: refused) as up,
        running(tmp_path, routes(up.url)) as gateway,
        aiohttp.ClientSession() as client,
    ):
        replies = [await ask(client, gateway.url) for _ in range(30)]

    assert {reply.status for reply in replies} == {400}
    assert len(up.requests) == 30


async def test_places_are_bounded_and_a_line_forms_for_a_moment(tmp_path: Path) -> None:
    counted = Upstream(openai_reply(), slow=0.02)
    config = routes("http://127.0.0.1:9").replace("api_key: test-key-p0", "api_key: test-key-p0, max_concurrency: 2")
    async with FakeUpstream(counted) as up, running(tmp_path, config.replace("http://127.0.0.1:9", up.url)) as gateway:
        replies = await load(gateway.url, seconds=0.2)

    assert {reply.status for reply in replies} == {200}
    assert max(counted.at_once) == 2


@pytest.mark.parametrize("stream", [False, True])
async def test_a_route_in_a_hurry_does_not_give_a_target_a_bad_name(tmp_path: Path, *, stream: bool) -> None:
    config = """
providers: {{p: {{kind: openai, base_url: "{url}/v1", api_key: test-key}}}}
defaults: {{retries: 0}}
routes: {{chat: {{targets: [p/m], timeouts: {{total: 120ms}}}}}}
"""
    async with (
        FakeUpstream(Answer(before=[Cut.SILENCE])) as slow,
        running(tmp_path, config.format(url=slow.url)) as gateway,
        aiohttp.ClientSession() as client,
    ):
        codes = []
        for _ in range(6):
            body = {**BODY, "stream": stream}
            async with client.post(f"{gateway.url}/v1/chat/completions", json=body) as response:
                codes.append((response.status, json.loads_object(await response.read())["error"]["code"]))
        (target,) = gateway.gateway.targets.newest(1)
        attempts = gateway.records("attempt")

    assert set(codes) == {(504, "deadline_exceeded")}
    assert {attempt["error_type"] for attempt in attempts} == {"deadline_exceeded"}
    assert target.breaker.state(time.monotonic()) == "closed"
    assert {attempt["cost_status"] for attempt in attempts} == {"estimated"}


async def test_a_providers_own_path_is_open_while_its_keys_wait_for_the_limits_of_models(tmp_path: Path) -> None:
    def script(request: Request) -> Answer:
        return LIMITED if request.method == "POST" else Answer(body=b'{"data":[]}')

    config = 'providers: {{p: {{kind: openai, base_url: "{url}/v1", api_key: test-key}}}}\nroutes: {{chat: p/m}}\n'
    async with (
        FakeUpstream(script) as up,
        running(tmp_path, config.format(url=up.url)) as gateway,
        aiohttp.ClientSession() as client,
    ):
        limited = [(await ask(client, gateway.url)).status for _ in range(3)]
        files = []
        for _ in range(3):
            async with client.get(f"{gateway.url}/providers/p/v1/files") as response:
                files.append((response.status, await response.read()))

    assert limited == [429, 429, 429]
    assert files == [(200, b'{"data":[]}')] * 3
