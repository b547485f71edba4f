"""Schemas, both ways.

A client may give Google's own `Schema` (OpenAPI 3.0 with upper-case types, `nullable`, `propertyOrdering`, 64-bit
numbers as strings); canonical form holds JSON Schema. To an upstream goes JSON Schema, as `parametersJsonSchema` and
`responseJsonSchema`, which the Gemini API and Vertex's v1 take.

Of an answer's schema they read `$id $defs $ref $anchor type format title description enum items prefixItems minItems
maxItems minimum maximum anyOf oneOf properties additionalProperties required propertyOrdering`; "while the full JSON
Schema may be sent, not all features are supported"; beside `$ref` nothing may stand that does not begin with `$`.
(pub.dev, googleapis, aiplatform_v1 `responseJsonSchema`, and the Kotlin SDK's copy of the same text; read 2026-11-25.)
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from costspan.dialects.gemini_generate.fields import camelled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.dialects.losses import Losses
    from costspan.wire import json

_RENAMED: Final[Mapping[str, str]] = MappingProxyType({"ref": "$ref", "defs": "$defs"})
_NUMBERS: Final = frozenset(
    {"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"},
)
_MAPS: Final = frozenset({"properties", "$defs", "definitions"})
_LISTS: Final = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_SINGLE: Final = frozenset({"items", "additionalProperties"})

_UNREAD: Final = frozenset(
    """
    exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength pattern uniqueItems minProperties maxProperties
    contains propertyNames patternProperties dependentRequired dependentSchemas unevaluatedProperties unevaluatedItems
    allOf not if then else definitions
    """.split()  # noqa: SIM905 - a paragraph of names reads better than a page
)
"""What a schema may demand and Gemini does not hold the answer to."""


def read_schema(raw: json.Object) -> json.Object:
    """Google's `Schema` as JSON Schema. What is JSON Schema already stays as it is."""
    named = {_RENAMED.get(name, name): value for name, value in camelled(raw).items()}
    order = named.pop("propertyOrdering", None)
    read = {name: _read(name, value) for name, value in named.items() if name not in {"nullable", "example"}}
    if "example" in named:
        read["examples"] = [named["example"]]
    if read.get("format") == "enum":
        del read["format"]
    if isinstance(order, list) and isinstance(read.get("properties"), dict):
        read["properties"] = _ordered(read["properties"], order)
    return _nullable(read) if named.get("nullable") is True else read


def _read(name: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    if name == "type" and isinstance(value, str):
        return value.lower()
    if name == "$ref" and isinstance(value, str):
        return value.replace("#/defs/", "#/$defs/", 1) if value.startswith("#/defs/") else value
    if name in _NUMBERS and isinstance(value, str) and value.isdecimal():
        return int(value)
    return _inside(name, value, read_schema)


def _inside(name: str, value: Any, change: Any) -> Any:  # noqa: ANN401 - JSON, and a function of schemas
    """`value` with `change` made to the schemas that it holds under `name`."""
    if name in _MAPS and isinstance(value, dict):
        return {key: change(part) if isinstance(part, dict) else part for key, part in value.items()}
    if name in _LISTS and isinstance(value, list):
        return [change(part) if isinstance(part, dict) else part for part in value]
    return change(value) if name in _SINGLE and isinstance(value, dict) else value


def _ordered(properties: json.Object, order: list[Any]) -> json.Object:
    """The order in which the model is to write them: models of other providers take that of the schema."""
    first = [name for name in order if isinstance(name, str) and name in properties]
    return {name: properties[name] for name in dict.fromkeys([*first, *properties])}


def _nullable(schema: json.Object) -> json.Object:
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema:
        return {**schema, "type": [kind, "null"]}
    described: json.Object = {name: schema.pop(name) for name in ("title", "description") if name in schema}
    return {**described, "anyOf": [schema, {"type": "null"}]}


def fit_schema(schema: json.Object, losses: Losses | None = None) -> json.Object:
    """JSON Schema as Gemini reads it. `losses`, of an answer's schema, tell what it is not held to."""
    fitted = {name: _inside(name, value, lambda part: fit_schema(part, losses)) for name, value in schema.items()}
    alternatives = fitted.get("allOf")
    if isinstance(alternatives, list) and len(alternatives) == 1 and "anyOf" not in fitted:
        fitted["anyOf"] = fitted.pop("allOf")  # how generators hang a description on a reference
    if "const" in fitted and "enum" not in fitted:
        fitted["enum"] = [fitted.pop("const")]
    if losses is not None and not _UNREAD.isdisjoint(fitted):
        losses.add("response_format")
    return _lone_reference(fitted)


def _lone_reference(schema: json.Object) -> json.Object:
    """A reference with something beside it becomes the one alternative of a schema that has the rest."""
    beside = {name: value for name, value in schema.items() if not name.startswith("$")}
    if "$ref" not in schema or not beside or "anyOf" in beside:
        return schema
    rest = {name: value for name, value in schema.items() if name != "$ref"}
    return {**rest, "anyOf": [{"$ref": schema["$ref"]}]}
