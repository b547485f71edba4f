"""The strict first look at a request, before a target is chosen.

Whoever read it put `model` and `stream` among its fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from costspan.dialects import checks
from costspan.dialects.checks import invalid
from costspan.dialects.gemini_generate import fields
from costspan.dialects.gemini_generate.vocabulary import TIERS_IN
from costspan.dialects.types import Peek

if TYPE_CHECKING:
    from costspan.wire import json

MAX_CONTENTS: Final = 100_000
MAX_CHOICES: Final = 128
MAX_OUTPUT_TOKENS: Final = 2**31 - 1
ROLES: Final = frozenset({"user", "model", "function"})

_MEDIA: Final = frozenset({"inlineData", "inline_data", "fileData", "file_data"})
_SEALED: Final = frozenset({"thoughtSignature", "thought_signature"})


def peek(body: json.Object) -> Peek:
    """Check the request's shape and say what routing needs. Raises `ClientError` naming the field."""
    checks.refuse_destinations(body)
    model, stream = checks.model(body), checks.flag(body, "stream")
    named = fields.camelled(body)
    contents = check_contents(named.get("contents"))
    config = fields.message(named.get("generationConfig"), "generationConfig")
    fields.number(config.get("temperature"), "generationConfig.temperature")
    tools = fields.items(named.get("tools"), "tools")
    chars, media = _weigh([contents, named.get("systemInstruction"), tools])
    stored = fields.string(named.get("cachedContent"), "cachedContent")
    return Peek(
        model=model,
        stream=bool(stream),
        max_output_tokens=output_limit(config),
        prompt_chars=chars,
        media=media,
        tools=bool(tools),
        json_schema=any(config.get(name) for name in ("responseSchema", "responseJsonSchema", "_responseJsonSchema")),
        n=choices(config),
        service_tier=tier(named),
        stored="cachedContent" if stored else None,
        stored_id=stored or None,
    )


def check_contents(contents: Any) -> list[json.Object]:  # noqa: ANN401 - unchecked input
    """The turns, each an object with a known role and a list of parts that are objects."""
    if not isinstance(contents, list) or not 0 < len(contents) <= MAX_CONTENTS:
        raise invalid(f"'contents' must be a list of 1 to {MAX_CONTENTS} items", "contents", "invalid_messages")
    for position, content in enumerate(contents):
        where = f"contents[{position}]"
        if not isinstance(content, dict):
            raise invalid("each content must be an object", where, "invalid_messages")
        role = content.get("role") or "user"
        if not isinstance(role, str) or role not in ROLES:
            raise invalid("the role must be user or model", f"{where}.role", "invalid_messages")
        parts = content.get("parts")
        if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
            raise invalid("'parts' must be a list of objects", f"{where}.parts", "invalid_messages")
    return contents


def output_limit(config: json.Object) -> int | None:
    """The most tokens to answer with."""
    return fields.integer(config.get("maxOutputTokens"), "generationConfig.maxOutputTokens", 1, MAX_OUTPUT_TOKENS)


def choices(config: json.Object) -> int:
    """How many candidates are wanted."""
    return fields.integer(config.get("candidateCount"), "generationConfig.candidateCount", 1, MAX_CHOICES) or 1


def tier(body: json.Object) -> str | None:
    """The service tier, in OpenAI's words."""
    asked = fields.string(body.get("serviceTier"), "serviceTier")
    if asked is None:
        return None
    word = asked.lower()
    return TIERS_IN.get(word, word)


def _weigh(parts: list[Any]) -> tuple[int, int]:
    """Characters of text and number of media in `parts`, however deep. Base64 is no text."""
    chars = media = 0
    stack = parts
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            chars += len(value)
        elif isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, dict):
            for name, inner in value.items():
                if name in _MEDIA:
                    media += 1
                elif name not in _SEALED:
                    chars += len(name)
                    stack.append(inner)
    return chars, media
