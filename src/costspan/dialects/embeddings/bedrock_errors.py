"""Error answers of Bedrock's InvokeModel: `{"message": ...}`; which exception it is stands in a header.

Statuses: botocore 1.44.5, data/bedrock-runtime (read 2026-11-25). ServiceQuotaExceededException comes with 400 as well,
and nothing in the body tells it.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from costspan.dialects.types import ErrorReport
from costspan.errors import Category, Malformed
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Mapping

_BY_STATUS: Final[Mapping[int, Category]] = MappingProxyType(
    {
        401: Category.AUTH,
        403: Category.AUTH,
        404: Category.NOT_FOUND,
        408: Category.TIMEOUT,  # ModelTimeoutException
        424: Category.SERVER_ERROR,  # ModelErrorException
        429: Category.RATE_LIMIT,  # ThrottlingException, ModelNotReadyException
        503: Category.OVERLOADED,
    }
)
_SERVER_ERRORS: Final = 500
_CONTEXT_LENGTH: Final = re.compile(r"too many input tokens|input is too long|maxLength", re.IGNORECASE)


def decode_error(status: int, body: bytes) -> ErrorReport:
    """Understand an upstream's error answer, whatever its bytes."""
    try:
        value = json.loads(body)
    except Malformed:
        value = None
    message, code = f"HTTP {status}", None
    if isinstance(value, dict):
        found = value.get("message") or value.get("Message")
        message = found if isinstance(found, str) and found else message
        named = value.get("__type")
        code = named.rpartition("#")[2] if isinstance(named, str) and named else None
    return ErrorReport(_category(status, message), message, code)


def _category(status: int, message: str) -> Category:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if not 400 <= status < _SERVER_ERRORS:  # noqa: PLR2004 - the range of client errors
        return Category.SERVER_ERROR
    return Category.CONTEXT_LENGTH if _CONTEXT_LENGTH.search(message) else Category.INVALID_REQUEST
