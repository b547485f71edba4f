"""Budgets in a whole gateway: what is let in, what is refused, and how a budget stands after a restart.

2 USD per million tokens of input, 8 of output (`fakes.gateway`): an answer of `USAGE` costs 0.006 USD.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from costspan.cli.serve import build
from costspan.cli.source import Source
from costspan.ledger.spent import Spent
from costspan.server import budgets
from costspan.wire import json
from fakes.gateway import PRICES, running
from fakes.process import GatewayProcess
from fakes.upstream import Answer, Cut, FakeUpstream
from fakes.upstream_answers import STREAM_HEADERS, openai_reply, openai_stream

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.gateway import Running

D = Decimal
USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
PROMPT = [{"role": "user", "content": "word" * 1000}]
"""1,000 tokens by its length."""
CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
GEMINI = "/v1beta/models/chat:generateContent"


def config(url: str, *budgets: str, other: str | None = None, more: str = "") -> str:
    """A provider `p` at `url`, its route `chat`, and `cheap` at `other`, with budgets."""
    lines = "\n".join(f"  - {{{budget}}}" for budget in budgets)
    return f"""
defaults: {{retries: 0}}
providers:
  p: {{kind: openai, base_url: "{url}/v1", api_key: test-key}}
  q: {{kind: openai, base_url: "{other or url}/v1", api_key: test-key}}
routes:
  chat: p/m
  cheap: q/n
attribution: {{headers: {{x-team: team}}, metric_attributes: [team]}}
{"budgets:" if lines else ""}
{lines}
{more}
"""


async def ask(
    gateway: Running | str, path: str = CHAT, *, team: str | None = None, **fields: Any
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, body and headers of one answer."""
    url = gateway if isinstance(gateway, str) else gateway.url
    body = {"model": "chat", "max_tokens": 500, "messages": PROMPT, **fields}
    headers = {"x-team": team} if team else None
    async with aiohttp.ClientSession(headers=headers) as client, client.post(url + path, json=body) as response:
        data = await response.read()
        stream = response.headers["content-type"].startswith("text/event-stream")
        found = {name.lower(): value for name, value in response.headers.items()}
        return response.status, {} if stream else json.loads_object(data), found


def spent(gateway: Running) -> Decimal:
    attempts = gateway.records("attempt")
    return sum((D(a["cost_usd"] or a["cost_estimated_usd"] or 0) for a in attempts), D(0))


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


async def test_a_budget_that_is_used_up_can_send_requests_to_a_cheaper_route(tmp_path: Path) -> None:
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


async def test_a_budget_stands_where_it_stood_after_a_restart(tmp_path: Path) -> None:
    text = "name: all, usd: 0.01, per: total"
    async with FakeUpstream(lambda _: openai_reply(usage=USAGE)) as up:
        async with running(tmp_path, config(up.url, text)) as gateway:
            await ask(gateway)
            before = gateway.gateway.state.gate.standings()[0]
        async with running(tmp_path, config(up.url, text)) as gateway:
            after = gateway.gateway.state.gate.standings()[0]
            statuses = [(await ask(gateway))[0] for _ in range(2)]

    assert before == after
    assert after.spent == D("0.006")
    assert statuses == [200, 402]


