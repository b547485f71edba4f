"""The strict first look at a request: runs on every one, before a target is chosen, so it is written to be cheap."""

from __future__ import annotations

from typing import Any, Final

from costspan.dialects.openai_chat import fields
from costspan.dialects.openai_chat.vocabulary import ROLES
from costspan.dialects.types import Peek
from costspan.errors import ClientError
from costspan.wire import json

MAX_MODEL_CHARS: Final = 256
MAX_MESSAGES: Final = 100_000

# Fields that other gateways read a destination or a credential from. Here both come from the configuration alone.
FORBIDDEN: Final = frozenset({"api_base", "base_url", "api_key", "custom_llm_provider", "extra_headers"})

_MEDIA_PARTS: Final = frozenset({"image_url", "input_audio", "file", "video_url", "input_video"})


def peek(body: json.Object) -> Peek:
    """Check the shape strictly and say what routing needs. Raises `ClientError` naming the field."""
    if not FORBIDDEN.isdisjoint(body):
        name = min(FORBIDDEN & body.keys())
        raise ClientError(f"'{name}' is not accepted: it is set by the gateway", code="forbidden_parameter", param=name)
    model = check_model(body)
    chars, media = _messages(body.get("messages"))
    stream = bool(fields.flag(body, "stream"))
    fields.number(body, "temperature")
    tools = _tools(body)
    response_format = body.get("response_format")
    tier = body.get("service_tier")
    return Peek(
        model=model,
        stream=stream,
        max_output_tokens=fields.output_limit(body),
        prompt_chars=chars + (len(json.dumps(tools)) if tools else 0),
        media=media,
        wants_usage=_wants_usage(body) if stream else True,
        tools=bool(tools),
        json_schema=isinstance(response_format, dict) and response_format.get("type") == "json_schema",
        n=fields.integer(body, "n", 1, fields.MAX_CHOICES) or 1,
        service_tier=tier if isinstance(tier, str) else None,
    )


def check_model(body: json.Object) -> str:
    """The model asked for."""
    model = body.get("model")
    if type(model) is not str or not model:
        raise ClientError("'model' must be a non-empty string", code="missing_model", param="model")
    if len(model) > MAX_MODEL_CHARS or not model.isprintable():
        raise ClientError(
            f"'model' must be at most {MAX_MODEL_CHARS} printable characters", code="missing_model", param="model"
        )
    return model


def _messages(messages: Any) -> tuple[int, int]:  # noqa: ANN401 - unchecked input
    """Characters of text, and the number of images and files."""
    if type(messages) is not list or not messages:
        raise _bad_messages("'messages' must be a non-empty list", "messages")
    if len(messages) > MAX_MESSAGES:
        raise _bad_messages(f"'messages' may have at most {MAX_MESSAGES} items", "messages")
    chars = media = 0
    for position, message in enumerate(messages):
        role = message.get("role") if type(message) is dict else None
        if type(role) is not str or role not in ROLES:
            raise _bad_messages("each message must be an object with a known role", f"messages[{position}].role")
        content = message.get("content")
        if type(content) is str:
            chars += len(content)
        elif content is not None or role != "assistant":
            more_chars, more_media = _parts(content, position)
            chars += more_chars
            media += more_media
        if "tool_calls" in message:
            chars += _call_chars(message["tool_calls"], position)
    return chars, media


def _parts(parts: Any, position: int) -> tuple[int, int]:  # noqa: ANN401 - unchecked input
    if type(parts) is not list or not parts:
        raise _bad_messages("'content' must be a string or a list of parts", f"messages[{position}].content")
    chars = media = 0
    for number, part in enumerate(parts):
        kind = part.get("type") if type(part) is dict else None
        if type(kind) is not str:
            raise _bad_messages("each part must be an object with a type", f"messages[{position}].content[{number}]")
        text = part.get("text")
        if type(text) is str:
            chars += len(text)
        elif kind in _MEDIA_PARTS:
            media += 1
    return chars, media


def _call_chars(calls: Any, position: int) -> int:  # noqa: ANN401 - unchecked input
    if calls is None:
        return 0
    if type(calls) is not list:
        raise _bad_messages("'tool_calls' must be a list", f"messages[{position}].tool_calls")
    functions = (call.get("function") for call in calls if type(call) is dict)
    arguments = (function.get("arguments") for function in functions if type(function) is dict)
    return sum(len(text) for text in arguments if type(text) is str)


def _bad_messages(message: str, param: str) -> ClientError:
    return ClientError(message, code="invalid_messages", param=param)


def _tools(body: json.Object) -> list[Any]:
    tools = body.get("tools") or body.get("functions")
    if tools is None or type(tools) is list:
        return tools or []
    if not tools:
        return []
    raise ClientError(
        "'tools' must be a list", code="invalid_type", param="tools" if body.get("tools") else "functions"
    )


def _wants_usage(body: json.Object) -> bool:
    options = fields.mapping(body, "stream_options")
    return options is not None and options.get("include_usage") is True
