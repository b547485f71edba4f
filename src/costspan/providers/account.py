"""A configured account at a provider: where it is, what it speaks. Nothing here opens a connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from costspan.providers.kind import spoken

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from decimal import Decimal

    from costspan.providers.kind import Kind, Rule


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
class Cloud:
    """Which part of a cloud an account is in. What its kind does not use is None."""

    project: str | None = None
    location: str | None = None
    region: str | None = None
    api_version: str | None = None


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
    """What its models speak, of all operations, in order of preference; see `dialects_for`."""
    abort_stops_billing: bool
    """Whether closing the connection of a stream does."""
    abort_stops_whole: bool
    """Whether closing that of a whole answer does."""
    propagate_trace: bool
    max_concurrency: int | None
    timeouts: tuple[tuple[str, float], ...] = ()
    """Phases (`connect`, `first_token`, `idle`) that differ from the route's, in seconds."""
    cloud: Cloud = Cloud()
    rules: tuple[Rule, ...] = ()
    """Models that speak something else."""
    place: str = field(init=False, repr=False, compare=False)
    """Name and address, by which connections and keys are kept: in one string, which is hashed once."""

    def __post_init__(self) -> None:
        at = self.address
        place = f"{self.name}\n{at.scheme}\n{at.host}\n{at.port}\n{at.base_path}"
        object.__setattr__(self, "place", place)

    @property
    def catalog(self) -> str | None:
        """Whose prices hold: `free`, the name of a provider in the catalog, or None for none."""
        return self.kind.catalog if self.price_as in {None, "provider"} else self.price_as

    def dialects_for(self, model: str) -> tuple[str, ...]:
        """What `model` speaks here, of all operations, in order of preference."""
        return spoken(self.rules, self.dialects, model)

    def dialect_for(self, client: str, model: str, among: Collection[str]) -> str | None:
        """The dialect to use towards `model`: the client's own where that is spoken, else the preferred one.

        `among` are the dialects of the client's operation; None where the model speaks none of them.
        """
        names = self.dialects_for(model)
        if client in names:
            return client
        return next((name for name in names if name in among), None)


def request_headers(
    account: Account,
    key: str | None,
    forwarded: Iterable[tuple[str, str]],
    content_type: str | None = "application/json",
) -> list[tuple[str, str]]:
    """Headers of a request to `account`: what may pass of the client's, the kind's, the configured ones, the key.

    The configured ones win over the client's; the key wins over all. `content_type` None: the request has no body.
    """
    headers = dict(account.kind.headers)
    headers.update(forwarded)
    headers["accept-encoding"] = "identity"
    if content_type is None:
        headers.pop("content-type", None)
    else:
        headers["content-type"] = content_type
    headers.update((name, value if isinstance(value, str) else value.reveal()) for name, value in account.headers)
    auth = account.kind.auth
    if key is not None and auth == "bearer":
        headers["authorization"] = f"Bearer {key}"
    elif key is not None and auth != "none":
        headers[auth] = key
    return list(headers.items())
