"""Errors, in and out: `{"type": "error", "error": {"type", "message"}, "request_id"}`.

Types and statuses: https://platform.claude.com/docs/en/api/errors and `anthropic.types.shared` 2.12.0
(read 2026-11-23).
"""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING

from costspan.dialects.types import ErrorReport
from costspan.errors import Category, Malformed
from costspan.wire import json, sse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.dialects.types import ErrorAnswer

_BY_TYPE: Mapping[str, Category] = MappingProxyType(
    {
        "authentication_error": Category.AUTH,
        "permission_error": Category.AUTH,
        "billing_error": Category.AUTH,
        "rate_limit_error": Category.RATE_LIMIT,
        "overloaded_error": Category.OVERLOADED,
        "api_error": Category.SERVER_ERROR,
        "timeout_error": Category.TIMEOUT,
        "not_found_error": Category.NOT_FOUND,
        "request_too_large": Category.INVALID_REQUEST,
        "invalid_request_error": Category.INVALID_REQUEST,
    }
)

_BY_STATUS: Mapping[int, Category] = MappingProxyType(
    {
        401: Category.AUTH,
        402: Category.AUTH,
        403: Category.AUTH,
        404: Category.NOT_FOUND,
        408: Category.TIMEOUT,
        429: Category.RATE_LIMIT,
        503: Category.OVERLOADED,
        504: Category.TIMEOUT,
        529: Category.OVERLOADED,
    }
)

# The API has no code for these; the wording is all there is. In lower case.
_CONTEXT_LENGTH = (
    "prompt is too long",
    "context window",
    "context limit",
    "input is too long",
    "maximum context length",
)
_OUT_OF_MONEY = ("credit balance is too low", "reached your specified api usage limits")
_CONTENT_FILTER = ("content filter", "content filtering", "content_filter")

_TYPES: Mapping[int, str] = MappingProxyType(
    {
        400: "invalid_request_error",
        401: "authentication_error",
        402: "billing_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        503: "overloaded_error",
        504: "timeout_error",
    }
)


def decode_error(status: int, body: bytes) -> ErrorReport:
    """Understand an error answer. Whatever its bytes, the status alone is enough for a category."""
    try:
        value = json.loads(body)
    except Malformed:
        value = None
    kind, message = read_error(value)
    return ErrorReport(category_of(kind, message, status), message or f"HTTP {status}", code=kind)


def read_error(value: object) -> tuple[str | None, str]:
    """The type and the message of an error object; also where a proxy shaped it as `{"error": "text"}`."""
    error = value.get("error", value) if isinstance(value, dict) else None
    if isinstance(error, str):
        return None, error
    if not isinstance(error, dict):
        return None, ""
    kind, message = error.get("type"), error.get("message")
    return kind if isinstance(kind, str) else None, message if isinstance(message, str) else ""


def category_of(kind: str | None, message: str, status: int = 0) -> Category:
    """What went wrong: the type says most, then the status (0: none); bad requests are told apart by their text."""
    by_status = _BY_STATUS.get(status) or (
        Category.SERVER_ERROR if not status or status >= HTTPStatus.INTERNAL_SERVER_ERROR else Category.INVALID_REQUEST
    )
    category = _BY_TYPE.get(kind or "", by_status)
    return _by_text(message.lower()) if category is Category.INVALID_REQUEST else category


def _by_text(message: str) -> Category:
    if any(words in message for words in _OUT_OF_MONEY):  # no fault of the request: another key may serve it
        return Category.AUTH
    if any(words in message for words in _CONTEXT_LENGTH):
        return Category.CONTEXT_LENGTH
    if any(words in message for words in _CONTENT_FILTER):
        return Category.CONTENT_FILTER
    return Category.INVALID_REQUEST


def encode_error(error: ErrorAnswer) -> bytes:
    """An error answer's body."""
    inner: json.Object = {"type": _type_of(error.status), "message": error.message, "code": error.code}
    if error.param is not None:
        inner["param"] = error.param
    if error.attempts:
        inner["attempts"] = list(error.attempts)
    return json.dumps({"type": "error", "error": inner, "request_id": error.exchange_id})


def encode_stream_error(error: ErrorAnswer) -> bytes:
    """The event that ends a stream which had begun."""
    return sse.write(encode_error(error), "error")


def _type_of(status: int) -> str:
    fallback = "api_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    return _TYPES.get(status, fallback)
