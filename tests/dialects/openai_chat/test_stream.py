from __future__ import annotations

import base64
import functools
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from costspan.dialects import openai_chat
from costspan.dialects.openai_chat.stream import Decoder
from costspan.dialects.types import Profile
from costspan.errors import Malformed
from costspan.ir import events
from costspan.ir.reply import FinishReason
from costspan.ir.request import Block, Citation, Media, Opaque, Reasoning, Text, ToolCall
from costspan.wire import json, sse

ROOT = Path(__file__).parents[3]
CORPUS = Path(os.environ.get("COSTSPAN_CORPUS", ROOT.parent / "shared" / "corpus" / "recorded.jsonl"))

PROFILES = {
    "xai": Profile(name="xai", quirks=frozenset({"reasoning_outside_completion"})),
    "perplexity": Profile(name="perplexity", quirks=frozenset({"ends_without_done"})),
}


@functools.cache
def recorded() -> dict[str, dict[str, Any]]:
    if not CORPUS.is_file():
        return {}
    rows = map(json.loads_object, CORPUS.read_bytes().splitlines())
    return {row["id"]: row for row in rows if row["dialect"] in {"openai-chat", "mistral"} and row["status"] == 200}


STREAMS = [id_ for id_, row in recorded().items() if row["streaming"]]
REPLIES = [id_ for id_, row in recorded().items() if not row["streaming"]]
NEEDS_CORPUS = pytest.mark.skipif(not recorded(), reason=f"no corpus at {CORPUS}")


def profile_of(row: dict[str, Any]) -> Profile:
    return PROFILES.get(row["provider"], Profile())


def decode(raw: bytes, size: int = 1_000_000, profile: Profile | None = None) -> list[events.Event]:
    parser, decoder = sse.Parser(), Decoder(profile or Profile())
    chunks = [raw[start : start + size] for start in range(0, len(raw), size)]
    decoded = [made for chunk in chunks for event in parser.feed(chunk) for made in decoder.feed(event)]
    decoder.close()
    return decoded


def chunk(delta: Any = None, *, finish: Any = None, index: int = 0, **more: Any) -> bytes:
    choice = {"index": index, "delta": {} if delta is None else delta, "finish_reason": finish}
    body = {"id": "c1", "model": "m", "created": 7, "choices": [choice]} | more
    return sse.write(json.dumps(body))


DONE = b"data: [DONE]\n\n"
STARTED = events.Started("c1", "m", 7)


def stop(index: int) -> list[events.Event]:
    return [events.BlockFinished(index), events.Finished(FinishReason.STOP, "stop"), events.Ended()]


def call(**fields: Any) -> dict[str, Any]:
    return {"tool_calls": [fields]}


