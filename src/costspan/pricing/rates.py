"""Rates: what one unit of each bucket costs, and the rows of a price table that hold them.

Money is USD. Token rates are per million tokens of one bucket of `ir.usage.BUCKETS`; fees are per one of a unit of
`ir.usage.UNITS`. A rate that is absent inherits along `FALLBACKS`; a rate of 0 is a price. Nothing here rounds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Context, Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ZERO = Decimal(0)
ONE = Decimal(1)

EXACT = Context(prec=200, traps=[])
"""Arithmetic on money. Python's default context rounds at 28 digits; no product of counts, rates, multipliers and
discounts that a file or a provider can state comes near 200. No traps: accounting never raises into a request."""

FALLBACKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "reasoning": ("output",),
        "cache_read": ("input",),
        "cache_write": ("input",),
        "cache_write_1h": ("cache_write", "input"),
        "input_audio": ("input",),
        # Cached audio costs what cached text costs (OpenAI gpt-realtime: 0.40 and 0.40, fresh audio 32) or a little
        # more (Gemini 2.5 Flash: 0.10 and 0.03, fresh audio 1.00), both read 2026-11-23 in genai-prices 0.2.3: the
        # cached rate is much the nearer one. Without it, audio is nearer than text.
        "cache_read_audio": ("cache_read", "input_audio", "input"),
        "input_image": ("input",),
        "input_video": ("input",),
        "output_audio": ("output",),
        "output_image": ("output",),
    }
)
"""Whose rate a bucket without its own is billed at: the first of these that has one."""

CERTAIN = frozenset({"reasoning", "input_image", "input_video"})
"""Buckets whose fallback is how providers that publish no own rate bill them; every other fallback is a guess that the
cost reports as `billed_as:<bucket>:<other>`."""

UNIT_WORDS: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "per_request": ("requests", 1),
        "web_search": ("web_search_calls", 1),
        "file_search": ("file_search_calls", 1),
        "code_execution": ("code_execution_calls", 1),
        "per_image": ("images", 1),
        "per_audio_second": ("audio_seconds", 1),
        "per_audio_minute": ("audio_seconds", 60),
        "per_audio_hour": ("audio_seconds", 3600),
        "per_character": ("characters", 1),
        "per_million_characters": ("characters", 1_000_000),
        "per_page": ("pages", 1),
        "per_search": ("searches", 1),
    }
)
"""The words of gateway.yaml for fees: the unit, and how many of it the fee buys."""


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per million tokens by bucket, and fees by unit.

    A fee is USD per `per[unit]` of the unit, per one where `per` is silent. Prices by the hour are the reason:
    0.111 USD / 3600 s has no finite decimal, so the division comes last.
    """

    tokens: Mapping[str, Decimal] = field(default_factory=dict)
    units: Mapping[str, Decimal] = field(default_factory=dict)
    per: Mapping[str, int] = field(default_factory=dict)

    def overlaid(self, other: Rates) -> Rates:
        """These rates with those of `other` in their place where it has any."""
        return Rates({**self.tokens, **other.tokens}, {**self.units, **other.units}, _per(self, other))

    def resolve(self, bucket: str) -> tuple[Decimal, str] | None:
        """The rate that bills `bucket` and the bucket it is the rate of; None when no fallback has one either."""
        for candidate in (bucket, *FALLBACKS.get(bucket, ())):
            rate = self.tokens.get(candidate)
            if rate is not None:
                return rate, candidate
        return None


def _per(below: Rates, above: Rates) -> dict[str, int]:
    kept = {unit: size for unit, size in below.per.items() if unit not in above.units}
    return {**kept, **above.per}


def rates_of(words: Mapping[str, Decimal]) -> Rates:
    """Rates from the words of gateway.yaml: bucket names and `UNIT_WORDS`. An unknown word is a `KeyError`.

    Two fees for one unit (by the minute and by the hour) are a `ValueError`.
    """
    fees = {word: UNIT_WORDS[word] for word in words if word not in _BUCKET_WORDS}
    if len(fees) > len({unit for unit, _ in fees.values()}):
        raise ValueError(f"more than one fee for the same unit: {', '.join(sorted(fees))}")
    return Rates(
        tokens={word: rate for word, rate in words.items() if word in _BUCKET_WORDS},
        units={unit: words[word] for word, (unit, _) in fees.items()},
        per={unit: size for unit, size in fees.values() if size != 1},
    )


_BUCKET_WORDS = frozenset({"input", "output", *FALLBACKS})


@dataclass(frozen=True, slots=True)
class Tier:
    """Rates of the whole request once its prompt, cached part included, is strictly above `above` tokens.

    What `rates` leaves out keeps the rate it has below the threshold.
    """

    above: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class ServiceTier:
    """A way of being served (`flex`, `priority`, `batch`): own rates, or a factor on every bucket and unit.

    Own rates replace; what they leave out keeps the rate of the size tier. `tiers` are the tier's own size tiers.
    """

    multiplier: Decimal = ONE
    rates: Rates | None = None
    tiers: tuple[Tier, ...] = ()


@dataclass(frozen=True, slots=True)
class Hours:
    """A daily band, in minutes since midnight UTC, half-open. An end before the start wraps past midnight.

    `multiplier` applies to every bucket and unit; `rates`, if any, replace first.
    """

    start_minute: int
    end_minute: int
    multiplier: Decimal = ONE
    rates: Rates | None = None

    def covers(self, minute: int) -> bool:
        """Whether `minute` of the UTC day lies in the band."""
        if self.end_minute < self.start_minute:
            return minute >= self.start_minute or minute < self.end_minute
        return self.start_minute <= minute < self.end_minute


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a price table.

    `provider` is a provider's name in the configuration, or a kind. `model` is exact or a glob (`*`, `?`, `[...]`).
    In force on the UTC days `from_ <= day < to`; None is open. Of several `hours` that cover an instant the first
    counts. `source` says where the row stands: `table:gateway.yaml:41`, `catalog:openai/gpt-5`.
    `gaps` names priced things of the source that we have no bucket for; every cost reports them as `unmapped:<name>`.
    """

    provider: str
    model: str
    rates: Rates
    source: str
    from_: date | None = None
    to: date | None = None
    tiers: tuple[Tier, ...] = ()
    service_tiers: Mapping[str, ServiceTier] = field(default_factory=dict)
    hours: tuple[Hours, ...] = ()
    gaps: tuple[str, ...] = ()

    def in_force(self, day: date) -> bool:
        """Whether the row prices calls made on `day` (UTC)."""
        return (self.from_ is None or self.from_ <= day) and (self.to is None or day < self.to)


def in_force(rows: tuple[Row, ...], day: date) -> Row | None:
    """The row in force on `day`; of several, the one that came into force last, then the first written."""
    current = [row for row in rows if row.in_force(day)]
    return max(current, key=lambda row: row.from_ or date.min, default=None)
