"""What `:embedContent` and `:batchEmbedContents` have in common: one item of either, and usage.

An item is an EmbedContentRequest: `content`, `taskType`, `title`, `outputDimensionality`; on Vertex AI its options
stand in an `embedContentConfig` (google-genai 3.4.0, models.py; ai.google.dev/api/embeddings, read 2026-11-25).
Google's JSON takes names in either spelling, `taskType` and `task_type`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from costspan.dialects import checks
from costspan.dialects.counts import Counts, within
from costspan.dialects.embeddings import vectors
from costspan.errors import Malformed, Untranslatable
from costspan.ir.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.ir.embedding import EmbeddingRequest, Task
    from costspan.wire import json

TASKS: Final[Mapping[Task, str]] = MappingProxyType(
    {
        "query": "RETRIEVAL_QUERY",
        "document": "RETRIEVAL_DOCUMENT",
        "similarity": "SEMANTIC_SIMILARITY",
        "classification": "CLASSIFICATION",
        "clustering": "CLUSTERING",
        "code_query": "CODE_RETRIEVAL_QUERY",
        "question_answering": "QUESTION_ANSWERING",
        "fact_check": "FACT_VERIFICATION",
    }
)
_READ_TASKS: Final[Mapping[str, Task]] = MappingProxyType({word: task for task, word in TASKS.items()})
_NO_TASK: Final = "TASK_TYPE_UNSPECIFIED"

NAMES: Final = MappingProxyType(
    {"task": "taskType", "dimensions": "outputDimensionality", "truncate": "autoTruncate", "input": "content"}
)
"""What canonical form calls otherwise."""

_SPELLINGS: Final = MappingProxyType(
    {
        "task_type": "taskType",
        "output_dimensionality": "outputDimensionality",
        "auto_truncate": "autoTruncate",
        "embed_content_config": "embedContentConfig",
    }
)
_UNDERSTOOD: Final = frozenset({"model", "content", "taskType", "title", "outputDimensionality", "autoTruncate"})
_ADDED: Final = frozenset({"stream"})
"""Put among the fields by whoever reads a request, with `model`."""

_MODALITIES: Final = MappingProxyType({"IMAGE": "input_image", "AUDIO": "input_audio", "VIDEO": "input_video"})
_OPTIONS: Final = MappingProxyType(
    {
        "dimensions": "outputDimensionality",
        "outputDimensionality": "outputDimensionality",
        "taskType": "taskType",
        "title": "title",
        "autoTruncate": "autoTruncate",
    }
)


@dataclass(frozen=True, slots=True)
class Item:
    """One text to embed, with its options."""

    text: str
    task: Task | None = None
    title: str | None = None
    dimensions: int | None = None
    truncate: bool | None = None
    others: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


def size(item: Any, where: str) -> tuple[int, int]:  # noqa: ANN401 - unchecked input
    """Characters of text and number of other parts. Raises `ClientError`."""
    chars = media = 0
    for number, part in enumerate(_parts(item, where)):
        if type(part) is not dict:
            raise checks.invalid("each part must be an object", f"{_below(where)}content.parts[{number}]")
        text = part.get("text")
        if type(text) is str:
            chars += len(text)
        else:
            media += 1
    return chars, media


def _parts(item: Any, where: str) -> list[Any]:  # noqa: ANN401 - unchecked input
    content = item.get("content") if type(item) is dict else None
    parts = content.get("parts") if type(content) is dict else None
    if type(parts) is not list or not parts:
        raise checks.invalid("'content' must be an object with a list of parts", f"{_below(where)}content.parts")
    return parts


def _below(where: str) -> str:
    return f"{where}." if where else ""


def read(item: json.Object, where: str = "") -> Item:
    """One item, strictly. Raises `ClientError`, or `Untranslatable` where it holds more than text."""
    size(item, where)
    parts = _parts(item, where)
    for number, part in enumerate(parts):
        if type(part.get("text")) is not str:
            raise Untranslatable("only texts can be translated", param=f"{_below(where)}content.parts[{number}]")
    options = _options(item)
    word = checks.string(options, "taskType")
    if word is not None and word != _NO_TASK and word not in _READ_TASKS:
        raise checks.invalid("unknown task type", f"{_below(where)}taskType")
    return Item(
        text="".join(part["text"] for part in parts),
        task=_READ_TASKS.get(word or ""),
        title=checks.string(options, "title"),
        dimensions=checks.integer(options, "outputDimensionality", 1),
        truncate=checks.flag(options, "autoTruncate"),
        others={
            name: value for name, value in options.items() if name not in _UNDERSTOOD | _ADDED and value is not None
        },
    )


def _options(item: json.Object) -> json.Object:
    """The item's fields in one spelling and one place."""
    fields = {_SPELLINGS.get(name, name): value for name, value in item.items()}
    config = fields.pop("embedContentConfig", None)
    inner = {_SPELLINGS.get(name, name): value for name, value in config.items()} if type(config) is dict else {}
    return fields | inner


def write(request: EmbeddingRequest, text: str) -> json.Object:
    """One item for an upstream. It names the model again: an upstream wants the same as in the path."""
    fields: json.Object = {
        "model": resource(request.model),
        "content": {"parts": [{"text": text}]},
        "taskType": None if request.task is None else TASKS[request.task],
        "title": request.title,
        "outputDimensionality": request.dimensions,
    }
    return {name: value for name, value in fields.items() if value is not None}


def resource(model: str) -> str:
    """A model's name as the interface has it."""
    return model if "/" in model else f"models/{model}"


def defaults(item: json.Object, params: Mapping[str, object]) -> json.Object:
    """Those of `params` that this interface knows and `item` has no word of."""
    given = _options(item)
    known = {_OPTIONS[name]: value for name, value in params.items() if name in _OPTIONS}
    return {name: value for name, value in known.items() if name not in given}


def values(embedding: Any) -> tuple[float, ...]:  # noqa: ANN401 - JSON
    """A vector of an answer. Raises `Malformed`."""
    if not isinstance(embedding, dict):
        raise Malformed("the answer holds no embeddings")
    return vectors.read(embedding.get("values"))


def read_usage(body: json.Object) -> Usage | None:
    """Usage of an answer; None where it reports none, as older models do."""
    report = within(body, "usageMetadata")
    if report.get("promptTokenCount") is None:
        return None
    counts = Counts()
    parts: dict[str, int] = {}
    details = report.get("promptTokensDetails")
    for detail in details if isinstance(details, list) else ():
        match detail:
            case {"modality": str(modality)} if modality in _MODALITIES:
                bucket = _MODALITIES[modality]
                parts[bucket] = parts.get(bucket, 0) + counts.count(detail, "tokenCount")
    tokens = counts.split(counts.count(report, "promptTokenCount"), "input", parts.items())
    return Usage(tokens, inconsistent=counts.inconsistent)


def write_usage(usage: Usage | None) -> json.Object:
    """The field with it, if there is any."""
    if usage is None:
        return {}
    prompt = usage.prompt_tokens
    return {"usageMetadata": {"promptTokenCount": prompt, "totalTokenCount": prompt}}
