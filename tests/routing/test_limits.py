"""costspan.routing.limits: what a key may use in a minute and at one time."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from costspan.routing.limits import Limits, Refusal, Use, Window


def test_the_whole_limit_may_come_at_once_and_no_more() -> None:
    use = Use()
    verdicts = [use.enter(Limits(requests=3), 0, 100.0) for _ in range(4)]

    assert verdicts[:3] == [100, 100, 100]
    assert verdicts[3] == Refusal("requests", 3, 1, 61.0)


def test_in_no_sixty_seconds_more_than_the_limit_is_let_through() -> None:
    chance = random.Random(5)
    use, now, let_in = Use(), 0.0, []
    for _ in range(5000):
        now += chance.expovariate(2.0)
        if isinstance(use.enter(Limits(requests=20), 0, now), int):
            let_in.append(now)

    assert len(let_in) > 20 * now / 61 * 0.95  # and it is used
    assert all(later - first > 60 for first, later in zip(let_in, let_in[20:], strict=False))


def test_after_the_time_it_was_told_a_request_is_let_in() -> None:
    use, limits = Use(), Limits(requests=2)
    use.enter(limits, 0, 10.25)
    use.enter(limits, 0, 30.0)
    refusal = use.enter(limits, 0, 40.5)

    assert refusal == Refusal("requests", 2, 1, 30.5)  # the first of them leaves at 71
    assert isinstance(use.enter(limits, 0, 70.99), Refusal)
    assert use.enter(limits, 0, 71.0) == 71


def test_tokens_are_taken_by_estimate_and_corrected_by_what_was_used() -> None:
    use, limits = Use(), Limits(tokens=1000)
    slot = use.enter(limits, 900, 0.0)
    assert slot == 0
    assert use.enter(limits, 200, 1.0) == Refusal("tokens", 1000, 200, 60.0)

    use.tokens.correct(slot, 300 - 900, 5.0)
    assert use.enter(limits, 700, 5.0) == 5
    assert use.enter(limits, 1, 5.0) == Refusal("tokens", 1000, 1, 56.0)


def test_a_request_larger_than_the_limit_is_never_let_in() -> None:
    assert Use().enter(Limits(tokens=1000), 1001, 0.0) == Refusal("tokens", 1000, 1001, None)


def test_an_excess_counts_also_when_its_request_began_more_than_a_minute_ago() -> None:
    window = Window()
    slot = window.take(10, 0.0)
    window.correct(slot, 90, 200.0)
    assert window.used == 90
    assert window.wait(100, 20, 200.0) == 61.0


def test_what_was_estimated_too_high_gives_nothing_back_once_it_no_longer_counts() -> None:
    window = Window()
    slot = window.take(100, 0.0)
    window.correct(slot, -90, 200.0)
    assert window.used == 0


def test_only_so_many_run_at_one_time() -> None:
    use, limits = Use(), Limits(concurrency=1)
    use.enter(limits, 0, 0.0)
    assert use.enter(limits, 0, 0.0) == Refusal("concurrency", 1, 1, 1.0)

    use.leave()
    assert use.enter(limits, 0, 0.0) == 0


def test_a_request_that_was_refused_uses_nothing() -> None:
    use, limits = Use(), Limits(requests=5, tokens=10)
    for _ in range(9):
        use.enter(limits, 11, 0.0)

    assert (use.running, use.requests.used, use.tokens.used) == (0, 0, 0)


def test_the_limit_that_takes_longest_is_the_one_that_is_named() -> None:
    use, limits = Use(), Limits(requests=1, tokens=100, concurrency=1)
    use.enter(limits, 10, 0.0)
    assert use.enter(limits, 10, 30.0) == Refusal("requests", 1, 1, 31.0)


def test_limits_that_changed_hold_at_once() -> None:
    use = Use()
    for _ in range(3):
        use.enter(Limits(requests=3), 0, 0.0)

    assert use.enter(Limits(requests=4), 0, 0.0) == 0
    assert isinstance(use.enter(Limits(requests=2), 0, 0.0), Refusal)
    assert use.enter(Limits(), 0, 0.0) == 0


def test_headers_tell_limits_what_remains_and_when_all_of_it_is_back() -> None:
    use, limits = Use(), Limits(requests=600, tokens=1000)
    use.enter(limits, 100, 10.0)
    use.enter(limits, 150, 30.5)

    assert use.headers(limits, 40.2) == {
        "x-ratelimit-limit-requests": "600",
        "x-ratelimit-remaining-requests": "598",
        "x-ratelimit-reset-requests": "51s",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "750",
        "x-ratelimit-reset-tokens": "51s",
    }
    assert use.headers(limits, 91.0)["x-ratelimit-remaining-tokens"] == "1000"
    assert Use().headers(Limits(concurrency=3), 0.0) == {}


def test_what_remains_is_never_below_zero() -> None:
    use, limits = Use(), Limits(tokens=100)
    slot = use.enter(limits, 10, 0.0)
    assert isinstance(slot, int)
    use.tokens.correct(slot, 500, 0.0)
    assert use.headers(limits, 0.0)["x-ratelimit-remaining-tokens"] == "0"


@pytest.mark.parametrize("limit", [1, 1000])
def test_memory_is_bounded(limit: int) -> None:
    window = Window()
    for tick in range(10_000):
        window.take(1, tick / 7)
        assert len(window._slots) <= 62
    assert window.wait(limit, 1, 2000.0) == 0.0


def test_a_clock_that_stands_or_steps_back_loses_nothing() -> None:
    window = Window()
    window.take(1, 10.0)
    window.take(1, 9.0)
    assert window.used == 2
    assert [entry[0] for entry in window._slots] == [10]
    assert all(a <= b for a, b in pairwise(window._slots))
