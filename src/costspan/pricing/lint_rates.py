"""What is doubtful about one row's rates."""

from __future__ import annotations

import difflib
from decimal import Decimal
from itertools import combinations
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from costspan.ir.usage import BUCKETS
from costspan.pricing.cost import BASE_TIERS
from costspan.pricing.described import clock, plain, words
from costspan.pricing.rates import EXACT, ONE, UNIT_WORDS, Rates

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from costspan.pricing.rates import Hours, Row, ServiceTier

Doubt: TypeAlias = tuple[Literal["error", "warning"], str]

LEAST_PER_MILLION = Decimal("0.0001")
"""Tokens were never sold for so little: 0.005 USD per million is the cheapest (embeddings, 2026-01). A price per token
of the dearest model, 0.0006 USD (o1-pro's output), is the only one that this does not tell from one per million."""

MOST_PER_MILLION = Decimal(1000)

_MOST_FOR_ONE: Mapping[str, Decimal] = MappingProxyType(
    {
        "per_request": Decimal(1),
        "web_search": Decimal(1),  # 0.035 is the dearest known (Gemini, Google Search, 2026)
        "file_search": Decimal(1),
        "code_execution": Decimal(1),
        "per_image": Decimal(10),
        "per_audio_second": Decimal("0.05"),
        "per_character": Decimal("0.001"),
        "per_page": Decimal(1),
        "per_search": Decimal(1),
    }
)
"""Fees above these are more likely meant for a thousand."""

_MEASURES = frozenset(
    {"per_audio_second", "per_audio_minute", "per_audio_hour", "per_character", "per_million_characters"}
    | {"per_image", "per_page"}
)
"""Fees for the size of the work that tokens measure too."""

_CHEAPER = frozenset({"flex", "batch"})
_DEARER = frozenset({"priority", "fast"})
SERVICE_TIERS = frozenset({*_CHEAPER, *_DEARER, *BASE_TIERS, "reserved", "scale", "ultrafast"})
"""Words for ways of being served that providers are known to use."""


def rate_doubts(row: Row) -> Iterator[Doubt]:
    """Yield what is doubtful about the rates of `row`."""
    yield from _rates("", row.rates, row.rates)
    for tier in row.tiers:
        yield from _rates(f"above {tier.above}: ", tier.rates, row.rates.overlaid(tier.rates))
        yield from _less_than_below(tier.above, tier.rates, row.rates)
    for name, service in row.service_tiers.items():
        yield from _service_tier(name, service, row)
    yield from _hours(row)
    if measures := _MEASURES & words(row.rates).keys() if any(row.rates.tokens.values()) else None:
        yield (
            "warning",
            f"{', '.join(sorted(measures))} beside rates for tokens: a call that reports both is billed both",
        )


def _rates(label: str, own: Rates, rates: Rates) -> Iterator[Doubt]:
    """Doubts about `own`, the rates that a part of the row states itself; `rates` are all that hold there."""
    tokens = rates.tokens
    fresh, output = tokens.get("input"), tokens.get("output")
    cached = tokens.get("cache_read")
    if own.tokens.keys() & {"cache_read", "input"} and fresh is not None and cached is not None and cached > fresh:
        yield "error", f"{label}cache_read {plain(cached)} is dearer than input {plain(fresh)}"
    if own.tokens.keys() & {"input", "output"} and fresh is not None and output and output < fresh:
        yield "warning", f"{label}output {plain(output)} is cheaper than input {plain(fresh)}"
    if own.tokens.get("reasoning") == 0 and output:
        yield "warning", f"{label}reasoning costs nothing and output does; leave it out where it is billed as output"
    yield from _units(label, own)


def _units(label: str, own: Rates) -> Iterator[Doubt]:
    for bucket in BUCKETS:
        if 0 < own.tokens.get(bucket, 0) < LEAST_PER_MILLION:
            reason = f"{bucket} {plain(own.tokens[bucket])} looks like a price per token; write the one per million"
            yield "error", label + reason
    for word, fee in words(own).items():
        if word in BUCKETS:
            continue
        unit, size = UNIT_WORDS[word]
        single = next(each for each, place in UNIT_WORDS.items() if place == (unit, 1))
        if EXACT.divide(fee, size) > _MOST_FOR_ONE[single]:
            yield (
                "warning",
                f"{label}{word} {plain(fee)} is very dear for one; write the price of one, not of a thousand",
            )


def _less_than_below(above: int, tier: Rates, below: Rates) -> Iterator[Doubt]:
    for bucket in BUCKETS:
        lower, upper = below.tokens.get(bucket), tier.tokens.get(bucket)
        if lower is not None and upper is not None and upper < lower:
            reason = f"above {above}: {bucket} {plain(upper)} is cheaper than {plain(lower)} for short prompts"
            yield "warning", reason


def _service_tier(name: str, service: ServiceTier, row: Row) -> Iterator[Doubt]:
    label = f"service tier {name}: "
    if name not in SERVICE_TIERS:
        near = difflib.get_close_matches(name, sorted(SERVICE_TIERS), n=1, cutoff=0.6)
        hint = f"; did you mean {near[0]}?" if near else ""
        yield "warning", f"{label}no provider is known to use this word{hint}"
    yield from _multiplier(name, service.multiplier)
    own = service.rates or Rates()
    yield from _rates(label, own, row.rates.overlaid(own))
    for tier in service.tiers:
        yield from _rates(f"{label}above {tier.above}: ", tier.rates, row.rates.overlaid(own).overlaid(tier.rates))
    yield from _against_list(name, own, row.rates)
    if own.tokens and row.tiers and not service.tiers:
        yield "warning", f"{label}has rates but no tiers of its own: long prompts are billed like short ones"
    if any(EXACT.multiply(rate, service.multiplier) > MOST_PER_MILLION for rate in row.rates.tokens.values()):
        yield "error", f"{label}more than {MOST_PER_MILLION} USD per million tokens"


def _multiplier(name: str, multiplier: Decimal) -> Iterator[Doubt]:
    if name in _CHEAPER and multiplier > ONE:
        yield "error", f"service tier {name}: the multiplier {plain(multiplier)} makes it dearer than the list price"
    if name in _DEARER and multiplier < ONE:
        yield "warning", f"service tier {name}: the multiplier {plain(multiplier)} makes it cheaper than the list price"


def _against_list(name: str, own: Rates, listed: Rates) -> Iterator[Doubt]:
    for bucket, rate in own.tokens.items():
        base = listed.tokens.get(bucket)
        if base is None:
            continue
        if name in _CHEAPER and rate > base:
            yield "error", f"service tier {name}: {bucket} {plain(rate)} is dearer than the list price {plain(base)}"
        if name in _DEARER and rate < base:
            yield "warning", f"service tier {name}: {bucket} {plain(rate)} is cheaper than the list price {plain(base)}"


def _hours(row: Row) -> Iterator[Doubt]:
    for first, second in combinations(row.hours, 2):
        if _meet(first, second):
            yield "warning", f"hours {clock(first)} and {clock(second)} overlap: the first written counts"
    for band in row.hours:
        if band.rates:
            yield from _rates(f"{clock(band)}: ", band.rates, row.rates.overlaid(band.rates))


def _meet(first: Hours, second: Hours) -> bool:
    return first.covers(second.start_minute) or second.covers(first.start_minute)
