"""The connections to providers, shared over snapshots: an unchanged account keeps its pool across a reload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.transport.pool import Pool
from costspan.transport.tls import default_context

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costspan.providers.account import Account
    from costspan.wire.http import Connector


class Connections:
    """One pool for each account: its name and its address are what it is known by.

    A pool has no bound of its own: how many attempts an account may have is seen to before they begin.
    """

    def __init__(self) -> None:
        self._pools: dict[str, Connector] = {}

    def of(self, account: Account) -> Connector:
        """The connector for `account`, made when first needed."""
        found = self._pools.get(account.place)
        if found is None:
            found = self._pools[account.place] = _connect(account)
        return found

    async def retire(self, accounts: Iterable[Account]) -> None:
        """Close the pools of accounts that are not among `accounts` any more; what is under way ends first."""
        kept = {account.place for account in accounts}
        for place in [place for place in self._pools if place not in kept]:
            await self._pools.pop(place).close()

    async def close(self) -> None:
        """Close all."""
        await self.retire(())


def _connect(account: Account) -> Connector:
    address = account.address
    if address.scheme == "mock":
        from costspan.mock.connector import MockConnector  # noqa: PLC0415 - only where it is configured

        return MockConnector()
    context = default_context() if address.scheme == "https" else None
    return Pool(address.scheme, address.host, address.port, ssl_context=context)
