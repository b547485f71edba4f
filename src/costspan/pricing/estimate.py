"""Estimates: how many tokens a request will have, and what it is expected to cost.

Only for decisions (routing, budgets) and for attempts whose usage never came. A guess is never billed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.ir.usage import CHARS_PER_TOKEN, TOKENS_PER_MEDIUM, Usage
from costspan.pricing.cost import cost

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from costspan.pricing.rates import Price

TYPICAL_OUTPUT = 512
"""Tokens of an answer of which nothing is known; one that may have less has less."""


def estimate_prompt_tokens(chars: int, media: int = 0) -> int:
    """Tokens of a prompt of `chars` characters of text and `media` images or files."""
    return estimate_output_tokens(chars) + TOKENS_PER_MEDIUM * max(media, 0)


def estimate_output_tokens(chars: int) -> int:
    """Tokens of `chars` characters of text, rounded up."""
    return -(-max(chars, 0) // CHARS_PER_TOKEN)


def expected_cost(
    price: Price,
    prompt_tokens: int,
    output_tokens: int,
    at: datetime,
    service_tier: str | None = None,
    *,
    cached_tokens: int = 0,
) -> Decimal | None:
    """What one request of this size costs, in USD; `cached_tokens` of the prompt are read from the cache.

    None where nothing of that has a price: it is sold by something else than tokens.
    """
    tokens = {"input": prompt_tokens, "output": output_tokens}
    if cached := min(max(cached_tokens, 0), prompt_tokens):
        tokens = {"input": prompt_tokens - cached, "cache_read": cached, "output": output_tokens}
    found = cost(Usage(tokens=tokens), price, service_tier=service_tier, at=at)
    return found.total if found.parts or found.is_whole else None
