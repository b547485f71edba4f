"""A pool of keys, patience with targets that ask for it, and targets that do not answer at all."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from fakes.gateway import running
from fakes.upstream import Answer, Cut, FakeUpstream
from fakes.upstream_answers import openai_reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.upstream import Request

BODY = {"model": "chat", "messages": [{"role": "user", "content": "hi"}]}


def pool(url: str, *, keys: str = "key-one, key-two", more: str = "") -> str:
    return f"""
providers:
  p: {{kind: openai, base_url: "{url}/v1", api_keys: [{keys}]}}
{more}
defaults: {{retries: 1}}
routes: {{chat: p/m}}
"""


async def ask(url: str, **more: Any) -> tuple[int, dict[str, str]]:
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{url}/v1/chat/completions", json=BODY | more) as response,
    ):
        await response.read()
        return response.status, {name.lower(): value for name, value in response.headers.items()}


def only_the_second(status: int, **headers: str) -> Any:
    def answer(request: Request) -> Answer:
        if request.header("authorization") == "Bearer key-two":
            return openai_reply()
        return Answer(status=status, headers=[("content-type", "application/json"), *headers.items()])

    return answer


@pytest.mark.parametrize("status", [401, 402, 403, 429])
async def test_another_key_of_the_pool_is_used_at_once(tmp_path: Path, status: int) -> None:
    async with FakeUpstream(only_the_second(status)) as up, running(tmp_path, pool(up.url)) as gateway:
        first = await ask(gateway.url)
        second = await ask(gateway.url)
        used = [request.header("authorization") for request in up.requests]
        attempts = gateway.records("attempt")

    assert (first[0], first[1]["x-costspan-attempts"]) == (200, "2")
    assert (second[0], second[1]["x-costspan-attempts"]) == (200, "1")
    assert used == ["Bearer key-one", "Bearer key-two", "Bearer key-two"]
    assert [attempt["cost_status"] for attempt in attempts] == ["free", "exact", "exact"]


async def metrics(url: str) -> list[str]:
    async with aiohttp.ClientSession() as client, client.get(f"{url}/metrics") as response:
        return (await response.text()).splitlines()


@pytest.mark.parametrize(("status", "reason"), [(401, "auth"), (402, "auth"), (403, "auth"), (429, "rate_limit")])
async def test_a_key_that_begins_to_stand_back_is_in_the_metrics(tmp_path: Path, status: int, reason: str) -> None:
    async with FakeUpstream(only_the_second(status)) as up, running(tmp_path, pool(up.url)) as gateway:
        for _ in range(3):
            await ask(gateway.url)
        text = await metrics(gateway.url)

    assert [line for line in text if line.startswith("costspan_key_cooldowns_total")] == [
        f'costspan_key_cooldowns_total{{provider="p",reason="{reason}"}} 1'
    ]
    assert "key-one" not in "".join(text)


async def test_a_key_that_was_refused_is_used_again_once_its_secret_has_changed(tmp_path: Path) -> None:
    accepted = {"Bearer key-two"}

    def answer(request: Request) -> Answer:
        return openai_reply() if request.header("authorization") in accepted else Answer(status=401, body=b"{}")

    async with FakeUpstream(answer) as up, running(tmp_path, pool(up.url, keys="key-one, key-two")) as gateway:
        await ask(gateway.url)
        config = gateway.config.read_text()
        gateway.config.write_text(config.replace("retries: 1", "retries: 0"))
        assert await gateway.gateway.reload()
        first = len(up.requests)
        await ask(gateway.url)
        await ask(gateway.url)
        same = [request.header("authorization") for request in up.requests[first:]]
        accepted.add("Bearer key-new")
        gateway.config.write_text(config.replace("key-one", "key-new"))
        assert await gateway.gateway.reload()
        second = len(up.requests)
        await ask(gateway.url)
        await ask(gateway.url)
        changed = {request.header("authorization") for request in up.requests[second:]}
        (remembered,) = gateway.gateway.keys._pools.values()

    assert same == ["Bearer key-two", "Bearer key-two"]
    assert changed == {"Bearer key-new", "Bearer key-two"}
    assert {key.reveal() for key in remembered.states if key is not None} == {"key-new", "key-two"}


def authorizations(up: FakeUpstream) -> list[str | None]:
    return [request.header("authorization") for request in up.requests]


async def test_a_key_that_was_refused_is_used_again_when_a_last_resort_succeeds(tmp_path: Path) -> None:
    answers = [Answer(status=401, body=b"{}"), openai_reply(), openai_reply()]

    async with FakeUpstream(answers) as up, running(tmp_path, pool(up.url, keys="key-one")) as gateway:
        statuses = [(await ask(gateway.url))[0] for _ in range(3)]

    assert statuses == [502, 200, 200]  # the third is no last resort, of which there is one in a second


async def test_a_key_with_nothing_left_is_not_used_while_another_has_room(tmp_path: Path) -> None:
    def answer(request: Request) -> Answer:
        reply = openai_reply()
        left = "0" if request.header("authorization") == "Bearer key-one" else "100"
        said = [("x-ratelimit-remaining-requests", left), ("x-ratelimit-reset-requests", "1m0s")]
        return Answer(headers=[*reply.headers, *said], body=reply.body)

    async with FakeUpstream(answer) as up, running(tmp_path, pool(up.url)) as gateway:
        for _ in range(4):
            assert (await ask(gateway.url))[0] == 200

    assert authorizations(up) == ["Bearer key-one", "Bearer key-two", "Bearer key-two", "Bearer key-two"]


async def test_an_account_with_nothing_left_is_asked_after_one_with_room(tmp_path: Path) -> None:
    reply = openai_reply()
    said = [("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "1m0s")]
    nearly = Answer(headers=[*reply.headers, *said], body=reply.body)
    async with FakeUpstream(lambda _: nearly) as first, FakeUpstream(lambda _: openai_reply()) as second:
        more = f'  q: {{kind: openai, base_url: "{second.url}/v1", api_key: key-q}}'
        config = pool(first.url, keys="key-one", more=more).replace(
            "{chat: p/m}", "{chat: {targets: [p/m, q/m]}, alone: p/m}"
        )
        async with running(tmp_path, config) as gateway:
            targets = [(await ask(gateway.url))[1]["x-costspan-target"] for _ in range(3)]
            alone = await ask(gateway.url, model="alone")

    assert targets == ["p/m", "q/m", "q/m"]
    assert (alone[0], len(first.requests)) == (200, 2)  # it is a guess: nobody is turned away


async def test_the_key_with_the_least_under_way_is_used(tmp_path: Path) -> None:
    gate = asyncio.Event()

    def answer(request: Request) -> Answer:
        slow = request.header("authorization") == "Bearer key-one"
        return Answer(headers=openai_reply().headers, body=openai_reply().body, before=[gate] if slow else [])

    async with FakeUpstream(answer) as up, running(tmp_path, pool(up.url)) as gateway, asyncio.TaskGroup() as together:
        together.create_task(ask(gateway.url))
        await up.received(1)
        for _ in range(3):
            await ask(gateway.url)
        held = authorizations(up)
        gate.set()

    assert held == ["Bearer key-one", "Bearer key-two", "Bearer key-two", "Bearer key-two"]


def waiting_for(gate: asyncio.Event) -> Answer:
    reply = openai_reply()
    return Answer(headers=reply.headers, body=reply.body, before=[gate])


def one_at_a_time(url: str, *, targets: str = "p/m", more: str = "") -> str:
    return f"""
