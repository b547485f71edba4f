"""What a client is shown: whole answers and streams, the same in both."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from google.genai import types as sdk

from costspan.dialects import gemini_generate as dialect
from costspan.dialects.types import StreamOptions
from costspan.ir import events
from costspan.ir.fold import fold
from costspan.ir.opaque import wrap
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
    ToolResult,
)
from costspan.ir.usage import Usage
from costspan.wire import json, sse

OPTIONS = StreamOptions("cs_1", "gemini-x", 7, prompt_tokens=12)
FOREIGN = Opaque("anthropic-messages", "signature", "s>?")
CARRIED = base64.b64encode(wrap(FOREIGN).encode()).decode()
STARTED = events.Started("r1", "upstream-model")
USAGE = events.UsageReported(Usage({"input": 10, "output": 5}))
STOP = events.Finished(FinishReason.STOP, "stop")
CALLS = events.Finished(FinishReason.TOOL_CALLS, "tool_calls")
COUNTS = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}


def whole(*blocks: Block, finish: FinishReason | None = FinishReason.STOP, **more: Any) -> dict[str, Any]:
    encoded = dialect.encode_reply(Reply("r1", "m", (Choice(blocks, finish, **more),)), OPTIONS)
    sdk.GenerateContentResponse.model_validate_json(encoded.body)
    candidate: dict[str, Any] = json.loads_object(encoded.body)["candidates"][0]
    return candidate


def lost(*blocks: Block, finish: FinishReason = FinishReason.STOP, **more: Any) -> tuple[str, ...]:
    return dialect.encode_reply(Reply("r1", "m", (Choice(blocks, finish, **more),)), OPTIONS).losses


def chunks(*made: events.Event) -> list[dict[str, Any]]:
    """Each is what the SDK's own type takes."""
    encoder = dialect.new_encoder(OPTIONS)
    raw = b"".join(map(encoder.feed, made)) + encoder.close()
    found = [event.data for event in sse.Parser().feed(raw)]
    for data in found:
        sdk.GenerateContentResponse.model_validate_json(data)
    return [json.loads_object(data) for data in found]


def parts(*made: events.Event) -> list[dict[str, Any]]:
    """Of all chunks but the last."""
    return [part for one in chunks(*made)[:-1] for part in one["candidates"][0]["content"]["parts"]]


PARTS: dict[str, tuple[Block, list[dict[str, Any]], tuple[str, ...]]] = {
    "text": (Text("a"), [{"text": "a"}], ()),
    "sealed text": (Text("a", opaque=FOREIGN), [{"text": "a", "thoughtSignature": CARRIED}], ()),
    "a refusal": (Refusal("No"), [{"text": "No"}], ()),
    "reasoning": (Reasoning("hm"), [{"text": "hm", "thought": True}], ()),
    "sealed reasoning": (
        Reasoning(opaque=FOREIGN),
        [{"text": "", "thought": True, "thoughtSignature": CARRIED}],
        (),
    ),
    "a call": (ToolCall("c", "f", '{"a":1}'), [{"functionCall": {"id": "c", "name": "f", "args": {"a": 1}}}], ()),
    "a sealed call": (
        ToolCall("c", "f", "", FOREIGN),
        [{"functionCall": {"id": "c", "name": "f", "args": {}}, "thoughtSignature": CARRIED}],
        (),
    ),
    "a call that is broken": (
        ToolCall("c", "f", '{"x'),
        [{"functionCall": {"id": "c", "name": "f", "args": {"arguments": '{"x'}}}],
        ("response.tool_calls.arguments",),
    ),
    "a picture": (
        Media("image", "image/png", data="AA=="),
        [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}],
        (),
    ),
    "a picture elsewhere": (Media("image", url="https://e.org/a"), [{"fileData": {"fileUri": "https://e.org/a"}}], ()),
    "a picture by another's id": (Media("image", file_id="f"), [], ("response.image",)),
    "another's tool": (ServerTool("x", "web_search_tool_result"), [], ("response.server_tool",)),
    "another's block": (ServerTool("x", "dream"), [], ("response.dream",)),
    "a tool result": (ToolResult("a", ()), [], ("response.tool_result",)),
    "nothing": (Text(""), [], ()),
}


