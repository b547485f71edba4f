from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from cohere import V2ChatStreamResponse
from cohere.core.unchecked_base_model import construct_type

from costspan.dialects import cohere_chat as dialect
from costspan.errors import Malformed
from costspan.ir import events
from costspan.ir.reply import FinishReason
from costspan.ir.request import Citation
from costspan.ir.usage import Usage
from costspan.wire import json, sse

if TYPE_CHECKING:
    from collections.abc import Iterable

GOLDEN = Path(__file__).parents[1] / "golden"

USAGE = {"billed_units": {"input_tokens": 7, "output_tokens": 5}, "tokens": {"input_tokens": 502, "output_tokens": 9}}
START = {"type": "message-start", "id": "a1", "delta": {"message": {"role": "assistant", "content": []}}}
END = {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": USAGE}}

OPENING: list[events.Event] = [events.Started("a1", "")]
CLOSING: list[events.Event] = [
    events.UsageReported(Usage({"input": 7, "output": 5})),
    events.Finished(FinishReason.STOP, "COMPLETE"),
    events.Ended(),
]


def value(kind: str, index: int | None = None, **message: Any) -> dict[str, Any]:
    told = {"type": kind} if index is None else {"type": kind, "index": index}
    return {**told, "delta": {"message": message}} if message else told


def said(index: int, *parts: str, kind: str = "text") -> list[dict[str, Any]]:
    return [
        value("content-start", index, content={"type": kind, kind: ""}),
        *(value("content-delta", index, content={kind: part}) for part in parts),
        value("content-end", index),
    ]


def called(index: int, id_: str, *parts: str) -> list[dict[str, Any]]:
    function = {"name": "f", "arguments": ""}
    return [
        value("tool-call-start", index, tool_calls={"id": id_, "type": "function", "function": function}),
        *(value("tool-call-delta", index, tool_calls={"function": {"arguments": part}}) for part in parts),
        value("tool-call-end", index),
    ]


def planned(*parts: str) -> list[dict[str, Any]]:
    return [value("tool-plan-delta", tool_plan=part) for part in parts]


def sent(*values: dict[str, Any]) -> bytes:
    return b"".join(sse.write(json.dumps(value), value["type"]) for value in values)


def decode(data: bytes, size: int = 1 << 20) -> list[events.Event]:
    parser, decoder = sse.Parser(), dialect.new_decoder()
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    found = [event for chunk in chunks for raw in parser.feed(chunk) for event in decoder.feed(raw)]
    decoder.close()
    return found


CITED = {"start": 0, "end": 2, "text": "Hi", "sources": [{"type": "document", "document": {"url": "https://a"}}]}
CITATION = Citation("https://a", start=0, end=2, origin="cohere-chat", raw=CITED)

BLOCKS: dict[str, tuple[list[dict[str, Any]], list[events.Event]]] = {
    "text": (
        said(0, "Hi", " there"),
        [
            events.BlockStarted(0, "text"),
            events.TextDelta(0, "Hi"),
            events.TextDelta(0, " there"),
            events.BlockFinished(0),
        ],
    ),
    "thinking and text": (
        [*said(0, "hm", kind="thinking"), *said(1, "so")],
        [
            events.BlockStarted(0, "reasoning"),
            events.ReasoningDelta(0, "hm"),
            events.BlockFinished(0),
            events.BlockStarted(1, "text"),
            events.TextDelta(1, "so"),
            events.BlockFinished(1),
        ],
    ),
    "two contents of one number": (
        [*said(0, "hm", kind="thinking"), *said(0, "so")],
        [
            events.BlockStarted(0, "reasoning"),
            events.ReasoningDelta(0, "hm"),
            events.BlockFinished(0),
            events.BlockStarted(1, "text"),
            events.TextDelta(1, "so"),
            events.BlockFinished(1),
        ],
    ),
    "a plan and two calls": (
        [*planned("I will", "", " look."), *called(0, "c1", '{"x":', "1}"), *called(1, "c2")],
        [
            events.BlockStarted(0, "text"),
            events.TextDelta(0, "I will"),
            events.TextDelta(0, " look."),
            events.BlockFinished(0),
            events.BlockStarted(1, "tool_call", "c1", "f"),
            events.ArgumentsDelta(1, '{"x":'),
            events.ArgumentsDelta(1, "1}"),
            events.BlockFinished(1),
            events.BlockStarted(2, "tool_call", "c2", "f"),
            events.ArgumentsDelta(2, "{}"),
            events.BlockFinished(2),
        ],
    ),
    "interleaved calls that nobody ends": (
        [
            called(0, "c1")[0],
            called(1, "c2")[0],
            called(1, "c2", "{}")[1],
            called(0, "c1", '{"a":2}')[1],
        ],
        [
            events.BlockStarted(0, "tool_call", "c1", "f"),
            events.BlockStarted(1, "tool_call", "c2", "f"),
            events.ArgumentsDelta(1, "{}"),
            events.ArgumentsDelta(0, '{"a":2}'),
            events.BlockFinished(0),
            events.BlockFinished(1),
        ],
    ),
    "a call of the number of one that did not end": (
        [called(0, "c1")[0], *called(0, "c2")],
        [
            events.BlockStarted(0, "tool_call", "c1", "f"),
            events.ArgumentsDelta(0, "{}"),
            events.BlockFinished(0),
            events.BlockStarted(1, "tool_call", "c2", "f"),
            events.ArgumentsDelta(1, "{}"),
            events.BlockFinished(1),
        ],
    ),
    "a call in a list, whole at its start": (
        [value("tool-call-start", 0, tool_calls=[{"function": {"name": "f", "arguments": '{"x":1}'}}])],
        [
            events.BlockStarted(0, "tool_call", "call_0", "f"),
            events.ArgumentsDelta(0, '{"x":1}'),
            events.BlockFinished(0),
        ],
    ),
    "a citation amid the text and one after it": (
        [
            *said(0, "Hi")[:2],
            value("citation-start", 0, citations=CITED),
            value("citation-end", 0),
            value("content-end", 0),
            value("citation-start", 1, citations=[CITED]),
        ],
        [
            events.BlockStarted(0, "text"),
            events.TextDelta(0, "Hi"),
            events.CitationAdded(0, CITATION),
            events.CitationAdded(0, CITATION),
            events.BlockFinished(0),
        ],
    ),
    "a delta without a start": (
        [value("content-delta", 0, content={"text": "Hi"}), value("content-delta", 1, content={"thinking": "hm"})],
        [
            events.BlockStarted(0, "text"),
            events.TextDelta(0, "Hi"),
            events.BlockFinished(0),
            events.BlockStarted(1, "reasoning"),
            events.ReasoningDelta(1, "hm"),
            events.BlockFinished(1),
        ],
    ),
    "log probabilities": (
        [
            *said(0)[:1],
            {
                **value("content-delta", 0, content={"text": "Hi"}),
                "logprobs": {"text": "Hi", "token_ids": [1], "logprobs": [-0.5]},
            },
        ],
        [
            events.BlockStarted(0, "text"),
            events.TextDelta(0, "Hi"),
            events.LogprobsAdded(
                {"content": [{"token": "Hi", "logprob": -0.5, "bytes": None, "top_logprobs": []}], "refusal": None}
            ),
            events.BlockFinished(0),
        ],
    ),
    "what is not known": (
        [
            value("content-start", 0, content={"type": "image"}),
            value("mood-swing"),
            value("mood-swing"),
            {"type": "debug", "prompt": "<BOS>"},
        ],
        [events.Unread("content.image"), events.Unread("mood-swing")],
    ),
}


@pytest.mark.parametrize("size", [1, 2, 7, 1 << 20])
@pytest.mark.parametrize(("values", "expected"), BLOCKS.values(), ids=BLOCKS.keys())
def test_blocks(values: list[dict[str, Any]], expected: list[events.Event], size: int) -> None:
    assert decode(sent(START, *values, END), size) == [*OPENING, *expected, *CLOSING]


def test_citations_find_their_block() -> None:
    """The plan's, the content's that is named, and those of thinking, which have no place."""
    found = decode(
        sent(
            START,
            *said(0, "hm", kind="thinking"),
            *said(1, "one"),
            *said(2, "two"),
            *planned("plan"),
            *(
                value("citation-start", 0, citations={"type": kind, "content_index": index, "sources": []})
                for kind, index in [("TEXT_CONTENT", 1), ("TEXT_CONTENT", 9), ("PLAN", None), ("THINKING_CONTENT", 0)]
            ),
            END,
        )
    )

    assert [event.index for event in found if isinstance(event, events.CitationAdded)] == [1, 2, 3]
    assert [event.name for event in found if isinstance(event, events.Unread)] == ["citations"]


@pytest.mark.parametrize("found", [CITED, "odd", None, {"type": "PLAN"}])
def test_a_citation_of_nothing_is_told(found: Any) -> None:
    assert events.Unread("citations") in decode(sent(START, value("citation-start", 0, citations=found or "x"), END))


def test_a_done_marker_may_follow_and_need_not() -> None:
    data = sent(START, *said(0, "Hi"), END)

    assert decode(data + b"data: [DONE]\n\n") == decode(data)


def test_events_are_known_by_their_name_too() -> None:
    unnamed = b"".join(sse.write(json.dumps(one)) for one in (START, *said(0, "Hi"), END))
    untyped = b"".join(
        sse.write(json.dumps({k: v for k, v in one.items() if k != "type"}), one["type"])
        for one in (START, *said(0, "Hi"), END)
    )

    assert decode(unnamed) == decode(untyped) == decode(sent(START, *said(0, "Hi"), END))


@pytest.mark.parametrize(
    ("end", "failed"),
    [
        ({"finish_reason": "ERROR", "error": "out of luck"}, events.Failed("out of luck", "server_error")),
        ({"finish_reason": "ERROR"}, events.Failed("the provider gave up on the answer", "server_error")),
        ({"finish_reason": "TIMEOUT"}, events.Failed("the provider gave up on the answer", "timeout")),
        ({"error": "odd"}, events.Failed("odd", "server_error")),
    ],
)
def test_an_answer_that_the_provider_gave_up_on_fails_with_its_bill(end: dict[str, Any], failed: events.Failed) -> None:
    decoder = dialect.new_decoder()
    values = [START, {"type": "message-end", "delta": {**end, "usage": USAGE}}]

    found = [event for raw in sse.Parser().feed(sent(*values)) for event in decoder.feed(raw)]

    assert found[-1] == failed
    assert decoder.usage == Usage({"input": 7, "output": 5})
    assert not decoder.ended
    with pytest.raises(Malformed):
        decoder.close()


@pytest.mark.parametrize("name", ["", "error"])
def test_an_error_in_the_middle_fails(name: str) -> None:
    raw = sse.Event(name, b'{"id":"e1","message":"internal error"}')

    assert list(dialect.new_decoder().feed(raw)) == [events.Failed("internal error", "server_error")]


def test_an_end_that_says_nothing_is_an_end() -> None:
    assert decode(sent(START, {"type": "message-end"})) == [
        *OPENING,
        events.Finished(FinishReason.OTHER),
        events.Ended(),
    ]


def test_what_the_end_holds_beyond_is_told() -> None:
    end = {"type": "message-end", "delta": {**END["delta"], "mood": "calm"}}  # type: ignore[dict-item] # - a literal

    assert events.Unread("mood") in decode(sent(START, end))


def test_every_prefix_is_malformed() -> None:
    found = list(sse.Parser().feed(sent(START, *planned("p"), *called(0, "c", "{}"), END)))
    for length in range(len(found)):
        decoder = dialect.new_decoder()
        for raw in found[:length]:
            list(decoder.feed(raw))
        with pytest.raises(Malformed):
            decoder.close()


ODD: list[Any] = [None, True, -1, "x", [], {}, [None], {"type": ["x"]}, {"message": {"content": {"type": []}}}]


def mangled() -> Iterable[dict[str, Any]]:
    """Each known event with something odd in each place."""
    for odd in ODD:
        for one in (START, *said(0, "Hi"), *planned("p"), *called(0, "c", "{}"), END):
            for name in one:
                yield {**one, name: odd}
        for kind in ("content-delta", "tool-call-start", "tool-call-delta", "tool-plan-delta", "citation-start"):
            for name in ("content", "tool_calls", "tool_plan", "citations"):
                yield value(kind, **{name: odd})
        yield {"type": "message-end", "delta": {"finish_reason": odd, "usage": odd, "error": odd}}
        yield {"type": "citation-start", "delta": {"message": {"citations": {"content_index": odd, "sources": odd}}}}


def test_nothing_odd_breaks_a_stream() -> None:
    for one in mangled():
        decoder = dialect.new_decoder()
        list(decoder.feed(sse.Event("", json.dumps(START))))
        list(decoder.feed(sse.Event("", json.dumps(one))))
    for odd in ODD:
        assert list(dialect.new_decoder().feed(sse.Event("", json.dumps(odd)))) == []


def test_what_is_no_json_is_malformed() -> None:
    with pytest.raises(Malformed):
        list(dialect.new_decoder().feed(sse.Event("", b"{")))


STREAMS = sorted(GOLDEN.glob("*/cohere-chat.stream.txt"))


@pytest.mark.parametrize("path", STREAMS, ids=[path.parent.name for path in STREAMS])
def test_the_golden_streams_are_what_the_official_sdk_reads(path: Path) -> None:
    for raw in sse.Parser().feed(path.read_bytes()):
        read: Any = construct_type(type_=cast("Any", V2ChatStreamResponse), object_=json.loads(raw.data))

        assert type(read).__name__.endswith("V2ChatStreamResponse")
        assert read.type == raw.name
