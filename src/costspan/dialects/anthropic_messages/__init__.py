"""Anthropic's Messages API. https://platform.claude.com/docs/en/api/messages."""

from costspan.dialects.anthropic_messages.errors import decode_error, encode_error, encode_stream_error
from costspan.dialects.anthropic_messages.peek import peek
from costspan.dialects.anthropic_messages.stream import MARKERS, new_decoder
from costspan.dialects.anthropic_messages.usage import read_usage
from costspan.dialects.anthropic_messages.vocabulary import NAME

__all__ = [
    "MARKERS",
    "NAME",
    "decode_error",
    "encode_error",
    "encode_stream_error",
    "new_decoder",
    "peek",
    "read_usage",
]
