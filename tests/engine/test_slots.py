"""costspan.engine.slots: a limit that holds, a line in order, and no slot lost however a wait ends."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from costspan.engine.slots import MAX_WAITING, Slots
from fakes.accounts import account
from fakes.virtual_loop import VirtualLoop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from costspan.providers.account import Account


def limited(limit: int | None, name: str = "p") -> Account:
    return replace(account("openai", "https://p.example/v1", name=name), max_concurrency=limit)


ONE = limited(1)


class Line:
    """Attempts that want a slot, under a clock that is told."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.slots = Slots()

    def ask(self, of: Account = ONE, seconds: float = 10.0) -> asyncio.Task[bool]:
        task = self.loop.create_task(self.slots.acquire(of, seconds))
        self.loop.settle()
        return task

    def release(self, of: Account = ONE) -> None:
        self.slots.release(of)
        self.loop.settle()

    def free(self, of: Account) -> int:
        """How many slots can be had at once, of at most 20. They are given back."""
        got = [task for task in [self.ask(of, 0.0) for _ in range(20)] if task.result()]
        for _ in got:
            self.release(of)
        return len(got)


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.loop.close()
    assert made.loop.faults == []


def test_there_are_as_many_slots_as_the_account_says(line: Line) -> None:
    assert line.free(limited(3)) == 3
    assert line.free(limited(None, "q")) == 20


def test_an_account_is_busy_while_all_its_slots_are_taken(line: Line) -> None:
    two = limited(2)
    assert not line.slots.busy(two)
    line.ask(two)
    assert not line.slots.busy(two)
    line.ask(two)
    assert line.slots.busy(two)
    assert not line.slots.busy(limited(2, "q"))
    line.release(two)
    assert not line.slots.busy(two)


def test_a_slot_that_is_free_is_taken_without_waiting(line: Line) -> None:
    assert line.slots.try_acquire(ONE)
    waiting = line.ask()
    assert not line.slots.try_acquire(ONE)

    line.release()
    assert waiting.result()
    assert not line.slots.try_acquire(ONE)


def test_who_waits_is_let_in_first_come_first_served(line: Line) -> None:
    line.ask()
    first, second = line.ask(), line.ask()
    assert not first.done()

    line.release()
    assert (first.result(), second.done()) == (True, False)
    line.release()
    assert second.result()


def test_a_slot_that_is_given_on_is_not_there_for_who_comes_in_that_moment(line: Line) -> None:
    line.ask()
    first = line.ask()
    line.slots.release(ONE)  # `first` has not run yet
    late = line.ask(seconds=0.0)

    assert (first.result(), late.result()) == (True, False)


@pytest.mark.parametrize(("seconds", "waits"), [(0.5, 0.5), (60.0, 3.0)], ids=["as long as it may", "three seconds"])
def test_nobody_waits_longer_than_is_of_use(line: Line, seconds: float, waits: float) -> None:
    line.ask()
    waiting = line.ask(seconds=seconds)
    line.loop.advance(waits - 0.01)
    assert not waiting.done()
    line.loop.advance(0.02)
    assert waiting.result() is False

    line.release()
    assert line.free(ONE) == 1


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_without_time_nobody_waits(line: Line, seconds: float) -> None:
    line.ask()

    assert line.ask(seconds=seconds).result() is False


def test_the_line_is_bounded(line: Line) -> None:
    line.ask()
    waiting = [line.ask() for _ in range(MAX_WAITING)]

    assert line.ask().result() is False
    waiting[7].cancel()
    line.loop.settle()
    assert not line.ask().done()


def test_who_leaves_the_line_does_not_hold_up_the_rest(line: Line) -> None:
    line.ask()
    first, second = line.ask(), line.ask()
    first.cancel()
    line.loop.settle()
    line.release()

    assert second.result()


def test_a_slot_given_in_the_moment_of_the_cancellation_goes_to_the_next(line: Line) -> None:
    line.ask()
    first, second = line.ask(), line.ask()
    line.slots.release(ONE)
    first.cancel()  # it has its slot, and does not know yet
    line.loop.settle()

    assert first.cancelled()
    assert second.result()
    line.release()
    assert line.free(ONE) == 1


