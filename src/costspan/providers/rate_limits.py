"""What an answer's headers say is left of a provider's rate limits. The names differ by provider, and so do the times.

Read 2026-11-26:

- https://platform.openai.com/docs/guides/rate-limits (`-requests`, `-tokens`; times such as `1s`, `6m0s`, `12ms`);
  Groq's are the same, https://console.groq.com/docs/rate-limits; xAI sends them without times; Azure's times are whole
  seconds, and its -1 stands for a figure that it does not have (https://github.com/openai/openai-dotnet/issues/838)
- https://docs.anthropic.com/en/api/rate-limits#response-headers (times as RFC 3339, tokens rounded to thousands)
- https://github.com/mistralai/client-ts/issues/169 (Mistral, by the minute, without times; earlier `ratelimitbysize-`)
- https://inference-docs.cerebras.ai/support/rate-limits (by the minute, hour and day; seconds with a fraction)
- https://docs.fireworks.ai/serverless/rate-limits (prompt and generated tokens, without times)
- https://openrouter.ai/docs/api-reference/limits (on its own 429 only; time in milliseconds since 1970)

They count by organisation or key, and most by model. Each says when the limit is whole again, which is the latest time
at which a request finds room, and the only one that is told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_SECONDS = 300.0
"""A limit by the day or month is asked about again after so long: somebody may have raised it."""
UNTOLD_SECONDS = 5.0
"""Until a limit is taken to have room again whose time is not told, or not in a form that is known."""

Counted: TypeAlias = Literal["requests", "tokens", "input", "output"]

_HEADERS: tuple[tuple[str, str, Counted], ...] = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", "requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", "tokens"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset", "requests"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset", "tokens"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset", "input"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset", "output"),
    ("x-ratelimit-remaining-req-minute", "x-ratelimit-reset-req-minute", "requests"),
    ("x-ratelimit-remaining-tokens-minute", "x-ratelimit-reset-tokens-minute", "tokens"),
    ("ratelimitbysize-remaining", "ratelimitbysize-reset", "tokens"),
    ("x-ratelimit-remaining-requests-minute", "x-ratelimit-reset-requests-minute", "requests"),
    ("x-ratelimit-remaining-requests-hour", "x-ratelimit-reset-requests-hour", "requests"),
    ("x-ratelimit-remaining-requests-day", "x-ratelimit-reset-requests-day", "requests"),
    ("x-ratelimit-remaining-tokens-hour", "x-ratelimit-reset-tokens-hour", "tokens"),
    ("x-ratelimit-remaining-tokens-day", "x-ratelimit-reset-tokens-day", "tokens"),
    ("x-ratelimit-remaining-tokens-prompt", "x-ratelimit-reset-tokens-prompt", "input"),
    ("x-ratelimit-remaining-tokens-generated", "x-ratelimit-reset-tokens-generated", "output"),
    ("x-ratelimit-remaining", "x-ratelimit-reset", "requests"),
)
"""What remains, when that is whole again, and what it counts. All in lower case, as answers' headers are here."""
_ALL_HAVE = "ratelimit"
"""Is in each of these names."""

_MAX_DIGITS = 15
_NUMBER = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")
_DURATION = re.compile(r"(?:[0-9]{1,20}(?:\.[0-9]{1,20})?(?:h|ms|m|s|us|µs|ns)){1,6}")
_PART = re.compile(r"([0-9.]+)([a-zµ]+)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_EPOCH_SECONDS = 1e9
"""Numbers from here on are times since 1970 in seconds; that many seconds to wait are 31 years."""
_EPOCH_MILLISECONDS = 1e11


@dataclass(frozen=True, slots=True)
class Need:
    """What a request is expected to take of the limits on `model`: itself, and its tokens."""

    model: str = ""
    input: int = 0
    output: int = 0

    def of(self, counted: Counted) -> int:
        """How much of a limit that counts this."""
        match counted:
            case "requests":
                return 1
            case "tokens":
                return self.input + self.output
            case "input":
                return self.input
            case "output":
                return self.output


NO_NEED = Need()


@dataclass(frozen=True, slots=True)
class Remaining:
    """What one answer said is left. Times are read when they are needed: most answers leave room for the next request.

    `told` is the answer's monotonic time and `wall` the same since 1970, both in seconds. Each limit is what it counts,
    how much of that is left, and when the provider says it is whole again.
    """

    told: float
    wall: float
    limits: tuple[tuple[Counted, int, str], ...]

    def until(self, need: Need) -> float:
        """The monotonic time at which there is room for `need` at the latest; that of the answer where there is now."""
        lacking = [_until(reset, self.wall) for counted, left, reset in self.limits if need.of(counted) > left]
        return self.told + max(lacking, default=0.0)


def read(headers: Mapping[str, str], now: float, wall: float) -> Remaining | None:
    """What is left by `headers`, whose names are in lower case; None where they say nothing of limits.

    `now` is the monotonic time and `wall` that since 1970, both in seconds. A figure that is no number is not said.
    """
    if _ALL_HAVE not in "\n".join(headers):  # far faster than to ask for each, and many providers say nothing
        return None
    found: list[tuple[Counted, int, str]] | None = None
    for left, reset, counted in _HEADERS:
        text = headers.get(left)
        if text is None or len(text) > _MAX_DIGITS or not (text.isdigit() and text.isascii()):
            continue
        if found is None:
            found = []
        found.append((counted, int(text), headers.get(reset, "")))
    return None if found is None else Remaining(now, wall, tuple(found))


def _until(text: str, wall: float) -> float:
    """Seconds from the answer to the time that `text` tells, at least 0 and at most `LONGEST_SECONDS`."""
    seconds = _seconds(text, wall)
    return UNTOLD_SECONDS if seconds is None else min(max(seconds, 0.0), LONGEST_SECONDS)


def _seconds(text: str, wall: float) -> float | None:
    if _NUMBER.fullmatch(text):
        number = float(text)
        if number >= _EPOCH_MILLISECONDS:
            return number / 1000 - wall
        return number - wall if number >= _EPOCH_SECONDS else number
    if _DURATION.fullmatch(text):
        return sum(float(amount) * _UNITS[unit] for amount, unit in _PART.findall(text))
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if time.tzinfo is None else time.timestamp() - wall
