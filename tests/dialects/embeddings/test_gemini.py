from __future__ import annotations

from typing import Any

import httpx
import pytest
from google import genai

from costspan.dialects import gemini_generate
from costspan.dialects.embeddings import gemini, gemini_batch, openai
from costspan.dialects.types import ErrorAnswer, Peek, StreamOptions
from costspan.errors import ClientError, Malformed, Untranslatable
from costspan.ir.embedding import EmbeddingReply
from costspan.ir.usage import Usage
from costspan.wire import json

OPTIONS = StreamOptions("cs_1", "the-model", 1700000000)
ADDED = {"model": "the-model", "stream": False}
"""What the server puts among the fields."""


def item(*texts: str, **options: Any) -> dict[str, Any]:
    return {"content": {"parts": [{"text": text} for text in texts]}, **options}


def test_one_text_is_read() -> None:
    body = item("Hel", "lo", taskType="CLUSTERING", title="T", outputDimensionality=3, documentOcr=True)

    request = gemini.decode_request(body | ADDED)

    assert (request.texts, request.task, request.title, request.dimensions) == (("Hello",), "clustering", "T", 3)
    assert request.extensions == {"gemini-embed": {"documentOcr": True}}


@pytest.mark.parametrize(
    "options",
    [
        {"taskType": "FACT_VERIFICATION", "outputDimensionality": 3, "autoTruncate": False},
        {"task_type": "FACT_VERIFICATION", "output_dimensionality": 3, "auto_truncate": False},
        {"embedContentConfig": {"taskType": "FACT_VERIFICATION", "outputDimensionality": 3, "autoTruncate": False}},
        {"embed_content_config": {"task_type": "FACT_VERIFICATION", "outputDimensionality": 3, "autoTruncate": False}},
    ],
)
def test_options_are_read_in_either_spelling_and_place(options: dict[str, Any]) -> None:
    request = gemini.decode_request(item("Hi", **options) | ADDED)

    assert (request.task, request.dimensions, request.truncate) == ("fact_check", 3, False)
    assert request.extensions == {}


def test_the_newer_place_of_an_option_wins() -> None:
    body = item("Hi", outputDimensionality=3, embedContentConfig={"outputDimensionality": 4})

    assert gemini.decode_request(body | ADDED).dimensions == 4


def test_no_task_is_no_task() -> None:
    assert gemini.decode_request(item("Hi", taskType="TASK_TYPE_UNSPECIFIED") | ADDED).task is None


def test_losses_are_told_in_the_client_s_words() -> None:
    body = item("Hi", taskType="CLUSTERING", title="T", autoTruncate=True, documentOcr=True)
    request = gemini.decode_request(body | ADDED)

    assert openai.encode_request(request).losses == ("taskType", "title", "autoTruncate", "documentOcr")


PICTURE = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}


def test_the_size_of_several_texts_is_seen() -> None:
    body = {"requests": [item("Hi"), item("Bye"), {"content": {"parts": [PICTURE]}}]}

    assert gemini_batch.peek(body | ADDED) == Peek(
        "the-model", stream=False, max_output_tokens=0, prompt_chars=5, media=1
    )


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no requests": ({}, "invalid_value", "requests"),
    "empty requests": ({"requests": []}, "invalid_value", "requests"),
    "no content": ({"requests": [item("Hi"), {}]}, "invalid_value", "requests[1].content.parts"),
    "no object": ({"requests": [1]}, "invalid_value", "requests[0].content.parts"),
    "no parts": ({"requests": [{"content": {"parts": []}}]}, "invalid_value", "requests[0].content.parts"),
    "an odd part": ({"requests": [{"content": {"parts": [1]}}]}, "invalid_value", "requests[0].content.parts[0]"),
    "no model": ({"requests": [item("Hi")], "model": None}, "missing_model", "model"),
    "a destination": ({"requests": [item("Hi")], "base_url": "x"}, "forbidden_parameter", "base_url"),
}


@pytest.mark.parametrize(("body", "code", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_field_is_named(body: dict[str, Any], code: str, param: str) -> None:
    with pytest.raises(ClientError) as caught:
        gemini_batch.peek(ADDED | body)

    assert (caught.value.code, caught.value.param) == (code, param)


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"taskType": "NONSENSE"}, "requests[0].taskType"),
        ({"taskType": 1}, "taskType"),
        ({"outputDimensionality": 0}, "outputDimensionality"),
        ({"title": 1}, "title"),
        ({"autoTruncate": "yes"}, "autoTruncate"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], param: str) -> None:
    with pytest.raises(ClientError) as caught:
        gemini_batch.decode_request({"requests": [item("Hi", **options)]} | ADDED)

    assert caught.value.param == param


def test_pictures_are_passed_but_not_translated() -> None:
    body = {"requests": [item("Hi"), {"content": {"parts": [{"text": "a"}, PICTURE]}}]}

    with pytest.raises(Untranslatable) as caught:
        gemini_batch.decode_request(body | ADDED)

    assert caught.value.param == "requests[1].content.parts[1]"


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"taskType": "CLUSTERING"}, "requests[1].taskType"),
        ({"outputDimensionality": 3}, "requests[1].outputDimensionality"),
        ({"autoTruncate": True}, "requests[1].autoTruncate"),
    ],
)
def test_options_that_differ_between_texts_are_not_translated(options: dict[str, Any], param: str) -> None:
    with pytest.raises(Untranslatable) as caught:
        gemini_batch.decode_request({"requests": [item("Hi"), item("Bye", **options)]} | ADDED)

    assert caught.value.param == param


