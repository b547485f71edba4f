"""Which of an account's keys to use: keys that were refused or told to wait stand back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costspan.providers.account import Account, Revealable

_log = logging.getLogger(__name__)

LONGEST_COOLDOWN = 300.0
DEFAULT_COOLDOWN = 5.0


class KeyRing:
    """The keys of all accounts. State is by key value's identity in the account, so it survives a reload."""

    def __init__(self) -> None:
        self._turn: dict[str, int] = {}
        self._until: dict[tuple[str, Revealable], float] = {}

    def choose(self, account: Account, now: float) -> Revealable | None:
        """The next key in turn that is not standing back; when all are, the one that is free first."""
        if len(account.keys) <= 1:
            return account.keys[0] if account.keys else None
        turn = self._turn.get(account.name, -1) + 1
        self._turn[account.name] = turn
        count = len(account.keys)
        order = [account.keys[(turn + i) % count] for i in range(count)]
        return min(order, key=lambda key: max(self._until.get((account.name, key), 0.0), now))

    def cool(self, account: Account, key: Revealable, now: float, retry_after: float | None) -> None:
        """A 429 came: this key waits."""
        wait = min(DEFAULT_COOLDOWN if retry_after is None else max(retry_after, 0.0), LONGEST_COOLDOWN)
        self._until[account.name, key] = now + wait
        _log.info("provider %s: key %s waits for %g s after a 429", account.name, _number(account, key), wait)

    def refuse(self, account: Account, key: Revealable) -> None:
        """The provider does not accept this key: it is out until its value changes."""
        self._until[account.name, key] = float("inf")
        _log.warning(
            "provider %s does not accept key %s; it is used last until its value changes",
            account.name,
            _number(account, key),
        )

    def any_ready(self, account: Account, now: float) -> bool:
        """Whether the account has a key that may be used at `now`, or needs none."""
        return not account.keys or any(self._until.get((account.name, key), 0.0) <= now for key in account.keys)


def _number(account: Account, key: Revealable) -> str:
    """Which key of the pool it is, without showing anything of it."""
    return f"{account.keys.index(key) + 1} of {len(account.keys)}" if key in account.keys else "of an earlier pool"