@pytest.mark.parametrize(("block", "found", "names"), PARTS.values(), ids=PARTS.keys())
def test_a_block_is_a_part_of_a_whole_answer(block: Block, found: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    assert whole(block)["content"] == {"role": "model"} | ({"parts": found} if found else {})
    assert lost(block) == names


def test_a_whole_answer() -> None:
    reply = Reply("r1", "m", (Choice((Text("a"),), FinishReason.LENGTH), Choice((Text("b"),))), Usage({"input": 1}))

    body = json.loads_object(dialect.encode_reply(reply, OPTIONS).body)

    assert body == {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": "a"}]}, "finishReason": "MAX_TOKENS", "index": 0},
            {"content": {"role": "model", "parts": [{"text": "b"}]}, "finishReason": "STOP", "index": 1},
        ],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 0, "totalTokenCount": 1},
        "modelVersion": "gemini-x",
        "responseId": "r1",
    }


FINISHES = {
    FinishReason.STOP: ("STOP", ()),
    FinishReason.STOP_SEQUENCE: ("STOP", ()),
    FinishReason.LENGTH: ("MAX_TOKENS", ()),
    FinishReason.TOOL_CALLS: ("STOP", ()),
    FinishReason.CONTENT_FILTER: ("SAFETY", ()),
    FinishReason.PAUSE: ("STOP", ("response.finish_reason",)),
    FinishReason.MALFORMED_TOOL_CALL: ("MALFORMED_FUNCTION_CALL", ()),
    FinishReason.OTHER: ("OTHER", ()),
}


@pytest.mark.parametrize(("reason", "word", "names"), [(key, *value) for key, value in FINISHES.items()])
def test_a_finish_reason_has_its_word(reason: FinishReason, word: str, names: tuple[str, ...]) -> None:
    encoder = dialect.new_encoder(OPTIONS)
    encoder.feed(events.Finished(reason))

    assert whole(finish=reason)["finishReason"] == word
    assert lost(finish=reason) == encoder.losses == names
    assert chunks(events.Finished(reason))[-1]["candidates"][0]["finishReason"] == word


def test_a_refusal_ends_for_safety() -> None:
    made: list[events.Event] = [
        events.BlockStarted(0, "refusal"),
        events.TextDelta(0, "No"),
        events.BlockFinished(0),
        STOP,
    ]

    assert whole(Refusal("No"))["finishReason"] == "SAFETY"
    assert chunks(*made)[-1]["candidates"][0]["finishReason"] == "SAFETY"


def test_the_stop_sequence_has_no_place() -> None:
    encoder = dialect.new_encoder(OPTIONS)
    encoder.feed(events.Finished(FinishReason.STOP_SEQUENCE, "stop_sequence", "END"))

    assert lost(finish=FinishReason.STOP_SEQUENCE, stop_sequence="END") == encoder.losses == ("response.stop_sequence",)


CITED = Text(
    "Größe: 5.",
    (Citation("https://a", "A", None, 0, 5), Citation("https://a", "A"), Citation("https://b"), Citation(title="t")),
)
GROUNDING = {
    "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}, {"web": {"uri": "https://b"}}],
    "groundingSupports": [
        {"segment": {"startIndex": 4, "endIndex": 11, "text": "Größe"}, "groundingChunkIndices": [0]},
    ],
}


