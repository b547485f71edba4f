"""Races over real sockets: the first content wins, every loser is on the books, nobody has two answers."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from costspan.wire import json
from fakes.gateway import running
from fakes.upstream import Answer, Cut, FakeUpstream, Request
from fakes.upstream_answers import STREAM_HEADERS, anthropic_stream, openai_reply, openai_stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
"""0.006 USD at 2 and 8 per million."""
SILENT_AFTER_HEADERS = Answer(headers=STREAM_HEADERS, body=[Cut.SILENCE], framing="chunked")
SILENT = Answer(before=[Cut.SILENCE])
REFUSED = Answer(
    status=400,
    headers=(("content-type", "application/json"),),
    body=b'{"error":{"message":"no such thing","type":"invalid_request_error","param":"x"}}',
)
COSTS = ", cost_in_body: true"
BROKEN = Answer(status=500, body=b"{}")


def racing(*urls: str, race: str = "after: 0s", more: str = "", stops: str = "true", kind: str = "openai") -> str:
    names = [f"p{place}" for place in range(len(urls))]
    providers = "\n".join(
        f'  {name}: {{kind: {kind}, base_url: "{url}/v1", api_key: test-key-{name}, abort_stops_billing: {stops}}}'
        for name, url in zip(names, urls, strict=True)
    )
    targets = ", ".join(f"{name}/m" for name in names)
    return f"""
defaults: {{retries: 0}}
providers:
{providers}
routes:
  chat: {{strategy: race, race: {{{race}}}, targets: [{targets}]{more}}}
