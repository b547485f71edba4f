"""The shape of the tree, so that review does not have to look at it."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest

from costspan.config.reference import _sections
from costspan.config.schema import Config
from docs.pages import DOCS, ROOT, SOURCES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_LINES = 400
"""A module fits in one sitting."""

MODULES = {str(path.relative_to(SOURCES)): path for path in sorted(SOURCES.rglob("*.py"))}

IN_ROOT = {
    *("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md"),
    *("gateway.yaml.example", "pyproject.toml", "requirements-dev.lock", "requirements.lock"),
    *("benchmarks", "deploy", "docs", "helm", "src", "tests"),
}

VENDORS = re.compile(r"openai|anthropic|gemini|bedrock|azure|vertex|cohere|groq|mistral", re.IGNORECASE)
KNOW_VENDORS = {"credentials", "dialects", "providers", "mock"}
"""Packages whose matter they are."""

NAME_VENDORS = {
    "accounts.py": "the kind to suggest for a host that has none",
    "billing/exports/__init__.py": "the registry of exports' formats",
    "billing/exports/anthropic.py": "how this one bills",
    "billing/exports/aws.py": "likewise",
    "billing/exports/google.py": "likewise",
    "billing/exports/openai.py": "likewise",
    "cli/demo.py": "the demonstration's configuration",
    "config/environment.py": "an example in the file that `init` writes",
    "config/providers.py": "settings that one kind has, named in their descriptions",
    "pricing/catalog.py": "a premium of one provider that the catalog does not have",
    "server/models.py": "the two shapes of GET /v1/models",
    "server/paths.py": "paths that no dialect has to itself",
    "server/surface.py": "paths to dialects",
    "telemetry/semconv.py": "values of gen_ai.provider.name",
    "wire/headers.py": "the allow-lists",
}
"""Modules elsewhere that say a vendor's name in code, and why they must."""

WITHOUT_REASON = {"cli/check.py: T201", "engine/run.py: PLR2004"}
"""Debts, to be paid by whoever is there next."""

FORBIDDEN_NAMES = {"utils", "util", "helpers", "common", "misc", "core", "base", "manager"}


@pytest.mark.parametrize("path", MODULES.values(), ids=MODULES)
def test_no_module_outgrows_a_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", MODULES.values(), ids=MODULES)
def test_every_module_but_the_generated_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [name for name, path in MODULES.items() if path.stem in FORBIDDEN_NAMES] == []


def test_every_folder_of_the_source_is_a_package() -> None:
    folders = {path.parent for path in MODULES.values()}

    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_vendors_are_named_where_they_belong() -> None:
    named = {
        name
        for name, path in MODULES.items()
        if name.partition("/")[0] not in KNOW_VENDORS and any(map(VENDORS.search, said(path)))
    }

    assert named == set(NAME_VENDORS)


def said(path: Path) -> Iterator[str]:
    """Names and strings of a module's code. Docstrings and comments may cite whom they like."""
    tree = ast.parse(path.read_text())
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(str(text)) if id(node) not in prose:
                yield text
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.FunctionDef(name=name):
                yield name


def test_what_is_silenced_has_its_reason() -> None:
    without = [
        f"{name}: {rule}"
        for name, path in MODULES.items()
        for rule, reasons in silenced(path.read_text()).items()
        if not any(reasons)
    ]

    assert set(without) <= WITHOUT_REASON


def silenced(text: str) -> dict[str, list[str]]:
    """Each rule that a module silences, with what stands at the line's end; one reason does for all in the module."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in text.splitlines():
        for rules in re.findall(r"# (?:noqa: |type: ignore\[)([A-Za-z0-9, -]+?)(?:\]| - |  #|$)", line):
            for rule in rules.split(", "):
                found[rule].append(line.rpartition(" - ")[2] if " - " in line else "")
    return found


def test_the_root_holds_what_it_must_and_no_more() -> None:
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().split()]
    here = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}

    assert {name for name in here if not any(fnmatchcase(name, pattern) for pattern in ignored)} == IN_ROOT


def test_the_makefile_is_a_list() -> None:
    assert len((ROOT / "Makefile").read_text().splitlines()) <= 40


def test_every_setting_is_described() -> None:
    without = [
        f"{path}.{name}"
        for path, section in _sections(Config, "")
        for name, field in section.model_fields.items()
        if not field.description and name != "source_line"
    ]

    assert without == []


def test_every_setting_is_in_the_reference() -> None:
    text = (DOCS / "config.md").read_text()
    names = {
        field.alias or name
        for _, section in _sections(Config, "")
        for name, field in section.model_fields.items()
        if name != "source_line"
    }

    assert [name for name in sorted(names) if f"| `{name}` |" not in text] == []


def test_decisions_are_numbered_and_have_the_same_parts() -> None:
    pages = sorted((DOCS / "adr").glob("*.md"))

    assert [page.name[:4] for page in pages] == [f"{number:04}" for number in range(1, len(pages) + 1)]
    for page in pages:
        heads = re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)
        assert heads == ["Context", "Decision", "Consequences", "What would change our mind"]
        assert page.read_text().startswith(f"# {int(page.name[:4])}. ")
