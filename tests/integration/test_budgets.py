"""Budgets in a whole gateway: what is let in, what is refused, what is reserved and spent.

2 USD per million tokens of input, 8 of output (`fakes.gateway`): an answer of `USAGE` costs 0.006 USD.
"""

from __future__ import annotations

import asyncio
import hashlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from costspan.wire import json
from fakes.budgeted import CHAT, PROMPT, USAGE, ask, config, spent
from fakes.gateway import running
from fakes.upstream import Answer, Cut, FakeUpstream
from fakes.upstream_answers import STREAM_HEADERS, openai_reply, openai_stream

if TYPE_CHECKING:
    from pathlib import Path

D = Decimal
MESSAGES = "/v1/messages"
GEMINI = "/v1beta/models/chat:generateContent"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_hundred_at_once_overspend_what_is_left_by_less_than_one_request(
    tmp_path: Path, *, stream: bool
) -> None:
    answer = openai_stream(usage=USAGE) if stream else openai_reply(usage=USAGE)
    text = "name: all, usd: 0.02, per: day"
    async with FakeUpstream(lambda _: answer) as up, running(tmp_path, config(up.url, text)) as gateway:
        await ask(gateway, stream=stream)  # 0.006 of it is spent
        async with asyncio.TaskGroup() as together:
            asked = [together.create_task(ask(gateway, stream=stream)) for _ in range(100)]
        statuses = [task.result()[0] for task in asked]
        exchanges, total = gateway.records("exchange"), spent(gateway)

    assert sorted(statuses) == [200] * 3 + [402] * 97  # the third while 0.002 were left
    assert total == D("0.024")
    assert len(exchanges) == 4  # what was refused at the gate is no exchange


async def test_a_refusal_says_which_budget_it_is_and_when_it_begins_anew(tmp_path: Path) -> None:
    text = "name: checkout, match: {team: checkout}, usd: 0.006, per: month"
    async with (
        FakeUpstream(lambda _: openai_reply(usage=USAGE)) as up,
        running(tmp_path, config(up.url, text)) as gateway,
    ):
        first, _, _ = await ask(gateway, team="checkout")
        other, _, _ = await ask(gateway, team="search")
        status, body, headers = await ask(gateway, team="checkout")
        assert len(up.requests) == 2

    assert (first, other, status) == (200, 200, 402)
    error = body["error"]
    assert error["code"] == "budget_exceeded"
    assert error["message"].startswith("the budget checkout of 0.006 USD a month is used up; it begins anew at 20")
    assert error["message"].endswith("-01T00:00:00Z")
    assert error["exchange_id"] == headers["x-request-id"]
    assert 0 < int(headers["retry-after"]) <= 31 * 86_400


SHAPES: dict[str, tuple[str, dict[str, Any], tuple[object, str]]] = {
    "openai-chat": (CHAT, {"model": "chat", "messages": PROMPT}, ("billing_error", "budget_exceeded")),
    "anthropic-messages": (
        MESSAGES,
        {"model": "chat", "max_tokens": 9, "messages": PROMPT},
        ("billing_error", "budget_exceeded"),
    ),
    "gemini-generate": (GEMINI, {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}, (402, "budget_exceeded")),
}


@pytest.mark.parametrize(("path", "body", "told"), SHAPES.values(), ids=SHAPES.keys())
async def test_a_refusal_has_the_shape_of_the_clients_dialect(
    tmp_path: Path, path: str, body: dict[str, Any], told: tuple[object, str]
) -> None:
    async with (
        FakeUpstream(openai_reply()) as up,
        running(tmp_path, config(up.url, "name: all, usd: 0, per: total")) as gateway,
        aiohttp.ClientSession() as client,
        client.post(gateway.url + path, json=body) as response,
    ):
        error = json.loads_object(await response.read())["error"]
        assert response.status == 402
        assert "retry-after" not in response.headers

    if path == GEMINI:
        assert (error["code"], error["details"][0]["reason"]) == told
    else:
        assert (error["type"], error["code"]) == told


