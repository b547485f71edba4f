"""The current snapshot, and how the next one takes its place.

A reload parses, validates and builds beside the running snapshot, then swaps in one assignment. A bad file changes
nothing: the old snapshot serves on and every problem is logged with file and line.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from costspan.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from costspan.config.load import Loaded
    from costspan.snapshot import Snapshot

_AT_START = {
    "server": ("listen", "workers"),
    "admin": ("listen",),
    "ledger": ("dir", "fsync", "keep"),
    "telemetry": ("service_name", "otlp", "prometheus", "cost_aliases"),
}
"""What is read once: listeners, files and exporters stay as they are until a restart."""

_log = logging.getLogger(__name__)


class Live:
    """Holds the current snapshot. A request reads `current` once and keeps what it got."""

    def __init__(
        self, load: Callable[[], Loaded], build: Callable[[Loaded, int], Snapshot], check: Callable[[Snapshot], None]
    ) -> None:
        """Load the first snapshot. Raises `ConfigError`: at the start a bad file is fatal.

        `check` refuses (by `ConfigError`) a snapshot that may not be served here.
        """
        self._load = load
        self._build = build
        self._check = check
        self.loaded = load()
        self.current = build(self.loaded, 1)
        check(self.current)
        self.reload_success = True
        self.before_swap: Callable[[Snapshot], Awaitable[None]] | None = None
        """Called with the next snapshot, on the event loop. It raises nothing; whoever reloads waits for it."""

    def prepare(self) -> tuple[Loaded, Snapshot | None]:
        """Load and build what the file says now, beside what is served. None: unchanged. Raises `ConfigError`.

        Touches nothing that is served, so it may run on another thread: it reads files and waits for the catalog.
        """
        loaded = self._load()
        if loaded.digest == self.loaded.digest:
            return loaded, None
        try:
            snapshot = self._build(loaded, self.current.generation + 1)
        except OSError as error:
            raise refuse("", f"cannot be built: {error.strerror}") from None
        self._check(snapshot)
        return loaded, snapshot

    async def reload(self, *, aloud: bool = True) -> bool:
        """Swap in a new snapshot, or log every problem and keep the old one. One reload at a time.

        `aloud`: say it too when nothing has changed.
        """
        try:
            loaded, snapshot = await asyncio.to_thread(self.prepare)
        except ConfigError as error:
            self.reload_success = False
            _log.error("configuration not reloaded, generation %d serves on:\n%s", self.current.generation, error)
            return False
        self.reload_success = True
        if snapshot is None:
            _log.log(
                logging.INFO if aloud else logging.DEBUG,
                "configuration unchanged, generation %d serves on",
                self.current.generation,
            )
            return True
        if self.before_swap is not None:
            await self.before_swap(snapshot)
        self._note_restart(loaded)
        self.loaded, self.current = loaded, snapshot
        for warning in snapshot.warnings:
            _log.warning("%s", warning)
        _log.info("configuration reloaded, generation %d, digest %s", snapshot.generation, snapshot.digest[:12])
        return True

    def _note_restart(self, loaded: Loaded) -> None:
        old, new = self.loaded.config, loaded.config
        changed = [
            name
            for name, section in _AT_START.items()
            for field in section
            if getattr(getattr(old, name), field) != getattr(getattr(new, name), field)
        ]
        for name in dict.fromkeys(changed):
            _log.warning("%s: a change of %s takes effect at the next start", name, ", ".join(_AT_START[name]))


def refuse(path: str, reason: str) -> ConfigError:
    """A configuration that cannot be served on this machine."""
    return ConfigError((Problem("server", 0, 0, path, reason),))
