"""costspan.engine.gate: who is let in, what is reserved meanwhile, what is spent in the end."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from costspan import snapshot as snapshots
from costspan.config.load import load
from costspan.dialects import CLIENT_DIALECTS
from costspan.engine.call import Call, Raw
from costspan.engine.gate import Diverted, Gate
from costspan.errors import ClientError
from costspan.routing.budget import Budget, number_of
from costspan.routing.limits import Limits
from fakes import ledger_records

if TYPE_CHECKING:
    from pathlib import Path

    from costspan.engine.entered import Entered
    from costspan.ledger.records import Attempt, AttemptStarted, CostStatus
    from costspan.snapshot import Snapshot

D = Decimal
DAY = 86_400
TODAY = number_of(date(2026, 11, 26))
NOON_NS = (TODAY * DAY + DAY // 2) * 1_000_000_000
CONFIG = """
providers: {demo: {kind: mock}}
routes: {smart: demo/x, cheap: demo/y, free: demo/z}
"""
ALL = Budget("all", {}, D(1), "day")


class Clock:
    """Both clocks, set by hand."""

    def __init__(self) -> None:
        self.wall = NOON_NS
        self.now = 1000.0

    def wall_ns(self) -> int:
        return self.wall

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.wall += int(seconds * 1e9)


class World:
    """A gate with its clock. Attempts go through it as the engine's observers are told of them."""

    def __init__(self, folder: Path) -> None:
        path = folder / "gateway.yaml"
        path.write_text(CONFIG)
        self.snapshot: Snapshot = snapshots.build(load(path, {}), generation=1, catalog=None)
        self.clock = Clock()
        self.gate = Gate(self.clock)
        self._made = 0

    def hold(self, *budgets: Budget, spent: dict[int, Decimal] | None = None, **limits: Limits) -> None:
        unknown = self.gate.unknown(budgets)
        self.gate.follow(unknown)
        self.snapshot = replace(self.snapshot, limits=limits)
        self.gate.hold(budgets, limits, dict.fromkeys(unknown, spent or {}))

    def call(self, *, key: str | None = None, route: str = "smart", **attributes: str) -> Call:
        self._made += 1
        matched = self.snapshot.table.match(route)
        assert matched is not None
        fields = {"model": route, "max_tokens": 90, "messages": [{"role": "user", "content": "hello"}]}
        dialect = CLIENT_DIALECTS["openai-chat"]
        origin = ledger_records.origin(f"cs_{self._made}", key=key)
        return Call(
            snapshot=self.snapshot,
            origin=replace(origin, route=route, attributes=attributes),
            matched=matched,
            dialect=dialect,
            peek=dialect.peek(fields),
            body=b"{}",
            fields=fields,
            forwarded=(),
            started_ns=self.clock.wall_ns(),
            started=self.clock.monotonic(),
            deadline=self.clock.monotonic() + 600,
        )

    def enter(self, call: Call, usd: str | None = "0.1", tokens: int = 100) -> Entered:
        entered = self.gate.enter(call, lambda: None if usd is None else D(usd), lambda: tokens)
        assert entered is not None
        return entered

    def begin(self, call: Call, *, estimate: str | None = "0.1") -> AttemptStarted:
        self._made += 1
        started = ledger_records.started(f"at_{self._made}", estimate=estimate)
        started = replace(started, origin=call.origin, time_ns=self.clock.wall_ns())
        self.gate.attempt_started(started)
        return started

    def end(
        self, started: AttemptStarted, usd: str | None, *, estimated: str | None = None, tokens: int = 0
    ) -> Attempt:
        attempt = replace(
            ledger_records.attempt(started),
            cost_usd=None if usd is None else D(usd),
            cost_estimated_usd=None if estimated is None else D(estimated),
            cost_status=_status(usd, estimated),
            usage={"input": tokens} if tokens else {},
        )
        self.gate.attempt_ended(attempt)
        return attempt

    @property
    def standing(self) -> tuple[Decimal, Decimal]:
        """Spent and reserved, of the first budget."""
        standing = self.gate.standings()[0]
        return standing.spent, standing.reserved


def _status(usd: str | None, estimated: str | None) -> CostStatus:
    if usd is None:
        return "unpriced" if estimated is None else "estimated"
    return "free" if usd == "0" else "exact"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_without_budgets_and_limits_nothing_is_held(world: World) -> None:
    world.hold()
    asked: list[int] = []
    assert world.gate.enter(world.call(), lambda: asked.append(1), lambda: len(asked)) is None
    assert asked == []


