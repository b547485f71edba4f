"""What one client key may use in a minute and at one time. Facts in, verdict out: the clock is an argument.

A minute is a sliding one, counted by whole seconds: what was used counts for 60 to 61 s, so in no 60 s more than the
limit is let through, and all of it may come at once. Tokens are taken when a request is let in, by estimate, and
corrected when it has ended; only what an answer has beyond its estimate can exceed the limit.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import ceil
from typing import Literal, TypeAlias

MINUTE = 60
"""Seconds for which a use counts, beside the rest of the second in which it began."""

Kind: TypeAlias = Literal["requests", "tokens", "concurrency"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a key may use at most; None: as much as it likes."""

    requests: int | None = None
    """In a minute."""
    tokens: int | None = None
    """In a minute, input and output."""
    concurrency: int | None = None
    """Requests at one time."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not let in."""

    kind: Kind
    limit: int
    asked: int
    seconds: float | None
    """After which the same request would be let in, if no other came. None: never, it is larger than the limit."""


class Window:
    """Amounts of the last minute, by the second in which each was taken. At most 62 entries."""

    __slots__ = ("_slots", "used")

    def __init__(self) -> None:
        self.used = 0
        """As of the last call."""
        self._slots: deque[list[int]] = deque()

    def take(self, amount: int, now: float) -> int:
        """Take `amount`. Returns the second to which it belongs, for `correct`."""
        slot = self._forget(now)
        if not self._slots or self._slots[-1][0] != slot:
            self._slots.append([slot, 0])
        self._slots[-1][1] += amount
        self.used += amount
        return slot

    def correct(self, slot: int, more: int, now: float) -> None:
        """What was taken in the second `slot` is larger by `more`, or smaller.

        Of what no longer counts, only an excess does: it was used since.
        """
        current = self._forget(now)
        entry = next((entry for entry in self._slots if entry[0] == slot), None)
        if entry is not None:
            entry[1] += more
            self.used += more
        elif more > 0:
            self.take(more, float(current))

    def wait(self, limit: int, amount: int, now: float) -> float | None:
        """Seconds until `amount` fits beside what was taken; 0.0: it does now; None: it never will."""
        if amount > limit:
            return None
        self._forget(now)
        excess = self.used + amount - limit
        for slot, taken in self._slots:
            if excess <= 0:
                break
            excess -= taken
            seconds = slot + MINUTE + 1 - now
            if excess <= 0:
                return seconds
        return 0.0

    def empty_in(self, now: float) -> float:
        """Seconds until nothing that was taken counts any more."""
        self._forget(now)
        return self._slots[-1][0] + MINUTE + 1 - now if self._slots else 0.0

    def _forget(self, now: float) -> int:
        """Drop what no longer counts. Returns the current second, never an earlier one than was seen before."""
        slot = int(now)
        slots = self._slots
        if slots:
            slot = max(slot, slots[-1][0])
            while slots and slots[0][0] < slot - MINUTE:
                self.used -= slots.popleft()[1]
        return slot


@dataclass(slots=True)
class Use:
    """What one key uses. Changes with each of its requests."""

    requests: Window = field(default_factory=Window)
    tokens: Window = field(default_factory=Window)
    running: int = 0

    def enter(self, limits: Limits, tokens: int, now: float) -> int | Refusal:
        """Let a request of so many `tokens` (estimated) in, or say why not.

        Returns the second in which it came, for `Window.correct`. Each request that was let in must `leave`.
        """
        refusal = self.refusal(limits, tokens, now)
        if refusal is not None:
            return refusal
        self.running += 1
        self.tokens.take(tokens, now)
        return self.requests.take(1, now)

    def leave(self) -> None:
        """A request has ended."""
        self.running -= 1

    def refusal(self, limits: Limits, tokens: int, now: float) -> Refusal | None:
        """Why a request of so many `tokens` is not let in now: the limit that has to be waited for longest."""
        found: list[Refusal] = []
        if limits.concurrency is not None and self.running >= limits.concurrency:
            found.append(Refusal("concurrency", limits.concurrency, 1, 1.0))  # nobody knows when one ends
        if limits.requests is not None and (seconds := self.requests.wait(limits.requests, 1, now)) != 0.0:
            found.append(Refusal("requests", limits.requests, 1, seconds))
        if limits.tokens is not None and (seconds := self.tokens.wait(limits.tokens, tokens, now)) != 0.0:
            found.append(Refusal("tokens", limits.tokens, tokens, seconds))
        return max(found, key=_patience, default=None)

    def headers(self, limits: Limits, now: float) -> dict[str, str]:
        """`x-ratelimit-*` as OpenAI has them; resets are the seconds until nothing counts any more.

        https://platform.openai.com/docs/guides/rate-limits (read 2026-11-26).
        """
        found: dict[str, str] = {}
        for kind, limit, window in (
            ("requests", limits.requests, self.requests),
            ("tokens", limits.tokens, self.tokens),
        ):
            if limit is not None:
                reset = window.empty_in(now)  # and forgets what no longer counts
                found[f"x-ratelimit-limit-{kind}"] = str(limit)
                found[f"x-ratelimit-remaining-{kind}"] = str(max(limit - window.used, 0))
                found[f"x-ratelimit-reset-{kind}"] = f"{ceil(reset)}s"
        return found


def _patience(refusal: Refusal) -> float:
    return float("inf") if refusal.seconds is None else refusal.seconds
