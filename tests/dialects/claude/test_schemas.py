from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects.claude.schemas import fit_schema
from costspan.dialects.losses import Losses

CLOSED = {"type": "object", "properties": {}, "additionalProperties": False}
OPEN = {"type": "object", "properties": {}}

FITTED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "closed": (CLOSED, CLOSED),
    "open": (OPEN, CLOSED),
    "open by word": ({**OPEN, "additionalProperties": True}, CLOSED),
    "of several types": (
        {"type": ["object", "null"], "properties": {}},
        {"type": ["object", "null"], "properties": {}, "additionalProperties": False},
    ),
    "inside": (
        {
            "$ref": "#/$defs/a",
            "$defs": {"a": {**OPEN, "properties": {"b": {"type": "array", "items": OPEN}, "minimum": OPEN}}},
        },
        {
            "$ref": "#/$defs/a",
            "$defs": {"a": {**CLOSED, "properties": {"b": {"type": "array", "items": CLOSED}, "minimum": CLOSED}}},
        },
    ),
    "one of several": ({"anyOf": [OPEN, {"type": "null"}]}, {"anyOf": [CLOSED, {"type": "null"}]}),
    "values are none": ({"enum": ["a"], "default": {"minimum": 1}}, {"enum": ["a"], "default": {"minimum": 1}}),
    "what is known": (
        {"type": "array", "minItems": 1, "items": {"type": "string", "format": "date", "pattern": "^2"}},
        {"type": "array", "minItems": 1, "items": {"type": "string", "format": "date", "pattern": "^2"}},
    ),
    "what is no schema": (
        {"items": True, "anyOf": 3, "properties": []},
        {"items": True, "anyOf": 3, "properties": [], "additionalProperties": False},
    ),
}


@pytest.mark.parametrize(("schema", "fitted"), FITTED.values(), ids=FITTED.keys())
def test_objects_are_closed_and_the_rest_stays(schema: dict[str, Any], fitted: dict[str, Any]) -> None:
    losses = Losses()

    assert fit_schema(schema, losses) == fitted
    assert losses.names() == ()


LOOSENED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a bound": ({"type": "integer", "minimum": 1}, {"type": "integer", "description": '{"minimum":1}'}),
    "bounds of what is described": (
        {"type": "string", "description": "Age.", "maxLength": 3, "format": "odd"},
        {"type": "string", "description": 'Age.\n\n{"maxLength":3,"format":"odd"}'},
    ),
    "a format that is none": ({"type": "string", "format": {}}, {"type": "string", "description": '{"format":{}}'}),
    "a length": ({"type": "array", "minItems": 3}, {"type": "array", "description": '{"minItems":3}'}),
    "exactly one": ({"oneOf": [OPEN]}, {"anyOf": [CLOSED]}),
    "names to be found": (
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "object", "additionalProperties": False},
    ),
    "anything": ({"type": "object"}, {"type": "object", "additionalProperties": False}),
}


@pytest.mark.parametrize(("schema", "fitted"), LOOSENED.values(), ids=LOOSENED.keys())
def test_what_cannot_be_promised_is_told_to_the_model_and_named(schema: dict[str, Any], fitted: dict[str, Any]) -> None:
    losses = Losses()

    assert fit_schema(schema, losses) == fitted
    assert losses.names() == ("response_format",)