def test_citations_are_grounding_by_bytes_of_the_whole_text() -> None:
    made: list[events.Event] = [
        events.BlockStarted(0, "text"),
        events.TextDelta(0, "So: "),
        events.BlockFinished(0),
        events.BlockStarted(1, "text"),
        events.TextDelta(1, CITED.text),
        *(events.CitationAdded(1, citation) for citation in CITED.citations),
        events.BlockFinished(1),
        STOP,
    ]
    encoder = dialect.new_encoder(OPTIONS)
    for event in made:
        encoder.feed(event)

    assert whole(Text("So: "), CITED)["groundingMetadata"] == GROUNDING
    assert chunks(*made)[-1]["candidates"][0]["groundingMetadata"] == GROUNDING
    assert lost(CITED) == encoder.losses == ("response.citations",)


def test_what_a_source_says_has_no_place() -> None:
    assert lost(Text("a", (Citation("https://a", "A", "words"),))) == ("response.citations.cited_text",)


LOGPROBS = {
    "content": [{"token": "a", "bytes": [97], "logprob": -0.5, "top_logprobs": [{"token": "b", "logprob": -2}]}]
}
RESULT = {
    "chosenCandidates": [{"token": "a", "logProbability": -0.5}],
    "topCandidates": [{"candidates": [{"token": "b", "logProbability": -2}]}],
}


def test_log_probabilities_are_google_s() -> None:
    [first, _] = chunks(STARTED, events.LogprobsAdded(LOGPROBS), STOP)

    assert whole(Text("a"), logprobs=LOGPROBS)["logprobsResult"] == RESULT
    assert first["candidates"][0]["logprobsResult"] == RESULT
    assert len(chunks(events.LogprobsAdded({"content": None}), STOP)) == 1


def test_the_chunks_of_an_answer() -> None:
    made: list[events.Event] = [
        STARTED,
        events.BlockStarted(0, "text"),
        events.TextDelta(0, 'a "b"\n'),
        events.BlockFinished(0),
        STOP,
        USAGE,
    ]

    head = {"modelVersion": "gemini-x", "responseId": "r1"}
    last = {"content": {"role": "model", "parts": [{"text": ""}]}, "index": 0, "finishReason": "STOP"}
    assert chunks(*made) == [
        {"candidates": [{"content": {"role": "model", "parts": [{"text": 'a "b"\n'}]}, "index": 0}]} | head,
        {"candidates": [last], "usageMetadata": COUNTS} | head,
    ]


def test_a_stream_of_nothing_still_ends() -> None:
    [only] = chunks()

    assert only["candidates"][0]["finishReason"] == "STOP"
    assert only["usageMetadata"]["promptTokenCount"] == 12
    assert only["responseId"] == "cs_1"


def test_nothing_follows_the_end() -> None:
    encoder = dialect.new_encoder(OPTIONS)

    assert encoder.feed(events.Ended())
    assert encoder.feed(events.TextDelta(0, "late")) == encoder.close() == b""


def text(index: int, *deltas: str, choice: int = 0) -> list[events.Event]:
    made = [events.TextDelta(index, delta, choice) for delta in deltas]
    return [events.BlockStarted(index, "text", choice=choice), *made, events.BlockFinished(index, choice)]


def call(index: int, *deltas: str, opaque: Opaque | None = None) -> list[events.Event]:
    made = [events.ArgumentsDelta(index, delta) for delta in deltas]
    started = events.BlockStarted(index, "tool_call", f"c{index}", "f", opaque=opaque)
    return [started, *made, events.BlockFinished(index)]


def called(index: int, **args: Any) -> dict[str, Any]:
    return {"functionCall": {"id": f"c{index}", "name": "f", "args": args}}


def test_a_call_comes_whole() -> None:
    assert parts(*call(0, '{"a"', ":1}"), CALLS) == [called(0, a=1)]
    assert parts(*call(0, opaque=FOREIGN), CALLS) == [called(0) | {"thoughtSignature": CARRIED}]


def test_a_call_that_does_not_end_comes_with_the_end() -> None:
    assert parts(*call(0, "{}")[:-1], CALLS) == [called(0)]


