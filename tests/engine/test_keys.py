"""costspan.engine.keys: which key is next, by what is known of each."""

from __future__ import annotations

import gc
import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from costspan.config.values import Secret
from costspan.engine.keys import MAX_MODELS, KeyRing
from costspan.providers.rate_limits import Need
from fakes.accounts import account

if TYPE_CHECKING:
    from costspan.providers.account import Account

WALL = 1_767_323_045.0
"""2026-01-02T03:04:05Z"""


def pool(*keys: str, name: str = "p", at: str = "https://p.example/v1") -> Account:
    return replace(account("openai", at, name=name), keys=tuple(map(Secret, keys)))


ABC = pool("key-a", "key-b", "key-c")


def chosen(ring: KeyRing, of: Account = ABC, *, now: float = 0.0, times: int = 1, need: Need | None = None) -> str:
    """The last letters of the keys that are chosen one after the other, none of which comes to be used."""
    keys = [ring.choose(of, now) if need is None else ring.choose(of, now, need) for _ in range(times)]
    return "".join(key.reveal()[-1] for key in keys if key is not None)


def hear(ring: KeyRing, of: Account, headers: dict[str, str], *, model: str = "m") -> str:
    """An attempt whose answer has `headers`, from start to end; the last letter of its key."""
    lease = ring.take(of, 0.0, Need(model))
    lease.hear(headers, 0.0, WALL)
    lease.end()
    return lease.key.reveal()[-1] if lease.key is not None else ""


def requests_left(count: int, reset: str) -> dict[str, str]:
    return {"x-ratelimit-remaining-requests": str(count), "x-ratelimit-reset-requests": reset}


def test_keys_without_anything_under_way_are_used_in_turn() -> None:
    assert chosen(KeyRing(), times=7) == "abcabca"


def test_an_account_that_needs_no_key_has_none() -> None:
    lease = KeyRing().take(pool(), 0.0)

    assert lease.key is None
    lease.end()


def test_the_turn_stays_even_when_one_of_three_stands_back() -> None:
    ring = KeyRing()
    ring.cool(ABC, Secret("key-b"), 0.0, 60.0)

    assert chosen(ring, times=6) == "acacac"


def test_the_key_with_the_least_under_way_is_used() -> None:
    ring = KeyRing()
    leases = [ring.take(ABC, 0.0) for _ in range(5)]  # a b c a b
    assert chosen(ring) == "c"

    leases[0].end()
    leases[3].end()
    assert chosen(ring) == "a"


def test_a_lease_ends_once() -> None:
    ring = KeyRing()
    first, second = ring.take(ABC, 0.0), ring.take(ABC, 0.0)
    third, fourth = ring.take(ABC, 0.0), ring.take(ABC, 0.0)
    first.end()
    first.end()  # fourth has the same key

    assert chosen(ring, times=3) == "bca"  # one each
    for lease in (second, third, fourth):
        lease.end()


def test_a_lease_that_is_forgotten_ends_when_it_is_collected() -> None:
    ring = KeyRing()
    lease: list[object] = [ring.take(ABC, 0.0)]
    lease.append(lease)  # a cycle, as runs and their calls are
    assert chosen(ring, times=4) == "bcbc"

    del lease
    gc.collect()
    assert chosen(ring) == "a"


WAITS = {"as asked": (20.0, 20.0), "five minutes at most": (3600.0, 300.0), "five seconds when not told": (None, 5.0)}


@pytest.mark.parametrize(("retry_after", "seconds"), WAITS.values(), ids=WAITS.keys())
def test_after_a_429_a_key_waits(retry_after: float | None, seconds: float) -> None:
    ring, alone = KeyRing(), pool("key-a")
    ring.cool(alone, Secret("key-a"), 100.0, retry_after)

    assert ring.ready_at(alone, 100.0) == 100.0 + seconds
    assert ring.ready_at(alone, 100.0 + seconds) == 100.0 + seconds
    assert not ring.any_ready(alone, 100.0 + seconds - 0.01)
    assert ring.any_ready(alone, 100.0 + seconds)
    assert ring.limited(alone, Need("m"), 101.0) == seconds - 1


def test_a_429_that_asks_for_less_does_not_shorten_an_earlier_one() -> None:
    ring, alone = KeyRing(), pool("key-a")
    ring.cool(alone, Secret("key-a"), 0.0, 60.0)
    ring.cool(alone, Secret("key-a"), 1.0, None)

    assert ring.ready_at(alone, 1.0) == 60.0


def test_a_429_does_not_bring_back_a_key_that_is_out() -> None:
    ring, alone = KeyRing(), pool("key-a")
    ring.refuse(alone, Secret("key-a"))
    ring.cool(alone, Secret("key-a"), 0.0, 1.0)

    assert ring.ready_at(alone, 10.0) == math.inf


