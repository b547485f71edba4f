"""What a recorded request says: in its own dialect without the freedom of writing it, and in none as bare values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from costspan.dialects import CLIENT_DIALECTS
from costspan.dialects.losses import in_words
from costspan.errors import Malformed
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Body = dict[str, Any]

_TWO_CHOICES = "dd-trace-py/contrib/litellm/completion_multiple_choices_with_tools#0"
REFUSED = {
    (_TWO_CHOICES, "anthropic-messages"): "n",
    (_TWO_CHOICES, "bedrock-converse"): "n",
    (_TWO_CHOICES, "cohere-chat"): "n",
    (_TWO_CHOICES, "openai-responses"): "n",
    # the recorded result answers no call of the request: Gemini needs the name of the one it answers
    (
        "dd-trace-py/contrib/anthropic/anthropic_completion_tools_call_with_tool_result_stream_helper#0",
        "gemini-generate",
    ): "messages.tool_call_id",
    ("langchaingo/llms/openai/TestMultiContentImage#0", "bedrock-converse"): "messages.image",  # by URL
    (
        "pydantic-ai/models/google/test_structured_output/test_native_output_with_function_tools_stream#1",
        "cohere-chat",
    ): "response_format",  # beside tools
}
"""What a target cannot express, and what of the request its encoder names. Others can, and are asked in its place."""


def plain(dialect: str, body: Body) -> Body:
    """`body` in one way of several to say the same. Each rule has its reason beside it."""
    found: Body = _said(_PLAIN[dialect](_said({name: body[name] for name in body if name != "model"})))
    return found


def _said(value: Any) -> Any:
    """Without what says nothing: nulls and empty lists, objects and strings."""
    if isinstance(value, dict):
        kept = {name: _said(item) for name, item in value.items()}
        return {name: item for name, item in kept.items() if item not in (None, [], {}, "")}
    return [_said(item) for item in value] if isinstance(value, list) else value


def _without(body: Body, **defaults: Any) -> Body:
    """Without fields that hold what is so anyway."""
    return {name: value for name, value in body.items() if name not in defaults or defaults[name] != value}


def _text(content: Any) -> Any:
    """One part of text is that text."""
    match content:
        case [{"type": "text" | "input_text" | "output_text", "text": text, **rest}] if not rest:
            return text
        case _:
            return content


def _chat(body: Body) -> Body:
    body = _without(body, stream=False, n=1)
    body.pop("stream_options", None)  # usage of a stream is always asked for
    if "max_tokens" in body:  # the name that OpenAI has given up
        body["max_completion_tokens"] = body.pop("max_tokens")
    if "reasoning_effort" in body:  # OpenRouter's other name for it
        body["reasoning"] = {"effort": body.pop("reasoning_effort")}
    body["messages"] = [_chat_message(message) for message in body["messages"]]
    return body


def _chat_message(message: Body) -> Body:
    """OpenRouter takes the marker of the cache beside the content too, and knows `developer` as `system` only."""
    marker, content = message.pop("cache_control", None), _text(message.get("content"))
    if marker:
        content = [{"type": "text", "text": content, "cache_control": marker}]
    role = "system" if message["role"] == "developer" else message["role"]
    return {**message, "role": role, "content": content}


def _messages(body: Body) -> Body:
    body = _without(body, stream=False)
    if "system" in body:
        body["system"] = _text(body["system"])
    body["messages"] = [_blocks(message) for message in body["messages"]]
    return body


def _blocks(holder: Body) -> Body:
    """A message or a tool's result, and what is in it."""
    content = _text(holder["content"]) if "content" in holder else None
    if isinstance(content, list):
        content = [_blocks(block) for block in content]
    return {**holder, "content": content} if content is not None else holder


