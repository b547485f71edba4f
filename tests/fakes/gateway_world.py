"""The gateway without its sockets: real engine, real ledger, scripted providers, time and disk under control.

`World` outlives its processes: `start`, `kill` and `stop` one, and the directory stays.
"""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costspan import snapshot as snapshots
from costspan.cli.source import Source
from costspan.dialects import CLIENT_DIALECTS
from costspan.engine.answer import Streamed
from costspan.engine.attempt import Attempts
from costspan.engine.call import Call
from costspan.engine.drain import Drains
from costspan.engine.engine import Engine
from costspan.engine.execute import Executor, Exhausted
from costspan.engine.identity import Identities
from costspan.engine.keys import KeyRing
from costspan.engine.permits import Permits
from costspan.engine.planner import Planner
from costspan.engine.slots import Slots
from costspan.engine.stored import StoredBy
from costspan.engine.targets import Targets
from costspan.errors import ClientError, UpstreamError
from costspan.ledger.files import System
from costspan.ledger.records import Origin
from costspan.ledger.writer import Writer
from costspan.server.app import Observers
from costspan.wire import json
from fakes.ledger_disk import Books, Disk
from fakes.ledger_observers import Leaky, Told
from fakes.scripted_provider import Asked, Provider
from fakes.virtual_loop import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from costspan.engine.answer import Answer
    from costspan.ledger.records import Outcome
    from costspan.providers.account import Account
    from costspan.snapshot import Snapshot
    from costspan.wire.http import Outgoing

EPOCH = 1_767_323_045.0
"""2026-01-02T03:04:05Z"""
CONFIG = """
ledger: {{dir: null}}
defaults: {{retries: 1}}
providers:
  stops: {{kind: openai, base_url: "http://127.0.0.1:9/v1", abort_stops_billing: true, {common}}}
  bills: {{kind: openai, base_url: "http://127.0.0.1:9/v1", abort_stops_billing: false, {common}}}
  claude: {{kind: anthropic, base_url: "http://127.0.0.1:9/v1", abort_stops_billing: true, {common}}}
  claude-bills: {{kind: anthropic, base_url: "http://127.0.0.1:9/v1", abort_stops_billing: false, {common}}}
  gemini: {{kind: gemini, base_url: "http://127.0.0.1:9/v1beta", {common}}}
routes:
  chain: {{strategy: fallback, targets: [stops/m, claude/m, bills/m]}}
  race: {{strategy: race, race: {{after: 0s, max_parallel: 3}}, targets: [stops/m, claude/m, bills/m]}}
  drained: {{strategy: race, race: {{after: 0s, losers: drain}}, targets: [bills/m, claude/m]}}
prices:
  catalog: none
  table:
    - {{provider: openai, model: "*", input: {input}, output: {output}}}
    - {{provider: anthropic, model: "*", input: {input}, output: {output}}}
    - {{provider: gemini, model: "*", input: {input}, output: {output}}}
"""
RATES = ((2, 8), (3, 15), (7, 11))
"""USD per million tokens of input and output, by generation: each reload has the next."""
TARGETS = ("stops/m", "bills/m", "claude/m", "claude-bills/m", "gemini/m", "chain", "race", "drained")
CLIENTS = ("openai-chat", "anthropic-messages")


def configurations(folder: Path) -> list[Snapshot]:
    """A snapshot for each of `RATES`."""
    made = []
    for generation, (input_, output) in enumerate(RATES):
        path = folder / f"gateway-{generation}.yaml"
        common = "api_key: test-key, propagate_trace: true"
        path.write_text(CONFIG.format(common=common, input=input_, output=output))
        made.append(snapshots.build(Source(path).load(), generation=generation, catalog=None))
    return made


