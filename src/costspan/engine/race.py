"""A race: several targets are asked at the same time, and the first content wins.

The first target is asked at once, the next when `after` has passed without content, or when one has failed. Who wins
claims the exchange before a byte of it can go anywhere, so the client never has two answers; all others are losers,
cut off or read to their end, and each has its own record.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from costspan.errors import CostspanError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from costspan.engine.answer import Answer
    from costspan.engine.run import Run
    from costspan.routing.plan import Race, Step

LEAST_PAUSE = 0.01
"""Seconds between two tries to be allowed one more attempt."""
GIVEN_UP_SECONDS = 0.25
"""How long the winner's answer waits for its losers to be told, which takes no time unless something is stuck."""


class LostRace(CostspanError):
    """Another target was first."""

    kind = "lost_race"


class Contest:
    """Who wins. Shared by the attempts of one race."""

    def __init__(self, *, drain: bool) -> None:
        self.drain = drain
        """Whether losers are read to their end."""
        self.winner: Run | None = None

    def claim(self, run: Run) -> None:
        """`run` has content. Raises `LostRace` when it is not the first."""
        if self.winner is None:
            self.winner = run
        elif self.winner is not run:
            raise LostRace("another target was first")

    @property
    def decided(self) -> float | None:
        """When the winner had its first content, in monotonic seconds; None while nobody has won."""
        return None if self.winner is None else self.winner.first_token

    def lost_by(self, run: Run) -> bool:
        """Whether `run` is one of the losers."""
        return self.winner is not None and self.winner is not run


class Runners:
    """Runs one race. `ask` asks one target: its answer, None where the next one may be asked, or an error."""

    def __init__(
        self,
        race: Race,
        *,
        ask: Callable[[Step], Coroutine[None, None, Answer | None]],
        may_hedge: Callable[[], bool],
        abandon: Callable[[Answer], None],
        now: Callable[[], float],
    ) -> None:
        """`may_hedge` takes the right to start one more attempt while another is still waited for.

        `abandon` closes an answer that nobody will take.
        """
        self._race = race
        self._ask = ask
        self._may_hedge = may_hedge
        self._abandon = abandon
        self._now = now
        self._running: set[asyncio.Task[Answer | None]] = set()
        self._failure: Exception | None = None

    async def run(self, steps: tuple[Step, ...], after: float) -> Answer | None:
        """The winner's answer, None when nobody answered and the next stage of the plan may be asked.

        Raises what the last one to fail raised, where that is for the client.
        """
        answer: Answer | None = None
        try:
            answer = await self._first(deque(steps), after)
        finally:
            try:
                await self._give_up()
            except asyncio.CancelledError:  # the client left while the losers were told
                if answer is not None:
                    self._abandon(answer)
                raise
        if answer is None and self._failure is not None:
            raise self._failure
        return answer

    async def _first(self, waiting: deque[Step], after: float) -> Answer | None:
        due = self._start(waiting, after)
        while self._running:
            patience = None if due is None else max(due - self._now(), 0.0)
            done, _ = await asyncio.wait(self._running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                self._running.discard(task)
                if (answer := self._result(task)) is not None:
                    return answer
            if self._failure is not None:
                due = None
            elif done or self._may_hedge():
                due = self._start(waiting, after)  # at once in the place of one that failed
            else:
                due = self._now() + max(after, LEAST_PAUSE)  # who waits longest may have the next right to it
        return None

    def _start(self, waiting: deque[Step], after: float) -> float | None:
        """Ask the next target, if there is one. Returns when the one after it may be asked, None for not yet."""
        if not waiting:
            return None
        self._running.add(asyncio.get_running_loop().create_task(self._ask(waiting.popleft())))
        return self._now() + after if waiting and len(self._running) < self._race.max_parallel else None

    def _result(self, task: asyncio.Task[Answer | None]) -> Answer | None:
        """What one attempt came to. A failure that is for the client waits for those that still run."""
        if task.cancelled():
            return None
        error = task.exception()
        if error is None:
            return task.result()
        if isinstance(error, Exception) and not isinstance(error, LostRace):
            self._failure = error
        return None

    async def _give_up(self) -> None:
        """End what still runs: the losers, or all where the client has left."""
        for task in self._running:
            task.cancel()
        if not self._running:
            return
        try:
            await asyncio.wait(self._running, timeout=GIVEN_UP_SECONDS)
        finally:
            for task in self._running:
                if task.done():  # at once: the exchange's books are closed next
                    self._close(task)
                else:
                    task.add_done_callback(self._close)

    def _close(self, task: asyncio.Task[Answer | None]) -> None:
        """Nobody takes this one's answer any more."""
        if not task.cancelled() and task.exception() is None and (answer := task.result()) is not None:
            self._abandon(answer)
