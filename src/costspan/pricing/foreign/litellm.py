"""LiteLLM's model_prices_and_context_window.json (litellm 1.110.2, `ModelInfoBase` of its types; 2026-11-25).

`{name: {"litellm_provider": ..., "mode": ..., "input_cost_per_token": 1.25e-06, ...}}`. Amounts are USD for one token.
Variants are in the names of keys: `_above_200k_tokens` (the whole request, more than so many prompt tokens), then or
before it `_flex`, `_priority`, `_batches`. `tiered_pricing` says the same as ranges. `_above_1hr` is the cache that
lasts an hour. `provider_specific_entry` has factors, of which `fast` is a way of being served; where there is none,
LiteLLM bills fast as priority.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from costspan.pricing.foreign.draft import Draft, Imported, Unusable, amount, scaled, usable_name
from costspan.pricing.rates import EXACT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from costspan.pricing.foreign.draft import Names

_PER_MILLION: Final = 6
_TOKENS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "input_cost_per_token": "input",
        "output_cost_per_token": "output",
        "output_cost_per_reasoning_token": "reasoning",
        "cache_read_input_token_cost": "cache_read",
        "input_cost_per_token_cache_hit": "cache_read",
        "cache_creation_input_token_cost": "cache_write",
        "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
        "cache_read_input_audio_token_cost": "cache_read_audio",
        "input_cost_per_audio_token": "input_audio",
        "input_cost_per_image_token": "input_image",
        "input_cost_per_video_token": "input_video",
        "output_cost_per_audio_token": "output_audio",
        "output_cost_per_image_token": "output_image",
    }
)

_OLDER: Final = "input_cost_per_token_cache_hit"
"""What DeepSeek's entries call cache reads, besides the name that counts where both are there."""

_MEASURES: Final = frozenset({"per_audio_second", "per_image", "per_million_characters", "per_page"})
"""Fees for the size of the work. Beside a price for its tokens they say the same again, for people."""

_ANY: Final[frozenset[str]] = frozenset()
_UNITS: Final[Mapping[str, tuple[str, int, frozenset[str]]]] = MappingProxyType(
    {
        "input_cost_per_request": ("per_request", 0, _ANY),
        "file_search_cost_per_1k_calls": ("file_search", -3, _ANY),
        "input_cost_per_query": ("per_search", 0, frozenset({"rerank"})),
        "ocr_cost_per_page": ("per_page", 0, frozenset({"ocr"})),
        "output_cost_per_image": ("per_image", 0, frozenset({"image_generation", "image_edit"})),
        "input_cost_per_character": ("per_million_characters", 6, frozenset({"audio_speech"})),
        "input_cost_per_second": ("per_audio_second", 0, frozenset({"audio_transcription"})),
        "output_cost_per_second": ("per_audio_second", 0, frozenset({"audio_transcription"})),
    }
)
"""The word, the power of ten, and the modes in which the key means that."""

_TIER: Final = re.compile(r"_(flex|priority|batches|ultrafast|fast)$")
_ABOVE: Final = re.compile(r"_above_(\d{1,9})(k?)_tokens$")
_WORD_OF: Final = MappingProxyType({"batches": "batch"})
_PRICED: Final = re.compile(r"cost|pric|multiplier|uplift")
"""Keys that are about money; the others say what a model can do."""

_NO_RATES: Final = frozenset({"range", "hours_utc"})
_WINDOW: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)")
_FINE_TUNED: Final = "ft:"


def read(document: dict[str, Any], names: Names) -> Imported:
    """Make rows of the list's entries."""
    found = Imported()
    for name, entry in document.items():
        if name == "sample_spec" or not isinstance(entry, dict):
            continue
        seller = str(entry.get("litellm_provider", ""))
        provider = names.owner(seller)
        if provider is None:
            if names.only is None:
                found.foreign[seller] = found.foreign.get(seller, 0) + 1
            continue
        try:
            draft = Draft(provider, _model(name, seller, provider, names), name)
            _fill(draft, entry, inclusive=provider in names.inclusive)
        except Unusable as error:
            found.skipped.append((name, str(error)))
            continue
        if draft.has_price():
            found.take(draft)
        else:
            found.skipped.append((name, f"no price that a row can say{_listed(draft)}"))
    return found


def _listed(draft: Draft) -> str:
    return f": {', '.join(draft.left_out)}" if draft.left_out else ""


def _model(name: str, seller: str, provider: str, names: Names) -> str:
    """The model id that requests have, without what the list puts before it."""
    head, slash, rest = name.partition("/")
    model = rest if slash and names.kinds.get(head, head) in {provider, seller} else name
    if "/" in model and provider in names.single:
        raise Unusable("its name says a region, a size or a commitment, which no request's model does")
    usable_name(model)
    return f"{model}:*" if model.startswith(_FINE_TUNED) else model  # ft:gpt-4o:organisation::id


def _fill(draft: Draft, entry: dict[str, Any], *, inclusive: bool) -> None:
    mode = str(entry.get("mode", ""))
    for key, value in sorted(entry.items(), key=lambda member: member[0] != _OLDER):
        if key == "tiered_pricing":
            _fill_ranges(draft, value)
        elif key == "off_peak_pricing":
            _fill_hours(draft, value)
        elif key == "provider_specific_entry":
            _fill_factors(draft, value)
        elif key == "search_context_cost_per_query":
            _fill_search(draft, value, str(entry.get("web_search_billing_unit", "per_query")))
        elif key == "source" and isinstance(value, str):
            draft.seen_at = value
        elif _PRICED.search(key) and key != "web_search_billing_unit":
            _fill_rate(draft, key, value, mode, inclusive=inclusive)
    _leave_out_measures(draft)
    _fill_fast(draft)


