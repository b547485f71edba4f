"""Where the part of a prompt ends that may be cached: `cache_control` at OpenRouter, a breakpoint at OpenAI.

`prompt_cache_breakpoint` on parts of content, "gpt-5.6 and later", kept for half an hour or for twelve (SDK openai
3.54.0, read 2026-11-25).
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from costspan.ir.request import Cache

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.wire import json

_MODELS: Final = re.compile(r"gpt-(5\.([6-9]|\d\d)|[6-9]|\d\d)")
_TTLS_IN: Final[Mapping[str, str]] = MappingProxyType({"12h": "1h"})
_TTLS_OUT: Final[Mapping[str, str]] = MappingProxyType({"1h": "12h"})
"""Each promises at least what was asked for; what is not here is left to the provider."""


def takes_breakpoints(model: str) -> bool:
    """Whether the model takes OpenAI's marker; a host's prefix (`openai/gpt-5.6`) is left off."""
    return bool(_MODELS.match(model.rpartition("/")[2].lower()))


def read_marker(holder: json.Object) -> Cache | None:
    """The marker on a part, a message, a call or a tool: OpenRouter's, in Anthropic's words, or OpenAI's."""
    marker, words = holder.get("cache_control"), None
    if not isinstance(marker, dict):
        marker, words = holder.get("prompt_cache_breakpoint"), _TTLS_IN
    if not isinstance(marker, dict):
        return None
    ttl = marker.get("ttl")
    if not isinstance(ttl, str):
        return Cache()
    return Cache(ttl if words is None else words.get(ttl))


def cache_control(cache: Cache) -> json.Object:
    """OpenRouter's marker, as the field of a part."""
    return {"cache_control": {"type": "ephemeral"} | ({} if cache.ttl is None else {"ttl": cache.ttl})}


def breakpoint_of(cache: Cache) -> json.Object:
    """OpenAI's."""
    ttl = _TTLS_OUT.get(cache.ttl or "")
    return {"prompt_cache_breakpoint": {"mode": "explicit"} | ({} if ttl is None else {"ttl": ttl})}
