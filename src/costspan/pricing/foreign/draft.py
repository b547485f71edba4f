"""Rows in the making, in the words of gateway.yaml."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from costspan.pricing.rates import EXACT

if TYPE_CHECKING:
    from collections.abc import Mapping

_SMALLEST: Final = -30
_LARGEST: Final = 12
"""Powers of ten between which an amount of USD makes sense."""

_LONGEST_NAME: Final = 200


class Unusable(ValueError):
    """An entry cannot become a row; the message says why."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the reader of a list has to be told.

    `kinds` maps the list's names of providers to ours. `only` is the one to read, in either's words, None for all that
    are known. `single` are kinds whose models have no slash, `inclusive` those whose thresholds count as exceeded when
    they are reached.
    """

    kinds: Mapping[str, str]
    only: str | None = None
    single: frozenset[str] = frozenset()
    inclusive: frozenset[str] = frozenset()

    def owner(self, provider: str) -> str | None:
        """Whose rows the entries of `provider` become; None when they are not wanted."""
        kind = self.kinds.get(provider)
        if self.only is None:
            return kind
        return (kind or provider) if self.only in {provider, kind} else None


@dataclass(slots=True)
class Part:
    """Rates by word, and the part's own size tiers."""

    rates: dict[str, Decimal] = field(default_factory=dict)
    tiers: dict[int, dict[str, Decimal]] = field(default_factory=dict)

    def at(self, above: int | None) -> dict[str, Decimal]:
        """The rates to fill for prompts above `above` tokens, for all without."""
        return self.rates if above is None else self.tiers.setdefault(above, {})


@dataclass(slots=True)
class Draft:
    """One row. `left_out` names what the list prices and the row cannot say."""

    provider: str
    model: str
    name: str
    base: Part = field(default_factory=Part)
    service_tiers: dict[str, Part] = field(default_factory=dict)
    hours: list[tuple[str, dict[str, Decimal]]] = field(default_factory=list)
    factors: dict[str, Decimal] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    seen_at: str | None = None

    def part(self, service_tier: str | None) -> Part:
        """The part to fill for a service tier, for the list price without one."""
        return self.base if service_tier is None else self.service_tiers.setdefault(service_tier, Part())

    def has_price(self) -> bool:
        """Whether anything became a rate."""
        return bool(self.base.rates)


@dataclass(slots=True)
class Imported:
    """What became of a list.

    `skipped` are its names that became no row, with why; `foreign` counts entries by the list's name of a provider
    that is no kind here.
    """

    drafts: list[Draft] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    foreign: dict[str, int] = field(default_factory=dict)
    _taken: dict[tuple[str, str], Draft] = field(default_factory=dict)

    def take(self, draft: Draft) -> None:
        """Keep `draft`, unless there is one of its name already: with other prices, that is worth telling."""
        before = self._taken.setdefault((draft.provider, draft.model), draft)
        if before is draft:
            self.drafts.append(draft)
        elif (before.base, before.service_tiers, before.hours) != (draft.base, draft.service_tiers, draft.hours):
            self.skipped.append((draft.name, f"another price than {before.name}, for the same model"))


def amount(value: object) -> Decimal | None:
    """An amount of USD, exactly as the list has it; None for none. Raises `Unusable` for what is no amount."""
    match value:
        case None | "":
            return None
        case bool():
            raise Unusable("a price that is no number")
        case int() | Decimal() | str():
            number = _number(str(value))
        case _:
            raise Unusable("a price that is no number")
    if number < 0:
        raise Unusable("a negative price: it is decided with each request")
    return number


def _number(text: str) -> Decimal:
    if len(text) > _LONGEST_NAME:
        raise Unusable("a price of too many digits")
    number = EXACT.create_decimal(text)
    if not number.is_finite() or (number and not _SMALLEST < number.adjusted() < _LARGEST):
        raise Unusable("a price that is no sensible number")
    return number


def scaled(number: Decimal, power: int) -> Decimal:
    """`number` times ten to the `power`, exactly."""
    return number.scaleb(power, EXACT)


def usable_name(name: str) -> str:
    """`name`, if it can be the model of a row: text that looks like a name and is no pattern or reference."""
    if not name or len(name) > _LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise Unusable("not a name that a model can have")
    if any(character in name for character in "*?[]") or "${" in name:
        raise Unusable("its name would be read as a pattern or a reference")
    return name
