from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects import mistral_chat as dialect
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
ID = "a1B2c3D4e"
CALL = ToolCall(ID, "f", '{"x":1.0}')
WIRE_CALL = {"id": ID, "type": "function", "function": {"name": "f", "arguments": '{"x":1.0}'}}
RESULT = ToolResult(ID, (Text("r"),))
BRIDGE = {"role": "assistant", "content": "OK."}
SEAL = Opaque("mistral-chat", "signature", "s1")


def encode(*messages: Message, model: str = "magistral-medium", **fields: Any) -> tuple[list[Any], tuple[str, ...]]:
    encoded = dialect.encode_request(Request(model, messages, **fields))
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


def test_a_user_does_not_follow_a_tool() -> None:
    messages, losses = encode(HI, assistant(CALL), user(RESULT, Text("and?")))

    assert messages[2:] == [
        {"role": "tool", "tool_call_id": ID, "content": "r"},
        BRIDGE,
        {"role": "user", "content": "and?"},
    ]
    assert losses == ("messages.role",)


def test_the_assistant_and_further_results_do() -> None:
    messages, losses = encode(HI, assistant(CALL), user(RESULT, RESULT), assistant(Text("so")), HI)

    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool", "assistant", "user"]
    assert losses == ()


def test_an_instruction_may_follow_a_user() -> None:
    messages, losses = encode(HI, Message("system", (Text("a"),)), Message("system", (Text("b"),)))

    assert messages[1:] == [{"role": "system", "content": "a"}, {"role": "system", "content": "b"}]
    assert losses == ()


def test_after_anybody_else_an_instruction_is_marked_text_of_the_user() -> None:
    instruction = Message("system", (Text("be brief"),))
    marked = {"role": "user", "content": "<system>\nbe brief\n</system>"}

    assert encode(HI, assistant(Text("yes")), instruction)[0][-1] == marked
    assert encode(HI, assistant(CALL), user(RESULT), instruction) == (
        [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "tool_calls": [WIRE_CALL]},
            {"role": "tool", "tool_call_id": ID, "content": "r"},
            BRIDGE,
            marked,
        ],
        ("messages.system", "messages.role"),
    )


def test_an_empty_instruction_is_dropped() -> None:
    assert encode(HI, Message("system", ())) == ([{"role": "user", "content": "hi"}], ())


def test_an_answer_that_was_begun_is_continued() -> None:
    assert encode(HI, assistant(Text("It is")))[0][-1] == {"role": "assistant", "content": "It is", "prefix": True}
    assert encode(HI, assistant(CALL))[0][-1] == {"role": "assistant", "tool_calls": [WIRE_CALL]}


def test_a_name_is_lost() -> None:
    assert encode(Message("user", (Text("hi"),), name="ann")) == (
        [{"role": "user", "content": "hi"}],
        ("messages.name",),
    )


def test_ids_of_calls_are_nine_letters_the_same_in_call_and_result() -> None:
    messages, _ = encode(HI, assistant(ToolCall("toolu_01", "f", "")), user(ToolResult("toolu_01", ())))

    assert messages[1]["tool_calls"][0] == {
        "id": messages[2]["tool_call_id"],
        "type": "function",
        "function": {"name": "f", "arguments": "{}"},
    }
    assert len(messages[2]["tool_call_id"]) == 9
    assert messages[2]["tool_call_id"].isalnum()


@pytest.mark.parametrize(
    ("media", "part"),
    [
        (
            Media("image", url="https://a/b", detail="low"),
            {"type": "image_url", "image_url": {"url": "https://a/b", "detail": "low"}},
        ),
        (
            Media("image", mime="image/gif", data="QQ=="),
            {"type": "image_url", "image_url": {"url": "data:image/gif;base64,QQ=="}},
        ),
        (Media("image", data="QQ=="), {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}}),
        (
            Media("document", url="https://a/b.pdf", name="b"),
            {"type": "document_url", "document_url": "https://a/b.pdf", "document_name": "b"},
        ),
        (Media("document", data="QQ=="), {"type": "document_url", "document_url": "data:application/pdf;base64,QQ=="}),
        (Media("document", file_id="5c9d"), {"type": "file", "file_id": "5c9d"}),
        (Media("audio", mime="audio/wav", data="QQ=="), {"type": "input_audio", "input_audio": "QQ=="}),
        (Media("audio", url="https://a/b.mp3"), {"type": "input_audio", "input_audio": "https://a/b.mp3"}),
    ],
)
def test_media_have_parts_of_their_own(media: Media, part: dict[str, Any]) -> None:
    assert encode(user(media)) == ([{"role": "user", "content": [part]}], ())


