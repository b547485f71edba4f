"""Addresses of one host: remembered, refreshed in the background, and kept when DNS fails.

| age of what is known | |
|---|---|
| under `FRESH` | used |
| under `STALE` | used, and looked up in the background for the next connection |
| older, or nothing known | looked up first; when that fails, what is known is used whatever its age |

Each lookup has a daemon thread, at most one at a time for each host: a resolver that hangs for half a minute can fill
no shared pool of threads, block no loop and delay no exit.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FRESH = 30.0
STALE = 300.0

AddressInfo = tuple[
    socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
]
"""As `socket.getaddrinfo` returns it."""


def lookup(host: str, port: int) -> Sequence[AddressInfo]:
    """Ask the system; blocks."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


class Resolver:
    """Mutable: what is known of one host's addresses, and the lookup under way."""

    def __init__(self, host: str, port: int, *, lookup: Callable[[str, int], Sequence[AddressInfo]] = lookup) -> None:
        self._host = host
        self._port = port
        self._lookup = lookup
        self._known: Sequence[AddressInfo] = []
        self._since = 0.0
        self._pending: asyncio.Future[Sequence[AddressInfo]] | None = None
        with contextlib.suppress(OSError, UnicodeError):  # not a number: a name
            self._known = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        self._numeric = bool(self._known)

    async def addresses(self) -> Sequence[AddressInfo]:
        """At least one address. Raises `socket.gaierror` or `UnicodeError`. The caller bounds the time."""
        if self._numeric:
            return self._known
        age = asyncio.get_running_loop().time() - self._since
        if self._known and age < FRESH:
            return self._known
        pending = self._pending or self._start()
        if self._known and age < STALE:
            return self._known
        try:
            return await asyncio.shield(pending)
        except (OSError, UnicodeError):
            if self._known:
                return self._known
            raise

    def _start(self) -> asyncio.Future[Sequence[AddressInfo]]:
        loop = asyncio.get_running_loop()
        pending: asyncio.Future[Sequence[AddressInfo]] = loop.create_future()
        self._pending = pending

        def work() -> None:
            try:
                found, failed = self._lookup(self._host, self._port), None
            except (OSError, UnicodeError) as error:
                found, failed = [], error
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._finish, pending, found, failed)

        threading.Thread(target=work, name="costspan-dns", daemon=True).start()
        return pending

    def _finish(
        self, pending: asyncio.Future[Sequence[AddressInfo]], found: Sequence[AddressInfo], failed: Exception | None
    ) -> None:
        self._pending = None
        if found:
            self._known, self._since = found, pending.get_loop().time()
        if pending.cancelled():
            return
        if found:
            pending.set_result(found)
        else:
            pending.set_exception(failed or socket.gaierror(socket.EAI_NONAME, "no address"))
            pending.exception()  # nobody may be waiting: a failed refresh is no news
