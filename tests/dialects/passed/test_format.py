"""Passed formats as the engine sees them: requests looked at, answers summarized, errors told."""

from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects import PASSED
from costspan.dialects.types import ErrorAnswer, ErrorReport, Peek, Summary
from costspan.errors import Category, ClientError, Malformed
from costspan.ir.usage import Usage
from costspan.wire import json

SERVED = {
    "openai-completions": ("text_completion", "/completions"),
    "openai-moderations": ("moderation", "/moderations"),
    "openai-images": ("image_generation", "/images/generations"),
    "openai-image-edits": ("image_edit", "/images/edits"),
    "openai-speech": ("speech", "/audio/speech"),
    "openai-transcriptions": ("transcription", "/audio/transcriptions"),
    "openai-translations": ("translation", "/audio/translations"),
    "rerank": ("rerank", "/rerank"),
}


def test_the_formats_are_where_they_are_served() -> None:
    found = {name: (dialect.OPERATION, dialect.path("m", stream=False)) for name, dialect in PASSED.items()}

    assert found == SERVED


M = {"model": "m"}
PEEKS: dict[str, tuple[str, dict[str, Any], Peek]] = {
    "completion": (
        "openai-completions",
        M | {"prompt": "Hi", "suffix": "!", "max_tokens": 9, "n": 2, "service_tier": "flex"},
        Peek("m", stream=False, max_output_tokens=9, prompt_chars=3, n=2, service_tier="flex"),
    ),
    "completion without a limit makes sixteen tokens": (
        "openai-completions",
        M,
        Peek("m", stream=False, max_output_tokens=16, prompt_chars=0),
    ),
    "completions": (
        "openai-completions",
        M | {"prompt": ["Hi", "Bye"], "stream": True},
        Peek("m", stream=True, max_output_tokens=16, prompt_chars=5, wants_usage=False),
    ),
    "completion with usage": (
        "openai-completions",
        M | {"prompt": [1, 2], "stream": True, "stream_options": {"include_usage": True}},
        Peek("m", stream=True, max_output_tokens=16, prompt_chars=8),
    ),
    "completion that wants no usage": (
        "openai-completions",
        M | {"prompt": "", "stream": True, "stream_options": {"include_usage": False}},
        Peek("m", stream=True, max_output_tokens=16, prompt_chars=0, wants_usage=False),
    ),
    "completions of token ids": (
        "openai-completions",
        M | {"prompt": [[1, 2], [3]]},
        Peek("m", stream=False, max_output_tokens=16, prompt_chars=12),
    ),
    "moderation": (
        "openai-moderations",
        M | {"input": ["Hi", {"type": "text", "text": "abc"}, {"type": "image_url", "image_url": {"url": "u"}}]},
        Peek("m", stream=False, max_output_tokens=0, prompt_chars=5, media=1),
    ),
    "moderation of one text": (
        "openai-moderations",
        M | {"input": "Hi"},
        Peek("m", stream=False, max_output_tokens=0, prompt_chars=2),
    ),
    "images": (
        "openai-images",
        M | {"prompt": "A hat", "n": 3, "stream": True},
        Peek("m", stream=True, max_output_tokens=0, prompt_chars=5, n=3),
    ),
    "image edit as a form": (
        "openai-image-edits",
        M | {"prompt": "A hat", "n": "2", "stream": "true"},
        Peek("m", stream=True, max_output_tokens=0, prompt_chars=5, media=1, n=2),
    ),
    "speech": (
        "openai-speech",
        M | {"input": "Hi", "instructions": "slow"},
        Peek("m", stream=False, max_output_tokens=0, prompt_chars=6),
    ),
    "speech in events": (
        "openai-speech",
        M | {"input": "Hi", "stream_format": "sse"},
        Peek("m", stream=True, max_output_tokens=0, prompt_chars=2),
    ),
    "transcription": (
        "openai-transcriptions",
        M | {"prompt": "Hi", "stream": "False", "temperature": "0"},
        Peek("m", stream=False, max_output_tokens=0, prompt_chars=2, media=1),
    ),
    "translation": ("openai-translations", M, Peek("m", stream=False, max_output_tokens=0, prompt_chars=0, media=1)),
    "rerank": (
        "rerank",
        M | {"query": "Hi", "documents": ["abc", {"text": "de"}, {"image": "u"}]},
        Peek("m", stream=False, max_output_tokens=0, prompt_chars=7, media=1),
    ),
}


@pytest.mark.parametrize(("name", "body", "expected"), PEEKS.values(), ids=PEEKS.keys())
def test_a_request_is_looked_at(name: str, body: dict[str, Any], expected: Peek) -> None:
    assert PASSED[name].peek(body) == expected


