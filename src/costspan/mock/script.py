"""What the mock says, whatever the wire format: words, a tool call, usage. Deterministic; nothing of the prompt.

A model's name may ask for more: `error-429` answers with that status, `slow-250` waits so many milliseconds first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SENTENCES = (
    "This is a mock provider: no model was asked and nothing was spent.",
    "You are talking to a built-in mock; the words are canned, the numbers are made up.",
    "No network, no key, no bill: this answer comes from inside the gateway itself.",
)
CHARS_PER_TOKEN = 4
OVERHEAD_TOKENS = 7
SCHEMA_KEYS = ("parameters", "input_schema", "parametersJsonSchema", "parameters_json_schema")
"""Where the formats keep a function's JSON schema; google-genai 3.4 writes the last one (seen 2026-11-23)."""
MAX_SLOW = 60.0
"""Seconds that `slow-<ms>` waits at most."""

_ERROR = re.compile(r"\berror-([45]\d\d)\b")
_SLOW = re.compile(r"\bslow-(\d{1,6})\b")
_BINARY = frozenset({"data", "url", "image_url", "fileUri", "file_data"})
_EXAMPLES: Mapping[str, object] = {"string": "mock", "integer": 1, "number": 0.5, "boolean": True, "array": []}
MAX_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Asked:
    """What the mock reads of a request. `tool` is a function's name and JSON schema, when it is to be called."""

    model: str
    stream: bool
    prompt_tokens: int
    limit: int | None = None
    tool: tuple[str, Mapping[str, Any]] | None = None
    json_schema: Mapping[str, Any] | None = None
    with_usage: bool = True

    @property
    def error(self) -> int | None:
        """The status that the model's name asks for."""
        found = _ERROR.search(self.model)
        return int(found[1]) if found else None

    @property
    def delay(self) -> float:
        """Seconds to wait before the answer."""
        found = _SLOW.search(self.model)
        return min(int(found[1]) / 1000, MAX_SLOW) if found else 0.0


@dataclass(frozen=True, slots=True)
class Said:
    """The answer's content. `pieces` are words, or parts of the arguments when `tool` names a function."""

    pieces: tuple[str, ...]
    tool: str | None
    cut: bool
    """The limit of output tokens was met."""
    prompt_tokens: int
    cached_tokens: int
    """A part of `prompt_tokens`."""
    output_tokens: int

    @property
    def text(self) -> str:
        """All pieces."""
        return "".join(self.pieces)


def say(asked: Asked) -> Said:
    """Answer: a sentence, an object of the schema that was asked for, or a call of the function."""
    schema = asked.tool[1] if asked.tool else asked.json_schema
    if schema is None:
        sentence = SENTENCES[asked.prompt_tokens % len(SENTENCES)]
        pieces = tuple(re.findall(r"\s*\S+", sentence))
    else:
        written = json.text(example(schema))
        pieces = tuple(written[i : i + 12] for i in range(0, len(written), 12))
    limit = len(pieces) if asked.limit is None or asked.tool else max(asked.limit, 1)
    cut, pieces = limit < len(pieces), pieces[:limit]
    cached = asked.prompt_tokens // 2 if asked.prompt_tokens % 3 == 0 else 0
    return Said(pieces, asked.tool[0] if asked.tool else None, cut, asked.prompt_tokens, cached, len(pieces))


def example(schema: Mapping[str, Any], depth: int = 0) -> object:
    """A small value that fits a JSON schema, as far as its types, enums and properties say."""
    options = schema.get("enum")
    if isinstance(options, list) and options:
        first: object = options[0]
        return first
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = kind[0] if kind else "string"
    kind = str(kind).lower()
    properties = schema.get("properties")
    if kind != "object" or not isinstance(properties, dict) or depth > MAX_DEPTH:
        return _EXAMPLES.get(kind, {})
    return {name: example(part, depth + 1) for name, part in properties.items() if isinstance(part, dict)}


def prompt_tokens(*parts: object) -> int:
    """Tokens of a prompt, from the length of its text."""
    return sum(map(len, _strings(parts))) // CHARS_PER_TOKEN + OVERHEAD_TOKENS


def wants_tool(content: object) -> bool:
    """Whether a message asks for the tool: it has the word in it."""
    return any("tool" in text.lower() for text in _strings([content]))


def choose(tools: Sequence[object], name: object = None) -> tuple[str, Mapping[str, Any]] | None:
    """The function called `name`, else the first. Tools are objects with a name and a schema under its usual names."""
    functions = [tool for tool in tools if isinstance(tool, dict) and isinstance(tool.get("name"), str)]
    for tool in functions:
        if name in {None, tool["name"]}:
            schemas = [part(tool, key) for key in SCHEMA_KEYS]
            return tool["name"], next(filter(None, schemas), {})
    return None


def objects(value: object) -> list[dict[str, Any]]:
    """The objects of a list; none of anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def part(value: object, name: str) -> dict[str, Any]:
    """The object under `name`, else an empty one."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _strings(parts: object, depth: int = 0) -> Iterator[str]:
    """All texts inside, base64 and addresses left out."""
    if isinstance(parts, str):
        yield parts
    elif depth > MAX_DEPTH:
        return
    elif isinstance(parts, dict):
        for name, value in parts.items():
            if name not in _BINARY:
                yield from _strings(value, depth + 1)
    elif isinstance(parts, list | tuple):
        for value in parts:
            yield from _strings(value, depth + 1)
