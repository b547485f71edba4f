"""The last samples, and what most of them stay below."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.routing.window import Recent


def filled(*values: float, at: float = 0.0) -> Recent:
    recent = Recent()
    for value in values:
        recent.add(at, value)
    return recent


def test_with_nineteen_samples_nobody_knows_and_with_twenty_it_is_the_nineteenth() -> None:
    recent = filled(*range(1, 20))
    assert recent.p95(0.0) is None

    recent.add(0.0, 20)
    assert recent.p95(0.0) == 19


def test_the_order_in_which_samples_came_does_not_matter() -> None:
    assert filled(*range(100, 0, -1)).p95(0.0) == 95


def test_only_the_last_two_hundred_count() -> None:
    assert filled(*([9.0] * 100 + [1.0] * 200)).p95(0.0) == 1.0
    assert filled(*([9.0] * 100 + [1.0] * 190)).p95(0.0) == 1.0  # 10 of 200 are left
    assert filled(*([9.0] * 100 + [1.0] * 189)).p95(0.0) == 9.0  # 11 of 200


@pytest.mark.parametrize(("now", "expected"), [(600.0, 5.0), (600.1, None)])
def test_samples_count_for_ten_minutes(now: float, expected: float | None) -> None:
    assert filled(*[5.0] * 20, at=0.0).p95(now) == expected


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 1000)), max_size=500))
def test_what_is_kept_sorted_is_what_is_kept(samples: list[tuple[float, float]]) -> None:
    recent = Recent()
    now = 0.0
    kept: list[tuple[float, float]] = []
    for gap, value in samples:
        now += gap
        recent.add(now, value)
        kept = [(at, v) for at, v in [*kept, (now, value)] if at >= now - 600][-200:]

    assert list(recent._sorted) == sorted(value for _, value in kept)
