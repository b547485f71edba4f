from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from costspan.dialects import anthropic_messages as dialect
from costspan.errors import Malformed
from costspan.ir import events
from costspan.ir.reply import FinishReason
from costspan.ir.request import Citation, Opaque
from costspan.ir.usage import Usage
from costspan.wire import json, sse

NAME = "anthropic-messages"


def sent(*values: dict[str, Any]) -> bytes:
    return b"".join(sse.write(json.dumps(value), value["type"]) for value in values)


def start(**usage: Any) -> dict[str, Any]:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": []}
    return {"type": "message_start", "message": {**message, "usage": usage or {"input_tokens": 9, "output_tokens": 1}}}


def block(index: int, content_block: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": content_block},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def end(reason: str = "end_turn", **usage: Any) -> list[dict[str, Any]]:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return [{"type": "message_delta", "delta": delta, "usage": usage or {"output_tokens": 7}}, {"type": "message_stop"}]


def text(*parts: str, index: int = 0) -> list[dict[str, Any]]:
    return block(index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": part} for part in parts))


def decode(data: bytes, size: int = 1 << 20) -> list[events.Event]:
    parser, decoder = sse.Parser(), dialect.new_decoder()
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    found = [event for chunk in chunks for raw in parser.feed(chunk) for event in decoder.feed(raw)]
    decoder.close()
    return found


USAGE_AT_START = events.UsageReported(Usage({"input": 9, "output": 1}))
USAGE_AT_END = events.UsageReported(Usage({"input": 9, "output": 7}))
OPENING = [events.Started("msg_1", "claude-x"), USAGE_AT_START]
CLOSING = [USAGE_AT_END, events.Finished(FinishReason.STOP, "end_turn"), events.Ended()]

SEARCH = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []}
QUOTE = {
    "type": "web_search_result_location",
    "url": "https://a",
    "title": "A",
    "cited_text": "b",
    "encrypted_index": "e",
}

BLOCKS: dict[str, tuple[list[dict[str, Any]], list[events.Event]]] = {
    "text": (
        text("Hi", " there"),
        [
            events.BlockStarted(0, "text"),
            events.TextDelta(0, "Hi"),
            events.TextDelta(0, " there"),
            events.BlockFinished(0),
        ],
    ),
    "tool call": (
        block(
            0,
            {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}},
            {"type": "input_json_delta", "partial_json": ""},
            {"type": "input_json_delta", "partial_json": '{"at":'},
            {"type": "input_json_delta", "partial_json": " 1.50}"},
        ),
        [
            events.BlockStarted(0, "tool_call", id="toolu_1", name="look"),
            events.ArgumentsDelta(0, '{"at":'),
            events.ArgumentsDelta(0, " 1.50}"),
            events.BlockFinished(0),
        ],
    ),
    "tool call without arguments": (
        block(0, {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}),
        [
            events.BlockStarted(0, "tool_call", id="toolu_1", name="look"),
            events.ArgumentsDelta(0, "{}"),
            events.BlockFinished(0),
        ],
    ),
    "tool call that is whole at its start": (
        block(0, {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": 1}}),
        [
            events.BlockStarted(0, "tool_call", id="toolu_1", name="look"),
            events.ArgumentsDelta(0, '{"at":1}'),
            events.BlockFinished(0),
        ],
    ),
    "thinking": (
        block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "hm"},
            {"type": "signature_delta", "signature": "c2ln"},
        ),
        [
            events.BlockStarted(0, "reasoning"),
            events.ReasoningDelta(0, "hm"),
            events.OpaqueDelta(0, Opaque(NAME, "signature", "c2ln")),
            events.BlockFinished(0),
        ],
    ),
    "thinking that nobody signed, through another gateway of ours": (
        block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "hm"},
            {"type": "signature_delta", "signature": "cs1.none.signature."},
        ),
        [events.BlockStarted(0, "reasoning"), events.ReasoningDelta(0, "hm"), events.BlockFinished(0)],
    ),
    "thinking of another, wrapped": (
        block(0, {"type": "redacted_thinking", "data": "cs1.x.encrypted.ZQ=="}),
        [
            events.BlockStarted(0, "reasoning"),
            events.OpaqueDelta(0, Opaque("x", "encrypted", "e")),
            events.BlockFinished(0),
        ],
    ),
    "redacted thinking": (
        block(0, {"type": "redacted_thinking", "data": "xyz"}),
        [
            events.BlockStarted(0, "reasoning"),
            events.OpaqueDelta(0, Opaque(NAME, "redacted", "xyz")),
            events.BlockFinished(0),
        ],
    ),
    "search with its result": (
        [
            *block(0, SEARCH, {"type": "input_json_delta", "partial_json": '{"query":"q"}'}),
            *block(1, FOUND),
        ],
        [
            events.BlockStarted(
                0, "server_tool", name="server_tool_use", origin=NAME, raw={**SEARCH, "input": {"query": "q"}}
            ),
            events.BlockFinished(0),
            events.BlockStarted(1, "server_tool", name="web_search_tool_result", origin=NAME, raw=FOUND),
            events.BlockFinished(1),
        ],
    ),
    "citation": (
        block(0, {"type": "text", "text": "", "citations": []}, {"type": "citations_delta", "citation": QUOTE}),
        [
            events.BlockStarted(0, "text"),
            events.CitationAdded(0, Citation(url="https://a", title="A", cited_text="b", origin=NAME, raw=QUOTE)),
            events.BlockFinished(0),
        ],
    ),
    "indexes with a gap": (
        text("x", index=5),
        [events.BlockStarted(0, "text"), events.TextDelta(0, "x"), events.BlockFinished(0)],
    ),
    "what nobody knows yet is named, once": (
        [
            {"type": "ping"},
            {"type": "dream", "index": 0},
            {"type": "dream", "index": 1},
            *block(0, {"type": "text", "text": "", "hue": "red", "tint": None}, {"type": "mood"}),
        ],
        [
            events.Unread("dream"),
            events.BlockStarted(0, "text"),
            events.Unread("text.hue"),
            events.Unread("mood"),
            events.BlockFinished(0),
        ],
    ),
    "citations that are there at the start": (
        block(0, {"type": "text", "text": "x", "citations": [{"type": "char_location", "cited_text": "q"}, 5]}),
        [
            events.BlockStarted(0, "text"),
            events.TextDelta(0, "x"),
            events.CitationAdded(
                0, Citation(cited_text="q", origin=NAME, raw={"type": "char_location", "cited_text": "q"})
            ),
            events.BlockFinished(0),
        ],
    ),
    "a delta of no block": (
        [{"type": "content_block_delta", "index": [], "delta": {}}, {"type": "content_block_delta", "index": 8}],
        [],
    ),
}


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize(("wire", "expected"), BLOCKS.values(), ids=BLOCKS.keys())
def test_blocks_are_decoded_however_the_bytes_are_cut(
    wire: list[dict[str, Any]], expected: list[events.Event], size: int
) -> None:
    assert decode(sent(start(), *wire, *end()), size) == [*OPENING, *expected, *CLOSING]


