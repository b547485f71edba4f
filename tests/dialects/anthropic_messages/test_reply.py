from __future__ import annotations

from typing import Any

import pytest
from anthropic.types import Message as SdkMessage

from costspan.dialects import anthropic_messages as dialect
from costspan.dialects.types import StreamOptions
from costspan.errors import Malformed
from costspan.ir.opaque import unwrap
from costspan.ir.reply import Choice, FinishReason, Reply
from costspan.ir.request import (
    Block,
    Citation,
    Media,
    Opaque,
    Reasoning,
    Refusal,
    ServerTool,
    Text,
    ToolCall,
)
from costspan.ir.usage import Usage
from costspan.wire import json

NAME = "anthropic-messages"
OPTIONS = StreamOptions("cs_1", "claude-x", 0, prompt_tokens=12)


def encode(*blocks: Block, finish: FinishReason | None = FinishReason.STOP, **fields: Any) -> dict[str, Any]:
    native, sequence = fields.pop("native", None), fields.pop("sequence", None)
    reply = Reply("msg_1", "model-y", (Choice(blocks, finish, native, sequence),), **fields)
    return json.loads_object(dialect.encode_reply(reply, OPTIONS).body)


def test_an_answer_has_every_field_of_a_message() -> None:
    assert encode(Text("hi"), usage=Usage({"input": 5, "output": 3}, service_tier="default")) == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [{"type": "text", "text": "hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 5,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 3,
            "service_tier": "standard",
        },
    }


def test_usage_excludes_the_cache_from_the_input_and_includes_thinking_in_the_output() -> None:
    usage = Usage(
        {
            "input": 1,
            "input_audio": 2,
            "cache_read": 4,
            "cache_write": 8,
            "cache_write_1h": 16,
            "output": 32,
            "reasoning": 64,
        },
        {"web_search_calls": 2},
    )

    assert encode(usage=usage)["usage"] == {
        "input_tokens": 3,
        "cache_creation_input_tokens": 24,
        "cache_read_input_tokens": 4,
        "cache_creation": {"ephemeral_5m_input_tokens": 8, "ephemeral_1h_input_tokens": 16},
        "output_tokens": 96,
        "output_tokens_details": {"thinking_tokens": 64},
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
    }


def test_without_usage_the_estimate_of_the_prompt_stands_in() -> None:
    assert encode()["usage"]["input_tokens"] == 12


STOPS: dict[str, tuple[FinishReason | None, str | None, tuple[Block, ...], str]] = {
    "stop": (FinishReason.STOP, "stop", (), "end_turn"),
    "stop after tool calls": (FinishReason.STOP, "stop", (ToolCall("a", "f", "{}"),), "tool_use"),
    "length": (FinishReason.LENGTH, "length", (), "max_tokens"),
    "length, in its own words": (
        FinishReason.LENGTH,
        "model_context_window_exceeded",
        (),
        "model_context_window_exceeded",
    ),
    "length amid a tool call": (FinishReason.LENGTH, "length", (ToolCall("a", "f", "{"),), "max_tokens"),
    "tool calls": (FinishReason.TOOL_CALLS, "tool_calls", (), "tool_use"),
    "filtered": (FinishReason.CONTENT_FILTER, "content_filter", (), "refusal"),
    "refused in words": (FinishReason.STOP, "stop", (Refusal("no"),), "refusal"),
    "paused": (FinishReason.PAUSE, None, (), "pause_turn"),
    "malformed call": (FinishReason.MALFORMED_TOOL_CALL, "error", (), "end_turn"),
    "unknown": (FinishReason.OTHER, "dizzy", (), "end_turn"),
    "not told": (None, None, (), "end_turn"),
}


@pytest.mark.parametrize(("finish", "native", "blocks", "expected"), STOPS.values(), ids=STOPS.keys())
def test_the_stop_reason(
    finish: FinishReason | None, native: str | None, blocks: tuple[Block, ...], expected: str
) -> None:
    assert encode(*blocks, finish=finish, native=native)["stop_reason"] == expected


def test_the_stop_sequence_is_told() -> None:
    message = encode(finish=FinishReason.STOP_SEQUENCE, native="stop_sequence", sequence="END")

    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "END")


def test_blocks_of_an_answer() -> None:
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    content = encode(
        Reasoning("hm", opaque=Opaque(NAME, "signature", "s")),
        Reasoning(opaque=Opaque(NAME, "redacted", "d")),
        Reasoning("unsigned"),
        Text(""),
        Text("see", (Citation(url="https://a", title="A", cited_text="q"), Citation(title="no url"))),
        Refusal("no"),
        ToolCall("call:1", "f", '{"n": 1.50}'),
        ServerTool(NAME, "server_tool_use", search),
        ServerTool("openai-responses", "web_search_call", {}),
        Media("image", url="https://i"),
    )["content"]

    assert content == [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "thinking", "thinking": "unsigned", "signature": "cs1.none.signature."},
        {
            "type": "text",
            "text": "see",
            "citations": [
                {
                    "type": "web_search_result_location",
                    "url": "https://a",
                    "title": "A",
                    "cited_text": "q",
                    "encrypted_index": "",
                }
            ],
        },
        {"type": "text", "text": "no"},
        {"type": "tool_use", "id": "toolu_0af6315558b41599b4a0fbfa", "name": "f", "input": {"n": 1.5}},
        search,
    ]


