"""Gemini's `models/{model}:embedContent`: one text, one vector. Several go to `gemini_batch`.

The two are dialects of their own, because a body of one is refused at the other's path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from costspan.dialects import checks
from costspan.dialects.embeddings import gemini_items, requests
from costspan.dialects.embeddings.google_errors import decode_error, encode_error
from costspan.dialects.losses import AnswerLosses, beyond
from costspan.dialects.types import PLAIN, Encoded, Peek, Summary
from costspan.errors import Malformed
from costspan.ir.embedding import EmbeddingReply, EmbeddingRequest
from costspan.wire import json, sse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.dialects.types import ErrorAnswer, Profile, StreamOptions
    from costspan.ir.usage import Usage

__all__ = [
    "MODEL_IN_BODY",
    "NAME",
    "OPERATION",
    "USAGE_PATHS",
    "decode_error",
    "decode_reply",
    "decode_request",
    "defaults",
    "encode_error",
    "encode_reply",
    "encode_request",
    "encode_stream_error",
    "path",
    "peek",
    "read_usage",
    "renamed",
    "summarize",
]

NAME = "gemini-embed"
OPERATION = "embeddings"
MODEL_IN_BODY = False
USAGE_PATHS: tuple[tuple[str, ...], ...] = (("usageMetadata",),)

_ANSWER_FIELDS: Final = frozenset({"embedding", "usageMetadata", "metadata", "modelVersion"})


def path(model: str, *, stream: bool) -> str:  # noqa: ARG001 - embeddings do not stream
    """Where it is served, below a provider's base URL."""
    return f"/models/{quote(model, safe='')}:embedContent"


def peek(body: json.Object) -> Peek:
    """Check the shape strictly and say what routing needs. Raises `ClientError` naming the field."""
    checks.refuse_destinations(body)
    chars, media = gemini_items.size(body, "")
    return Peek(model=checks.model(body), stream=False, max_output_tokens=0, prompt_chars=chars, media=media)


def defaults(body: json.Object, params: Mapping[str, object]) -> json.Object:
    """Those of `params` that `body` has no word of."""
    return gemini_items.defaults(body, params)


def renamed(body: json.Object, model: str) -> json.Object:
    """The fields to change in a body that passes to `model`: it may name its model, and then it has to be that one."""
    named = body.get("model")
    return {"model": gemini_items.resource(model)} if named is not None else {}


def decode_request(body: json.Object) -> EmbeddingRequest:
    """Read a client's request. Raises `ClientError` naming the field."""
    item = gemini_items.read(body)
    return EmbeddingRequest(
        model=checks.model(body),
        texts=(item.text,),
        dimensions=item.dimensions,
        task=item.task,
        title=item.title,
        truncate=item.truncate,
        names=gemini_items.NAMES,
        extensions={NAME: dict(item.others)} if item.others else {},
    )


def encode_request(request: EmbeddingRequest, profile: Profile = PLAIN) -> Encoded:  # noqa: ARG001 - one host
    """Write `request` for an upstream. Raises `Untranslatable` where leaving out would change the meaning."""
    body = gemini_items.write(request, requests.text(request, NAME))
    return Encoded(
        json.dumps(request.extensions.get(NAME, {}) | body), requests.losses(request, "task", "title", own=NAME)
    )


def decode_reply(body: json.Object, profile: Profile = PLAIN) -> EmbeddingReply:
    """Read an upstream's answer, tolerantly. Raises `Malformed` when it holds no embedding."""
    vector = gemini_items.values(body.get("embedding"))
    unread = frozenset(beyond(body, _ANSWER_FIELDS))
    return EmbeddingReply(_model(body), (vector,), read_usage(body, profile), unread=unread)


def _model(body: json.Object) -> str:
    version = body.get("modelVersion")
    return version if isinstance(version, str) else ""


def encode_reply(reply: EmbeddingReply, options: StreamOptions) -> Encoded:  # noqa: ARG001 - the answer names no model
    """Write the answer for the client."""
    losses = AnswerLosses()
    losses.add_all(reply.unread)
    embedding: json.Object = {"embedding": {"values": reply.vectors[0]}}
    return Encoded(json.dumps(embedding | gemini_items.write_usage(reply.usage)), losses.names())


def summarize(body: json.Object, profile: Profile = PLAIN) -> Summary:
    """Read what the books need. Raises `Malformed` when the answer holds no embedding."""
    if not isinstance(body.get("embedding"), dict):
        raise Malformed("the answer holds no embedding")
    return Summary("", _model(body), (), read_usage(body, profile))


def read_usage(body: json.Object, profile: Profile = PLAIN) -> Usage | None:  # noqa: ARG001 - one host
    """Usage of an answer; None where it reports none."""
    return gemini_items.read_usage(body)


def encode_stream_error(error: ErrorAnswer) -> bytes:
    """For the protocol: embeddings do not stream."""
    return sse.write(encode_error(error))