def _leave_out_measures(draft: Draft) -> None:
    """A row with both would bill the same work twice."""
    if any(rate for word, rate in draft.base.rates.items() if word in _TOKENS.values()):
        for word in _MEASURES & draft.base.rates.keys():
            del draft.base.rates[word]
            draft.left_out.append(f"{word} (its tokens are priced)")


def _fill_fast(draft: Draft) -> None:
    """Make rates of the factor, which is on tokens alone. Without one, fast is served at the price of priority."""
    factor = draft.factors.pop("fast", None)
    if factor is not None and "fast" not in draft.service_tiers:
        part = draft.part("fast")
        part.rates |= _times(draft.base.rates, factor)
        part.tiers |= {above: _times(rates, factor) for above, rates in draft.base.tiers.items()}
    elif "priority" in draft.service_tiers:
        draft.service_tiers.setdefault("fast", draft.service_tiers["priority"])


def _times(rates: dict[str, Decimal], factor: Decimal) -> dict[str, Decimal]:
    return {word: EXACT.multiply(rate, factor) for word, rate in rates.items() if word in _TOKENS.values()}


def _fill_rate(draft: Draft, key: str, value: object, mode: str, *, inclusive: bool) -> None:
    base, service_tier, above = _taken_apart(key)
    if above is not None and inclusive:
        above -= 1
    number = None if isinstance(value, dict | list | bool) else amount(value)
    if number is None:
        if value:
            draft.left_out.append(key)
    elif base in _TOKENS:
        draft.part(service_tier).at(above)[_TOKENS[base]] = scaled(number, _PER_MILLION)
    elif key in _UNITS and mode in (_UNITS[key][2] or {mode}):
        _fill_unit(draft, key, number)
    elif number:
        draft.left_out.append(key)


def _fill_unit(draft: Draft, key: str, number: Decimal) -> None:
    word, power, _ = _UNITS[key]
    before = draft.base.rates.get(word)
    if before and number and before != scaled(number, power):
        raise Unusable(f"two prices for {word}")
    if number or before is None:
        draft.base.rates[word] = scaled(number, power)


def _taken_apart(key: str) -> tuple[str, str | None, int | None]:
    """The key without its variants, the service tier and the threshold, which come in either order."""
    service_tier = above = None
    while True:
        if match := _TIER.search(key):
            service_tier = _WORD_OF.get(match[1], match[1])
        elif match := _ABOVE.search(key):
            above = int(match[1]) * (1000 if match[2] else 1)
        else:
            return key, service_tier, above
        key = key[: match.start()]


def _fill_ranges(draft: Draft, ranges: object) -> None:
    """`[{"range": [0, 32000], ...}, {"range": [32000, 128000], ...}]`: above the first number, the whole request."""
    if not isinstance(ranges, list):
        draft.left_out.append("tiered_pricing")
        return
    for each in ranges:
        match each:
            case {"range": [start, *_]} as part:
                above = amount(start) or 0
                _fill_tokens(draft, draft.base.at(int(above) or None), part, "tiered_pricing")
            case _:
                draft.left_out.append("tiered_pricing")


def _fill_tokens(draft: Draft, rates: dict[str, Decimal], part: dict[str, Any], where: str) -> None:
    for key, value in part.items():
        if key in _NO_RATES:
            continue
        number = amount(value)
        if key in _TOKENS and number is not None:
            rates[_TOKENS[key]] = scaled(number, _PER_MILLION)
        elif number:
            draft.left_out.append(f"{where}.{key}")


def _fill_hours(draft: Draft, block: object) -> None:
    """`{"hours_utc": "16:30-00:30" | [...], rates}`: docs.litellm.ai/docs/proxy/off_peak_pricing, 2026-10-10."""
    if not isinstance(block, dict) or not block:
        return
    given = block.get("hours_utc")
    spans = [str(each).replace(" ", "") for each in (given if isinstance(given, list) else [given])]
    if "windows" in block or not all(_WINDOW.fullmatch(span) and span[:5] != span[6:] for span in spans):
        draft.left_out.append("off_peak_pricing")  # by the day of the week, or all day
        return
    own: dict[str, Decimal] = {}
    _fill_tokens(draft, own, block, "off_peak_pricing")
    draft.hours += [(span, own) for span in spans if own]


def _fill_factors(draft: Draft, factors: object) -> None:
    for key, value in factors.items() if isinstance(factors, dict) else ():
        number = amount(value)
        if key == "fast" and number:
            draft.factors[key] = number
        elif number:
            draft.left_out.append(f"provider_specific_entry.{key}")


def _fill_search(draft: Draft, value: object, unit: str) -> None:
    """A fee by the size of the context, which usage does not say: a row has it only where all sizes cost the same."""
    fees = {amount(fee) for fee in value.values()} if isinstance(value, dict) else {None}
    fee = fees.pop()
    if fees or fee is None or unit != "per_query":
        draft.left_out.append(
            f"search_context_cost_per_query ({unit})" if not fees else "search_context_cost_per_query"
        )
    else:
        draft.base.rates["web_search"] = fee
