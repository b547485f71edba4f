"""Whom a route asks first where the fastest is wanted."""

from __future__ import annotations

from costspan.routing.explore import Explorer
from costspan.routing.timing import Estimate

UNKNOWN = Estimate(None, 0.0, pending=False)
ASKED = Estimate(None, 0.0, pending=True)


def known(seconds: float, *, faded: float = 1.0, pending: bool = False) -> Estimate:
    return Estimate(seconds, seconds * faded, pending)


def orders(explorer: Explorer, *estimates: Estimate, times: int) -> list[tuple[int, ...]]:
    return [explorer.order(estimates).positions for _ in range(times)]


def test_the_fastest_by_measurement_goes_first() -> None:
    order = Explorer().order([known(3), known(1), known(2)])

    assert order.positions == (1, 2, 0)
    assert not order.explores


def test_equals_stay_as_written() -> None:
    assert Explorer().order([known(2), known(1), known(1)]).positions == (1, 2, 0)


def test_one_that_looks_faster_for_want_of_news_is_explored() -> None:
    order = Explorer().order([known(1), known(10, faded=0.05)])

    assert order.positions == (1, 0)
    assert order.explores


def test_one_that_does_not_look_faster_is_not_explored() -> None:
    assert not Explorer().order([known(1), known(10, faded=0.1)]).explores


def test_one_is_not_explored_again_while_its_answer_is_awaited() -> None:
    assert not Explorer().order([known(1), known(10, faded=0.05, pending=True)]).explores


def test_of_several_the_one_without_news_for_longest_is_explored() -> None:
    assert Explorer().order([known(1), known(2, faded=0.3), known(10, faded=0.05)]).positions == (2, 0, 1)


def test_an_unknown_one_is_explored_before_others_and_goes_last_otherwise() -> None:
    explorer = Explorer()

    assert explorer.order([known(10, faded=0.05), UNKNOWN, known(1)]).positions == (1, 2, 0)
    assert explorer.order([ASKED, known(1), known(2)]).positions == (1, 2, 0)


def test_of_unknown_ones_alone_the_next_that_nobody_has_asked_goes_first() -> None:
    assert Explorer().order([UNKNOWN, UNKNOWN]).positions == (0, 1)
    assert Explorer().order([ASKED, UNKNOWN]).positions == (1, 0)
    assert Explorer().order([ASKED, ASKED]).positions == (0, 1)


def test_asking_where_nothing_is_known_explores_and_uses_up_nothing() -> None:
    explorer = Explorer()

    assert all(explorer.order([UNKNOWN, ASKED]).explores for _ in range(100))
    assert orders(explorer, known(1), UNKNOWN, times=4) == [(1, 0), (1, 0), (1, 0), (0, 1)]


def test_an_unknown_one_that_has_just_failed_goes_after_those_that_have_not() -> None:
    assert Explorer().order([Estimate(None, 5.0, pending=False), UNKNOWN]).positions == (1, 0)


def test_three_explorations_may_follow_each_other_and_then_one_in_twenty_five_requests() -> None:
    explorer = Explorer()
    first = orders(explorer, known(1), known(10, faded=0.05), times=4)
    later = orders(explorer, known(1), known(10, faded=0.05), times=2500)

    assert first == [(1, 0), (1, 0), (1, 0), (0, 1)]
    assert later.count((1, 0)) in {100, 101}


def test_no_more_than_three_are_saved_up() -> None:
    explorer = Explorer()
    orders(explorer, known(1), known(2), times=10_000)

    assert orders(explorer, known(1), known(10, faded=0.05), times=10).count((1, 0)) == 3


def test_of_no_targets_the_order_is_empty() -> None:
    assert Explorer().order([]).positions == ()
