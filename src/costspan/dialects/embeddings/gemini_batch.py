"""Gemini's `models/{model}:batchEmbedContents`: a list of texts, what google-genai's `embed_content` calls."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from costspan.dialects import checks
from costspan.dialects.embeddings import gemini_items, requests
from costspan.dialects.embeddings.google_errors import decode_error, encode_error
from costspan.dialects.losses import AnswerLosses, beyond
from costspan.dialects.types import PLAIN, Encoded, Peek, Summary
from costspan.errors import Malformed, Untranslatable
from costspan.ir.embedding import EmbeddingReply, EmbeddingRequest
from costspan.wire import json, sse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from costspan.dialects.embeddings.gemini_items import Item
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

NAME = "gemini-batch-embed"
OPERATION = "embeddings"
MODEL_IN_BODY = False
USAGE_PATHS: tuple[tuple[str, ...], ...] = (("usageMetadata",),)

_NAMES: Final = gemini_items.NAMES | {"input": "requests"}
_ANSWER_FIELDS: Final = frozenset({"embeddings", "usageMetadata", "metadata", "modelVersion"})
_COMMON: Final = (("task", "taskType"), ("dimensions", "outputDimensionality"), ("truncate", "autoTruncate"))
"""What has to be the same for all texts where they go to another dialect."""


def path(model: str, *, stream: bool) -> str:  # noqa: ARG001 - embeddings do not stream
    """Where it is served, below a provider's base URL."""
    return f"/models/{quote(model, safe='')}:batchEmbedContents"


def peek(body: json.Object) -> Peek:
    """Check the shape strictly and say what routing needs. Raises `ClientError` naming the field."""
    checks.refuse_destinations(body)
    sizes = [gemini_items.size(item, f"requests[{number}]") for number, item in enumerate(_requests(body))]
    return Peek(
        model=checks.model(body),
        stream=False,
        max_output_tokens=0,
        prompt_chars=sum(chars for chars, _ in sizes),
        media=sum(media for _, media in sizes),
    )


def _requests(body: json.Object) -> list[Any]:
    items = body.get("requests")
    if type(items) is not list or not items:
        raise checks.invalid("'requests' must be a list that is not empty", "requests")
    return items


def defaults(body: json.Object, params: Mapping[str, object]) -> json.Object:
    """Those of `params` that the texts have no word of: each text has its own."""
    items = [item for item in _requests(body) if type(item) is dict]
    filled = [gemini_items.defaults(item, params) | item for item in items]
    return {"requests": filled} if filled != items else {}


def renamed(body: json.Object, model: str) -> json.Object:
    """The fields to change in a body that passes to `model`: each text names the model, and it has to be that one."""
    name = gemini_items.resource(model)
    items = _requests(body)
    if all(item.get("model") == name for item in items):
        return {}
    return {"requests": [item | {"model": name} for item in items]}


def decode_request(body: json.Object) -> EmbeddingRequest:
    """Read a client's request. Raises `ClientError` naming the field."""
    peek(body)
    items = [gemini_items.read(item, f"requests[{number}]") for number, item in enumerate(_requests(body))]
    first = items[0]
    _check_common(items)
    others = {name: value for item in items for name, value in item.others.items()}
    if any(item.title != first.title for item in items):
        others["title"] = [item.title for item in items]
        first = replace(first, title=None)
    return EmbeddingRequest(
        model=checks.model(body),
        texts=tuple(item.text for item in items),
        dimensions=first.dimensions,
        task=first.task,
        title=first.title,
        truncate=first.truncate,
        names=_NAMES,
        extensions={NAME: others} if others else {},
    )


def _check_common(items: Sequence[Item]) -> None:
    """Raise `Untranslatable` where texts differ in what other dialects say once for all."""
    for number, item in enumerate(items):
        for name, field in _COMMON:
            if getattr(item, name) != getattr(items[0], name):
                raise Untranslatable(
                    f"'{field}' has to be the same for all texts here", param=f"requests[{number}].{field}"
                )


def encode_request(request: EmbeddingRequest, profile: Profile = PLAIN) -> Encoded:  # noqa: ARG001 - one host
    """Write `request` for an upstream. Raises `Untranslatable` where leaving out would change the meaning."""
    items = [gemini_items.write(request, text) for text in requests.texts(request, NAME)]
    return Encoded(json.dumps({"requests": items}), requests.losses(request, "task", "title"))


def decode_reply(body: json.Object, profile: Profile = PLAIN) -> EmbeddingReply:
    """Read an upstream's answer, tolerantly. Raises `Malformed` when it holds no embeddings."""
    found = tuple(map(gemini_items.values, _embeddings(body)))
    unread = frozenset(beyond(body, _ANSWER_FIELDS))
    return EmbeddingReply(_model(body), found, read_usage(body, profile), unread=unread)


def _embeddings(body: json.Object) -> list[Any]:
    found = body.get("embeddings")
    if not isinstance(found, list) or not found:
        raise Malformed("the answer holds no embeddings")
    return found


def _model(body: json.Object) -> str:
    version = body.get("modelVersion")
    return version if isinstance(version, str) else ""


def encode_reply(reply: EmbeddingReply, options: StreamOptions) -> Encoded:  # noqa: ARG001 - the answer names no model
    """Write the answer for the client."""
    losses = AnswerLosses()
    losses.add_all(reply.unread)
    embeddings: json.Object = {"embeddings": [{"values": vector} for vector in reply.vectors]}
    return Encoded(json.dumps(embeddings | gemini_items.write_usage(reply.usage)), losses.names())


def summarize(body: json.Object, profile: Profile = PLAIN) -> Summary:
    """Read what the books need. Raises `Malformed` when the answer holds no embeddings."""
    _embeddings(body)
    return Summary("", _model(body), (), read_usage(body, profile))


def read_usage(body: json.Object, profile: Profile = PLAIN) -> Usage | None:  # noqa: ARG001 - one host
    """Usage of an answer; None where it reports none."""
    return gemini_items.read_usage(body)


def encode_stream_error(error: ErrorAnswer) -> bytes:
    """For the protocol: embeddings do not stream."""
    return sse.write(encode_error(error))