def test_an_account_is_ready_with_its_first_key() -> None:
    ring = KeyRing()
    for key, wait in (("key-a", 30.0), ("key-b", 10.0), ("key-c", 20.0)):
        ring.cool(ABC, Secret(key), 0.0, wait)

    assert ring.ready_at(ABC, 0.0) == 10.0
    assert chosen(ring, times=2) == "bb"  # the last resort is the one that is free first


def test_an_account_without_keys_waits_after_a_429_too() -> None:
    ring, keyless = KeyRing(), pool()
    ring.cool(keyless, None, 0.0, 7.0)

    assert ring.ready_at(keyless, 0.0) == 7.0


def test_a_refused_key_is_used_after_all_others_and_never_away() -> None:
    ring = KeyRing()
    ring.refuse(ABC, Secret("key-a"))
    ring.cool(ABC, Secret("key-b"), 0.0, 300.0)
    ring.refuse(ABC, Secret("key-c"))
    assert chosen(ring, times=2) == "bb"

    ring.refuse(ABC, Secret("key-b"))
    assert chosen(ring, now=1e9, times=3) == "cab"
    assert (ring.ready_at(ABC, 0.0), ring.limited(ABC, Need(), 0.0)) == (math.inf, math.inf)


def test_a_refused_key_comes_back_when_a_last_resort_succeeds() -> None:
    ring, alone = KeyRing(), pool("key-a")
    ring.refuse(alone, Secret("key-a"))
    ring.take(alone, 5.0).accepted()

    assert ring.ready_at(alone, 5.0) == 5.0


def test_an_attempt_from_before_the_refusal_proves_nothing() -> None:
    ring, alone = KeyRing(), pool("key-a")
    before = ring.take(alone, 0.0)
    ring.refuse(alone, Secret("key-a"))
    probe = ring.take(alone, 1.0)
    ring.refuse(alone, Secret("key-a"))
    before.accepted()
    probe.accepted()

    assert ring.ready_at(alone, 2.0) == math.inf


def test_success_does_not_end_the_wait_after_a_429() -> None:
    ring, alone = KeyRing(), pool("key-a")
    ring.cool(alone, Secret("key-a"), 0.0, 60.0)
    ring.take(alone, 1.0).accepted()
    assert ring.ready_at(alone, 1.0) == 60.0

    ring.refuse(alone, Secret("key-a"))
    ring.take(alone, 2.0).accepted()
    assert ring.ready_at(alone, 2.0) == 60.0


def test_a_key_with_no_requests_left_is_the_second_choice_until_its_limit_is_whole() -> None:
    ring = KeyRing()
    assert hear(ring, ABC, requests_left(0, "30s")) == "a"

    need = Need("m")
    assert chosen(ring, times=4, need=need) == "bcbc"
    assert ring.limited(ABC, need, 0.0) == 0.0
    assert chosen(ring, now=30.0, times=3, need=need) == "abc"
    assert chosen(ring, now=40.0, times=3, need=need) == "abc"
    assert ring.limited(pool("key-a"), need, 40.0) == 0.0


def test_no_more_than_what_is_left_is_asked_of_a_key() -> None:
    ring, alone = KeyRing(), pool("key-a")
    hear(ring, alone, {"x-ratelimit-remaining-tokens": "1000", "x-ratelimit-reset-tokens": "8s"})

    assert ring.limited(alone, Need("m", 600, 400), 0.0) == 0.0
    assert ring.limited(alone, Need("m", 600, 401), 2.0) == 6.0
    assert ring.ready_at(alone, 0.0) == 0.0  # it only stands back softly


def test_when_no_key_has_room_it_is_the_one_that_has_it_first() -> None:
    ring = KeyRing()
    assert [hear(ring, ABC, requests_left(0, reset)) for reset in ("30s", "10s", "20s")] == ["a", "b", "c"]

    assert chosen(ring, times=2, need=Need("m")) == "bb"
    assert ring.limited(ABC, Need("m"), 4.0) == 6.0


def test_a_key_without_room_is_used_before_one_that_waits_after_a_429() -> None:
    ring, two = KeyRing(), pool("key-a", "key-b")
    assert hear(ring, two, requests_left(0, "60s")) == "a"
    ring.cool(two, Secret("key-b"), 0.0, 5.0)

    assert chosen(ring, two, times=2, need=Need("m")) == "aa"
    assert ring.limited(two, Need("m"), 0.0) == 5.0


def test_what_is_left_counts_for_its_model_only() -> None:
    ring, alone = KeyRing(), pool("key-a")
    hear(ring, alone, requests_left(0, "60s"), model="m")

    assert ring.limited(alone, Need("m"), 0.0) == 60.0
    assert ring.limited(alone, Need("other"), 0.0) == 0.0


