from __future__ import annotations

import base64
import struct
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx2
import openai as sdk
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.dialects.embeddings import openai, vectors
from costspan.dialects.types import PLAIN, ErrorAnswer, Peek, Profile, StreamOptions
from costspan.errors import ClientError, Malformed, Untranslatable
from costspan.ir.embedding import EmbeddingReply, EmbeddingRequest
from costspan.ir.usage import Usage
from costspan.wire import json

OPTIONS = StreamOptions("cs_1", "the-model", 1700000000, prompt_tokens=9)
M = {"model": "m"}

PEEKS: dict[str, tuple[Any, int, int]] = {
    "text": ("Hi", 2, 0),
    "empty text": ("", 0, 0),
    "texts": (["Hi", "Bye"], 5, 0),
    "token ids": ([1, 2, 3], 12, 0),
    "lists of token ids": ([[1, 2], [3]], 12, 0),
    "pictures": ([{"image": "u"}, {"text": "Hi"}], 0, 2),
}


@pytest.mark.parametrize(("given_", "chars", "media"), PEEKS.values(), ids=PEEKS.keys())
def test_the_size_of_every_form_of_input_is_seen(given_: Any, chars: int, media: int) -> None:
    expected = Peek("m", stream=False, max_output_tokens=0, prompt_chars=chars, media=media)

    assert openai.peek(M | {"input": given_}) == expected


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no model": ({"input": "Hi"}, "missing_model", "model"),
    "no input": (M, "invalid_value", "input"),
    "empty list": (M | {"input": []}, "invalid_value", "input"),
    "mixed": (M | {"input": ["Hi", 1]}, "invalid_value", "input"),
    "negative id": (M | {"input": [-1]}, "invalid_value", "input"),
    "flags": (M | {"input": [True]}, "invalid_value", "input"),
    "empty list of ids": (M | {"input": [[]]}, "invalid_value", "input"),
    "lists of texts": (M | {"input": [["Hi"]]}, "invalid_value", "input"),
    "an object": (M | {"input": {}}, "invalid_value", "input"),
    "no dimensions": (M | {"input": "Hi", "dimensions": 0}, "invalid_value", "dimensions"),
    "dimensions as text": (M | {"input": "Hi", "dimensions": "256"}, "invalid_value", "dimensions"),
    "format": (M | {"input": "Hi", "encoding_format": "int8"}, "invalid_value", "encoding_format"),
    "format's type": (M | {"input": "Hi", "encoding_format": 1}, "invalid_type", "encoding_format"),
    "a destination": (M | {"input": "Hi", "api_base": "http://x"}, "forbidden_parameter", "api_base"),
}


