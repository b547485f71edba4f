"""OpenRouter's `provider` object, as wishes of one request. Strict: what cannot be promised is refused by its name.

openrouter.ai/docs/guides/routing/provider-selection and OpenRouter's OpenAPI file (ProviderPreferences), 2026-11-26.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

from costspan.errors import ClientError, Untranslatable
from costspan.providers.capabilities import SLUGS
from costspan.routing.overrides import Sort, Wishes
from costspan.routing.plan import Ceilings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.wire import json

MAX_NAMES: Final = 100
MAX_NAME_CHARS: Final = 256
MAX_DIGITS: Final = 64
_LISTS: Final = ("order", "only", "ignore")
_FLAGS: Final = ("allow_fallbacks", "require_parameters")
_KNOWN: Final = frozenset({*_LISTS, *_FLAGS, "sort", "max_price", "preferred_max_latency"})
_SORTS: Final[Mapping[str, Sort]] = {"price": "cheapest", "throughput": "fastest", "latency": "fastest"}
_NO_WISH: Final[Mapping[str, tuple[object, ...]]] = {
    "data_collection": ("allow",),
    "zdr": (False,),
    "enforce_distillable_text": (False,),
    "quantizations": ([],),
}
"""Values of members that we cannot keep to, which ask for nothing."""
_PRICES: Final = ("prompt", "completion")


def read(given: json.Object, kinds: Mapping[str, str], *, across: bool) -> Wishes:
    """`kinds` are those of all configured providers, by name. Raises `ClientError` that names the member."""
    said = {name: value for name, value in given.items() if value is not None}
    for name, value in said.items():
        if name not in _KNOWN and not any(_same(value, nothing) for nothing in _NO_WISH.get(name, ())):
            raise Untranslatable("nobody here can promise this", param=f"provider.{name[:MAX_NAME_CHARS]}")
    flags = {name: _flag(said, name) for name in _FLAGS}
    names = {name: [_providers(each, kinds) for each in _names(said, name)] for name in _LISTS}
    sort, partition = _sort(said.get("sort"))
    return Wishes(
        order=tuple(names["order"]),
        only=frozenset().union(*names["only"]) if names["only"] else None,
        ignore=frozenset().union(*names["ignore"]),
        sort=sort,
        across=across if partition is None else partition,
        alone=flags["allow_fallbacks"] is False,
        ceilings=_ceilings(said),
    )


def _same(value: object, other: object) -> bool:
    return type(value) is type(other) and value == other


def _providers(name: str, kinds: Mapping[str, str]) -> frozenset[str]:
    """The configured providers that `name` means: the one of that name, or all of that kind.

    Small letters and capitals mean the same, as clients know names such as OpenAI: who ignores that means it.
    """
    if name in kinds:
        return frozenset({name})
    plain = name.lower()
    named = frozenset(each for each in kinds if each.lower() == plain)
    kind = SLUGS.get(plain, plain)
    return named or frozenset(each for each, of in kinds.items() if of == kind)


def _names(said: json.Object, member: str) -> list[str]:
    names = said.get(member, [])
    if not isinstance(names, list) or len(names) > MAX_NAMES:
        raise _invalid(f"expected a list of at most {MAX_NAMES} names of providers", member)
    for position, name in enumerate(names):
        if type(name) is not str or not 0 < len(name) <= MAX_NAME_CHARS:
            raise _invalid("expected the name of a provider", f"{member}.{position}")
    return names


def _flag(said: json.Object, member: str) -> bool | None:
    value = said.get(member)
    if value is None or isinstance(value, bool):
        return value
    raise _invalid("expected true or false", member)


def _sort(value: object) -> tuple[Sort | None, bool | None]:
    """The strategy, and whether it goes across models (None: not said)."""
    if isinstance(value, dict):
        if more := value.keys() - {"by", "partition"}:
            raise Untranslatable("this is not known here", param=f"provider.sort.{min(more)[:MAX_NAME_CHARS]}")
        partition = value.get("partition")
        if partition not in (None, "model", "none"):  # a list of it has no place in a set
            raise _invalid("expected model or none", "sort.partition")
        sort = None if value.get("by") is None else _strategy(value["by"], "sort.by")
        return sort, None if partition is None else partition == "none"
    return (None if value is None else _strategy(value, "sort")), None


def _strategy(value: object, member: str) -> Sort:
    if isinstance(value, str) and value in _SORTS:
        return _SORTS[value]
    raise _invalid("expected price, throughput or latency", member)


def _ceilings(said: json.Object) -> Ceilings:
    latency = said.get("preferred_max_latency")
    if isinstance(latency, dict):
        if more := latency.keys() - {"p50"}:
            raise Untranslatable(
                "of latencies only the usual one is known here",
                param=f"provider.preferred_max_latency.{min(more)[:MAX_NAME_CHARS]}",
            )
        latency = latency.get("p50")
    seconds = None if latency is None else float(_number(latency, "preferred_max_latency"))
    prices = said.get("max_price", {})
    if not isinstance(prices, dict):
        raise _invalid("expected an object", "max_price")
    prices = {name: value for name, value in prices.items() if value is not None}
    if more := prices.keys() - {*_PRICES}:
        raise Untranslatable(
            "there are ceilings for tokens only", param=f"provider.max_price.{min(more)[:MAX_NAME_CHARS]}"
        )
    prompt, completion = (_number(prices[name], f"max_price.{name}") if name in prices else None for name in _PRICES)
    return Ceilings(seconds, prompt, completion)


def _number(value: object, member: str) -> Decimal:
    """A price or a duration: a number, or a string with one, as OpenRouter takes both."""
    if isinstance(value, str | int | float | Decimal) and not isinstance(value, bool):
        try:
            number = Decimal(str(value)[:MAX_DIGITS])
        except (InvalidOperation, ValueError):  # the latter of whole numbers without end
            number = Decimal("NaN")
        if number.is_finite() and number >= 0:
            return number
    raise _invalid("expected a number of 0 or more", member)


def _invalid(message: str, member: str) -> ClientError:
    return ClientError(message, code="invalid_value", param=f"provider.{member}")
