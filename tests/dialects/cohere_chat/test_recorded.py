"""Laws, held against recorded traffic. The recordings are not ours to ship: skipped where they are missing."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from costspan.dialects import cohere_chat as dialect
from costspan.dialects.openai_chat import decode_request
from costspan.errors import Malformed
from costspan.ir.fold import fold
from costspan.ir.reply import FinishReason
from costspan.ir.request import Text, ToolCall
from costspan.wire import json, sse

if TYPE_CHECKING:
    from costspan.ir import events

CORPUS = Path(
    os.environ.get("COSTSPAN_CORPUS", str(Path(__file__).parents[3].parent / "shared" / "corpus" / "recorded.jsonl"))
)


def recorded() -> list[dict[str, Any]]:
    if not CORPUS.is_file():
        return []
    rows = [json.loads_object(line) for line in CORPUS.read_bytes().splitlines()]
    return [row for row in rows if row["dialect"] == "cohere"]


ROWS = recorded()
pytestmark = pytest.mark.skipif(not ROWS, reason=f"no recorded traffic at {CORPUS}")

STREAMS = {row["id"]: base64.b64decode(row["response_body_b64"]) for row in ROWS if row["framing"] == "sse"}
REPLIES = {
    row["id"]: row["response_json"] or json.loads_object(base64.b64decode(row["response_body_b64"]))
    for row in ROWS
    if row["framing"] == "json"
}
REPORTS = {row["id"]: row["usage"] for row in ROWS}
FINISH = {"COMPLETE": FinishReason.STOP, "TOOL_CALL": FinishReason.TOOL_CALLS}


def decode(data: bytes, size: int = 1 << 20) -> list[events.Event]:
    parser, decoder = sse.Parser(), dialect.new_decoder()
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    found = [event for chunk in chunks for raw in parser.feed(chunk) for event in decoder.feed(raw)]
    decoder.close()
    return found


def test_the_corpus_holds_what_these_tests_are_about() -> None:
    assert (len(STREAMS), len(REPLIES)) == (2, 2)


@pytest.mark.parametrize("name", [row["id"] for row in ROWS])
def test_the_bill_is_what_was_billed_and_nothing_goes_unread(name: str) -> None:
    reply = fold(decode(STREAMS[name])) if name in STREAMS else dialect.decode_reply(REPLIES[name])

    billed = REPORTS[name]["billed_units"]
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == billed["input_tokens"]
    assert reply.usage.completion_tokens == billed["output_tokens"]
    assert not reply.usage.inconsistent
    assert reply.unread == frozenset()


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_the_answer_ends_for_the_reason_that_was_given(row: dict[str, Any]) -> None:
    reply = fold(decode(STREAMS[row["id"]])) if row["id"] in STREAMS else dialect.decode_reply(REPLIES[row["id"]])

    assert [choice.finish for choice in reply.choices] == [FINISH[native] for native in row["finish"]]
    assert [choice.native for choice in reply.choices] == row["finish"]


def test_the_plan_is_said_before_the_call() -> None:
    (data,) = (data for name, data in STREAMS.items() if "streaming_tools" in name)

    assert fold(decode(data)).choices[0].blocks == (
        Text("I will use the subtract tool to calculate 2 - 5."),
        ToolCall("call_REDACTED_1", "subtract", '{"x": 2, "y": 5}'),
    )


@pytest.mark.parametrize("name", STREAMS)
def test_the_cuts_between_chunks_do_not_matter(name: str) -> None:
    data = STREAMS[name]
    whole = decode(data)

    for size in (1, 7, 100, 1000):
        assert decode(data, size) == whole


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_without_its_end_is_malformed(name: str) -> None:
    head, _, _ = STREAMS[name].partition(b"event: message-end")

    with pytest.raises(Malformed):
        decode(head)


@pytest.mark.parametrize("name", STREAMS)
def test_a_glance_at_the_marked_events_sees_the_bill(name: str) -> None:
    decoder = dialect.new_decoder()
    marked = [raw for raw in sse.Parser().feed(STREAMS[name]) if any(mark in raw.data for mark in dialect.MARKERS)]
    for raw in marked:
        list(decoder.feed(raw))
    decoder.close()

    assert len(marked) == 1
    assert decoder.usage == fold(decode(STREAMS[name])).usage


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_an_openai_client_asks_as_the_recorded_one_did(row: dict[str, Any]) -> None:
    """The recorded requests, in the words of OpenAI, come out as they were, but for what says nothing."""
    asked = row["request_body"]
    theirs = {k: v for k, v in asked.items() if v not in ([], False)}
    ours = {**theirs, "tool_choice": "required"} if "tool_choice" in asked else theirs

    encoded = dialect.encode_request(decode_request(ours))

    sent = json.loads_object(encoded.body)
    assert [plain(message) for message in sent.pop("messages")] == [
        plain(message) for message in theirs.pop("messages")
    ]
    assert sent == theirs
    assert encoded.losses == ()


def plain(message: dict[str, Any]) -> tuple[str, str]:
    content = message["content"]
    text = content if isinstance(content, str) else "".join(part["text"] for part in content)
    return message["role"], text
