"""costspan.config.reference, and the files that are shipped: docs/config.md, the JSON Schema, the example."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # - its stubs are not installed
from pydantic import BaseModel

from costspan.config import yaml_loader
from costspan.config.fields import Section
from costspan.config.jsonschema import json_schema
from costspan.config.load import load
from costspan.config.prices import RATES, UNIT_OF
from costspan.config.reference import config_markdown, schema_text
from costspan.ir.usage import BUCKETS, UNITS

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "gateway.yaml.example"


def sections(base: type[BaseModel] = Section) -> Iterator[type[BaseModel]]:
    for section in base.__subclasses__():
        yield section
        yield from sections(section)


def plain(node: yaml_loader.Node) -> Any:
    """The tree as plain JSON values, references as they are written."""
    match node.content:
        case dict() as members:
            return {key: plain(member) for key, member in members.items()}
        case list() as items:
            return [plain(item) for item in items]
        case text:
            value = yaml_loader.resolve(text) if node.plain else text
            return float(value) if not isinstance(value, str | int | None) else value


@pytest.mark.parametrize(("file", "text"), [("config.md", config_markdown()), ("gateway.schema.json", schema_text())])
def test_the_shipped_reference_is_what_the_sections_say(file: str, text: str) -> None:
    assert (ROOT / "docs" / file).read_text() == text, "run: python -m costspan.config.reference"


@pytest.mark.parametrize("section", list(sections()), ids=lambda section: section.__name__)
def test_every_section_and_field_is_described(section: type[BaseModel]) -> None:
    assert section.__doc__
    assert [name for name, field in section.model_fields.items() if not field.description] == []


def test_the_example_is_valid_and_without_warnings() -> None:
    names = re.findall(r"\$\{([A-Z0-9_]+)\}", EXAMPLE.read_text())
    loaded = load(EXAMPLE, {name: f"value-of-{name.lower()}" for name in names})

    assert loaded.warnings == ()
    assert list(loaded.config.routes) == ["smart", "cheap", "quick", "split", "gpt-*"]
    assert loaded.config.admin.token is None


def test_the_example_shows_every_section() -> None:
    root = yaml_loader.parse(EXAMPLE.read_bytes(), "example")

    assert [key for key, _ in root.children()] == [
        "server", "admin", "providers", "defaults", "routes", "direct_targets", "default_route", "prices", "keys",
        "budgets", "attribution", "telemetry", "ledger", "billing_plans",
    ]  # fmt: skip


def test_editors_find_the_schema_by_the_first_line_of_the_example() -> None:
    first = EXAMPLE.read_text().splitlines()[0]

    assert first == "# yaml-language-server: $schema=docs/gateway.schema.json"


def test_the_schema_accepts_the_example() -> None:
    Draft202012Validator.check_schema(json_schema())
    errors = Draft202012Validator(json_schema()).iter_errors(plain(yaml_loader.parse(EXAMPLE.read_bytes(), "example")))

    assert [f"{error.json_path}: {error.message}" for error in errors] == []


@pytest.mark.parametrize(
    "text",
    ["sever: {}", "server: {workers: two}", "server: {shutdown_grace: soon}", "routes: {a: {}}", "keys: [{name: a}]"],
)
def test_the_schema_refuses_what_editors_should_underline(text: str) -> None:
    value = plain(yaml_loader.parse(text.encode(), "f"))

    assert not Draft202012Validator(json_schema()).is_valid(value)


def test_everything_that_is_metered_can_be_priced() -> None:
    assert set(BUCKETS) | set(UNITS) | set(UNIT_OF) == set(RATES)
    assert set(UNIT_OF.values()) == set(UNITS)
