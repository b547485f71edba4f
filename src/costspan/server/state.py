"""What all handlers of a process share."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from costspan.server import guard

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from costspan.engine.engine import Engine
    from costspan.engine.gate import Gate
    from costspan.engine.identity import Identities
    from costspan.engine.keys import KeyRing
    from costspan.engine.rehearsal import Rehearsal
    from costspan.engine.slots import Slots
    from costspan.engine.targets import Targets
    from costspan.server.live import Live
    from costspan.snapshot import ClientKey, Snapshot


class SystemClock:
    """The machine's clocks. The event loop's clock is the monotonic one."""

    wall_ns = staticmethod(time.time_ns)
    monotonic = staticmethod(time.monotonic)


@dataclass(slots=True)
class State:
    """One for the process. `stopping` and `ready` change in its life; the rest does not."""

    live: Live
    engine: Engine
    gate: Gate
    rehearsal: Rehearsal
    targets: Targets
    keys: KeyRing
    slots: Slots
    identities: Identities
    clock: SystemClock
    sample: Callable[[int, bool | None], bool]
    """Whether a trace is exported: its id, and the parent's decision."""
    metrics: Callable[[], tuple[bytes, str]]
    """Body and content type of /metrics."""
    ready: bool = False
    stopping: bool = False
    under_way: set[asyncio.Task[object]] = field(default_factory=set)
    """The tasks that answer requests now."""
    _idle: asyncio.Event | None = field(default=None, init=False)

    @property
    def in_flight(self) -> int:
        """Requests under way."""
        return len(self.under_way)

    def counted(self) -> Counted:
        """The current task answers a request."""
        return Counted(self)

    def ended(self, task: asyncio.Task[object]) -> None:
        """`task` answers no request any more."""
        self.under_way.discard(task)
        if not self.under_way and self._idle is not None:
            self._idle.set()

    async def until_idle(self, seconds: float) -> None:
        """Wait until no request is under way, at most so long."""
        self._idle = asyncio.Event()
        if self.in_flight:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._idle.wait()

    def authenticate(self, request: web.BaseRequest, snapshot: Snapshot) -> ClientKey | None:
        """The client key of a request; None where the gateway is open. Raises `ClientError`."""
        if not snapshot.keys:
            return None
        query = request.rel_url.query.getall("key", ()) if request.rel_url.raw_query_string else ()
        presented = guard.presented_key(request.headers, query)
        return guard.authenticate(presented, snapshot, datetime.fromtimestamp(self.clock.wall_ns() / 1e9, UTC).date())

    async def cut_off(self, seconds: float) -> None:
        """Cancel what is under way (streams end with a typed error) and wait for it, at most so long."""
        tasks = set(self.under_way)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)


class Counted:
    """Counts the current task as answering a request; a generator would cost three times as much."""

    __slots__ = ("_state", "_task")

    def __init__(self, state: State) -> None:
        task = asyncio.current_task()
        assert task is not None, "handlers run in tasks"  # noqa: S101 - asyncio's word
        self._state = state
        self._task: asyncio.Task[object] = task

    def __enter__(self) -> None:
        self._state.under_way.add(self._task)

    def __exit__(self, *_: object) -> None:
        self._state.ended(self._task)
