"""models.dev's api.json (anomalyco/models.dev, packages/core/src/schema.ts, read 2026-11-25).

`{provider: {"models": {id: {"cost": {"input": 1.25, "output": 10, "cache_read": 0.125, ...}}}}}`: USD per million
tokens. `tiers` are by size of the prompt; `context_over_200k` says the first of them again, with the threshold in its
name, which is not always the true one. `experimental.modes` are ways of being served, with what a request for one says.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from costspan.errors import Malformed
from costspan.pricing.foreign.draft import Draft, Imported, Unusable, amount, usable_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from costspan.pricing.foreign.draft import Names

_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        word: word
        for word in ("input", "output", "reasoning", "cache_read", "cache_write", "input_audio", "output_audio")
    }
)
_NOT_RATES: Final = frozenset({"tiers", "tier", "context_over_200k"})
_OVER_200K: Final = 200_000


def read(document: dict[str, Any], names: Names) -> Imported:
    """Make rows of the models of each provider."""
    if not any(isinstance(each, dict) and "models" in each for each in document.values()):
        raise Malformed("expected providers with `models`")
    found = Imported()
    for seller, entry in document.items():
        models = entry.get("models") if isinstance(entry, dict) else None
        if not isinstance(models, dict):
            continue
        provider = names.owner(seller)
        if provider is None:
            if names.only is None:
                found.foreign[seller] = len(models)
            continue
        for model, facts in models.items():
            _take(found, provider, model, facts if isinstance(facts, dict) else {})
    return found


def _take(found: Imported, provider: str, model: str, facts: dict[str, Any]) -> None:
    try:
        draft = Draft(provider, usable_name(model), f"{provider}/{model}")
        _fill(draft, facts)
    except Unusable as error:
        found.skipped.append((f"{provider}/{model}", str(error)))
        return
    if draft.has_price():
        found.take(draft)
    else:
        found.skipped.append((f"{provider}/{model}", "no price"))


def _fill(draft: Draft, facts: dict[str, Any]) -> None:
    cost = facts.get("cost")
    if not isinstance(cost, dict):
        return
    _fill_rates(draft, draft.base.rates, cost)
    _fill_tiers(draft, None, cost)
    match facts:
        case {"modalities": {"input": ["audio"]}} if "per_minute" in draft.left_out:
            draft.left_out.remove("per_minute")
            draft.base.rates["per_audio_minute"] = amount(cost["per_minute"]) or draft.base.rates["input"]
    match facts:
        case {"experimental": {"modes": dict(modes)}}:
            for name, mode in modes.items():
                _fill_mode(draft, name, mode)


def _fill_rates(draft: Draft, rates: dict[str, Decimal], cost: dict[str, Any]) -> None:
    for key, value in cost.items():
        if key in _NOT_RATES:
            continue
        number = amount(value)
        if key in _WORDS and number is not None:
            rates[_WORDS[key]] = number
        elif number:
            draft.left_out.append(key)
    if rates.get("reasoning") == 0 and rates.get("output"):
        del rates["reasoning"]  # no charge of its own; it is output


def _fill_tiers(draft: Draft, service_tier: str | None, cost: dict[str, Any]) -> None:
    tiers = cost.get("tiers")
    over = cost.get("context_over_200k")
    if isinstance(tiers, list) and tiers:
        for tier in tiers:
            match tier:
                case {"tier": {"type": "context", "size": int(above)}} if above > 0:
                    _fill_rates(draft, draft.part(service_tier).at(above), tier)
                case _:
                    draft.left_out.append("tiers (by something else than the size of the prompt)")
    elif isinstance(over, dict):
        _fill_rates(draft, draft.part(service_tier).at(_OVER_200K), over)


def _fill_mode(draft: Draft, name: str, mode: object) -> None:
    """`{"fast": {"cost": {...}, "provider": {"body": {"service_tier": "priority"}}}}`."""
    match mode:
        case {"cost": dict(cost), "provider": {"body": {"service_tier": str(word)} | {"speed": str(word)}}}:
            _fill_rates(draft, draft.part(usable_name(word)).rates, cost)
            _fill_tiers(draft, word, cost)
        case {"cost": {}}:
            draft.left_out.append(f"experimental.modes.{name}")
