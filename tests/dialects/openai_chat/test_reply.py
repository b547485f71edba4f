from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from costspan.dialects import openai_chat
from costspan.dialects.types import StreamOptions
from costspan.errors import Malformed
from costspan.ir.reply import Choice, FinishReason, Reply
from costspan.ir.request import Citation, Media, Opaque, Reasoning, Refusal, ServerTool, Text, ToolCall
from costspan.ir.usage import Usage
from costspan.wire import json, sse

ROOT = Path(__file__).parents[3]
CORPUS = Path(os.environ.get("COSTSPAN_CORPUS", ROOT.parent / "shared" / "corpus" / "recorded.jsonl"))

OPTIONS = StreamOptions("cs_1", "m", 7)
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def answer(message: dict[str, Any], finish: str | None = "stop", **more: Any) -> dict[str, Any]:
    return {"id": "c1", "model": "m", "created": 7, "choices": [{"message": message, "finish_reason": finish}]} | more


def test_a_whole_answer_is_read() -> None:
    body = answer(
        {"role": "assistant", "content": "Hi"},
        usage={"prompt_tokens": 1, "completion_tokens": 2},
        service_tier="default",
        system_fingerprint="fp",
    )

    assert openai_chat.decode_reply(body) == Reply(
        "c1",
        "m",
        (Choice((Text("Hi"),), FinishReason.STOP, "stop"),),
        Usage({"input": 1, "output": 2}, service_tier="default"),
        7,
        "default",
    )


