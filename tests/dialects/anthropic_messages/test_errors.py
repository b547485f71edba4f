from __future__ import annotations

import pytest

from costspan.dialects import anthropic_messages as dialect
from costspan.dialects.types import ErrorAnswer
from costspan.errors import Category
from costspan.wire import json


def error_body(kind: str, message: str = "no") -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"})


CATEGORIES: dict[str, tuple[int, bytes, Category]] = {
    "authentication": (401, error_body("authentication_error"), Category.AUTH),
    "permission": (403, error_body("permission_error"), Category.AUTH),
    "billing": (402, error_body("billing_error"), Category.AUTH),
    "rate limit": (429, error_body("rate_limit_error"), Category.RATE_LIMIT),
    "overloaded": (529, error_body("overloaded_error"), Category.OVERLOADED),
    "overloaded without a type": (503, b"", Category.OVERLOADED),
    "server error": (500, error_body("api_error"), Category.SERVER_ERROR),
    "unknown 5xx": (520, b"<html>", Category.SERVER_ERROR),
    "not found": (404, error_body("not_found_error"), Category.NOT_FOUND),
    "too large": (413, error_body("request_too_large"), Category.INVALID_REQUEST),
    "invalid": (400, error_body("invalid_request_error"), Category.INVALID_REQUEST),
    "too long": (
        400,
        error_body("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
        Category.CONTEXT_LENGTH,
    ),
    "context window": (
        400,
        error_body("invalid_request_error", "input length and `max_tokens` exceed context limit: 1 + 2 > 3"),
        Category.CONTEXT_LENGTH,
    ),
    "filtered": (
        400,
        error_body("invalid_request_error", "Output blocked by content filtering policy"),
        Category.CONTENT_FILTER,
    ),
    "no credit": (
        400,
        error_body("invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
        Category.AUTH,
    ),
    "usage limit": (
        400,
        error_body("invalid_request_error", "You have reached your specified API usage limits. You will regain"),
        Category.AUTH,
    ),
    "gateway timeout": (504, error_body("timeout_error"), Category.TIMEOUT),
}


@pytest.mark.parametrize(("status", "body", "category"), CATEGORIES.values(), ids=CATEGORIES.keys())
def test_an_error_answer_has_a_category(status: int, body: bytes, category: Category) -> None:
    assert dialect.decode_error(status, body).category is category


HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "not json": b"\xff\x00oops",
    "a list": b"[1]",
    "null": b"null",
    "error as text": b'{"error":"bad day"}',
    "error as a list": b'{"error":[1]}',
    "typed wrongly": b'{"error":{"type":[],"message":{}}}',
    "brackets": b"[" * 100_000,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_any_bytes_are_survived(body: bytes) -> None:
    report = dialect.decode_error(502, body)

    assert report.category is Category.SERVER_ERROR
    assert report.message in {"HTTP 502", "bad day"}


def test_type_and_message_are_kept() -> None:
    report = dialect.decode_error(400, error_body("invalid_request_error", "max_tokens: too big"))

    assert (report.code, report.message) == ("invalid_request_error", "max_tokens: too big")


TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
}


@pytest.mark.parametrize(("status", "kind"), TYPES.items())
def test_our_errors_have_the_type_of_their_status(status: int, kind: str) -> None:
    body = dialect.encode_error(ErrorAnswer(status, "some_code", "what happened", "cs_1"))

    assert json.loads(body) == {
        "type": "error",
        "error": {"type": kind, "message": "what happened", "code": "some_code"},
        "request_id": "cs_1",
    }


def test_param_and_attempts_are_shown_where_known() -> None:
    attempts = ({"target": "a/b", "status": 500, "error_type": "server_error"},)
    body = dialect.encode_error(ErrorAnswer(502, "upstream_error", "all failed", "cs_1", "model", attempts))

    assert json.loads(body)["error"]["param"] == "model"
    assert json.loads(body)["error"]["attempts"] == list(attempts)


def test_an_error_in_a_stream_is_a_named_event() -> None:
    data = dialect.encode_stream_error(ErrorAnswer(502, "upstream_error", "cut", "cs_1"))

    assert data.startswith(b'event: error\ndata: {"type":"error","error":{"type":"api_error"')
    assert data.endswith(b"\n\n")
