"""Cohere's embedding models on Bedrock (InvokeModel).

The body is that of Cohere's own interface without the model, and the answer's tokens stand in a header instead of the
body: so does the official SDK (cohere 7.3.0, aws_client.py, `map_request_to_bedrock` and `map_token_counts`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from costspan.dialects.embeddings import cohere_shapes
from costspan.dialects.embeddings.bedrock_errors import decode_error
from costspan.dialects.types import PLAIN, Encoded, Summary
from costspan.ir.usage import Usage
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.dialects.types import Profile
    from costspan.ir.embedding import EmbeddingReply, EmbeddingRequest

__all__ = [
    "MODEL_IN_BODY",
    "NAME",
    "OPERATION",
    "decode_error",
    "decode_reply",
    "encode_request",
    "path",
    "read_usage",
    "summarize",
    "usage_of_headers",
]

NAME = "bedrock-cohere-embed"
OPERATION = "embeddings"
MODEL_IN_BODY = False

_INPUT_TOKENS: Final = "x-amzn-bedrock-input-token-count"


def path(model: str, *, stream: bool) -> str:  # noqa: ARG001 - embeddings do not stream
    """Where it is served, below a provider's base URL."""
    return f"/model/{quote(model, safe='')}/invoke"


def encode_request(request: EmbeddingRequest, profile: Profile = PLAIN) -> Encoded:  # noqa: ARG001 - one host
    """Write `request` for an upstream. Raises `Untranslatable` where leaving out would change the meaning."""
    body, losses = cohere_shapes.write(request, NAME)
    return Encoded(json.dumps(body), losses)


def decode_reply(body: json.Object, profile: Profile = PLAIN) -> EmbeddingReply:
    """Read an upstream's answer, tolerantly. Raises `Malformed` when it holds no embeddings."""
    return cohere_shapes.read(body, read_usage(body, profile))


def summarize(body: json.Object, profile: Profile = PLAIN) -> Summary:
    """Read what the books need. Raises `Malformed` when the answer holds no embeddings."""
    return cohere_shapes.summary(body, read_usage(body, profile))


def read_usage(body: json.Object, profile: Profile = PLAIN) -> Usage | None:  # noqa: ARG001 - nothing to read
    """None: see `usage_of_headers`."""
    return None


def usage_of_headers(headers: Mapping[str, str]) -> Usage | None:
    """Usage as the answer's headers (names in lower case) tell it."""
    told = headers.get(_INPUT_TOKENS, "")
    return Usage({"input": int(told)}) if told.isascii() and told.isdecimal() else None
