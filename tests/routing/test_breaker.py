"""When a breaker opens, whom it lets through meanwhile, and how it closes again. Times are told, not waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from costspan.routing.breaker import Breaker, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable


def middle() -> float:
    """A penalty of exactly its nominal length."""
    return 0.5


def fail(breaker: Breaker, now: float, times: int = 1, *, last_resort: bool = False) -> None:
    for _ in range(times):
        ticket = breaker.admit(now, last_resort=last_resort)
        assert ticket is not None
        breaker.failed(now, ticket)


def succeed(breaker: Breaker, now: float, times: int = 1) -> None:
    for _ in range(times):
        ticket = breaker.admit(now)
        assert ticket is not None
        breaker.succeeded(now, ticket)


def opened(now: float = 100.0, pick: Callable[[], float] = middle) -> Breaker:
    breaker = Breaker(pick)
    fail(breaker, now, 5)
    assert breaker.state(now) == "open"
    return breaker


def test_four_failures_in_a_row_leave_it_closed_and_the_fifth_opens_it() -> None:
    breaker = Breaker(middle)

    fail(breaker, 100.0, 4)
    assert breaker.state(100.0) == "closed"
    fail(breaker, 100.0)
    assert breaker.state(100.0) == "open"


def test_a_success_ends_a_row_of_failures() -> None:
    breaker = Breaker(middle)

    fail(breaker, 100.0, 4)
    succeed(breaker, 100.0)
    fail(breaker, 100.0, 4)

    assert breaker.state(100.0) == "closed"


def alternate(breaker: Breaker, now: float, pairs: int) -> None:
    for _ in range(pairs):
        succeed(breaker, now)
        fail(breaker, now)


def test_half_of_twenty_outcomes_opens_it_and_half_of_nineteen_does_not() -> None:
    breaker = Breaker(middle)

    alternate(breaker, 100.0, 9)
    fail(breaker, 100.0)
    assert breaker.state(100.0) == "closed"  # 10 of 19
    fail(breaker, 100.0)
    assert breaker.state(100.0) == "open"


def test_less_than_half_of_the_outcomes_leave_it_closed() -> None:
    breaker = Breaker(middle)

    succeed(breaker, 100.0, 2)
    alternate(breaker, 100.0, 100)  # 100 of 202
    assert breaker.state(100.0) == "closed"
    fail(breaker, 100.0)  # 101 of 203
    assert breaker.state(100.0) == "closed"
    fail(breaker, 100.0)  # 102 of 204
    assert breaker.state(100.0) == "open"


@pytest.mark.parametrize(("later", "state"), [(129.9, "open"), (130.0, "closed")])
def test_outcomes_count_for_thirty_seconds(later: float, state: str) -> None:
    breaker = Breaker(middle)
    alternate(breaker, 100.0, 9)
    succeed(breaker, 115.0)

    fail(breaker, later)  # the 20th outcome, the 10th failure; at 130 the first 18 are forgotten

    assert breaker.state(later) == state


def test_memory_does_not_grow_with_outcomes() -> None:
    breaker = Breaker(middle)

    for second in range(1000):
        succeed(breaker, 100.0 + second, 3)

    assert len(breaker._outcomes._seconds) == 30


@pytest.mark.parametrize(("pick", "seconds"), [(0.0, 0.5), (0.5, 1.0), (0.999, 1.499)])
def test_a_penalty_varies_by_half_of_its_length(pick: float, seconds: float) -> None:
    breaker = opened(100.0, lambda: pick)

    assert breaker.due(100.0) == pytest.approx(100.0 + seconds)
    assert breaker.state(100.0 + seconds - 0.001) == "open"
    assert breaker.state(100.0 + seconds + 0.001) == "half_open"


def test_penalties_double_up_to_a_minute() -> None:
    breaker = opened(100.0)
    now = breaker.due(100.0)
    penalties = []

    for _ in range(8):
        fail(breaker, now)
        penalties.append(breaker.due(now) - now)
        now = breaker.due(now)

    assert penalties == pytest.approx([2, 4, 8, 16, 32, 60, 60, 60])


def test_an_open_one_admits_nobody() -> None:
    breaker = opened(100.0)

    assert breaker.admit(100.0) is None
    assert breaker.admit(100.999) is None


def test_a_half_open_one_admits_one_at_a_time() -> None:
    breaker = opened(100.0)

    probe = breaker.admit(101.0)
    assert probe is not None
    assert probe.is_probe
    assert breaker.admit(101.0) is None
    assert breaker.admit(119.0, last_resort=True) is None


def test_a_probe_that_succeeds_closes_it_and_the_next_penalty_is_the_first_again() -> None:
    breaker = opened(100.0)
    fail(breaker, 101.0)
    probe = breaker.admit(103.0)
    assert probe is not None

    assert breaker.succeeded(103.5, probe)

    assert breaker.state(103.5) == "closed"
    fail(breaker, 104.0, 5)
    assert breaker.due(104.0) == 105.0


def test_after_closing_the_failures_from_before_are_forgotten() -> None:
    breaker = Breaker(middle)
    alternate(breaker, 100.0, 9)
    fail(breaker, 100.0, 2)
    succeed(breaker, 101.0)  # the probe

    fail(breaker, 101.0, 4)

    assert breaker.state(101.0) == "closed"


def test_who_reports_learns_that_the_breaker_opened_or_closed() -> None:
    breaker = Breaker(middle)
    tickets = [breaker.admit(100.0) for _ in range(6)]

    assert [breaker.failed(100.0, t) for t in tickets if t] == [False, False, False, False, True, False]
    probe = breaker.admit(101.0)
    assert probe is not None
    assert breaker.failed(101.0, probe)
    probe = breaker.admit(103.0)
    assert probe is not None
    assert breaker.succeeded(103.0, probe)
    usual = breaker.admit(103.0)
    assert usual is not None
    assert not breaker.succeeded(103.0, usual)


def test_fifty_attempts_that_were_out_when_it_opened_are_one_opening() -> None:
    breaker = Breaker(middle)
    tickets = [breaker.admit(100.0) for _ in range(50)]

    for number, ticket in enumerate(tickets):
        assert ticket is not None
        breaker.failed(100.0 + number / 10, ticket)  # some after the penalty is over

    assert breaker.due(100.4) == 101.4
    assert breaker.state(105.0) == "half_open"
    fail(breaker, 105.0)
    assert breaker.due(105.0) == 107.0  # the second penalty, not the tenth


def test_an_answer_to_an_attempt_from_before_does_not_close_it() -> None:
    breaker = Breaker(middle)
    early = breaker.admit(99.0)
    assert early is not None
    fail(breaker, 100.0, 5)

    assert not breaker.succeeded(100.5, early)

    assert breaker.state(100.5) == "open"


def test_a_late_failure_from_before_does_not_count_after_it_closed() -> None:
    breaker = Breaker(middle)
    early = [breaker.admit(99.0) for _ in range(5)]
    fail(breaker, 100.0, 5)
    succeed(breaker, 101.0)

    for ticket in early:
        assert ticket is not None
        breaker.failed(102.0, ticket)

    assert breaker.state(102.0) == "closed"


def test_a_late_answer_from_before_does_not_end_a_row_of_failures() -> None:
    breaker = Breaker(middle)
    early = breaker.admit(99.0)
    assert early is not None
    fail(breaker, 100.0, 5)
    succeed(breaker, 101.0)

    fail(breaker, 102.0, 4)
    breaker.succeeded(102.0, early)
    fail(breaker, 102.0)

    assert breaker.state(102.0) == "open"


def test_the_first_verdict_on_a_probe_stands() -> None:
    breaker = opened(100.0)
    probe = breaker.admit(101.0)
    assert probe is not None
    breaker.succeeded(101.0, probe)

    assert not breaker.failed(105.0, probe)

    assert breaker.state(105.0) == "closed"


def test_a_probe_that_is_given_up_makes_room_for_the_next() -> None:
    breaker = opened(100.0)
    probe = breaker.admit(101.0)
    assert probe is not None

    breaker.released(probe)

    assert breaker.state(101.0) == "half_open"
    assert breaker.admit(101.0) is not None


def test_giving_up_an_attempt_from_before_does_not_make_room() -> None:
    breaker = Breaker(middle)
    early = breaker.admit(99.0)
    assert early is not None
    fail(breaker, 100.0, 5)
    assert breaker.admit(101.0) is not None

    breaker.released(early)

    assert breaker.admit(101.0) is None


def test_a_forgotten_probe_blocks_for_two_minutes() -> None:
    breaker = opened(100.0)
    assert breaker.admit(101.0) is not None

    assert breaker.admit(220.9) is None
    assert breaker.admit(221.0) is not None


def test_a_forgotten_probe_has_nothing_to_say_once_another_is_out() -> None:
    breaker = opened(100.0)
    first = breaker.admit(101.0)
    assert first is not None
    assert breaker.admit(221.0) is not None

    assert not breaker.succeeded(222.0, first)
    assert not breaker.failed(222.0, first)

    assert breaker.state(222.0) == "half_open"
    assert breaker.admit(222.0) is None


def test_a_last_resort_passes_an_open_one_once_a_second() -> None:
    breaker = opened(100.0)
    fail(breaker, 101.0)
    fail(breaker, 103.0)  # open until 107

    passed = []
    for tenth in range(1, 31):
        now = 103.0 + tenth / 10
        ticket = breaker.admit(now, last_resort=True)
        if ticket is not None:
            passed.append(now)
            breaker.failed(now, ticket)

    assert passed == pytest.approx([104.0, 105.0, 106.0])
    assert breaker.due(106.0) == 107.0  # none of them made the penalty longer


def test_the_first_last_resort_after_opening_passes_at_once() -> None:
    assert opened(100.0).admit(100.0, last_resort=True) is not None


def test_a_last_resort_that_succeeds_closes_it() -> None:
    breaker = opened(100.0)
    ticket = breaker.admit(100.2, last_resort=True)
    assert ticket is not None

    assert breaker.succeeded(100.3, ticket)

    assert breaker.state(100.3) == "closed"


def test_a_last_resort_that_fails_after_the_penalty_counts_as_the_probe() -> None:
    breaker = opened(100.0)
    ticket = breaker.admit(100.2, last_resort=True)
    assert ticket is not None

    assert breaker.failed(101.5, ticket)

    assert breaker.due(101.5) == 103.5


def test_when_the_next_may_go() -> None:
    breaker = Breaker(middle)
    assert breaker.due(99.0) == 99.0  # closed: at once

    fail(breaker, 100.0, 5)
    assert breaker.due(100.2) == 101.0  # open: when the penalty is over
    assert breaker.due(105.0) == 101.0  # half open: since then
    assert breaker.admit(105.0) is not None
    assert breaker.due(106.0) == 107.0  # behind a probe: a guess


class Life(RuleBasedStateMachine):
    """A target that goes down and comes back, asked by many at once, and now and then by somebody who leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.down_since: float | None = None
        self.passed = 0  # probes since it is down
        self.out: list[tuple[Ticket, bool]] = []  # with what will become of it
        self.breaker = Breaker(middle)

    @property
    def probes(self) -> list[Ticket]:
        return [ticket for ticket, _ in self.out if ticket is self.breaker._probe]

    @rule(seconds=st.sampled_from([0.01, 0.3, 1.0, 7.0, 70.0]))
    def passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.down_since is None)
    @rule()
    def goes_down(self) -> None:
        self.down_since = self.now
        self.passed = 0

    @precondition(lambda self: self.down_since is not None)
    @rule()
    def recovers(self) -> None:
        """However long it was down, after two penalties it is used again if it is asked."""
        self.down_since = None
        for waiting, _ in self.out:
            self.breaker.released(waiting)
        self.out.clear()
        self.now = max(self.now, self.breaker.due(self.now))
        ticket = self.breaker.admit(self.now)
        assert ticket is not None
        self.breaker.succeeded(self.now, ticket)
        assert self.breaker.state(self.now) == "closed"

    @rule(last_resort=st.booleans(), times=st.integers(1, 8))
    def asks(self, last_resort: bool, times: int) -> None:
        state = self.breaker.state(self.now)
        for _ in range(times):
            ticket = self.breaker.admit(self.now, last_resort=last_resort)
            assert ticket is not None or state != "closed"
            if ticket is not None:
                assert ticket.is_probe == (state != "closed")
                self.passed += ticket.is_probe
                self.out.append((ticket, self.down_since is None))

    @precondition(lambda self: self.out)
    @rule(which=st.integers(0, 100))
    def ends(self, which: int) -> None:
        ticket, well = self.out.pop(which % len(self.out))
        if well:
            self.breaker.succeeded(self.now, ticket)
        else:
            self.breaker.failed(self.now, ticket)

    @precondition(lambda self: self.out)
    @rule(which=st.integers(0, 100))
    def leaves(self, which: int) -> None:
        self.breaker.released(self.out.pop(which % len(self.out))[0])

    @invariant()
    def one_probe_at_a_time(self) -> None:
        awaited = [ticket for ticket, _ in self.out if ticket.is_probe and ticket.era == self.breaker._regular.era]
        assert len(self.probes) <= 1
        assert self.now - self.breaker._probed >= 120 or len(awaited) <= 1 or len(self.probes) == 1

    @invariant()
    def penalties_are_bounded(self) -> None:
        assert self.breaker.due(self.now) <= self.now + 60.0


