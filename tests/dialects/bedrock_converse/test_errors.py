"""Errors of whole answers; the exceptions of streams share their categories."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.dialects import bedrock_converse as dialect
from costspan.errors import Category
from costspan.wire import json

ERRORS: dict[str, tuple[int, dict[str, Any], Category]] = {
    "throttled": (429, {"message": "Too many requests, please wait before trying again."}, Category.RATE_LIMIT),
    "not ready": (429, {"message": "m", "__type": "ModelNotReadyException"}, Category.OVERLOADED),
    "denied": (403, {"message": "You don't have access to the model with the specified model ID."}, Category.AUTH),
    "wrong signature": (
        403,
        {"message": "The request signature we calculated does not match the signature you provided."},
        Category.AUTH,
    ),
    "expired": (403, {"message": "The security token included in the request is expired"}, Category.AUTH),
    "expired, as a bad request": (
        400,
        {"__type": "com.amazon.coral.service#ExpiredTokenException", "Message": "expired"},
        Category.AUTH,
    ),
    "bad key": (
        403,
        {"Message": "Invalid API Key format: Must start with pre-defined prefix"},
        Category.AUTH,
    ),
    "unknown model": (400, {"message": "The provided model identifier is invalid."}, Category.NOT_FOUND),
    "needs a profile": (
        400,
        {"message": "Invocation of model ID x with on-demand throughput isn\u2019t supported. Retry your request"},
        Category.NOT_FOUND,
    ),
    "end of life": (404, {"message": "This model version has reached the end of its life."}, Category.NOT_FOUND),
    "too long": (400, {"message": "Input is too long for requested model."}, Category.CONTEXT_LENGTH),
    "too long, by the model": (
        400,
        {"message": "The model returned the following errors: prompt is too long: 204930 tokens > 200000 maximum"},
        Category.CONTEXT_LENGTH,
    ),
    "timeout": (408, {"message": "m"}, Category.TIMEOUT),
    "the model failed": (424, {"message": "m", "originalStatusCode": 500}, Category.SERVER_ERROR),
    "internal": (500, {"message": "m"}, Category.SERVER_ERROR),
    "unavailable": (503, {"message": "m"}, Category.OVERLOADED),
    "filtered": (
        400,
        {"message": "Output blocked by content filtering policy"},
        Category.CONTENT_FILTER,
    ),
    "bad request": (400, {"message": "extraneous key [toolResult] is not permitted"}, Category.INVALID_REQUEST),
    "too large": (413, {"message": "m"}, Category.INVALID_REQUEST),
}


@pytest.mark.parametrize(("status", "body", "category"), ERRORS.values(), ids=ERRORS.keys())
def test_an_error_has_a_category_and_its_own_text(status: int, body: dict[str, Any], category: Category) -> None:
    report = dialect.decode_error(status, json.dumps(body))

    assert report.category is category
    assert report.message == body.get("message", body.get("Message"))


def test_the_name_of_an_exception_is_its_code() -> None:
    body = json.dumps({"__type": "com.amazon.coral.service#AccessDeniedException", "Message": "no"})

    assert dialect.decode_error(403, body).code == "AccessDeniedException"
    assert dialect.decode_error(403, b'{"message":"no"}').code is None


@given(st.integers(400, 599), st.binary(max_size=60) | st.sampled_from([b"", b"<html>", b"[]", b'{"message":5}']))
def test_whatever_an_error_s_bytes_it_is_understood(status: int, body: bytes) -> None:
    assert dialect.decode_error(status, body).message
