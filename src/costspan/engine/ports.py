"""What the engine needs of the outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from costspan.providers.account import Account
    from costspan.wire.http import Connector


class Connectors(Protocol):
    """The connections to each account."""

    def of(self, account: Account) -> Connector:
        """The connector for `account`."""