REFUSED: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "prompt": ("openai-completions", M | {"prompt": [1, "a"]}, "invalid_value", "prompt"),
    "max_tokens": ("openai-completions", M | {"max_tokens": -1}, "invalid_value", "max_tokens"),
    "stream_options": ("openai-completions", M | {"stream_options": 1}, "invalid_type", "stream_options"),
    "stream": ("openai-completions", M | {"stream": "maybe"}, "invalid_type", "stream"),
    "moderated input": ("openai-moderations", M | {"input": 1}, "invalid_value", "input"),
    "no moderated input": ("openai-moderations", M | {"input": []}, "invalid_value", "input"),
    "spoken input": ("openai-speech", M, "invalid_type", "input"),
    "stream_format": ("openai-speech", M | {"input": "Hi", "stream_format": 1}, "invalid_type", "stream_format"),
    "n": ("openai-images", M | {"n": 0}, "invalid_value", "n"),
    "n of a form": ("openai-image-edits", M | {"n": "many"}, "invalid_value", "n"),
    "large n of a form": ("openai-image-edits", M | {"n": "9" * 5000}, "invalid_value", "n"),
    "image prompt": ("openai-images", M | {"prompt": ["Hi"]}, "invalid_type", "prompt"),
    "documents": ("rerank", M | {"query": "Hi", "documents": [1]}, "invalid_value", "documents"),
    "no documents": ("rerank", M | {"query": "Hi"}, "invalid_value", "documents"),
}


@pytest.mark.parametrize(("name", "body", "code", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_field_is_named(name: str, body: dict[str, Any], code: str, param: str) -> None:
    with pytest.raises(ClientError) as caught:
        PASSED[name].peek(body)

    assert (caught.value.status, caught.value.code, caught.value.param) == (400, code, param)


@pytest.mark.parametrize("name", PASSED)
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_model"),
        ({"model": None}, "missing_model"),
        ({"model": 1}, "missing_model"),
        ({"model": "a\nb"}, "missing_model"),
        ({"model": "a" * 257}, "missing_model"),
        (M | {"api_base": "http://x"}, "forbidden_parameter"),
    ],
)
def test_every_format_needs_a_model_and_no_destination(name: str, body: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as caught:
        PASSED[name].peek(body)

    assert caught.value.code == code


def test_a_route_s_params_fill_in_what_is_missing() -> None:
    found = PASSED["openai-images"].defaults({"model": "m", "size": "auto"}, {"size": "1024x1024", "quality": "low"})

    assert found == {"quality": "low"}


SUMMARIES: dict[str, tuple[str, dict[str, Any], Summary]] = {
    "completion": (
        "openai-completions",
        {
            "id": "cmpl-1",
            "model": "m",
            "choices": [{"text": "a", "finish_reason": "stop"}, {"finish_reason": "length"}, {"finish_reason": None}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2},
        },
        Summary("cmpl-1", "m", ("stop", "length"), Usage({"input": 1, "output": 2})),
    ),
    "moderation": (
        "openai-moderations",
        {"id": "modr-1", "model": "m", "results": []},
        Summary("modr-1", "m", (), Usage(units={"requests": 1})),
    ),
    "images": ("openai-images", {"created": 1, "data": [{}]}, Summary("", "", (), Usage(units={"images": 1}))),
    "transcription": ("openai-transcriptions", {"text": ""}, Summary("", "", (), None)),
    "rerank": ("rerank", {"id": "r", "results": []}, Summary("r", "", (), None)),
    "odd choices": ("openai-completions", {"choices": 1}, Summary("", "", (), None)),
}


@pytest.mark.parametrize(("name", "body", "expected"), SUMMARIES.values(), ids=SUMMARIES.keys())
def test_an_answer_is_summarized(name: str, body: dict[str, Any], expected: Summary) -> None:
    assert PASSED[name].summarize(body) == expected


@pytest.mark.parametrize("name", sorted(set(PASSED) - {"openai-speech"}))
def test_something_else_is_malformed(name: str) -> None:
    with pytest.raises(Malformed):
        PASSED[name].summarize({"object": "nonsense"})


@pytest.mark.parametrize("name", PASSED)
def test_errors_have_openai_s_shape(name: str) -> None:
    answer = ErrorAnswer(400, "missing_model", "No model", "cs_1", param="model")
    shown = json.loads_object(PASSED[name].encode_error(answer))

    assert shown["error"]["code"] == "missing_model"
    assert PASSED[name].encode_stream_error(answer) == b"data: " + PASSED[name].encode_error(answer) + b"\n\n"
    assert PASSED[name].decode_error(429, b'{"message":"slow down"}') == ErrorReport(Category.RATE_LIMIT, "slow down")