async def test_a_budget_stands_where_it_stood_after_a_kill(tmp_path: Path) -> None:
    gate = asyncio.Event()
    answers = [openai_reply(usage=USAGE), openai_stream(("Hel", gate, "lo"), usage=USAGE)]
    async with FakeUpstream(answers) as up:
        path = tmp_path / "gateway.yaml"
        path.write_text(
            f"server: {{listen: '127.0.0.1:0'}}\nledger: {{dir: {tmp_path}/ledger}}\n"
            + config(up.url, "name: all, usd: 0.0120, per: month")
            + PRICES
        )
        async with GatewayProcess(["serve", "-c", str(path)], cwd=tmp_path) as process:
            status, _, _ = await ask(process.url)
            assert status == 200
            async with aiohttp.ClientSession() as client:
                body = {"model": "chat", "max_tokens": 500, "messages": PROMPT, "stream": True}
                async with client.post(process.url + CHAT, json=body) as response:
                    await response.content.readany()
                    process.send(signal.SIGKILL)
                    with pytest.raises(aiohttp.ClientError):
                        await response.read()
        async with GatewayProcess(["serve", "-c", str(path)], cwd=tmp_path) as process:
            async with aiohttp.ClientSession() as client, client.get(f"{process.url}/metrics") as response:
                metrics = (await response.text()).splitlines()
            status, refused, _ = await ask(process.url)
        gate.set()

    # 0.006, and for the one that was killed its estimate: 1,000 x 2 + 500 x 8 per million
    assert [line for line in metrics if line.startswith("costspan_budget")] == [
        'costspan_budget_remaining_usd{budget="all"} 0.000000',
        'costspan_budget_used_ratio{budget="all"} 1.0',
        'costspan_budget_warned{budget="all"} 1',
    ]
    assert (status, refused["error"]["code"]) == (402, "budget_exceeded")


async def test_a_changed_ceiling_and_an_added_budget_hold_with_the_reload(tmp_path: Path) -> None:
    async with FakeUpstream(lambda _: openai_reply(usage=USAGE)) as up, running(tmp_path, config(up.url)) as gateway:
        path = gateway.config
        plain = path.read_text()
        await ask(gateway, team="a")
        await ask(gateway, team="b")
        path.write_text(plain + "\nbudgets: [{name: a, match: {team: a}, usd: 0.006, per: day}]\n")
        assert await gateway.gateway.reload()
        added, _, _ = await ask(gateway, team="a")
        path.write_text(plain + "\nbudgets: [{name: a, match: {team: a}, usd: 0.0061, per: day}]\n")
        assert await gateway.gateway.reload()
        raised, _, _ = await ask(gateway, team="a")
        path.write_text(plain + "\nbudgets: [{name: a, match: {team: a}, usd: 0.013, per: total}]\n")
        assert await gateway.gateway.reload()
        standing = gateway.gateway.state.gate.standings()[0]

    assert (added, raised) == (402, 200)
    assert standing.spent == D("0.012")


async def test_the_sums_for_the_next_start_are_written_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "SAVE_SECONDS", 0.01)
    loop, saved, save = asyncio.get_running_loop(), asyncio.Event(), Spent.save

    def save_and_say(self: Spent, *arguments: Any) -> None:
        save(self, *arguments)
        if b'"0.006' in (tmp_path / "ledger" / ".spent").read_bytes():
            loop.call_soon_threadsafe(saved.set)

    monkeypatch.setattr(Spent, "save", save_and_say)
    async with (
        FakeUpstream(lambda _: openai_reply(usage=USAGE)) as up,
        running(tmp_path, config(up.url, "name: all, usd: 1, per: total")) as gateway,
    ):
        await ask(gateway)
        async with asyncio.timeout(10):
            await saved.wait()


async def test_without_a_ledger_it_is_said_that_budgets_begin_at_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "gateway.yaml"
    text = config("http://127.0.0.1:9", "name: all, usd: 1, per: day")
    path.write_text(f"server: {{listen: '127.0.0.1:0'}}\nledger: {{dir: null}}\n{text}")
    with caplog.at_level(logging.WARNING):
        async with build(Source(path), listen=None):
            pass
    assert "budgets: without a ledger (ledger.dir) they begin at nothing with each start" in caplog.messages


async def test_a_ledger_that_cannot_be_read_lets_budgets_begin_at_nothing_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with FakeUpstream(openai_reply(usage=USAGE)) as up:
        (tmp_path / "ledger").write_text("no folder")
        async with running(tmp_path, config(up.url, "name: all, usd: 1, per: day")) as gateway:
            status, _, _ = await ask(gateway)
            standing = gateway.gateway.state.gate.standings()[0]

    assert (status, standing.spent) == (200, D("0.006"))
    assert "budgets: what was spent before cannot be read" in caplog.text


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
