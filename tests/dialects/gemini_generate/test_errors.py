from __future__ import annotations

from typing import Any

import pytest
from google.genai import errors as sdk

from costspan.dialects import gemini_generate as dialect
from costspan.dialects.types import ErrorAnswer, ErrorReport
from costspan.errors import Category
from costspan.wire import json, sse


def error(code: int, status: str, message: str = "Oops", **more: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, **more}}


INFO = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
TOO_LONG = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."

REPORTS: dict[str, tuple[int, Any, ErrorReport]] = {
    "a key that is none": (
        400,
        error(400, "INVALID_ARGUMENT", "API key not valid.", details=[INFO]),
        ErrorReport(Category.AUTH, "API key not valid.", "API_KEY_INVALID"),
    ),
    "a key, in other words": (
        400,
        error(400, "INVALID_ARGUMENT", "Ungültig", details=["x", {"reason": 5}, INFO]),
        ErrorReport(Category.AUTH, "Ungültig", "API_KEY_INVALID"),
    ),
    "a key without a reason": (
        400,
        error(400, "INVALID_ARGUMENT", "API key expired. Renew it."),
        ErrorReport(Category.AUTH, "API key expired. Renew it.", "INVALID_ARGUMENT"),
    ),
    "a prompt that is too long": (
        400,
        error(400, "INVALID_ARGUMENT", TOO_LONG),
        ErrorReport(Category.CONTEXT_LENGTH, TOO_LONG, "INVALID_ARGUMENT"),
    ),
    "a bad request": (
        400,
        error(400, "INVALID_ARGUMENT"),
        ErrorReport(Category.INVALID_REQUEST, "Oops", "INVALID_ARGUMENT"),
    ),
    "a region": (
        400,
        error(400, "FAILED_PRECONDITION"),
        ErrorReport(Category.INVALID_REQUEST, "Oops", "FAILED_PRECONDITION"),
    ),
    "no right": (403, error(403, "PERMISSION_DENIED"), ErrorReport(Category.AUTH, "Oops", "PERMISSION_DENIED")),
    "no model": (404, error(404, "NOT_FOUND"), ErrorReport(Category.NOT_FOUND, "Oops", "NOT_FOUND")),
    "no quota": (
        429,
        error(429, "RESOURCE_EXHAUSTED"),
        ErrorReport(Category.RATE_LIMIT, "Oops", "RESOURCE_EXHAUSTED"),
    ),
    "overload": (503, error(503, "UNAVAILABLE"), ErrorReport(Category.OVERLOADED, "Oops", "UNAVAILABLE")),
    "a deadline": (504, error(504, "DEADLINE_EXCEEDED"), ErrorReport(Category.TIMEOUT, "Oops", "DEADLINE_EXCEEDED")),
    "an accident": (500, error(500, "INTERNAL"), ErrorReport(Category.SERVER_ERROR, "Oops", "INTERNAL")),
    "in a list": (
        429,
        [error(429, "RESOURCE_EXHAUSTED")],
        ErrorReport(Category.RATE_LIMIT, "Oops", "RESOURCE_EXHAUSTED"),
    ),
    "plain text": (502, {"error": "bad gateway"}, ErrorReport(Category.SERVER_ERROR, "bad gateway")),
    "nothing": (418, {}, ErrorReport(Category.INVALID_REQUEST, "HTTP 418")),
    "an empty list": (401, [], ErrorReport(Category.AUTH, "HTTP 401")),
}


@pytest.mark.parametrize(("status", "body", "report"), REPORTS.values(), ids=REPORTS.keys())
def test_an_error_answer_is_understood(status: int, body: Any, report: ErrorReport) -> None:
    assert dialect.decode_error(status, json.dumps(body)) == report


def test_bytes_that_are_no_json_leave_the_status() -> None:
    assert dialect.decode_error(503, b"<html>") == ErrorReport(Category.OVERLOADED, "HTTP 503")


ANSWER = ErrorAnswer(
    429, "rate_limited", "Too many", "cs_1", param="contents", attempts=({"target": "a/b", "status": 429},)
)


def test_an_error_is_shown_in_google_s_shape() -> None:
    assert json.loads_object(dialect.encode_error(ANSWER)) == {
        "error": {
            "code": 429,
            "message": "Too many",
            "status": "RESOURCE_EXHAUSTED",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "rate_limited",
                    "domain": "costspan",
                    "metadata": {"param": "contents"},
                },
                {"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "cs_1"},
                {"@type": "costspan/Attempts", "attempts": [{"target": "a/b", "status": 429}]},
            ],
        }
    }


STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    418: "INVALID_ARGUMENT",
    502: "INTERNAL",
    503: "UNAVAILABLE",
}


@pytest.mark.parametrize(("status", "word"), STATUSES.items())
def test_each_status_has_its_word(status: int, word: str) -> None:
    body = json.loads_object(dialect.encode_error(ErrorAnswer(status, "c", "m", "cs_1")))

    assert body["error"]["status"] == word


def test_the_sdk_raises_on_an_error_in_a_stream() -> None:
    """It looks for these bytes at the beginning of an event (google-genai 3.4.0, `_api_client`)."""
    [event] = sse.Parser().feed(dialect.encode_stream_error(ANSWER))

    assert event.data.startswith(b'{"error":')
    with pytest.raises(sdk.ClientError) as raised:
        sdk.APIError.raise_error(429, json.loads_object(event.data), None)
    assert (raised.value.code, raised.value.status, raised.value.message) == (429, "RESOURCE_EXHAUSTED", "Too many")


def test_what_we_say_is_understood_again() -> None:
    assert dialect.decode_error(429, dialect.encode_error(ANSWER)) == ErrorReport(
        Category.RATE_LIMIT, "Too many", "rate_limited"
    )
