"""routing.lengths: running distributions and means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.routing.lengths import Lengths, Mean, blend


def lengths(*tokens: float) -> Lengths:
    counted = Lengths()
    for each in tokens:
        counted.add(each)
    return counted


def test_nothing_counted_is_nothing_expected() -> None:
    assert Lengths().mean() == 0
    assert Lengths().mean(100) == 0


CAPPED = {
    "no cap": (None, 325.0),
    "beyond all": (1000, 325.0),
    "between": (500, 225.0),  # (100 + 200 + 100 + 500) / 4
    "below all": (50, 50.0),
    "one": (1, 1.0),
    "below one": (0.5, 0.5),
}


@pytest.mark.parametrize(("cap", "expected"), CAPPED.values(), ids=CAPPED.keys())
def test_the_mean_is_of_what_a_cap_leaves(cap: float | None, expected: float) -> None:
    assert lengths(100, 200, 100, 900).mean(cap) == expected


@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=50), st.floats(1, 1e6))
def test_a_capped_mean_is_as_exact_as_half_an_octave_allows(tokens: list[float], cap: float) -> None:
    exact = sum(min(each, cap) for each in tokens) / len(tokens)

    assert exact * 0.9999 <= lengths(*tokens).mean(cap) <= exact * 2**0.5


def test_what_changed_shows_within_some_hundred_answers() -> None:
    counted = lengths(*[1000.0] * 10_000, *[100.0] * 600)

    assert 100 <= counted.mean() < 300
    assert counted.count <= 257


def test_absurd_lengths_are_counted_too() -> None:
    assert lengths(0, 1e12).mean() == 5e11


def test_a_mean_of_few_is_exact() -> None:
    mean = Mean()
    for value in (1.0, 2.0, 6.0):
        mean.add(value, 10)

    assert (mean.value, mean.count) == (3.0, 3.0)


def test_a_mean_forgets() -> None:
    mean = Mean()
    for value in [1.0] * 100 + [2.0] * 10:
        mean.add(value, 4)

    assert mean.value == pytest.approx(1.89, abs=0.01)


def test_an_observation_of_little_weight_moves_a_mean_little() -> None:
    mean = Mean()
    mean.add(1.0, 10)
    mean.add(5.0, 10, 0.25)

    assert mean.value == 1.8
    assert mean.count == 1.25


def test_an_observation_of_no_weight_does_nothing() -> None:
    mean = Mean()
    mean.add(5.0, 10, 0.0)

    assert (mean.value, mean.count) == (0.0, 0.0)


BLENDS = {
    "nothing seen": (0.0, 0.0, 512.0, 1.0, 512.0),
    "as much as doubt": (100.0, 1.0, 400.0, 1.0, 200.0),
    "much seen": (100.0, 1e9, 400.0, 1.0, 100.0),
    "nothing else known": (100.0, 1.0, 0.0, 1.0, 100.0),
}


@pytest.mark.parametrize(("own", "count", "parent", "doubt", "expected"), BLENDS.values(), ids=BLENDS.keys())
def test_what_has_seen_little_is_drawn_to_what_is_known_generally(
    own: float, count: float, parent: float, doubt: float, expected: float
) -> None:
    assert blend(own, count, parent, doubt) == pytest.approx(expected)