def test_limits_are_known_of_an_account_when_a_key_of_it_has_heard_of_one() -> None:
    ring = KeyRing()
    assert not ring.limits(ABC)
    hear(ring, ABC, {"content-type": "application/json"})
    ring.cool(ABC, Secret("key-a"), 0.0, 5.0)
    assert not ring.limits(ABC)

    hear(ring, ABC, requests_left(9, "60s"))
    assert ring.limits(ABC)
    assert not ring.limits(pool("key-a", name="q"))


def test_the_last_answer_is_the_one_that_counts_and_silence_changes_nothing() -> None:
    ring, alone = KeyRing(), pool("key-a")
    hear(ring, alone, requests_left(0, "60s"))
    hear(ring, alone, {"content-type": "application/json"})
    assert ring.limited(alone, Need("m"), 0.0) == 60.0

    hear(ring, alone, requests_left(5, "60s"))
    assert ring.limited(alone, Need("m"), 0.0) == 0.0


def test_the_models_that_are_remembered_are_bounded_and_the_oldest_goes() -> None:
    ring, alone = KeyRing(), pool("key-a")
    hear(ring, alone, requests_left(0, "60s"), model="old")
    hear(ring, alone, requests_left(0, "60s"), model="busy")
    for number in range(MAX_MODELS):
        hear(ring, alone, requests_left(0, "60s"), model="busy")
        hear(ring, alone, requests_left(0, "60s"), model=f"m{number}")

    (remembered,) = ring._pools.values()
    assert len(remembered.states[Secret("key-a")].left) == MAX_MODELS
    assert ring.limited(alone, Need("old"), 0.0) == 0.0
    assert ring.limited(alone, Need("busy"), 0.0) == 60.0


def test_an_equal_value_after_a_reload_is_the_same_key_and_a_new_one_is_not() -> None:
    ring, before = KeyRing(), pool("key-a", "key-b")
    ring.refuse(before, Secret("key-a"))
    ring.refuse(before, Secret("key-b"))

    after = pool("key-a", "new-b")
    ring.retire([after])
    assert chosen(ring, after, times=3) == "bbb"
    assert ring.ready_at(pool("key-a"), 0.0) == math.inf


def test_a_key_at_another_address_is_another_key() -> None:
    ring = KeyRing()
    ring.refuse(pool("key-a", at="https://wrong.example/v1"), Secret("key-a"))

    assert ring.ready_at(pool("key-a", at="https://right.example/v1"), 0.0) == 0.0


def test_what_is_remembered_does_not_grow_with_reloads() -> None:
    ring = KeyRing()
    for generation in range(100):
        account_ = pool(f"key-{generation}", "key-same", name=f"p{generation % 3}")
        ring.retire([account_])
        hear(ring, account_, requests_left(0, "60s"))
        hear(ring, account_, requests_left(0, "60s"))
        ring.refuse(account_, Secret(f"key-{generation}"))

    assert sum(len(remembered.states) for remembered in ring._pools.values()) == 2


def test_a_lease_from_before_a_reload_may_end_after_it() -> None:
    ring = KeyRing()
    old = ring.take(pool("key-a"), 0.0)
    ring.retire([pool("key-b")])
    old.hear({"x-ratelimit-remaining": "0"}, 0.0, WALL)
    old.accepted()
    old.end()

    assert ring._pools[ABC.place].states == {}


def test_cooldowns_are_counted_when_a_key_begins_to_stand_back() -> None:
    ring = KeyRing()
    for now, retry_after in ((0.0, 10.0), (1.0, 20.0), (2.0, 0.0), (30.0, 0.0), (31.0, 5.0)):
        ring.cool(ABC, Secret("key-a"), now, retry_after)
    ring.refuse(ABC, Secret("key-b"))
    ring.refuse(ABC, Secret("key-b"))
    ring.cool(ABC, Secret("key-b"), 40.0, 5.0)
    ring.refuse(pool("key-a", name="q"), Secret("key-a"))

    assert ring.cooldowns == {("p", "rate_limit"): 2, ("p", "auth"): 1, ("q", "auth"): 1}


def test_the_log_tells_which_key_by_its_number_and_says_it_once(caplog: pytest.LogCaptureFixture) -> None:
    ring = KeyRing()
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            ring.cool(ABC, Secret("key-a"), 0.0, 10.0)
            ring.refuse(ABC, Secret("key-b"))
        ring.cool(pool(), None, 0.0, None)
        ring.refuse(ABC, Secret("key-old"))
        ring.take(pool("key-b"), 0.0).accepted()

    assert [record.getMessage() for record in caplog.records] == [
        "provider p: key 1 of 3 waits for 10 s after a 429",
        "provider p does not accept key 2 of 3; it is used last until its value changes",
        "provider p: key (none) waits for 5 s after a 429",
        "provider p does not accept key of an earlier pool; it is used last until its value changes",
        "provider p accepts key 1 of 1 again",
    ]
    assert "key-" not in caplog.text