def test_no_split_point_changes_the_events() -> None:
    data = sent(start(), *text("é"), *end())
    whole = decode(data)

    for cut in range(len(data)):
        parser, decoder = sse.Parser(), dialect.new_decoder()
        parts = [raw for chunk in (data[:cut], data[cut:]) for raw in parser.feed(chunk)]
        assert [event for raw in parts for event in decoder.feed(raw)] == whole


FINISHES = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP_SEQUENCE,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.CONTENT_FILTER,
    "pause_turn": FinishReason.PAUSE,
    "gave_up": FinishReason.OTHER,
}


@pytest.mark.parametrize(("native", "reason"), FINISHES.items())
def test_stop_reasons_are_translated_and_kept(native: str, reason: FinishReason) -> None:
    assert events.Finished(reason, native) in decode(sent(start(), *end(native)))


def test_the_stop_sequence_is_told() -> None:
    delta = {"stop_reason": "stop_sequence", "stop_sequence": "END"}
    data = sent(start(), {"type": "message_delta", "delta": delta, "usage": {}}, {"type": "message_stop"})

    assert events.Finished(FinishReason.STOP_SEQUENCE, "stop_sequence", "END") in decode(data)


def test_a_decoder_fed_only_marked_events_knows_usage_finish_and_end() -> None:
    decoder = dialect.new_decoder()
    raws = list(sse.Parser().feed(sent(start(), *text("a", "b", "c"), {"type": "ping"}, *end())))
    marked = [raw for raw in raws if any(marker in raw.data for marker in dialect.MARKERS)]

    found = [event for raw in marked for event in decoder.feed(raw)]

    assert len(marked) == 3
    assert found == [*OPENING, *CLOSING]
    assert (decoder.id, decoder.model, decoder.ended) == ("msg_1", "claude-x", True)
    assert decoder.usage == Usage({"input": 9, "output": 7})


