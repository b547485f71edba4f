"""What of an answer the client is told it was not shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from costspan.dialects import CLIENT_DIALECTS
from costspan.dialects.losses import AnswerLosses, Unread
from costspan.dialects.types import StreamOptions
from costspan.ir import events
from costspan.ir.reply import Choice, FinishReason, Reply
from costspan.ir.request import Citation, Media, Opaque, Reasoning, Refusal, ServerTool, Text, ToolCall, ToolResult
from costspan.wire import json, sse

if TYPE_CHECKING:
    from costspan.ir.request import Block

OPTIONS = StreamOptions("cs_1", "m", 7)
CHAT, MESSAGES = "openai-chat", "anthropic-messages"
SEALED = Opaque("gemini-generate", "signature", "s")


def lost(target: str, *blocks: Block, finish: FinishReason = FinishReason.STOP, **more: Any) -> list[str]:
    reply = Reply("i", "m", (Choice(blocks, finish, **more),))
    return list(CLIENT_DIALECTS[target].encode_reply(reply, OPTIONS).losses)


BLOCKS: dict[str, tuple[Block, list[str], list[str]]] = {
    "text": (Text("Hi"), [], []),
    "refusal": (Refusal("No"), [], []),
    "signed reasoning": (Reasoning("hm", opaque=SEALED), [], []),
    "call": (ToolCall("a", "f", "{}"), [], []),
    "signed call": (ToolCall("a", "f", "{}", opaque=SEALED), [], []),
    "signed text": (Text("Hi", opaque=SEALED), [], []),
    "call with broken arguments": (ToolCall("a", "f", '{"x'), [], ["response.tool_calls.arguments"]),
    "citation with a URL": (Text("Hi", (Citation("u"),)), [], []),
    "citation without": (Text("Hi", (Citation(title="t"),)), ["response.citations"], ["response.citations"]),
    "citation with a place": (Text("Hi", (Citation("u", start=0, end=2),)), [], ["response.citations.position"]),
    "citation of no text": (Text("", (Citation("u"),)), [], ["response.citations"]),
    "picture": (Media("image", data="AA"), [], ["response.image"]),
    "picture by id": (Media("image", file_id="f"), ["response.image"], ["response.image"]),
    "sound": (Media("audio", data="AA"), ["response.audio"], ["response.audio"]),
    "tool result": (ToolResult("a", ()), ["response.tool_result"], ["response.tool_result"]),
    "foreign search": (ServerTool("x", "web_search_tool_result"), ["response.server_tool"], ["response.server_tool"]),
    "foreign block": (ServerTool("x", "dream"), ["response.dream"], ["response.dream"]),
    "foreign block of no kind": (ServerTool("x", ""), ["response.server_tool"], ["response.server_tool"]),
}


@pytest.mark.parametrize(("block", "chat", "messages"), BLOCKS.values(), ids=BLOCKS.keys())
def test_a_block_that_has_no_place_is_named(block: Block, chat: list[str], messages: list[str]) -> None:
    assert lost(CHAT, block) == chat
    assert lost(MESSAGES, block) == messages


FINISHES: dict[FinishReason, tuple[list[str], list[str]]] = {
    FinishReason.STOP: ([], []),
    FinishReason.LENGTH: ([], []),
    FinishReason.TOOL_CALLS: ([], []),
    FinishReason.CONTENT_FILTER: ([], []),
    FinishReason.STOP_SEQUENCE: ([], []),
    FinishReason.PAUSE: (["response.finish_reason"], []),
    FinishReason.MALFORMED_TOOL_CALL: (["response.finish_reason"], ["response.finish_reason"]),
    FinishReason.OTHER: (["response.finish_reason"], ["response.finish_reason"]),
}


def streamed(target: str, *made: events.Event) -> list[str]:
    encoder = CLIENT_DIALECTS[target].new_encoder(OPTIONS)
    for event in made:
        encoder.feed(event)
    encoder.close()
    return list(encoder.losses)


@pytest.mark.parametrize(("finish", "names"), FINISHES.items(), ids=FINISHES.keys())
def test_a_reason_that_reads_as_another_is_named(finish: FinishReason, names: tuple[list[str], list[str]]) -> None:
    for target, expected in zip((CHAT, MESSAGES), names, strict=True):
        assert lost(target, finish=finish) == expected
        assert streamed(target, events.Finished(finish)) == expected


def test_the_stop_sequence_has_a_place_in_one_dialect_only() -> None:
    event = events.Finished(FinishReason.STOP_SEQUENCE, "stop_sequence", "END")

    assert lost(CHAT, stop_sequence="END") == streamed(CHAT, event) == ["response.stop_sequence"]
    assert lost(MESSAGES, stop_sequence="END") == streamed(MESSAGES, event) == []


TEXT = events.BlockStarted(0, "text")
CALL = events.BlockStarted(0, "tool_call", "a", "f")
EVENTS: dict[str, tuple[list[events.Event], list[str], list[str]]] = {
    "text": ([events.Started("i", "m"), TEXT, events.TextDelta(0, "x"), events.BlockFinished(0)], [], []),
    "search": (
        [events.BlockStarted(0, "server_tool", name="server_tool_use", origin="x")],
        ["response.server_tool"],
        ["response.server_tool"],
    ),
    "signature of a call": ([CALL, events.OpaqueDelta(0, SEALED)], [], []),
    "picture by id": (
        [events.BlockStarted(0, "media", media=Media("image", file_id="f")), events.BlockFinished(0)],
        ["response.image"],
        ["response.image"],
    ),
    "picture": (
        [events.BlockStarted(0, "media", media=Media("image", data="AA")), events.BlockFinished(0)],
        [],
        ["response.image"],
    ),
    "late citation": (
        [TEXT, events.TextDelta(0, "x"), events.BlockFinished(0), events.CitationAdded(0, Citation("u"))],
        [],
        ["response.citations"],
    ),
    "citation without a URL": (
        [TEXT, events.CitationAdded(0, Citation())],
        ["response.citations"],
        ["response.citations"],
    ),
    "empty log probabilities": ([events.LogprobsAdded({"content": None})], [], []),
    "log probabilities": ([events.LogprobsAdded({"content": [{"token": "x"}]})], [], ["response.logprobs"]),
    "second choice": ([events.BlockStarted(0, "text", choice=1)], [], ["response.choices"]),
    "unread": ([events.Unread("a"), events.Unread("a")], ["response.a"], ["response.a"]),
    "failure": ([events.Failed("no", "server_error"), events.Ended()], [], []),
}


@pytest.mark.parametrize(("made", "chat", "messages"), EVENTS.values(), ids=EVENTS.keys())
def test_an_event_that_has_no_place_is_named(made: list[events.Event], chat: list[str], messages: list[str]) -> None:
    assert streamed(CHAT, *made) == chat
    assert streamed(MESSAGES, *made) == messages


UNREAD_MESSAGES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "all known": ({"role": "assistant", "content": "Hi", "refusal": None, "annotations": [], "token_id": 5}, set()),
    "unknown field": ({"content": "Hi", "mood": "calm", "tint": None, "hue": [], "tone": {"a": None}}, {"mood"}),
    "unknown part": ({"content": [{"type": "text", "text": "Hi"}, {"type": "reference"}]}, {"content.reference"}),
    "part of no type": ({"content": [5]}, {"content"}),
    "refusal as a part": ({"content": [{"type": "refusal", "refusal": "No"}]}, set()),
    "annotation": ({"content": "Hi", "annotations": [{"type": "file_citation"}]}, {"annotations"}),
    "reasoning": ({"content": "Hi", "reasoning_details": [{"type": "reasoning.new"}]}, {"reasoning_details"}),
    "custom call": ({"tool_calls": [{"id": "a", "type": "custom", "custom": {}}]}, {"tool_calls.custom"}),
}


@pytest.mark.parametrize(("message", "names"), UNREAD_MESSAGES.values(), ids=UNREAD_MESSAGES.keys())
def test_what_is_not_read_of_a_message_or_delta_is_named(message: dict[str, Any], names: set[str]) -> None:
    assert read(message).unread == names
    assert told({"delta": message}) == names


SOUND = {"id": "a", "data": "AA", "transcript": "Hi"}


def test_sound_is_read_of_whole_answers_only_and_no_odd_picture_at_all() -> None:
    picture = {"type": "image_url", "image_url": {"url": "u"}}
    odd = {"type": "image_url", "image_url": {"url": "data:x"}}

    assert read({"audio": SOUND, "images": [picture], "content": [picture]}).unread == set()
    assert read({"audio": {"id": "a"}, "images": [picture, odd]}).unread == {"audio", "images"}
    assert told({"delta": {"audio": SOUND, "images": [picture], "content": [picture]}}) == {"audio"}
    assert told({"delta": {"images": [picture, odd]}}) == told({"delta": {"content": [odd]}}) == {"images"}


def test_what_is_said_aloud_in_a_stream_is_text() -> None:
    decoder = CLIENT_DIALECTS[CHAT].new_decoder()
    found = list(decoder.feed(sse.Event("", json.dumps({"choices": [{"delta": {"audio": SOUND}}]}))))

    assert events.TextDelta(0, "Hi") in found


FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any], set[str]]] = {
    "bookkeeping": (
        {"system_fingerprint": "fp", "obfuscation": "x", "provider": "P", "x_groq": {"id": "r"}},
        {"native_finish_reason": "stop", "seed": 7, "text": "Hi"},
        set(),
    ),
    "filters": (
        {"prompt_filter_results": [{"prompt_index": 0}]},
        {"content_filter_results": {"hate": {"filtered": False}}},
        {"prompt_filter_results", "content_filter_results"},
    ),
    "nothing in them": ({"prompt_logprobs": None, "moderation": {}}, {"token_ids": [], "stop_reason": None}, set()),
}


@pytest.mark.parametrize(("top", "choice", "names"), FIELDS.values(), ids=FIELDS.keys())
def test_bookkeeping_is_no_loss_and_the_rest_is(top: dict[str, Any], choice: dict[str, Any], names: set[str]) -> None:
    assert read({"content": "Hi"}, choice, top).unread == names
    assert told({"delta": {"content": "Hi"}, **choice}, top) == names


def read(message: dict[str, Any], choice: dict[str, Any] | None = None, top: dict[str, Any] | None = None) -> Reply:
    return CLIENT_DIALECTS[CHAT].decode_reply({"choices": [{"message": message, **(choice or {})}], **(top or {})})


def told(choice: dict[str, Any], top: dict[str, Any] | None = None) -> set[str]:
    decoder = CLIENT_DIALECTS[CHAT].new_decoder()
    data = json.dumps({"id": "c", "choices": [choice], **(top or {})})
    decoded = [event for _ in range(2) for event in decoder.feed(sse.Event("", data))]
    found = [event.name for event in decoded if isinstance(event, events.Unread)]
    assert len(found) == len(set(found))
    return set(found)


ANSWERS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "all known": ({"content": [], "service_tier": "x", "container": None, "context_management": {}}, set()),
    "beside the content": ({"content": [], "stop_details": {"type": "refusal"}}, {"stop_details"}),
    "field of a block": ({"content": [{"type": "text", "text": "", "hue": "red", "tint": None}]}, {"text.hue"}),
    "called by the model": (
        {"content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}, "caller": {"type": "direct"}}]},
        set(),
    ),
    "called by a program": (
        {"content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}, "caller": {"type": "code"}}]},
        {"tool_use.caller"},
    ),
    "block of a kind that is kept whole": ({"content": [{"type": "dream", "hue": "red"}]}, set()),
}


@pytest.mark.parametrize(("answer", "names"), ANSWERS.values(), ids=ANSWERS.keys())
def test_what_is_not_read_of_an_anthropic_answer_is_named(answer: dict[str, Any], names: set[str]) -> None:
    assert CLIENT_DIALECTS[MESSAGES].decode_reply(answer).unread == names


def test_what_comes_with_the_end_of_an_anthropic_stream_is_named() -> None:
    decoder = CLIENT_DIALECTS[MESSAGES].new_decoder()
    delta = {"stop_reason": "refusal", "stop_sequence": None, "stop_details": {"type": "refusal"}}
    data = json.dumps({"type": "message_delta", "delta": delta, "usage": {}, "context_management": {"edits": [1]}})

    found = list(decoder.feed(sse.Event("", data)))

    assert events.Unread("stop_details") in found
    assert events.Unread("context_management") in found


NAMES: dict[str, tuple[str, str]] = {
    "plain": ("a_b.c-d", "response.a_b.c-d"),
    "64 characters": ("y" * 64, f"response.{'y' * 64}"),
    "65 characters": ("y" * 65, "response.unknown"),
    "nothing": ("", "response.unknown"),
    "a header of its own": ("a\r\nx: y", "response.unknown"),
    "two": ("a,b", "response.unknown"),
    "not ASCII": ("größe", "response.unknown"),
}


@pytest.mark.parametrize(("name", "shown"), NAMES.values(), ids=NAMES.keys())
def test_names_that_an_upstream_made_up_are_short_and_plain(name: str, shown: str) -> None:
    losses = AnswerLosses()
    losses.add(name)

    assert losses.names() == (shown,)


def test_an_upstream_cannot_make_us_note_names_without_end() -> None:
    losses, unread_names = AnswerLosses(), Unread()
    told_of = [event for number in range(1000) for event in unread_names.tell([f"n{number}"])]
    for event in told_of:
        losses.add(event.name)
    losses.add("n0")

    assert len(told_of) == 33
    assert losses.names() == (*(f"response.n{number}" for number in range(32)), "response.others")
