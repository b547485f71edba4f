"""Writes docs/config.md and docs/gateway.schema.json from the sections themselves.

`python -m costspan.config.reference` rewrites both; a test compares them.
"""

import json  # noqa: TID251 - indented, for people and for diffs; wire.json writes for machines
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from costspan.config.fields import Label, Section
from costspan.config.jsonschema import json_schema
from costspan.config.prices import PriceRow, Rates
from costspan.config.schema import Config

_HEAD = """\
<!-- Generated from src/costspan/config by `python -m costspan.config.reference`. Do not edit. -->

# gateway.yaml, key by key

`gateway.yaml.example` shows everything in one file. `costspan check` validates a file and lists every mistake with
its line. Editors validate and complete with `docs/gateway.schema.json` (`costspan schema`).

| kind of value | written as |
|---|---|
| duration | `500ms` `10s` `5m` `2h` `90d`; `0` |
| size | `32MiB` `64KiB` `1GB`, or bytes |
| percentage | `12%` `5.5%` |
| decimal, USD | `1.25`; exact, never rounded |
| reference | `${VAR}`, `${VAR:-default}` anywhere in a value; quoted inside `[ ]` and `{ }`. `$${` is a literal `${` |
| secret reference | `${VAR}`, or `file:/run/secrets/name`: re-read at each reload |

Relative paths start at the folder of the file. A section or list with all its lines commented out has its defaults.
"""

_PLAIN = {str: "text", int: "integer", bool: "true or false", float: "number", Decimal: "decimal", Any: "any"}


def config_markdown() -> str:
    """Return docs/config.md."""
    parts = [_HEAD]
    for path, section in _sections(Config, ""):
        parts.append(f"## {path}\n" if path else "## The top level\n")
        parts.append(f"{(section.__doc__ or '').strip()}\n")
        parts.append(_table(section, path))
    return "\n".join(parts)


def schema_text() -> str:
    """Return docs/gateway.schema.json."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _table(section: type[Section], path: str) -> str:
    rows = ["| key | type | default | |", "|---|---|---|---|"]
    shared = issubclass(section, Rates) and section is not PriceRow
    for name, field in sorted(section.model_fields.items(), key=lambda item: item[0] in Rates.model_fields):
        if name == "source_line" or (shared and name in Rates.model_fields):
            continue
        key = field.alias or name
        rows.append(f"| `{key}` | {_type(field)} | {_default(field, path, key)} | {field.description} |")
    if shared:
        rows.append("| … | | | and every rate of `prices.table[]` |")
    return "\n".join(rows) + "\n"


def _sections(section: type[Section], path: str) -> Iterator[tuple[str, type[Section]]]:
    yield path, section
    for name, field in section.model_fields.items():
        inner, suffix = _inner(field.annotation)
        if inner is not None:
            yield from _sections(inner, f"{path}.{field.alias or name}{suffix}".removeprefix("."))


def _inner(annotation: Any) -> tuple[type[Section] | None, str]:  # noqa: ANN401 - annotations have no type
    """Return the section that a field holds, and how a path to it goes on."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is dict:
        return _inner(arguments[1])[0], ".NAME"
    if origin is tuple:
        return _inner(arguments[0])[0], "[]"
    if origin in {Union, UnionType, Annotated}:
        found = (_inner(argument) for argument in arguments)
        return next((pair for pair in found if pair[0] is not None), (None, ""))
    return (annotation, "") if isinstance(annotation, type) and issubclass(annotation, Section) else (None, "")


def _type(field: FieldInfo) -> str:
    label = _label(field.metadata)
    return label or _name(field.annotation)


def _label(metadata: Any) -> str | None:  # noqa: ANN401 - metadata is anything
    """Return the outermost label: the last one given is the most exact."""
    return next((item.text for item in reversed(tuple(metadata)) if isinstance(item, Label)), None)


def _name(annotation: Any) -> str:  # noqa: ANN401 - annotations have no type
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _label(arguments[1:]) or _name(arguments[0])
    if origin in {Union, UnionType}:
        names = [_name(argument) for argument in arguments if argument is not NoneType]
        return ", or ".join(names)
    if origin is Literal:
        return ", ".join(f"`{word}`" for word in arguments)
    if origin is tuple:
        return f"list of {_name(arguments[0])}"
    if origin is dict:
        return f"mapping to {_name(arguments[1])}"
    return _PLAIN.get(annotation, "section")


def _default(field: FieldInfo, path: str, key: str) -> str:
    if field.is_required():
        return "required"
    default = field.default
    if isinstance(default, Section):
        return f"see `{path}.{key}`".replace("`.", "`")
    if default is None:
        return "null"
    if isinstance(default, tuple | dict):
        return ", ".join(f"`{item}`" for item in default) or "none"
    return f"`{_written(default, _type(field))}`"


def _written(value: Any, kind: str) -> str:  # noqa: ANN401 - a default is anything
    """Write a default as the file would."""
    match value:
        case bool():
            return str(value).lower()
        case float() if kind == "duration":
            return f"{value / 86400:g}d" if value >= 86400 else f"{value:g}s"  # noqa: PLR2004 - seconds in a day
        case int() if kind == "size":
            return f"{value // 2**20}MiB"
        case Decimal() if kind == "percentage":
            return f"{(value * 100).normalize():f}%"
        case _:
            return str(value)


def main() -> None:
    """Rewrite the files in docs/ of the working tree."""
    docs = Path(__file__).parents[3] / "docs"
    (docs / "config.md").write_text(config_markdown())
    (docs / "gateway.schema.json").write_text(schema_text())


if __name__ == "__main__":
    main()
