"""costspan.engine.targets: what is forgotten, and what is not, however many names clients make up."""

from __future__ import annotations

from costspan.engine.targets import MAX_ROUTES, Targets


def test_a_route_in_use_is_not_forgotten_for_names_that_clients_make_up() -> None:
    targets = Targets(lambda: 0.0)
    kept = targets.route("chat")
    for number in range(2 * MAX_ROUTES):
        targets.route(f"one/made-up-{number}")
        targets.route("chat")

    assert targets.route("chat") is kept
    assert len(targets._routes) == MAX_ROUTES
