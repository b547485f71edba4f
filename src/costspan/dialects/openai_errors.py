"""Error answers in OpenAI's shape, which all of its formats share, and its hosts' variants.

Shapes, from recorded traffic and OpenRouter's docs (read 2026-08-22), the rest by what servers commonly do:
`{"error": {message, type, param, code}}` (OpenAI), `code` as an HTTP status and `metadata.error_type` (OpenRouter),
`{"error": "text"}`, `{"message": ..., "code": ...}` (vLLM, Mistral), `[{"error": ...}]` (Google), `{"detail": ...}`
(FastAPI), plain text and HTML (proxies).
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from costspan.dialects.types import ErrorReport
from costspan.errors import Category, Malformed
from costspan.wire import json, sse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.dialects.types import ErrorAnswer

_BY_STATUS: Final[Mapping[int, Category]] = MappingProxyType(
    {
        401: Category.AUTH,
        402: Category.AUTH,
        403: Category.AUTH,
        404: Category.NOT_FOUND,
        408: Category.TIMEOUT,
        429: Category.RATE_LIMIT,
        503: Category.OVERLOADED,
        529: Category.OVERLOADED,
    }
)

# Codes and types that say more than the status they come with.
_BY_CODE: Final[Mapping[str, Category]] = MappingProxyType(
    {
        "context_length_exceeded": Category.CONTEXT_LENGTH,
        "exceed_context_size_error": Category.CONTEXT_LENGTH,
        "token_limit_exceeded": Category.CONTEXT_LENGTH,
        "content_filter": Category.CONTENT_FILTER,
        "content_policy_violation": Category.CONTENT_FILTER,
        "rate_limit_exceeded": Category.RATE_LIMIT,
        "rate_limit_error": Category.RATE_LIMIT,
        "insufficient_quota": Category.RATE_LIMIT,
        "model_not_found": Category.NOT_FOUND,
        "invalid_api_key": Category.AUTH,
        "authentication_error": Category.AUTH,
        "overloaded_error": Category.OVERLOADED,
        "provider_overloaded": Category.OVERLOADED,
        "timeout_error": Category.TIMEOUT,
        "invalid_request_error": Category.INVALID_REQUEST,
    }
)
# Types as broad as the status; a code beside them, or the message, may know better.
_BROAD: Final = frozenset({"invalid_request_error"})

_CONTEXT_LENGTH: Final = re.compile(
    r"maximum context length|context[ _](length|window|size)|prompt is too long|input is too long|too many tokens"
    r"|reduce the length of the messages|exceeds the maximum number of tokens",
    re.IGNORECASE,
)
_CONTENT_FILTER: Final = re.compile(r"content management policy|content[ _]policy|flagged by", re.IGNORECASE)

_TYPES: Final[Mapping[int, str]] = MappingProxyType(
    {
        401: "authentication_error",
        402: "billing_error",
        403: "permission_error",
        404: "not_found_error",
        429: "rate_limit_error",
        503: "overloaded_error",
        504: "timeout_error",
    }
)
_SERVER_ERRORS: Final = 500


def decode_error(status: int, body: bytes) -> ErrorReport:
    """Understand an upstream's error answer, whatever its bytes."""
    try:
        value = json.loads(body)
    except Malformed:
        text = body.decode(errors="replace").strip()
        value = "" if text.startswith("<") else text
    return report(value, status)


def report(value: object, status: int | None) -> ErrorReport:
    """Understand a decoded error. `status` is None inside a stream, where the error itself may name one."""
    error = _innermost(value)
    message = _message(error, status)
    if not isinstance(error, dict):
        return ErrorReport(_category(status, (), message), message)
    metadata = error.get("metadata")
    detailed = metadata.get("error_type") if isinstance(metadata, dict) else None
    code, type_ = error.get("code"), error.get("type")
    if status is None and type(code) is int:
        status = code
    names = tuple(name for name in (code, detailed, type_) if isinstance(name, str) and name)
    param = error.get("param")
    return ErrorReport(
        category=_category(status, names, message),
        message=message,
        code=names[0] if names else None,
        param=param if isinstance(param, str) else None,
    )


def _innermost(value: object) -> object:
    """The error itself, out of the wrappers that hosts put around it."""
    for _ in range(4):
        match value:
            case [first, *_]:
                value = first
            case {"error": (dict() | str() | list()) as inner}:
                value = inner
            case {"detail": (dict() | str() | list()) as inner}:
                value = inner
            case _:
                break
    return value


def _message(error: object, status: int | None) -> str:
    match error:
        case str(text) | {"message": str(text)} | {"msg": str(text)} if text:
            return text
        case _:
            return "the provider reported an error" if status is None else f"HTTP {status}"


def _category(status: int | None, names: tuple[str, ...], message: str) -> Category:
    """The most telling of code, message and status."""
    for name in names:
        if name in _BY_CODE and name not in _BROAD:
            return _BY_CODE[name]
    if status is None:
        return _by_message(message) or (Category.INVALID_REQUEST if _BROAD & {*names} else Category.SERVER_ERROR)
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if not 400 <= status < _SERVER_ERRORS:  # noqa: PLR2004 - the range of client errors
        return Category.SERVER_ERROR
    return _by_message(message) or Category.INVALID_REQUEST


def _by_message(message: str) -> Category | None:
    if _CONTEXT_LENGTH.search(message):
        return Category.CONTEXT_LENGTH
    return Category.CONTENT_FILTER if _CONTENT_FILTER.search(message) else None


def encode_error(error: ErrorAnswer) -> bytes:
    """An error answer's body."""
    return json.dumps({"error": _error(error)})


def encode_stream_error(error: ErrorAnswer) -> bytes:
    """The event that ends a stream that had begun: the official SDKs raise on its `error`. No `[DONE]` follows."""
    return sse.write(encode_error(error))


def _error(error: ErrorAnswer) -> json.Object:
    fallback = "api_error" if error.status >= _SERVER_ERRORS else "invalid_request_error"
    shown: json.Object = {
        "message": error.message,
        "type": _TYPES.get(error.status, fallback),
        "param": error.param,
        "code": error.code,
        "exchange_id": error.exchange_id,
    }
    if error.attempts:
        shown["attempts"] = list(error.attempts)
    return shown