CASES: dict[str, tuple[bytes, list[events.Event]]] = {
    "role-only and empty deltas are not content": (
        chunk({"role": "assistant", "content": ""}) + chunk({"content": "Hi"}) + chunk(finish="stop") + DONE,
        [STARTED, events.BlockStarted(0, "text"), events.TextDelta(0, "Hi"), *stop(0)],
    ),
    "reasoning, then text": (
        chunk({"reasoning_content": "Hm"}) + chunk({"content": "Hi", "reasoning": None}) + chunk(finish="stop") + DONE,
        [
            STARTED,
            events.BlockStarted(0, "reasoning"),
            events.ReasoningDelta(0, "Hm"),
            events.BlockFinished(0),
            events.BlockStarted(1, "text"),
            events.TextDelta(1, "Hi"),
            *stop(1),
        ],
    ),
    "reasoning given twice is read once": (
        chunk(
            {
                "reasoning": "Hm",
                "reasoning_details": [{"type": "reasoning.text", "text": "Hm", "index": 0, "format": "unknown"}],
            }
        )
        + chunk({"reasoning_details": [{"type": "reasoning.text", "signature": "cs1.x.signature.c2ln", "index": 0}]})
        + chunk(finish="stop")
        + DONE,
        [
            STARTED,
            events.BlockStarted(0, "reasoning"),
            events.ReasoningDelta(0, "Hm"),
            events.OpaqueDelta(0, Opaque("x", "signature", "sig")),
            *stop(0),
        ],
    ),
    "tool calls interleave and stay open": (
        chunk(call(index=0, id="a", function={"name": "f", "arguments": ""}))
        + chunk(call(index=1, id="b", function={"name": "g", "arguments": "{"}))
        + chunk(call(index=0, id="a", function={"arguments": "{}"}))
        + chunk(call(index=1, function={"arguments": "}"}))
        + chunk(finish="stop")
        + DONE,
        [
            STARTED,
            events.BlockStarted(0, "tool_call", "a", "f"),
            events.BlockStarted(1, "tool_call", "b", "g"),
            events.ArgumentsDelta(1, "{"),
            events.ArgumentsDelta(0, "{}"),
            events.ArgumentsDelta(1, "}"),
            events.BlockFinished(0),
            events.BlockFinished(1),
            events.Finished(FinishReason.TOOL_CALLS, "stop"),
            events.Ended(),
        ],
    ),
    "tool calls without an index": (
        chunk(call(id="a", function={"name": "f", "arguments": "{"}))
        + chunk(call(function={"arguments": "}"}))
        + chunk(call(id="b", function={"name": "f", "arguments": {"x": 1}}))
        + chunk(finish="tool_calls")
        + DONE,
        [
            STARTED,
            events.BlockStarted(0, "tool_call", "a", "f"),
            events.ArgumentsDelta(0, "{"),
            events.ArgumentsDelta(0, "}"),
            events.BlockStarted(1, "tool_call", "b", "f"),
            events.ArgumentsDelta(1, '{"x":1}'),
            events.BlockFinished(0),
            events.BlockFinished(1),
            events.Finished(FinishReason.TOOL_CALLS, "tool_calls"),
            events.Ended(),
        ],
    ),
    "tool calls that all have index 0": (
        chunk(call(index=0, id="a", function={"name": "f", "arguments": "{}"}))
        + chunk(call(index=0, id="b", function={"name": "f", "arguments": "{}"}))
        + chunk(finish="tool_calls")
        + DONE,
        [
            STARTED,
            events.BlockStarted(0, "tool_call", "a", "f"),
            events.ArgumentsDelta(0, "{}"),
            events.BlockStarted(1, "tool_call", "b", "f"),
            events.ArgumentsDelta(1, "{}"),
            events.BlockFinished(0),
            events.BlockFinished(1),
            events.Finished(FinishReason.TOOL_CALLS, "tool_calls"),
            events.Ended(),
        ],
    ),
    "an opaque part with a call's id is the call's": (
        chunk(
            call(index=0, id="a", function={"name": "f", "arguments": "{}"})
            | {"reasoning_details": [{"type": "reasoning.encrypted", "id": "a", "data": "cs1.x.signature.c2ln"}]}
        )
        + chunk(finish="tool_calls")
        + DONE,
        [
            STARTED,
            events.BlockStarted(0, "tool_call", "a", "f", opaque=Opaque("x", "signature", "sig")),
            events.ArgumentsDelta(0, "{}"),
            events.BlockFinished(0),
            events.Finished(FinishReason.TOOL_CALLS, "tool_calls"),
            events.Ended(),
        ],
    ),
    "an opaque part that comes after its call": (
        chunk(call(index=0, id="a", function={"name": "f", "arguments": "{}"}))
        + chunk({"reasoning_details": [{"type": "reasoning.encrypted", "id": "a", "data": "cs1.x.signature.c2ln"}]})
        + chunk(finish="tool_calls")
        + DONE,
        [
            STARTED,
            events.BlockStarted(0, "tool_call", "a", "f"),
            events.ArgumentsDelta(0, "{}"),
            events.OpaqueDelta(0, Opaque("x", "signature", "sig")),
            events.BlockFinished(0),
            events.Finished(FinishReason.TOOL_CALLS, "tool_calls"),
            events.Ended(),
        ],
    ),
    "pictures": (
        chunk({"content": "a", "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]})
        + chunk({"content": [{"type": "image_url", "image_url": {"url": "https://e.org/a"}}, {"type": "odd"}]})
        + chunk(finish="stop")
        + DONE,
        [
            STARTED,
            events.BlockStarted(0, "text"),
            events.TextDelta(0, "a"),
            events.BlockFinished(0),
            events.BlockStarted(1, "media", media=Media("image", "image/png", data="AA==")),
            events.BlockFinished(1),
            events.BlockStarted(2, "media", media=Media("image", url="https://e.org/a")),
            events.BlockFinished(2),
            events.Unread("content.odd"),
            events.Finished(FinishReason.STOP, "stop"),
            events.Ended(),
        ],
    ),
    "several choices": (
        chunk({"content": "a"})
        + chunk({"content": "b"}, index=1)
        + chunk(finish="stop")
        + chunk(finish="length", index=1)
        + DONE,
        [
            STARTED,
            events.BlockStarted(0, "text"),
            events.TextDelta(0, "a"),
            events.BlockStarted(0, "text", choice=1),
            events.TextDelta(0, "b", 1),
            events.BlockFinished(0),
            events.Finished(FinishReason.STOP, "stop"),
            events.BlockFinished(0, 1),
            events.Finished(FinishReason.LENGTH, "length", choice=1),
            events.Ended(),
        ],
    ),
    "a finish reason said twice": (
        chunk({"content": "a"}) + chunk({"content": ""}, finish="stop") + chunk({"content": ""}, finish="stop") + DONE,
        [STARTED, events.BlockStarted(0, "text"), events.TextDelta(0, "a"), *stop(0)],
    ),
    "refusal": (
        chunk({"refusal": "No"}) + chunk(finish="stop") + DONE,
        [STARTED, events.BlockStarted(0, "refusal"), events.TextDelta(0, "No"), *stop(0)],
    ),
    "citation": (
        chunk({"content": "a"})
        + chunk(
            {
                "annotations": [
                    {
                        "type": "url_citation",
                        "url_citation": {"url": "https://e.org", "title": "E", "start_index": 0, "end_index": 1},
                    }
                ]
            }
        )
        + chunk(finish="stop")
        + DONE,
        [
            STARTED,
            events.BlockStarted(0, "text"),
            events.TextDelta(0, "a"),
            events.CitationAdded(0, Citation("https://e.org", "E", None, 0, 1)),
            *stop(0),
        ],
    ),
    "sources beside the choices, in every chunk": (
        chunk({"content": "a"}, citations=["https://e.org"])
        + chunk({"content": "b"}, finish="stop", citations=["https://e.org"])
        + DONE,
        [
            STARTED,
            events.BlockStarted(0, "text"),
            events.TextDelta(0, "a"),
            events.TextDelta(0, "b"),
            events.CitationAdded(0, Citation("https://e.org")),
            *stop(0),
        ],
    ),
    "content parts with thinking": (
        chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]})
        + chunk({"content": [{"type": "text", "text": "Hi"}]})
        + chunk(finish="stop")
        + DONE,
        [
            STARTED,
            events.BlockStarted(0, "reasoning"),
            events.ReasoningDelta(0, "Hm"),
            events.BlockFinished(0),
            events.BlockStarted(1, "text"),
            events.TextDelta(1, "Hi"),
            *stop(1),
        ],
    ),
    "legacy function call": (
        chunk({"function_call": {"name": "f", "arguments": "{"}})
        + chunk({"function_call": {"arguments": "}"}})
        + chunk(finish="function_call")
        + DONE,
        [
            STARTED,
            events.BlockStarted(0, "tool_call", "call_363c7e4f7f1f3264aae3f58b", "f"),
            events.ArgumentsDelta(0, "{"),
            events.ArgumentsDelta(0, "}"),
            events.BlockFinished(0),
            events.Finished(FinishReason.TOOL_CALLS, "function_call"),
            events.Ended(),
        ],
    ),
    "azure's first chunk without id and choices": (
        sse.write(b'{"choices":[],"id":"","model":"","created":0}') + chunk(finish="weird") + DONE,
        [STARTED, events.Finished(FinishReason.OTHER, "weird"), events.Ended()],
    ),
}


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize(("raw", "expected"), CASES.values(), ids=CASES.keys())
def test_a_stream_is_decoded_whatever_its_chunking(raw: bytes, expected: list[events.Event], size: int) -> None:
    assert decode(raw, size) == expected


