"""What one request wishes of its targets: from a route's tree to a smaller one, or to one in another order.

Pure, and never wider: targets can be left out, put in another order and held to lower ceilings. None is added, and no
ceiling of a route is raised. Trees are shared by all requests for a name, so these are new ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from costspan.errors import ClientError
from costspan.routing.plan import DIRECT, NO_CEILINGS, Branch, Ceilings, Matched, Step, weighs_cost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Sort = Literal["cheapest", "fastest"]

_ALSO_ON = frozenset({"context_length", "content_filter"})
"""Failures after which a list of models goes on, besides those of the routes: whoever gives such a list wants the next
model also where this one cannot take the prompt (openrouter.ai/docs/guides/routing/model-fallbacks, 2026-11-26)."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """Providers are named as in the configuration; a name of the client's may stand for several of them."""

    order: tuple[frozenset[str], ...] = ()
    """To be asked first, one after the other; then the others in the order of their route."""
    only: frozenset[str] | None = None
    """No others. None: all."""
    ignore: frozenset[str] = frozenset()
    sort: Sort | None = None
    """Instead of the route's strategy, over all its targets."""
    across: bool = False
    """Whether the targets of all models are sorted together, instead of model by model."""
    alone: bool = False
    """Whether no other provider may stand in: none but those of `order`, or without it the first target alone."""
    ceilings: Ceilings = NO_CEILINGS

    def keeps(self, step: Step) -> bool:
        """Whether the target may be asked."""
        return step.provider not in self.ignore and (self.only is None or step.provider in self.only)


NO_WISHES = Wishes()


def refined(found: Sequence[Matched], wishes: Wishes) -> Matched:
    """What the first of `found` led to, under `wishes`, with the others as its fallbacks.

    Time limits and the name in the books are those of the first. Raises `ClientError` when no target is left.
    """
    first = found[0]
    trees = [match.tree for match in found]
    if len(trees) > 1:
        trees = [_each(tree, _goes_on) for tree in trees]
        if wishes.across and wishes.sort is not None:
            trees = [Branch(first.tree.route, "fallback", tuple(trees))]
    kept = [tree for each in trees if (tree := _wished(each, wishes)) is not None]
    if not kept:
        raise ClientError(
            "no target of this model is left by the request's 'provider'",
            status=404,
            code="no_eligible_target",
            param="provider",
        )
    tree = kept[0] if len(kept) == 1 else Branch(first.tree.route, "fallback", tuple(kept))
    return replace(first, tree=tree, weighs_cost=weighs_cost(tree), goes_beyond=len(found) > 1)


def _goes_on(step: Step) -> Step:
    policy = step.policy
    return replace(step, policy=replace(policy, fallback_on=policy.fallback_on | _ALSO_ON))


def _wished(tree: Branch, wishes: Wishes) -> Branch | None:
    kept = _only(tree, wishes.keeps)
    if kept is None:
        return None
    if wishes.ceilings != NO_CEILINGS:
        kept = _each(kept, lambda step: replace(step, ceilings=step.ceilings.within(wishes.ceilings)))
    if wishes.sort is not None:
        kept = _sorted(kept, wishes.sort)
    if wishes.order:
        return _ordered(kept, wishes)
    return replace(kept, alone=True) if wishes.alone else kept


def _only(branch: Branch, keeps: Callable[[Step], bool]) -> Branch | None:
    """`branch` without the targets that `keeps` refuses; None when there is none left."""
    members: list[Step | Branch] = []
    weights: list[float] = []
    for position, member in enumerate(branch.members):
        kept = _only(member, keeps) if isinstance(member, Branch) else member if keeps(member) else None
        if kept is not None:
            members.append(kept)
            weights.append(branch.weights[position] if branch.weights else 1.0)
    return replace(branch, members=tuple(members), weights=tuple(weights)) if members else None


def _each(branch: Branch, change: Callable[[Step], Step]) -> Branch:
    """`branch` with `change` made to each target."""
    return replace(
        branch,
        members=tuple(
            _each(member, change) if isinstance(member, Branch) else change(member) for member in branch.members
        ),
    )


def _sorted(branch: Branch, sort: Sort) -> Branch:
    """All targets of `branch`, however its routes nest, under one strategy. It ends a race: one is asked at a time."""
    if branch.strategy == DIRECT:
        return branch
    return Branch(branch.route, sort, branch.targets())


def _ordered(branch: Branch, wishes: Wishes) -> Branch | None:
    """The providers of the order, each with its targets as the route would ask them, then the rest."""
    parts: list[Branch] = []
    left: Branch | None = branch
    for providers in wishes.order:
        if left is None:
            break
        if (part := _only(left, Wishes(only=providers).keeps)) is not None:
            parts.append(part)
            left = _only(left, Wishes(ignore=providers).keeps)
    if left is not None and not wishes.alone:
        parts.append(left)
    if len(parts) == 1:
        return parts[0]
    return Branch(branch.route, "fallback", tuple(parts)) if parts else None
