"""What Vertex, Cohere and Bedrock have of their own."""

from __future__ import annotations

from typing import Any

import cohere as sdk
import httpx
import pytest

from costspan.dialects.embeddings import bedrock_cohere, cohere, cohere_shapes, titan, vertex
from costspan.dialects.types import ErrorReport
from costspan.errors import Category, Untranslatable
from costspan.ir.embedding import EmbeddingReply, EmbeddingRequest
from costspan.ir.usage import Usage
from costspan.wire import json

HI = EmbeddingRequest("m", ("Hi",))


def prediction(values: list[float], **statistics: Any) -> dict[str, Any]:
    return {"embeddings": {"values": values, "statistics": statistics}}


def test_vertex_is_told_the_options_of_each_text_and_of_all() -> None:
    request = EmbeddingRequest("m", ("a", "b"), dimensions=3, task="document", title="T", truncate=False)

    encoded = vertex.encode_request(request)

    options = {"task_type": "RETRIEVAL_DOCUMENT", "title": "T"}
    assert json.loads(encoded.body) == {
        "instances": [{"content": "a"} | options, {"content": "b"} | options],
        "parameters": {"outputDimensionality": 3, "autoTruncate": False},
    }
    assert encoded.losses == ()


def test_gemini_embeds_one_text_at_a_time_on_vertex() -> None:
    assert vertex.encode_request(EmbeddingRequest("gemini-embedding-001", ("Hi",))).losses == ()
    assert vertex.encode_request(EmbeddingRequest("text-embedding-005", ("Hi", "there"))).losses == ()
    with pytest.raises(Untranslatable) as caught:
        vertex.encode_request(EmbeddingRequest("gemini-embedding-001", ("Hi", "there")))

    assert caught.value.param == "input"


def test_vertex_tells_the_tokens_of_each_text() -> None:
    body = {"predictions": [prediction([1.0], token_count=7.0), prediction([2.0], token_count=3)]}

    assert vertex.decode_reply(body) == EmbeddingReply("", ((1.0,), (2.0,)), Usage({"input": 10}))


def test_vertex_tells_characters_of_models_that_are_billed_by_them() -> None:
    body = {"predictions": [prediction([1.0])], "metadata": {"billableCharacterCount": 12}}

    assert vertex.read_usage(body) == Usage(units={"characters": 12})
    assert vertex.read_usage(
        {"predictions": [prediction([1.0], token_count=3)], "metadata": body["metadata"]}
    ) == Usage({"input": 3}, {"characters": 12})


def test_a_text_that_vertex_cut_off_is_a_loss() -> None:
    body = {"predictions": [prediction([1.0], truncated=True, token_count=2048)]}

    assert vertex.decode_reply(body).unread == {"truncated"}


@pytest.mark.parametrize("dialect", [cohere, bedrock_cohere])
@pytest.mark.parametrize(
    ("task", "word", "losses"),
    [
        (None, "search_document", ()),
        ("query", "search_query", ()),
        ("document", "search_document", ()),
        ("classification", "classification", ()),
        ("clustering", "clustering", ()),
        ("code_query", "search_query", ("task",)),
        ("question_answering", "search_query", ("task",)),
        ("fact_check", "search_query", ("task",)),
        ("similarity", "search_document", ("task",)),
    ],
)
def test_cohere_is_told_the_nearest_task(dialect: Any, task: Any, word: str, losses: tuple[str, ...]) -> None:
    encoded = dialect.encode_request(EmbeddingRequest("m", ("Hi",), task=task))

    assert json.loads_object(encoded.body)["input_type"] == word
    assert encoded.losses == losses


@pytest.mark.parametrize(("truncate", "word"), [(True, "END"), (False, "NONE"), (None, None)])
def test_cohere_is_told_whether_to_cut_off(truncate: bool | None, word: str | None) -> None:
    encoded = cohere.encode_request(EmbeddingRequest("m", ("Hi",), truncate=truncate, title="T"))

    assert json.loads_object(encoded.body).get("truncate") == word
    assert encoded.losses == ("title",)


