"""How a dialect's request gets to an account of each kind: full path, envelope of the body, headers, key.

A way is a module: pure functions of an account and a request. `plain` is every provider whose path is its base URL and
the dialect's own path; the others are clouds that serve dialects of theirs and of others at addresses of their own.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Protocol

from costspan.providers.ways import azure, bedrock, plain, vertex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.providers.account import Account
    from costspan.providers.ways.asked import Asked
    from costspan.wire.http import Outgoing

Framing = Literal["sse", "aws-converse", "aws-invoke"]
"""How a stream's events are framed: server-sent events, or AWS's binary frames with events of Converse or of a model's
own dialect inside."""


class Way(Protocol):
    """What the module of a way offers."""

    def outgoing(self, account: Account, asked: Asked) -> Outgoing:
        """The request as `account` takes it, but for the signature of a credential chain."""

    def framing(self, dialect: str, *, stream: bool) -> Framing:
        """How its answer is framed."""


_WAYS: Mapping[str, Way] = MappingProxyType({"plain": plain, "azure": azure, "bedrock": bedrock, "vertex": vertex})


def outgoing(account: Account, asked: Asked) -> Outgoing:
    """The request as `account` takes it, but for the signature of a credential chain."""
    return _WAYS[account.kind.way].outgoing(account, asked)


def framing(account: Account, dialect: str, *, stream: bool) -> Framing:
    """How the answer of `account` in `dialect` is framed."""
    return _WAYS[account.kind.way].framing(dialect, stream=stream)