def test_a_seal_follows_its_text_and_its_thought() -> None:
    thought: list[events.Event] = [events.BlockStarted(0, "reasoning"), events.ReasoningDelta(0, "hm")]
    seal = events.OpaqueDelta(0, FOREIGN)
    sealed = events.BlockStarted(1, "text", opaque=FOREIGN)

    made = [*thought, seal, events.BlockFinished(0), sealed, events.TextDelta(1, "a"), events.BlockFinished(1)]

    assert parts(*made, STOP) == [
        {"text": "hm", "thought": True},
        {"text": "", "thought": True, "thoughtSignature": CARRIED},
        {"text": "a"},
        {"text": "", "thoughtSignature": CARRIED},
    ]


def test_the_seal_of_a_text_that_waits_comes_once_and_at_its_end() -> None:
    first = call(0, "{}")
    sealed = events.BlockStarted(1, "text", opaque=FOREIGN)
    made = [first[0], sealed, events.TextDelta(1, "a"), *first[1:], events.TextDelta(1, "b"), events.BlockFinished(1)]

    assert parts(*made, CALLS) == [called(0), {"text": "a"}, {"text": "b"}, {"text": "", "thoughtSignature": CARRIED}]


def test_blocks_that_interleave_come_one_after_the_other() -> None:
    first, second, third = call(0, "{}"), text(1, "a", "b"), call(2, '{"x":2}')
    made = [first[0], second[0], third[0], *second[1:3], *third[1:], *first[1:], second[3]]

    assert parts(*made, CALLS) == [called(0), {"text": "a"}, {"text": "b"}, called(2, x=2)]


def test_each_candidate_is_numbered_and_all_end_together() -> None:
    made = [*text(0, "a"), *text(0, "b", choice=1), STOP, events.Finished(FinishReason.LENGTH, choice=1)]

    *said, last = chunks(*made)

    assert [one["candidates"][0]["index"] for one in said] == [0, 1]
    assert [(one["index"], one["finishReason"]) for one in last["candidates"]] == [(0, "STOP"), (1, "MAX_TOKENS")]


def test_pictures_and_other_providers_tools_in_a_stream() -> None:
    encoder = dialect.new_encoder(OPTIONS)
    picture = events.BlockStarted(0, "media", media=Media("image", "image/png", data="AA=="))
    foreign = events.BlockStarted(1, "media", media=Media("image", file_id="f"))
    tool = events.BlockStarted(2, "server_tool", name="server_tool_use", origin="x")
    made = [
        event
        for index, started in enumerate((picture, foreign, tool))
        for event in (started, events.BlockFinished(index))
    ]

    for event in made:
        encoder.feed(event)

    assert parts(*made, STOP) == [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}]
    assert encoder.losses == ("response.image", "response.server_tool")


def test_what_belongs_to_no_block_and_what_was_not_read() -> None:
    encoder = dialect.new_encoder(OPTIONS)
    for event in (
        events.TextDelta(9, "x"),
        events.ArgumentsDelta(9, "x"),
        events.OpaqueDelta(9, FOREIGN),
        events.CitationAdded(9, Citation("u")),
        events.BlockFinished(9),
        events.Failed("no", "server_error"),
    ):
        assert encoder.feed(event) == b""
    encoder.feed(events.Unread("mood"))

    assert encoder.losses == ("response.mood",)


def test_a_stream_says_what_the_whole_answer_says() -> None:
    made: list[events.Event] = [
        STARTED,
        events.BlockStarted(0, "reasoning"),
        events.ReasoningDelta(0, "hm"),
        events.OpaqueDelta(0, FOREIGN),
        events.BlockFinished(0),
        *text(1, "a", "b"),
        *call(2, "{}", opaque=FOREIGN),
        CALLS,
        USAGE,
        events.Ended(),
    ]
    decoder = dialect.new_decoder()
    streamed = fold(event for one in chunks(*made) for event in decoder.feed(sse.Event("", json.dumps(one))))

    assert streamed == dialect.decode_reply(json.loads_object(dialect.encode_reply(fold(made), OPTIONS).body))
