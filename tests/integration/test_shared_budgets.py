"""`budgets[].shared`: what all gateways spend, asked of a Prometheus. Here it is a fake one on loopback."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from costspan.engine.gate import Gate
from costspan.routing.budget import Budget, number_of, period
from costspan.server import shared_budgets
from costspan.server.shared_budgets import MAX_BYTES, SharedBudgets, query
from costspan.wire import json
from fakes.budgeted import USAGE, ask, config
from fakes.gateway import running
from fakes.upstream import Answer, Cut, FakeUpstream
from fakes.upstream_answers import openai_reply

if TYPE_CHECKING:
    from pathlib import Path

D = Decimal
DAY = 86_400
TODAY = number_of(date(2026, 11, 26))
NOW = TODAY * DAY + 3600


def told(usd: str) -> Answer:
    """What Prometheus answers to an instant query, of one series."""
    data = {"resultType": "vector", "result": [{"metric": {}, "value": [1_800_000_000.123, usd]}]}
    return Answer(body=json.dumps({"status": "success", "data": data}))


NOTHING = Answer(body=json.dumps({"status": "success", "data": {"resultType": "vector", "result": []}}))


@dataclass(slots=True)
class Clock:
    wall: int = NOW

    def wall_ns(self) -> int:
        return self.wall * 1_000_000_000

    def monotonic(self) -> float:
        return float(self.wall)


@dataclass(slots=True)
class Here:
    """A gate with one budget of 10 USD a day that is shared over `url`."""

    url: str
    clock: Clock = field(default_factory=Clock)
    gate: Gate = field(init=False)
    budget: Budget = field(init=False)

    def __post_init__(self) -> None:
        self.gate = Gate(self.clock)
        self.budget = Budget("all", {}, D(10), "day", shared=self.url)
        self.gate.follow(self.gate.unknown([self.budget]))
        self.gate.hold([self.budget], {}, {(): {TODAY: D(2)}})

    async def poll(self) -> None:
        await SharedBudgets(self.gate, self.clock, lambda: 0.5).poll()

    def spend(self, usd: str) -> None:
        self.gate.funds[0].tally.spend(self.clock.wall // DAY, D(usd))

    @property
    def spent(self) -> Decimal:
        return self.gate.standings()[0].spent

    @property
    def up(self) -> bool | None:
        return self.gate.standings()[0].shared_up


def test_the_question_has_the_attributes_as_labels_and_the_time_since_the_period_began() -> None:
    budget = Budget("b", {"team": 'a"\\b\n', "cost-centre": "x"}, D(1), "month")
    assert query(budget, period("month", TODAY), NOW) == (
        'sum(increase(costspan_cost_usd_total{cost_centre="x",team="a\\"\\\\b\\n"}[2163600s]))'
    )
    everything = Budget("b", {}, D(1), "day")
    assert query(everything, period("day", TODAY), TODAY * DAY) == "sum(increase(costspan_cost_usd_total{}[1s]))"


async def test_what_all_spend_counts_and_what_is_spent_here_since_comes_on_top() -> None:
    async with FakeUpstream([told("7.25"), told("9.5")]) as prometheus:
        here = Here(f"{prometheus.url}/prefix/")
        assert (here.spent, here.up) == (D(2), None)
        await here.poll()
        here.spend("0.5")
        assert (here.spent, here.up) == (D("7.75"), True)
        await here.poll()
        assert here.spent == D("9.5")
        (first, _) = prometheus.requests

    assert first.path == "/prefix/api/v1/query?query=sum(increase(costspan_cost_usd_total%7B%7D%5B3600s%5D))"
    assert first.header("accept-encoding") == "identity"


async def test_it_never_counts_less_than_was_spent_here() -> None:
    async with FakeUpstream([told("0.5"), NOTHING]) as prometheus:
        here = Here(prometheus.url)
        for _ in range(2):
            await here.poll()
            assert (here.spent, here.up) == (D(2), True)


async def test_figures_of_the_period_before_do_not_count() -> None:
    async with FakeUpstream(told("7")) as prometheus:
        here = Here(prometheus.url)
        await here.poll()
        here.clock.wall += DAY
        assert here.spent == 0


FAILURES: dict[str, Answer] = {
    "an error": Answer(status=503, body=b"down"),
    "a redirect": Answer(status=307, headers=(("location", "http://127.0.0.1:1/"),)),
    "no JSON": Answer(body=b"<html>"),
    "another shape": Answer(body=b'{"status": "success", "data": []}'),
    "a query error": Answer(body=b'{"status": "error", "errorType": "bad_data"}'),
    "not a number": told("NaN"),
    "less than nothing": told("-1"),
    "more than there is": told("1e99999999"),
    "a matrix": Answer(body=b'{"status": "success", "data": {"resultType": "matrix", "result": []}}'),
    "too much": Answer(body=b" " * (MAX_BYTES + 1)),
    "a cut": Answer(body=[b"{", Cut.RESET], framing="chunked"),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
async def test_what_cannot_be_had_changes_nothing_and_is_said_once(
    failure: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    async with FakeUpstream([told("7"), failure, failure, told("7.5")]) as prometheus:
        here = Here(prometheus.url)
        with caplog.at_level(logging.INFO):
            for _ in range(3):
                await here.poll()
            here.spend("0.25")
            assert (here.spent, here.up) == (D("7.25"), False)
            await here.poll()
            assert (here.spent, here.up) == (D("7.5"), True)

    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert said[0].startswith("budget all: what other gateways spend is not known (")
    assert said[0].endswith("); the last figure stands")
    assert said[1] == "budget all: what other gateways spend is known again"


async def test_a_prometheus_that_is_not_there_or_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_budgets, "TIMEOUT_SECONDS", 0.05)
    here = Here("http://127.0.0.1:9")
    await here.poll()
    assert (here.spent, here.up) == (D(2), False)
    async with FakeUpstream(Answer(before=[Cut.SILENCE])) as prometheus:
        here = Here(prometheus.url)
        await here.poll()
        assert (here.spent, here.up) == (D(2), False)


async def test_a_budget_that_others_have_used_up_refuses_here_too(tmp_path: Path) -> None:
    gate, asked = asyncio.Event(), asyncio.Event()

    def answer(_: object) -> Answer:
        asked.set()
        return Answer(before=[gate], body=told("5").body)

    async with (
        FakeUpstream(answer) as prometheus,
        FakeUpstream(lambda _: openai_reply(usage=USAGE)) as up,
        running(
            tmp_path, config(up.url, f'name: a, match: {{team: a}}, usd: 5, per: day, shared: "{prometheus.url}"')
        ) as gateway,
    ):
        async with asyncio.timeout(10):
            await asked.wait()
        before, _, _ = await ask(gateway, team="a")  # nobody waits for Prometheus
        gate.set()
        await gateway.gateway._budgets._shared.poll()
        after, _, _ = await ask(gateway, team="a")
        others, _, _ = await ask(gateway, team="b")
        assert prometheus.requests[0].path.startswith(
            "/api/v1/query?query=sum(increase(costspan_cost_usd_total%7Bteam%3D%22a%22%7D"
        )

    assert (before, after, others) == (200, 402, 200)


async def test_a_fault_of_ours_does_not_end_the_asking(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The first poll fails in a way that nobody has thought of; the next one goes well."""
    monkeypatch.setattr(shared_budgets, "POLL_SECONDS", 0.001)
    async with FakeUpstream(lambda _: told("7")) as prometheus:
        here = Here(prometheus.url)
        polls, canary = 0, "secret-" + "canary"

        class Clumsy(SharedBudgets):
            async def poll(self) -> None:
                nonlocal polls
                polls += 1
                if polls == 1:
                    raise RuntimeError(canary)
                await super().poll()

        task = asyncio.get_running_loop().create_task(Clumsy(here.gate, here.clock, lambda: 0.5).run())
        await prometheus.received(1)
        for _ in range(1000):
            if here.spent == D(7):
                break
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert here.spent == D(7)
    assert "RuntimeError" in caplog.text
    assert "secret-canary" not in caplog.text
