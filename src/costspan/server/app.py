"""The composition root: parts made, wired, started, drained, stopped."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from typing import TYPE_CHECKING

from costspan.credentials.authorities import Authorities
from costspan.engine.attempt import Attempts
from costspan.engine.drain import Drains
from costspan.engine.engine import Engine
from costspan.engine.execute import Executor
from costspan.engine.gate import Gate
from costspan.engine.identity import Identities
from costspan.engine.keys import KeyRing
from costspan.engine.permits import Permits
from costspan.engine.planner import Planner
from costspan.engine.rehearsal import Rehearsal
from costspan.engine.slots import Slots
from costspan.engine.stored import StoredBy
from costspan.engine.targets import Targets
from costspan.server import listen
from costspan.server.budgets import Budgets
from costspan.server.connections import Connections
from costspan.server.protocol import Server
from costspan.server.state import State, SystemClock
from costspan.server.surface import Health, Surface
from costspan.transport.parser import require_c_parser

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import TracebackType
    from typing import Self

    from aiohttp import web

    from costspan.engine.observer import Observer
    from costspan.ledger.records import Attempt, AttemptStarted, Exchange
    from costspan.ledger.writer import NullWriter, Writer
    from costspan.server.live import Live
    from costspan.telemetry.pipeline import Telemetry

BACKLOG = 1024
END_RESERVE = 5.0
"""Of the shutdown grace, seconds kept to end what did not finish by itself and to flush."""

_log = logging.getLogger(__name__)


class Observers:
    """Tells several observers, in order."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def attempt_started(self, started: AttemptStarted) -> None:
        """Pass it on."""
        for observer in self._observers:
            observer.attempt_started(started)

    def attempt_ended(self, attempt: Attempt) -> None:
        """Pass it on."""
        for observer in self._observers:
            observer.attempt_ended(attempt)

    def exchange_ended(self, exchange: Exchange, attempts: Sequence[Attempt]) -> None:
        """Pass it on."""
        for observer in self._observers:
            observer.exchange_ended(exchange, attempts)


