"""The strict look at a client's request before a target is chosen.

What it lets pass is well-formed enough to be routed, priced and forwarded; the rest is the provider's to judge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects.types import Peek
from costspan.errors import ClientError

if TYPE_CHECKING:
    from costspan.wire import json

_MAX_MODEL_CHARS = 256
_MAX_MESSAGES = 100_000
_MAX_TOKENS = 2**31 - 1
ROLES = ("user", "assistant", "system")
"""`system` between turns is in the API since the SDK's 2.x types (`MessageParam`, read 2026-11-23)."""

# Fields by which a client of some gateways steers where the request goes and with whose key.
_FORBIDDEN = frozenset({"api_base", "base_url", "api_key", "custom_llm_provider", "extra_headers"})
_MEDIA = ("image", "document")


def peek(body: json.Object) -> Peek:
    """Check the shape and say what routing needs. Raises `ClientError` naming the field."""
    if not _FORBIDDEN.isdisjoint(body):
        name = min(_FORBIDDEN.intersection(body))
        raise _refusal(f"{name} may not be set by a request", "forbidden_parameter", name)
    model = _model(body.get("model"))
    messages = _messages(body.get("messages"))
    stream = body.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise _refusal("stream must be true or false", "invalid_type", "stream")
    _check_temperature(body.get("temperature"))
    tools = body.get("tools")
    chars, media = _weigh([body.get("system"), messages, tools])
    return Peek(
        model=model,
        stream=bool(stream),
        max_output_tokens=_max_tokens(body.get("max_tokens")),
        prompt_chars=chars,
        media=media,
        tools=bool(tools),
        json_schema=_wants_schema(body),
        service_tier=_tier(body),
    )


def _tier(body: json.Object) -> str | None:
    """`speed` is what has a price of its own; `service_tier` has none, but its words may."""
    speed, tier = body.get("speed"), body.get("service_tier")
    if isinstance(speed, str) and speed != "standard":
        return speed
    return tier if isinstance(tier, str) else None


def _model(value: object) -> str:
    if isinstance(value, str) and 0 < len(value) <= _MAX_MODEL_CHARS and value.isprintable():
        return value
    raise _refusal(f"model must be a string of 1 to {_MAX_MODEL_CHARS} printable characters", "missing_model", "model")


def _messages(value: object) -> list[object]:
    if not isinstance(value, list) or not 0 < len(value) <= _MAX_MESSAGES:
        raise _refusal(f"messages must be a list of 1 to {_MAX_MESSAGES} messages", "invalid_messages", "messages")
    for position, message in enumerate(value):
        if not isinstance(message, dict):
            raise _refusal(f"messages[{position}] must be an object", "invalid_messages", f"messages[{position}]")
        if message.get("role") not in ROLES:
            raise _refusal(
                f"messages[{position}].role must be user or assistant", "invalid_messages", f"messages[{position}].role"
            )
        if not isinstance(message.get("content"), str | list):
            raise _refusal(
                f"messages[{position}].content must be a string or a list of blocks",
                "invalid_messages",
                f"messages[{position}].content",
            )
    return value


def _max_tokens(value: object) -> int:
    """The limit. 0 asks for the cache to be filled, without an answer."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_TOKENS:
        return value
    raise _refusal(f"max_tokens is required: an integer from 0 to {_MAX_TOKENS}", "invalid_value", "max_tokens")


def _check_temperature(value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise _refusal("temperature must be a number from 0 to 1", "invalid_value", "temperature")


def _wants_schema(body: json.Object) -> bool:
    config = body.get("output_config")
    return bool(body.get("output_format") or (isinstance(config, dict) and config.get("format")))


def _weigh(parts: list[object]) -> tuple[int, int]:
    """Characters of text and number of media in `parts`, however deep. Base64 is no text."""
    chars = media = 0
    stack = parts
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            chars += len(value)
        elif isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, dict):
            if value.get("type") in _MEDIA and isinstance(source := value.get("source"), dict):
                media += 1
                value = {"data": source.get("data")} if source.get("type") == "text" else source.get("content")
                stack.append(value)
            else:
                stack.extend(value)
                stack.extend(value.values())
    return chars, media


def _refusal(message: str, code: str, param: str) -> ClientError:
    return ClientError(message, status=400, code=code, param=param)
