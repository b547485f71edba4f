"""A fake upstream and the gateway before it, in a thread of their own, so that SDKs may block."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import TYPE_CHECKING

from costspan.wire import json
from fakes.gateway import running
from fakes.upstream import FakeUpstream
from fakes.wires.asked import Wrong

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from fakes.conversations import Turn
    from fakes.upstream import Answer, Request
    from fakes.wires.asked import Asked, Wire
    from matrix.scenes import Scene
    from matrix.upstreams import Upstream

SECONDS = 20.0
"""After which a start or an end has failed."""


class Stage:
    """Use it in a `with` block. Without a `folder` there is no gateway: the SDK talks to the fake."""

    def __init__(self, upstream: Upstream, folder: Path | None) -> None:
        self.upstream = upstream
        self.model = upstream.model if folder is None else "smart"
        """What a client asks for."""
        self.url = ""
        self.asked: list[Asked] = []
        self.problems: list[str] = []
        """What the upstream would have refused."""
        self.spent: list[dict[str, int]] = []
        """What the ledger has to say of each answer."""
        self._folder = folder
        self.turns: tuple[Turn, ...] = ()
        """What the model says in the scene that is played."""
        self._runs = 0
        self._failure: BaseException | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name=upstream.name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(SECONDS)
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()

    def booked(self) -> list[dict[str, int]]:
        """The usage of each answer in the gateway's ledger, once it has closed."""
        assert self._folder is not None
        lines = [
            line for file in sorted(self._folder.glob("ledger/*.jsonl")) for line in file.read_bytes().splitlines()
        ]
        records = [json.loads_object(line) for line in lines]
        return [one["usage"] for one in records if one["type"] == "attempt" and one["http_status"] == HTTPStatus.OK]

    def begin(self, scene: Scene) -> None:
        """Play `scene` from its beginning."""
        self.asked.clear()
        self.problems.clear()
        self._runs += 1
        self.turns = scene.played(self.upstream.wire, self._runs)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - told in the test's thread
            self._failure = error
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        async with AsyncExitStack() as stack:
            fake = await stack.enter_async_context(FakeUpstream(self._answer, reads=True))
            self.url = fake.url
            if self._folder is not None:
                config = self.upstream.config(fake.url)
                self.url = (await stack.enter_async_context(running(self._folder, config))).url
            self._ready.set()
            await self._over.wait()

    def _answer(self, request: Request) -> Answer:
        wire = self.upstream.wire
        try:
            if self._folder is not None:
                self.upstream.check_door(request)
            asked = wire.read(request)
        except (Wrong, KeyError, TypeError, AttributeError) as problem:
            self.problems.append(str(problem) if isinstance(problem, Wrong) else repr(problem))
            return wire.refuse(str(problem))
        self.asked.append(asked)
        turn = self.turns[len(self.asked) - 1]
        self.spent.append(_buckets(turn, self.upstream.wire))
        return wire.answer(turn, asked)


def _buckets(turn: Turn, wire: Wire) -> dict[str, int]:
    cached = turn.cached if wire.counts_cached else 0
    reasoned = turn.reasoned if wire.counts_reasoning else 0
    all_ = {"input": turn.prompt - cached, "cache_read": cached, "output": turn.completion - reasoned}
    return {name: count for name, count in (all_ | {"reasoning": reasoned}).items() if count}
