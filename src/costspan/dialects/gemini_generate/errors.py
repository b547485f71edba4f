"""Errors, in and out: `{"error": {"code", "message", "status", "details"}}`, at times in a list (streams without SSE).

Words of `status`: google.rpc.Code; `details`: google.rpc.ErrorInfo and its like (cloud.google.com/apis/design/errors).
Wordings: recorded traffic and googleapis/python-genai's issues, read 2026-11-25.
"""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from costspan.dialects.types import ErrorReport
from costspan.errors import Category, Malformed
from costspan.wire import json, sse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.dialects.types import ErrorAnswer

_BY_WORD: Final[Mapping[str, Category]] = MappingProxyType(
    {
        "UNAUTHENTICATED": Category.AUTH,
        "PERMISSION_DENIED": Category.AUTH,
        "NOT_FOUND": Category.NOT_FOUND,
        "RESOURCE_EXHAUSTED": Category.RATE_LIMIT,
        "UNAVAILABLE": Category.OVERLOADED,
        "DEADLINE_EXCEEDED": Category.TIMEOUT,
        "CANCELLED": Category.CANCELLED,
        "ABORTED": Category.SERVER_ERROR,
        "INTERNAL": Category.SERVER_ERROR,
        "UNKNOWN": Category.SERVER_ERROR,
        "DATA_LOSS": Category.SERVER_ERROR,
        "INVALID_ARGUMENT": Category.INVALID_REQUEST,
        "FAILED_PRECONDITION": Category.INVALID_REQUEST,
        "OUT_OF_RANGE": Category.INVALID_REQUEST,
        "UNIMPLEMENTED": Category.INVALID_REQUEST,
    }
)
_BY_STATUS: Final[Mapping[int, Category]] = MappingProxyType(
    {
        401: Category.AUTH,
        402: Category.AUTH,
        403: Category.AUTH,
        404: Category.NOT_FOUND,
        408: Category.TIMEOUT,
        429: Category.RATE_LIMIT,
        499: Category.CANCELLED,
        503: Category.OVERLOADED,
        504: Category.TIMEOUT,
    }
)
_AUTH_REASONS: Final = frozenset({"API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "BILLING_DISABLED", "CONSUMER_INVALID"})
"""A key that is none answers 400."""
# The API has no code for these; the wording is all there is. In lower case.
_AUTH: Final = ("api key not valid", "api key expired")
_CONTEXT_LENGTH: Final = ("exceeds the maximum number of tokens", "input token count", "context window")
_CONTENT_FILTER: Final = ("violates", "blocked by", "prohibited use policy")

_WORDS: Final[Mapping[int, str]] = MappingProxyType(
    {
        400: "INVALID_ARGUMENT",
        401: "UNAUTHENTICATED",
        403: "PERMISSION_DENIED",
        404: "NOT_FOUND",
        408: "DEADLINE_EXCEEDED",
        409: "ABORTED",
        413: "INVALID_ARGUMENT",
        422: "INVALID_ARGUMENT",
        429: "RESOURCE_EXHAUSTED",
        499: "CANCELLED",
        501: "UNIMPLEMENTED",
        503: "UNAVAILABLE",
        504: "DEADLINE_EXCEEDED",
    }
)
_TYPE: Final = "type.googleapis.com/google.rpc."


def decode_error(status: int, body: bytes) -> ErrorReport:
    """Understand an error answer. Whatever its bytes, the status alone is enough for a category."""
    try:
        value = json.loads(body)
    except Malformed:
        value = None
    return report(value, status)


def report(value: Any, status: int = 0) -> ErrorReport:  # noqa: ANN401 - JSON
    """Understand a decoded error; 0 is no status of HTTP's, as inside a stream, where the error may name one."""
    error = _innermost(value)
    message, word, code = error.get("message"), error.get("status"), error.get("code")
    text = message if isinstance(message, str) else ""
    reasons = [reason for detail in _details(error) if isinstance(reason := detail.get("reason"), str)]
    name = word if isinstance(word, str) else ""
    number = status or (code if type(code) is int else 0)
    category = _category(name, number)
    if category is Category.INVALID_REQUEST:
        category = _by_text(text.lower(), reasons)
    shown = text or (f"HTTP {number}" if number else "the provider reported an error")
    return ErrorReport(category, shown, code=next(iter(reasons), None) or name or None)


def _innermost(value: Any) -> json.Object:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        value = value[0] if value else None
    error = value.get("error", value) if isinstance(value, dict) else None
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, dict) else {}


def _details(error: json.Object) -> list[json.Object]:
    details = error.get("details")
    return [detail for detail in details if isinstance(detail, dict)] if isinstance(details, list) else []


def _category(word: str, status: int) -> Category:
    """The word says most; a proxy in between has none."""
    if word in _BY_WORD:
        return _BY_WORD[word]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    is_client = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return Category.INVALID_REQUEST if is_client else Category.SERVER_ERROR


def _by_text(message: str, reasons: list[str]) -> Category:
    """Bad requests are told apart by what they say."""
    if not _AUTH_REASONS.isdisjoint(reasons) or any(words in message for words in _AUTH):
        return Category.AUTH
    if any(words in message for words in _CONTEXT_LENGTH):
        return Category.CONTEXT_LENGTH
    if any(words in message for words in _CONTENT_FILTER):
        return Category.CONTENT_FILTER
    return Category.INVALID_REQUEST


def encode_error(error: ErrorAnswer) -> bytes:
    """An error answer's body. Our code is the reason of an `ErrorInfo`, the exchange a `RequestInfo`."""
    info: json.Object = {"@type": f"{_TYPE}ErrorInfo", "reason": error.code, "domain": "costspan"}
    if error.param is not None:
        info["metadata"] = {"param": error.param}
    details = [info, {"@type": f"{_TYPE}RequestInfo", "requestId": error.exchange_id}]
    if error.attempts:
        details.append({"@type": "costspan/Attempts", "attempts": list(error.attempts)})
    fallback = "INTERNAL" if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "INVALID_ARGUMENT"
    shown = {
        "code": error.status,
        "message": error.message,
        "status": _WORDS.get(error.status, fallback),
        "details": details,
    }
    return json.dumps({"error": shown})


def encode_stream_error(error: ErrorAnswer) -> bytes:
    """The event that ends a stream which had begun: the official SDK raises where one begins with `{"error":`."""
    return sse.write(encode_error(error))