@pytest.mark.parametrize(("body", "code", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_field_is_named(body: dict[str, Any], code: str, param: str) -> None:
    with pytest.raises(ClientError) as caught:
        openai.peek(body)

    assert (caught.value.code, caught.value.param) == (code, param)


def test_a_request_is_read_whole() -> None:
    body = M | {
        "input": "Hi",
        "dimensions": 3,
        "encoding_format": "base64",
        "user": "u",
        "input_type": "passage",
        "truncate": "END",
        "odd": 1,
        "none": None,
    }

    request = openai.decode_request(body)

    assert replace(request, names={}) == EmbeddingRequest(
        "m",
        ("Hi",),
        dimensions=3,
        format="base64",
        task="document",
        truncate=True,
        end_user="u",
        names={},
        extensions={"openai-embeddings": {"odd": 1}},
    )


@pytest.mark.parametrize(
    ("given_", "tokens"), [([1, 2], ((1, 2),)), ([[1, 2], [3]], ((1, 2), (3,)))], ids=["one", "several"]
)
def test_token_ids_stay_token_ids(given_: Any, tokens: tuple[tuple[int, ...], ...]) -> None:
    request = openai.decode_request(M | {"input": given_})

    assert (request.texts, request.tokens) == ((), tokens)
    assert json.loads(openai.encode_request(request).body) == M | {"input": [list(ids) for ids in tokens]}


def test_pictures_are_passed_but_not_translated() -> None:
    with pytest.raises(Untranslatable) as caught:
        openai.decode_request(M | {"input": [{"image": "u"}]})

    assert caught.value.param == "input[0]"


@pytest.mark.parametrize(("word", "kept"), [("image", "image"), ("query", None)])
def test_a_task_that_is_not_understood_stays_as_it_is(word: str, kept: str | None) -> None:
    encoded = openai.encode_request(openai.decode_request(M | {"input": "Hi", "input_type": word}))

    assert json.loads_object(encoded.body).get("input_type") == kept
    assert encoded.losses == (() if kept else ("input_type",))


TASKS: dict[str, tuple[str, str, str | None, tuple[str, ...]]] = {
    "query at Voyage": (openai.TAKES_QUERY_OR_DOCUMENT, "query", "query", ()),
    "document at Voyage": (openai.TAKES_QUERY_OR_DOCUMENT, "document", "document", ()),
    "clustering at Voyage": (openai.TAKES_QUERY_OR_DOCUMENT, "clustering", None, ("task",)),
    "query at NVIDIA": (openai.TAKES_QUERY_OR_PASSAGE, "query", "query", ()),
    "document at NVIDIA": (openai.TAKES_QUERY_OR_PASSAGE, "document", "passage", ()),
    "clustering at NVIDIA, which wants a word": (openai.TAKES_QUERY_OR_PASSAGE, "clustering", "passage", ("task",)),
    "nothing at NVIDIA": (openai.TAKES_QUERY_OR_PASSAGE, "", "passage", ()),
    "nothing at Voyage": (openai.TAKES_QUERY_OR_DOCUMENT, "", None, ()),
    "query at OpenAI": ("", "query", None, ("task",)),
}


@pytest.mark.parametrize(("quirk", "task", "word", "losses"), TASKS.values(), ids=TASKS.keys())
def test_hosts_are_told_the_task_in_their_word(
    quirk: str, task: Any, word: str | None, losses: tuple[str, ...]
) -> None:
    request = EmbeddingRequest("m", ("Hi",), task=task or None)

    encoded = openai.encode_request(request, Profile(quirks=frozenset({quirk})))

    assert json.loads_object(encoded.body).get("input_type") == word
    assert encoded.losses == losses


@pytest.mark.parametrize(("truncate", "losses"), [(None, ()), (False, ()), (True, ("truncate",))])
def test_truncation_is_lost_but_its_absence_is_the_rule(truncate: bool | None, losses: tuple[str, ...]) -> None:
    assert openai.encode_request(EmbeddingRequest("m", ("Hi",), truncate=truncate)).losses == losses


def test_a_host_s_own_names_are_used() -> None:
    profile = Profile("mistral", {"dimensions": "output_dimension"}, frozenset({"user"}))
    request = EmbeddingRequest("m", ("Hi",), dimensions=3, end_user="u", names={"end_user": "user"})

    encoded = openai.encode_request(request, profile)

    assert json.loads(encoded.body) == M | {"input": ["Hi"], "output_dimension": 3}
    assert encoded.losses == ("user",)


def test_a_host_without_dimensions_is_not_eligible() -> None:
    request = EmbeddingRequest("m", ("Hi",), dimensions=3, names={"dimensions": "outputDimensionality"})

    with pytest.raises(Untranslatable) as caught:
        openai.encode_request(request, Profile("x", rejects=frozenset({"dimensions"})))

    assert caught.value.param == "outputDimensionality"


def item(index: Any, embedding: Any, **more: Any) -> dict[str, Any]:
    return {"object": "embedding", "index": index, "embedding": embedding, **more}


def test_vectors_come_in_the_order_of_their_inputs() -> None:
    reply = openai.decode_reply({"data": [item(1, [2.0]), item(0, [1.0])]})

    assert reply.vectors == ((1.0,), (2.0,))


def test_vectors_without_an_index_stay_as_they_are() -> None:
    reply = openai.decode_reply({"data": [item(None, [2.0]), item(None, [1.0])]})

    assert reply.vectors == ((2.0,), (1.0,))


def test_what_is_not_read_is_a_loss() -> None:
    reply = openai.decode_reply({"data": [item(0, [1.0], score=1)], "warnings": ["w"], "id": "x"})

    assert openai.encode_reply(reply, OPTIONS).losses == ("response.usage", "response.score", "response.warnings")


def test_base64_is_decoded_and_given_where_it_was_asked_for() -> None:
    packed = base64.b64encode(struct.pack("<2f", 0.5, -0.25)).decode()
    reply = openai.decode_reply({"data": [item(0, packed)]})

    assert reply.vectors == ((0.5, -0.25),)
    told = json.loads_object(openai.encode_reply(replace(reply, format="base64"), OPTIONS).body)
    assert told["data"][0]["embedding"] == packed


@pytest.mark.parametrize("embedding", [None, "", "!", "AAA=", [], ["a"], [True], [None], {}, 1])
def test_what_is_no_vector_is_malformed(embedding: Any) -> None:
    with pytest.raises(Malformed):
        openai.decode_reply({"data": [item(0, embedding)]})


def test_a_number_beyond_float32_cannot_be_packed() -> None:
    with pytest.raises(Malformed):
        vectors.pack((1e300,))


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=9).map(tuple))
def test_packing_keeps_every_float32(vector: tuple[float, ...]) -> None:
    assert vectors.read(vectors.pack(vector)) == vector


