"""Answers that are waited for when the client leaves."""

from __future__ import annotations

import asyncio
import gc
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from costspan.engine import drain
from costspan.engine.attempt import Attempts
from costspan.engine.drain import Drains
from costspan.errors import Category, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    import pytest


class Response:
    """A refusal: its status is all there is to learn."""

    status = 429

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Run:
    """The part of a run that a drain uses."""

    def __init__(self, *, read_on: bool = True) -> None:
        self._read_on = read_on
        self.adopted = False
        self.outcomes: list[str] = []
        self.http_status: int | None = None
        self.call = SimpleNamespace(pending=0, settle=lambda: None, raw=object())
        self.timeouts = SimpleNamespace(idle=1.0, connect=1.0, first_token=1.0)
        self.prepared = SimpleNamespace(dialect=None)
        self.account = SimpleNamespace(kind=SimpleNamespace(profile=None))

    def is_read_on(self, _response: object = None) -> bool:
        return self._read_on

    def end(self, outcome: str, _error: object = None) -> None:
        self.outcomes.append(outcome)


def leave(run: Run, answer: asyncio.Future[Any], drains: Drains) -> tuple[bool, Coroutine[Any, Any, Any]]:
    """The client leaves while `answer` is waited for; whether that is waited for on, and the rest of the wait."""

    async def waited_for() -> Any:
        return await answer

    attempts: Any = SimpleNamespace(_drains=drains)
    attempts._ask = partial(Attempts._ask, attempts)
    rest = waited_for()
    return Attempts._outlive(attempts, run, 1.0, rest), rest  # type: ignore[arg-type] # - fakes


async def test_an_answer_that_is_still_to_come_as_the_client_leaves_is_read_by_the_drain() -> None:
    run, response, drains = Run(), Response(), Drains()
    answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    taken, _ = leave(run, answer, drains)
    await asyncio.sleep(0)
    answer.set_result(response)
    await drains.close(1)

    assert (taken, run.adopted, response.closed) == (True, True, True)
    assert (run.http_status, run.outcomes) == (429, ["cancelled"])


async def test_it_is_given_up_where_no_drain_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "MAX_AT_ONCE", 0)
    run, drains = Run(), Drains()
    taken, rest = leave(run, asyncio.get_running_loop().create_future(), drains)
    rest.close()  # as whoever waited does

    assert (taken, run.adopted, run.outcomes) == (False, False, [])


async def test_it_is_given_up_where_closing_stops_the_bill() -> None:
    run, drains = Run(read_on=False), Drains()
    taken, rest = leave(run, asyncio.get_running_loop().create_future(), drains)
    rest.close()
    await drains.close(1)

    assert (taken, run.adopted, run.outcomes) == (False, False, [])


async def test_a_failure_that_comes_after_the_client_has_left_is_taken_note_of() -> None:
    noise: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: noise.append(context["message"]))
    run, drains = Run(), Drains()
    answer: asyncio.Future[Response] = loop.create_future()
    leave(run, answer, drains)
    answer.set_exception(UpstreamError("gone", kind="upstream_reset", category=Category.CONNECT))
    await drains.close(1)
    gc.collect()

    assert (run.outcomes, noise) == (["cancelled"], [])
