from __future__ import annotations

import base64
import functools
import os
import re
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletionChunk, ChatCompletionFunctionToolParam

from costspan.dialects import openai_chat
from costspan.dialects.types import StreamOptions
from costspan.ir import events
from costspan.ir.reply import FinishReason
from costspan.ir.request import Citation, Media, Opaque, Reasoning, ToolCall
from costspan.ir.usage import Usage
from costspan.wire import json, sse

ROOT = Path(__file__).parents[3]
CORPUS = Path(os.environ.get("COSTSPAN_CORPUS", ROOT.parent / "shared" / "corpus" / "recorded.jsonl"))

OPTIONS = StreamOptions("cs_1", "m", 7)
STARTED = events.Started("cs_1", "m", 7)
USAGE = Usage({"input": 5, "output": 3, "reasoning": 2}, service_tier="default")
SIGNATURE = Opaque("anthropic-messages", "signature", "sig")

THINKING_WITH_INTERLEAVED_CALLS: list[events.Event] = [
    STARTED,
    events.BlockStarted(0, "reasoning"),
    events.ReasoningDelta(0, "H"),
    events.ReasoningDelta(0, "m"),
    events.OpaqueDelta(0, SIGNATURE),
    events.BlockFinished(0),
    events.BlockStarted(1, "reasoning"),
    events.OpaqueDelta(1, Opaque("anthropic-messages", "redacted", "zz")),
    events.BlockFinished(1),
    events.BlockStarted(2, "text"),
    events.TextDelta(2, "Let me "),
    events.TextDelta(2, "see"),
    events.CitationAdded(2, Citation("https://e.org", "E", "quote", 0, 6)),
    events.CitationAdded(2, Citation("https://f.org", "F", "again", 4, 6)),
    events.BlockFinished(2),
    events.BlockStarted(3, "tool_call", "a", "f"),
    events.ArgumentsDelta(3, "{"),
    events.BlockStarted(4, "tool_call", "b", "g"),
    events.ArgumentsDelta(4, "{}"),
    events.ArgumentsDelta(3, "}"),
    events.OpaqueDelta(4, Opaque("gemini-generate", "signature", "th")),
    events.BlockFinished(3),
    events.BlockFinished(4),
    events.Finished(FinishReason.TOOL_CALLS, "tool_calls"),
    events.UsageReported(USAGE),
    events.Ended(),
]

CALLS_ONE_BY_ONE: list[events.Event] = [
    *THINKING_WITH_INTERLEAVED_CALLS[:15],
    events.BlockStarted(3, "tool_call", "a", "f"),
    events.ArgumentsDelta(3, "{"),
    events.ArgumentsDelta(3, "}"),
    events.BlockStarted(4, "tool_call", "b", "g"),
    events.ArgumentsDelta(4, "{}"),
    *THINKING_WITH_INTERLEAVED_CALLS[20:],
]

TWO_CHOICES: list[events.Event] = [
    STARTED,
    events.BlockStarted(0, "text"),
    events.TextDelta(0, "a"),
    events.LogprobsAdded({"content": [], "refusal": None}),
    events.BlockStarted(0, "refusal", choice=1),
    events.TextDelta(0, "No", 1),
    events.BlockFinished(0),
    events.Finished(FinishReason.STOP, "stop"),
    events.BlockFinished(0, 1),
    events.Finished(FinishReason.CONTENT_FILTER, "content_filter", choice=1),
    events.UsageReported(USAGE),
    events.Ended(),
]

SUMMARY: list[events.Event] = [
    STARTED,
    events.BlockStarted(0, "reasoning", summary=True),
    events.ReasoningDelta(0, "Hm"),
    events.OpaqueDelta(0, Opaque("openai-responses", "encrypted", "zz")),
    events.BlockFinished(0),
    events.Finished(FinishReason.LENGTH, "length"),
    events.UsageReported(USAGE),
    events.Ended(),
]

PICTURES: list[events.Event] = [
    STARTED,
    events.BlockStarted(0, "text"),
    events.TextDelta(0, "Here"),
    events.BlockFinished(0),
    events.BlockStarted(1, "media", media=Media("image", "image/png", data="AA")),
    events.BlockFinished(1),
    events.BlockStarted(2, "media", media=Media("image", url="https://e.org/a.png")),
    events.BlockFinished(2),
    events.Finished(FinishReason.STOP, "stop"),
    events.UsageReported(USAGE),
    events.Ended(),
]

STREAMS = {
    "thinking and calls": THINKING_WITH_INTERLEAVED_CALLS,
    "two choices": TWO_CHOICES,
    "summary": SUMMARY,
    "pictures": PICTURES,
}


def encode(made: list[events.Event], options: StreamOptions = OPTIONS) -> bytes:
    encoder = openai_chat.new_encoder(options)
    return b"".join([*map(encoder.feed, made), encoder.close()])


