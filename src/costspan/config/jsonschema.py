"""The JSON Schema of gateway.yaml, for editors: completion, descriptions, red underlines."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from costspan.config.fields import REFERENCE_PATTERN
from costspan.config.schema import Config

Object = dict[str, Any]

DIALECT = GenerateJsonSchema.schema_dialect

_SHORT_FORMS = {"Route": "`provider/model`: a route with one target", "Target": "`provider/model`"}
_REFERENCE = {"type": "string", "pattern": REFERENCE_PATTERN}


def json_schema() -> Object:
    """Return the schema. Stricter checks than a schema can express are left to `costspan check`."""
    schema = _polished(Config.model_json_schema(by_alias=True))
    definitions: Object = schema.pop("$defs")
    for name, description in _SHORT_FORMS.items():
        definitions[name] = {"anyOf": [{"type": "string", "description": description}, definitions[name]]}
    return {
        "$schema": DIALECT,
        "title": "costspan gateway.yaml",
        **schema,
        "$defs": dict(sorted(definitions.items())),
    }


def _polished(node: Any, *, names: bool = False) -> Any:  # noqa: ANN401 - JSON is any value
    """Drop generated titles and let numbers and flags be references. `names` says that the keys are names."""
    if isinstance(node, list):
        return [_polished(item) for item in node]
    if not isinstance(node, dict):
        return node
    polished = {
        key: _polished(value, names=key in {"properties", "$defs"} and not names)
        for key, value in node.items()
        if names or key not in {"title", "default"} or (key == "default" and _shows(value))
    }
    return polished if names else _or_reference(_or_null(polished))


def _shows(default: Any) -> bool:  # noqa: ANN401 - JSON is any value
    return not isinstance(default, dict)


def _or_reference(node: Object) -> Object:
    bound = node.get("type") == "string" and ("pattern" in node or "enum" in node) and node != _REFERENCE
    if not bound and node.get("type") not in ("integer", "boolean"):
        return node
    outside: Object = {key: node[key] for key in ("description", "default") if key in node}
    inside = {key: value for key, value in node.items() if key not in outside}
    return {"anyOf": [inside, _REFERENCE], **outside}


def _or_null(node: Object) -> Object:
    """Sections and lists whose lines are all commented out read as null."""
    if node.get("type") in ("array", "object") and "$defs" not in node:
        return {**node, "type": [node["type"], "null"]}
    return node
