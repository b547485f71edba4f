"""The catalog: prices that ship with genai-prices, and how much models take, read from an export.

genai-prices is never imported here: it costs 31 MiB and half a second. `catalog_export` runs in a short-lived child
and writes what this module reads; the format is described there. Models become rows when they are first asked for.

Two things are left out. Variants by anything but tier, batch and speed (`route`, `search_type`) are not selectable.
What a provider resells of another's catalog (Azure: OpenAI's models) has list prices only, no service tiers, because
those are the reseller's own.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from costspan.ir.usage import BUCKETS
from costspan.pricing.rates import EXACT, ZERO, Hours, Rates, Row, ServiceTier, Tier
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_BUCKET_OF: Mapping[str, str] = MappingProxyType(
    {
        "input_mtok": "input",
        "cache_read_mtok": "cache_read",
        "cache_write_mtok": "cache_write",
        "cache_write_1h_mtok": "cache_write_1h",
        "input_audio_mtok": "input_audio",
        "cache_audio_read_mtok": "cache_read_audio",
        "input_image_mtok": "input_image",
        "input_video_mtok": "input_video",
        "output_mtok": "output",
        "output_reasoning_mtok": "reasoning",
        "output_audio_mtok": "output_audio",
        "output_image_mtok": "output_image",
    }
)

_UNIT_OF: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "requests_kcount": ("requests", 1000),
        "web_searches_kcount": ("web_search_calls", 1000),
        "storage_searches_kcount": ("file_search_calls", 1000),
        "code_executions_kcount": ("code_execution_calls", 1000),
        "rerank_searches_kcount": ("searches", 1000),
        "input_document_kpages": ("pages", 1000),
        "input_mchars": ("characters", 1_000_000),
        "input_audio_hours": ("audio_seconds", 3600),
        "audio_hours": ("audio_seconds", 3600),
    }
)
"""The unit, and how many of it the price buys. The later of two for one unit wins."""

_HARMLESS_GAPS = frozenset(
    {
        "cache_image_read_mtok",  # usage counts cached images under cache_read: OpenAI's image models, 2.00 for 1.25
        "output_citation_mtok",  # Perplexity's citations are counted as input, which has the same price
        "input_annotated_document_kpages",  # a choice of the request; the plain page price stands
    }
)

_TIER_CONTEXTS = ("service_tier", "processing", "speed")
"""Contexts of variants whose value is a way of being served: `flex`, `batch`, `fast`."""

_NO_TIER = Tier(-1, Rates())

_FREE = ":free"
"""OpenRouter's suffix of models that cost nothing. The catalog lists them without prices."""

_US_ONLY = Decimal("1.1")
"""On every token of Claude 4.6 and later where `inference_geo` is `us`, which older models refuse; fees stay
(platform.claude.com/docs/en/about-claude/pricing, 2026-08-23). The catalog does not know it."""

_SEARCHES = re.compile(r"-search-(preview|api)")
"""OpenAI's models that always search and are billed for it. The catalog has no fee, usage reports no count."""

_COMPACT_DATE = re.compile(r"-(20\d\d)(\d\d)(\d\d)(?=[-:]|$)")


class Catalog:
    """Prices by the catalog's provider ids. Immutable, but for the rows it remembers, a few for each model."""

    def __init__(self, data: json.Object) -> None:
        """`data` is a decoded export."""
        self.version: str = f"genai-prices {data['version']}"
        self._released: str | None = data.get("released")
        self._changes = [date.fromisoformat(day) for day in data.get("changes", ())]
        self._aliases: Mapping[str, str] = data["aliases"]
        self._fallbacks = {provider: each["fallback"] for provider, each in data["providers"].items()}
        self._models = {
            provider: [_Model(provider, *model) for model in each["models"]]
            for provider, each in data["providers"].items()
        }

    @classmethod
    def from_export(cls, data: bytes) -> Catalog:
        """Read what `catalog_export` wrote. Anything that is not JSON raises `Malformed`."""
        return cls(json.loads_object(data))

    def find(self, catalog_provider: str, model: str, at: datetime) -> Row | None:
        """The price of `model` in force on the day of `at` (UTC), None when the catalog has none."""
        provider = self._aliases.get(catalog_provider, catalog_provider)
        found = self._model(provider, model)
        return None if found is None else found[1].row(at.date(), resold=found[0] != provider)

    def context_window(self, catalog_provider: str, model: str) -> int | None:
        """Tokens that `model` takes, None where the catalog does not say."""
        found = self._model(self._aliases.get(catalog_provider, catalog_provider), model)
        return None if found is None else found[1].window

    def _model(self, provider: str, model: str) -> tuple[str, _Model] | None:
        """The model that `model` names at `provider` or those that it resells, and whose it is."""
        name = model.lower()
        for spelling in dict.fromkeys((name, _with_dashed_date(name))):
            for owner in (provider, *self._fallbacks.get(provider, ())):
                for candidate in self._models.get(owner, ()):
                    if _matches(candidate.match, spelling):
                        return owner, candidate
        return None

    def as_of(self, today: date) -> tuple[date | None, bool]:
        """The day of which its facts are, and whether that is a release: else they are of that day or a later one."""
        if self._released is not None:
            return date.fromisoformat(self._released), True
        return max((day for day in self._changes if day <= today), default=None), False

    def models(self, catalog_provider: str) -> tuple[str, ...]:
        """The model names that the catalog has for a provider, in its order."""
        provider = self._aliases.get(catalog_provider, catalog_provider)
        return tuple(model.name for model in self._models.get(provider, ()))


