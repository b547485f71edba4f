"""What one request wishes of its targets: fewer, in another order, under lower ceilings; never more."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from costspan.errors import ClientError
from costspan.routing.order import Plan, Rank, plan
from costspan.routing.overrides import Wishes, refined
from costspan.routing.plan import Branch, Ceilings, Matched, Policy, Race, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

COSTS = {"a1": "3", "a2": "1", "b1": "2", "c1": "4"}
SECONDS = {"a1": 2.0, "a2": 4.0, "b1": 1.0, "c1": 3.0}
POLICY = Policy(fallback_on=frozenset({"connect"}))
A1, A2, B1, C1 = (Step(name[0], name, {}, POLICY) for name in ("a1", "a2", "b1", "c1"))


@dataclass
class Known:
    """Facts by model."""

    ranks: dict[str, Rank] = field(default_factory=dict)

    def excluded(self, step: Step) -> str | None:  # noqa: ARG002 - of the protocol
        return None

    def rank(self, step: Step) -> Rank:
        return self.ranks.get(step.model, Rank.FINE)

    def due(self, step: Step) -> float:  # noqa: ARG002 - of the protocol
        return 0.0

    def cost(self, step: Step) -> Decimal | None:
        return Decimal(COSTS[step.model])

    def by_speed(self, route: str, steps: Sequence[Step]) -> Sequence[int]:  # noqa: ARG002 - of the protocol
        return sorted(range(len(steps)), key=lambda position: SECONDS[steps[position].model])

    def stays(self, steps: Sequence[Step]) -> int | None:  # noqa: ARG002 - of the protocol
        return None


def route(
    *members: Step | Branch, strategy: str = "fallback", weights: Sequence[float] = (), race: Race | None = None
) -> Matched:
    return Matched("smart", POLICY, Branch("smart", strategy, members, tuple(weights), race))


def direct(step: Step) -> Matched:
    return Matched.direct(step.label, step)


def planned(matched: Matched, known: Known | None = None) -> Plan:
    return plan(matched.tree, known or Known(), lambda: 0.0)


def asked(wishes: Wishes, *found: Matched) -> str:
    """The order in which the targets are asked, those that race joined by a bar."""
    return " ".join("|".join(step.model for step in stage.steps) for stage in planned(refined(found, wishes)).stages)


def names(*providers: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset({provider}) for provider in providers)


ORDERS: dict[str, tuple[Wishes, str]] = {
    "nothing wished": (Wishes(), "a1 b1 a2 c1"),
    "only": (Wishes(only=frozenset("ac")), "a1 a2 c1"),
    "ignore": (Wishes(ignore=frozenset("a")), "b1 c1"),
    "only and ignore": (Wishes(only=frozenset("ab"), ignore=frozenset("a")), "b1"),
    "order": (Wishes(order=names("c", "a")), "c1 a1 a2 b1"),
    "order of one that the route does not have": (Wishes(order=names("x", "b")), "b1 a1 a2 c1"),
    "order, and no others": (Wishes(order=names("c", "a"), alone=True), "c1 a1 a2"),
    "order within only": (Wishes(order=names("c"), only=frozenset("bc")), "c1 b1"),
    "the first alone": (Wishes(alone=True), "a1"),
    "by price": (Wishes(sort="cheapest"), "a2 b1 a1 c1"),
    "by speed": (Wishes(sort="fastest"), "b1 a1 c1 a2"),
    "the cheapest alone": (Wishes(sort="cheapest", alone=True), "a2"),
    "the rest of an order by price": (Wishes(order=names("c"), sort="cheapest"), "c1 a2 b1 a1"),
    "a name for two providers": (Wishes(order=(frozenset("bc"),)), "b1 c1 a1 a2"),
}


@pytest.mark.parametrize(("wishes", "expected"), ORDERS.values(), ids=ORDERS.keys())
def test_the_order_in_which_targets_are_asked(wishes: Wishes, expected: str) -> None:
    assert asked(wishes, route(A1, B1, A2, C1)) == expected


@pytest.mark.parametrize("wishes", [wishes for wishes, _ in ORDERS.values()], ids=ORDERS.keys())
def test_the_shared_tree_stays_as_it_is(wishes: Wishes) -> None:
    shared = route(A1, Branch("inner", "fallback", (B1, A2)), C1)
    refined([shared], wishes)
    assert shared == route(A1, Branch("inner", "fallback", (B1, A2)), C1)


def test_routes_in_a_route_lose_their_targets_too() -> None:
    inner = Branch("inner", "fallback", (B1, A2))
    assert asked(Wishes(ignore=frozenset("b")), route(inner, C1)) == "a2 c1"
    assert asked(Wishes(only=frozenset("c")), route(inner, C1)) == "c1"


def test_weights_stay_with_their_targets() -> None:
    matched = refined([route(A1, B1, C1, strategy="weighted", weights=(1, 2, 3))], Wishes(ignore=frozenset("a")))
    assert matched.tree == Branch("smart", "weighted", (B1, C1), (2, 3))


def test_a_race_goes_on_among_those_that_are_left() -> None:
    race = Race(after=0.0, max_parallel=3)
    assert asked(Wishes(ignore=frozenset("b")), route(A1, B1, C1, strategy="race", race=race)) == "a1|c1"


def test_a_race_of_which_only_the_first_may_be_asked_is_none() -> None:
    matched = refined([route(A1, B1, strategy="race", race=Race(after=0.0))], Wishes(alone=True))
    (stage,) = planned(matched).stages
    assert ([step.model for step in stage.steps], stage.race) == (["a1"], None)


def test_the_first_alone_is_one_that_is_well() -> None:
    matched = refined([route(A1, B1)], Wishes(alone=True))
    assert [step.model for step in planned(matched, Known(ranks={"a1": Rank.ILL})).steps] == ["b1"]


def test_sorting_reaches_into_routes_in_a_route_and_asks_each_target_once() -> None:
    inner = Branch("inner", "weighted", (B1, A2), (1.0, 1.0))
    assert asked(Wishes(sort="cheapest"), route(A1, inner, A1)) == "a2 b1 a1"


def test_what_depends_on_the_cost_is_known_of_the_new_order() -> None:
    assert not route(A1, B1).weighs_cost
    assert refined([route(A1, B1)], Wishes(sort="cheapest")).weighs_cost
    assert not refined([replace(route(A1, B1), weighs_cost=True)], Wishes(sort="fastest")).weighs_cost


def test_the_books_say_by_which_strategy_the_targets_were_put_in_order() -> None:
    assert refined([route(A1, B1)], Wishes(sort="cheapest")).strategy == "cheapest"
    assert refined([direct(A1)], Wishes(sort="cheapest")).strategy == "direct"
    assert refined([direct(A1), direct(B1)], Wishes()).strategy == "fallback"


def test_no_target_left_is_the_request_s_own_doing() -> None:
    for wishes in (Wishes(only=frozenset("x")), Wishes(order=names("x"), alone=True), Wishes(ignore=frozenset("ab"))):
        with pytest.raises(ClientError) as caught:
            refined([route(A1, B1)], wishes)
        assert (caught.value.status, caught.value.code, caught.value.param) == (404, "no_eligible_target", "provider")


def test_ceilings_only_get_lower() -> None:
    own = Ceilings(first_token=2.0, input=Decimal(5), output=Decimal(1))
    wished = Wishes(ceilings=Ceilings(first_token=1.0, input=Decimal(9), output=Decimal("0.5")))
    matched = refined([route(replace(A1, ceilings=own), B1)], wished)
    assert [step.ceilings for step in matched.steps] == [
        Ceilings(1.0, Decimal(5), Decimal("0.5")),
        Ceilings(1.0, Decimal(9), Decimal("0.5")),
    ]


# Lists of models.


def test_models_are_asked_one_after_the_other() -> None:
    assert asked(Wishes(), direct(C1), route(B1, A1), direct(A2)) == "c1 b1 a1 a2"


def test_the_first_model_gives_the_name_and_the_time_limits() -> None:
    slow = replace(direct(B1), policy=Policy(retries=9))
    matched = refined([route(A1), slow], Wishes())
    assert (matched.route, matched.policy) == ("smart", POLICY)


def test_models_go_on_also_where_one_cannot_take_the_prompt() -> None:
    matched = refined([direct(A1), direct(B1)], Wishes())
    assert [step.policy.fallback_on for step in matched.steps] == [
        frozenset({"connect", "context_length", "content_filter"})
    ] * 2


def test_each_model_is_sorted_for_itself_unless_all_are_one() -> None:
    found = route(A1, C1), route(B1, A2)
    assert asked(Wishes(sort="cheapest"), *found) == "a1 c1 a2 b1"
    assert asked(Wishes(sort="cheapest", across=True), *found) == "a2 b1 a1 c1"


def test_without_fallbacks_each_model_is_asked_once() -> None:
    assert asked(Wishes(alone=True), route(A1, C1), route(B1, A2)) == "a1 b1"


def test_a_model_without_a_target_that_may_be_asked_is_skipped() -> None:
    assert asked(Wishes(only=frozenset("b")), route(A1, C1), route(B1, A2)) == "b1"
