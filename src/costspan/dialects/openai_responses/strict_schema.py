"""Whether a JSON Schema may be sent with `strict: true`, which answers 400 to one outside its subset.

Sources: what the official SDK makes of a schema before it sends it strictly (openai 3.54.0, lib/_pydantic.py: closed
objects, all properties required); the list of keywords that do not exist is from memory of OpenAI's guide to structured
outputs. A schema that is not certain to pass is not sent as strict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from costspan.wire import json

_UNKNOWN: Final = frozenset(
    {"allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "patternProperties"}
)
_MAPS: Final = frozenset({"properties", "$defs", "definitions"})
_SCHEMAS: Final = frozenset({"items", "anyOf", "prefixItems", "additionalProperties"})


def may_be_strict(schema: json.Object) -> bool:
    """Whether OpenAI takes `schema` with `strict: true`."""
    if schema.get("type") != "object":
        return False
    waiting: list[Any] = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            if not _UNKNOWN.isdisjoint(part) or (_is_object(part) and not _is_closed(part)):
                return False
            waiting += (part[name] for name in _SCHEMAS & part.keys())
            for name in _MAPS & part.keys():
                waiting += part[name].values() if isinstance(part[name], dict) else ()
    return True


def _is_object(schema: json.Object) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema


def _is_closed(schema: json.Object) -> bool:
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if not isinstance(properties, dict) or not isinstance(required, list):
        return False
    return schema.get("additionalProperties") is False and all(name in required for name in properties)
