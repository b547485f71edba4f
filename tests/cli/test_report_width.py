"""The report's table on a narrow terminal, and costs that nobody knows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from costspan.cli.report import _exact, _fitting
from costspan.cli.tables import readable
from costspan.ledger.report import Report, Sums


def report(**figures: Any) -> Report:
    sums = Sums(exchanges=10, attempts=12, failed=2, tokens_in=150, tokens_out=130, cost_usd=Decimal("0.001465"))
    for name, value in figures.items():
        setattr(sums, name, value)
    return Report(("route", "model"), {("smart", "claude-sonnet-5"): sums}, sums)


@pytest.mark.parametrize(
    ("width", "figures"),
    [
        (200, 9),
        (80, 4),
        (40, 2),
    ],
)
def test_what_a_narrow_terminal_has_no_room_for_goes_and_the_cost_stays(width: int, figures: int) -> None:
    shown = _fitting(report(), width)

    assert len(shown) == figures
    assert {"exchanges", "cost_usd"} <= set(shown)


def test_a_cost_that_nobody_knows_is_not_zero() -> None:
    unknown = Sums(attempts=2, unpriced=2)

    assert _exact(unknown, "cost_usd") is None
    assert readable(unknown.known("cost_usd")) == "\N{EN DASH}"
    assert Sums(attempts=2, unpriced=1, priced=1).known("cost_usd") == 0
