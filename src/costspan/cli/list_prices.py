"""List prices for what a ledger has no rate of, read from the configuration when they are first asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from costspan.billing.amounts import divide
from costspan.cli import price_book
from costspan.errors import ConfigError
from costspan.ir.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.cli.source import Source
    from costspan.providers.account import Account

_NOTHING: Final = Usage()
_NOON: Final = time(12)


class ListPrices:
    """What the configuration and the catalog say a token costs. Without a valid configuration nothing has a price."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._prices: price_book.Prices | None = None
        self._read = False
        self.provider: str | None = None
        """The account that is meant; without it the first of one of `kinds`."""
        self.kinds: frozenset[str] = frozenset()

    def rate(self, model: str, bucket: str, day: date) -> Decimal | None:
        """USD per token or unit, discounts taken off; None where there is no price."""
        at = datetime.combine(day, _NOON, UTC)
        prices = self._all()
        account = next(self._accounts(), None)
        if prices is None or account is None:
            return None
        price = prices.snapshot.price(account, model, at)
        if price is None:
            return None
        plan = price.plan(_NOTHING, None, at)
        if bucket in plan.units:
            fee, size = plan.units[bucket]
            return divide(fee, size)
        return plan.tokens.get(bucket)

    def discount(self) -> Decimal:
        """The fraction that the configuration takes off the account's list prices."""
        account = next(self._accounts(), None)
        return account.discount if account else Decimal(0)

    def _accounts(self) -> Iterator[Account]:
        prices = self._all()
        for account in prices.snapshot.accounts.values() if prices else ():
            if account.name == self.provider or (self.provider is None and account.kind.name in self.kinds):
                yield account

    def _all(self) -> price_book.Prices | None:
        if not self._read:
            self._read = True
            try:
                self._prices = price_book.read(self._source)
            except ConfigError:
                self._prices = None
        return self._prices
