"""An event loop whose time is told, not waited for: minutes pass in microseconds, and the same way each time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

TURNS = 10_000
"""After so many turns without coming to rest, something goes round in circles."""
_THREAD_SECONDS = 0.001
"""How long a thread's work takes: other things may happen meanwhile."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Work for threads is done in the loop, a moment later. `faults` is what nobody caught."""

    def __init__(self) -> None:
        self._now = 0.0
        self.faults: list[str] = []
        super().__init__()
        self.set_exception_handler(lambda _, context: self.faults.append(repr(context)))

    def time(self) -> float:
        return self._now

    def settle(self) -> None:
        """Let everything happen that needs no time."""
        for _ in range(TURNS):
            self.call_soon(self.stop)
            self.run_forever()
            if not self._ready and not self._due(self._now):  # type: ignore[attr-defined] # - of the standard library's
                return
        raise AssertionError("the loop does not come to rest")

    def advance(self, seconds: float) -> None:
        """Let time pass, with everything that happens on the way."""
        until = self._now + seconds
        self.settle()
        for _ in range(TURNS):
            due = self._due(until)
            self._now = max(self._now, min(due, default=until))
            self.settle()
            if not due:
                return
        raise AssertionError("too many timers")

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override] # - a future all the same
        assert executor is None
        future = self.create_future()

        def work() -> None:
            if future.cancelled():
                return
            try:
                future.set_result(func(*args))
            except Exception as error:  # noqa: BLE001 - whoever waits gets it
                future.set_exception(error)

        self.call_later(_THREAD_SECONDS, work)
        return future

    def _due(self, until: float) -> list[float]:
        """When the next timers are to ring."""
        timers = self._scheduled  # type: ignore[attr-defined] # - likewise
        return [timer.when() for timer in timers if not timer.cancelled() and timer.when() <= until]
