"""Mistral's `/v1/chat/completions`, as an upstream: openai-chat with differences (docs/adr/0013).

What is the same is OpenAI's package, imported; here are the differences alone.
"""

from __future__ import annotations

from costspan.dialects.mistral_chat.reply import MARKERS, decode_error, decode_reply, new_decoder, read_usage, summarize
from costspan.dialects.mistral_chat.request import encode_request
from costspan.dialects.mistral_chat.vocabulary import NAME
from costspan.dialects.openai_chat import path

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
