"""Error answers of Google's interfaces: `{"error": {"code", "message", "status", "details"}}`.

The status words, and the HTTP status of each, are google.rpc.Code's (googleapis-common-protos, google/rpc/code.proto,
read 2026-11-25). How a bad key is worded is recorded traffic's; how a text that is too long is, is a guess.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from costspan.dialects.types import ErrorReport
from costspan.errors import Category, Malformed
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.dialects.types import ErrorAnswer

_BY_WORD: Final[Mapping[str, Category]] = MappingProxyType(
    {
        "INVALID_ARGUMENT": Category.INVALID_REQUEST,
        "FAILED_PRECONDITION": Category.INVALID_REQUEST,
        "OUT_OF_RANGE": Category.INVALID_REQUEST,
        "UNAUTHENTICATED": Category.AUTH,
        "PERMISSION_DENIED": Category.AUTH,
        "NOT_FOUND": Category.NOT_FOUND,
        "RESOURCE_EXHAUSTED": Category.RATE_LIMIT,
        "DEADLINE_EXCEEDED": Category.TIMEOUT,
        "UNAVAILABLE": Category.OVERLOADED,
    }
)
_BY_STATUS: Final[Mapping[int, Category]] = MappingProxyType(
    {
        401: Category.AUTH,
        403: Category.AUTH,
        404: Category.NOT_FOUND,
        408: Category.TIMEOUT,
        429: Category.RATE_LIMIT,
        503: Category.OVERLOADED,
        504: Category.TIMEOUT,
    }
)
_WORDS: Final[Mapping[int, str]] = MappingProxyType(
    {
        400: "INVALID_ARGUMENT",
        401: "UNAUTHENTICATED",
        403: "PERMISSION_DENIED",
        404: "NOT_FOUND",
        408: "DEADLINE_EXCEEDED",
        409: "ABORTED",
        429: "RESOURCE_EXHAUSTED",
        499: "CANCELLED",
        501: "UNIMPLEMENTED",
        503: "UNAVAILABLE",
        504: "DEADLINE_EXCEEDED",
    }
)
_TYPE: Final = "type.googleapis.com/google.rpc."
_SERVER_ERRORS: Final = 500
_BAD_KEY: Final = re.compile(r"API[ _]key not valid|API_KEY_INVALID", re.IGNORECASE)
_CONTEXT_LENGTH: Final = re.compile(r"exceeds the maximum number of tokens|input token count|too long", re.IGNORECASE)


def decode_error(status: int, body: bytes) -> ErrorReport:
    """Understand an upstream's error answer, whatever its bytes."""
    try:
        value = json.loads(body)
    except Malformed:
        value = body.decode(errors="replace").strip()
    match _first(value):
        case {"error": {"message": str(message)} as error}:
            word = error.get("status")
            word = word if isinstance(word, str) else None
            return ErrorReport(_category(status, word, message), message, word)
        case {"error": str(message)} | {"message": str(message)}:
            return ErrorReport(_category(status, None, message), message)
        case str(text) if text and not text.startswith("<"):
            return ErrorReport(_category(status, None, text), text)
        case _:
            return ErrorReport(_category(status, None, ""), f"HTTP {status}")


def _first(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Some of Google's servers answer with a list of one."""
    return value[0] if isinstance(value, list) and value else value


def _category(status: int, word: str | None, message: str) -> Category:
    if _BAD_KEY.search(message):  # told with INVALID_ARGUMENT and 400
        return Category.AUTH
    found = _BY_WORD.get(word or "") or _BY_STATUS.get(status)
    if found is None:
        client = 400 <= status < _SERVER_ERRORS  # noqa: PLR2004 - the range of client errors
        found = Category.INVALID_REQUEST if client else Category.SERVER_ERROR
    if found is Category.INVALID_REQUEST and _CONTEXT_LENGTH.search(message):
        return Category.CONTEXT_LENGTH
    return found


def encode_error(error: ErrorAnswer) -> bytes:
    """An error answer's body, as on Google's other paths."""
    info: json.Object = {"@type": f"{_TYPE}ErrorInfo", "reason": error.code, "domain": "costspan"}
    if error.param is not None:
        info["metadata"] = {"param": error.param}
    details: list[json.Object] = [info, {"@type": f"{_TYPE}RequestInfo", "requestId": error.exchange_id}]
    if error.attempts:
        details.append({"@type": "costspan/Attempts", "attempts": list(error.attempts)})
    fallback = "INTERNAL" if error.status >= _SERVER_ERRORS else "INVALID_ARGUMENT"
    shown: json.Object = {
        "code": error.status,
        "message": error.message,
        "status": _WORDS.get(error.status, fallback),
        "details": details,
    }
    return json.dumps({"error": shown})
