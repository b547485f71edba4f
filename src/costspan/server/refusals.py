"""A log line for each request that was refused before it became an exchange, and no flood of them.

Nothing in a line is of the client's making: the path is one of ours or `other`, and so is the method.
"""

from __future__ import annotations

import asyncio
import logging
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LOGGER = "costspan.refused"
MAX_LINES = 100
"""In a second. What comes on top is counted, and the count is one line."""
OTHER = "other"
_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})

_NOTHING: Mapping[str, str] = MappingProxyType({})

_log = logging.getLogger(LOGGER)


class Refusals:
    """Writes the lines of one listener."""

    def __init__(self, *, limit: int = MAX_LINES, seconds: float = 1.0) -> None:
        """At most `limit` lines in `seconds`."""
        self._limit = limit
        self._seconds = seconds
        self._begun = float("-inf")
        self._lines = 0
        self._more = 0

    def note(  # noqa: PLR0917 - the fields of a line
        self, status: int, code: str, method: str, path: str, request_id: str, about: Mapping[str, str] = _NOTHING
    ) -> None:
        """A request was answered with an error. `path` is a template of ours, never what the client wrote.

        `about` are names of the configuration that say more: a budget, a key, a limit.
        """
        if not _log.isEnabledFor(logging.INFO):
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now - self._begun >= self._seconds:
            self._begun, self._lines = now, 0
        if self._lines >= self._limit:
            if not self._more:
                loop.call_at(self._begun + self._seconds, self._count)
            self._more += 1
            return
        self._lines += 1
        method = method if method in _METHODS else OTHER
        fields = {"http_status": status, "code": code, "method": method, "path": path, "request_id": request_id}
        more = "".join(f", {name} {value}" for name, value in about.items())
        _log.info("request refused: %d %s %s %s%s", status, code, method, path, more, extra={**about, **fields})

    def _count(self) -> None:
        more, self._more = self._more, 0
        _log.info("%d more requests refused", more, extra={"count": more})