Life.TestCase.settings = settings(max_examples=100, stateful_step_count=40)
test_a_breaker_through_all_of_a_targets_life = Life.TestCase


@pytest.mark.parametrize(("seconds", "most"), [(1, 6), (10, 9), (60, 11), (600, 20)])
def test_while_a_target_is_down_few_attempts_reach_it(seconds: int, most: int) -> None:
    """A hundred requests a second, with another target to go to."""
    breaker = Breaker(middle)
    passed = 0

    for hundredth in range(seconds * 100):
        now = 100.0 + hundredth / 100
        ticket = breaker.admit(now)
        if ticket is not None:
            passed += 1
            breaker.failed(now, ticket)

    assert passed <= most


def test_with_nowhere_else_to_go_a_target_that_is_down_is_asked_once_a_second() -> None:
    breaker = Breaker(middle)
    passed = 0

    for hundredth in range(6000):
        now = 100.0 + hundredth / 100
        ticket = breaker.admit(now, last_resort=True)
        if ticket is not None:
            passed += 1
            breaker.failed(now, ticket)

    assert 50 <= passed <= 70


@pytest.mark.parametrize("down", [0.3, 5.0, 40.0, 400.0])
@pytest.mark.parametrize("pick", [0.0, 0.5, 0.999])
def test_it_is_back_within_two_penalties_of_the_targets_recovery(down: float, pick: float) -> None:
    breaker = Breaker(lambda: pick)
    penalty = 0.0
    now = 100.0
    for _ in range(200_000):
        now += 0.01
        ticket = breaker.admit(now)
        if ticket is None:
            continue
        if now >= 100.0 + down:
            breaker.succeeded(now, ticket)
            break
        if breaker.failed(now, ticket):
            penalty = breaker.due(now) - now

    assert breaker.state(now) == "closed"
    assert now - (100.0 + down) <= max(2 * penalty, 0.02)
