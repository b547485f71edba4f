"""Who can reach the gateway, and whether it may answer them without keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costspan.snapshot import Snapshot


def check_exposure(snapshot: Snapshot, listen: str | None) -> str | None:
    """Refuse to answer the network without keys, unless that was asked for in so many words.

    `listen` wins over the snapshot's address. Returns a warning, or None. Raises `ConfigError`.
    """
    from costspan.server.guard import is_loopback  # noqa: PLC0415 - serve starts the catalog's child before it
    from costspan.server.live import refuse  # noqa: PLC0415

    address = listen or snapshot.server.listen
    host = address if address.startswith("unix:") else address.rpartition(":")[0]
    if snapshot.keys or is_loopback(host):
        return None
    if snapshot.server.auth == "none":
        return f"server.auth is none: anyone who can reach {address} spends your money"
    raise refuse(
        "server.listen",
        f"{address} can be reached from other machines and there are no client keys: "
        "add keys (`costspan key new NAME`), listen on 127.0.0.1, or say server.auth: none",
    )
