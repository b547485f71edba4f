"""OpenAI's `/v1/embeddings`, and the hosts that speak it with differences (see `Profile`).

Beyond OpenAI's own fields, hosts have `input_type` (NVIDIA, Voyage, Cohere's compatible endpoint, OpenRouter) and
`truncate`; they are understood of a client, and `input_type` is said to a host whose profile has one of the quirks
below (docs.voyageai.com/reference/embeddings-api, docs.nvidia.com/nim/nemo-retriever, read 2026-11-25).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from costspan.dialects import checks
from costspan.dialects.counts import Counts, reported_cost
from costspan.dialects.embeddings import requests, vectors
from costspan.dialects.losses import AnswerLosses, beyond
from costspan.dialects.openai_errors import decode_error, encode_error, encode_stream_error
from costspan.dialects.types import PLAIN, Encoded, Peek, Summary
from costspan.errors import Malformed, Untranslatable
from costspan.ir.embedding import EmbeddingReply, EmbeddingRequest
from costspan.ir.usage import CHARS_PER_TOKEN, Usage
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.dialects.types import Profile, StreamOptions
    from costspan.ir.embedding import Task

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
    "summarize",
]

NAME = "openai-embeddings"
OPERATION = "embeddings"
MODEL_IN_BODY = True
USAGE_PATHS: tuple[tuple[str, ...], ...] = (("usage",),)

TAKES_QUERY_OR_DOCUMENT: Final = "input_type_query_or_document"
"""Quirk: `input_type` is `query` or `document` (Voyage)."""
TAKES_QUERY_OR_PASSAGE: Final = "input_type_query_or_passage"
"""Quirk: `input_type` is `query` or `passage`, and required (NVIDIA)."""

_WORDS: Final[Mapping[str, Mapping[Task, str]]] = MappingProxyType(
    {
        TAKES_QUERY_OR_DOCUMENT: {"query": "query", "document": "document"},
        TAKES_QUERY_OR_PASSAGE: {"query": "query", "document": "passage"},
    }
)
_NO_WORDS: Final[Mapping[Task, str]] = MappingProxyType({})
_TASKS: Final[Mapping[str, Task]] = MappingProxyType(
    {
        "query": "query",
        "search_query": "query",
        "document": "document",
        "passage": "document",
        "search_document": "document",
        "classification": "classification",
        "clustering": "clustering",
    }
)
_TRUNCATE: Final[Mapping[str | bool, bool]] = MappingProxyType({True: True, False: False, "END": True, "NONE": False})
_CANONICAL: Final = frozenset({"model", "input", "dimensions", "encoding_format", "user"})
_NAMES: Final = MappingProxyType({"task": "input_type", "end_user": "user"})
"""What canonical form calls otherwise."""
_FORMS: Final = MappingProxyType({name: form for form, name in _NAMES.items()})
_ANSWER_FIELDS: Final = frozenset({"object", "data", "model", "usage", "id", "created", "provider", "service_tier"})
_ITEM_FIELDS: Final = frozenset({"object", "index", "embedding"})


def path(model: str, *, stream: bool) -> str:  # noqa: ARG001 - the body names the model
    """Where it is served, below a provider's base URL."""
    return "/embeddings"


def peek(body: json.Object) -> Peek:
    """Check the shape strictly and say what routing needs. Raises `ClientError` naming the field."""
    checks.refuse_destinations(body)
    model = checks.model(body)
    checks.integer(body, "dimensions", 1)
    _format(body)
    chars, media = _size(body.get("input"))
    return Peek(model=model, stream=False, max_output_tokens=0, prompt_chars=chars, media=media)


def _size(given: Any) -> tuple[int, int]:  # noqa: ANN401 - unchecked input
    """Characters and pictures of the input, in whichever of its forms."""
    if type(given) is str:
        return len(given), 0
    if type(given) is not list or not given:
        raise checks.invalid("'input' must be a string or a list that is not empty", "input")
    if checks.strings(given):
        return sum(map(len, given)), 0
    if checks.token_ids(given):
        return CHARS_PER_TOKEN * len(given), 0
    if all(checks.token_ids(ids) and ids for ids in given):
        return CHARS_PER_TOKEN * sum(map(len, given)), 0
    if all(type(item) is dict for item in given):  # hosts that embed pictures: passed on as it is
        return 0, len(given)
    raise checks.invalid("'input' must hold strings, or token ids, or lists of token ids", "input")


def _format(body: json.Object) -> str:
    value = checks.string(body, "encoding_format") or "float"
    if value not in {"float", "base64"}:
        raise checks.invalid("'encoding_format' must be float or base64", "encoding_format")
    return value


def defaults(body: json.Object, params: Mapping[str, object]) -> json.Object:
    """Those of `params` that `body` has no word of."""
    return {name: value for name, value in params.items() if name not in body}


def decode_request(body: json.Object) -> EmbeddingRequest:
    """Read a client's request. Raises `ClientError` naming the field."""
    texts, tokens = _inputs(body.get("input"))
    task = _TASKS.get(checks.string(body, "input_type") or "")
    asked = body.get("truncate")
    truncate = _TRUNCATE.get(asked) if isinstance(asked, str | bool) else None
    understood = _CANONICAL | ({"input_type"} if task else set()) | ({"truncate"} if truncate is not None else set())
    extensions = {name: value for name, value in body.items() if name not in understood and value is not None}
    return EmbeddingRequest(
        model=checks.model(body),
        texts=texts,
        tokens=tokens,
        dimensions=checks.integer(body, "dimensions", 1),
        format="base64" if _format(body) == "base64" else "float",
        task=task,
        truncate=truncate,
        end_user=checks.string(body, "user"),
        names=_NAMES,
        extensions={NAME: extensions} if extensions else {},
    )


