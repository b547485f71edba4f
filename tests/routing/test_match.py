"""From the name that a client asks for to the tree of targets."""

from __future__ import annotations

from decimal import Decimal

from costspan.routing.plan import Branch, Ceilings, Leaf, Nested, Policy, Route, Step, Table

POLICY = Policy()


def table(*routes: Route, default_route: str | None = None, direct_targets: bool = True) -> Table:
    return Table(
        {route.name: route for route in routes}, frozenset({"openai", "groq"}), direct_targets, default_route, POLICY
    )


def route(name: str, *members: Leaf | Nested, strategy: str = "fallback", ceilings: Ceilings | None = None) -> Route:
    return Route(name, strategy, members, POLICY, ceilings or Ceilings())


def labels(table: Table, name: str, asked: str | None = None) -> list[str]:
    matched = table.match(name, asked)
    return [] if matched is None else [step.label for step in matched.steps]


def test_an_exact_route_wins_over_globs_and_the_longer_literal_over_the_shorter() -> None:
    known = table(
        route("gpt-*", Leaf("openai", "{model}")), route("gpt-5*", Leaf("groq", "x")), route("gpt-5", Leaf("groq", "y"))
    )
    assert labels(known, "gpt-5") == ["groq/y"]
    assert labels(known, "gpt-5-mini") == ["groq/x"]
    assert labels(known, "gpt-4o") == ["openai/gpt-4o"]


def test_the_default_route_may_be_a_name_that_a_glob_matches() -> None:
    known = table(route("gpt-*", Leaf("openai", "{model}")), default_route="gpt-5")
    assert labels(known, "unheard-of") == ["openai/unheard-of"], "{model} is the name that was asked for"


def test_the_default_route_may_be_a_target() -> None:
    assert labels(table(default_route="groq/llama"), "unheard-of") == ["groq/llama"]
    assert labels(table(default_route="groq/llama", direct_targets=False), "unheard-of") == ["groq/llama"]


def test_a_nested_route_may_be_a_name_that_a_glob_matches() -> None:
    known = table(route("smart", Nested("gpt-5"), Leaf("groq", "z")), route("gpt-*", Leaf("openai", "gpt-5")))
    assert labels(known, "smart") == ["openai/gpt-5", "groq/z"]


def test_a_cycle_that_a_glob_makes_is_cut() -> None:
    known = table(route("a-*", Nested("b"), Leaf("openai", "one")), route("b", Nested("a-1"), Leaf("groq", "two")))
    assert labels(known, "a-1") == ["groq/two", "openai/one"]


def test_nested_routes_stay_branches_with_their_own_strategy_and_weights() -> None:
    inner = route("inner", Leaf("groq", "x"), Leaf("groq", "y"), strategy="cheapest")
    outer = route("outer", Leaf("openai", "z", weight=3), Nested("inner", weight=2), strategy="weighted")
    matched = table(inner, outer).match("outer")
    assert matched is not None
    tree = matched.tree
    assert (tree.strategy, tree.weights) == ("weighted", (3, 2))
    first, second = tree.members
    assert isinstance(first, Step)
    assert isinstance(second, Branch)
    assert (second.route, second.strategy, [step.label for step in second.steps()]) == (
        "inner",
        "cheapest",
        ["groq/x", "groq/y"],
    )


def test_a_nested_route_keeps_to_the_ceilings_of_both() -> None:
    inner = route("inner", Leaf("groq", "x"), ceilings=Ceilings(first_token=2.0, input=Decimal(3)))
    outer = route("outer", Nested("inner"), ceilings=Ceilings(first_token=3.0, input=Decimal(1), output=Decimal(9)))
    matched = table(inner, outer).match("outer")
    assert matched is not None
    assert matched.steps[0].ceilings == Ceilings(first_token=2.0, input=Decimal(1), output=Decimal(9))


def test_whether_the_clients_own_name_goes_to_the_provider() -> None:
    known = table(
        route("any", Nested("inner")), route("inner", Leaf("openai", "{model}")), route("one", Leaf("groq", "x"))
    )
    for name, asked, passes in (
        ("any", "gpt-9", True),
        ("any", "any", False),
        ("any", None, False),
        ("one", "y", False),
    ):
        matched = known.match(name, asked)
        assert matched is not None
        assert matched.passes_model is passes


def test_what_was_resolved_is_remembered_and_the_memory_is_bounded() -> None:
    known = table()
    assert known.match("groq/a") is known.match("groq/a")
    for number in range(3000):
        assert known.match(f"groq/{number}") is not None
    assert len(known._known) <= 1024
    assert known.match("nobody") is None
    assert ("nobody", None) not in known._known
