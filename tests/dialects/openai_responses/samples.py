"""Requests, answers and streams that hold everything this dialect has, and what checks them against the SDK."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from openai.types import responses

from costspan.dialects import openai_responses as dialect
from costspan.dialects.types import StreamOptions
from costspan.wire import json, sse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from costspan.ir import events

OPTIONS = StreamOptions("cs_1", "m", 7)
CLOSED: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}

REQUEST: dict[str, Any] = {
    "model": "gpt-5.6",
    "instructions": "Be kind.",
    "input": [
        {"role": "developer", "content": "Be brief."},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "See:", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
                {"type": "input_image", "image_url": "https://example.org/a.png", "detail": "low"},
                {"type": "input_image", "file_id": "file-1"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
                {"type": "input_file", "file_url": "https://example.org/b.pdf"},
                {"type": "input_file", "file_id": "file-2"},
            ],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "Hm."}],
            "encrypted_content": "c2VhbGVk",
        },
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "phase": "commentary",
            "content": [
                {
                    "type": "output_text",
                    "text": "Look here.",
                    "annotations": [
                        {
                            "type": "url_citation",
                            "start_index": 0,
                            "end_index": 4,
                            "title": "T",
                            "url": "https://example.org",
                        },
                        {"type": "file_citation", "file_id": "file-1", "filename": "a.pdf", "index": 2},
                    ],
                },
                {"type": "refusal", "refusal": "No more."},
            ],
        },
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": '{"x":1.0}'},
        {"type": "function_call", "id": "fc_2", "call_id": "call_2", "name": "g", "arguments": ""},
        {
            "type": "function_call_output",
            "call_id": "call_1",
            "output": [
                {"type": "input_text", "text": "a"},
                {"type": "input_image", "image_url": "https://example.org/c.png"},
            ],
        },
        {"type": "function_call_output", "call_id": "call_2", "output": "done"},
        {"role": "system", "content": [{"type": "input_text", "text": "Hurry."}]},
    ],
    "tools": [
        {
            "type": "function",
            "name": "f",
            "description": "d",
            "parameters": {"type": "object", "properties": {}},
            "strict": False,
        },
        {"type": "function", "name": "g", "parameters": CLOSED, "strict": True, "defer_loading": True},
        {"type": "web_search"},
    ],
    "tool_choice": {"type": "function", "name": "f"},
    "parallel_tool_calls": False,
    "max_output_tokens": 99,
    "max_tool_calls": 3,
    "temperature": 0.5,
    "top_p": 0.9,
    "top_logprobs": 2,
    "include": ["reasoning.encrypted_content", "message.output_text.logprobs", "web_search_call.action.sources"],
    "text": {
        "verbosity": "low",
        "format": {
            "type": "json_schema",
            "name": "n",
            "description": "d",
            "schema": {"type": "object"},
            "strict": True,
        },
    },
    "reasoning": {"effort": "low", "summary": "auto", "context": "current_turn"},
    "service_tier": "flex",
    "safety_identifier": "ann",
    "metadata": {"k": "v"},
    "store": True,
    "prompt_cache_key": "p",
    "stream": True,
    "stream_options": {"include_obfuscation": False},
    "truncation": "auto",
}


def encode(made: Iterable[events.Event], options: StreamOptions = OPTIONS) -> bytes:
    """The stream that a client gets."""
    encoder = dialect.new_encoder(options)
    return b"".join([*map(encoder.feed, made), encoder.close()])


def decode(raw: bytes) -> list[events.Event]:
    """What is read of a stream."""
    decoder = dialect.new_decoder()
    found = [made for event in sse.Parser().feed(raw) for made in decoder.feed(event)]
    decoder.close()
    return found


def told(raw: bytes) -> list[dict[str, Any]]:
    """The events of a stream, each checked against the SDK's strict type and for its number and name."""
    found = []
    for number, event in enumerate(sse.Parser().feed(raw)):
        value = json.loads_object(event.data)
        assert value["type"] == event.name
        assert value["sequence_number"] == number
        event_types()[event.name].model_validate(value, strict=True)
        found.append(value)
    return found


def valid(body: bytes) -> dict[str, Any]:
    """A whole answer, checked against the SDK's type."""
    value = json.loads_object(body)
    responses.Response.model_validate(value, strict=True)
    return value


@cache
def event_types() -> dict[str, Any]:
    """The SDK's types of events, by name."""
    return dict(_named(get_args(get_args(responses.ResponseStreamEvent)[0])))


def _named(types: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    for type_ in types:
        yield get_args(type_.model_fields["type"].annotation)[0], type_