providers:
  p: {{kind: openai, base_url: "{url}/v1", api_key: key-one, max_concurrency: 1}}
{more}
defaults: {{retries: 0}}
routes:
  chat: {{targets: [{targets}]}}
  hasty: {{targets: [{targets}], timeouts: {{total: 300ms}}}}
"""


@contextlib.asynccontextmanager
async def one_under_way(url: str, up: FakeUpstream, gate: asyncio.Event) -> AsyncIterator[None]:
    """An exchange that waits for `gate`, and is answered in the end."""
    async with asyncio.TaskGroup() as together:
        held = together.create_task(ask(url))
        await up.received(1)
        try:
            yield
        finally:
            gate.set()
    assert held.result()[0] == 200


async def test_a_target_with_as_many_attempts_as_it_may_have_is_asked_last(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with FakeUpstream(waiting_for(gate)) as first, FakeUpstream(openai_reply()) as second:
        more = f'  q: {{kind: openai, base_url: "{second.url}/v1", api_key: key-q}}'
        config = one_at_a_time(first.url, targets="p/m, q/m", more=more)
        async with running(tmp_path, config) as gateway, one_under_way(gateway.url, first, gate):
            status, headers = await ask(gateway.url, model="hasty")

    assert (status, headers["x-costspan-target"], headers["x-costspan-attempts"]) == (200, "q/m", "1")


async def test_where_no_slot_comes_free_in_time_the_client_is_told_to_come_back(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with FakeUpstream(waiting_for(gate)) as up, running(tmp_path, one_at_a_time(up.url)) as gateway:
        async with one_under_way(gateway.url, up, gate):
            status, headers = await ask(gateway.url, model="hasty")
        attempts = gateway.records("attempt_started")

    assert (status, headers["retry-after"]) == (503, "1")
    assert len(attempts) == len(up.requests) == 1


async def test_who_waits_for_a_slot_gets_it_when_it_comes_free(tmp_path: Path) -> None:
    gate = asyncio.Event()
    at_once = []

    def answer(_: Request) -> Answer:
        at_once.append(sum(not request.answered.is_set() for request in up.requests))
        return waiting_for(gate)

    async with (
        FakeUpstream(answer) as up,
        running(tmp_path, one_at_a_time(up.url)) as gateway,
        asyncio.TaskGroup() as together,
    ):
        asked = [together.create_task(ask(gateway.url)) for _ in range(4)]
        await up.received(1)
        gate.set()

    assert [task.result()[0] for task in asked] == [200] * 4
    assert at_once == [1, 1, 1, 1]


async def test_a_key_that_may_be_used_soon_is_not_waited_for_while_another_is_free(tmp_path: Path) -> None:
    async with (
        FakeUpstream(only_the_second(429, **{"retry-after": "2"})) as up,
        running(tmp_path, pool(up.url)) as gateway,
    ):
        status, headers = await ask(gateway.url)

    assert (status, headers["x-costspan-attempts"]) == (200, "2")
    assert float(headers["server-timing"].split("upstream;dur=")[1].split(",")[0]) < 1000


async def test_a_target_whose_only_key_is_refused_is_asked_last_and_never_away(tmp_path: Path) -> None:
    refusing = Answer(status=401)
    async with FakeUpstream(lambda _: refusing) as bad, FakeUpstream(lambda _: openai_reply()) as good:
        more = f'  q: {{kind: openai, base_url: "{good.url}/v1", api_key: key-q}}'
        config = pool(bad.url, keys="key-one", more=more).replace(
            "chat: p/m", "{chat: {targets: [p/m, q/m]}, alone: p/m}"
        )
        config = config.replace("routes: {{chat", "routes: {chat").replace("alone: p/m}}", "alone: p/m}")
        async with running(tmp_path, config) as gateway:
            assert (await ask(gateway.url))[1]["x-costspan-attempts"] == "2"
            assert (await ask(gateway.url))[1]["x-costspan-attempts"] == "1"
            assert (await ask(gateway.url, model="alone"))[0] == 502

        assert len(bad.requests) == 2


async def test_a_target_that_asks_for_much_patience_is_not_waited_for(tmp_path: Path) -> None:
    busy = Answer(status=503, headers=[("retry-after", "3600")])
    async with FakeUpstream(busy) as bad, FakeUpstream(openai_reply()) as good:
        more = f'  q: {{kind: openai, base_url: "{good.url}/v1", api_key: key-q}}'
        config = pool(bad.url, more=more).replace("chat: p/m", "chat: {targets: [p/m, q/m]}")
        async with running(tmp_path, config) as gateway:
            status, headers = await ask(gateway.url)

    assert (status, headers["x-costspan-target"], headers["x-costspan-attempts"]) == (200, "q/m", "2")


async def test_a_whole_answer_that_never_comes_leaves_time_for_the_next_target(tmp_path: Path) -> None:
    async with FakeUpstream(Answer(before=[Cut.SILENCE])) as silent, FakeUpstream(openai_reply()) as good:
        more = f'  q: {{kind: openai, base_url: "{good.url}/v1", api_key: key-q}}'
        config = pool(silent.url, more=more).replace("chat: p/m", "chat: {targets: [p/m, q/m]}")
        config = config.replace(
            "{retries: 1}", "{retries: 0, timeouts: {total: 1s, first_token: 100ms, connect: 100ms}}"
        )
        async with running(tmp_path, config) as gateway:
            status, headers = await ask(gateway.url)
            failed, _ = gateway.records("attempt")

    assert (status, headers["x-costspan-target"]) == (200, "q/m")
    assert failed["error_type"] == "headers_timeout"
    assert 400 < failed["duration_ms"] < 900  # half of the second that both have


async def test_a_provider_without_a_key_that_wants_one_is_asked_once(tmp_path: Path) -> None:
    config = 'providers: {{p: {{kind: openai-compatible, base_url: "{url}/v1"}}}}\nroutes: {{chat: p/m}}\n'
    async with (
        FakeUpstream(lambda _: Answer(status=401, body=b"{}")) as up,
        running(tmp_path, config.format(url=up.url)) as gateway,
    ):
        status, headers = await ask(gateway.url)
        asked = len(up.requests)

    assert (status, headers["x-costspan-attempts"], asked) == (502, "1", 1)
