from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects import cohere_chat as dialect
from costspan.errors import Untranslatable
from costspan.ir.request import (
    Block,
    Cache,
    Citation,
    Media,
    Message,
    Opaque,
    Reasoning,
    ReasoningOptions,
    Refusal,
    Request,
    ServerTool,
    Text,
    ToolCall,
    ToolResult,
)
from costspan.wire import json

HI = Message("user", (Text("hi"),))
CALL = ToolCall("c1", "f", '{"x":1.0}')
WIRE_CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x":1.0}'}}


def encode(*messages: Message, model: str = "command-a-plus", **fields: Any) -> tuple[list[Any], tuple[str, ...]]:
    encoded = dialect.encode_request(Request(model, messages or (HI,), **fields))
    return json.loads_object(encoded.body)["messages"], encoded.losses


def user(*blocks: Block) -> Message:
    return Message("user", blocks)


def assistant(*blocks: Block) -> Message:
    return Message("assistant", blocks)


def test_instructions_are_one_system_message() -> None:
    assert encode(HI, instructions=(Text("a"), Text("b"))) == (
        [{"role": "system", "content": "a\n\nb"}, {"role": "user", "content": "hi"}],
        (),
    )


def test_instructions_alone_are_what_the_user_says() -> None:
    encoded = dialect.encode_request(Request("m", (), instructions=(Text("a"),)))

    assert json.loads_object(encoded.body)["messages"] == [{"role": "user", "content": "a"}]
    assert encoded.losses == ("messages.system",)


def test_a_later_instruction_is_marked_text_of_the_user() -> None:
    assert encode(HI, Message("system", (Text("be brief"),)), Message("system", ())) == (
        [{"role": "user", "content": "hi"}, {"role": "user", "content": "<system>\nbe brief\n</system>"}],
        ("messages.system",),
    )


def test_a_name_is_lost() -> None:
    assert encode(Message("user", (Text("hi"),), name="ann")) == (
        [{"role": "user", "content": "hi"}],
        ("messages.name",),
    )


def test_images_go_by_url_and_inline() -> None:
    images = (Media("image", url="https://a/b", detail="low"), Media("image", mime="image/gif", data="QQ=="))

    messages, losses = encode(user(*images, Media("image", data="QQ==", detail="original")))

    assert messages[0]["content"] == [
        {"type": "image_url", "image_url": {"url": "https://a/b", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/gif;base64,QQ=="}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}},
    ]
    assert losses == ("image_url.detail",)


@pytest.mark.parametrize(
    ("media", "told"),
    [
        (Media("document", data="QQ=="), "document inline"),
        (Media("document", url="https://a/b.pdf"), "document by URL"),
        (Media("audio", data="QQ=="), "audio inline"),
        (Media("video", url="https://a/b"), "video by URL"),
        (Media("image", file_id="file-1"), "image by id"),
    ],
)
def test_other_media_cannot_be_sent(media: Media, told: str) -> None:
    with pytest.raises(Untranslatable, match=told) as caught:
        encode(user(media))
    assert caught.value.param == "messages.content"


def test_text_beside_calls_is_the_plan() -> None:
    messages, losses = encode(HI, assistant(Text("Let me "), Refusal("look."), CALL))

    assert messages[1] == {"role": "assistant", "tool_plan": "Let me look.", "tool_calls": [WIRE_CALL]}
    assert losses == ()


def test_calls_alone_have_neither_content_nor_plan() -> None:
    messages, _ = encode(HI, assistant(ToolCall("c1", "f", "")))

    assert messages[1] == {
        "role": "assistant",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }


def test_thinking_without_a_seal_goes_back() -> None:
    messages, losses = encode(HI, assistant(Reasoning("hm"), Text("so")), assistant(Reasoning("hm"), Text("p"), CALL))

    assert messages[1:] == [
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "so"}]},
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "hm"}],
            "tool_plan": "p",
            "tool_calls": [WIRE_CALL],
        },
    ]
    assert losses == ()


def test_the_seal_of_another_provider_is_lost_and_its_text_is_not() -> None:
    sealed = Opaque("anthropic-messages", "signature", "s")

    messages, losses = encode(HI, assistant(Reasoning("hm", opaque=sealed), Reasoning(opaque=sealed), Text("so")))

    assert messages[1]["content"] == [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "so"}]
    assert losses == ("messages.reasoning",)


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("command-r-08-2024", {}),
        ("command-a-03-2025", {}),
        ("command-a-plus", {"reasoning": ReasoningOptions("none")}),
    ],
)
def test_thinking_is_lost_where_there_is_none(model: str, fields: dict[str, Any]) -> None:
    messages, losses = encode(HI, assistant(Reasoning("hm"), Text("so")), model=model, **fields)

    assert messages[1] == {"role": "assistant", "content": "so"}
    assert losses == ("messages.reasoning",)


def test_thinking_alone_is_no_message() -> None:
    assert encode(HI, assistant(Reasoning("hm"))) == ([{"role": "user", "content": "hi"}], ("messages.reasoning",))


@pytest.mark.parametrize(
    "block", [ToolCall("c", "f", "{}", Opaque("g", "signature", "s")), Text("t", opaque=Opaque("g", "signature", "s"))]
)
def test_the_seal_of_a_call_or_a_text_is_lost(block: ToolCall | Text) -> None:
    assert encode(HI, assistant(block))[1] == ("messages.reasoning",)


def test_an_empty_turn_of_the_assistant_is_dropped() -> None:
    assert encode(HI, assistant()) == ([{"role": "user", "content": "hi"}], ())


def test_results_are_messages_of_their_own_and_come_first() -> None:
    messages, losses = encode(
        user(Text("and?"), ToolResult("c1", (Text("a"), Text("b"))), ToolResult("c2", (Text("no"),), is_error=True))
    )

    assert messages == [
        {
            "role": "tool",
            "tool_call_id": "c1",
            "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        },
        {"role": "tool", "tool_call_id": "c2", "content": "no"},
        {"role": "user", "content": "and?"},
    ]
    assert losses == ("tool_result.is_error",)


def test_images_of_a_result_follow_in_a_user_message() -> None:
    image = Media("image", url="https://a/b")

    messages, _ = encode(user(ToolResult("c1", (image,)), ToolResult("c2", ())))

    assert messages == [
        {"role": "tool", "tool_call_id": "c1", "content": "The result follows in the next user message."},
        {"role": "tool", "tool_call_id": "c2", "content": ""},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a/b"}}]},
    ]


@pytest.mark.parametrize(
    ("messages", "loss"),
    [
        ((user(Text("a", cache=Cache())),), "cache_control"),
        ((user(Media("image", url="u", cache=Cache())),), "cache_control"),
        ((user(ToolResult("c", (Text("a"),), cache=Cache())),), "cache_control"),
        ((HI, assistant(ToolCall("c", "f", "{}", cache=Cache()))), "cache_control"),
        ((HI, assistant(Text("a", (Citation("https://a"),)))), "citations"),
        ((HI, assistant(Text("a"), ServerTool("x", "search"))), "messages.server_tool"),
        ((user(Text("a"), ServerTool("x", "search")),), "messages.server_tool"),
    ],
)
def test_what_has_no_place_is_named(messages: tuple[Message, ...], loss: str) -> None:
    assert encode(*messages)[1] == (loss,)


@pytest.mark.parametrize(
    "message", [user(ToolCall("c", "f", "{}")), user(Reasoning("hm")), assistant(Media("image", url="u"))]
)
def test_a_block_of_the_wrong_role_is_refused(message: Message) -> None:
    with pytest.raises(Untranslatable):
        encode(message)
