"""Cohere's `/v2/chat`, as an upstream."""

from __future__ import annotations

from costspan.dialects.cohere_chat.reply import decode_error, decode_reply, read_usage, summarize
from costspan.dialects.cohere_chat.request import encode_request
from costspan.dialects.cohere_chat.stream import MARKERS, new_decoder
from costspan.dialects.cohere_chat.vocabulary import NAME

OPERATION = "chat"
MODEL_IN_BODY = True

__all__ = [
    "MARKERS",
    "MODEL_IN_BODY",
    "NAME",
    "OPERATION",
    "decode_error",
    "decode_reply",
    "encode_request",
    "new_decoder",
    "path",
    "read_usage",
    "summarize",
]


def path(model: str, *, stream: bool) -> str:  # noqa: ARG001 - the body names both
    """Where it is served, below a provider's base URL (`https://api.cohere.com/v2`)."""
    return "/chat"
