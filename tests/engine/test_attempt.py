"""Answers that come in the moment in which the client leaves."""

from __future__ import annotations

import asyncio
import gc
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from costspan.engine import drain
from costspan.engine.attempt import Attempts
from costspan.engine.drain import Drains
from costspan.errors import Category, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Awaitable


class Response:
    """A refusal: its status is all there is to learn."""

    status = 429

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Run:
    """The part of a run that a drain uses."""

    def __init__(self, *, sent: bool = True) -> None:
        self.sent = sent
        self.adopted = False
        self.outcomes: list[str] = []
        self.http_status: int | None = None
        self.call = SimpleNamespace(pending=0, settle=lambda: None)
        self.timeouts = SimpleNamespace(idle=1.0)
        self.prepared = SimpleNamespace(dialect=None)
        self.account = SimpleNamespace(kind=SimpleNamespace(profile=None))

    def is_read_on(self, _response: object = None) -> bool:
        return True

    def end(self, outcome: str, _error: object = None) -> None:
        self.outcomes.append(outcome)


async def leave_as_it_comes(run: Run, answer: asyncio.Future[Any], drains: Drains, come: Any) -> None:
    """The client leaves in the turn of the loop in which `come` gives the answer."""

    async def asked() -> Any:
        return await answer

    attempts: Any = SimpleNamespace(_drains=drains)
    outlive: Awaitable[Any] = Attempts._outlive(attempts, run, asked())  # type: ignore[arg-type] # - fakes
    waiting = asyncio.ensure_future(outlive)  # noqa: TID251 - an awaitable under test
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    come()
    await asyncio.sleep(0)  # the answer is taken in this turn
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_an_answer_that_comes_as_the_client_leaves_is_read_by_the_drain() -> None:
    run, response, drains = Run(), Response(), Drains()
    answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    await leave_as_it_comes(run, answer, drains, lambda: answer.set_result(response))
    await drains.close(1)

    assert (run.adopted, response.closed, run.http_status, run.outcomes) == (True, True, 429, ["cancelled"])


async def test_it_is_closed_where_no_drain_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "MAX_AT_ONCE", 0)
    run, response, drains = Run(), Response(), Drains()
    answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    await leave_as_it_comes(run, answer, drains, lambda: answer.set_result(response))
    await asyncio.sleep(0)

    assert (run.adopted, response.closed) == (False, True)


@pytest.mark.parametrize("limit", [0, 64], ids=["no drain", "drained"])
async def test_a_failure_that_comes_as_the_client_leaves_is_taken_note_of(
    monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(drain, "MAX_AT_ONCE", limit)
    noise: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: noise.append(context["message"]))
    run, drains = Run(), Drains()
    answer: asyncio.Future[Response] = loop.create_future()
    error = UpstreamError("gone", kind="upstream_reset", category=Category.CONNECT)
    await leave_as_it_comes(run, answer, drains, lambda: answer.set_exception(error))
    await drains.close(1)
    gc.collect()

    assert run.outcomes == ["cancelled"] * (limit > 0)
    assert noise == []


async def test_what_was_not_sent_is_given_up() -> None:
    run, drains = Run(sent=False), Drains()
    answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    await leave_as_it_comes(run, answer, drains, lambda: None)
    await asyncio.sleep(0)

    assert (run.adopted, answer.cancelled()) == (False, True)
