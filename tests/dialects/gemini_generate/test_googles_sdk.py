"""What Google's SDK (google-genai 3.4.0) makes of us, and we of it."""

from __future__ import annotations

import base64

import pytest
from google.genai import types
from google.genai.chats import _validate_response

from costspan.dialects import gemini_generate
from costspan.dialects.types import StreamOptions
from costspan.ir import events
from costspan.ir.reply import FinishReason
from costspan.ir.request import Media, Opaque, Reasoning, ReasoningOptions, Text, ToolCall
from costspan.wire import json, sse

ANSWERS: dict[str, list[events.Event]] = {
    "text": [events.BlockStarted(0, "text"), events.TextDelta(0, "Hi"), events.BlockFinished(0)],
    "a call": [
        events.BlockStarted(0, "tool_call", "c1", "weather"),
        events.ArgumentsDelta(0, '{"city":"Oslo"}'),
        events.BlockFinished(0),
    ],
    "nothing": [],
}


@pytest.mark.parametrize("made", ANSWERS.values(), ids=ANSWERS.keys())
def test_a_chat_keeps_a_streamed_turn_because_every_chunk_has_parts(made: list[events.Event]) -> None:
    encoder = gemini_generate.new_encoder(StreamOptions("cs_1", "m", 7))
    end: list[events.Event] = [events.Finished(FinishReason.STOP, "stop"), events.Ended()]
    raw = b"".join(map(encoder.feed, (events.Started("cs_1", "m", 7), *made, *end))) + encoder.close()
    chunks = [types.GenerateContentResponse(**json.loads_object(event.data)) for event in sse.Parser().feed(raw)]

    assert chunks
    assert all(map(_validate_response, chunks))


def test_base64_of_the_sdk_s_alphabet_goes_on_in_the_one_that_all_providers_read() -> None:
    part = types.Part.from_bytes(data=b"\xfb\xef\xff", mime_type="image/png")
    content = types.Content(role="user", parts=[part]).model_dump(mode="json", exclude_none=True)
    assert content["parts"][0]["inline_data"]["data"] == "--__"

    request = gemini_generate.decode_request({"model": "m", "contents": [content]})

    assert request.messages[0].blocks == (Media("image", "image/png", data="++//"),)
    assert base64.b64decode("++//") == b"\xfb\xef\xff"


def test_what_a_chat_keeps_in_pieces_is_one_thought_and_one_text_again() -> None:
    sealed = Opaque("anthropic-messages", "signature", "c2Vh+bA/")
    made: list[events.Event] = [
        events.Started("cs_1", "m", 7),
        events.BlockStarted(0, "reasoning"),
        *(events.ReasoningDelta(0, piece) for piece in ("Oslo ", "is in ", "Norway.")),
        events.OpaqueDelta(0, sealed),
        events.BlockFinished(0),
        events.BlockStarted(1, "text"),
        *(events.TextDelta(1, piece) for piece in ("Let ", "me ", "see.")),
        events.BlockFinished(1),
        events.BlockStarted(2, "tool_call", "c1", "weather"),
        events.ArgumentsDelta(2, '{"city":"Oslo"}'),
        events.BlockFinished(2),
        events.Finished(FinishReason.TOOL_CALLS, "tool_use"),
        events.Ended(),
    ]
    encoder = gemini_generate.new_encoder(StreamOptions("cs_1", "m", 7))
    raw = b"".join(map(encoder.feed, made)) + encoder.close()
    kept = [json.loads_object(event.data)["candidates"][0]["content"] for event in sse.Parser().feed(raw)]
    asked = {"role": "user", "parts": [{"text": "Is it cold?"}]}
    result = {"functionResponse": {"id": "c1", "name": "weather", "response": {"output": "snow"}}}
    contents = [asked, *kept, {"role": "user", "parts": [result]}]

    request = gemini_generate.decode_request({"model": "m", "contents": contents})

    assert len(kept) > 5
    assert [message.role for message in request.messages] == ["user", "assistant", "user"]
    assert request.messages[1].blocks == (
        Reasoning("Oslo is in Norway.", summary=True, opaque=sealed),
        Text("Let me see."),
        ToolCall("c1", "weather", '{"city":"Oslo"}'),
    )


@pytest.mark.parametrize(("shown", "summary"), [(True, "auto"), (False, None)])
def test_who_wants_to_see_thoughts_asks_for_a_summary_where_that_comes_on_demand(
    shown: bool, summary: str | None
) -> None:
    thinking = {"include_thoughts": shown, "thinking_budget": 2000}
    config = {"generationConfig": {"thinkingConfig": thinking}}

    request = gemini_generate.decode_request({"model": "m", "contents": [{"parts": [{"text": "Hi"}]}]} | config)

    assert request.reasoning == ReasoningOptions(budget_tokens=2000, summary=summary, exclude=not shown)
