"""OpenAI's `/v1/responses`, and the hosts that speak it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects.openai_responses.answer import encode_reply
from costspan.dialects.openai_responses.defaults import defaults
from costspan.dialects.openai_responses.errors import decode_error, encode_error, encode_stream_error
from costspan.dialects.openai_responses.peek import peek
from costspan.dialects.openai_responses.read_request import decode_request
from costspan.dialects.openai_responses.reply import decode_reply, summarize
from costspan.dialects.openai_responses.stream import MARKERS, Decoder
from costspan.dialects.openai_responses.stream_encoder import Encoder
from costspan.dialects.openai_responses.usage import read_usage
from costspan.dialects.openai_responses.vocabulary import NAME
from costspan.dialects.openai_responses.words import WORDS
from costspan.dialects.openai_responses.write_request import encode_request
from costspan.dialects.types import PLAIN

if TYPE_CHECKING:
    from costspan.dialects.types import Profile, StreamDecoder, StreamEncoder, StreamOptions

OPERATION = "chat"
MODEL_IN_BODY = True
USAGE_PATHS: tuple[tuple[str, ...], ...] = (("usage",), ("response", "usage"))

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
    return "/responses"


def new_decoder(profile: Profile = PLAIN) -> StreamDecoder:
    """A decoder for one upstream stream."""
    return Decoder(profile)


def new_encoder(options: StreamOptions) -> StreamEncoder:
    """An encoder for one client stream."""
    return Encoder(options)