"""


async def ask(url: str, *, stream: bool = True, **more: Any) -> tuple[int, dict[str, str], bytes]:
    body = {"model": "chat", "stream": stream, "messages": [{"role": "user", "content": "hello"}], **more}
    async with aiohttp.ClientSession() as client, client.post(f"{url}/v1/chat/completions", json=body) as response:
        headers = {name.lower(): value for name, value in response.headers.items()}
        return response.status, headers, await response.read()


def outcomes(attempts: list[dict[str, Any]]) -> dict[str, str]:
    return {attempt["provider"]: attempt["outcome"] for attempt in attempts}


async def test_the_first_content_wins_and_the_loser_is_cut_off_at_once(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with (
        FakeUpstream(openai_stream((gate, "late"))) as slow,
        FakeUpstream(openai_stream(("first",), usage=USAGE)) as quick,
        running(tmp_path, racing(slow.url, quick.url)) as gateway,
    ):
        status, headers, body = await ask(gateway.url)
        async with asyncio.timeout(0.25):
            await (await slow.received(1)).disconnected.wait()
        attempts = await gateway.written("attempt", 2)
        (exchange,) = await gateway.written("exchange")

    assert (status, headers["x-costspan-target"], headers["x-costspan-attempts"]) == (200, "p1/m", "2")
    assert b"first" in body
    assert b"late" not in body
    assert outcomes(attempts) == {"p0": "lost_race", "p1": "ok"}
    (loser,) = (attempt for attempt in attempts if attempt["outcome"] == "lost_race")
    # The prompt ("hello", 2 tokens by length) at 2 USD per million; its provider stops when the connection closes.
    assert (loser["cost_usd"], loser["cost_estimated_usd"], loser["flags"]) == (None, "0.000004", [])
    assert (exchange["attempts"], exchange["outcome"], exchange["strategy"]) == (2, "ok", "race")
    assert (exchange["cost_usd"], exchange["cost_estimated_usd"]) == ("0.006000", "0.000004")


async def test_a_loser_whose_provider_goes_on_billing_is_estimated_with_the_answer_it_writes_on(tmp_path: Path) -> None:
    async with (
        FakeUpstream(SILENT_AFTER_HEADERS) as slow,
        FakeUpstream(openai_stream(("first",))) as quick,
        running(tmp_path, racing(slow.url, quick.url, stops="false")) as gateway,
    ):
        await ask(gateway.url, max_tokens=100)
        attempts = await gateway.written("attempt", 2)

    (loser,) = (attempt for attempt in attempts if attempt["outcome"] == "lost_race")
    assert loser["flags"] == ["unbounded_loser"]
    # 2 tokens of prompt at 2 USD, and at 8 USD per million the 82 that are expected where 100 are allowed
    assert (loser["cost_estimated_usd"], loser["cost_status"]) == ("0.000660", "estimated")


async def test_a_loser_that_never_reached_its_provider_is_free_and_bound_by_that(tmp_path: Path) -> None:
    async with (
        FakeUpstream(SILENT) as no_tls,  # it waits for a request, and the gateway for a handshake
        FakeUpstream(openai_stream(("first",))) as quick,
        running(
            tmp_path, racing(no_tls.url.replace("http:", "https:"), quick.url, race="after: 0s", stops="false")
        ) as gateway,
    ):
        await ask(gateway.url)
        attempts = await gateway.written("attempt", 2)

    (loser,) = (attempt for attempt in attempts if attempt["outcome"] == "lost_race")
    assert (loser["flags"], loser["cost_status"], loser["cost_estimated_usd"]) == ([], "free", None)


async def test_a_drained_loser_is_read_to_its_end_and_its_exact_cost_is_in_the_exchange(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with (
        FakeUpstream(openai_stream((gate, "late"), usage=USAGE)) as slow,
        FakeUpstream(openai_stream(("first",), usage=USAGE)) as quick,
        running(tmp_path, racing(slow.url, quick.url, race="after: 0s, losers: drain")) as gateway,
    ):
        _, _, body = await ask(gateway.url)
        assert gateway.records("exchange") == []  # it is not known yet what it cost
        gate.set()
        (exchange,) = await gateway.written("exchange")
        attempts = gateway.records("attempt")

    assert b"late" not in body
    assert outcomes(attempts) == {"p0": "lost_race", "p1": "ok"}
    assert [attempt["cost_usd"] for attempt in attempts] == ["0.006000", "0.006000"]
    assert (exchange["cost_usd"], exchange["cost_status"], exchange["attempts"]) == ("0.012000", "exact", 2)


async def test_a_loser_that_had_not_even_answered_is_drained_too(tmp_path: Path) -> None:
    gate = asyncio.Event()
    late = replace(openai_stream(("late",), usage=USAGE), before=[gate])
    async with (
        FakeUpstream(late) as slow,
        FakeUpstream(openai_stream(("first",), usage=USAGE)) as quick,
        running(tmp_path, racing(slow.url, quick.url, race="after: 0s, losers: drain")) as gateway,
    ):
        await ask(gateway.url)
        gate.set()
        (exchange,) = await gateway.written("exchange")

    assert (exchange["cost_usd"], exchange["cost_status"]) == ("0.012000", "exact")


async def test_whole_answers_race_too_and_the_loser_costs_what_the_header_says(tmp_path: Path) -> None:
    async with (
        FakeUpstream(SILENT) as slow,
        FakeUpstream(openai_reply("first", usage=USAGE)) as quick,
        running(tmp_path, racing(slow.url, quick.url)) as gateway,
    ):
        status, headers, body = await ask(gateway.url, stream=False)
        attempts = await gateway.written("attempt", 2)

    assert (status, json.loads_object(body)["choices"][0]["message"]["content"]) == (200, "first")
    assert "x-costspan-cost-usd" not in headers, "what the loser cost is only estimated"
    assert outcomes(attempts) == {"p0": "lost_race", "p1": "ok"}


@pytest.mark.parametrize(("losers", "stream"), [("cancel", False), ("drain", False), ("drain", True)])
async def test_while_nobody_knows_what_a_loser_costs_no_cost_is_told(
    tmp_path: Path, losers: str, *, stream: bool
) -> None:
    gate = asyncio.Event()
    late = openai_stream((gate, "late"), usage=USAGE) if stream else replace(openai_reply(usage=USAGE), before=[gate])
    quick = openai_stream(("first",), usage=USAGE) if stream else openai_reply("first", usage=USAGE)
    async with (
        FakeUpstream(late) as slow,
        FakeUpstream(quick) as first,
        running(tmp_path, racing(slow.url, first.url, race=f"after: 0s, losers: {losers}"), more=COSTS) as gateway,
    ):
        _, headers, body = await ask(gateway.url, stream=stream)
        gate.set()
        await gateway.written("exchange")

    assert "x-costspan-cost-usd" not in headers
    assert b'"cost":null' in body


async def test_who_wins_by_its_headers_and_dies_before_content_has_not_won(tmp_path: Path) -> None:
    gate = asyncio.Event()
    died = Answer(headers=STREAM_HEADERS, body=[Cut.RESET], framing="chunked")
    async with (
        FakeUpstream(died) as dying,
        FakeUpstream(openai_stream((gate, "alive"))) as alive,
        running(tmp_path, racing(dying.url, alive.url)) as gateway,
    ):
        asked = asyncio.create_task(ask(gateway.url))
        await gateway.written("attempt")
        gate.set()
        status, headers, body = await asked
        attempts = await gateway.written("attempt", 2)

    assert (status, headers["x-costspan-target"]) == (200, "p1/m")
    assert b"alive" in body
    assert outcomes(attempts) == {"p0": "failed", "p1": "ok"}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_when_both_answer_at_the_same_moment_the_client_has_one_answer(tmp_path: Path, *, stream: bool) -> None:
    def answer(text: str) -> Callable[[Request], Answer]:
        def script(_: Request) -> Answer:
            made = openai_stream((text,), usage=USAGE) if stream else openai_reply(text, usage=USAGE)
            return replace(made, before=[gate])

        return script

    gate = asyncio.Event()
    async with (
        FakeUpstream(answer("from p0")) as a,
        FakeUpstream(answer("from p1")) as b,
        running(tmp_path, racing(a.url, b.url)) as gateway,
    ):
        asked = [asyncio.create_task(ask(gateway.url, stream=stream)) for _ in range(50)]
        await a.received(50)
        await b.received(50)
        gate.set()
        answers = [await each for each in asked]
        exchanges = await gateway.written("exchange", 50)
        attempts = await gateway.written("attempt", 100)

    for status, headers, body in answers:
        won, lost = ("p0", "p1") if headers["x-costspan-target"] == "p0/m" else ("p1", "p0")
        assert status == 200
        assert f"from {won}".encode() in body
        assert f"from {lost}".encode() not in body
    assert all(exchange["outcome"] == "ok" for exchange in exchanges)
    for exchange in exchanges:
        own = [attempt for attempt in attempts if attempt["exchange_id"] == exchange["id"]]
        assert sorted(attempt["outcome"] for attempt in own) == ["lost_race", "ok"]


async def test_a_drained_loser_that_was_whole_already_is_not_read_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def script(_: Request) -> Answer:
        return replace(openai_reply(usage=USAGE), before=[gate])

    gate = asyncio.Event()
    async with (
        FakeUpstream(script) as a,
        FakeUpstream(script) as b,
        running(tmp_path, racing(a.url, b.url, race="after: 0s, losers: drain")) as gateway,
    ):
        asked = [asyncio.create_task(ask(gateway.url, stream=False)) for _ in range(20)]
        await a.received(20)
        await b.received(20)
        gate.set()
        for each in asked:
            assert (await each)[0] == 200
        exchanges = await gateway.written("exchange", 20)
    gc.collect()  # a task's fault that nobody asks for is told when it is collected

    assert {exchange["cost_usd"] for exchange in exchanges} == {"0.012000"}
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_whole_answers_that_race_may_each_take_all_the_time_that_is_left(tmp_path: Path) -> None:
    def script(_: Request) -> Answer:
        gate = asyncio.Event()
        asyncio.get_running_loop().call_later(0.7, gate.set)
        return replace(openai_reply(usage=USAGE), before=[gate])

    more = ", timeouts: {total: 1s, first_token: 100ms}"
    async with (
        FakeUpstream(script) as a,
        FakeUpstream(script) as b,
        running(tmp_path, racing(a.url, b.url, more=more)) as gateway,
    ):
        status, _, _ = await ask(gateway.url, stream=False)

    assert status == 200, "one of two at the same time is not one of two in turn"


async def test_the_next_target_starts_only_when_the_first_is_late(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with (
        FakeUpstream(lambda _: openai_stream((gate, "slow"))) as first,
        FakeUpstream(lambda _: openai_stream(("second",))) as second,
        running(tmp_path, racing(first.url, second.url, race="after: 100ms")) as gateway,
    ):
        began = time.monotonic()
        _, headers, _ = await ask(gateway.url)
        took = time.monotonic() - began
        assert headers["x-costspan-target"] == "p1/m"
        assert took >= 0.1
        upstream, ours = headers["server-timing"].split(", ")
        assert float(upstream.removeprefix("upstream;dur=")) >= 100, "the wait for the first is no time of ours"
        assert float(ours.removeprefix("gateway;dur=")) < 100
        gate.set()
        await ask(gateway.url)
        assert len(second.requests) == 1, "the first one answered in time"


@pytest.mark.parametrize("wins", [True, False])
async def test_the_time_of_targets_that_ran_side_by_side_counts_once(tmp_path: Path, *, wins: bool) -> None:
    def late(answer: Answer, seconds: float) -> Answer:
        gate = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, gate.set)
        return replace(answer, before=[gate])

    async with (
        FakeUpstream(lambda _: late(BROKEN, 0.2)) as a,
        FakeUpstream(lambda _: late(openai_reply() if wins else BROKEN, 0.3)) as b,
        running(tmp_path, racing(a.url, b.url)) as gateway,
    ):
        began = time.monotonic()
        status, headers, _ = await ask(gateway.url, stream=False)
        took = time.monotonic() - began
        (exchange,) = await gateway.written("exchange")

    assert status == (200 if wins else 502)
    assert 300 <= exchange["upstream_ms"] <= exchange["duration_ms"] <= took * 1000
    if wins:
        assert 300 <= float(headers["server-timing"].split(",")[0].removeprefix("upstream;dur=")) <= took * 1000


async def test_a_target_that_fails_is_replaced_at_once(tmp_path: Path) -> None:
    async with (
        FakeUpstream(BROKEN) as broken,
        FakeUpstream(openai_stream(("second",))) as second,
        running(tmp_path, racing(broken.url, second.url, race="after: 60s")) as gateway,
    ):
        async with asyncio.timeout(5):
            status, _, body = await ask(gateway.url)

    assert status == 200
    assert b"second" in body


async def test_no_more_than_may_run_in_parallel_do(tmp_path: Path) -> None:
    gate = asyncio.Event()

    def script(_: Request) -> Answer:
        return openai_stream((gate, "x"))

    async with (
        FakeUpstream(script) as a,
        FakeUpstream(script) as b,
        FakeUpstream(script) as c,
        running(tmp_path, racing(a.url, b.url, c.url, race="after: 0s, max_parallel: 2")) as gateway,
    ):
        asked = asyncio.create_task(ask(gateway.url))
        await a.received(1)
        await b.received(1)
        gate.set()
        await asked
        assert c.requests == []


async def test_a_bad_request_is_refused_only_when_nobody_else_answers(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with (
        FakeUpstream(lambda _: REFUSED) as refusing,
        FakeUpstream([openai_stream((gate, "fine")), REFUSED]) as other,
        running(tmp_path, racing(refusing.url, other.url)) as gateway,
    ):
        asked = asyncio.create_task(ask(gateway.url))
        await gateway.written("attempt")
        gate.set()
        assert (await asked)[0] == 200
        status, _, body = await ask(gateway.url)

    assert status == 400
    assert json.loads_object(body)["error"]["message"] == "no such thing"


async def test_when_all_fail_the_error_lists_every_attempt_and_the_next_stage_is_asked(tmp_path: Path) -> None:
    async with FakeUpstream(lambda _: BROKEN) as a, FakeUpstream(lambda _: BROKEN) as b:
        async with running(tmp_path, racing(a.url, b.url)) as gateway:
            status, headers, body = await ask(gateway.url)
        assert (status, headers["x-costspan-attempts"]) == (502, "2")
        tried = json.loads_object(body)["error"]["attempts"]
        assert sorted(attempt["target"] for attempt in tried) == ["p0/m", "p1/m"]

        async with FakeUpstream(openai_stream(("rescued",))) as c:
            config = racing(a.url, b.url).replace("  chat:", "  quick:") + (
                "  chat: {targets: [route: quick, spare/m]}\n"
            )
            config = config.replace(
                "providers:", f'providers:\n  spare: {{kind: openai, base_url: "{c.url}/v1", api_key: k-test}}'
            )
            (tmp_path / "next").mkdir()
            async with running(tmp_path / "next", config) as gateway:
                status, headers, body = await ask(gateway.url)
    assert (status, headers["x-costspan-target"], headers["x-costspan-attempts"]) == (200, "spare/m", "3")
    assert b"rescued" in body


@pytest.mark.parametrize("losers", ["cancel", "drain"])
async def test_a_client_that_leaves_ends_the_race_for_all(tmp_path: Path, losers: str) -> None:
    async with (
        FakeUpstream(SILENT_AFTER_HEADERS) as a,
        FakeUpstream(SILENT) as b,
        running(tmp_path, racing(a.url, b.url, race=f"after: 0s, losers: {losers}")) as gateway,
    ):
        asked = asyncio.create_task(ask(gateway.url))
        await a.received(1)
        await b.received(1)
        asked.cancel()
        attempts = await gateway.written("attempt", 2)
        (exchange,) = await gateway.written("exchange")
        async with asyncio.timeout(1):
            await (await a.received(1)).disconnected.wait()
            await (await b.received(1)).disconnected.wait()

    assert outcomes(attempts) == {"p0": "cancelled", "p1": "cancelled"}
    assert exchange["outcome"] == "cancelled"


async def test_no_race_is_run_that_may_cost_more_than_is_allowed(tmp_path: Path) -> None:
    gate = asyncio.Event()
    # Of the second target 1 token of prompt at 2 and 421 of output at 8 USD per million are expected: 0.00337 USD.
    for limit, targets in (("0.00336", 1), ("0.00337", 2)):
        (folder := tmp_path / limit).mkdir()
        gate.clear()
        async with (
            FakeUpstream(lambda _: openai_stream((gate, "a"))) as a,
            FakeUpstream(lambda _: openai_stream((gate, "b"))) as b,
            running(folder, racing(a.url, b.url, race=f"after: 0s, max_extra_usd: {limit}")) as gateway,
        ):
            asked = asyncio.create_task(ask(gateway.url))
            await a.received(1)
            if targets == 2:
                await b.received(1)
            gate.set()
            await asked
            assert len(a.requests) + len(b.requests) == targets


async def test_targets_of_different_dialects_race(tmp_path: Path) -> None:
    config = """
