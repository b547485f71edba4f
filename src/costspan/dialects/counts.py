"""How numbers of a provider's usage report are read: tolerantly, and remembering whether they contradict each other."""

from __future__ import annotations

from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_COUNT: Final = 10**12
"""More tokens than any request can have: such a count is a mistake, not a bill."""

USD_PER_TICK: Final = Decimal("1e-10")
"""xAI's unit of money."""

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Counts:
    """Reads one report. `inconsistent` says that something in it could not be."""

    def __init__(self) -> None:
        self.inconsistent = False

    def count(self, place: Mapping[str, Any], name: str) -> int:
        """A whole number; 0 where absent. Cohere and Vertex write `7.0`."""
        value = place.get(name)
        if value is None:
            return 0
        if type(value) in {int, float} and 0 <= value <= MAX_COUNT and value == int(value):
            return int(value)
        self.inconsistent = True
        return 0

    def split(self, whole: int, rest: str, parts: Iterable[tuple[str, int]]) -> dict[str, int]:
        """Disjoint buckets that add up to `whole`; what no part claims goes to `rest`."""
        buckets: dict[str, int] = {}
        left = whole
        for bucket, count in parts:
            if count > left:
                self.inconsistent = True
            taken = min(count, left)
            left -= taken
            if taken:
                buckets[bucket] = taken
        return {rest: left} | buckets if left or not buckets else buckets

    def seconds(self, value: object) -> Decimal | None:
        """A length of time; None where there is none. Some servers write it as a string."""
        if value is None:
            return None
        try:
            found = Decimal(str(value)) if type(value) in {int, float, str} else None
        except ArithmeticError:
            found = None
        if found is not None and found.is_finite() and 0 <= found <= MAX_COUNT:
            return found
        self.inconsistent = True
        return None


def within(place: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object under `name`; an empty one where there is none."""
    value = place.get(name)
    return value if isinstance(value, dict) else NOTHING


def reported_cost(report: Mapping[str, Any]) -> Decimal | None:
    """USD as the provider itself states it; None where it does not, or not as a non-negative number.

    `cost` is OpenRouter's; Perplexity breaks it down, with a total. xAI has `cost_in_usd_ticks`, all tools included
    (docs.x.ai/developers/cost-tracking, read 2026-11-25). DeepInfra's `estimated_cost` is what it billed, the served
    tier included (BerriAI/litellm#38802, 2026-08).
    """
    cost = report.get("cost")
    if cost is None:
        ticks = report.get("cost_in_usd_ticks")
        if type(ticks) is int and ticks >= 0:
            return (ticks * USD_PER_TICK).normalize() if ticks else Decimal(0)
        return _usd(report.get("estimated_cost"))
    stated = _usd(cost.get("total_cost") if isinstance(cost, dict) else cost)
    if stated is not None and report.get("is_byok") is True:
        # OpenRouter, with the caller's own key: `cost` is its fee only, the provider bills the rest
        # (openrouter.ai/docs, usage accounting, read 2026-08-22). Without such a key `cost` includes it.
        upstream = _usd(within(report, "cost_details").get("upstream_inference_cost"))
        return stated if upstream is None else stated + upstream
    return stated


def _usd(value: object) -> Decimal | None:
    """A non-negative number of USD, None for anything else."""
    if type(value) not in {int, float}:
        return None
    stated = Decimal(str(value))
    return stated if stated.is_finite() and stated >= 0 else None