class _Model:
    """One model of the export, with the rows made of it so far."""

    __slots__ = ("_least", "_prices", "_provider", "_rows", "_variants", "match", "name", "window")

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of an exported model, in their order
        self,
        provider: str,
        name: str,
        match: list[Any],
        prices: list[Any],
        variants: list[Any],
        least: Mapping[str, int] = MappingProxyType({}),
        window: int | None = None,
    ) -> None:
        self.match = match
        self._provider = provider
        self.name = name
        self._prices = prices  # [when, {price key: rate}]
        self._variants = variants  # [context, when, {price key: rate}]
        self._least = least
        self.window = window
        self._rows: dict[tuple[date | None, bool], Row] = {}

    def row(self, day: date, *, resold: bool) -> Row:
        """The price in force on `day`, made once for each stretch of days between two changes."""
        changes = sorted({start for _, when, _ in self._dated() if (start := _start(when))})
        begin = max((change for change in changes if change <= day), default=None)
        end = min((change for change in changes if change > day), default=None)
        key = (begin, resold)
        if key not in self._rows:
            self._rows[key] = self._make_row(begin, end, resold=resold)
        return self._rows[key]

    def _dated(self) -> Iterable[tuple[Any, Any, Any]]:
        yield from ((None, when, prices) for when, prices in self._prices)
        yield from self._variants

    def _make_row(self, begin: date | None, end: date | None, *, resold: bool) -> Row:
        base, hours = _standard(self._prices, begin)
        rates, tiers = _rates(base)
        if self.name.endswith(_FREE) and not (rates.tokens or rates.units):
            rates = Rates(dict.fromkeys(BUCKETS, ZERO))
        gaps = base.keys() - {*_BUCKET_OF, *_UNIT_OF, *_HARMLESS_GAPS}
        if _SEARCHES.search(self.name) and "web_search_calls" not in rates.units:
            gaps |= {"web_search"}
        service_tiers = {} if resold else _service_tiers(self._variants, begin)
        if self._provider == "anthropic" and not resold:
            service_tiers |= _within_the_us(rates, tiers, service_tiers)
        return Row(
            provider=self._provider,
            model=self.name,
            rates=rates,
            source=f"catalog:{self._provider}/{self.name}",
            from_=begin,
            to=end,
            tiers=tiers,
            service_tiers=service_tiers,
            hours=hours,
            gaps=tuple(sorted(gaps)),
            least=self._least,
        )


def _standard(prices: list[Any], day: date | None) -> tuple[json.Object, tuple[Hours, ...]]:
    """The price that holds all of `day` and the hour bands before which it steps back: the last active one counts."""
    hours: list[Hours] = []
    for when, rates in reversed(prices):
        if when is not None and "utc" in when:
            begin, end = when["utc"]
            hours.append(Hours(begin, end, rates=_rates(rates)[0]))
        elif _active(when, day):
            return rates, tuple(hours)
    return prices[0][1], tuple(hours)


def _service_tiers(variants: list[Any], day: date | None) -> dict[str, ServiceTier]:
    """What the variants active on `day` change, by tier; the first variant that has a rate for a key counts."""
    merged: dict[str, json.Object] = {}
    for context, when, rates in variants:
        names = [context[key] for key in _TIER_CONTEXTS if key in context]
        if len(context) == 1 and names and _active(when, day):
            merged[names[0]] = {**rates, **merged.get(names[0], {})}
    made = {name: _rates(rates) for name, rates in merged.items()}
    return {name: ServiceTier(rates=rates, tiers=tiers) for name, (rates, tiers) in made.items()}


