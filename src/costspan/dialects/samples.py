"""A small request in each format of words, for whoever wants to try one. Without what says the model."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.wire import json

USUAL: Final = "openai-chat"
"""What most clients speak."""

_HELLO: Final = "Say hello."
_CHAT: Final = {"messages": [{"role": "user", "content": _HELLO}]}
_PARTS: Final = {"parts": [{"text": _HELLO}]}

SAMPLES: Mapping[str, json.Object] = MappingProxyType(
    {
        USUAL: _CHAT,
        "openai-responses": {"input": _HELLO},
        "anthropic-messages": {"max_tokens": 1024, **_CHAT},
        "gemini-generate": {"contents": [{"role": "user", **_PARTS}]},
        "openai-embeddings": {"input": _HELLO},
        "gemini-embed": {"content": _PARTS},
    }
)
"""By the format's name."""