USAGES: dict[str, tuple[Any, Usage | None]] = {
    "openai": ({"prompt_tokens": 7, "total_tokens": 7}, Usage({"input": 7})),
    "voyage": ({"total_tokens": 7}, Usage({"input": 7})),
    "mistral": ({"prompt_tokens": 7, "completion_tokens": 0, "total_tokens": 7}, Usage({"input": 7})),
    "openrouter": ({"prompt_tokens": 7, "cost": 0.0001}, Usage({"input": 7}, reported_cost=Decimal("0.0001"))),
    "negative": ({"prompt_tokens": -7}, Usage({"input": 0}, inconsistent=True)),
    "empty": ({}, None),
    "none": (None, None),
}


@pytest.mark.parametrize(("report", "expected"), USAGES.values(), ids=USAGES.keys())
def test_usage_is_read(report: Any, expected: Usage | None) -> None:
    assert openai.read_usage({"usage": report}, PLAIN) == expected


def test_an_answer_without_usage_is_given_an_estimate_and_says_so() -> None:
    encoded = openai.encode_reply(EmbeddingReply("", ((1.0,),)), OPTIONS)

    body = json.loads_object(encoded.body)
    assert body["usage"] == {"prompt_tokens": 9, "total_tokens": 9}
    assert body["model"] == "the-model"
    assert encoded.losses == ("response.usage",)


def test_a_route_s_params_fill_in_what_is_missing() -> None:
    assert openai.defaults(M | {"user": "u"}, {"user": "v", "dimensions": 3}) == {"dimensions": 3}


@pytest.mark.parametrize("asked", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}])
def test_the_official_sdk_reads_what_it_asked_for(asked: dict[str, Any]) -> None:
    """It asks for base64 unless told otherwise, and decodes it itself."""
    reply = EmbeddingReply("m", ((0.5, -0.25), (1.0, 2.0)), Usage({"input": 7}))

    def answer(request: httpx2.Request) -> httpx2.Response:
        wanted = openai.decode_request(json.loads_object(request.read()))
        encoded = openai.encode_reply(replace(reply, format=wanted.format), OPTIONS)
        return httpx2.Response(200, content=encoded.body, headers={"content-type": "application/json"})

    with (
        httpx2.Client(transport=httpx2.MockTransport(answer)) as http,
        sdk.OpenAI(api_key="k", base_url="http://test", http_client=http) as client,
    ):
        found = client.embeddings.create(model="m", input=["Hi", "Bye"], **asked)

    first: Any = found.data[0].embedding
    if asked.get("encoding_format") == "base64":
        first = list(vectors.read(first))
    assert first == [0.5, -0.25]
    assert [one.index for one in found.data] == [0, 1]
    assert (found.model, found.usage.prompt_tokens, found.usage.total_tokens) == ("m", 7, 7)


def test_errors_have_the_shape_of_chat_s() -> None:
    answer = ErrorAnswer(400, "unsupported_parameter", "No", "cs_1", param="dimensions")

    assert json.loads_object(openai.encode_error(answer))["error"]["param"] == "dimensions"
    assert openai.encode_stream_error(answer) == b"data: " + openai.encode_error(answer) + b"\n\n"
