"""A provider at its base URL: the dialect's own path below it, the body as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from costspan.providers.account import request_headers
from costspan.wire.http import Outgoing

if TYPE_CHECKING:
    from costspan.providers.account import Account
    from costspan.providers.ways.asked import Asked


def outgoing(account: Account, asked: Asked) -> Outgoing:
    """The dialect's path below the base URL."""
    headers = request_headers(account, asked.key, asked.forwarded, asked.content_type)
    return Outgoing("POST", account.address.base_path + asked.path, headers, asked.body)


def framing(dialect: str, *, stream: bool) -> Literal["sse"]:  # noqa: ARG001 - the protocol's parameters
    """Server-sent events, whatever the dialect."""
    return "sse"