ERRORS: dict[str, tuple[bytes, events.Failed]] = {
    "openrouter": (
        b'{"error":{"code":429,"message":"Rate limit exceeded"},"choices":[{"finish_reason":"error"}]}',
        events.Failed("Rate limit exceeded", "rate_limit"),
    ),
    "code as text": (
        b'{"error":{"code":"server_error","message":"Oops"}}',
        events.Failed("Oops", "server_error", "server_error"),
    ),
    "text only": (b'{"error":"Oops"}', events.Failed("Oops", "server_error")),
    "list": (b'[{"error":{"code":503,"message":"Busy"}}]', events.Failed("Busy", "overloaded")),
    "vllm": (
        b'{"object":"error","message":"Over the maximum context length","code":400}',
        events.Failed("Over the maximum context length", "context_length"),
    ),
}


@pytest.mark.parametrize(("data", "expected"), ERRORS.values(), ids=ERRORS.keys())
def test_an_error_in_the_stream_is_a_failure_with_its_category(data: bytes, expected: events.Failed) -> None:
    assert list(Decoder().feed(sse.Event("", data))) == [expected]


def test_a_stream_without_done_is_cut_off() -> None:
    with pytest.raises(Malformed):
        decode(chunk({"content": "Hi"}) + chunk(finish="stop"))