MESSAGES: dict[str, tuple[dict[str, Any], tuple[Any, ...]]] = {
    "reasoning, text and call": (
        {"reasoning_content": "Hm", "content": "Hi", "tool_calls": [CALL]},
        (Reasoning("Hm"), Text("Hi"), ToolCall("a", "f", "{}")),
    ),
    "empty content beside a call": ({"content": "", "tool_calls": [CALL]}, (ToolCall("a", "f", "{}"),)),
    "call without an id, arguments as object": (
        {"tool_calls": [{"function": {"name": "f", "arguments": {"x": 1}}}]},
        (ToolCall("call_363c7e4f7f1f3264aae3f58b", "f", '{"x":1}'),),
    ),
    "legacy call": ({"function_call": {"name": "f"}}, (ToolCall("call_363c7e4f7f1f3264aae3f58b", "f", "{}"),)),
    "refusal": ({"content": None, "refusal": "No"}, (Refusal("No"),)),
    "citation": (
        {"content": "Hi", "annotations": [{"type": "url_citation", "url_citation": {"url": "u"}}, {"type": "x"}]},
        (Text("Hi", citations=(Citation("u"),)),),
    ),
    "parts": (
        {
            "content": [
                {"type": "thinking", "thinking": "Hm"},
                {"type": "text", "text": "Hi"},
                {"type": "refusal", "refusal": "No"},
                {"type": "reference"},
            ]
        },
        (Reasoning("Hm"), Text("Hi"), Refusal("No")),
    ),
    "picture": (
        {"content": None, "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}, 5]},
        (Media("image", mime="image/png", data="AA"),),
    ),
    "odd picture": (
        {"content": "Hi", "images": [{"type": "image_url", "image_url": {"url": "data:x"}}]},
        (Text("Hi"),),
    ),
    "sound": ({"audio": {"data": "AA", "transcript": "Hi"}}, (Text("Hi"), Media("audio", data="AA"))),
}


@pytest.mark.parametrize(("message", "blocks"), MESSAGES.values(), ids=MESSAGES.keys())
def test_a_message_is_its_blocks(message: dict[str, Any], blocks: tuple[Any, ...]) -> None:
    assert openai_chat.decode_reply(answer(message)).choices[0].blocks == blocks


SOURCES: dict[str, dict[str, Any]] = {
    "urls": {"citations": ["https://e.org"]},
    "results": {"citations": ["https://other.org"], "search_results": [{"url": "https://e.org", "title": None}, 5]},
}


@pytest.mark.parametrize("fields", SOURCES.values(), ids=SOURCES.keys())
def test_sources_of_the_whole_answer_are_citations_of_its_text(fields: dict[str, Any]) -> None:
    reply = openai_chat.decode_reply(answer({"content": "Hi"}, **fields))

    assert reply.choices[0].blocks == (Text("Hi", citations=(Citation("https://e.org"),)),)
    assert reply.unread == frozenset()


FINISHES = {
    "stop": (FinishReason.STOP, "stop"),
    "length": (FinishReason.LENGTH, "length"),
    "tool_calls": (FinishReason.TOOL_CALLS, "tool_calls"),
    "function_call": (FinishReason.TOOL_CALLS, "tool_calls"),
    "content_filter": (FinishReason.CONTENT_FILTER, "content_filter"),
    "odd": (FinishReason.OTHER, "stop"),
}


@pytest.mark.parametrize(("native", "expected"), FINISHES.items(), ids=FINISHES.keys())
def test_a_finish_reason_is_translated_both_ways(native: str, expected: tuple[FinishReason, str]) -> None:
    reply = openai_chat.decode_reply(answer({"content": "Hi"}, native))
    written = json.loads(openai_chat.encode_reply(reply, OPTIONS).body)

    assert (reply.choices[0].finish, written["choices"][0]["finish_reason"]) == expected
    assert reply.choices[0].native == native


def test_stop_after_a_forced_call_is_a_tool_call() -> None:
    reply = openai_chat.decode_reply(answer({"tool_calls": [CALL]}))

    assert (reply.choices[0].finish, reply.choices[0].native) == (FinishReason.TOOL_CALLS, "stop")


FULL = Reply(
    "msg_1",
    "served",
    (
        Choice(
            (
                Reasoning("Hm", opaque=Opaque("anthropic-messages", "signature", "sig")),
                Reasoning(opaque=Opaque("anthropic-messages", "redacted", "zz")),
                Text("Hi", citations=(Citation("u", "t", "quote", 0, 2),)),
                ToolCall("a", "f", "{}", opaque=Opaque("gemini-generate", "signature", "th")),
            ),
            FinishReason.TOOL_CALLS,
            "tool_calls",
        ),
        Choice((Refusal("No"),), FinishReason.CONTENT_FILTER, "content_filter"),
    ),
    Usage({"input": 1, "output": 2}, service_tier="flex"),
    service_tier="flex",
)


def test_what_is_encoded_is_decoded_to_the_same_choices() -> None:
    read = openai_chat.decode_reply(json.loads(openai_chat.encode_reply(FULL, OPTIONS).body))

    assert read.choices == FULL.choices
    assert read.usage == FULL.usage
    assert (read.id, read.model, read.created, read.service_tier) == ("msg_1", "served", 7, "flex")


def test_an_encoded_answer_is_valid_for_the_official_sdk() -> None:
    body = json.loads(openai_chat.encode_reply(FULL, OPTIONS).body)

    completion = ChatCompletion.model_validate(body, strict=True)
    assert completion.choices[0].message.content == "Hi"
    assert body["choices"][0]["message"]["reasoning_content"] == body["choices"][0]["message"]["reasoning"] == "Hm"


def test_what_seals_a_text_or_a_call_is_an_item_that_comes_back() -> None:
    sealed, other = Opaque("gemini-generate", "signature", "s"), Opaque("gemini-generate", "signature", "t")
    reply = Reply("i", "m", (Choice((Text("Hi", opaque=sealed), ToolCall("a", "f", "{}", other))),))

    message = json.loads_object(openai_chat.encode_reply(reply, OPTIONS).body)["choices"][0]["message"]

    assert [item.get("id") for item in message["reasoning_details"]] == [None, "a"]
    request = openai_chat.decode_request({"model": "m", "messages": [message]})
    assert request.messages[0].blocks == (Reasoning(opaque=sealed), Text("Hi"), ToolCall("a", "f", "{}", other))


def test_positions_of_citations_count_from_the_start_of_the_whole_text() -> None:
    blocks = (Text("abc"), Text("de", citations=(Citation("u"), Citation("v", start=1, end=2), Citation())))
    body = json.loads(openai_chat.encode_reply(Reply("i", "m", (Choice(blocks),)), OPTIONS).body)

    message = body["choices"][0]["message"]
    cited = [annotation["url_citation"] for annotation in message["annotations"]]
    assert message["content"] == "abcde"
    assert cited == [
        {"url": "u", "title": "", "start_index": 3, "end_index": 5},
        {"url": "v", "title": "", "start_index": 4, "end_index": 5},
    ]


def test_pictures_are_shown_and_server_tools_are_not() -> None:
    blocks = (Media("image", mime="image/png", data="AA"), Media("image", url="u"), ServerTool("x", "search"))
    body = json.loads(openai_chat.encode_reply(Reply("i", "m", (Choice(blocks),)), OPTIONS).body)

    images = [image["image_url"]["url"] for image in body["choices"][0]["message"]["images"]]
    assert images == ["data:image/png;base64,AA", "u"]
    assert body["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    "body",
    [{}, {"choices": []}, {"choices": [5]}, {"choices": [{}]}, {"error": {"message": "x"}}],
    ids=["empty", "no choices", "no choice", "no message", "error"],
)
def test_an_answer_without_choices_is_malformed(body: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        openai_chat.decode_reply(body)


@functools.cache
def recorded() -> dict[str, Any]:
    if not CORPUS.is_file():
        return {}
    rows = [json.loads_object(line) for line in CORPUS.read_bytes().splitlines()]
    return {
        row["id"]: row
        for row in rows
        if row["dialect"] in {"openai-chat", "mistral"} and not row["streaming"] and row["status"] == 200
    }


@pytest.mark.skipif(not recorded(), reason=f"no corpus at {CORPUS}")
@pytest.mark.parametrize("id_", recorded())
def test_a_recorded_answer_survives_being_encoded(id_: str) -> None:
    row = recorded()[id_]
    reply = openai_chat.decode_reply(row["response_json"])
    body = json.loads(openai_chat.encode_reply(reply, OPTIONS).body)

    ChatCompletion.model_validate(body, strict=True)
    assert [choice.native for choice in reply.choices] == row["finish"] * len(reply.choices)
    assert openai_chat.decode_reply(body).choices == reply.choices


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
CALLS = st.lists(st.fixed_dictionaries({}, optional={"id": JSON, "index": JSON, "function": JSON}), max_size=3)
FUNCTION = st.fixed_dictionaries({}, optional={"name": JSON, "arguments": JSON})
DETAILS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["reasoning.text", "reasoning.summary", "reasoning.encrypted"])},
        optional=dict.fromkeys(("text", "summary", "signature", "data", "id", "index"), JSON),
    ),
    max_size=3,
)
MESSAGE = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("content", "refusal", "reasoning", "images", "audio", "annotations"), JSON)
    | {"tool_calls": CALLS | JSON, "function_call": FUNCTION, "reasoning_details": DETAILS | JSON},
)
CHOICE = st.fixed_dictionaries(
    {"message": MESSAGE, "delta": MESSAGE}, optional=dict.fromkeys(("index", "finish_reason", "logprobs"), JSON)
)
BODY = st.fixed_dictionaries(
    {"choices": st.lists(CHOICE, max_size=2) | JSON},
    optional=dict.fromkeys(("id", "model", "created", "usage", "x_groq", "service_tier", "error"), JSON),
)


@given(bodies=st.lists(BODY, min_size=1, max_size=3))
def test_nothing_but_malformed_leaves_the_codec(bodies: list[dict[str, Any]]) -> None:
    decoder, encoder = openai_chat.new_decoder(), openai_chat.new_encoder(OPTIONS)
    for body in bodies:
        wire = json.dumps(body)
        with contextlib.suppress(Malformed):
            openai_chat.encode_reply(openai_chat.decode_reply(json.loads_object(wire)), OPTIONS)
        for made in decoder.feed(sse.Event("", wire)):
            encoder.feed(made)
    encoder.close()
