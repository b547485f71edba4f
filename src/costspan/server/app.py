"""The composition root: parts made, wired, started, drained, stopped."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
from typing import TYPE_CHECKING

from costspan.engine.attempt import Attempts
from costspan.engine.drain import Drains
from costspan.engine.engine import Engine
from costspan.engine.execute import Executor
from costspan.engine.identity import Identities
from costspan.engine.keys import KeyRing
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
SEND_BUFFER = 64 * 1024
"""Else the kernel holds about 4 MB for each client that does not read (reliability notes, 5.5)."""
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
        listen: str | None = None,
        reuse_port: bool = False,
    ) -> None:
        """`listen` overrides the configured address. `observers` are told after ledger and telemetry."""
        require_c_parser()
        self.live = live
        self.ledger = ledger
        self._telemetry = telemetry
        self._listen = listen or live.current.server.listen
        self._reuse_port = reuse_port
        self._connections = Connections()
        self._drains = Drains()
        clock = SystemClock()
        identities = Identities(clock, random.Random().getrandbits)  # noqa: S311 - seeded by the system; ids are no secrets
        observer = Observers((ledger, telemetry, *observers))
        attempts = Attempts(self._connections, observer, clock, identities, keys=KeyRing(), drains=self._drains)
        executor = Executor(attempts, random.random)
        self.state = State(
            live=live,
            engine=Engine(executor, observer, clock, self._drains),
            identities=identities,
            clock=clock,
            pick=random.random,
            sample=telemetry.sampler.decide,
            metrics=telemetry.prometheus_text,
        )
        self.wanted = self._listen
        """The address that is being opened, for the message when it cannot be."""
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
        """Recover the ledger, then listen. Raises `OSError` when an address cannot be had."""
        self.ledger.start()
        self._telemetry.start()
        self._flusher = asyncio.get_running_loop().create_task(self.ledger.run())  # ends with close, awaited in stop
        health = Health(self.state)
        admin = self.live.loaded.config.admin.listen
        if admin is not None:
            await self._serve(admin, health.handle)
        await self._serve(self._listen, Surface(self.state, None if admin is not None else health))
        self.state.ready = True

    async def _serve(self, address: str, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        self.wanted = address
        loop = asyncio.get_running_loop()
        server = Server(handler, self.state.identities.exchange_id)
        if address.startswith("unix:"):
            path = address.removeprefix("unix:")
            listener = await loop.create_unix_server(server, path, backlog=BACKLOG)
            os.chmod(path, 0o600)  # noqa: PTH101 - once, at the start
        else:
            listener = await loop.create_server(
                server, sock=_bind(address, reuse_port=self._reuse_port), backlog=BACKLOG
            )
        self._servers.append((server, listener))

    def addresses(self) -> list[str]:
        """What is listened on, the main listener last: `127.0.0.1:8080` (with the real port), `unix:...`."""
        return [_name(listener) for _, listener in self._servers]

    @property
    def url(self) -> str:
        """The main listener's base URL."""
        return f"http://{self.addresses()[-1]}"

    async def reload(self) -> bool:
        """Load the configuration again; see `Live.reload`. Pools of accounts that are gone are closed."""
        reloaded = self.live.reload()
        if reloaded:
            await self._connections.retire(self.live.current.accounts.values())
        return reloaded

    async def stop(self, grace: float) -> None:
        """Drain: no new work, let streams end within the grace, end the rest with a typed error, flush everything."""
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
        await self._connections.close()
        await self.ledger.close()
        if self._flusher is not None:
            await self._flusher
        await asyncio.to_thread(self._telemetry.close, END_RESERVE)


def _bind(address: str, *, reuse_port: bool) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, int(port)))
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def _name(listener: asyncio.Server) -> str:
    name = listener.sockets[0].getsockname()
    if isinstance(name, str):
        return f"unix:{name}"
    return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
