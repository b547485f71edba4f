"""How budgets stand after a restart, a kill, a reload: exactly as before."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from costspan.cli.serve import build
from costspan.cli.source import Source
from costspan.ledger import lines
from costspan.ledger.spent import Spent
from costspan.server import budgets
from costspan.wire import json
from docs.pages import DOCS, blocks
from fakes import ledger_records
from fakes.budgeted import CHAT, PROMPT, USAGE, ask, config
from fakes.gateway import PRICES, running
from fakes.process import GatewayProcess
from fakes.upstream import FakeUpstream
from fakes.upstream_answers import openai_reply, openai_stream

if TYPE_CHECKING:
    from pathlib import Path

D = Decimal


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


async def test_the_sums_are_written_when_it_stops(tmp_path: Path) -> None:
    text = "name: all, usd: 1, per: total"
    async with (
        FakeUpstream(lambda _: openai_reply(usage=USAGE)) as up,
        running(tmp_path, config(up.url, text)) as gateway,
    ):
        await ask(gateway)
    saved = json.loads_object((tmp_path / "ledger" / ".spent").read_bytes())
    (file,) = (tmp_path / "ledger").glob("*.jsonl")

    assert saved["files"] == {file.name: file.stat().st_size}
    assert [list(entry["days"].values()) for entry in saved["spent"]] == [["0.006000"]]


async def test_no_sums_are_written_while_the_ledger_holds_lines_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "name: all, usd: 1, per: total"
    async with (
        FakeUpstream(lambda _: openai_reply(usage=USAGE)) as up,
        running(tmp_path, config(up.url, text)) as gateway,
    ):
        monkeypatch.setattr(type(gateway.gateway.ledger), "waiting", 1)
        await ask(gateway)
    saved = json.loads_object((tmp_path / "ledger" / ".spent").read_bytes())

    assert [entry["days"] for entry in saved["spent"]] == [{}]


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


async def test_the_example_of_the_page_answers_as_the_page_says(tmp_path: Path) -> None:
    page = DOCS / "budgets.md"
    example, told = blocks(page, "yaml")[0], json.loads_object(blocks(page, "json")[0])
    now = datetime.fromtimestamp(time.time(), UTC)
    (tmp_path / "ledger").mkdir()
    spend(tmp_path / "ledger", now, team="checkout", usd="500")
    async with FakeUpstream(openai_reply()) as up, running(tmp_path, config(up.url, more=example)) as gateway:
        status, body, _ = await ask(gateway, team="checkout")

    assert status == 402
    month = f"{now.year + now.month // 12}-{now.month % 12 + 1:02d}"
    told["error"]["message"] = told["error"]["message"].replace("2026-12", month)
    assert body["error"] == {**told["error"], "exchange_id": body["error"]["exchange_id"]}


def spend(ledger: Path, when: datetime, *, team: str, usd: str) -> None:
    """An attempt of another process, in the ledger's folder."""
    started = replace(
        ledger_records.started(),
        origin=replace(ledger_records.origin(), attributes={"team": team}),
        time_ns=int(when.timestamp()) * 1_000_000_000,
    )
    line = lines.attempt(replace(ledger_records.attempt(started), cost_usd=D(usd)))
    (ledger / f"costspan-{when:%Y-%m-%d}-7.jsonl").write_bytes(line)
