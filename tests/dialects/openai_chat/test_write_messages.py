from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects.openai_chat.write_messages import Writer
from costspan.errors import Untranslatable
from costspan.ir.request import (
    Block,
    Cache,
    Citation,
    Media,
    Message,
    Opaque,
    Reasoning,
    Refusal,
    Request,
    ServerTool,
    Text,
    ToolCall,
    ToolResult,
)

OPENROUTER = frozenset({"accepts_reasoning", "accepts_cache_control", "accepts_file_urls"})
DEEPSEEK = frozenset({"accepts_reasoning_content"})
SIGNED = Reasoning("Hm", opaque=Opaque("anthropic-messages", "signature", "sig"))
OWN = Opaque("openai-chat", "signature", '{"type":"reasoning.text","signature":"sig","index":0}')
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def write(*messages: Message, quirks: frozenset[str] = frozenset(), **more: Any) -> tuple[list[Any], list[str]]:
    writer = Writer(quirks)
    written = list(writer.messages(Request("m", messages, **more)))
    return written, list(writer.losses)


def test_instructions_are_one_leading_system_message() -> None:
    written, losses = write(instructions=(Text("One"), Text("Two")))

    assert written == [{"role": "system", "content": "One\n\nTwo"}]
    assert losses == []


def test_cache_markers_are_lost_unless_the_host_takes_them() -> None:
    cached = (Text("One"), Text("Two", cache=Cache("1h")))

    plain, losses = write(Message("user", cached), instructions=cached)
    marked, none = write(Message("user", cached), instructions=cached, quirks=OPENROUTER)

    parts = [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]
    assert plain == [{"role": "system", "content": "One\n\nTwo"}, {"role": "user", "content": parts}]
    assert losses == ["cache_control"]
    more = [parts[0], {**parts[1], "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    assert marked == [{"role": "system", "content": more}, {"role": "user", "content": more}]
    assert none == []


@pytest.mark.parametrize(("ttl", "told"), [(None, {}), ("5m", {}), ("1h", {"ttl": "12h"})])
def test_openai_s_newer_models_take_a_marker_of_their_own(ttl: str | None, told: dict[str, str]) -> None:
    cached = (Text("One"), Text("Two", cache=Cache(ttl)))

    writer = Writer(frozenset(), breakpoints=True)
    marked = list(writer.messages(Request("gpt-5.6", (Message("user", cached),))))

    parts = [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]
    assert marked == [
        {"role": "user", "content": [parts[0], {**parts[1], "prompt_cache_breakpoint": {"mode": "explicit"} | told}]}
    ]
    assert not writer.losses


def test_a_marked_text_of_the_assistant_is_a_part_and_a_marked_call_loses_its_marker() -> None:
    said = Message("assistant", (Text("One"), Text("Two", cache=Cache()), ToolCall("a", "f", "{}", cache=Cache())))

    plain, lost = write(said)
    marked, lost_too = write(said, quirks=OPENROUTER)

    assert plain[0]["content"] == "OneTwo"
    assert marked[0]["content"] == [
        {"type": "text", "text": "One"},
        {"type": "text", "text": "Two", "cache_control": {"type": "ephemeral"}},
    ]
    assert (lost, lost_too) == (["cache_control"], ["cache_control"])
    assert write(Message("assistant", said.blocks[:2]), quirks=OPENROUTER)[1] == []


def test_a_later_system_message_stays_where_it_is() -> None:
    written, _ = write(Message("user", (Text("Hi"),), "ann"), Message("system", (Text("Now"),)))

    assert written == [{"role": "user", "content": "Hi", "name": "ann"}, {"role": "system", "content": "Now"}]


MEDIA: dict[str, tuple[Media, dict[str, Any]]] = {
    "image by url": (
        Media("image", url="https://e.org/a.png", detail="low"),
        {"type": "image_url", "image_url": {"url": "https://e.org/a.png", "detail": "low"}},
    ),
    "image inline": (
        Media("image", mime="image/png", data="AAAA"),
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ),
    "sound": (
        Media("audio", mime="audio/mpeg", data="AAAA"),
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
    ),
    "document inline": (
        Media("document", mime="application/pdf", data="AAAA"),
        {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
    ),
    "document by id": (Media("document", file_id="f1"), {"type": "file", "file": {"file_id": "f1"}}),
}


@pytest.mark.parametrize(("media", "part"), MEDIA.values(), ids=MEDIA.keys())
def test_media_is_a_part(media: Media, part: dict[str, Any]) -> None:
    written, losses = write(Message("user", (media, Text("?"))))

    assert written == [{"role": "user", "content": [part, {"type": "text", "text": "?"}]}]
    assert losses == []


def test_a_document_by_url_goes_where_urls_are_taken() -> None:
    written, _ = write(Message("user", (Media("document", url="https://e.org/a.pdf"),)), quirks=OPENROUTER)

    file = {"filename": "document.pdf", "file_data": "https://e.org/a.pdf"}
    assert written == [{"role": "user", "content": [{"type": "file", "file": file}]}]


UNTRANSLATABLE: dict[str, Message] = {
    "video": Message("user", (Media("video", url="https://e.org/a.mp4"),)),
    "sound by url": Message("user", (Media("audio", url="https://e.org/a.mp3"),)),
    "document by url": Message("user", (Media("document", url="https://e.org/a.pdf"),)),
    "image by id": Message("user", (Media("image", file_id="f1"),)),
    "a file of Google's": Message("user", (Media("document", file_id="gs://b/a"),)),
    "a file of Anthropic's": Message("user", (Media("document", file_id="file_011"),)),
    "image from the assistant": Message("assistant", (Media("image", data="AAAA"),)),
    "a call by the user": Message("user", (ToolCall("a", "f", "{}"),)),
}


@pytest.mark.parametrize("message", UNTRANSLATABLE.values(), ids=UNTRANSLATABLE.keys())
def test_what_cannot_be_carried_is_refused(message: Message) -> None:
    with pytest.raises(Untranslatable):
        write(message)


def test_results_follow_their_calls_and_images_of_tools_come_in_a_user_message() -> None:
    written, losses = write(
        Message("assistant", (Text("Hi"), ToolCall("a", "f", "{}"))),
        Message(
            "user",
            (
                Text("And?"),
                ToolResult("a", (Media("image", url="u"),), is_error=True),
                ToolResult("b", (Text("1"), Text("2"))),
                ToolResult("c", ()),
            ),
        ),
    )

    image = {"type": "image_url", "image_url": {"url": "u"}}
    assert written == [
        {"role": "assistant", "content": "Hi", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "a", "content": "The result follows in the next user message."},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": t} for t in "12"]},
        {"role": "tool", "tool_call_id": "c", "content": ""},
        {"role": "user", "content": [{"type": "text", "text": "And?"}, image]},
    ]
    assert losses == ["tool_result.is_error"]


def test_a_long_call_id_is_shortened_the_same_way_in_its_result() -> None:
    long = "x" * 41
    written, _ = write(Message("assistant", (ToolCall(long, "f", ""),)), Message("user", (ToolResult(long, ()),)))

    assert written[0]["tool_calls"][0]["id"] == written[1]["tool_call_id"] == "call_3bf28abe2a74f0c4604671f3"
    assert written[0]["tool_calls"][0]["function"]["arguments"] == "{}"


def test_an_assistant_message_without_anything_to_say_is_left_out() -> None:
    assert write(Message("assistant", (SIGNED,)))[0] == []


def test_refusals_stay_and_citations_are_lost() -> None:
    said = (Text("a", citations=(Citation("u"),)), Text("b"), Refusal("No"), ServerTool("x", "search"))
    written, losses = write(Message("assistant", said))

    assert written == [{"role": "assistant", "content": "ab", "refusal": "No"}]
    assert losses == ["citations", "messages.server_tool"]


SEALED: dict[str, tuple[frozenset[str], Opaque, list[dict[str, Any]], list[str]]] = {
    "own": (OPENROUTER, OWN, [{"type": "reasoning.text", "signature": "sig", "index": 0}], []),
    "foreign": (OPENROUTER, Opaque("gemini-generate", "signature", "s"), [], ["messages.reasoning_details"]),
    "where the host takes none": (frozenset(), OWN, [], ["messages.reasoning_details"]),
}


@pytest.mark.parametrize(("quirks", "sealed", "details", "lost"), SEALED.values(), ids=SEALED.keys())
def test_what_seals_a_text_goes_back_as_reasoning_does(
    quirks: frozenset[str], sealed: Opaque, details: list[dict[str, Any]], lost: list[str]
) -> None:
    written, losses = write(Message("assistant", (Text("Hi", opaque=sealed),)), quirks=quirks)

    fields = {"reasoning_details": details} if details else {}
    assert written == [{"role": "assistant", "content": "Hi"} | fields]
    assert losses == lost


REASONING: dict[str, tuple[frozenset[str], tuple[Block, ...], dict[str, Any], list[str]]] = {
    "refused": (frozenset(), (SIGNED,), {}, ["messages.reasoning"]),
    "text only": (DEEPSEEK, (SIGNED,), {"reasoning_content": "Hm"}, ["messages.reasoning_details"]),
    "foreign signature": (
        OPENROUTER,
        (SIGNED,),
        {"reasoning": "Hm", "reasoning_details": [{"type": "reasoning.text", "text": "Hm", "index": 0}]},
        ["messages.reasoning_details"],
    ),
    "own signature": (
        OPENROUTER,
        (Reasoning("Hm", opaque=OWN),),
        {
            "reasoning": "Hm",
            "reasoning_details": [{"type": "reasoning.text", "signature": "sig", "index": 0, "text": "Hm"}],
        },
        [],
    ),
}


@pytest.mark.parametrize(("quirks", "blocks", "fields", "lost"), REASONING.values(), ids=REASONING.keys())
def test_reasoning_goes_back_as_far_as_the_host_takes_it(
    quirks: frozenset[str], blocks: tuple[Block, ...], fields: dict[str, Any], lost: list[str]
) -> None:
    written, losses = write(Message("assistant", (*blocks, Text("Hi"))), quirks=quirks)

    assert written == [{"role": "assistant", "content": "Hi"} | fields]
    assert losses == lost