def test_foreign_reasoning_is_wrapped_so_that_it_comes_back() -> None:
    foreign = Opaque("openai-responses", "encrypted", "secret")
    block = encode(Reasoning("sum", opaque=foreign))["content"][0]

    assert (block["type"], block["thinking"]) == ("thinking", "sum")
    assert unwrap(block["signature"]) == foreign


SEALED = Opaque("gemini-generate", "signature", "s")


def test_what_seals_a_text_or_a_call_stands_before_it_and_comes_back() -> None:
    content = encode(Text("hi", opaque=SEALED), Text("", opaque=SEALED), ToolCall("a", "f", "{}", SEALED))["content"]

    sealed = "redacted_thinking"
    assert [block["type"] for block in content] == [sealed, "text", sealed, sealed, "tool_use"]
    request = dialect.decode_request(
        {"model": "m", "max_tokens": 1, "messages": [{"role": "assistant", "content": content}]}
    )
    kept = Reasoning(opaque=SEALED)
    assert request.messages[0].blocks == (kept, Text("hi"), kept, kept, ToolCall("a", "f", "{}"))


def test_a_citation_of_our_making_goes_back_to_no_model() -> None:
    raw = encode(Text("see", (Citation(url="https://a", title="A", cited_text="q"),)))["content"][0]
    request = dialect.decode_request(
        {"model": "m", "max_tokens": 1, "messages": [{"role": "assistant", "content": [raw]}]}
    )

    assert request.messages[0].blocks == (Text("see", (Citation(url="https://a", title="A", cited_text="q"),)),)
    assert dialect.encode_request(request).losses == ("messages.annotations",)


QUOTE = {
    "type": "web_search_result_location",
    "url": "https://a",
    "title": "A",
    "cited_text": "b",
    "encrypted_index": "e",
}
FULL = Reply(
    id="msg_1",
    model="claude-x",
    choices=(
        Choice(
            (
                Reasoning("hm", opaque=Opaque(NAME, "signature", "s")),
                Reasoning(opaque=Opaque(NAME, "redacted", "d")),
                ServerTool(
                    NAME,
                    "server_tool_use",
                    {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
                ),
                ServerTool(
                    NAME,
                    "web_search_tool_result",
                    {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
                ),
                Text("I see", (Citation(url="https://a", title="A", cited_text="b", origin=NAME, raw=QUOTE),)),
                ToolCall("toolu_1", "f", '{"x":1}'),
                ToolCall("toolu_2", "g", "{}"),
            ),
            FinishReason.TOOL_CALLS,
            "tool_use",
        ),
    ),
    usage=Usage(
        {"input": 1, "cache_read": 2, "cache_write": 3, "cache_write_1h": 4, "output": 5, "reasoning": 6},
        {"web_search_calls": 1},
        service_tier="priority",
    ),
    service_tier="priority",
)


def test_what_the_dialect_can_express_comes_back_the_same() -> None:
    assert dialect.decode_reply(json.loads_object(dialect.encode_reply(FULL, OPTIONS).body)) == FULL


def test_the_official_type_accepts_an_answer() -> None:
    message = SdkMessage.model_validate_json(dialect.encode_reply(FULL, OPTIONS).body, strict=True)

    assert [block.type for block in message.content] == [
        "thinking",
        "redacted_thinking",
        "server_tool_use",
        "web_search_tool_result",
        "text",
        "tool_use",
        "tool_use",
    ]
    assert message.usage.output_tokens == 11


def test_an_answer_of_nothing_is_still_a_message() -> None:
    message = SdkMessage.model_validate_json(dialect.encode_reply(Reply("", "", ()), OPTIONS).body, strict=True)

    assert (message.id, message.content, message.stop_reason) == ("cs_1", [], "end_turn")


@pytest.mark.parametrize(
    "body",
    [{}, {"content": "hi"}, {"content": ["hi"]}, {"content": [{"type": 5}]}, {"content": [{"type": "text"}]}],
)
def test_an_answer_that_cannot_be_read_is_malformed(body: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        dialect.decode_reply(body)


def test_strange_values_beside_the_content_are_survived() -> None:
    reply = dialect.decode_reply({"id": 5, "model": [], "stop_reason": {}, "usage": [], "content": [{"type": "dream"}]})

    assert reply == Reply("", "", (Choice((ServerTool(NAME, "dream", {"type": "dream"}),)),))
