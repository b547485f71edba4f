from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects.gemini_generate.schemas import fit_schema, read_schema
from costspan.dialects.losses import Losses

READ: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "types": (
        {
            "type": "OBJECT",
            "properties": {"type": {"type": "STRING"}, "n": {"type": "ARRAY", "items": {"type": "INTEGER"}}},
        },
        {
            "type": "object",
            "properties": {"type": {"type": "string"}, "n": {"type": "array", "items": {"type": "integer"}}},
        },
    ),
    "snake case": (
        {"type": "ARRAY", "min_items": "1", "max_items": 3, "any_of": [{"type": "STRING"}], "property_ordering": []},
        {"type": "array", "minItems": 1, "maxItems": 3, "anyOf": [{"type": "string"}]},
    ),
    "nullable": ({"type": "STRING", "nullable": True}, {"type": ["string", "null"]}),
    "not nullable": ({"type": "STRING", "nullable": False}, {"type": "string"}),
    "nullable with words": (
        {"type": "STRING", "format": "enum", "enum": ["A"], "nullable": True, "description": "d"},
        {"description": "d", "anyOf": [{"type": "string", "enum": ["A"]}, {"type": "null"}]},
    ),
    "an order": (
        {"type": "OBJECT", "properties": {"a": {"type": "STRING"}, "b": {}}, "propertyOrdering": ["b", "x", "a"]},
        {"type": "object", "properties": {"b": {}, "a": {"type": "string"}}},
    ),
    "references": (
        {"ref": "#/defs/Pet", "defs": {"Pet": {"type": "OBJECT", "additional_properties": {"type": "STRING"}}}},
        {"$ref": "#/$defs/Pet", "$defs": {"Pet": {"type": "object", "additionalProperties": {"type": "string"}}}},
    ),
    "an example": (
        {"type": "STRING", "example": "x", "title": "T"},
        {"type": "string", "title": "T", "examples": ["x"]},
    ),
    "JSON Schema": (
        {"type": ["object", "null"], "properties": {"a_b": {"const": 1}}, "additionalProperties": False},
        {"type": ["object", "null"], "properties": {"a_b": {"const": 1}}, "additionalProperties": False},
    ),
}


@pytest.mark.parametrize(("given", "schema"), READ.values(), ids=READ.keys())
def test_google_s_schema_is_read_as_json_schema(given: dict[str, Any], schema: dict[str, Any]) -> None:
    found = read_schema(given)

    assert found == schema
    assert list(found.get("properties", {})) == list(schema.get("properties", {}))


FITTED: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = {
    "as it is": (
        {"type": "object", "properties": {"a": {"type": "string", "enum": ["x"]}}, "additionalProperties": False},
        {"type": "object", "properties": {"a": {"type": "string", "enum": ["x"]}}, "additionalProperties": False},
        (),
    ),
    "a constant": ({"const": "x"}, {"enum": ["x"]}, ()),
    "a reference with something beside it": (
        {"$ref": "#/$defs/A", "description": "d", "$comment": "c"},
        {"description": "d", "$comment": "c", "anyOf": [{"$ref": "#/$defs/A"}]},
        (),
    ),
    "a reference alone": ({"$ref": "#/$defs/A", "$comment": "c"}, {"$ref": "#/$defs/A", "$comment": "c"}, ()),
    "a reference in a list of one": (
        {"allOf": [{"$ref": "#/$defs/A"}], "description": "d"},
        {"description": "d", "anyOf": [{"$ref": "#/$defs/A"}]},
        (),
    ),
    "what it is not held to": (
        {"type": "array", "items": {"type": "string", "maxLength": 5}},
        {"type": "array", "items": {"type": "string", "maxLength": 5}},
        ("response_format",),
    ),
    "all of several": (
        {"allOf": [{"type": "object"}, {"required": ["a"]}]},
        {"allOf": [{"type": "object"}, {"required": ["a"]}]},
        ("response_format",),
    ),
    "a property of such a name": (
        {"type": "object", "properties": {"maxLength": {"type": "integer"}}},
        {"type": "object", "properties": {"maxLength": {"type": "integer"}}},
        (),
    ),
}


@pytest.mark.parametrize(("given", "schema", "lost"), FITTED.values(), ids=FITTED.keys())
def test_json_schema_is_written_as_it_is_taken(
    given: dict[str, Any], schema: dict[str, Any], lost: tuple[str, ...]
) -> None:
    losses = Losses()

    assert fit_schema(given, losses) == schema
    assert losses.names() == lost


def test_of_a_function_nothing_is_lost_since_nothing_was_promised() -> None:
    schema = {"type": "string", "pattern": "^a"}

    assert fit_schema(schema) == schema
