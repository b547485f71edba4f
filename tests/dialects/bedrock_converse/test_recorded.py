"""Recorded answers of Bedrock, from its frames to what a client of another dialect reads."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from costspan.dialects import CLIENT_DIALECTS
from costspan.dialects import bedrock_converse as dialect
from costspan.errors import Category
from costspan.ir.fold import fold
from costspan.ir.reply import FinishReason
from costspan.ir.request import Text, ToolCall
from costspan.wire import json, sse
from costspan.wire.event_stream import Reframer
from fakes.corpus import CORPUS, MISSING

if TYPE_CHECKING:
    from costspan.ir.reply import Reply


def recorded() -> dict[str, dict[str, Any]]:
    lines = map(json.loads_object, CORPUS.read_bytes().splitlines() if CORPUS.is_file() else ())
    return {row["id"]: row for row in lines if row["dialect"] == dialect.NAME}


ROWS = recorded()
STREAMS = {name: row for name, row in ROWS.items() if row["framing"] == "aws-eventstream"}
ANSWERS = {name: row for name, row in ROWS.items() if row["framing"] == "json" and row["status"] == 200}
pytestmark = pytest.mark.skipif(not ROWS, reason=MISSING)


def streamed(raw: bytes, *, size: int | None = None) -> Reply:
    reframer, parser, decoder = Reframer(unwrap=False), sse.Parser(), dialect.new_decoder()
    step = size or len(raw)
    chunks = [raw[i : i + step] for i in range(0, len(raw), step)]
    data = [event for chunk in chunks for event in parser.feed(reframer.feed(chunk))]
    found = [event for raw_event in data for event in decoder.feed(raw_event)]
    reframer.finish()
    decoder.close()
    return fold(found)


def told(reply: Reply, row: dict[str, Any]) -> None:
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == row["usage"]["inputTokens"]
    assert reply.usage.completion_tokens == row["usage"]["outputTokens"]
    assert not reply.usage.inconsistent
    assert reply.choices[0].native == row["finish"][0]


@pytest.mark.parametrize("row", STREAMS.values(), ids=STREAMS.keys())
def test_a_stream_is_read_whatever_its_chunks(row: dict[str, Any]) -> None:
    raw = base64.b64decode(row["response_body_b64"])

    reply = streamed(raw)

    told(reply, row)
    assert streamed(raw, size=1) == streamed(raw, size=97) == reply
    assert reply.unread <= {"trace.guardrail"}


@pytest.mark.parametrize("row", ANSWERS.values(), ids=ANSWERS.keys())
def test_a_whole_answer_is_read(row: dict[str, Any]) -> None:
    reply = dialect.decode_reply(row["response_json"])

    told(reply, row)
    assert reply.unread == frozenset()


def of(part: str, rows: dict[str, dict[str, Any]]) -> bytes:
    return base64.b64decode(next(row for name, row in rows.items() if part in name)["response_body_b64"])


def test_what_was_said_and_called() -> None:
    assert streamed(of("langchain", STREAMS)).choices[0].blocks == (
        ToolCall("tooluse_q8A6U9X7S4apz8TPXNx4Kq", "get_weather", '{"location": "San Francisco, CA"}'),
    )
    guarded = streamed(of("guardrail", STREAMS)).choices[0]
    assert guarded.blocks == (Text("\nThe capital of {ADDRESS} is {ADDRESS}. The capital of {ADDRESS} is {ADDRESS}."),)
    assert guarded.finish is FinishReason.CONTENT_FILTER


def test_a_recorded_refusal_of_a_request_is_understood() -> None:
    row = next(row for row in ROWS.values() if row["status"] == 400)

    report = dialect.decode_error(400, json.dumps(row["response_json"]))

    assert report.category is Category.INVALID_REQUEST
    assert report.message == row["error"]["message"]


def test_recorded_requests_are_what_is_written() -> None:
    """What a real client sent, said again by a client of another dialect."""
    row = next(row for name, row in ROWS.items() if "TestConverseStream" in name)
    call = {"id": "tooluse_ZQEZysOVRqitr-89GxHizA", "type": "function"}
    given = row["request_body"]["messages"]
    chat: dict[str, Any] = {
        "model": "anthropic.claude-3-haiku-20240307-v1:0",
        "messages": [
            {"role": "user", "content": given[0]["content"][0]["text"]},
            {
                "role": "assistant",
                "content": given[1]["content"][0]["text"],
                "tool_calls": [call | {"function": {"name": "top_song", "arguments": '{"sign":"WZPZ"}'}}],
            },
            {"role": "tool", "tool_call_id": call["id"], "content": "Rock and Roll Hall"},
        ],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "top_song",
                    "description": "Get the most popular song played on a radio station.",
                    "parameters": row["request_body"]["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"],
                },
            }
        ],
    }

    encoded = dialect.encode_request(CLIENT_DIALECTS["openai-chat"].decode_request(chat))

    assert json.loads_object(encoded.body) == row["request_body"]
    assert encoded.losses == ()
    assert dialect.path(chat["model"], stream=True) == row["url_path"]
