from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from costspan.ir.reasoning import budget_of, effort_of

if TYPE_CHECKING:
    from costspan.ir.request import Effort

BUDGETS: list[tuple[Effort, int, int]] = [
    ("none", 10_000, 0),
    ("minimal", 20_000, 2_000),
    ("low", 10_000, 2_000),
    ("medium", 10_000, 5_000),
    ("high", 10_000, 8_000),
    ("xhigh", 10_000, 9_500),
    ("max", 10_000, 9_500),
    ("low", 1_000, 1_024),
    ("high", 1_000_000, 128_000),
]


@pytest.mark.parametrize(("effort", "limit", "budget"), BUDGETS)
def test_effort_becomes_a_share_of_the_limit_within_bounds(effort: Effort, limit: int, budget: int) -> None:
    assert budget_of(effort, limit) == budget


@pytest.mark.parametrize(
    ("budget", "effort"),
    [(0, "none"), (900, "minimal"), (2_000, "low"), (5_500, "medium"), (8_000, "high"), (9_900, "xhigh")],
)
def test_a_budget_becomes_the_effort_of_the_nearest_share(budget: int, effort: Effort) -> None:
    assert effort_of(budget, 10_000) == effort
