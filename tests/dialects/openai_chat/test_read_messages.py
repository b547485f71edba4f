from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects.openai_chat.read_messages import read_messages
from costspan.errors import ClientError, Untranslatable
from costspan.ir.request import (
    Block,
    Cache,
    Citation,
    Media,
    Message,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)

PART = {"type": "text", "text": "Hi"}
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1.0}'}}


def test_leading_system_and_developer_messages_are_instructions_and_later_ones_stay() -> None:
    instructions, messages = read_messages(
        [
            {"role": "system", "content": "One"},
            {"role": "developer", "content": [{"type": "text", "text": "Two", "cache_control": {"type": "ephemeral"}}]},
            {"role": "user", "content": "Hi", "name": "ann"},
            {"role": "system", "content": "Three"},
        ]
    )

    assert instructions == (Text("One"), Text("Two", cache=Cache()))
    assert messages == (Message("user", (Text("Hi"),), "ann"), Message("system", (Text("Three"),)))


USER: dict[str, tuple[dict[str, Any], Block]] = {
    "text": (PART, Text("Hi")),
    "text with a breakpoint": (
        PART | {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
        Text("Hi", cache=Cache("1h")),
    ),
    "text with a breakpoint of no time": (
        PART | {"prompt_cache_breakpoint": {"mode": "explicit"}},
        Text("Hi", cache=Cache()),
    ),
    "cached text": (PART | {"cache_control": {"type": "ephemeral", "ttl": "1h"}}, Text("Hi", cache=Cache("1h"))),
    "image by url": (
        {"type": "image_url", "image_url": {"url": "https://e.org/a.png", "detail": "low"}},
        Media("image", url="https://e.org/a.png", detail="low"),
    ),
    "image inline": (
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}, "cache_control": {}},
        Media("image", mime="image/png", data="AAAA", cache=Cache()),
    ),
    "sound": (
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
        Media("audio", mime="audio/mpeg", data="AAAA"),
    ),
    "file inline": (
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
        Media("document", mime="application/pdf", data="AAAA", name="a.pdf"),
    ),
    "file without a data url": (
        {"type": "file", "file": {"file_data": "AAAA"}},
        Media("document", mime="application/pdf", data="AAAA"),
    ),
    "file by id": ({"type": "file", "file": {"file_id": "f1"}}, Media("document", file_id="f1")),
    "file by url": (
        {"type": "file", "file": {"file_data": "https://e.org/a.pdf"}},
        Media("document", url="https://e.org/a.pdf"),
    ),
    "file that is a picture": (
        {"type": "file", "file": {"file_data": "data:image/png;base64,AAAA"}},
        Media("image", mime="image/png", data="AAAA"),
    ),
    "video": (
        {"type": "video_url", "video_url": {"url": "https://e.org/a.mp4"}},
        Media("video", url="https://e.org/a.mp4"),
    ),
}


@pytest.mark.parametrize(("part", "expected"), USER.values(), ids=USER.keys())
def test_a_part_is_a_block(part: dict[str, Any], expected: Block) -> None:
    assert read_messages([{"role": "user", "content": [part]}])[1] == (Message("user", (expected,)),)


ASSISTANT: dict[str, tuple[dict[str, Any], tuple[Block, ...]]] = {
    "text with a citation": (
        {
            "content": "Hi",
            "annotations": [{"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 0}}],
        },
        (Text("Hi", citations=(Citation(url="u", title="t", start=0),)),),
    ),
    "refusal": ({"content": None, "refusal": "No"}, (Refusal("No"),)),
    "refusal as part": ({"content": [{"type": "refusal", "refusal": "No"}]}, (Refusal("No"),)),
    "call": ({"content": None, "tool_calls": [CALL]}, (ToolCall("a", "f", '{"x": 1.0}'),)),
    "call without arguments": (
        {"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": ""}}]},
        (ToolCall("a", "f", "{}"),),
    ),
    "reasoning": ({"content": "Hi", "reasoning": "Hm"}, (Reasoning("Hm"), Text("Hi"))),
    "reasoning content": ({"content": "Hi", "reasoning_content": "Hm"}, (Reasoning("Hm"), Text("Hi"))),
    "wrapped signature": (
        {
            "content": "Hi",
            "reasoning": "Hm",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "Hm", "signature": "cs1.anthropic-messages.signature.c2ln"}
            ],
        },
        (Reasoning("Hm", opaque=Opaque("anthropic-messages", "signature", "sig")), Text("Hi")),
    ),
    "a stream's pieces sent back as they came": (
        {
            "content": "Hi",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "H", "index": 0},
                {"type": "reasoning.text", "text": "m", "index": 0},
                {"type": "reasoning.text", "signature": "cs1.x.signature.c2ln", "index": 0},
                {"type": "reasoning.encrypted", "data": "cs1.x.redacted.c2ln", "index": 1},
            ],
        },
        (
            Reasoning("Hm", opaque=Opaque("x", "signature", "sig")),
            Reasoning(opaque=Opaque("x", "redacted", "sig")),
            Text("Hi"),
        ),
    ),
    "own opaque parts keep their item": (
        {
            "content": "Hi",
            "reasoning_details": [
                {"type": "reasoning.summary", "summary": "Hm", "index": 0},
                {"type": "reasoning.encrypted", "data": "zz", "id": "r1", "format": "openai-responses-v1", "index": 0},
            ],
        },
        (
            Reasoning(
                "Hm",
                summary=True,
                opaque=Opaque(
                    "openai-chat",
                    "encrypted",
                    '{"type":"reasoning.encrypted","data":"zz","id":"r1","format":"openai-responses-v1","index":0}',
                ),
            ),
            Text("Hi"),
        ),
    ),
    "a call's own opaque part": (
        {
            "tool_calls": [CALL],
            "reasoning_details": [{"type": "reasoning.encrypted", "id": "a", "data": "cs1.g.signature.c2ln"}],
        },
        (ToolCall("a", "f", '{"x": 1.0}', opaque=Opaque("g", "signature", "sig")),),
    ),
    "thinking part": (
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}, PART]},
        (Reasoning("Hm"), Text("Hi")),
    ),
}


