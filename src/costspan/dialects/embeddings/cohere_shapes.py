"""What Cohere's own interface and its models on Bedrock have in common: texts in, embeddings by type out.

Cohere wants to be told what the vectors are for. Who does not say it (no client of OpenAI's does) most often fills an
index, so texts are documents by default; a client that searches says `input_type: search_query`, or `taskType`.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from costspan.dialects.embeddings import requests, vectors
from costspan.dialects.losses import beyond
from costspan.dialects.types import Summary
from costspan.errors import Malformed, Untranslatable
from costspan.ir.embedding import EmbeddingReply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.ir.embedding import EmbeddingRequest, Task
    from costspan.ir.usage import Usage
    from costspan.wire import json

MAX_TEXTS: Final = 96
""""Maximum number of texts per call is 96": docstring of the official SDK (cohere 7.3.0, v2 `embed`)."""

_ONE_SIZE: Final = re.compile(r"embed-\w+(?:-light)?-v[23]")
"""Models for which a size "is only available for `embed-v4` and newer": the same docstring."""

_WORDS: Final[Mapping[Task, str]] = MappingProxyType(
    {
        "query": "search_query",
        "document": "search_document",
        "classification": "classification",
        "clustering": "clustering",
    }
)
_NEAREST: Final[Mapping[Task, str]] = MappingProxyType(
    {"code_query": "search_query", "question_answering": "search_query", "fact_check": "search_query"}
)
"""Tasks that Cohere has no word for, and the one that is nearest: a loss."""
_DEFAULT: Final = "search_document"

_ANSWER_FIELDS: Final = frozenset({"id", "embeddings", "texts", "meta", "response_type", "images"})


def write(request: EmbeddingRequest, dialect: str) -> tuple[json.Object, tuple[str, ...]]:
    """The body but for its model, and what it lacks. Raises `Untranslatable`."""
    texts = requests.texts(request, dialect)
    if len(texts) > MAX_TEXTS:
        raise Untranslatable(f"{dialect} takes at most {MAX_TEXTS} texts in a request", param=request.name_of("input"))
    word, met = _word(request.task)
    body: json.Object = {"texts": texts, "input_type": word, "embedding_types": ["float"]}
    if request.dimensions is not None:
        if _ONE_SIZE.search(request.model):
            raise Untranslatable("this model's vectors have one size only", param=request.name_of("dimensions"))
        body["output_dimension"] = request.dimensions
    if request.truncate is not None:
        body["truncate"] = "END" if request.truncate else "NONE"
    return body, requests.losses(request, "truncate", *["task"] * met)


def _word(task: Task | None) -> tuple[str, bool]:
    """The input type, and whether it means what was asked for."""
    if task is None:
        return _DEFAULT, True
    return _WORDS.get(task) or _NEAREST.get(task, _DEFAULT), task in _WORDS


def read(body: json.Object, usage: Usage | None) -> EmbeddingReply:
    """An answer. Raises `Malformed` when it holds no embeddings."""
    unread = set(beyond(body, _ANSWER_FIELDS))
    meta = body.get("meta")
    if isinstance(meta, dict) and meta.get("warnings"):
        unread.add("meta.warnings")
    return EmbeddingReply("", vectors.read_all(_floats(body)), usage, unread=frozenset(unread))


def _floats(body: json.Object) -> Any:  # noqa: ANN401 - JSON
    """By type, or (where none was asked for) as a plain list."""
    found = body.get("embeddings")
    return found.get("float") if isinstance(found, dict) else found


def summary(body: json.Object, usage: Usage | None) -> Summary:
    """What the books need. Raises `Malformed` when the answer holds no embeddings, of whatever type."""
    if not body.get("embeddings"):
        raise Malformed("the answer holds no embeddings")
    id_ = body.get("id")
    return Summary(id_ if isinstance(id_, str) else "", "", (), usage)