async def test_a_budget_that_is_used_up_can_send_requests_to_a_cheaper_route(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = "name: all, usd: 0.006, per: week, on_exceed: {route: cheap}"
    async with (
        FakeUpstream(lambda _: openai_reply(usage=USAGE)) as dear,
        FakeUpstream(lambda _: openai_reply(usage=USAGE)) as cheap,
        running(tmp_path, config(dear.url, text, other=cheap.url)) as gateway,
    ):
        answers = [await ask(gateway) for _ in range(3)]
        exchanges = gateway.records("exchange")

    assert [headers["x-costspan-target"] for _, _, headers in answers] == ["p/m", "q/n", "q/n"]
    assert [(e["model_asked"], e["route"], e["provider"]) for e in exchanges] == [
        ("chat", "chat", "p"),
        ("chat", "cheap", "q"),
        ("chat", "cheap", "q"),
    ]
    (told,) = [line for line in caplog.messages if "used up" in line]
    assert told.startswith("budget all: used up, further requests go to cheap; it begins anew at ")


@pytest.mark.parametrize(
    "wish",
    [
        {"only": ["p"]},
        {"order": ["p"]},
        {"ignore": ["q"], "allow_fallbacks": False},
        {"sort": {"by": "price", "partition": "none"}},
    ],
    ids=["only", "order", "ignore", "sort"],
)
async def test_whoever_names_the_cheaper_route_first_gets_to_no_other_by_it(
    tmp_path: Path, wish: dict[str, Any]
) -> None:
    """`models` and `provider` together can leave nothing of the route whose name the exchange has."""
    text = "name: all, usd: 0, per: week, on_exceed: {route: cheap}"
    async with (
        FakeUpstream(lambda _: openai_reply(usage=USAGE)) as dear,
        FakeUpstream(Answer(status=500, body=b"{}")) as cheap,
        running(tmp_path, config(dear.url, text, other=cheap.url)) as gateway,
    ):
        status, _, _ = await ask(gateway, model="cheap", models=["chat", "p/another"], provider=wish)
        assert dear.requests == []

    assert status in {404, 502}


async def test_the_log_says_which_budget_refused_whom(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="costspan.refused")
    key = "cs-test-key-of-checkout"
    digest = hashlib.sha256(key.encode()).hexdigest()
    text = config("http://127.0.0.1:9", "name: all, usd: 0, per: total") + (
        f'keys: [{{name: checkout, hash: "sha256:{digest}"}}]\n'
    )
    async with running(tmp_path, text) as gateway, aiohttp.ClientSession() as client:
        body = {"model": "chat", "messages": PROMPT}
        for _ in range(2):
            headers = {"authorization": f"Bearer {key}"}
            async with client.post(gateway.url + CHAT, json=body, headers=headers) as response:
                assert response.status == 402

    lines = [record for record in caplog.records if record.name == "costspan.refused"]
    assert [line.getMessage() for line in lines] == [
        "request refused: 402 budget_exceeded POST /v1/chat/completions, budget all, key checkout"
    ] * 2
    assert (vars(lines[0])["budget"], vars(lines[0])["key"]) == ("all", "checkout")
    (told,) = [line for line in caplog.messages if "used up" in line]
    assert told == "budget all: used up, further requests are refused; it does not begin anew"


async def test_what_a_client_that_left_has_caused_is_spent(tmp_path: Path) -> None:
    gate = asyncio.Event()
    text = "name: all, usd: 0.006, per: day"
    async with (
        FakeUpstream([openai_stream(("Hel", gate, "lo"), usage=USAGE)]) as up,
        running(
            tmp_path, config(up.url, text).replace("test-key}", "test-key, abort_stops_billing: false}")
        ) as gateway,
    ):
        async with aiohttp.ClientSession() as client:
            body = {"model": "chat", "max_tokens": 500, "messages": PROMPT, "stream": True}
            async with client.post(gateway.url + CHAT, json=body) as response:
                await response.content.readany()
        while_it_is_read_on, _, _ = await ask(gateway)
        gate.set()
        await gateway.gateway._drains.close(5)
        standing = gateway.gateway.state.gate.standings()[0]
        afterwards, _, _ = await ask(gateway)

    assert (while_it_is_read_on, afterwards) == (402, 402)
    assert (standing.spent, standing.reserved) == (D("0.006"), D(0))


async def test_every_attempt_of_a_fallback_is_spent(tmp_path: Path) -> None:
    told = openai_stream(("Hel",), usage=USAGE, done=False)
    assert not isinstance(told.body, bytes)
    first, *_, report = list(told.body)
    broken = Answer(headers=STREAM_HEADERS, body=[first, report, Cut.RESET], framing="chunked")
    async with (
        FakeUpstream(broken) as a,
        FakeUpstream(openai_stream(usage=USAGE)) as b,
        running(
            tmp_path,
            config(a.url, "name: all, usd: 1, per: day", other=b.url).replace(
                "chat: p/m", "chat: {targets: [p/m, q/n]}"
            ),
        ) as gateway,
    ):
        await ask(gateway, stream=True)
        standing = gateway.gateway.state.gate.standings()[0]
        assert (standing.spent, standing.reserved) == (spent(gateway), D(0))

    assert standing.spent == D("0.012")


async def test_a_request_that_fails_before_it_costs_anything_gives_its_reservation_back(tmp_path: Path) -> None:
    refused = Answer(status=400, body=b'{"error": {"message": "no", "type": "invalid_request_error"}}')
    async with (
        FakeUpstream([refused, openai_reply(usage=USAGE)]) as up,
        running(tmp_path, config(up.url, "name: all, usd: 0.006, per: day")) as gateway,
    ):
        first, _, _ = await ask(gateway)
        second, _, _ = await ask(gateway)

    assert (first, second) == (400, 200)


async def test_how_budgets_stand_is_a_metric(tmp_path: Path) -> None:
    text = "name: checkout, match: {team: checkout}, usd: 0.024, per: month"
    async with (
        FakeUpstream(lambda _: openai_reply(usage=USAGE)) as up,
        running(tmp_path, config(up.url, text)) as gateway,
    ):
        await ask(gateway, team="checkout")
        async with aiohttp.ClientSession() as client, client.get(f"{gateway.url}/metrics") as response:
            metrics = (await response.text()).splitlines()

    assert [line for line in metrics if line.startswith("costspan_budget")] == [
        'costspan_budget_remaining_usd{budget="checkout"} 0.018000',
        'costspan_budget_used_ratio{budget="checkout"} 0.25',
        'costspan_budget_warned{budget="checkout"} 0',
    ]


@pytest.mark.parametrize(
    ("fields", "reserved"),
    [
        ({}, D("0.006")),  # 1,000 x 2 + 500 x 8 per million
        ({"n": 3}, D("0.014")),
    ],
)
async def test_what_a_request_may_cost_at_most_is_reserved_while_it_is_under_way(
    tmp_path: Path, fields: dict[str, Any], reserved: Decimal
) -> None:
    gate = asyncio.Event()
    async with (
        FakeUpstream(openai_stream(("a", gate), usage=USAGE)) as up,
        running(tmp_path, config(up.url, "name: all, usd: 1, per: day")) as gateway,
    ):
        asked = asyncio.create_task(ask(gateway, stream=True, **fields))
        await up.received(1)
        standing = gateway.gateway.state.gate.standings()[0]
        gate.set()
        await asked
        settled = gateway.gateway.state.gate.standings()[0]

    assert (standing.spent, standing.reserved) == (D(0), reserved)
    assert (settled.spent, settled.reserved) == (D("0.006"), D(0))


async def test_a_request_without_a_limit_reserves_what_such_requests_are_expected_to_have(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with (
        FakeUpstream([*[openai_reply(usage=USAGE)] * 30, openai_stream(("a", gate), usage=USAGE)]) as up,
        running(tmp_path, config(up.url, "name: all, usd: 1, per: day")) as gateway,
    ):
        for _ in range(30):
            await ask(gateway)
        asked = asyncio.create_task(ask(gateway, stream=True, max_tokens=None))
        await up.received(31)
        standing = gateway.gateway.state.gate.standings()[0]
        gate.set()
        await asked

    assert D("0.005") < standing.reserved < D("0.007")  # it has learnt: 1,000 x 2 + 500 x 8 per million


@pytest.mark.parametrize(("usd", "asked"), [("0.012", 2), ("0.0119", 1)])
async def test_a_race_starts_no_further_attempt_that_the_budget_has_no_room_for(
    tmp_path: Path, usd: str, asked: int
) -> None:
    gate, waits = asyncio.Event(), asyncio.Event()
    routes = "chat: {strategy: race, targets: [p/m, q/n], race: {after: 0s, max_parallel: 2}}"
    async with (
        FakeUpstream(openai_stream((gate, "a"), usage=USAGE)) as a,
        FakeUpstream(openai_stream((waits, "b"), usage=USAGE)) as b,
        running(
            tmp_path,
            config(a.url, f"name: all, usd: {usd}, per: day", other=b.url).replace("chat: p/m", routes),
        ) as gateway,
    ):
        client = asyncio.create_task(ask(gateway, stream=True))
        await a.received(1)
        if asked == 2:
            await b.received(1)
        gate.set()
        await client
        started = gateway.records("attempt_started")
        waits.set()

    assert len(started) == asked


async def test_races_at_the_same_moment_share_what_is_left_for_further_attempts(tmp_path: Path) -> None:
    gate = asyncio.Event()
    routes = "chat: {strategy: race, targets: [p/m, q/n], race: {after: 0s, max_parallel: 2}}"
    text = "name: all, usd: 0.132, per: day"  # twenty attempts of 0.006 USD, and two more
    async with (
        FakeUpstream(lambda _: openai_stream((gate, "a"), usage=USAGE)) as a,
        FakeUpstream(lambda _: openai_stream((gate, "b"), usage=USAGE)) as b,
        running(tmp_path, config(a.url, text, other=b.url).replace("chat: p/m", routes)) as gateway,
    ):
        clients = [asyncio.create_task(ask(gateway, stream=True)) for _ in range(20)]
        await a.received(20)
        await b.received(2)
        standing = gateway.gateway.state.gate.standings()[0]
        refused = [(await ask(gateway))[0] for _ in range(10)]  # meanwhile everybody tries for one more
        started = len(gateway.records("attempt_started"))
        gate.set()
        for client in clients:
            await client
        left = gateway.gateway.state.gate.standings()[0]

    assert (started, standing.reserved, set(refused)) == (22, D("0.132"), {402})
    assert left.reserved == 0
