"""What the engine needs of the outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from costspan.providers.account import Account
    from costspan.wire.http import Connector, Outgoing


class Connectors(Protocol):
    """The connections to each account."""

    def of(self, account: Account) -> Connector:
        """The connector for `account`."""


class Authorities(Protocol):
    """What signs requests to a cloud, for accounts that have no key of their own."""

    async def authorize(self, account: Account, outgoing: Outgoing) -> Outgoing:
        """`outgoing` with what proves who we are. Raises `UpstreamError` (`credentials_error`, not reached)."""

    def refused(self, account: Account) -> None:
        """The provider did not accept what `authorize` proved."""

    def secrets(self, account: Account) -> tuple[str, ...]:
        """What requests of `account` are signed with now."""
