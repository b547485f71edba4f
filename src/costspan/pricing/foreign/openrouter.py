"""OpenRouter's GET /api/v1/models (openrouter.ai/docs, `PublicPricing` and `PricingOverride`, read 2026-11-25).

`{"data": [{"id": "anthropic/claude-sonnet-5", "pricing": {"prompt": "0.000002", "completion": "0.00001", ...}}]}`: USD
for one token, call or request, as text. `overrides` are conditional: `min_prompt_tokens`, or `utc_start` and `utc_end`
as the number HHMM; where several apply, the later wins key by key. A negative price is that of a router.

`min_prompt_tokens` becomes `above`: OpenRouter passes on the rules of makers, who all say "more than". A price of 0 for
`internal_reasoning` means that it is no charge of its own, not that reasoning is free, and is left out.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from costspan.errors import Malformed
from costspan.pricing.foreign.draft import Draft, Imported, Unusable, amount, scaled, usable_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from costspan.pricing.foreign.draft import Names

_PROVIDER: Final = "openrouter"
_WORDS: Final[Mapping[str, tuple[str, int]]] = MappingProxyType(
    {
        "prompt": ("input", 6),
        "completion": ("output", 6),
        "input_cache_read": ("cache_read", 6),
        "input_cache_write": ("cache_write", 6),
        "input_cache_write_1h": ("cache_write_1h", 6),
        "internal_reasoning": ("reasoning", 6),
        "audio": ("input_audio", 6),
        "input_audio_cache": ("cache_read_audio", 6),
        "audio_output": ("output_audio", 6),
        "image_token": ("input_image", 6),
        "request": ("per_request", 0),
        "web_search": ("web_search", 0),
    }
)
_FREE_IS_UNSAID: Final = frozenset({"internal_reasoning", "request", "web_search"})
_NO_AMOUNT: Final = frozenset({"overrides", "discount", "display_pricing"})
_CONDITIONS: Final = frozenset({"min_prompt_tokens", "utc_start", "utc_end"})
_OTHER_CONDITIONS: Final = frozenset({"utc_days"})


def read(document: dict[str, Any], names: Names) -> Imported:
    """Make rows of the list's models."""
    models = document.get("data")
    if not isinstance(models, list):
        raise Malformed("expected an object with the list `data`")
    found = Imported()
    provider = names.owner(_PROVIDER)
    for entry in models if provider is not None else ():
        match entry:
            case {"id": str(name), "pricing": dict(pricing)}:
                _take(found, provider or _PROVIDER, name, pricing)
            case {"id": str(name)}:
                found.skipped.append((name, "no prices"))
            case _:
                found.skipped.append(("an entry without an id", "no name"))
    return found


def _take(found: Imported, provider: str, name: str, pricing: dict[str, Any]) -> None:
    try:
        draft = Draft(provider, usable_name(name), name)
        _fill(draft, pricing)
    except Unusable as error:
        found.skipped.append((name, str(error)))
        return
    if draft.has_price():
        found.take(draft)
    else:
        found.skipped.append((name, "no price that a row can say"))


def _fill(draft: Draft, pricing: dict[str, Any]) -> None:
    if amount(pricing.get("discount")):
        raise Unusable("a discount, of which the list does not say whether the prices are before or after it")
    _fill_rates(draft, draft.base.rates, pricing)
    overrides = pricing.get("overrides")
    for override in overrides if isinstance(overrides, list) else ():
        _fill_override(draft, override if isinstance(override, dict) else {"unknown": True})
    _inherit(draft.base.tiers)


def _fill_rates(draft: Draft, rates: dict[str, Decimal], pricing: dict[str, Any]) -> None:
    for key, value in pricing.items():
        if key in _NO_AMOUNT or key in _CONDITIONS:
            continue
        number = amount(value)
        if number is None:
            continue
        if key in _WORDS and (number or key not in _FREE_IS_UNSAID):
            word, power = _WORDS[key]
            rates[word] = scaled(number, power)
        elif number:
            draft.left_out.append(key)


def _fill_override(draft: Draft, override: dict[str, Any]) -> None:
    match override:
        case {**keys} if _OTHER_CONDITIONS & keys.keys() or not _CONDITIONS & keys.keys():
            draft.left_out.append("overrides (a condition that no row can say)")
        case {"min_prompt_tokens": int(above)} if above > 0 and not {"utc_start", "utc_end"} & override.keys():
            _fill_rates(draft, draft.base.at(above), override)
        case {"utc_start": int(start), "utc_end": int(end)} if "min_prompt_tokens" not in override and start != end:
            own: dict[str, Decimal] = {}
            _fill_rates(draft, own, override)
            if own:
                draft.hours.insert(0, (f"{_clock(start)}-{_clock(end)}", own))  # the later wins there, the first here
        case _:
            draft.left_out.append("overrides (conditions that no row can say together)")


def _clock(number: int) -> str:
    """`1630` is 16:30."""
    hour, minute = divmod(number, 100)
    if not (0 <= hour < 24 and 0 <= minute < 60) and number != 2400:  # noqa: PLR2004 - the clock's
        raise Unusable("an hour that is none")
    return f"{hour:02}:{minute:02}"


def _inherit(tiers: dict[int, dict[str, Decimal]]) -> None:
    """What a higher tier does not say keeps the rate of the one below it: all that apply count there, one here."""
    below: dict[str, Decimal] = {}
    for above in sorted(tiers):
        tiers[above] = below = {**below, **tiers[above]}
