"""Ids: time-ordered, unique over processes, short enough to read aloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from costspan.engine.call import Clock


class Identities:
    """Makes ids from a clock and a source of random bits (`random.SystemRandom().getrandbits` or a test's own)."""

    def __init__(self, clock: Clock, bits: Callable[[int], int]) -> None:
        self._clock = clock
        self._bits = bits

    def _ordered(self, prefix: str) -> str:
        milliseconds = self._clock.wall_ns() // 1_000_000
        return f"{prefix}{milliseconds:012x}{self._bits(64):016x}"

    def exchange_id(self) -> str:
        """`cs_` and 28 hex digits, the first 12 the time in milliseconds."""
        return self._ordered("cs_")

    def attempt_id(self) -> str:
        """`at_` and 28 hex digits."""
        return self._ordered("at_")

    def trace_id(self) -> str:
        """32 hex digits, not all zero."""
        return f"{self._bits(128) or 1:032x}"

    def span_id(self) -> str:
        """16 hex digits, not all zero."""
        return f"{self._bits(64) or 1:016x}"
