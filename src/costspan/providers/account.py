"""A configured account at a provider: where it is and how a request gets there. Nothing here opens a connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from costspan.providers.hosts import Kind


class Revealable(Protocol):
    """A secret that shows itself only when asked."""

    def reveal(self) -> str:
        """The value."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where an account's API is. `base_path` has no trailing slash."""

    scheme: str
    host: str
    port: int
    base_path: str


@dataclass(frozen=True, slots=True)
class Account:
    """One entry of `providers:`, resolved. Equal accounts share connections and statistics across a reload."""

    name: str
    kind: Kind
    address: Address
    keys: tuple[Revealable, ...]
    headers: tuple[tuple[str, Revealable | str], ...]
    discount: Decimal
    price_as: str | None
    dialects: tuple[str, ...]
    abort_stops_billing: bool
    propagate_trace: bool
    max_concurrency: int | None
    timeouts: tuple[tuple[str, float], ...] = ()
    """Phases (`connect`, `first_token`, `idle`) that differ from the route's, in seconds."""

    @property
    def catalog(self) -> str | None:
        """Whose prices hold: `free`, the name of a provider in the catalog, or None for none."""
        return self.kind.catalog if self.price_as in {None, "provider"} else self.price_as

    def dialect_for(self, client: str) -> str:
        """The dialect to use towards it: the client's own where it speaks that, else its preferred one."""
        return client if client in self.dialects else self.dialects[0]


def request_headers(account: Account, key: str | None, forwarded: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Headers of a request to `account`: what may pass of the client's, the kind's, the configured ones, the key.

    The configured ones win over the client's; the key wins over all.
    """
    headers = dict(account.kind.headers)
    headers.update(forwarded)
    headers["accept-encoding"] = "identity"
    headers["content-type"] = "application/json"
    headers.update((name, value if isinstance(value, str) else value.reveal()) for name, value in account.headers)
    if key is not None and account.kind.auth == "bearer":
        headers["authorization"] = f"Bearer {key}"
    elif key is not None and account.kind.auth == "x-api-key":
        headers["x-api-key"] = key
    return list(headers.items())