def test_a_host_that_sends_no_done_is_complete_with_its_finish_reasons() -> None:
    decode(chunk({"content": "Hi"}) + chunk(finish="stop"), profile=PROFILES["perplexity"])

    with pytest.raises(Malformed):
        decode(chunk({"content": "Hi"}), profile=PROFILES["perplexity"])


def usage_chunk(prompt: int, completion: int) -> bytes:
    report = {"prompt_tokens": prompt, "completion_tokens": completion}
    return sse.write(json.dumps({"id": "c1", "choices": [], "usage": report}))


def test_usage_reports_are_cumulative_and_the_last_one_counts() -> None:
    decoder = Decoder()
    for event in sse.Parser().feed(usage_chunk(5, 1) + usage_chunk(5, 3) + usage_chunk(5, 3)):
        list(decoder.feed(event))

    assert decoder.usage is not None
    assert (decoder.usage.tokens, decoder.usage.inconsistent) == ({"input": 5, "output": 3}, False)


def test_a_lower_later_total_wins_and_is_flagged() -> None:
    decoder = Decoder()
    for event in sse.Parser().feed(usage_chunk(5, 3) + usage_chunk(5, 0)):
        list(decoder.feed(event))

    assert decoder.usage is not None
    assert (decoder.usage.tokens, decoder.usage.inconsistent) == ({"input": 5, "output": 0}, True)


def test_an_event_that_is_not_json_is_malformed() -> None:
    with pytest.raises(Malformed):
        list(Decoder().feed(sse.Event("", b"{")))


@NEEDS_CORPUS
@pytest.mark.parametrize("id_", STREAMS)
def test_recorded_streams_do_not_depend_on_chunking(id_: str) -> None:
    row = recorded()[id_]
    raw = base64.b64decode(row["response_body_b64"])
    whole = decode(raw, profile=profile_of(row))

    assert [type(made) for made in whole if isinstance(made, events.Started)] == [events.Started]
    assert decode(raw, 7, profile_of(row)) == whole
    assert decode(raw, 1, profile_of(row)) == whole


@NEEDS_CORPUS
@pytest.mark.parametrize("id_", STREAMS)
def test_recorded_streams_give_usage_finish_and_end_by_their_marked_events_alone(id_: str) -> None:
    row = recorded()[id_]
    raw = base64.b64decode(row["response_body_b64"])
    whole, marked = Decoder(profile_of(row)), Decoder(profile_of(row))
    seen: list[list[events.Event]] = [[], []]
    for event in sse.Parser().feed(raw):
        seen[0] += whole.feed(event)
        if any(marker in event.data for marker in openai_chat.MARKERS):
            seen[1] += marked.feed(event)
    finishes = [[made.native for made in some if isinstance(made, events.Finished)] for some in seen]

    assert (marked.usage, marked.ended, finishes[1]) == (whole.usage, whole.ended, finishes[0])
    assert finishes[0] == row["finish"]


@NEEDS_CORPUS
@pytest.mark.parametrize("id_", STREAMS)
def test_every_prefix_of_a_recorded_stream_closes_with_a_clear_error(id_: str) -> None:
    row = recorded()[id_]
    parsed = list(sse.Parser().feed(base64.b64decode(row["response_body_b64"])))
    decoder = Decoder(profile_of(row))
    for event in parsed[:-1]:
        list(decoder.feed(event))
        if not any(blocks.finished for blocks in decoder._choices.values()):
            with pytest.raises(Malformed):
                decoder.close()