def test_a_slot_is_not_given_to_who_was_cancelled_a_moment_before(line: Line) -> None:
    line.ask()
    first, second = line.ask(), line.ask()
    first.cancel()
    line.slots.release(ONE)
    line.loop.settle()

    assert first.cancelled()
    assert second.result()
    line.release()
    assert line.free(ONE) == 1


def test_a_slot_that_comes_as_time_runs_out_is_there_for_the_next(line: Line) -> None:
    line.ask()
    waiting = line.ask(seconds=1.0)
    line.loop.call_at(1.0, line.slots.release, ONE)
    line.loop.advance(1.0)

    assert waiting.result() is False
    assert line.free(ONE) == 1


def test_a_slot_that_comes_just_before_time_runs_out_is_taken(line: Line) -> None:
    line.ask()
    line.loop.call_at(1.0, line.slots.release, ONE)
    waiting = line.ask(seconds=1.0)
    line.loop.advance(1.0)

    assert waiting.result() is True
    assert line.free(ONE) == 0


def test_who_has_its_slot_leaves_no_timer(line: Line) -> None:
    line.ask()
    waiting = line.ask()
    line.release()

    assert waiting.result()
    assert line.loop._due(100.0) == []


@pytest.mark.parametrize("seed", range(20))
def test_however_waits_end_no_slot_is_lost_and_none_is_made(line: Line, seed: int) -> None:
    chance, three = random.Random(seed), limited(3)
    tasks: list[asyncio.Task[bool]] = []
    held = most = 0
    for _ in range(300):
        match chance.randrange(5):
            case 0 | 1:
                tasks.append(line.loop.create_task(line.slots.acquire(three, chance.choice([0.0, 0.2, 9.0]))))
            case 2 if tasks:
                chance.choice(tasks).cancel()
            case 3 if held:
                line.slots.release(three)
                held -= 1
            case _:
                line.loop.advance(chance.choice([0.0, 0.1]))
        if chance.random() < 0.5:
            line.loop.settle()
        ended = [task for task in tasks if task.done()]
        tasks = [task for task in tasks if not task.done()]
        held += sum(not task.cancelled() and task.result() for task in ended)
        most = max(most, held)
    line.loop.advance(10.0)
    held += sum(not task.cancelled() and task.result() for task in tasks)
    for _ in range(held):
        line.release(three)

    assert most <= 3
    assert held <= 3
    assert line.free(three) == 3


def test_a_second_release_makes_no_slot_out_of_nothing(line: Line) -> None:
    line.ask()
    line.release()
    line.release()
    line.release(limited(1, "never-seen"))

    assert line.free(ONE) == 1


def test_a_limit_that_was_raised_lets_in_who_waits(line: Line) -> None:
    line.ask()
    waiting = [line.ask() for _ in range(3)]
    line.slots.renew([limited(3)])
    line.loop.settle()

    assert [task.done() for task in waiting] == [True, True, False]
    line.slots.renew([limited(None)])
    line.loop.settle()
    assert waiting[2].result()


def test_a_limit_that_was_lowered_holds_at_once_for_older_exchanges_too(line: Line) -> None:
    three = limited(3)
    for _ in range(3):
        line.ask(three)
    line.slots.renew([ONE])
    line.release(three)
    assert line.ask(three, 0.0).result() is False
    line.release(three)
    line.release(three)
    assert line.free(three) == 1


def test_a_limit_that_is_new_counts_what_is_under_way(line: Line) -> None:
    for _ in range(2):
        line.ask(limited(None))
    line.slots.renew([limited(2)])

    assert line.slots.busy(limited(2))


def test_an_account_that_comes_back_still_has_what_was_under_way(line: Line) -> None:
    line.ask()
    line.slots.renew([])
    line.slots.renew([ONE])

    assert line.slots.busy(ONE)


def test_accounts_that_are_gone_are_forgotten_when_they_are_idle(line: Line) -> None:
    for number in range(50):
        line.ask(limited(1, f"p{number}"))
        line.slots.renew([])
        line.release(limited(1, f"p{number}"))
    line.slots.renew([])

    assert line.slots._places == {}
