from __future__ import annotations

from typing import Any

import httpx2
import openai
import pytest
from openai.types.responses import ResponseErrorEvent

from costspan.dialects import openai_responses
from costspan.dialects.types import ErrorAnswer, ErrorReport
from costspan.errors import Category
from costspan.ir import events
from costspan.wire import json, sse

ANSWER = ErrorAnswer(502, "upstream_error", "It broke.", "cs_1", attempts=({"target": "a/b", "status": 500},))

CASES: dict[str, tuple[int, dict[str, Any], ErrorReport]] = {
    "a long prompt": (
        400,
        {"message": "Too long.", "type": "invalid_request_error", "param": "input", "code": "context_length_exceeded"},
        ErrorReport(Category.CONTEXT_LENGTH, "Too long.", "context_length_exceeded", "input"),
    ),
    "a prompt against the rules": (
        400,
        {"message": "No.", "type": "invalid_request_error", "param": None, "code": "invalid_prompt"},
        ErrorReport(Category.CONTENT_FILTER, "No.", "invalid_prompt"),
    ),
    "a picture that is none": (
        400,
        {"message": "No.", "type": "invalid_request_error", "param": "url", "code": "invalid_image_url"},
        ErrorReport(Category.INVALID_REQUEST, "No.", "invalid_image_url", "url"),
    ),
    "too many requests": (
        429,
        {"message": "Wait.", "type": "requests", "param": None, "code": "rate_limit_exceeded"},
        ErrorReport(Category.RATE_LIMIT, "Wait.", "rate_limit_exceeded"),
    ),
    "an item that is not there": (
        404,
        {"message": "Gone.", "type": "invalid_request_error", "param": "input", "code": None},
        ErrorReport(Category.NOT_FOUND, "Gone.", "invalid_request_error", "input"),
    ),
}


@pytest.mark.parametrize(("status", "error", "report"), CASES.values(), ids=CASES.keys())
def test_an_error_answer_is_understood(status: int, error: dict[str, Any], report: ErrorReport) -> None:
    assert openai_responses.decode_error(status, json.dumps({"error": error})) == report


STREAMED: dict[str, tuple[str, dict[str, Any], events.Failed]] = {
    "flat": (
        "error",
        {"type": "error", "code": "rate_limit_exceeded", "message": "Wait.", "param": None, "sequence_number": 3},
        events.Failed("Wait.", "rate_limit", "rate_limit_exceeded"),
    ),
    "with the error inside": (
        "error",
        {
            "type": "error",
            "error": {"type": "invalid_request_error", "code": "context_length_exceeded", "message": "L"},
        },
        events.Failed("L", "context_length", "context_length_exceeded"),
    ),
    "with a text inside": (
        "error",
        {"type": "error", "error": "Oops."},
        events.Failed("Oops.", "server_error", None),
    ),
    "named by its event only": (
        "error",
        {"code": None, "message": "Oops.", "param": None},
        events.Failed("Oops.", "server_error", None),
    ),
    "of no type": ("", {"error": {"message": "Oops."}}, events.Failed("Oops.", "server_error", None)),
    "a response that failed": (
        "response.failed",
        {
            "type": "response.failed",
            "response": {"status": "failed", "error": {"code": "bio_policy", "message": "No."}},
        },
        events.Failed("No.", "content_filter", "bio_policy"),
    ),
    "a response that failed without a word": (
        "response.failed",
        {"type": "response.failed", "response": {"status": "failed", "error": None}},
        events.Failed("the provider reported an error", "server_error", None),
    ),
}


@pytest.mark.parametrize(("name", "value", "failed"), STREAMED.values(), ids=STREAMED.keys())
def test_an_error_inside_a_stream_is_told(name: str, value: dict[str, Any], failed: events.Failed) -> None:
    decoder = openai_responses.new_decoder()

    assert list(decoder.feed(sse.Event(name, json.dumps(value)))) == [failed]
    assert decoder.ended is False
    assert any(marker in json.dumps(value) for marker in openai_responses.MARKERS)


def test_usage_of_a_response_that_failed_is_kept() -> None:
    decoder = openai_responses.new_decoder()
    response = {"error": {"code": "server_error", "message": "x"}, "usage": {"input_tokens": 3, "output_tokens": 1}}

    list(decoder.feed(sse.Event("", json.dumps({"type": "response.failed", "response": response}))))

    assert decoder.usage is not None
    assert decoder.usage.prompt_tokens == 3


def test_an_error_answer() -> None:
    error = json.loads_object(openai_responses.encode_error(ANSWER))["error"]

    assert error["message"] == "It broke."
    assert error["code"] == "upstream_error"
    assert error["exchange_id"] == "cs_1"


def test_the_event_that_ends_a_stream_is_the_sdk_s_and_its_client_raises() -> None:
    raw = openai_responses.encode_stream_error(ANSWER)
    (event,) = sse.Parser().feed(raw)

    assert event.name == "error"
    told = ResponseErrorEvent.model_validate(json.loads_object(event.data), strict=True)
    assert (told.code, told.message, told.param) == ("upstream_error", "It broke.", None)

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=raw)

    with (
        httpx2.Client(transport=httpx2.MockTransport(answer)) as http,
        openai.OpenAI(api_key="k", base_url="http://test", http_client=http) as client,
        client.responses.create(model="m", input="Hi", stream=True) as stream,
        pytest.raises(openai.APIError, match=r"It broke\."),
    ):
        list(stream)
