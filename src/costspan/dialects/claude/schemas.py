"""Schemas of answers, as the API takes them.

It insists that objects are closed, and refuses bounds of numbers, strings and lists, most formats and `oneOf`. A closed
object is still one that the client's schema allows. What is refused is told to the model in the description instead,
as `anthropic.transform_schema` 2.12.0 does for the SDK's own users.
https://platform.claude.com/docs/en/build-with-claude/structured-outputs, JSON schema limitations (read 2026-11-23)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.wire import json

if TYPE_CHECKING:
    from costspan.dialects.losses import Losses

_BOUNDS = frozenset(
    {
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
    }
)
_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"},
)
_BY_NAME = frozenset({"properties", "$defs", "definitions"})
_CHOICES = frozenset({"anyOf", "oneOf", "allOf"})


def fit_schema(schema: json.Object, losses: Losses) -> json.Object:
    """The schema of an answer, and of all in it. What it can no longer promise is named `response_format`."""
    refused = {name: value for name, value in schema.items() if _is_refused(name, value)}
    fitted: json.Object = {
        name: _fit_part(name, value, losses) for name, value in schema.items() if name not in refused
    }
    if "oneOf" in fitted and "anyOf" not in fitted:
        fitted["anyOf"] = fitted.pop("oneOf")
        losses.add("response_format")
    if refused:
        told, before = json.text(refused), schema.get("description")
        fitted["description"] = f"{before}\n\n{told}" if isinstance(before, str) else told
        losses.add("response_format")
    if _is_object(schema):
        if _chooses_names(schema):
            losses.add("response_format")
        fitted["additionalProperties"] = False
    return fitted


def _fit_part(name: str, value: object, losses: Losses) -> object:
    if name in _BY_NAME and isinstance(value, dict):
        return {key: _fit_any(part, losses) for key, part in value.items()}
    if name in _CHOICES and isinstance(value, list):
        return [_fit_any(part, losses) for part in value]
    return _fit_any(value, losses) if name == "items" else value


def _fit_any(value: object, losses: Losses) -> object:
    return fit_schema(value, losses) if isinstance(value, dict) else value


def _is_object(schema: json.Object) -> bool:
    type_ = schema.get("type")
    return type_ == "object" or (isinstance(type_, list) and "object" in type_) or "properties" in schema


def _chooses_names(schema: json.Object) -> bool:
    """Whether the model was to find the names: of a closed object without properties, nothing is left."""
    others = schema.get("additionalProperties")
    return isinstance(others, dict) or (others is not False and "properties" not in schema)


def _is_refused(name: str, value: object) -> bool:
    if name == "minItems":
        return value not in (0, 1)
    return name in _BOUNDS or (name == "format" and not (isinstance(value, str) and value in _FORMATS))