providers:
  one: {{kind: openai, base_url: "{one}/v1", api_key: test-key-one}}
  two: {{kind: anthropic, base_url: "{two}", api_key: test-key-two}}
routes:
  chat: {{strategy: race, race: {{after: 0s}}, targets: [one/m, two/m]}}
"""
    async with (
        FakeUpstream(SILENT) as one,
        FakeUpstream(anthropic_stream(("bon", "jour"))) as two,
        running(tmp_path, config.format(one=one.url, two=two.url)) as gateway,
    ):
        status, headers, body = await ask(gateway.url)

    assert (status, headers["x-costspan-target"]) == (200, "two/m")
    assert b'"bon"' in body
    assert body.endswith(b"data: [DONE]\n\n")


class LongTailed:
    """A target that answers in 30 ms, and one time in forty in a second."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def __call__(self, _: Request) -> Answer:
        gate = asyncio.Event()
        asyncio.get_running_loop().call_later(1.0 if self._chance.random() < 1 / 40 else 0.03, gate.set)
        return openai_stream((gate, "x"), usage=USAGE)


async def waits(url: str, count: int) -> list[float]:
    """Seconds to the first content of `count` streams, eight at a time, the shortest first."""
    body = {"model": "chat", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    found: list[float] = []
    left = iter(range(count))

    async def one_after_the_other(client: aiohttp.ClientSession) -> None:
        for _ in left:
            began = time.monotonic()
            async with client.post(f"{url}/v1/chat/completions", json=body) as response:
                while b'"x"' not in await response.content.readline():
                    pass
                found.append(time.monotonic() - began)
                await response.read()

    async with aiohttp.ClientSession() as client, asyncio.TaskGroup() as together:
        for _ in range(8):
            together.create_task(one_after_the_other(client))
    return sorted(found)


async def test_p95_halves_the_tail_for_a_twentieth_more_requests(tmp_path: Path) -> None:
    """Must show 3 of the routing issue."""
    (tmp_path / "alone").mkdir()
    (tmp_path / "raced").mkdir()
    async with FakeUpstream(LongTailed(5)) as a, FakeUpstream(LongTailed(6)) as b:
        config = racing(a.url, b.url, race="after: p95")
        alone = config[: config.index("  chat:")] + "  chat: p0/m\n"
        async with running(tmp_path / "alone", alone) as gateway:
            before = await waits(gateway.url, 800)
        async with running(tmp_path / "raced", config) as gateway:
            await waits(gateway.url, 100)  # until it is known what is usual
            asked, hedged = len(a.requests), len(b.requests)
            after = await waits(gateway.url, 800)
            extra = len(a.requests) - asked + len(b.requests) - hedged - 800
            attempts = await gateway.written("attempt", 900 + len(b.requests))
            exchanges = gateway.records("exchange")

    p99 = before[792], after[792]
    assert p99[1] <= p99[0] / 2, p99
    assert 0 < extra <= 40, "of 800, a twentieth"
    lost = [attempt for attempt in attempts if attempt["outcome"] == "lost_race"]
    further = [attempt for attempt in attempts if attempt["provider"] == "p1"]
    assert len(lost) == len(further), "every further attempt has made one loser"
    assert [exchange["outcome"] for exchange in exchanges] == ["ok"] * 900


@pytest.mark.parametrize("after", ["p95", "50ms"])
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_a_first_target_that_hangs_is_found_out(tmp_path: Path, after: str, *, stream: bool) -> None:
    """It takes requests and never answers. The race is over long before a timeout is."""
    hangs = False

    def first(_: Request) -> Answer:
        if hangs:
            return SILENT
        return openai_stream(("x",), usage=USAGE) if stream else openai_reply("x", usage=USAGE)

    def second(_: Request) -> Answer:
        return openai_stream(("y",), usage=USAGE) if stream else openai_reply("y", usage=USAGE)

    async with (
        FakeUpstream(first) as a,
        FakeUpstream(second) as b,
        running(tmp_path, racing(a.url, b.url, race=f"after: {after}")) as gateway,
    ):
        for _ in range(40):
            await ask(gateway.url, stream=stream)
        asked, hangs = len(a.requests), True
        seconds = []
        for _ in range(40):
            began = time.monotonic()
            status, headers, _ = await ask(gateway.url, stream=stream)
            seconds.append(time.monotonic() - began)
            assert (status, headers["x-costspan-target"]) == (200, "p1/m")
        more = len(a.requests) - asked

    assert max(seconds) < 3, "nobody waits for a timeout"
    assert 5 <= more <= 15, "after five in a row it is left alone, but for a probe"


async def test_a_further_attempt_does_not_wait_in_line_while_another_target_could_be_asked(tmp_path: Path) -> None:
    """The place is free when the plan is made, and taken when the further attempt is to start."""
    gate = asyncio.Event()
    async with (
        FakeUpstream(lambda _: SILENT_AFTER_HEADERS) as first,
        FakeUpstream(lambda _: openai_stream((gate, "held"))) as full,
        FakeUpstream(lambda _: openai_stream(("third",))) as third,
        running(
            tmp_path,
            racing(first.url, full.url, third.url, race="after: 500ms, max_parallel: 2").replace(
                "api_key: test-key-p1", "api_key: test-key-p1, max_concurrency: 1"
            ),
        ) as gateway,
    ):
        began = time.monotonic()
        asked = asyncio.create_task(ask(gateway.url))
        await first.received(1)
        holder = asyncio.create_task(ask(gateway.url, model="p1/m"))
        await full.received(1)
        status, headers, _ = await asked
        took = time.monotonic() - began
        gate.set()
        await holder

    assert (status, headers["x-costspan-target"]) == (200, "p2/m")
    assert took < 2.5, "the line is three seconds long"


def test_the_price_of_the_tests_above() -> None:
    assert Decimal(1000) * 2 / 10**6 + Decimal(500) * 8 / 10**6 == Decimal("0.006")
