"""costspan.engine.permits and watch: who may be asked, and what an attempt's end gives back and tells."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from costspan.engine.keys import KeyRing
from costspan.engine.permits import Permits
from costspan.engine.slots import Slots
from costspan.engine.targets import Targets
from costspan.errors import Category, UpstreamError
from costspan.routing.asked import Asked
from costspan.routing.order import Plan, Stage
from costspan.routing.plan import Policy, Step
from fakes.accounts import account

if TYPE_CHECKING:
    from costspan.engine.watch import Watch
    from costspan.ledger.records import Outcome

ACCOUNT = replace(account("openai", "https://p.example/v1", keys=("one",), name="p"), max_concurrency=2)
STEP = Step("p", "m", {}, Policy())


def failure(category: Category, *, stale: bool = False, kind: str = "any") -> UpstreamError:
    return UpstreamError("no", kind=kind, category=category, stale=stale)


DOWN = failure(Category.SERVER_ERROR)


class Door:
    """Permits at a clock that is told."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slots = Slots()
        self.keys = KeyRing()
        self.targets = Targets(lambda: 0.5)
        self.permits = Permits(self.targets, self.keys, self.slots, lambda: self.now)

    def call(self, *, raw: bool = False) -> Any:
        peek = SimpleNamespace(prompt_chars=5, max_output_tokens=None, stream=True)
        matched = SimpleNamespace(weighs_cost=False, route="r")
        return SimpleNamespace(
            passed=[],
            probed=False,
            raw=object() if raw else None,
            peek=peek,
            outlook=None,
            matched=matched,
            asked=Asked(5),
            deadline=self.now + 600,
            plan=None,
            contest=None,
        )

    async def attempt(self, call: Any = None) -> Watch | None:
        return await self.permits.grant(self.call() if call is None else call, STEP, ACCOUNT)

    async def ended(self, outcome: Outcome, error: UpstreamError | None = None, times: int = 1) -> None:
        for _ in range(times):
            watch = await self.attempt()
            assert watch is not None
            watch.ended(outcome, error, None)

    @property
    def health(self) -> float:
        return self.targets.health(self.now)["p", "m"]


async def test_five_failures_in_a_row_open_it_and_a_success_between_them_does_not() -> None:
    door = Door()
    await door.ended("failed", DOWN, times=4)
    await door.ended("ok")
    await door.ended("failed", DOWN, times=4)
    assert door.health == 1.0
    await door.ended("failed", DOWN)
    assert door.health == 0.0


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ("failed", failure(Category.INVALID_REQUEST)),
        ("failed", failure(Category.NOT_FOUND)),
        ("failed", failure(Category.CONTEXT_LENGTH)),
        ("failed", failure(Category.RATE_LIMIT)),
        ("failed", failure(Category.AUTH)),
        ("failed", failure(Category.CONNECT, stale=True)),
        ("failed", failure(Category.TIMEOUT, kind="deadline_exceeded")),
        ("failed", None),
        ("cancelled", None),
        ("lost_race", None),
        ("cancelled", DOWN),
    ],
    ids=str,
)
async def test_what_does_not_speak_against_a_target(outcome: Outcome, error: UpstreamError | None) -> None:
    door = Door()
    await door.ended(outcome, error, times=40)
    assert door.health == 1.0


@pytest.mark.parametrize(
    "category", [Category.CONNECT, Category.TIMEOUT, Category.SERVER_ERROR, Category.OVERLOADED], ids=str
)
async def test_what_does(category: Category) -> None:
    door = Door()
    await door.ended("failed", failure(category), times=5)
    assert door.health == 0.0


async def test_every_end_gives_back_its_place_and_its_key_once() -> None:
    door = Door()
    first, second = await door.attempt(), await door.attempt()
    assert first is not None
    assert second is not None
    assert (door.slots.busy(ACCOUNT), second.lease.key is not None) == (True, True)
    first.ended("ok", None, None)
    first.ended("failed", DOWN, None)
    assert not door.slots.busy(ACCOUNT)
    third = await door.attempt()
    assert third is not None
    assert door.slots.busy(ACCOUNT), "the second one has its place still"


async def test_who_is_not_let_through_holds_no_place() -> None:
    door = Door()
    await door.ended("failed", DOWN, times=5)
    for _ in range(5):
        call = door.call()
        call.probed = True
        assert await door.attempt(call) is None
        assert [(each.why, each.seconds) for each in call.passed] == [("ill", 1.0)]
    assert not door.slots.busy(ACCOUNT)


async def test_a_last_resort_is_one_attempt_at_a_time_one_a_second_and_one_an_exchange() -> None:
    door = Door()
    await door.ended("failed", DOWN, times=5)
    call = door.call()
    watch = await door.attempt(call)
    assert watch is not None
    assert call.probed
    assert await door.attempt() is None, "one at a time"
    watch.ended("failed", DOWN, None)
    assert await door.attempt() is None, "one a second"
    assert await door.attempt(call) is None
    door.now += 0.9
    assert await door.attempt() is None
    door.now += 0.11
    assert await door.attempt(call) is not None, "its penalty is over: this is the probe"


