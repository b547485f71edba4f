"""Reasoning effort and reasoning budget, each from the other.

Ratios as OpenRouter publishes them (openrouter.ai/docs, best-practices/reasoning-tokens, read 2026-08-22):
`budget = max(min(max_tokens * ratio, 128000), 1024)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costspan.ir.request import Effort

RATIOS: dict[Effort, float] = {
    "max": 0.95,
    "xhigh": 0.95,
    "high": 0.8,
    "medium": 0.5,
    "low": 0.2,
    "minimal": 0.1,
}
MIN_BUDGET = 1024
MAX_BUDGET = 128_000


def budget_of(effort: Effort, max_output_tokens: int) -> int:
    """Tokens to think with. `none` is 0."""
    if effort == "none":
        return 0
    return max(min(int(max_output_tokens * RATIOS[effort]), MAX_BUDGET), MIN_BUDGET)


def effort_of(budget_tokens: int, max_output_tokens: int) -> Effort:
    """The effort whose ratio is nearest; 0 is `none`."""
    if budget_tokens <= 0:
        return "none"
    ratio = budget_tokens / max(max_output_tokens, 1)
    candidates: tuple[Effort, ...] = ("high", "medium", "low", "minimal", "xhigh")
    return min(candidates, key=lambda effort: abs(RATIOS[effort] - ratio))
