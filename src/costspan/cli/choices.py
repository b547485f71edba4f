"""What `costspan check` says of choices and ceilings: who is never chosen for want of a price, budgets, limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.routing.budget import IN_WORDS
from costspan.routing.plan import Leaf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from costspan.routing.budget import Budget
    from costspan.routing.limits import Limits
    from costspan.snapshot import Snapshot
    from costspan.wire import json


def doubts(snapshot: Snapshot, now: datetime) -> Iterator[str]:
    """Say of each route what the missing price of a target means there.

    Of targets whose model is the one asked for nothing is known here.
    """
    for route in snapshot.table.routes.values():
        leaves = [member for member in route.members if isinstance(member, Leaf) and "{model}" not in member.model]
        unpriced = [
            f"{leaf.provider}/{leaf.model}"
            for leaf in leaves
            if snapshot.price(snapshot.accounts[leaf.provider], leaf.model, now) is None
        ]
        if not unpriced:
            continue
        names, one = ", ".join(dict.fromkeys(unpriced)), len(unpriced) == 1
        has = f"routes.{route.name}: {names} {'has' if one else 'have'} no price"
        if route.ceilings.input is not None or route.ceilings.output is not None:
            nobody = len(unpriced) == len(route.members)
            yield f"{has}, so max_price leaves {'it' if one else 'them'} out" + (
                "; nobody is left, and every request is answered with 404" if nobody else ""
            )
        elif route.strategy == "cheapest" and len(route.members) > 1:
            yield f"{has}, so the strategy cheapest asks {'it' if one else 'them'} last"
        if route.race is not None and route.race.max_extra_usd is not None:
            yield f"{has}, so max_extra_usd lets no race begin where {'it' if one else 'one of them'} would be next"


def budget_lines(budgets: Sequence[Budget]) -> Iterator[str]:
    """Write one line for each: whose spending, how much, and what happens then."""
    for budget in budgets:
        whose = ", ".join(f"{name}={value}" for name, value in budget.match.items()) or "all requests"
        then = f"then route {budget.route}" if budget.route is not None else "then 402"
        shared = f"; shared by {budget.shared}" if budget.shared is not None else ""
        yield f"budget {budget.name}: {budget.usd.normalize():f} USD {IN_WORDS[budget.per]}, {whose}; {then}{shared}"


def limit_lines(limits: Sequence[tuple[str, Limits]]) -> Iterator[str]:
    """Write one line for each client key that has any, by its name."""
    for name, limit in limits:
        told = (
            (limit.requests, "requests a minute"),
            (limit.tokens, "tokens a minute"),
            (limit.concurrency, "requests at one time"),
        )
        yield f"key {name}: at most " + ", ".join(f"{most} {what}" for most, what in told if most is not None)


def budget_objects(budgets: Sequence[Budget]) -> list[json.Object]:
    """For programs. Money and shares are decimal strings."""
    return [
        {
            "name": budget.name,
            "match": dict(budget.match),
            "usd": f"{budget.usd.normalize():f}",
            "per": budget.per,
            "warn_at": f"{budget.warn_at.normalize():f}",
            "route": budget.route,
            "shared": budget.shared,
        }
        for budget in budgets
    ]


def limit_objects(limits: Sequence[tuple[str, Limits]]) -> list[json.Object]:
    """For programs. What is null is not limited."""
    return [
        {
            "key": name,
            "requests_per_minute": limit.requests,
            "tokens_per_minute": limit.tokens,
            "concurrency": limit.concurrency,
        }
        for name, limit in limits
    ]
