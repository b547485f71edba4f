"""Vertex AI's `{model}:predict` for text embeddings: instances in, predictions out.

Shapes: google-genai 3.4.0, models.py, `_EmbedContentParametersPrivate_to_vertex` (2026-11-25). The multimodal models
behind Vertex's own `:embedContent` are another interface. "gemini-embedding-001 supports one instance per request"
(cloud.google.com/vertex-ai/docs/generative-ai/embeddings/get-text-embeddings, read 2026-11-25).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from costspan.dialects.counts import NOTHING, Counts, within
from costspan.dialects.embeddings import gemini_items, requests
from costspan.dialects.embeddings.google_errors import decode_error
from costspan.dialects.losses import beyond
from costspan.dialects.types import PLAIN, Encoded, Summary
from costspan.errors import Malformed
from costspan.ir.embedding import EmbeddingReply
from costspan.ir.usage import Usage
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Mapping

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

NAME = "vertex-embed"
OPERATION = "embeddings"
MODEL_IN_BODY = False

_ANSWER_FIELDS: Final = frozenset({"predictions", "metadata", "deployedModelId", "model", "modelDisplayName"})


def path(model: str, *, stream: bool) -> str:  # noqa: ARG001 - embeddings do not stream
    """Where it is served, below a provider's base URL."""
    return f"/models/{quote(model, safe='')}:predict"


def encode_request(request: EmbeddingRequest, profile: Profile = PLAIN) -> Encoded:  # noqa: ARG001 - one host
    """Write `request` for an upstream. Raises `Untranslatable` where leaving out would change the meaning."""
    alone = "gemini" in request.model
    texts = [requests.text(request, f"{NAME} of {request.model}")] if alone else requests.texts(request, NAME)
    options: json.Object = {}
    if request.task is not None:
        options["task_type"] = gemini_items.TASKS[request.task]
    if request.title is not None:
        options["title"] = request.title
    body: json.Object = {"instances": [{"content": text} | options for text in texts]}
    asked = {"outputDimensionality": request.dimensions, "autoTruncate": request.truncate}
    if parameters := {name: value for name, value in asked.items() if value is not None}:
        body["parameters"] = parameters
    return Encoded(json.dumps(body), requests.losses(request, "task", "title", "truncate"))


def decode_reply(body: json.Object, profile: Profile = PLAIN) -> EmbeddingReply:
    """Read an upstream's answer, tolerantly. A text that was cut off is told as a loss. Raises `Malformed`."""
    found = [_embeddings(prediction) for prediction in _predictions(body)]
    unread = set(beyond(body, _ANSWER_FIELDS))
    if any(within(one, "statistics").get("truncated") is True for one in found):
        unread.add("truncated")
    return EmbeddingReply(
        "", tuple(map(gemini_items.values, found)), read_usage(body, profile), unread=frozenset(unread)
    )


def _predictions(body: json.Object) -> list[Any]:
    found = body.get("predictions")
    if not isinstance(found, list) or not found:
        raise Malformed("the answer holds no predictions")
    return found


def _embeddings(prediction: Any) -> Mapping[str, Any]:  # noqa: ANN401 - JSON
    return within(prediction, "embeddings") if isinstance(prediction, dict) else NOTHING


def summarize(body: json.Object, profile: Profile = PLAIN) -> Summary:
    """Read what the books need. Raises `Malformed` when the answer holds no predictions."""
    _predictions(body)
    return Summary("", "", (), read_usage(body, profile))


def read_usage(body: json.Object, profile: Profile = PLAIN) -> Usage | None:  # noqa: ARG001 - one host
    """Usage of an answer: each text's tokens, and the characters that older models are billed by."""
    counts = Counts()
    predictions = body.get("predictions")
    found = [within(_embeddings(one), "statistics") for one in predictions] if isinstance(predictions, list) else []
    told = [statistics for statistics in found if statistics.get("token_count") is not None]
    characters = counts.count(within(body, "metadata"), "billableCharacterCount")
    if not told and not characters:
        return None
    tokens = {"input": sum(counts.count(statistics, "token_count") for statistics in told)} if told else {}
    return Usage(tokens, {"characters": characters} if characters else {}, inconsistent=counts.inconsistent)
