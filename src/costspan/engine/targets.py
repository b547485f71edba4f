"""What one process remembers of its targets: how well they are, how fast, and what requests there tend to use.

Kept by label (`provider/model`) while the account's address stays the same, so that a reload changes nothing. Model
names come from clients, so the memory is bounded: who was not asked for longest is forgotten first.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice
from typing import TYPE_CHECKING

from costspan.routing.bounded import used
from costspan.routing.breaker import LAST_RESORT_PAUSE, Breaker, Ticket
from costspan.routing.expectation import Expectations
from costspan.routing.explore import Explorer
from costspan.routing.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Callable

    from costspan.providers.account import Account, Address

MAX_TARGETS = 4096
MAX_ROUTES = 1024
FIRST_ANSWERS = 32
ONE_OF = 8
HEDGED_SHARE = 0.05
"""Of a route's requests, how many may start a further attempt because the first is slower than usual."""
MAX_SAVED = 10.0
_HEALTH = {"closed": 1.0, "half_open": 0.5, "open": 0.0}


class Target:
    """One target's state. Times are monotonic seconds."""

    __slots__ = ("_answers", "address", "breaker", "label", "timing", "unjudged", "usual")

    def __init__(self, label: str, address: Address, pick: Callable[[], float]) -> None:
        self.label = label
        self.address = address
        self.breaker = Breaker(pick)
        self.timing = Timing()
        self.unjudged = Ticket(era=-1, is_probe=False)
        """For attempts that say nothing of the target's health."""
        self.usual: dict[bool, float | None] = {}
        """What 95 % of its answers stay below, streamed and not, as it was when it last answered."""
        self._answers = 0

    def is_at(self, address: Address) -> bool:
        """Whether it was asked there."""
        return self.address is address or self.address == address  # mostly the same object until a reload

    def is_news(self) -> bool:
        """Whether what one more answer used is worth learning where no choice hangs on it: the first, then some."""
        self._answers += 1
        return self._answers <= FIRST_ANSWERS or self._answers % ONE_OF == 0


class Route:
    """What is kept by route: whose turn it is to be tried again, and how many further attempts are still free."""

    __slots__ = ("_saved", "explorer")

    def __init__(self) -> None:
        self.explorer = Explorer()
        self._saved = 0.0

    def raced(self) -> None:
        """A request that may start a second attempt has come."""
        self._saved = min(self._saved + HEDGED_SHARE, MAX_SAVED)

    @property
    def may_hedge(self) -> bool:
        """Whether the share of further attempts allows one now."""
        return self._saved >= 1

    def hedged(self) -> None:
        """A further attempt was started, for one that was very late also without a right to it."""
        self._saved = max(self._saved - 1, -MAX_SAVED)


class Targets:
    """The memory. One for the process."""

    def __init__(self, pick: Callable[[], float]) -> None:
        self._pick = pick
        self._targets: dict[str, Target] = {}
        self._routes: OrderedDict[str, Route] = OrderedDict()
        self._last_resorts: dict[str, float] = {}
        self.expectations = Expectations()

    def of(self, label: str, account: Account) -> Target:
        """The state of a target, new where it is not known at this address."""
        target = self._targets.pop(label, None)
        if target is None or not target.is_at(account.address):
            target = Target(label, account.address, self._pick)
        self._targets[label] = target  # the one used last is at the end
        if len(self._targets) > MAX_TARGETS:
            del self._targets[next(iter(self._targets))]
        return target

    def apart(self, label: str, account: Account) -> Target:
        """A target of which nothing is known, and nothing will be remembered."""
        return Target(label, account.address, self._pick)

    def known(self, label: str, account: Account) -> Target | None:
        """The state of a target that was asked before."""
        target = self._targets.get(label)
        return None if target is None or not target.is_at(account.address) else target

    def newest(self, most: int) -> list[Target]:
        """Those that were asked last, newest first."""
        return list(islice(reversed(self._targets.values()), most))

    def __len__(self) -> int:
        return len(self._targets)

    def known_route(self, name: str) -> Route | None:
        """The state of a route that was asked for before."""
        return self._routes.get(name)

    def route(self, name: str) -> Route:
        """The state of a route."""
        return used(self._routes, name, Route, MAX_ROUTES)

    def forget(self) -> None:
        """Begin anew with all targets: they are well, and nobody knows how fast."""
        self._targets.clear()
        self._last_resorts.clear()

    def health(self, now: float) -> dict[tuple[str, str], float]:
        """By provider and model: 1 well, 0.5 to be tried again, 0 left alone. May be called on any thread."""
        found: dict[tuple[str, str], float] = {}
        for label, target in list(self._targets.items()):
            provider, _, model = label.partition("/")
            found[provider, model] = _HEALTH[target.breaker.state(now)]
        return found

    def last_resort(self, provider: str, now: float) -> bool:
        """Whether an account whose keys all stand back may be asked, for want of any other."""
        if now - self._last_resorts.get(provider, float("-inf")) < LAST_RESORT_PAUSE:
            return False
        self._last_resorts[provider] = now
        return True