def decode(raw: bytes) -> list[events.Event]:
    decoder = openai_chat.new_decoder()
    decoded = [made for event in sse.Parser().feed(raw) for made in decoder.feed(event)]
    decoder.close()
    return decoded


def chunks(raw: bytes) -> list[dict[str, Any]]:
    *found, last = [event.data for event in sse.Parser().feed(raw)]
    assert last == b"[DONE]"
    return [json.loads_object(data) for data in found]


@pytest.mark.parametrize("made", STREAMS.values(), ids=STREAMS.keys())
def test_what_is_encoded_is_decoded_to_the_same_events(made: list[events.Event]) -> None:
    assert decode(encode(made)) == (CALLS_ONE_BY_ONE if made is THINKING_WITH_INTERLEAVED_CALLS else made)


def test_a_call_that_never_ends_lets_the_others_come_before_the_finish_reason() -> None:
    made = [event for event in THINKING_WITH_INTERLEAVED_CALLS if event != events.BlockFinished(3)]

    assert decode(encode(made)) == CALLS_ONE_BY_ONE


def test_a_call_that_ends_before_its_turn_is_whole_when_that_comes() -> None:
    made: list[events.Event] = [
        STARTED,
        events.BlockStarted(0, "tool_call", "a", "f"),
        events.BlockStarted(1, "tool_call", "b", "g"),
        events.ArgumentsDelta(1, "{}"),
        events.BlockFinished(1),
        events.BlockStarted(2, "tool_call", "c", "h"),
        events.ArgumentsDelta(0, "[]"),
    ]
    encoder = openai_chat.new_encoder(OPTIONS)
    waiting = b"".join(map(encoder.feed, made))
    rest = encoder.feed(events.BlockFinished(0)) + encoder.feed(events.ArgumentsDelta(2, "0"))

    assert [(b'"id":"%s"' % id_) in waiting for id_ in (b"a", b"b", b"c")] == [True, False, False]
    assert [re.findall(rb'"id":"(\w)"|"arguments":"([^"]+)"', data) for data in (waiting, rest)] == [
        [(b"a", b""), (b"", b"[]")],
        [(b"b", b""), (b"", b"{}"), (b"c", b""), (b"", b"0")],
    ]


@pytest.mark.parametrize("made", STREAMS.values(), ids=STREAMS.keys())
def test_every_chunk_is_valid_for_the_official_sdk(made: list[events.Event]) -> None:
    for chunk in chunks(encode(made)):
        ChatCompletionChunk.model_validate(chunk, strict=True)
        assert (chunk["id"], chunk["model"], chunk["created"]) == ("cs_1", "m", 7)


def test_the_chunks_of_an_answer() -> None:
    made: list[events.Event] = [
        STARTED,
        events.BlockStarted(0, "text"),
        events.TextDelta(0, "Hi"),
        events.BlockFinished(0),
        events.Finished(FinishReason.STOP_SEQUENCE, "stop_sequence"),
        events.UsageReported(USAGE),
        events.Ended(),
    ]
    *choices, last = chunks(encode(made))

    assert [chunk["choices"] for chunk in choices] == [
        [{"index": 0, "delta": {"role": "assistant", "content": None}, "logprobs": None, "finish_reason": None}],
        [{"index": 0, "delta": {"content": "Hi"}, "logprobs": None, "finish_reason": None}],
        [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}],
    ]
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == 10
    assert last["service_tier"] == "default"


def test_usage_is_only_for_those_who_ask() -> None:
    raw = encode(TWO_CHOICES, StreamOptions("cs_1", "m", 7, include_usage=False))

    assert all("usage" not in chunk for chunk in chunks(raw))


def test_each_choice_says_its_role_once() -> None:
    roles = [
        (choice["index"], choice["delta"]["role"])
        for chunk in chunks(encode(TWO_CHOICES))
        for choice in chunk["choices"]
        if "role" in choice["delta"]
    ]

    assert roles == [(0, "assistant"), (1, "assistant")]


def test_the_model_is_that_of_the_stream_when_none_is_given() -> None:
    raw = encode([events.Started("x", "served"), *SUMMARY[1:]], StreamOptions("cs_1", "", 7))

    assert {chunk["model"] for chunk in chunks(raw)} == {"served"}


@pytest.mark.parametrize(
    "event",
    [
        events.BlockStarted(0, "server_tool", origin="x"),
        events.CitationAdded(0, Citation()),
        events.Failed("Oops", "server_error"),
        events.Ended(),
    ],
    ids=["server tool", "citation without a url", "failure", "end"],
)
def test_what_has_no_word_here_is_silent(event: events.Event) -> None:
    assert openai_chat.new_encoder(OPTIONS).feed(event) == b""


SEAL = Opaque("gemini-generate", "signature", "s")
ITEM = {"data": "cs1.gemini-generate.signature.cw==", "format": "google-gemini-v1", "type": "reasoning.encrypted"}


