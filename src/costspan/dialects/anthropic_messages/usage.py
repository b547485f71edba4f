"""The `usage` object, of whole answers and of streams, by one reader.

`input_tokens` excludes what was read from and written to the cache; `output_tokens` includes thinking. A stream
reports in `message_start` and, cumulatively, in `message_delta`: the last value of each field counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects.anthropic_messages.vocabulary import SERVED_TIERS
from costspan.dialects.types import PLAIN
from costspan.ir.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.dialects.types import Profile
    from costspan.wire import json

# No context window comes near; what exceeds it is garbage (and would not survive a JSON number).
_MAX_COUNT = 2**53 - 1

_TOP = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_NESTED = {
    "cache_creation": ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"),
    "output_tokens_details": ("thinking_tokens",),
    "server_tool_use": ("web_search_requests",),
}


class UsageReader:
    """Adds up the reports of one answer. A count that is not a non-negative integer is refused and flagged."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._compactions: list[dict[str, int]] = []
        self._tier: str | None = None
        self._speed: str | None = None
        self._only_us = False
        self._inconsistent = False
        self.usage: Usage | None = None
        """As known so far; None until a usable count was seen."""

    def add(self, report: object) -> None:
        """Take in one `usage` object; anything else is no report."""
        if not isinstance(report, dict):
            return
        self._counts.update(self._sound(report))
        if isinstance(tier := report.get("service_tier"), str):
            self._tier = tier
        if isinstance(speed := report.get("speed"), str):  # priced as a tier is: `fast` costs a multiple
            self._speed = None if speed == "standard" else speed
        if isinstance(where := report.get("inference_geo"), str):
            self._only_us = where == "us"
        if (iterations := report.get("iterations")) is not None:
            self._iterate(iterations)
        if self._counts or self._compactions:
            self.usage = self._total(self.usage)

    def _iterate(self, iterations: object) -> None:
        """Keep what the top level leaves out. Kinds whose place in it is not known make the report doubtful.

        Source: `anthropic.types.beta.BetaUsage.iterations` 2.12.0, read 2026-11-23: a compaction is not in the top
        level. An advisor or a fallback is another model, with prices of its own.
        """
        self._compactions = []
        for entry in iterations if isinstance(iterations, list) else (None,):
            if isinstance(entry, dict) and entry.get("type") == "compaction":
                self._compactions.append(dict(self._sound(entry)))
            elif not isinstance(entry, dict) or entry.get("type") != "message":
                self._inconsistent = True

    def _sound(self, report: json.Object) -> Iterator[tuple[str, int]]:
        for name, value in _fields(report):
            if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT:
                yield name, value
            else:
                self._inconsistent = True

    def _total(self, before: Usage | None) -> Usage:
        tokens = self._buckets(self._counts)
        for compaction in self._compactions:
            for bucket, count in self._buckets(compaction).items():
                tokens[bucket] += count
        searches = self._counts.get("web_search_requests", 0)
        usage = Usage(
            tokens={bucket: count for bucket, count in tokens.items() if count},
            units={"web_search_calls": searches} if searches else {},
            inconsistent=self._inconsistent,
            service_tier=self._served(),
        )
        if before and _is_lower(usage, before):
            self._inconsistent = True
            return Usage(usage.tokens, usage.units, inconsistent=True, service_tier=usage.service_tier)
        return usage

    def _served(self) -> str | None:
        """The way of being served as prices know it: `fast`, `batch`, `us`, `fast-us`."""
        tier = self._speed or self._tier
        if not self._only_us:
            return tier
        # Answered within the US only, at 1.1 times the price of every token
        # (platform.claude.com/docs/en/build-with-claude/data-residency and about-claude/pricing, read 2026-11-25).
        return "us" if tier in {None, "standard"} else f"{tier}-us"

    def _buckets(self, counts: dict[str, int]) -> dict[str, int]:
        written, written_1h = self._cache_writes(counts)
        output, thinking = counts.get("output_tokens", 0), counts.get("thinking_tokens", 0)
        if thinking > output:
            self._inconsistent = True
            thinking = output
        return {
            "input": counts.get("input_tokens", 0),
            "cache_read": counts.get("cache_read_input_tokens", 0),
            "cache_write": written,
            "cache_write_1h": written_1h,
            "output": output - thinking,
            "reasoning": thinking,
        }

    def _cache_writes(self, counts: dict[str, int]) -> tuple[int, int]:
        """Tokens written for 5 minutes and for 1 hour. Without the split, all are of the cheaper kind, the default."""
        short, long = counts.get("ephemeral_5m_input_tokens"), counts.get("ephemeral_1h_input_tokens")
        total = counts.get("cache_creation_input_tokens")
        if short is None and long is None:
            return total or 0, 0
        split = (short or 0) + (long or 0)
        if total is None:
            total = split
        elif total != split:
            self._inconsistent = True
        written_1h = min(long or 0, total)
        return total - written_1h, written_1h


def read_usage(body: json.Object, profile: Profile = PLAIN) -> Usage | None:  # noqa: ARG001 - no host of this dialect has quirks yet
    """Usage of a whole answer."""
    reader = UsageReader()
    reader.add(body.get("usage"))
    return reader.usage


def encode_usage(usage: Usage | None, estimated_input: int) -> json.Object:
    """Usage for the client. Where the upstream reported none, the estimate of its prompt."""
    if usage is None:
        return {**_input_counts(estimated_input, 0, 0), "output_tokens": 0}
    tokens = usage.tokens
    read = tokens.get("cache_read", 0) + tokens.get("cache_read_audio", 0)
    short, long = tokens.get("cache_write", 0), tokens.get("cache_write_1h", 0)
    report = _input_counts(usage.prompt_tokens - read - short - long, read, short + long)
    if short or long:
        report["cache_creation"] = {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long}
    report["output_tokens"] = usage.completion_tokens
    if thinking := tokens.get("reasoning", 0):
        report["output_tokens_details"] = {"thinking_tokens": thinking}
    if searches := usage.units.get("web_search_calls", 0):
        report["server_tool_use"] = {"web_search_requests": int(searches), "web_fetch_requests": 0}
    if tier := SERVED_TIERS.get(usage.service_tier or ""):
        report["service_tier"] = tier
    return report


def _input_counts(fresh: int, read: int, written: int) -> json.Object:
    return {"input_tokens": fresh, "cache_creation_input_tokens": written, "cache_read_input_tokens": read}


def _fields(report: json.Object) -> Iterator[tuple[str, object]]:
    """The counts in `report`, flat. Null is absence."""
    for name in _TOP:
        if (value := report.get(name)) is not None:
            yield name, value
    for group, names in _NESTED.items():
        part = report.get(group)
        if isinstance(part, dict):
            for name in names:
                if (value := part.get(name)) is not None:
                    yield name, value


def _is_lower(usage: Usage, before: Usage) -> bool:
    """Whether a cumulative report went back."""
    return usage.prompt_tokens < before.prompt_tokens or usage.completion_tokens < before.completion_tokens
