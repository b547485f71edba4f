"""Errors as answers: always JSON, in the shape of the client's dialect, with the exchange's id."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from aiohttp import web

from costspan.dialects.types import ErrorAnswer
from costspan.errors import Category, ClientError, UpstreamError

if TYPE_CHECKING:
    from costspan.dialects.types import Addressed
    from costspan.engine.execute import Exhausted
    from costspan.wire import json

_STATUSES = {
    Category.CONNECT: (502, "upstream_error"),
    Category.TIMEOUT: (504, "upstream_timeout"),
    Category.RATE_LIMIT: (429, "rate_limit_exceeded"),
    Category.SERVER_ERROR: (502, "upstream_error"),
    Category.OVERLOADED: (503, "overloaded"),
    Category.AUTH: (502, "upstream_auth"),
    Category.CONTEXT_LENGTH: (400, "context_length_exceeded"),
    Category.CONTENT_FILTER: (400, "content_filter"),
    Category.INVALID_REQUEST: (400, "invalid_value"),
    Category.NOT_FOUND: (404, "not_found"),
    Category.CANCELLED: (502, "upstream_error"),
}
_OWN_CODES = {
    "upstream_tls": "upstream_tls",
    "upstream_redirect_blocked": "upstream_redirect_blocked",
    "upstream_protocol_error": "upstream_protocol_error",
    "upstream_bad_content_type": "upstream_protocol_error",
    "deadline_exceeded": "deadline_exceeded",
}
_WAITED_FOR = frozenset({Category.RATE_LIMIT, Category.OVERLOADED})
_ABOUT_THE_REQUEST = frozenset({400, 404, 413, 422})
"""A provider's statuses that pass to the client: it is the request that has to change."""


def from_client_error(error: ClientError, exchange_id: str) -> ErrorAnswer:
    """The answer to a request that has to change."""
    return ErrorAnswer(error.status, error.code, error.message, exchange_id, error.param)


def from_upstream_error(error: UpstreamError, exchange_id: str, tried: tuple[json.Object, ...]) -> ErrorAnswer:
    """The answer when the last attempt failed with `error`."""
    status, code = _STATUSES[error.category]
    code = _OWN_CODES.get(error.kind, code)
    if error.status in _ABOUT_THE_REQUEST and status < 500 and error.category is not Category.RATE_LIMIT:  # noqa: PLR2004
        status, code = error.status, error.code or code
    message = error.message
    if status >= 500 and (tried or error.reached):  # noqa: PLR2004 - server errors
        message = f"{_lead(error)}: {message}"
    return ErrorAnswer(status, code, message, exchange_id, error.param, tried)


def from_exhausted(error: Exhausted, exchange_id: str, tried: tuple[json.Object, ...]) -> ErrorAnswer:
    """The answer when no target is left."""
    if error.last is not None:
        return from_upstream_error(error.last, exchange_id, tried)
    why = "no target of this route can be used"
    if error.retry_after is not None:
        why = "every target of this route has failed too often and is left alone for a moment"
    return ErrorAnswer(503, "no_healthy_target", why, exchange_id, None, tried)


def _lead(error: UpstreamError) -> str:
    where = f" (status {error.status})" if error.status is not None else ""
    return f"the last attempt failed with {error.kind}{where}"


def shutting_down(exchange_id: str) -> ErrorAnswer:
    """The end of a stream that did not finish within the grace."""
    return ErrorAnswer(503, "shutting_down", "the gateway is shutting down", exchange_id)


def internal(exchange_id: str) -> ErrorAnswer:
    """The end of an exchange in which a fault of ours showed."""
    return ErrorAnswer(500, "internal_error", "internal error", exchange_id)


def retry_after(error: Exhausted | None, attempts: int) -> dict[str, str]:
    """The headers that tell a client when to come back, or not to: as far as the provider, or its state, says.

    The SDKs of OpenAI and Anthropic try again by themselves, and obey `x-should-retry` (openai 3.54.0 and anthropic
    2.12.0, `_base_client._should_retry`). What was tried here several times is not tried several times more.
    """
    headers: dict[str, str] = {}
    if error is None:
        return headers
    if error.retry_after is not None:
        headers["retry-after"] = str(max(math.ceil(error.retry_after), 1))
    if attempts > 1 and error.last is not None and error.last.category not in _WAITED_FOR:
        headers["x-should-retry"] = "false"
    return headers


def response(answer: ErrorAnswer, dialect: Addressed, headers: dict[str, str] | None = None) -> web.Response:
    """`answer` as an HTTP response in the shape of `dialect`. With `connection: close` in `headers` it is the last."""
    made = web.Response(
        status=answer.status,
        body=dialect.encode_error(answer),
        headers={
            "content-type": "application/json; charset=utf-8",
            "x-request-id": answer.exchange_id,
            **(headers or {}),
        },
    )
    if made.headers.get("connection") == "close":
        made.force_close()  # the header alone does not close
    return made
