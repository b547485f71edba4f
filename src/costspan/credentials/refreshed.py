"""One credential, fetched when it is first needed and again before it expires, never by a request that could go on.

Fetching blocks (files, processes, metadata servers, DNS), so each fetch has a thread: a daemon, because a token server
that does not answer must not hold up the end of the process.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from typing import TYPE_CHECKING

from costspan.credentials.held import NoCredentials
from costspan.errors import Category, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Callable

    from costspan.credentials.held import Held

LEAD = 225.0
"""Seconds before the end of a token's life at which the next one is fetched. Metadata servers give the same token until
four or five minutes before its end, so that asking earlier would get no other (google-auth, `_helpers.py`)."""
SHORTEST = 30.0
"""Seconds between two fetches that nobody waits for."""
PAUSE = 5.0
"""Seconds for which a failure holds, so that requests do not besiege a token server that is down."""
LONGEST = 120.0
"""Seconds after which a fetch is given up. Its thread may hang for ever; what needs the token must not."""

_SECRET = re.compile(r"(?:AKIA|ASIA)[A-Z0-9]{12,}|[A-Za-z0-9+/_=.~-]{24,}")
"""What may be a secret in a library's words, or AWS's name for one."""

_OVER = "they had expired when they came"

_log = logging.getLogger(__name__)


class Refreshed:
    """Holds what `fetch` gave. Use it from one event loop. `name` is for messages: `Google`."""

    def __init__(self, name: str, fetch: Callable[[], Held], wall: Callable[[], float]) -> None:
        """`wall` is the time in epoch seconds."""
        self._name = name
        self._fetch = fetch
        self._wall = wall
        self._held: Held | None = None
        self._failure: str | None = None
        self._since = float("-inf")
        self._running: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def held(self) -> Held | None:
        """What is held, whether or not it is still valid."""
        return self._held

    async def get(self) -> Held:
        """What is held, fetched first where nothing valid is. Raises `UpstreamError` (not reached)."""
        if (held := self._valid()) is not None:
            return held
        if self._failure is None or not self._was_within(PAUSE):
            await asyncio.shield(self.begin())
        if (held := self._valid()) is not None:
            return held
        raise UpstreamError(
            f"no {self._name} credentials: {self._failure or _OVER}",
            kind="credentials_error",
            category=Category.AUTH,
            reached=False,
        )

    def begin(self) -> asyncio.Task[None]:
        """Fetch anew unless that is under way. The task does not fail: what went wrong is told to who asks."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._running is None or self._running.done():
            self._running = asyncio.get_running_loop().create_task(self._refresh())  # cancelled by close
        return self._running

    def doubt(self) -> None:
        """The provider refused what is held: fetch anew, unless that was just done."""
        if not self._was_within(SHORTEST):
            self.begin()

    def close(self) -> None:
        """Fetch no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._running is not None:
            self._running.cancel()

    def _valid(self) -> Held | None:
        return self._held if self._held is not None and self._holds(self._held) else None

    def _holds(self, held: Held) -> bool:
        return held.expires is None or self._wall() < held.expires

    def _was_within(self, seconds: float) -> bool:
        """Whether the last fetch ended in the last `seconds`. A clock that was set back since says nothing."""
        return 0 <= self._wall() - self._since < seconds

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(LONGEST):
                found = await _in_thread(self._fetch, self._name)
            self._failure = None if self._holds(found) else _OVER
            self._held = self._valid() if self._failure else found
        except Exception as error:  # noqa: BLE001 - libraries of three clouds, and the plugins of each
            self._failure = _reason(error)
            detail = _SECRET.sub("***", "".join(c if c.isprintable() else " " for c in str(error)))[:500]
            _log.warning("%s credentials: %s: %s", self._name, type(error).__name__, detail)
        self._since = self._wall()
        self._plan()

    def _plan(self) -> None:
        """When to fetch next, unasked: before the end of what is held, and not at all where it has no end."""
        held = self._valid()
        if held is None or held.expires is None:
            return
        wait = max(held.expires - LEAD - self._wall(), SHORTEST)
        self._timer = asyncio.get_running_loop().call_later(wait, self.begin)


def _reason(error: Exception) -> str:
    """Why, in words that hold nothing of the library's: those may repeat an answer of a token server."""
    return str(error) if isinstance(error, NoCredentials) else f"{type(error).__name__}, see the gateway's log"


async def _in_thread(fetch: Callable[[], Held], name: str) -> Held:
    loop = asyncio.get_running_loop()
    came: asyncio.Future[Held] = loop.create_future()

    def settle(held: Held | None, error: Exception | None) -> None:
        if came.done():  # whoever waited is gone
            return
        if held is not None:
            came.set_result(held)
        else:
            came.set_exception(error or RuntimeError("nothing came"))

    def work() -> None:
        held, failed = None, None
        try:
            held = fetch()
        except Exception as error:  # noqa: BLE001 - told to the loop
            failed = error
        try:
            loop.call_soon_threadsafe(settle, held, failed)
        except RuntimeError:  # the loop is closed
            return

    threading.Thread(target=work, name=f"credentials-{name}", daemon=True).start()
    return await came
