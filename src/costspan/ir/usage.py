"""Usage: disjoint counts of what one attempt consumed."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

INPUT_BUCKETS = (
    "input",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "input_audio",
    "cache_read_audio",
    "input_image",
    "input_video",
)
OUTPUT_BUCKETS = ("output", "reasoning", "output_audio", "output_image")
BUCKETS = INPUT_BUCKETS + OUTPUT_BUCKETS
UNITS = (
    "requests",
    "web_search_calls",
    "file_search_calls",
    "code_execution_calls",
    "images",
    "audio_seconds",
    "characters",
    "pages",
    "searches",
)

CHARS_PER_TOKEN = 4
"""English text with today's tokenizers; code and other scripts have fewer characters to a token. Who can corrects it
with each model's observed ratio."""

TOKENS_PER_MEDIUM = 1000
"""An image or file whose size is not looked at. A picture of 1024 x 1024 is 258 tokens at Google (per tile), 765 at
OpenAI (GPT-4o, high detail), 1,398 at Anthropic (width x height / 750), as their guides say."""

_INPUT = frozenset(INPUT_BUCKETS)
_OUTPUT = frozenset(OUTPUT_BUCKETS)
_EMPTY: Mapping[str, int] = MappingProxyType({})


def prompt_tokens(tokens: Mapping[str, int]) -> int:
    """All input tokens of disjoint buckets, the cached ones included."""
    return sum([count for bucket, count in tokens.items() if bucket in _INPUT])


def completion_tokens(tokens: Mapping[str, int]) -> int:
    """All output tokens of disjoint buckets, reasoning included."""
    return sum([count for bucket, count in tokens.items() if bucket in _OUTPUT])


@dataclass(slots=True)  # not frozen, as `ledger.records`: made for every request
class Usage:
    """What one attempt consumed, as the provider reported it.

    `tokens` maps names of `BUCKETS` to counts, disjoint: their sum is the provider's total.
    `units` maps names of `UNITS` to counts. Zero counts may be left out of both.
    `inconsistent` says that the report contradicted itself and was clamped.
    `service_tier` is the tier that served, in the provider's own word.
    `reported_cost` is USD as the provider itself stated it, None where it does not.
    """

    tokens: Mapping[str, int] = field(default_factory=lambda: _EMPTY)
    units: Mapping[str, int | Decimal] = field(default_factory=lambda: _EMPTY)
    inconsistent: bool = False
    service_tier: str | None = None
    reported_cost: Decimal | None = None

    @property
    def prompt_tokens(self) -> int:
        """All input tokens, the cached part included."""
        return prompt_tokens(self.tokens)

    @property
    def completion_tokens(self) -> int:
        """All output tokens, reasoning included."""
        return completion_tokens(self.tokens)
