"""Every embeddings format of clients to every one of providers, by features that both have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from costspan.dialects import EMBEDDING_CLIENTS, EMBEDDINGS
from costspan.dialects.types import StreamOptions
from costspan.errors import Malformed, Untranslatable
from costspan.wire import json

MODEL = "the-model"
OPTIONS = StreamOptions("cs_pairs", MODEL, 1700000000, prompt_tokens=9)
OPENAI, GEMINI, BATCH = "openai-embeddings", "gemini-embed", "gemini-batch-embed"
VERTEX, COHERE, TITAN, BEDROCK_COHERE = "vertex-embed", "cohere-embed", "titan-embed", "bedrock-cohere-embed"


def item(text: str, **options: Any) -> dict[str, Any]:
    return {"model": "models/the-model", "content": {"parts": [{"text": text}]}, **options}


FLOATS = {"embedding_types": ["float"]}

REQUESTS: dict[str, dict[str, dict[str, Any]]] = {
    "one text": {
        OPENAI: {"model": MODEL, "input": ["Hi"]},
        GEMINI: item("Hi"),
        BATCH: {"requests": [item("Hi")]},
        VERTEX: {"instances": [{"content": "Hi"}]},
        COHERE: {"model": MODEL, "texts": ["Hi"], "input_type": "search_document", **FLOATS},
        TITAN: {"inputText": "Hi"},
        BEDROCK_COHERE: {"texts": ["Hi"], "input_type": "search_document", **FLOATS},
    },
    "two texts": {
        OPENAI: {"model": MODEL, "input": ["Hi", "Bye"]},
        BATCH: {"requests": [item("Hi"), item("Bye")]},
        VERTEX: {"instances": [{"content": "Hi"}, {"content": "Bye"}]},
        COHERE: {"model": MODEL, "texts": ["Hi", "Bye"], "input_type": "search_document", **FLOATS},
        BEDROCK_COHERE: {"texts": ["Hi", "Bye"], "input_type": "search_document", **FLOATS},
    },
    "dimensions": {
        OPENAI: {"model": MODEL, "input": ["Hi"], "dimensions": 256},
        GEMINI: item("Hi", outputDimensionality=256),
        BATCH: {"requests": [item("Hi", outputDimensionality=256)]},
        VERTEX: {"instances": [{"content": "Hi"}], "parameters": {"outputDimensionality": 256}},
        COHERE: {"model": MODEL, "texts": ["Hi"], "input_type": "search_document", "output_dimension": 256, **FLOATS},
        TITAN: {"inputText": "Hi", "dimensions": 256},
        BEDROCK_COHERE: {"texts": ["Hi"], "input_type": "search_document", "output_dimension": 256, **FLOATS},
    },
    "a query": {
        OPENAI: {"model": MODEL, "input": ["Hi"], "input_type": "search_query"},
        GEMINI: item("Hi", taskType="RETRIEVAL_QUERY"),
        BATCH: {"requests": [item("Hi", taskType="RETRIEVAL_QUERY")]},
        VERTEX: {"instances": [{"content": "Hi", "task_type": "RETRIEVAL_QUERY"}]},
        COHERE: {"model": MODEL, "texts": ["Hi"], "input_type": "search_query", **FLOATS},
        TITAN: {"inputText": "Hi"},
        BEDROCK_COHERE: {"texts": ["Hi"], "input_type": "search_query", **FLOATS},
    },
}
WITHOUT_TASK = {"model": MODEL, "input": ["Hi"]}
LOSSES = {
    ("a query", OPENAI, OPENAI): ("input_type",),
    ("a query", OPENAI, TITAN): ("input_type",),
    ("a query", GEMINI, OPENAI): ("taskType",),
    ("a query", GEMINI, TITAN): ("taskType",),
    ("a query", BATCH, OPENAI): ("taskType",),
    ("a query", BATCH, TITAN): ("taskType",),
}

PAIRS = [
    pytest.param(feature, source, target, id=f"{feature}: {source} to {target}")
    for feature, bodies in REQUESTS.items()
    for source in EMBEDDING_CLIENTS
    for target in EMBEDDINGS
    if source in bodies and target in bodies
]


def asked(source: str, body: dict[str, Any]) -> dict[str, Any]:
    """The fields as the server gives them."""
    return body if EMBEDDING_CLIENTS[source].MODEL_IN_BODY else body | {"model": MODEL, "stream": False}


@pytest.mark.parametrize(("feature", "source", "target"), PAIRS)
def test_a_request_is_translated(feature: str, source: str, target: str) -> None:
    request = EMBEDDING_CLIENTS[source].decode_request(asked(source, REQUESTS[feature][source]))

    encoded = EMBEDDINGS[target].encode_request(request)

    wanted = WITHOUT_TASK if (feature, target) == ("a query", OPENAI) else REQUESTS[feature][target]
    assert json.loads(encoded.body) == wanted
    assert encoded.losses == LOSSES.get((feature, source, target), ())


REPLIES: dict[str, dict[str, Any]] = {
    OPENAI: {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.25]}],
        "model": MODEL,
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
    },
    GEMINI: {
        "embedding": {"values": [0.5, -0.25]},
        "usageMetadata": {"promptTokenCount": 7, "totalTokenCount": 7},
    },
    BATCH: {
        "embeddings": [{"values": [0.5, -0.25]}],
        "usageMetadata": {"promptTokenCount": 7, "totalTokenCount": 7},
    },
    VERTEX: {
        "predictions": [
            {"embeddings": {"values": [0.5, -0.25], "statistics": {"token_count": 7.0, "truncated": False}}}
        ],
        "metadata": {"billableCharacterCount": 2},
    },
    COHERE: {
        "id": "e1",
        "response_type": "embeddings_by_type",
        "embeddings": {"float": [[0.5, -0.25]]},
        "texts": ["Hi"],
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 7.0}},
    },
    TITAN: {
        "embedding": [0.5, -0.25],
        "embeddingsByType": {"float": [0.5, -0.25]},
        "inputTextTokenCount": 7,
    },
    BEDROCK_COHERE: {
        "id": "e1",
        "response_type": "embeddings_by_type",
        "embeddings": {"float": [[0.5, -0.25]]},
        "texts": ["Hi"],
    },
}


@pytest.mark.parametrize("target", EMBEDDING_CLIENTS)
@pytest.mark.parametrize("source", EMBEDDINGS)
def test_an_answer_is_translated(source: str, target: str) -> None:
    reply = EMBEDDINGS[source].decode_reply(REPLIES[source])

    encoded = EMBEDDING_CLIENTS[target].encode_reply(reply, OPTIONS)

    wanted = dict(REPLIES[target])
    if source == BEDROCK_COHERE:  # its usage stands in a header
        del wanted["usage" if target == OPENAI else "usageMetadata"]
        wanted |= {"usage": {"prompt_tokens": 9, "total_tokens": 9}} if target == OPENAI else {}
    assert json.loads(encoded.body) == wanted
    assert encoded.losses == (("response.usage",) if (source, target) == (BEDROCK_COHERE, OPENAI) else ())


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_an_answer_without_embeddings_is_malformed(name: str) -> None:
    broken: list[dict[str, Any]] = [
        {},
        {"data": []},
        {"embeddings": None},
        {"predictions": [1]},
        {"embedding": 1},
        {"data": [1]},
    ]
    for body in broken:
        with pytest.raises(Malformed):
            EMBEDDINGS[name].decode_reply(body)


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_a_summary_of_something_else_is_malformed(name: str) -> None:
    with pytest.raises(Malformed):
        EMBEDDINGS[name].summarize({"choices": []})


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_the_books_learn_the_same_from_a_passed_and_a_translated_answer(name: str) -> None:
    dialect, body = EMBEDDINGS[name], REPLIES[name]

    summary = dialect.summarize(body)

    assert summary.usage == dialect.decode_reply(body).usage == dialect.read_usage(body)
    assert summary.finish_reasons == ()
    assert summary.usage is None or summary.usage.tokens == {"input": 7}


@pytest.mark.parametrize("target", sorted(set(EMBEDDINGS) - {OPENAI}))
def test_token_ids_go_to_openai_s_format_only(target: str) -> None:
    request = EMBEDDING_CLIENTS[OPENAI].decode_request({"model": MODEL, "input": [1, 2, 3]})

    with pytest.raises(Untranslatable) as caught:
        EMBEDDINGS[target].encode_request(request)

    assert caught.value.param == "input"


@pytest.mark.parametrize("target", [GEMINI, TITAN])
def test_several_texts_are_refused_where_one_is_taken(target: str) -> None:
    request = EMBEDDING_CLIENTS[BATCH].decode_request(asked(BATCH, REQUESTS["two texts"][BATCH]))

    with pytest.raises(Untranslatable, match="takes one text in a request, not 2") as caught:
        EMBEDDINGS[target].encode_request(request)

    assert caught.value.param == "requests"


@pytest.mark.parametrize("target", sorted(set(EMBEDDINGS) - {OPENAI}))
def test_the_end_user_is_told_to_openai_s_format_only(target: str) -> None:
    request = EMBEDDING_CLIENTS[OPENAI].decode_request({"model": MODEL, "input": "Hi", "user": "u", "odd": 1})

    assert EMBEDDINGS[target].encode_request(request).losses == ("user", "odd")


@pytest.mark.parametrize("name", EMBEDDING_CLIENTS)
def test_an_answer_that_a_client_decodes_again_is_the_same(name: str) -> None:
    reply = EMBEDDINGS[OPENAI].decode_reply(REPLIES[OPENAI])
    told = json.loads_object(EMBEDDING_CLIENTS[name].encode_reply(reply, OPTIONS).body)

    again = EMBEDDINGS[name].decode_reply(told)

    assert replace(again, model=MODEL) == reply


@pytest.mark.parametrize("name", EMBEDDING_CLIENTS)
def test_a_request_is_expected_to_make_no_output(name: str) -> None:
    peek = EMBEDDING_CLIENTS[name].peek(asked(name, REQUESTS["one text"][name]))

    assert (peek.model, peek.stream, peek.max_output_tokens, peek.prompt_chars) == (MODEL, False, 0, 2)


PATHS = {
    OPENAI: "/embeddings",
    GEMINI: "/models/a%2Fb%3A1:embedContent",
    BATCH: "/models/a%2Fb%3A1:batchEmbedContents",
    VERTEX: "/models/a%2Fb%3A1:predict",
    COHERE: "/embed",
    TITAN: "/model/a%2Fb%3A1/invoke",
    BEDROCK_COHERE: "/model/a%2Fb%3A1/invoke",
}


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_a_model_is_one_segment_of_the_path(name: str) -> None:
    assert EMBEDDINGS[name].path("a/b:1", stream=False) == PATHS[name]