@pytest.mark.parametrize("dialect", [cohere, bedrock_cohere])
def test_cohere_takes_so_many_texts(dialect: Any) -> None:
    dialect.encode_request(EmbeddingRequest("m", ("a",) * cohere_shapes.MAX_TEXTS))

    with pytest.raises(Untranslatable) as caught:
        dialect.encode_request(EmbeddingRequest("m", ("a",) * 97))
    assert caught.value.param == "input"


@pytest.mark.parametrize(
    "model", ["embed-english-v3.0", "cohere.embed-multilingual-v3", "embed-english-light-v2.0", "embed-english-v2.0"]
)
@pytest.mark.parametrize("dialect", [cohere, bedrock_cohere])
def test_older_models_of_cohere_have_one_size(dialect: Any, model: str) -> None:
    assert dialect.encode_request(EmbeddingRequest(model, ("Hi",))).losses == ()
    with pytest.raises(Untranslatable) as caught:
        dialect.encode_request(EmbeddingRequest(model, ("Hi",), dimensions=256))

    assert caught.value.param == "dimensions"


def test_cohere_s_warnings_are_a_loss_and_pictures_have_their_bucket() -> None:
    body = {
        "embeddings": {"float": [[1.0]]},
        "meta": {"warnings": ["old"], "billed_units": {"input_tokens": 3, "image_tokens": 200}},
    }

    reply = cohere.decode_reply(body)

    assert reply.unread == {"meta.warnings"}
    assert reply.usage == Usage({"input": 3, "input_image": 200})


def test_cohere_s_answer_without_types_is_read() -> None:
    body = {"response_type": "embeddings_floats", "embeddings": [[1.0], [2.0]]}

    assert bedrock_cohere.decode_reply(body).vectors == ((1.0,), (2.0,))


def test_the_official_sdk_asks_cohere_as_we_do() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"id": "e", "embeddings": {"float": [[1.0]]}})

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        client = sdk.ClientV2(api_key="k", base_url="http://test", httpx_client=http)
        client.embed(
            model="m",
            texts=["Hi"],
            input_type="search_query",
            embedding_types=["float"],
            output_dimension=3,
            truncate="END",
        )

    request = EmbeddingRequest("m", ("Hi",), task="query", dimensions=3, truncate=True)
    assert json.loads(cohere.encode_request(request).body) == json.loads(asked[0].content)
    assert asked[0].url.path == "/v2" + cohere.path("m", stream=False)


@pytest.mark.parametrize(
    ("model", "sized"),
    [
        ("amazon.titan-embed-text-v2:0", {"dimensions": 256}),
        ("amazon.titan-embed-image-v1", {"embeddingConfig": {"outputEmbeddingLength": 256}}),
    ],
)
def test_each_titan_is_told_the_size_in_its_own_words(model: str, sized: dict[str, Any]) -> None:
    encoded = titan.encode_request(EmbeddingRequest(model, ("Hi",), dimensions=256))

    assert json.loads(encoded.body) == {"inputText": "Hi", **sized}


def test_what_titan_says_went_wrong_is_told() -> None:
    reply = titan.decode_reply({"embedding": [0.5], "inputTextTokenCount": 3, "message": "odd"})

    assert reply.unread == {"message"}
    assert titan.decode_reply({"embedding": [0.5], "inputTextTokenCount": 3, "message": None}).unread == set()


@pytest.mark.parametrize("model", ["amazon.titan-embed-text-v1", "amazon.titan-embed-g1-text-02"])
def test_the_first_titan_has_one_size(model: str) -> None:
    request = EmbeddingRequest(model, ("Hi",), dimensions=256, names={"dimensions": "outputDimensionality"})

    with pytest.raises(Untranslatable) as caught:
        titan.encode_request(request)

    assert caught.value.param == "outputDimensionality"


@pytest.mark.parametrize(("truncate", "losses"), [(None, ()), (False, ()), (True, ("truncate",))])
def test_titan_cuts_nothing_off(truncate: bool | None, losses: tuple[str, ...]) -> None:
    assert titan.encode_request(EmbeddingRequest("m", ("Hi",), truncate=truncate)).losses == losses


