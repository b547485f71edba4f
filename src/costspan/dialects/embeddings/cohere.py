"""Cohere's `/v2/embed`. Shapes: the official SDK (cohere 7.3.0, v2/raw_client.py, types/api_meta.py), 2026-11-25."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects.counts import Counts, within
from costspan.dialects.embeddings import cohere_shapes
from costspan.dialects.openai_errors import decode_error
from costspan.dialects.types import PLAIN, Encoded, Summary
from costspan.ir.usage import Usage
from costspan.wire import json

if TYPE_CHECKING:
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
]

NAME = "cohere-embed"
OPERATION = "embeddings"
MODEL_IN_BODY = True


def path(model: str, *, stream: bool) -> str:  # noqa: ARG001 - the body names the model
    """Where it is served, below a provider's base URL."""
    return "/embed"


def encode_request(request: EmbeddingRequest, profile: Profile = PLAIN) -> Encoded:  # noqa: ARG001 - one host
    """Write `request` for an upstream. Raises `Untranslatable` where leaving out would change the meaning."""
    body, losses = cohere_shapes.write(request, NAME)
    return Encoded(json.dumps({"model": request.model} | body), losses)


def decode_reply(body: json.Object, profile: Profile = PLAIN) -> EmbeddingReply:
    """Read an upstream's answer, tolerantly. Raises `Malformed` when it holds no embeddings."""
    return cohere_shapes.read(body, read_usage(body, profile))


def summarize(body: json.Object, profile: Profile = PLAIN) -> Summary:
    """Read what the books need. Raises `Malformed` when the answer holds no embeddings."""
    return cohere_shapes.summary(body, read_usage(body, profile))


def read_usage(body: json.Object, profile: Profile = PLAIN) -> Usage | None:  # noqa: ARG001 - one host
    """Usage of an answer: what is billed of it."""
    billed = within(within(body, "meta"), "billed_units")
    if billed.get("input_tokens") is None and billed.get("image_tokens") is None:
        return None
    counts = Counts()
    tokens = {"input": counts.count(billed, "input_tokens")}
    if pictures := counts.count(billed, "image_tokens"):
        tokens["input_image"] = pictures
    return Usage(tokens, inconsistent=counts.inconsistent)
