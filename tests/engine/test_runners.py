"""How a race is run, apart from what it asks: when its answer is whose, and who is told in which order."""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

import pytest

from costspan.engine.race import Runners
from costspan.routing.plan import Policy, Race, Step

if TYPE_CHECKING:
    from costspan.engine.answer import Answer

STEPS = tuple(Step(name, "m", MappingProxyType({}), Policy()) for name in ("a", "b"))
ANSWER = cast("Answer", object())


async def test_an_answer_that_comes_as_the_client_leaves_is_closed_before_the_books_are() -> None:
    happened: list[str] = []

    async def ask(_: Step) -> Answer | None:
        return ANSWER

    async def exchange() -> None:
        runners = Runners(
            Race(),
            ask=ask,
            may_hedge=lambda: False,
            abandon=lambda _: happened.append("answer closed"),
            now=asyncio.get_running_loop().time,
        )
        try:
            await runners.run(STEPS, 60.0)
        finally:
            happened.append("exchange ended")

    task = asyncio.create_task(exchange())
    await asyncio.sleep(0)  # the first target is asked
    await asyncio.sleep(0)  # it has answered, and the race does not know yet
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert happened == ["answer closed", "exchange ended"]


async def test_nobody_asks_for_the_right_to_a_further_attempt_when_there_is_no_further_target() -> None:
    asked, rights = 0, 0

    async def ask(_: Step) -> Answer | None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.05)
        return ANSWER if asked == 2 else None

    def may_hedge() -> bool:
        nonlocal rights
        rights += 1
        return True

    now = asyncio.get_running_loop().time
    runners = Runners(Race(max_parallel=3), ask=ask, may_hedge=may_hedge, abandon=lambda _: None, now=now)
    await runners.run(STEPS, 0.0)

    assert (asked, rights) == (2, 1)