def test_the_tokens_of_cohere_on_bedrock_stand_in_a_header() -> None:
    assert bedrock_cohere.usage_of_headers({"x-amzn-bedrock-input-token-count": "7"}) == Usage({"input": 7})
    assert bedrock_cohere.usage_of_headers({"x-amzn-bedrock-input-token-count": "-7"}) is None
    assert bedrock_cohere.usage_of_headers({}) is None


BEDROCK_ERRORS: dict[str, tuple[int, bytes, ErrorReport]] = {
    "validation": (
        400,
        b'{"message":"Malformed input request"}',
        ErrorReport(Category.INVALID_REQUEST, "Malformed input request"),
    ),
    "too long": (
        400,
        b'{"message":"400 Bad Request: Too many input tokens. Max input tokens: 8192"}',
        ErrorReport(Category.CONTEXT_LENGTH, "400 Bad Request: Too many input tokens. Max input tokens: 8192"),
    ),
    "named": (
        403,
        b'{"__type":"com.amazon.coral#AccessDeniedException","Message":"No"}',
        ErrorReport(Category.AUTH, "No", "AccessDeniedException"),
    ),
    "throttled": (429, b'{"message":"Slow"}', ErrorReport(Category.RATE_LIMIT, "Slow")),
    "not ready": (503, b"{}", ErrorReport(Category.OVERLOADED, "HTTP 503")),
    "model error": (424, b"[]", ErrorReport(Category.SERVER_ERROR, "HTTP 424")),
    "model timeout": (408, b"", ErrorReport(Category.TIMEOUT, "HTTP 408")),
    "not found": (404, b"<html>", ErrorReport(Category.NOT_FOUND, "HTTP 404")),
    "server": (500, b'{"message":null}', ErrorReport(Category.SERVER_ERROR, "HTTP 500")),
}


@pytest.mark.parametrize(("status", "body", "expected"), BEDROCK_ERRORS.values(), ids=BEDROCK_ERRORS.keys())
def test_errors_of_bedrock_are_understood(status: int, body: bytes, expected: ErrorReport) -> None:
    assert titan.decode_error(status, body) == expected
    assert bedrock_cohere.decode_error(status, body) == expected


GOOGLE_ERRORS: dict[str, tuple[int, bytes, ErrorReport]] = {
    "invalid": (
        400,
        b'{"error":{"code":400,"message":"Bad","status":"INVALID_ARGUMENT"}}',
        ErrorReport(Category.INVALID_REQUEST, "Bad", "INVALID_ARGUMENT"),
    ),
    "a bad key comes as an invalid argument": (
        400,
        b'{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}',
        ErrorReport(Category.AUTH, "API key not valid.", "INVALID_ARGUMENT"),
    ),
    "too long": (
        400,
        b'{"error":{"message":"The input token count (9000) exceeds the maximum","status":"INVALID_ARGUMENT"}}',
        ErrorReport(Category.CONTEXT_LENGTH, "The input token count (9000) exceeds the maximum", "INVALID_ARGUMENT"),
    ),
    "quota": (
        429,
        b'[{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED"}}]',
        ErrorReport(Category.RATE_LIMIT, "Quota", "RESOURCE_EXHAUSTED"),
    ),
    "an unknown word": (
        404,
        b'{"error":{"message":"No","status":"ODD"}}',
        ErrorReport(Category.NOT_FOUND, "No", "ODD"),
    ),
    "no word": (500, b'{"error":{"message":"Oops"}}', ErrorReport(Category.SERVER_ERROR, "Oops")),
    "text as error": (403, b'{"error":"denied"}', ErrorReport(Category.AUTH, "denied")),
    "plain text": (503, b"busy\n", ErrorReport(Category.OVERLOADED, "busy")),
    "html": (504, b"<html>", ErrorReport(Category.TIMEOUT, "HTTP 504")),
    "nothing": (418, b"", ErrorReport(Category.INVALID_REQUEST, "HTTP 418")),
    "an empty list": (502, b"[]", ErrorReport(Category.SERVER_ERROR, "HTTP 502")),
}


@pytest.mark.parametrize(("status", "body", "expected"), GOOGLE_ERRORS.values(), ids=GOOGLE_ERRORS.keys())
def test_errors_of_google_are_understood(status: int, body: bytes, expected: ErrorReport) -> None:
    assert vertex.decode_error(status, body) == expected
