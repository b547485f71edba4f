"""Accounts without a file."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from costspan.providers.account import Account, Cloud
from costspan.providers.address import address_of
from costspan.providers.hosts import KINDS


@dataclass(frozen=True, slots=True)
class Key:
    """A secret that is none."""

    value: str

    def reveal(self) -> str:
        return self.value


NOWHERE = Cloud()
IN_EUROPE = Cloud(project="my-project", location="europe-west1")
IN_AMERICA = Cloud(region="us-east-1")


def account(
    kind: str, base_url: str | None = None, cloud: Cloud = NOWHERE, *, keys: tuple[str, ...] = (), name: str = "mine"
) -> Account:
    """An account of `kind` as the file would make it."""
    found = KINDS[kind]
    address = address_of(found, base_url, cloud)
    assert address is not None
    return Account(
        name=name,
        kind=found,
        address=address,
        keys=tuple(map(Key, keys)),
        headers=(),
        discount=Decimal(0),
        price_as=None,
        dialects=found.dialects,
        abort_stops_billing=found.abort_stops_billing,
        abort_stops_whole=found.abort_stops_whole,
        propagate_trace=False,
        max_concurrency=None,
        cloud=cloud,
        rules=found.rules,
    )