def _inputs(given: Any) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:  # noqa: ANN401 - unchecked input
    _size(given)
    if type(given) is str:
        return (given,), ()
    if checks.strings(given):
        return tuple(given), ()
    if type(given[0]) is int:
        return (), (tuple(given),)
    if type(given[0]) is dict:
        raise Untranslatable("only texts and token ids can be translated", param="input[0]")
    return (), tuple(map(tuple, given))


def encode_request(request: EmbeddingRequest, profile: Profile = PLAIN) -> Encoded:
    """Write `request` for an upstream. Raises `Untranslatable` where leaving out would change the meaning."""
    own = request.extensions.get(NAME, {})
    word, met = _task_word(request, profile)
    fields = {"dimensions": request.dimensions, "user": request.end_user, "input_type": own.get("input_type", word)}
    body: json.Object = {
        **own,
        "model": request.model,
        "input": list(map(list, request.tokens)) or list(request.texts),
        **{name: value for name, value in fields.items() if value is not None},
    }
    refused = _fit(body, request, profile)
    # What is too long is an error here, so a client that wants no truncation gets what it asks for.
    carried = ["end_user", *["task"] * met, *["truncate"] * (not request.truncate)]
    losses = (*refused, *requests.losses(request, *carried, own=NAME))
    return Encoded(json.dumps(body), tuple(dict.fromkeys(losses)))


def _task_word(request: EmbeddingRequest, profile: Profile) -> tuple[str | None, bool]:
    """What the host calls the task, if it has a word for it or wants one anyway; and whether it means the same."""
    words = next((words for quirk, words in _WORDS.items() if quirk in profile.quirks), _NO_WORDS)
    required = words["document"] if TAKES_QUERY_OR_PASSAGE in profile.quirks else None
    if request.task is None:
        return required, True
    return words.get(request.task, required), request.task in words


def _fit(body: json.Object, request: EmbeddingRequest, profile: Profile) -> list[str]:
    """Bring `body` into the host's own names, without what it refuses: that is returned, as the client calls it."""
    refused = [name for name in body if name in profile.rejects]
    if "dimensions" in refused:
        raise Untranslatable(
            f"{profile.name or 'the target'} does not accept 'dimensions'", param=request.name_of("dimensions")
        )
    for name in refused:
        del body[name]
    for name in [name for name in body if name in profile.rename]:
        body[profile.rename[name]] = body.pop(name)
    return [request.name_of(_FORMS.get(name, name)) for name in refused]


def decode_reply(body: json.Object, profile: Profile = PLAIN) -> EmbeddingReply:
    """Read an upstream's answer, tolerantly. Raises `Malformed` when it holds no embeddings."""
    items = _items(body)
    model = body.get("model")
    unread = {*beyond(body, _ANSWER_FIELDS), *(name for item in items for name in beyond(item, _ITEM_FIELDS))}
    return EmbeddingReply(
        model=model if isinstance(model, str) else "",
        vectors=tuple(vectors.read(item.get("embedding")) for item in items),
        usage=read_usage(body, profile),
        unread=frozenset(unread),
    )


def _items(body: json.Object) -> list[json.Object]:
    """The embeddings, in the inputs' order."""
    items = body.get("data")
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise Malformed("the answer holds no embeddings")
    places = [item.get("index") for item in items]
    if set(map(type, places)) == {int} and places != sorted(places):
        items = sorted(items, key=lambda item: item["index"])
    return items


def encode_reply(reply: EmbeddingReply, options: StreamOptions) -> Encoded:
    """Write the answer for the client. A usage that the provider did not tell is estimated, and said to be lost."""
    losses = AnswerLosses()
    packed = reply.format == "base64"
    prompt = options.prompt_tokens if reply.usage is None else reply.usage.prompt_tokens
    if reply.usage is None:  # clients of this dialect rely on one
        losses.add("usage")
    body: json.Object = {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": vectors.pack(vector) if packed else vector}
            for index, vector in enumerate(reply.vectors)
        ],
        "model": reply.model or options.model,
        "usage": {"prompt_tokens": prompt, "total_tokens": prompt},
    }
    losses.add_all(reply.unread)
    return Encoded(json.dumps(body), losses.names())


def summarize(body: json.Object, profile: Profile = PLAIN) -> Summary:
    """Read what the books need. Raises `Malformed` when the answer holds no embeddings."""
    _items(body)
    id_, model = body.get("id"), body.get("model")
    return Summary(
        id_ if isinstance(id_, str) else "", model if isinstance(model, str) else "", (), read_usage(body, profile)
    )


def read_usage(body: json.Object, profile: Profile = PLAIN) -> Usage | None:  # noqa: ARG001 - all hosts alike
    """Usage of an answer. Some hosts tell the total only (Voyage)."""
    report = body.get("usage")
    if not isinstance(report, dict):
        return None
    name = "prompt_tokens" if report.get("prompt_tokens") is not None else "total_tokens"
    if report.get(name) is None:
        return None
    counts = Counts()
    tokens = {"input": counts.count(report, name)}
    return Usage(tokens, inconsistent=counts.inconsistent, reported_cost=reported_cost(report))
