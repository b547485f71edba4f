"""What every error answer of the gateway must be, whatever went wrong: the contract of the HTTP chapter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from costspan.wire import json

if TYPE_CHECKING:
    from fakes.raw import Reply

ID = re.compile(r"cs_[0-9a-f]{32}|cs_[0-9A-Za-z-]{20,40}")
TYPES = frozenset(
    {
        "api_error",
        "authentication_error",
        "invalid_request_error",
        "not_found_error",
        "overloaded_error",
        "permission_error",
        "rate_limit_error",
        "request_too_large",
        "timeout_error",
    }
)
STATUSES = frozenset(
    {
        "DEADLINE_EXCEEDED",
        "INTERNAL",
        "INVALID_ARGUMENT",
        "NOT_FOUND",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "UNAUTHENTICATED",
        "UNAVAILABLE",
    }
)
"""Google's words for what went wrong."""
PYTHON = re.compile(rb"Traceback|Error\(|Exception|aiohttp|orjson|asyncio|line \d+, in |0x[0-9a-f]{8,}")
"""Signs that something of the program shows."""


def error_of(reply: Reply, dialect: str = "openai") -> dict[str, Any]:
    """The error object of an answer that keeps the contract."""
    headers = reply.headers
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert int(headers["content-length"]) == len(reply.body)
    assert headers["server"] == "costspan"
    assert ID.fullmatch(headers["x-request-id"]), headers["x-request-id"]
    assert "access-control-allow-origin" not in headers
    assert not PYTHON.search(reply.raw), reply.raw
    body = json.loads_object(reply.body)
    error: dict[str, Any] = body["error"]
    if dialect == "gemini":
        return _of_google(body, reply)
    if dialect == "anthropic":
        assert (body["type"], body["request_id"]) == ("error", headers["x-request-id"])
        assert set(body) == {"type", "error", "request_id"}
    else:
        assert error["exchange_id"] == headers["x-request-id"]
        assert set(body) == {"error"}
        assert "param" in error
    assert error["type"] in TYPES, error["type"]
    assert isinstance(error["message"], str)
    assert error["message"]
    return error


def _of_google(body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """Google's error, with `code` and `param` where those of the others are; its own code is the HTTP status."""
    error: dict[str, Any] = body["error"]
    assert set(body) == {"error"}
    assert error.keys() == {"code", "message", "status", "details"}
    assert error["code"] == reply.status
    assert error["status"] in STATUSES, error["status"]
    assert isinstance(error["message"], str)
    assert error["message"]
    details = {detail["@type"].rpartition("/")[2]: detail for detail in error["details"]}
    info = details["google.rpc.ErrorInfo"]
    assert info["domain"] == "costspan"
    assert details["google.rpc.RequestInfo"]["requestId"] == reply.headers["x-request-id"]
    return {**error, "code": info["reason"], "param": info.get("metadata", {}).get("param")}
