"""The strict first look at a request: runs on every one, before a target is chosen, so it is written to be cheap."""

from __future__ import annotations

from typing import Any, Final

from costspan.dialects import checks
from costspan.dialects.openai_responses import fields
from costspan.dialects.openai_responses.fields import bad_input
from costspan.dialects.openai_responses.vocabulary import ROLES, type_of
from costspan.dialects.types import Peek
from costspan.wire import json

MAX_ITEMS: Final = 100_000

STORED: Final = ("previous_response_id", "conversation", "prompt")
"""Fields that refer to what a provider keeps."""
REFERENCE: Final = "item_reference"
"""The type of an item that does."""

_MEDIA_PARTS: Final = frozenset({"input_image", "input_file", "input_audio"})
_TEXTS: Final = ("content", "output", "arguments")
"""Where items have the text that counts."""


def peek(body: json.Object) -> Peek:
    """Check the shape strictly and say what routing needs. Raises `ClientError` naming the field."""
    checks.refuse_destinations(body)
    model = checks.model(body)
    stored, stored_id = _stored(body)
    chars, media, reference = _input(body.get("input"), required=stored is None)
    if stored is None and reference is not None:
        stored, stored_id = "input", reference
    fields.number(body, "temperature")
    tools = _tools(body)
    tier = body.get("service_tier")
    return Peek(
        model=model,
        stream=bool(checks.flag(body, "stream")),
        max_output_tokens=fields.output_limit(body),
        prompt_chars=chars + len(checks.string(body, "instructions") or "") + (len(json.dumps(tools)) if tools else 0),
        media=media,
        tools=bool(tools),
        json_schema=_wants_schema(body),
        service_tier=tier if isinstance(tier, str) else None,
        stored=stored,
        stored_id=stored_id,
    )


def _stored(body: json.Object) -> tuple[str | None, str | None]:
    """The field that refers to what a provider keeps, and what it names."""
    for name in STORED:
        value = body.get(name)
        if value is None:
            continue
        named = value.get("id") if type(value) is dict and name != "previous_response_id" else value
        if type(named) is not str or not named:
            raise checks.invalid(f"'{name}' must name what it refers to", name)
        return name, named
    return None, None


def is_reference(item: json.Object) -> bool:
    """Whether an item stands for a stored one. The type may be left out."""
    return item.get("type") == REFERENCE or (item.get("type") is None and item.keys() == {"id"})


def _input(value: Any, *, required: bool) -> tuple[int, int, str | None]:  # noqa: ANN401 - unchecked input
    """Characters of text, the number of images and files, and the first stored item that is referred to."""
    if type(value) is str and (value or not required):
        return len(value), 0, None
    if value is None and not required:
        return 0, 0, None
    if type(value) is not list or not (value or not required):
        raise bad_input("'input' must be a string or a non-empty list", "input")
    if len(value) > MAX_ITEMS:
        raise bad_input(f"'input' may have at most {MAX_ITEMS} items", "input")
    chars = media = 0
    reference = None
    for position, item in enumerate(value):
        if type(item) is not dict:
            raise bad_input("each item must be an object", f"input[{position}]")
        if reference is None and is_reference(item):
            reference = item.get("id") if type(item.get("id")) is str else ""
        more_chars, more_media = _item(item, position)
        chars += more_chars
        media += more_media
    return chars, media, reference


def _item(item: json.Object, position: int) -> tuple[int, int]:
    kind = item.get("type")
    if kind is not None and type(kind) is not str:
        raise bad_input("an item's type must be a string", f"input[{position}].type")
    if kind is None and "role" not in item and not is_reference(item):
        raise bad_input("each item must have a type or a role", f"input[{position}].type")
    if kind in {None, "message"} and "role" in item and not (type(item["role"]) is str and item["role"] in ROLES):
        raise bad_input("each message must have a known role", f"input[{position}].role")
    chars = media = 0
    for name in _TEXTS:
        value = item.get(name)
        if type(value) is str:
            chars += len(value)
        elif type(value) is list:
            more_chars, more_media = _parts(value)
            chars += more_chars
            media += more_media
    return chars, media


def _parts(parts: list[Any]) -> tuple[int, int]:
    chars = media = 0
    for part in parts:
        if type(part) is dict:
            text = part.get("text")
            if type(text) is str:
                chars += len(text)
            elif type_of(part) in _MEDIA_PARTS:
                media += 1
    return chars, media


def _tools(body: json.Object) -> list[Any]:
    tools = body.get("tools")
    if tools is None or type(tools) is list:
        return tools or []
    raise checks.invalid("'tools' must be a list", "tools", "invalid_type")


def _wants_schema(body: json.Object) -> bool:
    text = fields.mapping(body, "text")
    output = text.get("format") if text else None
    return isinstance(output, dict) and output.get("type") == "json_schema"
