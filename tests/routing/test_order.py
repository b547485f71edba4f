"""Strategies as pure functions: what is known of the targets in, the order in which to ask them out."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from costspan.routing.order import Plan, Rank, Stage, plan
from costspan.routing.plan import Branch, Policy, Race, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

A, B, C, D = (Step("p", name, {}, Policy()) for name in "abcd")


@dataclass
class Known:
    """Facts by model."""

    costs: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    ranks: dict[str, Rank] = field(default_factory=dict)
    dues: dict[str, float] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    holder: str | None = None

    def excluded(self, step: Step) -> str | None:
        return self.refused.get(step.model)

    def rank(self, step: Step) -> Rank:
        return self.ranks.get(step.model, Rank.FINE)

    def due(self, step: Step) -> float:
        return self.dues.get(step.model, 0.0)

    def cost(self, step: Step) -> Decimal | None:
        known = self.costs.get(step.model)
        return None if known is None else Decimal(known)

    def by_speed(self, route: str, steps: Sequence[Step]) -> Sequence[int]:  # noqa: ARG002 - of the protocol
        return sorted(range(len(steps)), key=lambda position: self.seconds[steps[position].model])

    def stays(self, steps: Sequence[Step]) -> int | None:
        return next((position for position, step in enumerate(steps) if step.model == self.holder), None)


def route(strategy: str, *members: Step | Branch, weights: Sequence[float] = (), race: Race | None = None) -> Branch:
    return Branch(strategy, strategy, members, tuple(weights) or (1.0,) * len(members), race)


def never() -> float:
    raise AssertionError("nothing is drawn here")


def shown(made: Plan) -> str:
    """`a b|c d`: stages in order, those that race joined by a bar."""
    return " ".join("|".join(step.model for step in stage.steps) for stage in made.stages)


def ordered(tree: Branch, known: Known, pick: Callable[[], float] = never) -> str:
    return shown(plan(tree, known, pick))


COSTS = {"a": "0.003", "b": "0.001", "c": "0.002"}


def test_fallback_keeps_the_order_of_the_file() -> None:
    assert ordered(route("fallback", C, A, B), Known(costs=COSTS)) == "c a b"


def test_cheapest_orders_by_expected_cost() -> None:
    assert ordered(route("cheapest", A, B, C), Known(costs=COSTS)) == "b c a"


def test_cheapest_asks_unpriced_targets_last_and_equal_ones_as_written() -> None:
    known = Known(costs={"b": "0.001", "c": "0.001", "a": "0.002"})
    assert ordered(route("cheapest", D, A, C, B), known) == "c b a d"


def test_a_free_target_is_cheaper_than_any() -> None:
    assert ordered(route("cheapest", A, B), Known(costs={"a": "0.0000001", "b": "0"})) == "b a"


def test_fastest_orders_by_expected_time() -> None:
    known = Known(seconds={"a": 2.0, "b": 0.5, "c": 1.0})
    assert ordered(route("fastest", A, B, C), known) == "b c a"


@pytest.mark.parametrize(
    ("picks", "order"),
    [((0.0, 0.0), "a b c"), ((0.69, 0.0), "a b c"), ((0.71, 0.0), "b a c"), ((0.91, 0.9), "c b a")],
)
def test_weighted_draws_without_putting_back(picks: tuple[float, float], order: str) -> None:
    drawn = iter(picks)
    tree = route("weighted", A, B, C, weights=(7, 2, 1))
    assert ordered(tree, Known(), lambda: next(drawn)) == order


def test_a_conversation_stays_where_its_prompt_is_cached_when_that_is_cheaper() -> None:
    tree = route("weighted", A, B, weights=(1, 1))
    cached = {"a": "0.003", "b": "0.001"}
    assert ordered(tree, Known(costs=cached, holder="b"), lambda: 0.0) == "b a"
    assert ordered(tree, Known(costs=cached, holder="a"), lambda: 0.9) == "b a", "the holder is not cheaper"
    assert ordered(tree, Known(costs=cached), lambda: 0.0) == "a b", "nobody holds it"
    ill = Known(costs=cached, holder="b", ranks={"b": Rank.ILL})
    assert ordered(tree, ill, lambda: 0.0) == "a b", "a cache does not make a target well"


def test_what_cannot_serve_the_request_is_left_out_with_its_reason() -> None:
    made = plan(route("fallback", A, B), Known(refused={"a": "it takes no images"}), never)
    assert shown(made) == "b"
    assert [(each.step.model, each.why) for each in made.excluded] == [("a", "it takes no images")]


def test_a_single_target_is_planned_without_asking_for_more_than_whether_it_can() -> None:
    assert ordered(route("direct", A), Known(ranks={"a": Rank.ILL})) == "a", "never a dead end"
    refused = plan(route("cheapest", A), Known(refused={"a": "no price"}), never)
    assert (refused.stages, refused.excluded[0].why) == ((), "no price")


def test_who_is_behind_comes_after_the_others_and_who_is_ill_last_the_least_bad_first() -> None:
    ranks = {"a": Rank.ILL, "b": Rank.BEHIND, "d": Rank.ILL}
    known = Known(ranks=ranks, dues={"a": 20.0, "d": 10.0})
    assert ordered(route("fallback", A, B, C, D), known) == "c b d a"


def test_one_that_may_be_well_again_keeps_its_place_so_that_a_request_finds_out() -> None:
    assert ordered(route("fallback", A, B), Known(ranks={"a": Rank.PROBE})) == "a b"


def test_health_goes_before_price() -> None:
    assert ordered(route("cheapest", A, B, C), Known(costs=COSTS, ranks={"b": Rank.ILL})) == "c a b"


def test_a_nested_route_takes_its_place_by_the_target_it_would_ask_first() -> None:
    inner = route("cheapest", A, C)
    assert ordered(route("cheapest", B, inner), Known(costs=COSTS)) == "b c a"
    assert ordered(route("cheapest", B, inner), Known(costs={**COSTS, "c": "0.0005"})) == "c a b"
    assert ordered(route("fallback", inner, B), Known(costs=COSTS)) == "c a b"


def test_a_nested_route_is_judged_by_what_is_well_in_it() -> None:
    inner = route("fallback", A, C)
    known = Known(costs={"a": "0.0001", "b": "0.001", "c": "0.002"}, ranks={"a": Rank.ILL})
    assert ordered(route("cheapest", inner, B), known) == "b c a"


def test_a_target_that_several_routes_list_is_asked_once() -> None:
    assert ordered(route("fallback", route("fallback", A, B), B, A, C), Known()) == "a b c"


def test_all_that_are_well_race_and_the_rest_waits_for_the_race_to_be_lost() -> None:
    known = Known(ranks={"b": Rank.BEHIND, "d": Rank.ILL})
    made = plan(route("race", A, B, C, D, race=Race(after=0.0)), known, never)
    assert shown(made) == "a|c b d"
    assert made.stages[0] == Stage((A, C), Race(after=0.0))


def test_of_nested_routes_the_first_targets_race_first() -> None:
    tree = route("race", route("cheapest", A, B), C, race=Race(after=0.0))
    assert ordered(tree, Known(costs=COSTS)) == "b|c|a"


def test_a_race_in_another_route_is_one_stage_of_it() -> None:
    tree = route("fallback", D, route("race", A, B, race=Race(after=0.0)), C)
    assert ordered(tree, Known()) == "d a|b c"


def test_a_target_whose_health_is_in_doubt_starts_alone_and_only_one_of_them() -> None:
    known = Known(ranks={"b": Rank.PROBE, "c": Rank.PROBE})
    assert ordered(route("race", A, B, C, race=Race(after=0.0)), known) == "b|a c"


@pytest.mark.parametrize(
    ("most", "parallel", "order"),
    [
        (None, 3, "a|b|c"),
        ("0.003", 3, "a|b|c"),  # b and c together
        ("0.0029", 2, "a|b|c"),  # b alone: c takes over only where one has failed
        ("0.0009", None, "a b c"),
        ("0", None, "a b c"),
    ],
)
def test_no_further_attempt_is_planned_that_costs_more_than_is_allowed(
    most: str | None, parallel: int | None, order: str
) -> None:
    limit = None if most is None else Decimal(most)
    race = Race(after=0.0, max_parallel=3, max_extra_usd=limit)
    made = plan(route("race", A, B, C, race=race), Known(costs=COSTS), never)
    assert shown(made) == order
    planned = made.stages[0].race
    assert (None if planned is None else planned.max_parallel) == parallel


def test_what_a_further_attempt_costs_must_be_known_where_it_is_limited() -> None:
    race = Race(after=0.0, max_extra_usd=Decimal(1))
    assert ordered(route("race", A, D, race=race), Known(costs=COSTS)) == "a d"


def test_a_race_of_which_one_is_left_is_none() -> None:
    made = plan(route("race", A, B, race=Race(after=0.0)), Known(refused={"b": "no"}), never)
    assert made.stages == (Stage((A,)),)


def test_a_plan_is_never_longer_than_its_bound() -> None:
    many = [Step("p", str(number), {}, Policy()) for number in range(40)]
    assert len(plan(route("fallback", *many), Known(), never).steps) == 32
    assert len(plan(route("race", *many, race=Race(after=0.0)), Known(), never).steps) == 32