def _within_the_us(
    rates: Rates, tiers: tuple[Tier, ...], service_tiers: Mapping[str, ServiceTier]
) -> dict[str, ServiceTier]:
    """The tiers `us` and `<tier>-us`: what Anthropic bills where it answers within the US only."""
    ways = {"us": ServiceTier()} | {f"{name}-us": each for name, each in service_tiers.items()}
    return {name: _us_only(rates, tiers, way) for name, way in ways.items()}


def _us_only(rates: Rates, tiers: tuple[Tier, ...], way: ServiceTier) -> ServiceTier:
    """`way` with all that it leaves to `rates` and `tiers`, each rate dearer."""
    own = way.rates or Rates()
    left = [Tier(tier.above, _without(tier.rates, own)) for tier in tiers]
    thresholds = sorted({tier.above for tier in (*left, *way.tiers)})
    return ServiceTier(
        rates=_dearer(rates.overlaid(own)),
        tiers=tuple(Tier(above, _dearer(_at(left, above).overlaid(_at(way.tiers, above)))) for above in thresholds),
    )


def _at(tiers: Sequence[Tier], above: int) -> Rates:
    return max((tier for tier in tiers if tier.above <= above), key=lambda tier: tier.above, default=_NO_TIER).rates


def _without(rates: Rates, others: Rates) -> Rates:
    return Rates({bucket: rate for bucket, rate in rates.tokens.items() if bucket not in others.tokens})


def _dearer(rates: Rates) -> Rates:
    return Rates(
        {bucket: EXACT.multiply(rate, _US_ONLY) for bucket, rate in rates.tokens.items()}, rates.units, rates.per
    )


def _start(when: json.Object | None) -> date | None:
    return date.fromisoformat(when["from"]) if when and "from" in when else None


def _active(when: json.Object | None, day: date | None) -> bool:
    """Whether a price without hours holds on `day`; None is the time before the first change."""
    start = _start(when)
    return start is None or (day is not None and start <= day)


def _rates(prices: json.Object) -> tuple[Rates, tuple[Tier, ...]]:
    """Rates and whole-request tiers. Each tier repeats, for keys that have fewer tiers, the highest below it."""
    steps = {key: [(-1, value)] if isinstance(value, str) else _steps(value) for key, value in prices.items()}
    thresholds = sorted({above for each in steps.values() for above, _ in each if above >= 0})
    tiers = tuple(Tier(above, _flat({k: v for k, v in steps.items() if len(v) > 1}, above)) for above in thresholds)
    return _flat(steps, -1), tiers


def _steps(value: list[Any]) -> list[tuple[int, str]]:
    base, tiers = value
    return [(-1, base), *((above, rate) for above, rate in tiers)]


def _flat(steps: Mapping[str, list[tuple[int, str]]], above: int) -> Rates:
    """The rates that hold above `above` tokens."""
    at = {key: Decimal([rate for start, rate in each if start <= above][-1]) for key, each in steps.items()}
    units = {unit: (at[key], size) for key, (unit, size) in _UNIT_OF.items() if key in at}
    return Rates(
        tokens={bucket: at[key] for key, bucket in _BUCKET_OF.items() if key in at},
        units={unit: fee for unit, (fee, _) in units.items()},
        per={unit: size for unit, (_, size) in units.items()},
    )


def _matches(clause: list[Any], name: str) -> bool:
    operator, *operands = clause
    match operator:
        case "equals":
            return bool(name == operands[0])
        case "starts_with":
            return name.startswith(operands[0])
        case "ends_with":
            return name.endswith(operands[0])
        case "contains":
            return operands[0] in name
        case "regex":
            return re.search(operands[0], name) is not None
        case "or":
            return any(_matches(operand, name) for operand in operands)
        case _:
            return all(_matches(operand, name) for operand in operands)


def _with_dashed_date(name: str) -> str:
    """`gpt-5.2-20251211`, as aggregators write it, becomes `gpt-5.2-2025-12-11`; what is no date stays."""

    def dashed(match: re.Match[str]) -> str:
        try:
            return f"-{date(*map(int, match.groups())).isoformat()}"
        except ValueError:
            return match[0]

    return _COMPACT_DATE.sub(dashed, name)
