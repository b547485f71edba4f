"""YAML, strictly: bytes in, a tree of nodes with positions out.

The reader is PyYAML's event stream; the tree is built here, so that nothing is constructed, aliases are
bounded and every node knows its file, line and column. Scalars are resolved as the core schema of YAML
1.2.2 (section 10.3.2) does: `on` and `1:30` are strings, `022` is 22; numbers with a point or an exponent
become `Decimal`, from their text. Keys are always strings.

Refused: duplicate keys, merge keys, tags, more than one document, recursive aliases, nesting deeper than
64, files over 1 MiB, anything that is not UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Sequence  # noqa: TC003 - a type alias needs it when the module is read
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import yaml

from costspan.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_BYTES = 2**20
MAX_DEPTH = 64
MAX_ALIASES = 100
MAX_NODES = 100_000
"""Nodes of the tree with its aliases written out: what a walk over it costs."""

_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where the wheel has it: ten times faster on a file of 500 routes."""

Path = tuple[str | int, ...]

_NULL = {"", "~", "null", "Null", "NULL"}
_TRUE = {"true", "True", "TRUE"}
_FALSE = {"false", "False", "FALSE"}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_PREFIXED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_QUOTED = re.compile(r"['\"]([^'\"]+)['\"]")
_MAX_NUMBER = 100
"""Characters of a number. Python refuses integers of more than 4300 digits; no setting needs a hundred."""


@dataclass(slots=True, eq=False)
class Node:
    """One value of the file and where it stands. `line` and `column` count from 1.

    `content` is the text of a scalar, the items of a sequence or the members of a mapping.
    `label` replaces the path up to here in messages: rows of another file do not stand where the tree has them.
    """

    content: str | list[Node] | dict[str, Node]
    file: str
    line: int
    column: int
    plain: bool = False
    size: int = 1
    label: str | None = None
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)

    def child(self, part: str | int) -> Node | None:
        """Return the member or item `part`, if there is one."""
        if isinstance(self.content, dict):
            return self.content.get(str(part))
        if isinstance(self.content, list) and isinstance(part, int) and part < len(self.content):
            return self.content[part]
        return None

    def children(self) -> Iterator[tuple[str | int, Node]]:
        """Yield all members or items with their key or index."""
        if isinstance(self.content, dict):
            yield from self.content.items()
        elif isinstance(self.content, list):
            yield from enumerate(self.content)


def parse(data: bytes, file: str) -> Node:
    """Read `data`; `file` is the name for messages. Raises `ConfigError`, never anything else."""
    builder = _Builder(file)
    try:
        text = _decode(data)
        for event in yaml.parse(text, Loader=_LOADER):
            builder.feed(event)
    except _Refused as refused:
        raise ConfigError((Problem(file, refused.line, refused.column, "", str(refused)),)) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        source = text.splitlines()[line - 1 : line]
        raise ConfigError((Problem(file, line, column, "", _reason(error, "".join(source))),)) from None
    except yaml.YAMLError:
        raise ConfigError((Problem(file, 0, 0, "", "not valid YAML: a character that YAML does not allow"),)) from None
    if builder.problems:
        raise ConfigError(tuple(builder.problems))
    if builder.root is None or (builder.root.plain and builder.root.content in _NULL):
        raise ConfigError((Problem(file, 0, 0, "", "the file is empty"),))
    return builder.root


def resolve(text: str) -> str | int | Decimal | bool | None:
    """Return the value of a plain scalar by YAML 1.2's core schema."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    return text if len(text) > _MAX_NUMBER else _number(text)


def _number(text: str) -> str | int | Decimal:
    if _INTEGER.fullmatch(text):
        return int(text)
    if _PREFIXED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return Decimal(text)
    if _NOT_FINITE.fullmatch(text):
        return Decimal(text.replace(".", ""))
    return text


def nearest(root: Node, path: Sequence[str | int]) -> tuple[Node, Path]:
    """Return the deepest existing node on `path`, and the path to it.

    Parts that the file does not have (names of union members, the long form of something written short) are
    skipped.
    """
    node = root
    found: Path = ()
    for part in path:
        child = node.child(part)
        if child is not None:
            node, found = child, (*found, part)
    return node, found


class _Refused(Exception):
    """Valid YAML that is not accepted, or bytes that are no text. Ends the reading."""

    def __init__(self, reason: str, line: int = 0, column: int = 0) -> None:
        super().__init__(reason)
        self.line = line
        self.column = column


def _decode(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise _Refused(f"the file is larger than {MAX_BYTES} bytes")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _Refused("the file is not UTF-8 but UTF-16")
    line = data[: max(data.find(b"\0"), 0)].count(b"\n") + 1
    if b"\0" in data:
        raise _Refused("the file contains a NUL byte", line, 1)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = error.start - before.rfind(b"\n")
        raise _Refused("not UTF-8", before.count(b"\n") + 1, column) from None


def _reason(error: yaml.MarkedYAMLError, line: str) -> str:
    """What PyYAML says, without anything it quotes: a value of the file might be a secret."""
    said = ", ".join(part for part in (error.context, error.problem) if part)
    if "\\t" in said:
        return "not valid YAML: a tab cannot begin a token; indent with spaces"
    said = _QUOTED.sub(lambda match: match[0] if len(match[1]) == 1 or match[1][0] == "<" else "…", said)
    hint = "; references inside [ ] and { } must be quoted" if "${" in line else ""
    return f"not valid YAML: {said}{hint}"


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet."""

    node: Node
    anchor: str | None
    key: str | None = None
    """The key read last, whose value comes next."""
    key_is_next: bool = True


