"""Errors: an exception by name, with a message; the status says the same as its name.

Whole answers name the exception in a header, which is not seen here, at times also in the body's `__type`; streams name
it as the event. botocore 1.44.1, and docs.aws.amazon.com/bedrock, troubleshooting-api-error-codes (read 2026-11-25).
"""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from costspan.dialects.types import ErrorReport
from costspan.errors import Category, Malformed
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Mapping

_BY_NAME: Final[Mapping[str, Category]] = MappingProxyType(
    {
        "accessdenied": Category.AUTH,
        "expiredtoken": Category.AUTH,
        "incompletesignature": Category.AUTH,
        "invalidsignature": Category.AUTH,
        "missingauthenticationtoken": Category.AUTH,
        "notauthorized": Category.AUTH,
        "optinrequired": Category.AUTH,
        "unrecognizedclient": Category.AUTH,
        "throttling": Category.RATE_LIMIT,
        "servicequotaexceeded": Category.RATE_LIMIT,
        "toomanyrequests": Category.RATE_LIMIT,
        "modelnotready": Category.OVERLOADED,
        "serviceunavailable": Category.OVERLOADED,
        "resourcenotfound": Category.NOT_FOUND,
        "modeltimeout": Category.TIMEOUT,
        "requesttimeout": Category.TIMEOUT,
        "internalserver": Category.SERVER_ERROR,
        "internalfailure": Category.SERVER_ERROR,
        "modelerror": Category.SERVER_ERROR,
        "modelstreamerror": Category.SERVER_ERROR,
        "validation": Category.INVALID_REQUEST,
    }
)
"""By name, in lower case and without `Exception` at its end."""

_BY_STATUS: Final[Mapping[int, Category]] = MappingProxyType(
    {
        401: Category.AUTH,
        403: Category.AUTH,
        404: Category.NOT_FOUND,
        408: Category.TIMEOUT,
        424: Category.SERVER_ERROR,  # ModelErrorException: the model failed
        429: Category.RATE_LIMIT,
        503: Category.OVERLOADED,
        504: Category.TIMEOUT,
    }
)

# A bad request can be anything; the wording is all there is. In lower case, the first that is met counts.
_BY_TEXT: Final = (
    ("security token", Category.AUTH),
    ("signature we calculated does not match", Category.AUTH),
    ("input is too long", Category.CONTEXT_LENGTH),
    ("prompt is too long", Category.CONTEXT_LENGTH),
    ("context length", Category.CONTEXT_LENGTH),
    ("context window", Category.CONTEXT_LENGTH),
    ("context limit", Category.CONTEXT_LENGTH),
    ("too many input tokens", Category.CONTEXT_LENGTH),
    ("maximum tokens you requested exceeds", Category.INVALID_REQUEST),
    ("content filter", Category.CONTENT_FILTER),
    ("blocked by", Category.CONTENT_FILTER),
    ("model identifier is invalid", Category.NOT_FOUND),
    ("on-demand throughput isn", Category.NOT_FOUND),
)


def decode_error(status: int, body: bytes) -> ErrorReport:
    """Understand an error answer. Whatever its bytes, the status alone is enough for a category."""
    try:
        value = json.loads(body)
    except Malformed:
        value = None
    name, message = read_error(value)
    return ErrorReport(category_of(name, message, status), message or f"HTTP {status}", code=name)


def read_error(value: object) -> tuple[str | None, str]:
    """The exception's name, where the body tells it, and its message."""
    if not isinstance(value, dict):
        return None, ""
    type_ = value.get("__type")
    name = type_.rpartition("#")[2] if isinstance(type_, str) else None
    message = value.get("message") or value.get("Message") or value.get("originalMessage")
    return name or None, message if isinstance(message, str) else ""


def is_exception(name: str) -> bool:
    """Whether an event of a stream is an error."""
    lower = name.lower()
    return lower.endswith(("exception", "error", "failure")) or lower in _BY_NAME


def category_of(name: str | None, message: str, status: int = 0) -> Category:
    """What went wrong: the name says most, then the status (0: none); bad requests are told apart by their text."""
    by_status = _BY_STATUS.get(status) or (
        Category.SERVER_ERROR if not status or status >= HTTPStatus.INTERNAL_SERVER_ERROR else Category.INVALID_REQUEST
    )
    category = _BY_NAME.get((name or "").lower().removesuffix("exception"), by_status)
    if category is not Category.INVALID_REQUEST:
        return category
    lower = message.lower()
    return next((found for words, found in _BY_TEXT if words in lower), category)
