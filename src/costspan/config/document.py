"""The configuration file as it was read: where everything stands, and how its mistakes are told.

Paths are tuples of keys and indices; messages write them `routes.smart.targets[1].weight`.
"""

from __future__ import annotations

import difflib
import re
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from costspan.config.fields import Section
from costspan.config.yaml_loader import Node, Path, nearest
from costspan.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_SIMPLE_KEY = re.compile(r"[A-Za-z0-9_*/@+:{}-]+")
_MAX_KEY = 80

_WORDS = {
    "missing": "is required",
    "string_type": "expected text; quote it if it looks like a number",
    "dict_type": "expected a mapping of keys and values",
    "tuple_type": "expected a list",
    "list_type": "expected a list",
    "model_type": "expected a mapping of keys and values",
    "model_attributes_type": "expected a mapping of keys and values",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}
"""Better words for what pydantic says, by the type of the error."""


class Document:
    """The tree of the file, price files included."""

    def __init__(self, root: Node) -> None:
        self.root = root

    def locate(self, path: Sequence[str | int]) -> tuple[str, int, int]:
        """Return file, line and column of the nearest node on `path` that exists."""
        node, _ = nearest(self.root, path)
        return node.file, node.line, node.column

    def problem(self, path: Sequence[str | int], reason: str) -> Problem:
        """Return a problem at `path`, with the path written out as given."""
        return Problem(*self.locate(path), self.describe(path), reason)

    def describe(self, path: Sequence[str | int]) -> str:
        """Write `path` for people. Rows of another file are counted as that file counts them."""
        written = ""
        node: Node | None = self.root
        for part in path:
            node = node.child(part) if node is not None else None
            written += f"[{part}]" if isinstance(part, int) else f".{_key(part)}"
            if node is not None and node.label is not None:
                written = node.label
        return written.removeprefix(".")

    def problems_of(self, error: ValidationError, model: type[Section]) -> list[tuple[Path, Problem]]:
        """Return each of pydantic's errors as the path that has to change and the problem."""
        details = error.errors(include_url=False, include_input=False)
        return [self._problem_of(detail, model) for detail in details if not _counts_what_failed(detail, details)]

    def _problem_of(self, detail: ErrorDetails, model: type[Section]) -> tuple[Path, Problem]:
        node, found = nearest(self.root, detail["loc"])
        match detail["type"]:
            case "missing":
                path = (*nearest(self.root, detail["loc"][:-1])[1], str(detail["loc"][-1]))
                return path, self.problem(path, _WORDS["missing"])
            case "extra_forbidden":
                return found, self.unknown_key(found, keys_at(model, found[:-1]))
            case _:
                return found, Problem(node.file, node.line, node.column, self.describe(found), _reason(detail))

    def unknown_key(self, path: Path, known: Sequence[str]) -> Problem:
        """Return the problem of a key that does not exist, at the place of the key itself."""
        return self.key_problem(path, f"unknown key{suggestion(str(path[-1]), known)}")

    def key_problem(self, path: Path, reason: str) -> Problem:
        """Return a problem at the place of the last key itself."""
        parent, _ = nearest(self.root, path[:-1])
        line, column = parent.keys.get(str(path[-1]), (parent.line, parent.column))
        return Problem(parent.file, line, column, self.describe(path), reason)


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean ...?` with the nearest of `known`, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def keys_at(model: type[Section], path: Sequence[str | int]) -> list[str]:
    """Return the keys that the section at `path` can have."""
    annotation: Any = model
    for part in path:
        section = None if isinstance(part, int) else _section(annotation)
        if section is None:
            annotation = _item(annotation)
        else:
            field = next((f for n, f in section.model_fields.items() if (f.alias or n) == part), None)
            annotation = field.annotation if field is not None else None
    section = _section(annotation)
    return [] if section is None else [field.alias or name for name, field in section.model_fields.items()]


def _section(annotation: Any) -> type[Section] | None:  # noqa: ANN401 - annotations have no type of their own
    """Return the section that `annotation` stands for, alone or as one of a union."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    if get_origin(annotation) in {Union, UnionType, Annotated}:
        return next(filter(None, map(_section, get_args(annotation))), None)
    return None


def _item(annotation: Any) -> Any:  # noqa: ANN401 - annotations have no type of their own
    """Return what a list or a mapping holds."""
    if get_origin(annotation) is Annotated:
        return _item(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        return next(filter(None, map(_item, get_args(annotation))), None)
    if get_origin(annotation) is dict:
        return get_args(annotation)[1]
    return next(iter(get_args(annotation)), None)


def _counts_what_failed(detail: ErrorDetails, details: list[ErrorDetails]) -> bool:
    """Whether a list is called too short only because items of it are wrong: those are told already."""
    loc = detail["loc"]
    return detail["type"] == "too_short" and any(
        other["loc"][: len(loc)] == loc and len(other["loc"]) > len(loc) for other in details
    )


def _reason(detail: ErrorDetails) -> str:
    if detail["loc"] and detail["loc"][-1] == "[key]":
        return "not a valid name"
    if detail["type"] == "value_error":
        return detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "string_pattern_mismatch":
        return f"does not match {detail['ctx']['pattern']}"
    reason = _WORDS.get(detail["type"], detail["msg"])
    return reason.replace("Input should be", "expected").replace("Tuple should have", "expected")


def _key(key: str) -> str:
    """Write a key so that it can neither be mistaken for two nor move a terminal's cursor."""
    if _SIMPLE_KEY.fullmatch(key) and len(key) <= _MAX_KEY:
        return key
    printable = "".join(character if character.isprintable() else "?" for character in key[:_MAX_KEY])
    return f'"{printable}"'
