"""Anthropic's Messages API. https://platform.claude.com/docs/en/api/messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects.anthropic_messages.encoder import new_encoder
from costspan.dialects.anthropic_messages.errors import decode_error, encode_error, encode_stream_error
from costspan.dialects.anthropic_messages.peek import peek
from costspan.dialects.anthropic_messages.reply import decode_reply, encode_reply, summarize
from costspan.dialects.anthropic_messages.request_decode import decode_request
from costspan.dialects.anthropic_messages.request_encode import encode_request
from costspan.dialects.anthropic_messages.stream import MARKERS, new_decoder
from costspan.dialects.anthropic_messages.usage import read_usage
from costspan.dialects.anthropic_messages.vocabulary import NAME
from costspan.dialects.anthropic_messages.words import WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.wire import json

OPERATION = "chat"
MODEL_IN_BODY = True
USAGE_PATHS: tuple[tuple[str, ...], ...] = (("usage",),)

_NAMES = {"max_completion_tokens": "max_tokens", "stop": "stop_sequences"}

__all__ = [
    "MARKERS",
    "MODEL_IN_BODY",
    "NAME",
    "OPERATION",
    "USAGE_PATHS",
    "WORDS",
    "decode_error",
    "decode_reply",
    "decode_request",
    "defaults",
    "encode_error",
    "encode_reply",
    "encode_request",
    "encode_stream_error",
    "new_decoder",
    "new_encoder",
    "path",
    "peek",
    "read_usage",
    "summarize",
]


def path(model: str, *, stream: bool) -> str:  # noqa: ARG001 - the body names the model
    """Where it is served, below a provider's base URL."""
    return "/messages"


def defaults(body: json.Object, params: Mapping[str, object]) -> json.Object:
    """A route's params that `body` has no word of. OpenAI's other names for what this dialect has are taken too."""
    named = {_NAMES.get(name, name): value for name, value in params.items()}
    return {name: value for name, value in named.items() if name not in body}
