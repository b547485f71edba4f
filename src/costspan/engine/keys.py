"""Which of an account's keys to use: the one with the least under way of those that do not stand back.

Three things make a key stand back. A 429 does for as long as the provider asks. A refusal (401, 402, 403) does until
the key's value changes, or the provider takes it after all. What the provider says is left of its limits makes a key
the second choice only, since that is a guess about a request that was not sent.

Keys of an account are known by its name, its address and their values: an equal value after a reload is the same key.
"""

from __future__ import annotations

import logging
import math
from collections import OrderedDict
from typing import TYPE_CHECKING

from costspan.providers import rate_limits
from costspan.providers.rate_limits import NO_NEED
from costspan.routing.bounded import put

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from costspan.providers.account import Account, Revealable
    from costspan.providers.rate_limits import Need, Remaining

_log = logging.getLogger(__name__)

LONGEST_COOLDOWN = 300.0
DEFAULT_COOLDOWN = 5.0
MAX_MODELS = 64
"""Models of which it is remembered, for each key, what is left of their limits: clients name them."""


class _State:
    """What is remembered of one key."""

    __slots__ = ("left", "out", "refusals", "under_way", "until")

    def __init__(self) -> None:
        self.until = 0.0
        """Monotonic seconds; a 429 keeps it back till then."""
        self.out = False
        """Whether the provider does not accept it."""
        self.refusals = 0
        self.under_way = 0
        """Attempts with it that have not ended."""
        self.left: OrderedDict[str, Remaining] = OrderedDict()
        """By model, the one heard of last at the end."""

    def ready_at(self, now: float) -> float:
        """When it may be used: `now`, later, or never."""
        return math.inf if self.out else max(self.until, now)

    def room_at(self, need: Need, now: float) -> float:
        """When its limits have room for `need`, as far as is known."""
        left = self.left.get(need.model)
        return now if left is None else max(left.until(need), now)

    def hear(self, model: str, left: Remaining) -> None:
        """Remember what is left for `model`, in place of what was known."""
        put(self.left, model, left, MAX_MODELS)


_UNUSED = _State()
"""Of keys of which nothing is known. Never changed."""


class Lease:
    """A key in use by one attempt, from `KeyRing.take` to `end`. One that is forgotten ends when it is collected."""

    __slots__ = ("_ended", "_model", "_refusals", "_state", "account", "key")

    def __init__(self, account: Account, key: Revealable | None, state: _State, model: str) -> None:
        self.account = account
        self.key = key
        """None where the account needs none."""
        self._model = model
        self._state = state
        self._refusals = state.refusals
        self._ended = False
        state.under_way += 1

    def __del__(self) -> None:
        self.end()

    def end(self) -> None:
        """The attempt has ended, however. Later calls do nothing."""
        if not self._ended:
            self._ended = True
            self._state.under_way -= 1

    def hear(self, headers: Mapping[str, str], now: float, wall: float) -> None:
        """The headers of the answer, of whatever status: they may say what is left. Names in lower case.

        `now` is the monotonic time and `wall` that since 1970, both in seconds.
        """
        left = rate_limits.read(headers, now, wall)
        if left is not None:
            self._state.hear(self._model, left)

    def accepted(self) -> None:
        """The provider took the key: one that was out when it was taken may be used again.

        An attempt that began before the refusal proves nothing: its key was checked before.
        """
        state = self._state
        if state.out and state.refusals == self._refusals:
            state.out = False
            _log.info("provider %s accepts key %s again", self.account.name, _number(self.account, self.key))


class _Pool:
    """The keys of one account."""

    __slots__ = ("last", "states")

    def __init__(self) -> None:
        self.last = -1
        """Place of the key that was chosen last."""
        self.states: dict[Revealable | None, _State] = {}

    def state(self, key: Revealable | None) -> _State:
        """What is remembered of `key`, to read."""
        return self.states.get(key, _UNUSED)

    def own(self, key: Revealable | None) -> _State:
        """What is remembered of `key`, to change."""
        found = self.states.get(key)
        if found is None:
            found = self.states[key] = _State()
        return found