def test_what_seals_a_call_from_its_start_comes_with_it() -> None:
    started = events.BlockStarted(4, "tool_call", "a", "f", opaque=SEAL)

    [chunk] = (json.loads_object(raw.data) for raw in sse.Parser().feed(openai_chat.new_encoder(OPTIONS).feed(started)))

    assert chunk["choices"][0]["delta"]["reasoning_details"] == [{**ITEM, "index": 4, "id": "a"}]
    assert chunk["choices"][0]["delta"]["tool_calls"][0]["id"] == "a"


def test_the_seal_of_a_call_that_waits_comes_in_its_turn() -> None:
    first, second = events.BlockStarted(0, "tool_call", "a", "f"), events.BlockStarted(1, "tool_call", "b", "f")
    second.opaque = SEAL
    made: list[events.Event] = [STARTED, first, second, events.ArgumentsDelta(1, "{}")]
    ends: list[events.Event] = [events.BlockFinished(1), events.BlockFinished(0)]

    shown = decode(encode([*made, *ends, events.Finished(FinishReason.TOOL_CALLS)]))

    assert events.BlockStarted(1, "tool_call", "b", "f", opaque=SEAL) in shown


def test_what_seals_a_text_comes_before_it() -> None:
    made: list[events.Event] = [STARTED, events.BlockStarted(1, "text", opaque=SEAL), events.TextDelta(1, "Hi")]

    deltas = [chunk["choices"][0]["delta"] for chunk in chunks(encode(made))]

    signed = {name: value for name, value in ITEM.items() if name != "data"} | {"type": "reasoning.text"}
    assert deltas[1:] == [{"reasoning_details": [{**signed, "signature": ITEM["data"], "index": 1}]}, {"content": "Hi"}]


def test_pictures_are_numbered_so_that_the_sdk_can_add_them_up() -> None:
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks(encode(PICTURES)) if chunk["choices"]]

    assert [delta["images"] for delta in deltas if "images" in delta] == [
        [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}, "index": 0}],
        [{"type": "image_url", "image_url": {"url": "https://e.org/a.png"}, "index": 1}],
    ]


def strict(name: str) -> ChatCompletionFunctionToolParam:
    """A tool whose arguments the SDK reads when it takes a call for complete."""
    return {"type": "function", "function": {"name": name, "parameters": {}, "strict": True}}


def test_the_sdks_helper_adds_the_stream_up_to_the_answer() -> None:
    raw = encode(THINKING_WITH_INTERLEAVED_CALLS)

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=raw)

    with (
        httpx2.Client(transport=httpx2.MockTransport(answer)) as http,
        openai.OpenAI(api_key="k", base_url="http://test", http_client=http) as client,
        client.chat.completions.stream(
            model="m", messages=[{"role": "user", "content": "Hi"}], tools=[strict("f"), strict("g")]
        ) as stream,
    ):
        final = stream.get_final_completion()

    message = final.choices[0].message
    calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()]
    assert calls == [("a", "f", "{}"), ("b", "g", "{}")]
    assert message.content == "Let me see"
    urls = [note.url_citation.url for note in message.annotations or ()]
    assert urls == ["https://e.org", "https://f.org"]
    assert final.usage is not None
    assert final.usage.completion_tokens == 5

    # What the SDK has added up comes back in the next request, opaque parts and all.
    returned = {"role": "assistant"} | message.model_dump(exclude_none=True)
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}, returned]}
    blocks = openai_chat.decode_request(body).messages[1].blocks
    sealed = [block.opaque for block in blocks if isinstance(block, (Reasoning, ToolCall)) and block.opaque]
    assert sealed == [
        SIGNATURE,
        Opaque("anthropic-messages", "redacted", "zz"),
        Opaque("gemini-generate", "signature", "th"),
    ]


@functools.cache
def recorded() -> dict[str, bytes]:
    if not CORPUS.is_file():
        return {}
    rows = [json.loads_object(line) for line in CORPUS.read_bytes().splitlines()]
    return {
        row["id"]: base64.b64decode(row["response_body_b64"])
        for row in rows
        if row["dialect"] == "openai-chat" and row["streaming"] and row["provider"] != "perplexity"
    }


CONTENT = (
    events.BlockStarted,
    events.BlockFinished,
    events.TextDelta,
    events.ReasoningDelta,
    events.ArgumentsDelta,
    events.OpaqueDelta,
)


@pytest.mark.skipif(not recorded(), reason=f"no corpus at {CORPUS}")
@pytest.mark.parametrize("id_", recorded())
def test_a_recorded_stream_survives_being_encoded(id_: str) -> None:
    made = decode(recorded()[id_])
    raw = encode(made)

    for chunk in chunks(raw):
        ChatCompletionChunk.model_validate(chunk, strict=True)
    assert [event for event in decode(raw) if isinstance(event, CONTENT)] == [
        event for event in made if isinstance(event, CONTENT)
    ]
