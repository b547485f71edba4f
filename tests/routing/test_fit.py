"""Running estimates of speed, in which what is old counts less."""

from __future__ import annotations

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.routing.fit import Line, Pace, Peak


def test_a_peak_begins_with_its_first_sample() -> None:
    peak = Peak()
    assert peak.value is None

    peak.add(0.0, 0.4)

    assert peak.value == 0.4


def test_a_sample_above_a_peak_raises_it_at_once() -> None:
    peak = Peak()
    peak.add(0.0, 0.4)
    peak.add(0.1, 4.0)

    assert peak.value == pytest.approx(0.4 + 3.6 / 8)


def test_samples_below_lower_a_peak_with_time_only() -> None:
    busy, quiet = Peak(), Peak()
    for peak in (busy, quiet):
        peak.add(0.0, 4.0)
    for hundredth in range(1, 101):
        busy.add(hundredth / 100, 0.4)
    quiet.add(10.0, 0.4)

    assert busy.value == pytest.approx(0.4 + 3.6 * exp(-0.1), rel=0.02)  # a second later
    assert quiet.value == pytest.approx(2.56, abs=0.01)  # 1/e of what it was above the new average


def test_after_half_a_minute_only_the_new_sample_counts() -> None:
    peak, line, pace = Peak(), Line(), Pace()
    for second in range(20):
        peak.add(second, 10.0)
        line.add(second, 100, 10.0)
        pace.add(second, 100, 10.0)

    peak.add(59.0, 1.0)
    line.add(59.0, 100, 1.0)
    pace.add(59.0, 100, 1.0)

    assert peak.value == pytest.approx(1.0, abs=0.17)  # a peak is in no hurry
    assert line.at(100) == pytest.approx(1.0, abs=0.01)
    assert pace.value == pytest.approx(0.01, abs=0.0001)


def test_a_line_finds_start_and_slope() -> None:
    line = Line()
    assert not line
    for number in range(40):
        tokens = 50 + 20 * (number % 10)
        line.add(number / 10, tokens, 0.5 + 0.02 * tokens)

    assert line
    assert line.at(100) == pytest.approx(2.5, rel=0.01)
    assert line.at(1000) == pytest.approx(20.5, rel=0.03)
    assert line.at(0) == pytest.approx(0.5, abs=0.1)


def test_answers_of_one_length_alone_are_taken_as_time_per_token() -> None:
    line = Line()
    for number in range(10):
        line.add(number, 100, 2.0)

    assert line.at(100) == 2.0
    assert line.at(1000) == pytest.approx(20.0)


def test_a_line_does_not_fall_where_short_answers_were_slow_by_chance() -> None:
    line = Line()
    for number in range(20):
        line.add(number / 10, 100, 4.0)
        line.add(number / 10, 200, 1.0)

    assert line.at(100) == pytest.approx(line.at(100_000))


def test_a_line_over_answers_without_tokens_is_flat() -> None:
    line = Line()
    line.add(0.0, 0, 3.0)
    line.add(0.0, 0, 1.0)

    assert line.at(0) == line.at(500) == 2.0


def test_twenty_new_samples_outweigh_any_number_of_old_ones() -> None:
    line, pace = Line(), Pace()
    for number in range(1000):
        line.add(number / 100, 100, 1.0)
        pace.add(number / 100, 100, 1.0)
    for number in range(20):
        line.add(10 + number / 100, 100, 3.0)
        pace.add(10 + number / 100, 100, 3.0)

    assert line.at(100) > 2.0
    assert pace.value is not None
    assert pace.value > 0.02


def test_long_answers_tell_more_of_the_pace_than_short_ones() -> None:
    pace = Pace()
    assert pace.value is None
    pace.add(0.0, 10, 1.0)
    pace.add(0.0, 990, 9.0)

    assert pace.value == pytest.approx(0.01)


@given(
    st.lists(
        st.tuples(st.floats(0, 60), st.integers(0, 100_000), st.floats(0, 600)),
        min_size=1,
        max_size=60,
    ),
    st.integers(0, 200_000),
)
def test_no_estimate_is_ever_negative_or_infinite(samples: list[tuple[float, int, float]], tokens: int) -> None:
    peak, line, pace = Peak(), Line(), Pace()
    now = 0.0
    for gap, length, seconds in samples:
        now += gap
        peak.add(now, seconds)
        line.add(now, length, seconds)
        pace.add(now, length, seconds)

    assert -1e-9 <= line.at(tokens) < 1e12
    assert peak.value is not None
    assert 0 <= peak.value <= 600
    assert pace.value is None or pace.value >= 0