def test_a_hundred_at_once_get_in_as_far_as_the_budget_reaches(world: World) -> None:
    world.hold(replace(ALL, usd=D("0.95")))
    let_in: list[tuple[Call, Entered]] = []
    refused: list[int] = []
    for _ in range(100):
        call = world.call()
        try:
            let_in.append((call, world.enter(call, "0.1")))
        except ClientError as error:
            refused.append(error.status)

    assert refused == [402] * 90
    assert len(let_in) == 10  # the tenth while 0.05 were left: over by less than one request
    for call, entered in let_in:
        world.end(world.begin(call), "0.1")
        entered.leave()
    assert world.standing == (D("1.0"), D(0))


def test_what_was_reserved_and_not_spent_lets_others_in(world: World) -> None:
    world.hold(ALL)
    first = world.call()
    entered = world.enter(first, "1")
    with pytest.raises(ClientError):
        world.enter(world.call())

    world.end(world.begin(first), "0.2")
    entered.leave()
    assert world.standing == (D("0.2"), D(0))
    world.enter(world.call())


def test_a_refusal_names_the_budget_its_limit_and_when_it_begins_anew(world: World) -> None:
    world.hold(replace(ALL, name="checkout", usd=D("500.00"), per="month"), spent={TODAY: D(500)})
    with pytest.raises(ClientError) as caught:
        world.enter(world.call())

    error = caught.value
    assert (error.status, error.code) == (402, "budget_exceeded")
    assert error.message == (
        "the budget checkout of 500.00 USD a month is used up; it begins anew at 2026-12-01T00:00:00Z"
    )
    assert error.headers == {"retry-after": str(4 * DAY + DAY // 2)}


def test_a_budget_in_total_never_begins_anew(world: World) -> None:
    world.hold(replace(ALL, per="total"), spent={TODAY - 3000: D(1)})
    with pytest.raises(ClientError, match=r"the budget all of 1 USD in total is used up; it does not begin anew") as it:
        world.enter(world.call())
    assert it.value.headers == {}


def test_only_the_budgets_whose_attributes_match_refuse(world: World) -> None:
    world.hold(Budget("a", {"team": "a"}, D(1), "day"), spent={TODAY: D(1)})
    assert world.gate.enter(world.call(team="b"), lambda: D(1), lambda: 1) is None
    with pytest.raises(ClientError):
        world.enter(world.call(team="a", feature="x"))


def test_a_budget_can_send_requests_to_another_route(world: World) -> None:
    world.hold(replace(ALL, route="cheap"), spent={TODAY: D(1)})
    with pytest.raises(Diverted) as caught:
        world.enter(world.call())

    assert caught.value.route == "cheap"
    world.enter(world.call(route="cheap"))
    assert world.gate.enter(world.call(), lambda: D(1), lambda: 1, may_divert=False)


def test_a_budget_that_refuses_comes_before_one_that_diverts(world: World) -> None:
    world.hold(replace(ALL, name="a", route="cheap"), replace(ALL, name="b"), spent={TODAY: D(1)})
    with pytest.raises(ClientError, match="the budget b"):
        world.enter(world.call())


def test_what_was_diverted_is_spent_as_well(world: World) -> None:
    world.hold(replace(ALL, route="cheap"), spent={TODAY: D(1)})
    call = world.call(route="cheap")
    entered = world.enter(call, "0.3")
    assert world.standing == (D(1), D("0.3"))
    world.end(world.begin(call), "0.2")
    entered.leave()
    assert world.standing == (D("1.2"), D(0))


def test_an_unpriced_request_reserves_nothing_and_is_let_in_while_anything_is_left(world: World) -> None:
    world.hold(ALL, spent={TODAY: D("0.99")})
    call = world.call()
    entered = world.enter(call, None)
    assert world.standing == (D("0.99"), D(0))
    world.end(world.begin(call, estimate=None), None)
    entered.leave()
    assert world.standing == (D("0.99"), D(0))


def test_estimates_are_spent_like_costs(world: World) -> None:
    world.hold(ALL)
    call = world.call()
    entered = world.enter(call)
    world.end(world.begin(call), None, estimated="0.07")
    entered.leave()
    assert world.standing == (D("0.07"), D(0))


def test_a_further_attempt_reserves_as_much_as_the_first_in_proportion_to_what_it_is_expected_to_cost(
    world: World,
) -> None:
    world.hold(replace(ALL, usd=D(10)))
    call = world.call()
    entered = world.enter(call, "0.4")  # at most; expected is a quarter of it
    first = world.begin(call, estimate="0.1")
    assert world.standing == (D(0), D("0.4"))
    second = world.begin(call, estimate="0.3")
    assert world.standing == (D(0), D("1.6"))

    world.end(first, None, estimated="0.05")
    assert world.standing == (D("0.05"), D("1.2"))
    entered.leave()
    world.end(second, "0.2")
    assert world.standing == (D("0.25"), D(0))


def test_a_retry_after_a_failure_that_cost_nothing_reserves_again(world: World) -> None:
    world.hold(ALL)
    call = world.call()
    entered = world.enter(call, "0.4")
    world.end(world.begin(call), "0")
    assert world.standing == (D(0), D(0))
    again = world.begin(call)
    assert world.standing == (D(0), D("0.4"))
    world.end(again, "0.3")
    entered.leave()
    assert world.standing == (D("0.3"), D(0))


def test_an_attempt_that_goes_on_without_its_client_keeps_its_reservation_until_it_ends(world: World) -> None:
    world.hold(ALL)
    call = world.call()
    entered = world.enter(call, "1")
    started = world.begin(call)
    entered.leave()
    entered.leave()
    assert world.standing == (D(0), D(1))
    with pytest.raises(ClientError):
        world.enter(world.call())

    world.end(started, "0.5")
    assert world.standing == (D("0.5"), D(0))
    assert world.gate._entered == {}


def test_a_request_that_made_no_attempt_leaves_nothing_behind(world: World) -> None:
    world.hold(ALL, key=Limits(concurrency=1, tokens=1000))
    entered = world.enter(world.call(key="key"), "1", 1000)
    entered.leave()
    assert world.standing == (D(0), D(0))
    assert world.gate._entered == {}
    world.enter(world.call(key="key"), "1", 1000)


def test_attempts_belong_to_the_period_in_which_they_began(world: World) -> None:
    world.hold(ALL)
    call = world.call()
    entered = world.enter(call, "1")
    started = world.begin(call)
    world.clock.sleep(DAY)
    assert world.standing == (D(0), D(0))
    world.end(started, "0.9")
    entered.leave()
    assert world.standing == (D(0), D(0))
    world.clock.wall -= DAY * 1_000_000_000
    assert world.standing == (D("0.9"), D(0))


def test_it_is_said_once_when_the_warning_is_due(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.hold(replace(ALL, name="checkout", per="month"))
    with caplog.at_level(logging.WARNING):
        for usd in ("0.45", "0.45", "0.05"):
            call = world.call()
            entered = world.enter(call)
            world.end(world.begin(call), usd)
            entered.leave()

    assert caplog.messages == ["budget checkout: 0.9 of 1 USD a month are spent (90 %)"]


def test_a_reload_keeps_what_was_spent_and_reserved_and_a_changed_ceiling_holds_at_once(world: World) -> None:
    world.hold(ALL)
    call = world.call()
    entered = world.enter(call, "0.5")
    started = world.begin(call)

    assert world.gate.unknown([replace(ALL, usd=D("0.4"))]) == {}
    world.hold(replace(ALL, usd=D("0.4")))
    assert world.standing == (D(0), D("0.5"))
    with pytest.raises(ClientError, match=r"of 0\.4 USD"):
        world.enter(world.call())
    world.end(started, "0.3")
    entered.leave()
    assert world.standing == (D("0.3"), D(0))


def test_a_budget_that_a_reload_adds_knows_what_was_spent_before_and_while_it_was_looked_up(world: World) -> None:
    world.hold()
    budgets = [replace(ALL, usd=D(5), per="month")]
    unknown = world.gate.unknown(budgets)
    assert unknown == {(): number_of(date(2026, 11, 1))}
    world.gate.follow(unknown)
    call = world.call()
    world.end(world.begin(call), "0.25")  # in the ledger, too, but behind what is read
    world.gate.hold(budgets, {}, {(): {TODAY: D(2), TODAY - 1: D("0.5")}})

    assert world.standing == (D("2.75"), D(0))


def test_a_longer_period_is_looked_up_and_what_is_reserved_stays(world: World) -> None:
    world.hold(ALL)
    call = world.call()
    entered = world.enter(call, "0.5")
    started = world.begin(call)
    world.hold(replace(ALL, per="month"), spent={TODAY - 20: D("0.1")})

    assert world.standing == (D("0.1"), D("0.5"))
    world.end(started, "0.2")
    entered.leave()
    assert world.standing == (D("0.3"), D(0))


def test_where_the_ledger_cannot_tell_what_was_seen_here_counts(world: World) -> None:
    world.hold(ALL)
    call = world.call()
    entered = world.enter(call)
    world.end(world.begin(call), "0.25")
    entered.leave()
    budgets = [replace(ALL, per="month")]
    world.gate.follow(world.gate.unknown(budgets))
    world.gate.hold(budgets, {}, {})

    assert world.standing == (D("0.25"), D(0))


def test_a_key_is_refused_with_the_time_to_wait_and_its_limits(world: World) -> None:
    world.hold(key=Limits(requests=2, tokens=1000))
    world.enter(world.call(key="key"))
    world.clock.sleep(10.5)
    world.enter(world.call(key="key"))
    with pytest.raises(ClientError) as caught:
        world.enter(world.call(key="key"))

    error = caught.value
    assert (error.status, error.code) == (429, "rate_limit_exceeded")
    assert error.message == "this API key may make 2 requests in a minute"
    assert error.headers == {
        "x-ratelimit-limit-requests": "2",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "61s",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "800",
        "x-ratelimit-reset-tokens": "61s",
        "retry-after": "51",
    }
    assert world.gate.enter(world.call(key="other"), lambda: None, lambda: 1) is None


def test_a_request_larger_than_the_limit_is_told_so_and_not_to_come_again(world: World) -> None:
    world.hold(key=Limits(tokens=1000))
    with pytest.raises(ClientError, match="1000 tokens in a minute, and this request 1001: it is never let in") as it:
        world.enter(world.call(key="key"), tokens=1001)
    assert "retry-after" not in it.value.headers
    assert it.value.headers["x-should-retry"] == "false"


def test_tokens_are_settled_by_what_all_attempts_used(world: World) -> None:
    world.hold(key=Limits(tokens=1000))
    call = world.call(key="key")
    entered = world.enter(call, tokens=900)
    world.end(world.begin(call), "0.1", tokens=50)
    world.end(world.begin(call), "0.1", tokens=150)
    assert entered.headers()["x-ratelimit-remaining-tokens"] == "100"
    entered.leave()
    assert entered.headers()["x-ratelimit-remaining-tokens"] == "800"


def test_tokens_of_which_nobody_told_count_as_they_were_reserved(world: World) -> None:
    world.hold(key=Limits(tokens=1000))
    call = world.call(key="key")
    entered = world.enter(call, tokens=600)
    world.end(world.begin(call), None, estimated="0.1")
    entered.leave()
    assert entered.headers()["x-ratelimit-remaining-tokens"] == "400"


def test_a_request_that_a_budget_refuses_uses_nothing_of_a_limit(world: World) -> None:
    world.hold(ALL, spent={TODAY: D(1)}, key=Limits(requests=1))
    for _ in range(2):
        with pytest.raises(ClientError) as caught:
            world.enter(world.call(key="key"))
        assert caught.value.status == 402


def test_a_request_that_a_limit_refuses_reserves_nothing(world: World) -> None:
    world.hold(ALL, key=Limits(requests=1))
    world.enter(world.call(key="key"), "0.1")
    with pytest.raises(ClientError):
        world.enter(world.call(key="key"), "0.1")
    assert world.standing == (D(0), D("0.1"))


def test_what_costs_nothing_passes_a_budget_that_is_used_up(world: World) -> None:
    world.hold(ALL, spent={TODAY: D(1)})
    for raw in (
        Raw("POST", "/v1/messages/count_tokens", None, b"", None, free=True),
        Raw("GET", "/v1/models", None, b"", None),
    ):
        call = world.call()
        call.raw = raw
        assert world.gate.enter(call, lambda: D(1), lambda: 1) is None
    call = world.call()
    call.raw = Raw("POST", "/v1/batches", None, b"", None)
    with pytest.raises(ClientError):
        world.enter(call)


def test_a_providers_own_path_cannot_be_sent_elsewhere_and_is_refused(world: World) -> None:
    world.hold(replace(ALL, route="cheap"), spent={TODAY: D(1)})
    call = world.call()
    call.raw = Raw("POST", "/v1/batches", None, b"", None)
    with pytest.raises(ClientError, match="the budget all"):
        world.enter(call)


def test_an_estimate_that_fails_leaves_nothing_behind(world: World) -> None:
    world.hold(ALL, key=Limits(concurrency=1, tokens=1000))

    def fails() -> Decimal:
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        world.gate.enter(world.call(key="key"), fails, lambda: 1)
    world.enter(world.call(key="key"))


def test_an_extra_attempt_is_allowed_while_all_budgets_have_room_for_it(world: World) -> None:
    world.hold(ALL, replace(ALL, name="b", per="month", usd=D("0.5")))
    entered = world.enter(world.call(), "0.3")
    assert entered.allows(D("0.2"))
    assert not entered.allows(D("0.21"))
    assert entered.allows(None)
    world.enter(world.call(), "0.2")
    assert not entered.allows(None)
    assert entered.allows(D(0))


def test_limits_survive_a_reload_by_the_keys_name(world: World) -> None:
    world.hold(key=Limits(requests=2))
    world.enter(world.call(key="key"))
    world.hold(key=Limits(requests=1))
    with pytest.raises(ClientError, match="may make 1 requests"):
        world.enter(world.call(key="key"))
    world.hold()
    assert world.gate._uses == {}
