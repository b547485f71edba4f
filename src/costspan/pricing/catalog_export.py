"""Write genai-prices as compact JSON: `python -m costspan.pricing.catalog_export [PROVIDER ...] > catalog.json`.

Run in a short-lived child process, because importing genai-prices costs 31 MiB and half a second; nothing else may
import this module. Without arguments every provider is written. A name that genai-prices knows under another id
(`vertex` is `google`) becomes an alias; one that it does not know is left out.

    {"version": "0.2.3", "released": "2026-11-10", "changes": ["2026-10-12", ...],
     "aliases": {"vertex": "google"},
     "providers": {"azure": {"fallback": ["openai"], "models": [[id, match, prices, variants, least, window], ...]}}}

    released  null for a version that this one does not know
    changes   every day on which a price begins, of all providers
    match     ["equals" | "starts_with" | "ends_with" | "contains" | "regex", text] | ["or" | "and", match, ...]
    prices    [[when, {price key: rate}], ...]      the last active one counts, without any the first
    variants  [[context, when, {price key: rate}], ...]     the first that has a rate for a key counts, key by key
    when      null | {"from": "2026-10-12"} | {"utc": [30, 990]}        minutes of the day, half-open
    least     {"audio_seconds": 10}     what is billed also where less was used
    window    tokens that the model takes, null where that is not known
    context   {"service_tier": "flex"} and the like
    rate      "1.25" | ["1.25", [[200000, "2.5"], ...]]     base and whole-request tiers, strictly above

Price keys are genai-prices' own (`input_mtok`, `web_searches_kcount`); `catalog` knows what they mean.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from genai_prices import types
from genai_prices.data import providers
from genai_prices.data_snapshot import find_provider_by_id

from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import time
    from decimal import Decimal

RELEASED: Mapping[str, str] = MappingProxyType({"0.2.3": "2026-11-10"})
"""Days on which versions of genai-prices came out, as PyPI says: the package itself does not say how old its facts are.
A version that is not here is as old as the newest change of price in it."""


def export(names: Sequence[str]) -> bytes:
    """The catalog of the named providers and of those whose models they resell; of all without names."""
    found = {name: find_provider_by_id(providers, name) for name in names or [each.id for each in providers]}
    direct = {provider.id: provider for provider in found.values() if provider}
    resold = {other for provider in direct.values() for other in provider.fallback_model_providers or ()}
    written = [each for each in providers if each.id in direct or each.id in resold]
    installed = version("genai-prices")
    return json.dumps(
        {
            "version": installed,
            "released": RELEASED.get(installed),
            "changes": sorted({start for provider in providers for start in _starts(provider)}),
            "aliases": {name: each.id for name, each in found.items() if each and each.id != name},
            "providers": {each.id: _provider(each) for each in written},
        }
    )


def _starts(provider: types.Provider) -> Iterable[str]:
    for model in provider.models:
        dated = (each[-2] for each in (*_prices(model.prices), *_variants(model.price_variants or [])))
        for when in dated:
            if when is not None and "from" in when:
                yield when["from"]


def _provider(provider: types.Provider) -> json.Object:
    return {
        "fallback": provider.fallback_model_providers or [],
        "models": [
            [
                model.id,
                _match(model.match),
                list(_prices(model.prices)),
                list(_variants(model.price_variants or [])),
                _least(provider, model),
                model.context_window,
            ]
            for model in provider.models
        ],
    }


def _least(provider: types.Provider, model: types.ModelInfo) -> dict[str, int]:
    """What genai-prices bills at least. It has that in code and not in its data, so it is asked for one second."""
    keys = {key for _, rates in _prices(model.prices) for key in rates}
    if not keys & {"audio_hours", "input_audio_hours"}:
        return {}
    one, hour = (
        model.calc_price(types.Usage(audio_seconds=seconds, input_audio_seconds=seconds), provider).total_price
        for seconds in (1, 3600)
    )
    seconds = round(one * 3600 / hour) if hour else 1
    return {"audio_seconds": seconds} if seconds > 1 else {}


def _match(clause: types.MatchLogic) -> list[Any]:
    match clause:
        case types.ClauseOr(or_=parts):
            return ["or", *map(_match, parts)]
        case types.ClauseAnd(and_=parts):
            return ["and", *map(_match, parts)]
        case types.ClauseRegex(regex=text):
            return ["regex", text]
        case types.ClauseEquals(equals=text):
            return ["equals", text.lower()]
        case types.ClauseStartsWith(starts_with=text):
            return ["starts_with", text.lower()]
        case types.ClauseEndsWith(ends_with=text):
            return ["ends_with", text.lower()]
        case types.ClauseContains(contains=text):
            return ["contains", text.lower()]
    raise TypeError(f"genai-prices has a match clause we do not know: {type(clause).__name__}")


def _prices(prices: types.ModelPrice | list[types.ConditionalPrice]) -> Iterable[list[Any]]:
    if isinstance(prices, types.ModelPrice):
        yield [None, _rates(prices)]
        return
    for conditional in prices:
        yield [_when(conditional.constraint), _rates(conditional.prices)]


def _variants(variants: Iterable[types.PriceVariant]) -> Iterable[list[Any]]:
    for variant in variants:
        yield [variant.when, _when(variant.constraint), _rates(variant.prices)]


def _when(constraint: types.StartDateConstraint | types.TimeOfDateConstraint | None) -> json.Object | None:
    match constraint:
        case types.StartDateConstraint(start_date=start):
            return {"from": start.isoformat()}
        case types.TimeOfDateConstraint(start_time=start, end_time=end):
            return {"utc": [_minute(start), _minute(end)]}
    return None


def _minute(moment: time) -> int:
    """Minutes since midnight UTC; a time without a zone is UTC."""
    utc = datetime.combine(date(2000, 1, 1), moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    return utc.hour * 60 + utc.minute


def _rates(prices: types.ModelPrice) -> json.Object:
    return {key: _rate(value) for key, value in prices.__dict__.items() if value is not None}


def _rate(value: Decimal | types.TieredPrices) -> str | list[Any]:
    if isinstance(value, types.TieredPrices):
        return [str(value.base), [[tier.start, str(tier.price)] for tier in value.tiers]]
    return str(value)


if __name__ == "__main__":
    sys.stdout.buffer.write(export(sys.argv[1:]))
