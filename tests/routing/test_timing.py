"""What is learnt of a target's speed, and what is made of it. Times are told, not waited for."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from costspan.routing.timing import Timing


def stream(timing: Timing, at: float, first: float = 0.5, pace: float = 0.01, tokens: int = 101) -> float:
    """One streamed answer; returns when it ended."""
    waiting = timing.begun(at, 100, streamed=True)
    timing.content(at + first, waiting)
    end = at + first + pace * (tokens - 1)
    timing.answered(end, waiting, tokens)
    return end


def whole(timing: Timing, at: float, seconds: float = 2.0, tokens: int = 100) -> float:
    waiting = timing.begun(at, tokens, streamed=False)
    timing.answered(at + seconds, waiting, tokens)
    return at + seconds


def measured(timing: Timing, now: float, tokens: float = 100, *, streamed: bool = True) -> Any:
    return timing.estimate(now, tokens, streamed=streamed).measured


def test_nothing_is_known_of_a_new_target_so_it_is_worth_a_try() -> None:
    estimate = Timing().estimate(0.0, 100, streamed=True)

    assert estimate.measured is None
    assert estimate.expected == 0.0
    assert not estimate.pending
    assert Timing().first_token(0.0) is None


def test_a_stream_takes_the_time_to_its_first_content_and_the_pace_of_the_rest() -> None:
    timing = Timing()
    now = stream(timing, 100.0)

    assert measured(timing, now, 100) == pytest.approx(1.5)
    assert measured(timing, now, 1000) == pytest.approx(10.5)


def test_short_answers_say_nothing_of_the_pace() -> None:
    timing = Timing()
    now = stream(timing, 100.0)

    now = stream(timing, now, tokens=7, pace=5.0)

    assert measured(timing, now) == pytest.approx(1.5, abs=0.01)


def test_where_only_the_start_is_known_the_pace_is_taken_as_usual() -> None:
    timing = Timing()
    timing.content(100.5, timing.begun(100.0, 100, streamed=True))

    assert measured(timing, 100.5) == pytest.approx(0.5 + 100 * 0.02)


def test_an_answer_of_unknown_length_still_tells_when_it_began() -> None:
    timing = Timing()
    waiting = timing.begun(100.0, 100, streamed=True)
    timing.content(100.4, waiting)
    timing.answered(103.0, waiting, None)

    assert timing.first_token(103.0) == pytest.approx(0.4, abs=0.1)
    assert measured(timing, 103.0) == pytest.approx(0.4 + 100 * 0.02)


def test_a_stream_that_ends_without_content_being_told_began_at_its_end() -> None:
    timing = Timing()
    timing.answered(101.0, timing.begun(100.0, 100, streamed=True), 0)

    assert timing.first_token(101.0) == 1.0
    assert not timing.pending(101.0)


def test_content_counts_once() -> None:
    timing = Timing()
    waiting = timing.begun(100.0, 100, streamed=True)
    timing.content(100.5, waiting)
    timing.content(109.0, waiting)

    assert timing.first_token(100.5) == 0.5


def test_a_whole_answer_takes_time_by_its_length() -> None:
    timing = Timing()
    now = 100.0
    for number in range(20):
        tokens = 50 + 10 * number
        now = whole(timing, now, 1.0 + 0.01 * tokens, tokens)

    assert measured(timing, now, 100, streamed=False) == pytest.approx(2.0, rel=0.02)
    assert measured(timing, now, 200, streamed=False) == pytest.approx(3.0, rel=0.02)


def test_one_kind_of_answer_tells_of_the_other_until_that_was_seen() -> None:
    streams, wholes = Timing(), Timing()
    now = stream(streams, 100.0)
    whole(wholes, 100.0)

    assert measured(streams, now, streamed=False) == pytest.approx(1.5)
    assert measured(wholes, now, streamed=True) == pytest.approx(2.0)
    assert wholes.first_token(now) is None  # how soon it would begin nobody can tell

    now = whole(streams, now, 7.0)
    assert measured(streams, now, streamed=False) == pytest.approx(7.0)
    assert measured(streams, now, streamed=True) == pytest.approx(1.5)


def test_the_other_kind_is_believed_where_this_one_is_thirty_seconds_older() -> None:
    timing = Timing()
    whole(timing, 100.0, 2.0)  # seen at 102
    stream(timing, 131.0, first=0.5)
    assert measured(timing, 132.6, streamed=False) == pytest.approx(2.0)

    stream(timing, 133.0, first=0.5)
    assert measured(timing, 134.6, streamed=False) == pytest.approx(1.5)

    whole(timing, 160.0, 9.0)  # seen at 169, the last stream at 133.5
    assert measured(timing, 169.0, streamed=True) == pytest.approx(9.0, rel=0.01)


def test_an_estimate_that_nothing_confirms_halves_every_ten_seconds() -> None:
    timing = Timing()
    end = whole(timing, 100.0, 8.0)

    assert [timing.estimate(end + age, 100, streamed=False).expected for age in (0, 10, 20)] == pytest.approx([8, 4, 2])
    assert [measured(timing, end + age, streamed=False) for age in (0, 10, 20)] == [8, 8, 8]


def test_the_time_to_the_first_token_fades_too_unless_somebody_is_finding_out() -> None:
    timing = Timing()
    stream(timing, 100.0, first=4.0)
    assert timing.first_token(104.0) == pytest.approx(4.0)
    assert timing.first_token(124.0) == pytest.approx(1.0)

    timing.begun(124.0, 100, streamed=True)

    assert timing.first_token(124.0) == pytest.approx(4.0)


def test_an_attempt_is_pending_until_its_first_content() -> None:
    timing = Timing()
    streamed = timing.begun(100.0, 100, streamed=True)
    assert timing.pending(100.1)
    timing.content(100.5, streamed)
    assert not timing.pending(100.5)

    waiting = timing.begun(100.0, 100, streamed=False)
    timing.content(100.5, waiting)  # need not be told, and changes nothing
    assert timing.pending(100.5)
    timing.answered(101.0, waiting, 100)
    assert not timing.pending(101.0)


@pytest.mark.parametrize("streamed", [True, False])
def test_a_target_that_stops_answering_looks_slow_before_any_answer_tells(streamed: bool) -> None:
    timing = Timing()
    now = 100.0
    for _ in range(20):
        now = stream(timing, now) if streamed else whole(timing, now)
    usual = measured(timing, now, streamed=streamed)
    timing.begun(now, 100, streamed=streamed)
    should_wait = 0.5 if streamed else 2.0

    assert measured(timing, now + 1.4 * should_wait, streamed=streamed) == pytest.approx(usual)
    assert measured(timing, now + 1.6 * should_wait, streamed=streamed) == pytest.approx(1.6 * usual)
    assert measured(timing, now + 30 * should_wait, streamed=streamed) == pytest.approx(30 * usual)
    if streamed:
        assert timing.first_token(now + 15.0) == pytest.approx(15.0)


def test_an_answer_that_younger_ones_overtook_is_long_not_late() -> None:
    timing = Timing()
    now = whole(timing, 100.0)
    timing.begun(now, 100, streamed=False)
    whole(timing, now + 0.1, 2.0)

    assert measured(timing, now + 60.0, streamed=False) == pytest.approx(2.0)


def test_a_stream_that_began_does_not_overtake_whole_answers() -> None:
    timing = Timing()
    now = whole(timing, 100.0)
    timing.begun(now, 100, streamed=False)
    timing.content(now + 0.5, timing.begun(now + 0.1, 100, streamed=True))

    assert measured(timing, now + 6.0, streamed=False) == pytest.approx(6.0)


def test_an_attempt_that_was_forgotten_counts_for_ten_minutes() -> None:
    timing = Timing()
    stream(timing, 90.0)
    timing.begun(100.0, 100, streamed=True)

    assert timing.pending(699.9)
    assert measured(timing, 699.9) > 100
    assert not timing.pending(700.0)
    assert measured(timing, 700.0) == pytest.approx(1.5)


def test_only_so_many_attempts_are_watched() -> None:
    timing = Timing()
    out = [timing.begun(100.0, 100, streamed=True) for _ in range(1000)]
    assert len(timing._waiting) == 32

    for waiting in out:
        timing.content(100.5, waiting)

    assert not timing._waiting
    assert timing.first_token(100.5) == 0.5


def test_a_failure_is_never_fast() -> None:
    timing = Timing()
    now = stream(timing, 100.0)
    timing.failed(now + 0.01, timing.begun(now, 100, streamed=True))

    assert measured(timing, now + 0.01) == pytest.approx(6.5)
    assert measured(timing, now + 10.01) == pytest.approx(1.5 + 2.5)
    assert timing.first_token(now + 0.01) == pytest.approx(0.5, abs=0.1)  # it was no sample
    assert not timing.pending(now + 0.01)


def test_a_failure_of_a_slow_target_costs_as_much_as_an_answer_of_it() -> None:
    timing = Timing()
    now = whole(timing, 100.0, 30.0)
    timing.failed(now, timing.begun(now, 100, streamed=False))

    assert measured(timing, now, streamed=False) == pytest.approx(60.0)


def test_a_success_forgives_most_of_a_failure() -> None:
    timing = Timing()
    now = stream(timing, 100.0)
    timing.failed(now, timing.begun(now, 100, streamed=True))
    waiting = timing.begun(now, 100, streamed=True)
    timing.content(now + 0.5, waiting)

    assert measured(timing, now + 0.5) == pytest.approx(1.5 + 1.25, abs=0.1)


def test_a_target_that_has_only_failed_is_unknown_and_less_and_less_discouraging() -> None:
    timing = Timing()
    timing.failed(100.0, timing.begun(99.9, 100, streamed=True))

    estimates = [timing.estimate(100.0 + age, 100, streamed=True) for age in (0, 10, 20)]

    assert [estimate.measured for estimate in estimates] == [None, None, None]
    assert [estimate.expected for estimate in estimates] == pytest.approx([5, 2.5, 1.25])


def test_an_attempt_given_up_in_time_tells_nothing() -> None:
    timing = Timing()
    now = stream(timing, 100.0)
    timing.released(now + 0.4, timing.begun(now, 100, streamed=True))

    assert timing.first_token(now + 0.4) == pytest.approx(0.5, abs=0.1)
    assert not timing.pending(now + 0.4)


def test_an_attempt_given_up_late_counts_as_if_it_had_been_answered_then() -> None:
    timing = Timing()
    stream(timing, 100.0)  # content at 100.5
    timing.released(104.6, timing.begun(100.6, 100, streamed=True))
    assert timing._first.value == pytest.approx(0.5 + 3.5 * 0.155, rel=0.01)

    timing = Timing()
    end = whole(timing, 100.0, 2.0)
    timing.released(end + 20.0, timing.begun(end, 100, streamed=False))
    assert measured(timing, end + 20.0, streamed=False) > 15.0


def test_an_attempt_given_up_before_the_95th_percentile_does_not_lower_it() -> None:
    timing = Timing()
    for number in range(1, 21):
        stream(timing, 100.0, first=number / 10)
    assert timing.p95(103.0, streamed=True) == pytest.approx(1.9)

    for _ in range(20):
        timing.released(103.0 + 1.85, timing.begun(103.0, 100, streamed=True))

    assert timing.p95(105.0, streamed=True) == pytest.approx(1.9)
    assert len(timing._firsts._values) == 20


def test_giving_up_a_stream_that_had_begun_changes_nothing() -> None:
    timing = Timing()
    waiting = timing.begun(100.0, 100, streamed=True)
    timing.content(100.5, waiting)
    timing.released(150.0, waiting)

    assert timing._first.value == 0.5


def test_giving_up_an_attempt_on_an_unknown_target_leaves_it_unknown() -> None:
    timing = Timing()
    timing.released(150.0, timing.begun(100.0, 100, streamed=True))

    assert measured(timing, 150.0) is None
    assert not timing.pending(150.0)


def test_percentiles_are_of_the_first_content_of_streams_and_of_the_end_of_whole_answers() -> None:
    timing = Timing()
    for number in range(1, 21):
        stream(timing, 100.0 + number, first=number / 10)
        assert timing.p95(150.0, streamed=False) is None
    for number in range(1, 21):
        whole(timing, 100.0 + number, number)

    assert timing.p95(150.0, streamed=True) == pytest.approx(1.9)
    assert timing.p95(150.0, streamed=False) == pytest.approx(19.0)


def test_percentiles_keep_the_tail_that_races_cut_off() -> None:
    """A second target is asked after the first one's p95, and answers in half a second. Forgotten, the attempts that it
    beats would leave a shorter tail, that a lower p95, and that more races."""
    timing = Timing()
    seen = []
    now = 100.0
    for number in range(4000):
        waiting = timing.begun(now, 100, streamed=True)
        first = 0.5 / (1 - (number * 37 % 100) / 100)  # one in twenty takes 10 s or longer
        after = timing.p95(now, streamed=True)
        if after is not None and first > after + 0.5:
            timing.released(now + after + 0.5, waiting)
        else:
            timing.content(now + first, waiting)
        seen.append(after)
        now += 1.0

    late = [after for after in seen[1000:] if after is not None]
    assert len(late) == 3000
    assert min(late) >= 8.0
    assert max(late) <= 10.1


def test_the_estimate_of_an_idle_target_only_falls() -> None:
    timing = Timing()
    now = stream(timing, 100.0)
    expected = [timing.estimate(now + age, 100, streamed=True).expected for age in range(1000)]

    assert all(later < earlier for earlier, later in pairwise(expected))