class _Builder:
    """Builds the tree from events, with an explicit stack: nesting cannot exhaust Python's."""

    def __init__(self, file: str) -> None:
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._file = file
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}  # None: still open
        self._aliases = 0
        self._documents = 0

    def feed(self, event: yaml.Event) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise self._refused(event, "more than one YAML document")
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._open(event)
            case yaml.CollectionEndEvent():
                done = self._stack.pop()
                self._place(done.node, done.anchor)
            case _:
                pass

    def _refused(self, event: yaml.Event, reason: str) -> _Refused:
        return _Refused(reason, *_position(event))

    def _node(self, event: yaml.NodeEvent, content: str | list[Node] | dict[str, Node]) -> Node:
        node = Node(content, self._file, *_position(event))
        if getattr(event, "tag", None) is not None:
            self._problem(node, "tags are not allowed")
        return node

    def _problem(self, node: Node, reason: str) -> None:
        self.problems.append(Problem(self._file, node.line, node.column, "", reason))

    def _open(self, event: yaml.SequenceStartEvent | yaml.MappingStartEvent) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise self._refused(event, f"nested deeper than {MAX_DEPTH} levels")
        if self._stack and self._expects_key():
            raise self._refused(event, "a key must be a plain or quoted string")
        content: list[Node] | dict[str, Node] = {} if isinstance(event, yaml.MappingStartEvent) else []
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._stack.append(_Open(self._node(event, content), event.anchor))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        node = self._node(event, event.value)
        node.plain = event.style in {None, ""} and event.implicit[0]
        if self._stack and self._expects_key():
            self._take_key(node)
            if event.anchor is not None:
                self._anchors[event.anchor] = node
        else:
            self._place(node, event.anchor)

    def _alias(self, event: yaml.AliasEvent) -> None:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise self._refused(event, f"more than {MAX_ALIASES} aliases")
        if event.anchor not in self._anchors:
            raise self._refused(event, "no such anchor; a value that begins with * must be quoted")
        node = self._anchors[event.anchor]
        if node is None:
            raise self._refused(event, "an alias inside the node that it names")
        if self._expects_key():
            raise self._refused(event, "a key must be a plain or quoted string")
        self._place(node, None)

    def _expects_key(self) -> bool:
        top = self._stack[-1]
        return isinstance(top.node.content, dict) and top.key_is_next

    def _take_key(self, key: Node) -> None:
        top = self._stack[-1]
        text = str(key.content)
        if text == "<<" and key.plain:
            self._problem(key, "merge keys are not allowed")
        elif text in top.node.keys:
            first = top.node.keys[text][0]
            self._problem(key, f"duplicate key; the first is on line {first}")
        top.node.keys.setdefault(text, (key.line, key.column))
        top.key, top.key_is_next = text, False

    def _place(self, node: Node, anchor: str | None) -> None:
        """Put a finished node into the collection that is open, or make it the root."""
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._stack:
            self.root = node
            return
        top = self._stack[-1]
        if isinstance(top.node.content, list):
            top.node.content.append(node)
        elif isinstance(top.node.content, dict):
            top.node.content.setdefault(top.key or "", node)
            top.key_is_next = True
        top.node.size += node.size
        if top.node.size > MAX_NODES:
            raise _Refused(f"more than {MAX_NODES} values, aliases written out", node.line, node.column)


def _position(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)


def members(node: Node | None) -> Mapping[str, Node]:
    """Return the members of a mapping; none of anything else."""
    return node.content if node is not None and isinstance(node.content, dict) else {}