def _responses(body: Body) -> Body:
    body = _without(body, stream=False, include=["reasoning.encrypted_content"])  # which we always ask for
    given = body["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else [_item(item) for item in given]
    if items[0].get("role") in {"system", "developer"}:  # instructions by another name
        body["instructions"] = items.pop(0)["content"]
    body["input"] = items
    body["tools"] = [_function(tool) for tool in body.get("tools", ())]
    return body


def _item(item: Body) -> Body:
    """Ids and states are the server's bookkeeping; `message` is what an item with a role is anyway."""
    kept = _without(item, type="message", status=item.get("status"))
    if item.get("type") == "function_call":
        del kept["call_id"], item["call_id"]
        kept.pop("id", None)
    if "content" in kept:
        kept["content"] = _text(kept["content"])
    return kept


def _function(tool: Body) -> Body:
    """Without arguments is without a schema, and what is not strict need not say so."""
    kept = _without(tool, strict=False)
    if not kept.get("parameters", {}).get("properties"):
        kept.pop("parameters", None)
    return kept


_FREE = frozenset(
    {"args", "response", "parametersJsonSchema", "parameters_json_schema", "parameters", "responseSchema"}
)
"""Objects whose names are not Google's."""


def _gemini(body: Body) -> Body:
    body = _without(_camel(body), stream=body.get("stream"))  # which the path says
    body.get("systemInstruction", {}).pop("role", None)  # means nothing
    config = _without(body.get("generationConfig", {}), candidateCount=1, responseModalities=["TEXT"])
    if level := config.get("thinkingConfig", {}).get("thinkingLevel"):
        config["thinkingConfig"] = {**config["thinkingConfig"], "thinkingLevel": level.upper()}
    parts = [part for content in body["contents"] for part in content["parts"]]
    for part in parts:
        _gemini_part(part)
    for tool in body.get("tools", ()):
        for function in tool["functionDeclarations"]:
            _gemini_function(function)
    return {**body, "generationConfig": config}


def _gemini_part(part: Body) -> None:
    """Ids that a client left out are made; a tool's result in an object stands as text of it in one named `result`."""
    for name in ("functionCall", "functionResponse"):
        part.get(name, {}).pop("id", None)
    match part:
        case {"functionResponse": {"response": {"result": str(text), **rest} as response}} if not rest:
            part["functionResponse"]["response"] = next(iter(_parsed(text)), response)
        case _:
            pass


def _gemini_function(function: Body) -> None:
    """Two names for a schema, of which one has the types of OpenAPI, in capitals."""
    if "parameters" in function:
        function["parametersJsonSchema"] = _lower(function.pop("parameters"))


def _lower(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            name: value.lower() if name == "type" and isinstance(value, str) else _lower(value)
            for name, value in schema.items()
        }
    return [_lower(item) for item in schema] if isinstance(schema, list) else schema


def _camel(value: Any) -> Any:
    """Google's reader takes both spellings of a name."""
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = {re.sub(r"_([a-z])", lambda found: found[1].upper(), name): inner for name, inner in value.items()}
    return {name: inner if name in _FREE else _camel(inner) for name, inner in named.items()}


_PLAIN: dict[str, Callable[[Body], Body]] = {
    "anthropic-messages": _messages,
    "gemini-generate": _gemini,
    "openai-chat": _chat,
    "openai-responses": _responses,
}


_WORDS = frozenset(
    (
        *("role", "type", "status", "detail", "mode", "strict", "ttl"),
        *("model", "stream", "include", "stream_options", "n", "candidateCount", "responseModalities"),
        *("reasoning_effort", "effort", "thinkingLevel", "thinkingBudget", "budget_tokens", "tool_choice"),
        *("id", "call_id", "tool_call_id", "tool_use_id"),
        *("mime_type", "mimeType", "media_type", "responseMimeType"),
    )
)
"""Fields that each dialect has words of its own for, or none because it needs none."""
_NAMES = {
    "cache_control": {"cache_control", "prompt_cache_breakpoint"},
    "max_tokens": {"max_tokens"},
    "messages.reasoning": {"reasoning", "reasoning_content", "summary", "thinking", "thoughtSignature"},
    "messages.role": {"role"},
    "messages.reasoning_details": {"reasoning_details", "thoughtSignature", "encrypted_content"},
    "reasoning": {
        "reasoning",
        "reasoning_content",
        "reasoning_effort",
        "thinking",
        "thinkingConfig",
        "thoughtSignature",
        "summary",
    },
    "reasoning.summary": {"includeThoughts"},
    "response_format.strict": {"responseSchema", "responseJsonSchema"},
    "stop": {"stop", "stop_sequences", "stopSequences"},
    "tools.function": {"function"},
    "tools.strict": {"tools"},
}
"""The fields that a loss speaks of, where it does not have a field's name: any of them has to be there."""
_KEPT = frozenset({"response_format.strict", "tools.strict"})
"""Losses that leave out a property of something that is there."""


def encoders_names(client: str, word: str) -> list[str]:
    """What encoders call what a client of that dialect is told in its own words."""
    words = CLIENT_DIALECTS[client].WORDS
    return [name for name in (*_NAMES, *words) if in_words(name, words) == word] or [word]


def fields_of(loss: str) -> set[str]:
    """The fields of which a loss may speak."""
    return _NAMES.get(loss, {loss})


def all_fields(value: Any) -> set[str]:
    """The names of all fields, however deep."""
    if isinstance(value, dict):
        return set(value).union(*(all_fields(item) for item in value.values()))
    return set().union(*(all_fields(item) for item in value)) if isinstance(value, list) else set()


def _unnamed(body: Body) -> Body:
    """Without the name of an answer's schema, which says nothing and has to be given to OpenAI alone."""
    match body:
        case {"response_format": {"json_schema": dict(format_)}} | {"text": {"format": dict(format_)}}:
            return body | {"response_format": None, "text": {**format_, "name": None}}
        case _:
            return body


def left(body: Body, losses: tuple[str, ...]) -> list[str | float]:
    """Every text and number of a request that has to be in its translation too."""
    gone = set().union(*(fields_of(loss) for loss in losses if loss not in _KEPT)) | _WORDS
    return list(_leaves(_unnamed(body), gone))


def _leaves(value: Any, gone: set[str], name: str = "") -> Iterator[str | float]:
    if isinstance(value, dict):
        for inner, item in value.items():
            yield from _leaves(item, gone, inner) if inner not in gone else ()
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, gone, name)
    elif isinstance(value, str):
        inside = list(_parsed(value)) if name in {"arguments", "output"} else []
        yield from _leaves(inside, gone) if inside else [re.sub(r"^data:[^,]*,", "", value)]
    elif _is_number(value):
        yield value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def leaves(value: Any) -> list[str | float]:
    """Every text and number of a translation, those inside of JSON as text and of data URLs included."""
    return list(_all_leaves(value))


def _all_leaves(value: Any) -> Iterator[str | float]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield name  # a schema's description may have become a name and the like
            yield from _all_leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _all_leaves(item)
    elif isinstance(value, str):
        yield value
        for parsed in _parsed(value):
            yield from _all_leaves(parsed)
    elif _is_number(value):
        yield value


def _parsed(text: str) -> Iterator[Any]:
    """What is inside of JSON text, if it is an object or a list."""
    if text[:1] in {"{", "["}:
        try:
            yield json.loads(text)
        except Malformed:
            return


def missing(wanted: list[str | float], found: list[str | float]) -> list[str | float]:
    """What of `wanted` is nowhere in `found`; a text may be part of another."""
    texts = [text for text in found if isinstance(text, str)]
    numbers = [number for number in found if not isinstance(number, str)]
    return [
        value
        for value in wanted
        if not (any(value in text for text in texts) if isinstance(value, str) else value in numbers)
    ]