@pytest.mark.parametrize(
    ("media", "told"),
    [
        (Media("document", file_id="file-abc"), "document of another provider"),
        (Media("document", file_id="file_011"), "document of another provider"),
        (Media("image", file_id="file-abc"), "image of another provider"),
        (Media("video", url="https://a/b"), "video by URL"),
        (Media("video", data="QQ=="), "video inline"),
    ],
)
def test_other_media_cannot_be_sent(media: Media, told: str) -> None:
    with pytest.raises(Untranslatable, match=told) as caught:
        encode(user(media))
    assert caught.value.param == "messages.content"


def test_images_of_a_result_follow_in_a_user_message() -> None:
    image = Media("image", url="https://a/b", detail="original")

    messages, losses = encode(HI, assistant(CALL), user(ToolResult(ID, (image,), is_error=True)))

    assert messages[2:] == [
        {"role": "tool", "tool_call_id": ID, "content": "The result follows in the next user message."},
        BRIDGE,
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a/b"}}]},
    ]
    assert losses == ("tool_result.is_error", "image_url.detail", "messages.role")


def test_a_result_of_several_texts_has_parts() -> None:
    messages, _ = encode(HI, assistant(CALL), user(ToolResult(ID, (Text("a"), Text("b")))))

    assert messages[2]["content"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]


def test_what_the_assistant_says_is_one_text_and_a_refusal_is_said() -> None:
    messages, losses = encode(HI, assistant(Text("I can"), Refusal("not"), CALL))

    assert messages[1] == {"role": "assistant", "content": "I cannot", "tool_calls": [WIRE_CALL]}
    assert losses == ()


def test_thinking_goes_back_in_the_content_with_its_own_seal() -> None:
    messages, losses = encode(
        HI,
        assistant(Reasoning("hm", opaque=SEAL), Reasoning("so"), Text("yes")),
        HI,
        assistant(Reasoning(opaque=SEAL), CALL),
    )

    assert messages[1]["content"] == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}], "signature": "s1"},
        {"type": "thinking", "thinking": [{"type": "text", "text": "so"}]},
        {"type": "text", "text": "yes"},
    ]
    assert messages[3] == {
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": [], "signature": "s1"}],
        "tool_calls": [WIRE_CALL],
    }
    assert losses == ()


def test_the_seal_of_another_provider_is_lost_and_its_text_is_not() -> None:
    sealed = Opaque("anthropic-messages", "signature", "s")

    messages, losses = encode(HI, assistant(Reasoning("hm", opaque=sealed), Reasoning(opaque=sealed), Text("so")), HI)

    assert messages[1]["content"] == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "so"},
    ]
    assert losses == ("messages.reasoning",)


@pytest.mark.parametrize(
    ("model", "options", "kept"),
    [
        ("mistral-large-2512", ReasoningOptions("high"), False),
        ("mistral-small-latest", None, False),
        ("mistral-small-latest", ReasoningOptions("none"), False),
        ("mistral-small-latest", ReasoningOptions("high"), True),
        ("magistral-medium-2509", None, True),
    ],
)
def test_thinking_goes_along_where_there_is_thinking(model: str, options: ReasoningOptions | None, kept: bool) -> None:
    messages, losses = encode(
        HI, assistant(Reasoning("hm", opaque=SEAL), Text("so")), HI, model=model, reasoning=options
    )

    assert isinstance(messages[1]["content"], list) is kept
    assert ("messages.reasoning" in losses) is not kept


def test_thinking_alone_is_no_message() -> None:
    assert encode(HI, assistant(Reasoning("hm"))) == ([{"role": "user", "content": "hi"}], ("messages.reasoning",))
    assert encode(HI, assistant()) == ([{"role": "user", "content": "hi"}], ())


@pytest.mark.parametrize(
    ("messages", "loss"),
    [
        ((user(Text("a", cache=Cache())),), "cache_control"),
        ((user(Media("image", url="u", cache=Cache())),), "cache_control"),
        ((HI, assistant(ToolCall("c", "f", "{}", cache=Cache()))), "cache_control"),
        ((HI, assistant(CALL), user(ToolResult(ID, (), cache=Cache()))), "cache_control"),
        ((HI, assistant(Text("a", (Citation("https://a"),)))), "citations"),
        ((HI, assistant(Text("a", opaque=Opaque("g", "signature", "s")))), "messages.reasoning"),
        ((HI, assistant(ToolCall("c", "f", "{}", Opaque("g", "signature", "s")))), "messages.reasoning"),
        ((HI, assistant(Text("a"), ServerTool("x", "search"))), "messages.server_tool"),
        ((user(Text("a"), ServerTool("x", "search")),), "messages.server_tool"),
    ],
)
def test_what_has_no_place_is_named(messages: tuple[Message, ...], loss: str) -> None:
    assert encode(*messages)[1] == (loss,)


@pytest.mark.parametrize("message", [user(CALL), user(Reasoning("hm")), assistant(Media("image", url="u"))])
def test_a_block_of_the_wrong_role_is_refused(message: Message) -> None:
    with pytest.raises(Untranslatable):
        encode(message)
