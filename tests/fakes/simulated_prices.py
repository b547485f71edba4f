"""Five targets at published prices, with natures that only they know: for tests of what "cheapest" comes to.

The rates are those of genai-prices 0.2.3, read 2026-11-26. OpenAI's other tiers: flex at half price
(https://developers.openai.com/api/docs/pricing, which the catalog read on 2026-10-12) and priority as in
https://openai.com/api-priority-processing. DeepSeek's dear hours are of the catalog's note; it is a Thursday. The
discount is of a large customer's contract: without it two of the five cost the same within some percent, and which of
them is the cheapest would be a matter of chance for every request.

The natures are ours: how many tokens a model makes of a text, how much it says and thinks and what its cache does, as
is said of its kind of model (least prompts that are cached: the providers' guides). They are no measurements.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from costspan.ir.usage import Usage
from costspan.pricing.book import PriceBook
from costspan.pricing.cost import cost
from costspan.pricing.rates import Hours, Rates, Row, ServiceTier, Tier, rates_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fakes.simulated_requests import Request

START = datetime(2026, 11, 26, 0, 0, tzinfo=UTC)
"""An hour before dear hours begin."""
CACHE_SECONDS = 300.0


@dataclass(frozen=True)
class Nature:
    """How a target behaves.

    `counts` tokens of its own where others count one; `says` of the words that a task needs; `thinks` of its effort;
    `least` tokens of a prompt that its cache takes, in steps of `step`; `marked` caches only what the client marks, and
    bills the writing.
    """

    counts: float
    says: float
    thinks: float
    least: int
    step: int
    marked: bool = False


TARGETS: Mapping[str, Nature] = {
    "openai/gpt-5.4-mini": Nature(counts=1.0, says=1.0, thinks=1.0, least=1024, step=128),
    "google/gemini-3.6-flash": Nature(counts=1.04, says=1.1, thinks=2.5, least=1024, step=1),
    "anthropic/claude-haiku-4-5": Nature(counts=1.15, says=0.95, thinks=0.0, least=4096, step=1, marked=True),
    "deepseek/deepseek-v4-pro": Nature(counts=1.08, says=1.05, thinks=4.0, least=64, step=64),
    "xai/grok-4.3": Nature(counts=1.0, says=0.9, thinks=2.5, least=64, step=64),
}
DISCOUNTS = {"google": Decimal("0.2")}


def _rates(**words: str) -> Rates:
    return rates_of({word: Decimal(rate) for word, rate in words.items()})


_SOURCE = "genai-prices 0.2.3"
_DEAR = _rates(input="1.32", cache_read="0.044", output="3.96")
BOOK = PriceBook(
    [
        Row(
            "openai",
            "gpt-5.4-mini",
            _rates(input="0.75", cache_read="0.075", output="4.5"),
            source=_SOURCE,
            service_tiers={
                "flex": ServiceTier(Decimal("0.5")),
                "priority": ServiceTier(rates=_rates(input="1.5", cache_read="0.15", output="9")),
            },
        ),
        Row(
            "google",
            "gemini-3.6-flash",
            _rates(input="0.75", cache_read="0.075", output="3.75"),
            source=_SOURCE,
            to=date(2027, 1, 1),
        ),
        Row(
            "anthropic",
            "claude-haiku-4-5",
            _rates(input="1", cache_read="0.1", cache_write="1.25", cache_write_1h="2", output="5"),
            source=_SOURCE,
        ),
        Row(
            "deepseek",
            "deepseek-v4-pro",
            _rates(input="0.66", cache_read="0.022", output="1.98"),
            source=_SOURCE,
            from_=date(2026, 8, 17),
            hours=(Hours(60, 240, rates=_DEAR), Hours(360, 600, rates=_DEAR)),
        ),
        Row(
            "xai",
            "grok-4.3",
            _rates(input="1.25", cache_read="0.2", output="2.5"),
            source=_SOURCE,
            tiers=(Tier(199_999, _rates(input="2.5", cache_read="0.4", output="5")),),
        ),
    ],
    None,
    "simulated",
)


def price(target: str, request: Request, tokens: Mapping[str, int]) -> Decimal:
    """What a usage of `tokens` costs on `target` when `request` is made, in the tier that it asks for."""
    at = START + timedelta(seconds=request.at)
    provider, _, model = target.partition("/")
    found = BOOK.find(provider, provider, model, discount=DISCOUNTS.get(provider, Decimal(0)), at=at)
    assert found is not None
    return cost(Usage(tokens=tokens), found, service_tier=request.feature.kind.tier, at=at).total


@dataclass
class World:
    """The targets with their caches. What is asked of one changes its cache and no other's."""

    held: dict[tuple[str, bytes], tuple[int, float]] = field(default_factory=dict)

    def would(self, target: str, request: Request) -> dict[str, int]:
        """The usage that `target` would report."""
        nature = TARGETS[target]
        prompt = int(request.tokens * nature.counts)
        read = self._read(target, request, prompt)
        marks = nature.marked and request.feature.kind.marks and prompt >= nature.least
        cap = request.asked.max_output_tokens or 10**9
        thought = min(int(request.effort * nature.thinks * request.odds[target]), cap)
        said = min(int(request.words * nature.says * nature.counts * request.odds[target]), cap - thought)
        usage = {
            "cache_read": read,
            "cache_write" if marks else "input": prompt - read,
            "output": max(said, 1),
            "reasoning": thought,
        }
        return {bucket: tokens for bucket, tokens in usage.items() if tokens}

    def ask(self, target: str, request: Request) -> dict[str, int]:
        """The usage that `target` reports, which holds the prompt from now on."""
        usage, nature, asked = self.would(target, request), TARGETS[target], request.asked
        prompt = int(request.tokens * nature.counts)
        if prompt >= nature.least and (request.feature.kind.marks or not nature.marked):
            shared = int(asked.prefix_chars / 4 * nature.counts)
            for key, tokens in ((asked.conversation, prompt), (asked.prefix, shared)):
                if key is not None:
                    self.held[target, key] = (tokens, request.at + CACHE_SECONDS)
        return usage

    def _read(self, target: str, request: Request, prompt: int) -> int:
        nature, asked = TARGETS[target], request.asked
        if target in request.lost or (nature.marked and not request.feature.kind.marks):
            return 0
        found = [self.held.get((target, key or b""), (0, 0.0)) for key in (asked.conversation, asked.prefix)]
        usable = [min(tokens, prompt) for tokens, until in found if until > request.at and tokens >= nature.least]
        return max(usable, default=0) // nature.step * nature.step
