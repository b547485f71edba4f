"""Amazon Titan's embeddings of texts on Bedrock (InvokeModel): one text in a request.

Shapes: docs.aws.amazon.com/bedrock/latest/userguide, model-parameters-titan-embed-text and -embed-mm, read 2026-11-25.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from costspan.dialects.counts import Counts
from costspan.dialects.embeddings import requests, vectors
from costspan.dialects.embeddings.bedrock_errors import decode_error
from costspan.dialects.losses import beyond
from costspan.dialects.types import PLAIN, Encoded, Summary
from costspan.errors import Malformed, Untranslatable
from costspan.ir.embedding import EmbeddingReply
from costspan.ir.usage import Usage
from costspan.wire import json

if TYPE_CHECKING:
    from costspan.dialects.types import Profile
    from costspan.ir.embedding import EmbeddingRequest

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
]

NAME = "titan-embed"
OPERATION = "embeddings"
MODEL_IN_BODY = False

_FIRST_GENERATION: Final = ("titan-embed-text-v1", "titan-embed-g1-text")
"""Models that know `inputText` only: their vectors have one size."""
_ALSO_OF_IMAGES: Final = "titan-embed-image"
_ANSWER_FIELDS: Final = frozenset({"embedding", "embeddingsByType", "inputTextTokenCount"})


def path(model: str, *, stream: bool) -> str:  # noqa: ARG001 - embeddings do not stream
    """Where it is served, below a provider's base URL."""
    return f"/model/{quote(model, safe='')}/invoke"


def encode_request(request: EmbeddingRequest, profile: Profile = PLAIN) -> Encoded:  # noqa: ARG001 - one host
    """Write `request` for an upstream. Raises `Untranslatable` where leaving out would change the meaning."""
    body: json.Object = {"inputText": requests.text(request, NAME)}
    if request.dimensions is not None:
        if any(name in request.model for name in _FIRST_GENERATION):
            raise Untranslatable("this model's vectors have one size only", param=request.name_of("dimensions"))
        of_images = _ALSO_OF_IMAGES in request.model
        sized = {"embeddingConfig": {"outputEmbeddingLength": request.dimensions}}
        body |= sized if of_images else {"dimensions": request.dimensions}
    # What is too long is an error here, so a client that wants no truncation gets what it asks for.
    return Encoded(json.dumps(body), requests.losses(request, *["truncate"] * (not request.truncate)))


def decode_reply(body: json.Object, profile: Profile = PLAIN) -> EmbeddingReply:
    """Read an upstream's answer, tolerantly. Raises `Malformed` when it holds no embedding."""
    unread = frozenset(beyond(body, _ANSWER_FIELDS))
    return EmbeddingReply("", (vectors.read(body.get("embedding")),), read_usage(body, profile), unread=unread)


def summarize(body: json.Object, profile: Profile = PLAIN) -> Summary:
    """Read what the books need. Raises `Malformed` when the answer holds no embedding."""
    if not body.get("embedding") and not body.get("embeddingsByType"):
        raise Malformed("the answer holds no embedding")
    return Summary("", "", (), read_usage(body, profile))


def read_usage(body: json.Object, profile: Profile = PLAIN) -> Usage | None:  # noqa: ARG001 - one host
    """Usage of an answer."""
    if body.get("inputTextTokenCount") is None:
        return None
    counts = Counts()
    tokens = {"input": counts.count(body, "inputTextTokenCount")}
    return Usage(tokens, inconsistent=counts.inconsistent)