@pytest.mark.parametrize("ill", ["breaker", "keys"])
async def test_who_is_ill_is_no_last_resort_while_somebody_after_it_is_well(ill: str) -> None:
    door = Door()
    other, its_account = replace(STEP, provider="q"), replace(ACCOUNT, name="q")
    call = door.call()
    call.plan = Plan((Stage((STEP,)), Stage((other,))))
    call.snapshot = SimpleNamespace(accounts={"p": ACCOUNT, "q": its_account})
    if ill == "breaker":
        await door.ended("failed", DOWN, times=5)
    else:
        door.keys.cool(ACCOUNT, ACCOUNT.keys[0], door.now, 30.0)

    assert await door.attempt(call) is None, "the other one is well, as far as is known"
    for _ in range(5):
        watch = await door.permits.grant(door.call(), other, its_account)
        assert watch is not None
        watch.ended("failed", DOWN, None)
    assert await door.attempt(call) is not None, "now there is nobody else"


async def test_the_first_content_of_a_probe_is_its_verdict_and_of_others_their_end_is() -> None:
    door = Door()
    broken = await door.attempt()
    assert broken is not None
    broken.content()
    broken.ended("failed", DOWN, None)
    await door.ended("failed", DOWN, times=4)
    assert door.health == 0.0, "a stream that breaks off has failed"
    door.now += 1.0
    assert door.health == 0.5
    probe = await door.attempt()
    assert probe is not None
    assert await door.attempt() is None
    probe.content()
    assert door.health == 1.0
    assert await door.attempt() is not None


async def test_a_probe_whose_client_left_lets_the_next_one_through() -> None:
    door = Door()
    await door.ended("failed", DOWN, times=5)
    door.now += 1.0
    probe = await door.attempt()
    assert probe is not None
    probe.ended("cancelled", None, None)
    assert door.health == 0.5
    assert await door.attempt() is not None


async def test_keys_that_all_wait_are_asked_as_a_last_resort_once_a_second() -> None:
    door = Door()
    door.keys.cool(ACCOUNT, ACCOUNT.keys[0], door.now, 30.0)
    call = door.call()
    watch = await door.attempt(call)
    assert watch is not None
    assert call.probed
    watch.ended("failed", failure(Category.RATE_LIMIT), None)
    refused = door.call()
    assert await door.attempt(refused) is None
    assert [(each.why, each.seconds) for each in refused.passed] == [("keys", 30.0)]
    door.now += 1.0
    assert await door.attempt() is not None


async def test_a_providers_own_path_neither_asks_nor_tells_how_a_model_is() -> None:
    door = Door()
    await door.ended("failed", DOWN, times=5)
    penalty = door.targets.of("p/m", ACCOUNT).timing.estimate(door.now, 10, streamed=True).expected
    door.now += 0.5
    watch = await door.attempt(door.call(raw=True))
    assert watch is not None
    watch.content()
    watch.ended("ok", None, None)
    assert door.health == 0.0
    assert door.targets.of("p/m", ACCOUNT).timing.first_token(door.now) is None
    slow = await door.attempt(door.call(raw=True))
    assert slow is not None
    slow.ended("failed", DOWN, None)
    assert door.targets.of("p/m", ACCOUNT).timing.estimate(door.now, 10, streamed=True).expected < penalty, (
        "it fades on"
    )


async def test_nobody_waits_in_line_for_one_who_is_ill() -> None:
    door = Door()
    held = [await door.attempt(), await door.attempt()]
    breaker = door.targets.of("p/m", ACCOUNT).breaker
    for _ in range(5):
        ticket = breaker.admit(door.now)
        assert ticket is not None
        breaker.failed(door.now, ticket)
    call = door.call()
    assert await door.attempt(call) is None
    assert [each.why for each in call.passed] == ["ill"]
    assert None not in held


async def lose(door: Door, seconds: float, *, rest: float = 0.0) -> None:
    """Lose a race after so long. `rest`: how long the answer is read on."""
    call = door.call()
    call.contest = SimpleNamespace(decided=door.now + seconds)
    watch = await door.attempt(call)
    assert watch is not None
    door.now += seconds + rest
    watch.ended("lost_race", None, None)


async def test_losers_that_are_late_five_times_in_a_row_open_it_and_others_do_not() -> None:
    door = Door()
    for _ in range(3):
        await lose(door, 60.0)
    assert door.health == 1.0, "nobody knows what is late for it"
    for _ in range(30):  # which is 0.2 s now
        watch = await door.attempt()
        assert watch is not None
        door.now += 0.2
        watch.content()
        watch.ended("ok", None, None)
    for _ in range(10):
        await lose(door, 0.1)
        await lose(door, 0.1, rest=5.0)
    assert door.health == 1.0
    for _ in range(4):
        await lose(door, 0.3)
    await lose(door, 0.1)
    assert door.health == 1.0
    await lose(door, 0.3)
    assert door.health == 0.0