@pytest.mark.parametrize(("message", "expected"), ASSISTANT.values(), ids=ASSISTANT.keys())
def test_an_assistant_message_is_its_blocks(message: dict[str, Any], expected: tuple[Block, ...]) -> None:
    assert read_messages([{"role": "assistant"} | message])[1] == (Message("assistant", expected),)


def test_a_tool_message_is_a_result() -> None:
    _, messages = read_messages(
        [
            {"role": "tool", "tool_call_id": "a", "content": "42"},
            {"role": "tool", "tool_call_id": "b", "content": [PART, {"type": "image_url", "image_url": {"url": "u"}}]},
        ]
    )

    assert messages == (
        Message("user", (ToolResult("a", (Text("42"),)),)),
        Message("user", (ToolResult("b", (Text("Hi"), Media("image", url="u"))),)),
    )


def test_a_legacy_function_result_finds_its_call() -> None:
    _, messages = read_messages(
        [
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "1"},
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "2"},
        ]
    )
    calls = [block.id for message in messages for block in message.blocks if isinstance(block, ToolCall)]
    results = [block.call_id for message in messages for block in message.blocks if isinstance(block, ToolResult)]

    assert calls == results
    assert len(set(calls)) == 2


def test_empty_messages_are_left_out() -> None:
    _, messages = read_messages([{"role": "assistant", "content": ""}, {"role": "user", "content": "Hi"}])

    assert messages == (Message("user", (Text("Hi"),)),)


def user(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


REFUSED: dict[str, tuple[Any, str]] = {
    "no list": ("Hi", "messages"),
    "role": ([{"role": "robot"}], "messages[0].role"),
    "content": (user(5), "messages[0].content"),
    "part": (user(["Hi"]), "messages[0].content[0]"),
    "kind of part": (user([{"type": "smell"}]), "messages[0].content[0].type"),
    "image without url": (user([{"type": "image_url", "image_url": {}}]), "messages[0].content[0].image_url"),
    "data url without base64": (
        user([{"type": "image_url", "image_url": {"url": "data:text/plain,x"}}]),
        "messages[0].content[0].image_url.url",
    ),
    "file without data": (user([{"type": "file", "file": {}}]), "messages[0].content[0].file"),
    "image as instructions": (
        [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}],
        "messages[0].content[0].type",
    ),
    "call without id": ([{"role": "assistant", "tool_calls": [{}]}], "messages[0].tool_calls[0].id"),
    "call without name": (
        [{"role": "assistant", "tool_calls": [{"id": "a", "function": {}}]}],
        "messages[0].tool_calls[0].function.name",
    ),
    "arguments": (
        [{"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": 5}}]}],
        "messages[0].tool_calls[0].function.arguments",
    ),
    "result without id": ([{"role": "tool", "content": "x"}], "messages[0].tool_call_id"),
    "function result without call": ([{"role": "function", "name": "f", "content": "x"}], "messages[0].name"),
}


@pytest.mark.parametrize(("messages", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_field_is_named(messages: Any, param: str) -> None:
    with pytest.raises(ClientError) as caught:
        read_messages(messages)

    assert (caught.value.code, caught.value.param) == ("invalid_messages", param)


UNTRANSLATABLE: dict[str, tuple[dict[str, Any], str]] = {
    "custom call": ({"tool_calls": [{"id": "a", "type": "custom", "custom": {}}]}, "messages[0].tool_calls[0].type"),
    "earlier sound": ({"audio": {"id": "x"}}, "messages[0].audio"),
}


@pytest.mark.parametrize(("message", "param"), UNTRANSLATABLE.values(), ids=UNTRANSLATABLE.keys())
def test_what_only_this_dialect_knows_is_refused(message: dict[str, Any], param: str) -> None:
    with pytest.raises(Untranslatable) as caught:
        read_messages([{"role": "assistant"} | message])

    assert caught.value.param == param