class Gateway:
    """One running gateway. Use as an async context manager, or `start` and `stop` it."""

    def __init__(
        self,
        live: Live,
        *,
        ledger: Writer | NullWriter,
        telemetry: Telemetry,
        observers: Sequence[Observer] = (),
        address: str | None = None,
        reuse_port: bool = False,
    ) -> None:
        """`address` overrides the configured one. `observers` are told after ledger and telemetry."""
        require_c_parser()
        self.live = live
        self.ledger = ledger
        self._telemetry = telemetry
        self._listen = address or live.current.server.listen
        self._reuse_port = reuse_port
        self._connections = Connections()
        self._authorities = Authorities()
        self._drains = Drains()
        self.keys = KeyRing()
        self.targets = Targets(random.random)
        self._slots = Slots()
        clock = SystemClock()
        identities = Identities(clock, random.Random().getrandbits)  # noqa: S311 - seeded by the system; ids are no secrets
        gate = Gate(clock)
        self._budgets = Budgets(gate, ledger, clock, random.random)
        live.before_swap = self._budgets.prepare
        observer = Observers((ledger, gate, telemetry, *observers))
        stored = StoredBy()
        attempts = Attempts(
            self._connections,
            observer,
            clock,
            identities,
            keys=self.keys,
            drains=self._drains,
            stored=stored,
            authorities=self._authorities,
        )
        targets, keys, now = self.targets, self.keys, clock.monotonic
        planner = Planner(targets, keys, self._slots, stored, random.random, now)
        executor = Executor(attempts, planner, Permits(targets, keys, self._slots, now), random.random)
        self.state = State(
            live=live,
            engine=Engine(executor, observer, clock, self._drains),
            gate=gate,
            rehearsal=Rehearsal(planner, executor.recall),
            targets=targets,
            keys=keys,
            slots=self._slots,
            identities=identities,
            clock=clock,
            sample=telemetry.sampler.decide,
            metrics=telemetry.prometheus_text,
        )
        self.wanted = self._listen
        """The address that is being opened, for the message when it cannot be."""
        self._files: dict[str, int | None] = {}
        """Inodes of Unix sockets, by address."""
        self._servers: list[tuple[Server, asyncio.Server]] = []
        self._flusher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop(grace=1.0)

    async def start(self) -> None:
        """Take the addresses, recover the ledger, serve. Raises `OSError` when an address cannot be had."""
        admin = self.live.loaded.config.admin.listen
        sockets = self._take([self._listen] if admin is None else [admin, self._listen])
        self.ledger.start()
        await self._budgets.start(self.live.current)
        self._telemetry.start()
        self._flusher = asyncio.get_running_loop().create_task(self.ledger.run())  # ends with close, awaited in stop
        health = Health(self.state)
        if admin is not None:
            await self._serve(sockets[0], health.handle)
        await self._serve(sockets[-1], Surface(self.state, None if admin is not None else health))
        self._authorities.warm(self.live.current.accounts.values())
        self.state.ready = True

    def _take(self, addresses: Sequence[str]) -> list[socket.socket]:
        taken: list[socket.socket] = []
        try:
            for self.wanted in addresses:
                taken.append(listen.bind(self.wanted, reuse_port=self._reuse_port))
        except OSError:
            for sock in taken:
                listen.release(sock)
            raise
        return taken

    async def _serve(
        self, sock: socket.socket, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
    ) -> None:
        loop = asyncio.get_running_loop()
        server = Server(handler, self.state.identities.exchange_id)
        self._files[listen.name(sock)] = listen.inode(sock)
        if sock.family == socket.AF_UNIX:
            listener = await loop.create_unix_server(server, sock=sock, backlog=BACKLOG)
        else:
            listener = await loop.create_server(server, sock=sock, backlog=BACKLOG)
        self._servers.append((server, listener))

    def addresses(self) -> list[str]:
        """What is listened on, the main listener last: `127.0.0.1:8080` (with the real port), `unix:...`."""
        return [listen.name(listener.sockets[0]) for _, listener in self._servers]

    @property
    def url(self) -> str:
        """The main listener's base URL."""
        return f"http://{self.addresses()[-1]}"

    async def reload(self, *, aloud: bool = True) -> bool:
        """Load the configuration again; see `Live.reload`. Pools of accounts that are gone are closed."""
        reloaded = await self.live.reload(aloud=aloud)
        if reloaded:
            self._budgets.hold(self.live.current)
            self._authorities.warm(self.live.current.accounts.values())
            self.keys.retire(self.live.current.accounts.values())
            self._slots.renew(self.live.current.accounts.values())
            await self._connections.retire(self.live.current.accounts.values())
        return reloaded

    async def stop(self, grace: float, *, flush: float = END_RESERVE) -> None:
        """Drain: no new work, let streams end within the grace, end the rest with a typed error, flush everything.

        `flush` is how long a collector that does not answer may take, in seconds.
        """
        self.state.stopping = True
        self.state.ready = False
        for _, listener in self._servers[1:]:  # the admin listener goes on answering probes while the rest drains
            listener.close()
        if len(self._servers) == 1:
            self._servers[0][1].close()
        reserve = min(END_RESERVE, grace / 2)
        await self.state.until_idle(grace - reserve)
        await self.state.cut_off(reserve)
        for server, listener in self._servers:
            listener.close()
            server.pre_shutdown()
            await server.shutdown(timeout=0.1)
        await self._drains.close(reserve)
        self._authorities.close()
        await self._connections.close()
        if self._flusher is not None:  # else nothing was begun
            await self.ledger.close()
            await self._flusher
        await self._budgets.close()
        await asyncio.to_thread(self._telemetry.close, flush)
        for address, file in self._files.items():
            listen.forget(address, file)
