"""Google's `generateContent` and `streamGenerateContent`, as the Gemini API and Vertex AI speak it.

https://ai.google.dev/api/generate-content and the types of the official SDK (google-genai 3.4.0), read 2026-11-25.
The path names the model and says whether the answer streams: whoever reads a request puts both among its fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from costspan.dialects.gemini_generate.defaults import defaults
from costspan.dialects.gemini_generate.errors import decode_error, encode_error, encode_stream_error
from costspan.dialects.gemini_generate.peek import peek
from costspan.dialects.gemini_generate.read_request import decode_request
from costspan.dialects.gemini_generate.reply import decode_reply, encode_reply, summarize
from costspan.dialects.gemini_generate.stream import MARKERS, Decoder
from costspan.dialects.gemini_generate.stream_encoder import Encoder
from costspan.dialects.gemini_generate.usage import read_usage
from costspan.dialects.gemini_generate.vocabulary import NAME
from costspan.dialects.gemini_generate.words import WORDS
from costspan.dialects.gemini_generate.write_request import encode_request
from costspan.dialects.types import PLAIN

if TYPE_CHECKING:
    from costspan.dialects.types import Profile, StreamDecoder, StreamEncoder, StreamOptions

OPERATION = "chat"
MODEL_IN_BODY = False
USAGE_PATHS: tuple[tuple[str, ...], ...] = (("usageMetadata",),)

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

_COLLECTIONS = ("models", "tunedModels")


def path(model: str, *, stream: bool) -> str:
    """Where it is served, below a provider's base URL. `model` may name its collection: `tunedModels/x`."""
    collection, slash, name = model.partition("/")
    if not slash or collection not in _COLLECTIONS:
        collection, name = "models", model
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"/{collection}/{quote(name, safe='')}:{method}"


def new_decoder(profile: Profile = PLAIN) -> StreamDecoder:  # noqa: ARG001 - no host of this dialect has quirks yet
    """A decoder for one upstream stream."""
    return Decoder()


def new_encoder(options: StreamOptions) -> StreamEncoder:
    """An encoder for one client stream."""
    return Encoder(options)