def test_titles_that_differ_are_a_loss() -> None:
    body = {"requests": [item("Hi", title="A"), item("Bye", title="B")]}

    encoded = openai.encode_request(gemini_batch.decode_request(body | ADDED))

    assert encoded.losses == ("title",)


def test_a_route_s_params_fill_in_what_each_text_lacks() -> None:
    params = {"dimensions": 3, "taskType": "CLUSTERING", "temperature": 1}
    body = {"requests": [item("Hi", outputDimensionality=9), item("Bye", task_type="SEMANTIC_SIMILARITY")]}

    assert gemini.defaults(item("Hi"), params) == {"outputDimensionality": 3, "taskType": "CLUSTERING"}
    assert gemini_batch.defaults(body, params) == {
        "requests": [
            item("Hi", outputDimensionality=9, taskType="CLUSTERING"),
            item("Bye", task_type="SEMANTIC_SIMILARITY", outputDimensionality=3),
        ]
    }
    assert gemini_batch.defaults(body, {"temperature": 1}) == {}


def test_a_body_that_passes_names_the_target_s_model() -> None:
    body = {"requests": [item("Hi", model="models/route"), item("Bye")]}

    changed = gemini_batch.renamed(body, "gemini-embedding-001")

    assert changed == {
        "requests": [
            item("Hi", model="models/gemini-embedding-001"),
            item("Bye", model="models/gemini-embedding-001"),
        ]
    }
    assert gemini_batch.renamed(changed, "gemini-embedding-001") == {}
    assert gemini.renamed(item("Hi", model="models/route"), "other") == {"model": "models/other"}
    assert gemini.renamed(item("Hi"), "other") == {}


USAGES: dict[str, tuple[Any, Usage | None]] = {
    "total": ({"promptTokenCount": 7, "totalTokenCount": 7}, Usage({"input": 7})),
    "by modality": (
        {
            "promptTokenCount": 270,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 12},
                {"modality": "IMAGE", "tokenCount": 200},
                {"modality": "IMAGE", "tokenCount": 58},
            ],
        },
        Usage({"input": 12, "input_image": 258}),
    ),
    "none": (None, None),
    "empty": ({}, None),
    "odd": ({"promptTokenCount": "7"}, Usage({"input": 0}, inconsistent=True)),
}


@pytest.mark.parametrize(("report", "expected"), USAGES.values(), ids=USAGES.keys())
def test_usage_is_read(report: Any, expected: Usage | None) -> None:
    assert gemini.read_usage({"usageMetadata": report}) == expected
    assert gemini_batch.read_usage({"usageMetadata": report}) == expected


def test_an_answer_without_usage_stays_without() -> None:
    encoded = gemini_batch.encode_reply(EmbeddingReply("m", ((1.0,), (2.0,))), OPTIONS)

    assert json.loads(encoded.body) == {"embeddings": [{"values": [1.0]}, {"values": [2.0]}]}
    assert encoded.losses == ()


def test_what_is_not_read_is_a_loss() -> None:
    reply = gemini_batch.decode_reply({"embeddings": [{"values": [1.0]}], "truncated": True})

    assert gemini_batch.encode_reply(reply, OPTIONS).losses == ("response.truncated",)


@pytest.mark.parametrize("body", [{"embeddings": [1]}, {"embeddings": [{}]}, {"embedding": {"values": "x"}}])
def test_what_is_no_vector_is_malformed(body: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        gemini_batch.decode_reply(body)
    with pytest.raises(Malformed):
        gemini.decode_reply(body)


def test_the_official_sdk_asks_in_a_batch_and_reads_the_answer() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        reply = EmbeddingReply("m", ((0.5, -0.25), (1.0, 2.0)), Usage({"input": 7}))
        content = gemini_batch.encode_reply(reply, OPTIONS).body
        return httpx.Response(200, content=content, headers={"content-type": "application/json"})

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        client = genai.Client(
            api_key="k", http_options=genai.types.HttpOptions(base_url="http://test", httpx_client=http)
        )
        found = client.models.embed_content(
            model="the-model",
            contents=["Hi", "Bye"],
            config=genai.types.EmbedContentConfig(task_type="RETRIEVAL_QUERY", output_dimensionality=2),
        )

    assert asked[0].url.path.endswith(gemini_batch.path("the-model", stream=False))
    request = gemini_batch.decode_request(json.loads_object(asked[0].content) | ADDED)
    assert (request.texts, request.task, request.dimensions) == (("Hi", "Bye"), "query", 2)
    assert request.extensions == {}
    assert found.embeddings is not None
    assert [one.values for one in found.embeddings] == [[0.5, -0.25], [1.0, 2.0]]
    assert found.usage_metadata is not None
    assert found.usage_metadata.prompt_token_count == 7


def test_the_official_sdk_raises_on_our_errors() -> None:
    error = gemini.encode_error(ErrorAnswer(404, "model_not_found", "No such route", "cs_1", param="model"))

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(404, content=error, headers={"content-type": "application/json"})

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        client = genai.Client(
            api_key="k", http_options=genai.types.HttpOptions(base_url="http://test", httpx_client=http)
        )
        with pytest.raises(genai.errors.ClientError) as caught:
            client.models.embed_content(model="the-model", contents="Hi")

    assert (caught.value.code, caught.value.status, caught.value.message) == (404, "NOT_FOUND", "No such route")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504])
def test_errors_are_told_as_on_google_s_other_paths(status: int) -> None:
    tried = ({"target": "one/m", "status": status, "error_type": "x"},)
    for error in (
        ErrorAnswer(status, "some_code", "No such route", "cs_1", param="model"),
        ErrorAnswer(status, "some_code", "No such route", "cs_1", attempts=tried),
    ):
        assert gemini.encode_error(error) == gemini_generate.encode_error(error)
