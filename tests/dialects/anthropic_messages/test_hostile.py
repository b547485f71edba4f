"""Whatever a client or an upstream sends, only our own errors come out."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costspan.dialects import anthropic_messages as dialect
from costspan.dialects.types import StreamOptions
from costspan.errors import ClientError, Malformed
from costspan.ir.fold import fold
from costspan.wire import json, sse

quick = settings(max_examples=50, deadline=None, database=None)
OPTIONS = StreamOptions("cs_1", "m", 0)
NAMES = [
    "cache_control",
    "cache_creation",
    "content",
    "content_block",
    "data",
    "delta",
    "error",
    "id",
    "index",
    "input",
    "input_tokens",
    "message",
    "messages",
    "model",
    "name",
    "output_config",
    "output_tokens",
    "partial_json",
    "role",
    "signature",
    "source",
    "stop_reason",
    "system",
    "text",
    "thinking",
    "tool_choice",
    "tools",
    "type",
    "usage",
]
WORDS = [
    "assistant",
    "base64",
    "content_block_delta",
    "content_block_start",
    "content_block_stop",
    "document",
    "error",
    "image",
    "input_json_delta",
    "message_delta",
    "message_start",
    "message_stop",
    "redacted_thinking",
    "server_tool_use",
    "text",
    "text_delta",
    "thinking",
    "tool_result",
    "tool_use",
    "user",
]
LEAVES = st.none() | st.booleans() | st.integers(-2, 9) | st.floats(allow_nan=False) | st.sampled_from(WORDS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=20,
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8)


@quick
@given(OBJECTS)
def test_peek_refuses_or_understands(body: dict[str, Any]) -> None:
    with suppress(ClientError):
        dialect.peek(body)


@quick
@given(OBJECTS, VALUES)
def test_a_request_is_refused_or_goes_through(body: dict[str, Any], content: Any) -> None:
    with suppress(ClientError):
        dialect.encode_request(dialect.decode_request(body))
    with suppress(ClientError):
        turns = [{"role": "assistant", "content": content}]
        dialect.encode_request(dialect.decode_request({"model": "m", "messages": turns}))


@quick
@given(OBJECTS)
def test_an_answer_is_malformed_or_goes_through(body: dict[str, Any]) -> None:
    with suppress(Malformed):
        dialect.encode_reply(dialect.decode_reply(body), OPTIONS)


@quick
@given(st.lists(OBJECTS, max_size=6))
def test_a_stream_is_malformed_or_goes_through(values: list[dict[str, Any]]) -> None:
    decoder, encoder = dialect.new_decoder(), dialect.new_encoder(OPTIONS)
    with suppress(Malformed):
        found = [event for value in values for event in decoder.feed(sse.Event("", json.dumps(value)))]
        fold(found)
        assert b"".join(map(encoder.feed, found)) + encoder.close()


@quick
@given(st.dictionaries(st.sampled_from(["input_tokens", "output_tokens", "cache_creation_input_tokens"]), VALUES))
def test_no_count_is_ever_negative(report: dict[str, Any]) -> None:
    usage = dialect.read_usage({"usage": report})

    assert usage is None or all(count > 0 for count in usage.tokens.values())


@quick
@given(st.binary(), st.integers(300, 600))
def test_any_error_answer_is_understood_somehow(body: bytes, status: int) -> None:
    assert dialect.decode_error(status, body).message


def nested(depth: int, wrap: Any, inner: Any) -> Any:
    for _ in range(depth):
        inner = wrap(inner)
    return inner


def in_result(block: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "t", "content": [block]}


def in_document(block: Any) -> dict[str, Any]:
    return {"type": "document", "source": {"type": "content", "content": [block]}}


TEXT = {"type": "text", "text": "x"}
DEEP: Any = nested(400, lambda inner: {"a": inner}, 1)

BOTTOMLESS = {
    "results in results": nested(400, in_result, TEXT),
    "documents in documents": nested(400, in_document, TEXT),
    "arguments": {"type": "tool_use", "id": "t", "name": "f", "input": DEEP},
    "a strange block in a result": in_result({"type": "dream", "of": DEEP}),
    "a strange block": {"type": "dream", "of": DEEP},
}


@pytest.mark.parametrize("block", BOTTOMLESS.values(), ids=BOTTOMLESS.keys())
def test_what_is_nested_without_end_is_refused(block: Any) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": [block]}]}

    with pytest.raises(ClientError):
        dialect.encode_request(dialect.decode_request(body))