class KeyRing:
    """The keys of all accounts. One for the process; use it from the event loop. All times are monotonic seconds."""

    def __init__(self) -> None:
        self._pools: dict[str, _Pool] = {}
        self._cooldowns: dict[tuple[str, str], int] = {}

    def take(self, account: Account, now: float, need: Need = NO_NEED) -> Lease:
        """Choose a key for an attempt that is expected to take `need`. End the lease when the attempt has ended."""
        key = self.choose(account, now, need)
        return Lease(account, key, self._pool(account).own(key), need.model)

    def choose(self, account: Account, now: float, need: Need = NO_NEED) -> Revealable | None:
        """The key to use next: ready, with room for `need`, least under way, in turn.

        When all stand back it is the one that is free first. None where the account needs none.
        """
        keys = account.keys
        if len(keys) <= 1:
            return keys[0] if keys else None
        pool = self._pool(account)
        count = len(keys)
        states = [pool.state(key) for key in keys]

        def rank(place: int) -> tuple[float, float, int, int]:
            state = states[place]
            in_turn = (place - pool.last - 1) % count
            return state.ready_at(now), state.room_at(need, now), state.under_way, in_turn

        pool.last = min(range(count), key=rank)
        return keys[pool.last]

    def cool(self, account: Account, key: Revealable | None, now: float, retry_after: float | None) -> None:
        """A 429 came: this key waits for `retry_after` seconds. An earlier 429 that asked for more still holds."""
        wait = min(DEFAULT_COOLDOWN if retry_after is None else max(retry_after, 0.0), LONGEST_COOLDOWN)
        state = self._pool(account).own(key)
        if state.ready_at(now) <= now < now + wait:  # else it waits already: many attempts may hear of one limit
            self._count(account, "rate_limit")
            _log.info("provider %s: key %s waits for %g s after a 429", account.name, _number(account, key), wait)
        state.until = max(state.until, now + wait)

    def refuse(self, account: Account, key: Revealable) -> None:
        """The provider does not accept this key: it is out until its value changes, or `Lease.accepted`."""
        state = self._pool(account).own(key)
        state.refusals += 1
        if state.out:
            return
        state.out = True
        self._count(account, "auth")
        _log.warning(
            "provider %s does not accept key %s; it is used last until its value changes",
            account.name,
            _number(account, key),
        )

    def any_ready(self, account: Account, now: float) -> bool:
        """Whether the account has a key that may be used at `now`, or needs none and is not told to wait."""
        return self.ready_at(account, now) <= now

    def ready_at(self, account: Account, now: float) -> float:
        """When the first of the account's keys may be used: `now`, later, or infinity when all are out."""
        pool = self._pools.get(account.place)
        if pool is None:
            return now
        keys = account.keys
        if len(keys) <= 1:
            return pool.state(keys[0] if keys else None).ready_at(now)
        return min([pool.state(key).ready_at(now) for key in keys])

    def standing(self, account: Account, now: float) -> tuple[int, int]:
        """How many of the account's keys may be used at `now`, and how many attempts are under way with any of them."""
        pool, keys = self._pools.get(account.place), account.keys or (None,)
        if pool is None:
            return len(keys), 0
        states = [pool.state(key) for key in keys]
        return sum(state.ready_at(now) <= now for state in states), sum(state.under_way for state in states)

    def limits(self, account: Account) -> bool:
        """Whether the provider has said what is left of any limit of its keys: else `limited` need not be asked."""
        pool = self._pools.get(account.place)
        return pool is not None and any(pool.state(key).left for key in account.keys or (None,))

    def limited(self, account: Account, need: Need, now: float) -> float:
        """Seconds until a key may be used that has room for `need`; 0 for now, infinity when all are out."""
        pool = self._pools.get(account.place)
        if pool is None:
            return 0.0
        states = [pool.state(key) for key in account.keys or (None,)]
        return min(max(state.ready_at(now), state.room_at(need, now)) for state in states) - now

    def retire(self, accounts: Iterable[Account]) -> None:
        """Forget what is none of `accounts`, and of those the keys that they no longer have. For after a reload."""
        kept: dict[str, _Pool] = {}
        for account in accounts:
            pool = self._pools.get(account.place)
            if pool is not None:
                keys = set(account.keys or (None,))
                pool.states = {key: state for key, state in pool.states.items() if key in keys}
                kept[account.place] = pool
        self._pools = kept

    @property
    def cooldowns(self) -> dict[tuple[str, str], int]:
        """How often keys began to stand back, by account name and reason (`rate_limit`, `auth`). On any thread."""
        return self._cooldowns.copy()

    def _pool(self, account: Account) -> _Pool:
        found = self._pools.get(account.place)
        if found is None:
            found = self._pools[account.place] = _Pool()
        return found

    def _count(self, account: Account, reason: str) -> None:
        key = (account.name, reason)
        self._cooldowns[key] = self._cooldowns.get(key, 0) + 1


def _number(account: Account, key: Revealable | None) -> str:
    """Which key of the pool it is, without showing anything of it."""
    if key is None:
        return "(none)"
    return f"{account.keys.index(key) + 1} of {len(account.keys)}" if key in account.keys else "of an earlier pool"