def test_a_finish_without_usage_is_marked_too() -> None:
    data = b'{"type":"message_delta","delta":{"stop_reason":"end_turn"}}'

    assert any(marker in data for marker in dialect.MARKERS)
    assert list(dialect.new_decoder().feed(sse.Event("", data))) == [events.Finished(FinishReason.STOP, "end_turn")]


@pytest.mark.parametrize("written", ['"usage":{"output_tokens":7}', '"usage": {"output_tokens": 7}'])
def test_markers_do_not_depend_on_white_space(written: str) -> None:
    data = f'{{"type": "message_delta", "delta": {{}}, {written}}}'.encode()

    assert any(marker in data for marker in dialect.MARKERS)


def test_an_error_in_the_stream_is_reported_with_its_category() -> None:
    decoder = dialect.new_decoder()
    data = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'

    assert list(decoder.feed(sse.Event("error", data))) == [
        events.Failed("Overloaded", "overloaded", "overloaded_error")
    ]
    with pytest.raises(Malformed):
        decoder.close()


def test_an_unnamed_error_object_is_told_by_the_event_s_name() -> None:
    data = b'{"error":{"type":"api_error","message":"Boom"}}'

    assert list(dialect.new_decoder().feed(sse.Event("error", data))) == [
        events.Failed("Boom", "server_error", "api_error")
    ]


def test_a_stream_without_message_stop_is_malformed_and_keeps_its_usage() -> None:
    decoder = dialect.new_decoder()
    for raw in sse.Parser().feed(sent(start(), *text("a"), end()[0])):
        list(decoder.feed(raw))

    with pytest.raises(Malformed, match="message_stop"):
        decoder.close()
    assert decoder.usage == Usage({"input": 9, "output": 7})


def test_done_from_a_compatible_host_is_no_error() -> None:
    assert list(dialect.new_decoder().feed(sse.Event("", b"[DONE]"))) == []


HOSTILE = [
    b"",
    b"{",
    b"\xff",
    b"null",
    b"[]",
    b"5",
    b'{"type":[]}',
    b'{"type":"message_start"}',
    b'{"type":"message_start","message":{"id":1,"model":[],"usage":[]}}',
    b'{"type":"content_block_start","index":0,"content_block":{"type":[]}}',
    b'{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","input":[]}}',
    b'{"type":"content_block_delta","index":{}}',
    b'{"type":"message_delta","delta":5,"usage":"x"}',
    b'{"type":"message_delta","delta":{"stop_reason":5}}',
    b'{"type":"error","error":[]}',
]


@pytest.mark.parametrize("data", HOSTILE)
def test_nothing_but_our_errors_leaves_the_decoder(data: bytes) -> None:
    with suppress(Malformed):
        list(dialect.new_decoder().feed(sse.Event("", data)))