class Clock:
    """A wall clock that jumps, over a monotonic one that does not."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.offset = 0.0

    def wall_ns(self) -> int:
        return int((EPOCH + self._loop.time() + self.offset) * 1_000_000_000)

    def wall(self) -> float:
        return self.wall_ns() / 1e9

    def monotonic(self) -> float:
        return self._loop.time()


class Unsigned:
    """All accounts have keys."""

    async def authorize(self, account: Account, outgoing: Outgoing) -> Outgoing:
        raise AssertionError(account.name, outgoing.path)

    def refused(self, account: Account) -> None:
        """Nothing to do."""

    def secrets(self, account: Account) -> tuple[str, ...]:
        del account
        return ()


@dataclass(slots=True)
class Client:
    """Who asked. `outcome` is what it got; None while it waits."""

    call: Call
    task: asyncio.Task[None] | None = None
    left: bool = False
    outcome: Outcome | None = None
    fault: BaseException | None = None

    @property
    def waits(self) -> bool:
        return self.task is not None and not self.task.done()


class Process:
    """What a kill takes with it."""

    def __init__(self, world: World, omit: str | None) -> None:
        self.told = Told()
        self.clients: list[Client] = []
        self.writer = Writer(
            world.directory,
            fsync_interval=1.0,
            keep_days=36_500,
            clock=world.clock.wall,
            system=System(world.disk.write, world.disk.fsync),
        )
        self.drains = Drains()
        observer = Observers((Leaky(self.writer, omit), self.told))
        self.identities = Identities(world.clock, world.chance.getrandbits)
        stored = StoredBy()
        keys, slots, targets, now = KeyRing(), Slots(), Targets(lambda: 0.0), world.clock.monotonic
        self.attempts = Attempts(
            world.provider,
            observer,
            world.clock,
            self.identities,
            keys=keys,
            drains=self.drains,
            stored=stored,
            authorities=Unsigned(),
        )
        planner = Planner(targets, keys, slots, stored, lambda: 0.0, now)
        executor = Executor(self.attempts, planner, Permits(targets, keys, slots, now), lambda: 0.0)
        self.engine = Engine(executor, observer, world.clock, self.drains)
        self.recovered = self.writer.start()
        self.flusher = world.loop.create_task(self.writer.run())

    async def serve(self, client: Client) -> None:
        """What the server does for a request, as far as the books notice."""
        call = client.call
        answer: Answer | None = None
        try:
            answer = await self.engine.open(call)
            if isinstance(answer, Streamed):
                await _read(answer)
            self._finish(client, "ok", 200, answer)
        except (Exhausted, ClientError, UpstreamError):
            self._finish(client, "failed", 502, answer)
        except asyncio.CancelledError:
            if answer is not None:
                self.engine.abandon(answer)
            went_well = isinstance(answer, Streamed) and answer.complete
            self._finish(client, "ok" if went_well else "cancelled", 499, answer)
        except BaseException as error:  # noqa: BLE001 - I10: there must be none
            client.fault = error

    def _finish(self, client: Client, outcome: Outcome, status: int, answer: Answer | None) -> None:
        client.outcome = outcome
        self.engine.finish(client.call, outcome=outcome, status=status, run=answer.run if answer else None)

    async def stop(self) -> None:
        """As on SIGTERM, with no grace for what is under way."""
        tasks = [client.task for client in self.clients if client.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self.drains.close(5.0)
        await self.writer.close()
        await self.flusher


class World:
    """A machine with a disk, a clock, and one process after another."""

    def __init__(self, folder: Path, snapshots_: list[Snapshot], seed: int, omit: str | None = None) -> None:
        self.directory = folder / "ledger"
        self.loop = VirtualLoop()
        self.clock = Clock(self.loop)
        self.disk = Disk()
        self.chance = random.Random(seed)
        self.books = Books(self.directory)
        self.provider = Provider(self._sent)
        self.faults: list[str] = []
        self.generation = 0
        self.snapshots = snapshots_
        self._omit = omit
        self.directory.mkdir(mode=0o700)
        self.process = self.start()

    def start(self) -> Process:
        self.process = self.run(self._started())
        return self.process

    async def _started(self) -> Process:
        return Process(self, self._omit)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Its result, with the time that it needs."""
        task = self.loop.create_task(coroutine)
        for _ in range(10_000):
            self.loop.settle()
            if task.done():
                return task.result()
            self.loop.advance(0.01)
        raise AssertionError("it does not end")

    def ask(self, dialect: str, target: str, *, stream: bool) -> Client:
        """A new request."""
        snapshot = self.snapshots[self.generation]
        body = {
            "model": target,
            "stream": stream,
            "max_tokens": 90,
            "messages": [{"role": "user", "content": "How many roads must a man walk down?"}],
        }
        spoken = CLIENT_DIALECTS[dialect]
        peek = spoken.peek(body)
        matched = snapshot.table.match(target, target)
        assert matched is not None
        identities = self.process.identities
        origin = Origin(
            exchange_id=identities.exchange_id(),
            route=matched.route,
            strategy=matched.strategy,
            operation="chat",
            model_asked=target,
            dialect_in=dialect,
            stream=stream,
            key=None,
            attributes={"team": "caf\udce9"},  # no Unicode: I10
            client_request_id="one\ntwo",
            trace_id=identities.trace_id(),
            span_id=identities.span_id(),
            parent_span_id=None,
            sampled=True,
            config_generation=snapshot.generation,
        )
        now = self.clock.monotonic()
        call = Call(
            snapshot=snapshot,
            origin=origin,
            matched=matched,
            dialect=spoken,
            peek=peek,
            body=json.dumps(body),
            fields=body,
            forwarded=(),
            started_ns=self.clock.wall_ns(),
            started=now,
            deadline=now + matched.policy.timeouts.total,
        )
        client = Client(call)
        self.process.clients.append(client)
        client.task = self.loop.create_task(self.process.serve(client))
        self.loop.settle()
        return client

    def leave(self, client: Client) -> None:
        """The client closes its connection."""
        assert client.task is not None
        client.left = True
        client.task.cancel()
        self.loop.settle()

    def waiting_lines(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Lines that wait in the memory of the process."""
        found = [json.loads_object(line) for line, _ in self.process.writer._waiting]
        return {(line["type"], line["id"]): line for line in found}

    def kill(self) -> None:
        """As SIGKILL does: nothing more is written, and nothing is tidied up."""
        process, self.process.writer._put = self.process, _nothing  # type: ignore[assignment, method-assign] # - it is dead
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.settle()
        self._close_files()
        process.clients.clear()
        self.provider.calls.clear()

    def _close_files(self) -> None:
        """What the system does when a process is gone."""
        inodes = {path.stat().st_ino for path in self.directory.iterdir()}
        for path in list(Path("/dev/fd").iterdir()):
            try:
                if os.fstat(int(path.name)).st_ino in inodes:
                    os.close(int(path.name))
            except OSError:
                continue  # the one that lists

    def close(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.settle()
        self.loop.close()
        self._close_files()

    def _sent(self, asked: Asked) -> None:
        """The first byte of a request went out: by now the ledger must have said so."""
        ids = [id_ for id_, started in self.process.told.started.items() if started.span_id == asked.span_id]
        self.books.look()
        known = {*self.books.lines, *self.waiting_lines()}
        if self.process.writer.lost:
            return  # it may have been the first to fall out of the ring
        if not ids or ("attempt_started", ids[0]) not in known:
            self.faults.append("I1: a request went out before its start record")


async def _read(answer: Streamed) -> None:
    data: bytes | None = b""
    while data is not None:
        data = await answer.next()


def _nothing(*_: object) -> None:
    """Of a dead process."""