@NEEDS_CORPUS
@pytest.mark.parametrize("id_", STREAMS)
def test_blocks_of_recorded_streams_are_paired_and_dense(id_: str) -> None:
    row = recorded()[id_]
    open_: set[tuple[int, int]] = set()
    count = 0
    for made in decode(base64.b64decode(row["response_body_b64"]), profile=profile_of(row)):
        match made:
            case events.BlockStarted(index=index, choice=choice):
                assert index == count
                count += 1
                open_.add((choice, index))
            case events.BlockFinished(index=index, choice=choice):
                open_.remove((choice, index))
            case events.TextDelta() | events.ReasoningDelta() | events.ArgumentsDelta():
                assert (made.choice, made.index) in open_
            case _:
                pass
    assert not open_


def fold(made: list[events.Event]) -> list[Block]:
    """The blocks of a stream with one choice, as a whole answer would have them."""
    blocks: dict[int, Block] = {}
    for event in made:
        match event:
            case events.BlockStarted(kind="text"):
                blocks[event.index] = Text("")
            case events.BlockStarted(kind="reasoning"):
                blocks[event.index] = Reasoning()
            case events.BlockStarted(kind="tool_call"):
                blocks[event.index] = ToolCall(event.id, event.name, "")
            case events.TextDelta() | events.ReasoningDelta():
                block = blocks[event.index]
                assert isinstance(block, (Text, Reasoning))
                blocks[event.index] = replace(block, text=block.text + event.text)
            case events.ArgumentsDelta():
                call_ = blocks[event.index]
                assert isinstance(call_, ToolCall)
                blocks[event.index] = replace(call_, arguments=call_.arguments + event.json)
            case _:
                pass
    return list(blocks.values())


def test_a_stream_adds_up_to_the_equivalent_answer() -> None:
    raw = (
        chunk({"role": "assistant", "reasoning": "H"})
        + chunk({"reasoning": "m"})
        + chunk({"content": "Let me "})
        + chunk({"content": "see"})
        + chunk(call(index=0, id="a", function={"name": "f", "arguments": '{"x"'}))
        + chunk(call(index=1, id="b", function={"name": "g", "arguments": "{}"}))
        + chunk(call(index=0, function={"arguments": ":1.0}"}))
        + chunk(finish="tool_calls")
        + DONE
    )
    message = {
        "role": "assistant",
        "reasoning": "Hm",
        "content": "Let me see",
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1.0}'}},
            {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
        ],
    }
    reply = openai_chat.decode_reply({"id": "c1", "choices": [{"message": message, "finish_reason": "tool_calls"}]})

    assert fold(decode(raw)) == list(reply.choices[0].blocks)


@NEEDS_CORPUS
@pytest.mark.parametrize("id_", STREAMS)
def test_recorded_streams_add_up_to_text_or_valid_calls(id_: str) -> None:
    row = recorded()[id_]
    blocks = fold(decode(base64.b64decode(row["response_body_b64"]), profile=profile_of(row)))

    assert any(isinstance(block, (Text, ToolCall)) for block in blocks)
    for block in blocks:
        if isinstance(block, ToolCall):
            assert block.id
            assert block.name
            json.loads_object(block.arguments)


@NEEDS_CORPUS
@pytest.mark.parametrize("id_", [*STREAMS, *REPLIES])
def test_recorded_usage_adds_up_to_the_providers_totals(id_: str) -> None:
    row = recorded()[id_]
    if row["streaming"]:
        decoder = Decoder(profile_of(row))
        for event in sse.Parser().feed(base64.b64decode(row["response_body_b64"])):
            list(decoder.feed(event))
        usage = decoder.usage
    else:
        usage = openai_chat.read_usage(row["response_json"], profile_of(row))
    if row["usage"] is None:
        assert usage is None
        return
    assert usage is not None
    reported = row["usage"]
    reasoning = reported.get("completion_tokens_details", {}).get("reasoning_tokens", 0)
    outside = reasoning if row["provider"] == "xai" else 0
    assert not usage.inconsistent
    assert usage.prompt_tokens == reported["prompt_tokens"]
    assert usage.completion_tokens == reported["completion_tokens"] + outside
    assert usage.prompt_tokens + usage.completion_tokens == reported["total_tokens"]
    assert usage.tokens.get("reasoning", 0) == reasoning
