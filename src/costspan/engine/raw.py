"""What the books make of an answer in no dialect that we know: nothing but its status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects.types import PLAIN, ErrorReport, Summary
from costspan.errors import Category

if TYPE_CHECKING:
    from costspan.dialects.types import Profile
    from costspan.ir.usage import Usage
    from costspan.wire import json

NAME = "raw"
OPERATION = "raw"
MODEL_IN_BODY = False
UNKNOWN_MODEL = "unknown"
"""The model of a request that names none that we can read."""

_CATEGORIES = {
    401: Category.AUTH,
    402: Category.AUTH,
    403: Category.AUTH,
    404: Category.NOT_FOUND,
    429: Category.RATE_LIMIT,
}


def path(model: str, *, stream: bool) -> str:
    """Nowhere: the client gives the path."""
    raise AssertionError(model, stream)


def summarize(body: json.Object, profile: Profile = PLAIN) -> Summary:  # noqa: ARG001 - nothing of it is known
    """Nothing."""
    return Summary("", "", (), None)


def read_usage(body: json.Object, profile: Profile = PLAIN) -> Usage | None:  # noqa: ARG001 - likewise
    """None."""
    return None


def decode_error(status: int, body: bytes) -> ErrorReport:  # noqa: ARG001 - it may hold anything
    """By its status alone."""
    default = Category.SERVER_ERROR if status >= 500 else Category.INVALID_REQUEST  # noqa: PLR2004 - server errors
    return ErrorReport(_CATEGORIES.get(status, default), "the provider refused the request")
