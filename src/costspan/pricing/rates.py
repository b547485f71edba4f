"""Rates: what one unit of each bucket costs, the rows of a price table that hold them, and the price made of a row.

Money is USD. Token rates are per million tokens of one bucket of `ir.usage.BUCKETS`; fees are per one of a unit of
`ir.usage.UNITS`. A rate that is absent inherits along `FALLBACKS`; a rate of 0 is a price. Nothing here rounds.

The order in which a rate is made, once per combination and then remembered by the price:

    rates  →  size tier  →  service tier  →  hour band  →  discount
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Context, Decimal
from functools import reduce
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from costspan.ir.usage import BUCKETS, UNITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from costspan.ir.usage import Usage

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
        **{unit: (unit, 1) for unit in UNITS},
    }
)
"""The words of gateway.yaml for fees: the unit, and how many of it the fee buys. A unit's own name is one too."""


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
    fees = {word: UNIT_WORDS[word] for word in words if word not in BUCKETS}
    if len(fees) > len({unit for unit, _ in fees.values()}):
        raise ValueError(f"more than one fee for the same unit: {', '.join(sorted(fees))}")
    return Rates(
        tokens={word: rate for word, rate in words.items() if word in BUCKETS},
        units={unit: words[word] for word, (unit, _) in fees.items()},
        per={unit: size for unit, size in fees.values() if size != 1},
    )


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

    An end at the start is the whole day, `00:00-24:00`. `multiplier` applies to every bucket and unit; `rates`, if
    any, replace first.
    """

    start_minute: int
    end_minute: int
    multiplier: Decimal = ONE
    rates: Rates | None = None

    def covers(self, minute: int) -> bool:
        """Whether `minute` of the UTC day lies in the band."""
        if self.end_minute <= self.start_minute:
            return minute >= self.start_minute or minute < self.end_minute
        return self.start_minute <= minute < self.end_minute


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a price table.

    `provider` is a provider's name in the configuration, or a kind. `model` is exact or a glob (`*`, `?`, `[...]`).
    In force on the UTC days `from_ <= day < to`; None is open. Of several `hours` that cover an instant the first
    counts. `source` says where the row stands: `table:gateway.yaml:41`, `catalog:openai/gpt-5`.
    `gaps` names priced things of the source that we have no bucket for; every cost reports them as `unmapped:<name>`.
    `stated` is what a table's row says of where and when its facts were read. `least` are counts of units that are
    billed also where less was used, if anything was.
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
    stated: str | None = None
    least: Mapping[str, int] = field(default_factory=dict)

    def in_force(self, day: date) -> bool:
        """Whether the row prices calls made on `day` (UTC)."""
        return (self.from_ is None or self.from_ <= day) and (self.to is None or day < self.to)


def in_force(rows: tuple[Row, ...], day: date) -> Row | None:
    """The row in force on `day`; of several, the one that came into force last, then the first written."""
    current = [row for row in rows if row.in_force(day)]
    return max(current, key=lambda row: row.from_ or date.min, default=None)


@dataclass(frozen=True, slots=True)
class Plan:
    """Rates with everything multiplied in: USD per token, USD per `per` units. `doubtful` buckets carry their flag."""

    tokens: Mapping[str, Decimal]
    units: Mapping[str, tuple[Decimal, int]]
    doubtful: Mapping[str, str]
    least: Mapping[str, int]


_PlanKey: TypeAlias = tuple[int, str | None, int, int]
"""Threshold of the size tier, service tier, threshold of its own size tier, place of the hour band."""

_LIST_PRICE = ServiceTier()
_NO_TIER = Tier(-1, Rates())
_NO_BAND = (-1, Hours(-1, -1))
_BASE: _PlanKey = (-1, None, -1, -1)


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs at a provider: rates and all that modifies them, with where they come from.

    `discount` is a fraction: 0.12 takes 12 % off everything. Immutable, but for the plans it remembers: at most one
    for each combination of size tier, service tier and hour band.
    """

    rates: Rates
    tiers: tuple[Tier, ...] = ()
    service_tiers: Mapping[str, ServiceTier] = field(default_factory=dict)
    hours: tuple[Hours, ...] = ()
    discount: Decimal = ZERO
    source: str = ""
    version: str = ""
    gaps: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    """What is to be known of how the price was chosen; on every cost made of it."""
    least: Mapping[str, int] = field(default_factory=dict)
    _plans: dict[_PlanKey, Plan] = field(default_factory=dict, init=False, repr=False, compare=False)

    def plan(self, usage: Usage, service_tier: str | None, at: datetime) -> Plan:
        """The rates that bill `usage` at `at`; `service_tier` is a key of `service_tiers` or None."""
        if not self.tiers and not self.hours and service_tier is None:
            return self._plans.get(_BASE) or self._remember(_BASE, self.rates, ONE)
        service = self.service_tiers[service_tier] if service_tier is not None else _LIST_PRICE
        tier = _exceeded(self.tiers, usage)
        own = _exceeded(service.tiers, usage)
        place, band = _band(self.hours, at)
        key = (tier.above, service_tier, own.above, place)
        if plan := self._plans.get(key):
            return plan
        replacements = (tier.rates, service.rates or Rates(), own.rates, band.rates or Rates())
        rates = reduce(Rates.overlaid, replacements, self.rates)
        return self._remember(key, rates, EXACT.multiply(service.multiplier, band.multiplier))

    def _remember(self, key: _PlanKey, rates: Rates, multiplier: Decimal) -> Plan:
        factor = EXACT.multiply(multiplier, EXACT.subtract(ONE, self.discount))
        self._plans[key] = plan = _make_plan(rates, factor, self.least)
        return plan

    @property
    def free(self) -> bool:
        """Whether a price of zero was configured: there are rates, and every one of them is 0."""
        rates = [rate for each in self._all_rates() for rate in (*each.tokens.values(), *each.units.values())]
        return bool(rates) and not any(rates)

    def _all_rates(self) -> Iterable[Rates]:
        yield self.rates
        for tier in self.tiers:
            yield tier.rates
        for service in self.service_tiers.values():
            yield service.rates or Rates()
            for tier in service.tiers:
                yield tier.rates
        for band in self.hours:
            yield band.rates or Rates()


def _exceeded(tiers: tuple[Tier, ...], usage: Usage) -> Tier:
    """The highest tier whose threshold lies strictly below the prompt."""
    if not tiers:
        return _NO_TIER
    prompt = usage.prompt_tokens
    return max((tier for tier in tiers if prompt > tier.above), key=lambda tier: tier.above, default=_NO_TIER)


def _band(hours: tuple[Hours, ...], at: datetime) -> tuple[int, Hours]:
    minute = at.hour * 60 + at.minute
    return next(((place, band) for place, band in enumerate(hours) if band.covers(minute)), _NO_BAND)


def _make_plan(rates: Rates, factor: Decimal, least: Mapping[str, int]) -> Plan:
    """Multiply `factor` into `rates` and settle which rate bills which bucket."""
    tokens: dict[str, Decimal] = {}
    doubtful: dict[str, str] = {}
    for bucket in BUCKETS:
        if resolved := rates.resolve(bucket):
            rate, owner = resolved
            tokens[bucket] = EXACT.multiply(rate, factor).scaleb(-6, EXACT)
            if owner != bucket and bucket not in CERTAIN:
                doubtful[bucket] = f"billed_as:{bucket}:{owner}"
    units = {unit: (EXACT.multiply(fee, factor), rates.per.get(unit, 1)) for unit, fee in rates.units.items()}
    return Plan(tokens, units, doubtful, least)
