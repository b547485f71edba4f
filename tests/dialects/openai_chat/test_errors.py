from __future__ import annotations

import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.dialects import openai_chat
from costspan.dialects.types import ErrorAnswer, ErrorReport
from costspan.errors import Category
from costspan.wire import json

CASES: dict[str, tuple[int, bytes, ErrorReport]] = {
    "openai": (
        404,
        b'{"error":{"message":"No such model","type":"invalid_request_error","code":"model_not_found","param":"m"}}',
        ErrorReport(Category.NOT_FOUND, "No such model", "model_not_found", "m"),
    ),
    "quota": (
        429,
        b'{"error":{"message":"Pay","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}',
        ErrorReport(Category.RATE_LIMIT, "Pay", "insufficient_quota"),
    ),
    "context length by code": (
        400,
        b'{"error":{"message":"Too long","type":"invalid_request_error","code":"context_length_exceeded"}}',
        ErrorReport(Category.CONTEXT_LENGTH, "Too long", "context_length_exceeded"),
    ),
    "context length by message": (
        400,
        b'{"object":"error","message":"This model\'s maximum context length is 8192 tokens","code":400}',
        ErrorReport(Category.CONTEXT_LENGTH, "This model's maximum context length is 8192 tokens"),
    ),
    "context length by message under a broad type": (
        400,
        b'{"error":{"message":"Please reduce the length of the messages","type":"invalid_request_error"}}',
        ErrorReport(Category.CONTEXT_LENGTH, "Please reduce the length of the messages", "invalid_request_error"),
    ),
    "azure content filter": (
        400,
        b'{"error":{"message":"Filtered","code":"content_filter","param":"prompt"}}',
        ErrorReport(Category.CONTENT_FILTER, "Filtered", "content_filter", "prompt"),
    ),
    "openrouter": (
        400,
        b'{"error":{"code":400,"message":"Too long","metadata":{"error_type":"context_length_exceeded"}}}',
        ErrorReport(Category.CONTEXT_LENGTH, "Too long", "context_length_exceeded"),
    ),
    "groq's 413 that is a rate limit": (
        413,
        b'{"error":{"message":"Too many tokens per minute","type":"tokens","code":"rate_limit_exceeded"}}',
        ErrorReport(Category.RATE_LIMIT, "Too many tokens per minute", "rate_limit_exceeded"),
    ),
    "google": (
        400,
        b'[{"error":{"code":400,"message":"Bad","status":"INVALID_ARGUMENT"}}]',
        ErrorReport(Category.INVALID_REQUEST, "Bad"),
    ),
    "text as error": (500, b'{"error":"Oops"}', ErrorReport(Category.SERVER_ERROR, "Oops")),
    "fastapi text": (422, b'{"detail":"No"}', ErrorReport(Category.INVALID_REQUEST, "No")),
    "fastapi list": (422, b'{"detail":[{"msg":"No","loc":["x"]}]}', ErrorReport(Category.INVALID_REQUEST, "No")),
    "a string": (503, b'"Busy"', ErrorReport(Category.OVERLOADED, "Busy")),
    "plain text": (502, b"Bad gateway\n", ErrorReport(Category.SERVER_ERROR, "Bad gateway")),
    "html": (504, b"<html>secret</html>", ErrorReport(Category.SERVER_ERROR, "HTTP 504")),
    "nothing": (401, b"", ErrorReport(Category.AUTH, "HTTP 401")),
    "payment": (402, b"", ErrorReport(Category.AUTH, "HTTP 402")),
    "forbidden": (403, b"", ErrorReport(Category.AUTH, "HTTP 403")),
    "timeout": (408, b"", ErrorReport(Category.TIMEOUT, "HTTP 408")),
    "overloaded": (529, b"", ErrorReport(Category.OVERLOADED, "HTTP 529")),
}


@pytest.mark.parametrize(("status", "body", "expected"), CASES.values(), ids=CASES.keys())
def test_an_error_answer_is_understood(status: int, body: bytes, expected: ErrorReport) -> None:
    assert openai_chat.decode_error(status, body) == expected


TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
}


@pytest.mark.parametrize(("status", "type_"), TYPES.items())
def test_an_error_has_the_type_of_its_status(status: int, type_: str) -> None:
    body = openai_chat.encode_error(ErrorAnswer(status, "some_code", "Some text", "cs_1", param="model"))

    assert json.loads(body) == {
        "error": {
            "message": "Some text",
            "type": type_,
            "param": "model",
            "code": "some_code",
            "exchange_id": "cs_1",
        }
    }


def test_attempts_are_listed() -> None:
    answer = ErrorAnswer(502, "upstream_error", "Failed", "cs_1", attempts=({"target": "a/b", "status": 500},))

    assert json.loads(openai_chat.encode_error(answer))["error"]["attempts"] == [{"target": "a/b", "status": 500}]


def test_the_official_sdk_raises_on_a_stream_error() -> None:
    event = openai_chat.encode_stream_error(ErrorAnswer(502, "upstream_error", "Cut off", "cs_1"))

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=event)

    with (
        httpx2.Client(transport=httpx2.MockTransport(answer)) as http,
        openai.OpenAI(api_key="k", base_url="http://test", http_client=http) as client,
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}], stream=True) as stream,
        pytest.raises(openai.APIError, match="Cut off"),
    ):
        next(iter(stream))


@given(status=st.integers(100, 999), body=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_some_error(status: int, body: bytes) -> None:
    assert isinstance(openai_chat.decode_error(status, body).message, str)
