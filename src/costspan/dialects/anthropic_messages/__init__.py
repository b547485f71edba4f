"""Anthropic's Messages API. https://platform.claude.com/docs/en/api/messages."""

from costspan.dialects.anthropic_messages.encoder import new_encoder
from costspan.dialects.anthropic_messages.errors import decode_error, encode_error, encode_stream_error
from costspan.dialects.anthropic_messages.peek import peek
from costspan.dialects.anthropic_messages.reply import decode_reply, encode_reply, summarize
from costspan.dialects.anthropic_messages.request_decode import decode_request
from costspan.dialects.anthropic_messages.request_encode import encode_request
from costspan.dialects.anthropic_messages.stream import MARKERS, new_decoder
from costspan.dialects.anthropic_messages.usage import read_usage
from costspan.dialects.anthropic_messages.vocabulary import NAME

__all__ = [
    "MARKERS",
    "NAME",
    "decode_error",
    "decode_reply",
    "decode_request",
    "encode_error",
    "encode_reply",
    "encode_request",
    "encode_stream_error",
    "new_decoder",
    "new_encoder",
    "peek",
    "read_usage",
    "summarize",
]
