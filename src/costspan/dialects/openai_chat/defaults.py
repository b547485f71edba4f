"""A route's params, where a request lacks them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.wire import json

_MAX_TOKENS: Final = frozenset({"max_tokens", "max_completion_tokens"})


def defaults(body: json.Object, params: Mapping[str, object]) -> json.Object:
    """Those of `params` that `body` has no word of. A limit under either of its names is a limit."""
    limited = not _MAX_TOKENS.isdisjoint(body)
    return {k: v for k, v in params.items() if k not in body and not (limited and k in _MAX_TOKENS)}
