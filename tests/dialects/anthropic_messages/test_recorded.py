"""Laws, held against recorded traffic. The recordings are not ours to ship: skipped where they are missing."""

from __future__ import annotations

import base64
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from costspan.dialects import anthropic_messages as dialect
from costspan.dialects.types import StreamOptions
from costspan.errors import Category, Malformed
from costspan.ir import events
from costspan.ir.fold import fold
from costspan.ir.request import ToolCall
from costspan.wire import json, sse

if TYPE_CHECKING:
    from costspan.ir.reply import Reply
    from costspan.ir.usage import Usage

CORPUS = Path(
    os.environ.get("COSTSPAN_CORPUS", str(Path(__file__).parents[3].parent / "shared" / "corpus" / "recorded.jsonl"))
)
OPTIONS = StreamOptions("cs_1", "claude-x", 0, prompt_tokens=1)


def recorded() -> list[dict[str, Any]]:
    if not CORPUS.is_file():
        return []
    rows = [json.loads_object(line) for line in CORPUS.read_bytes().splitlines()]
    return [row for row in rows if row["dialect"] == "anthropic"]


ROWS = recorded()
pytestmark = pytest.mark.skipif(not ROWS, reason=f"no recorded traffic at {CORPUS}")

STREAMS = {row["id"]: base64.b64decode(row["response_body_b64"]) for row in ROWS if row["framing"] == "sse"}
REQUESTS = {row["id"]: row["request_body"] for row in ROWS if isinstance(row["request_body"], dict)}
REPORTS = {row["id"]: row["usage"] for row in ROWS if row["usage"]}


def body_of(row: dict[str, Any]) -> dict[str, Any]:
    if row["response_json"] is not None:
        body: dict[str, Any] = row["response_json"]
        return body
    return json.loads_object(base64.b64decode(row["response_body_b64"]))


REPLIES = {row["id"]: body_of(row) for row in ROWS if row["framing"] == "json" and row["status"] == 200}


def decode(data: bytes, size: int) -> list[events.Event]:
    parser, decoder = sse.Parser(), dialect.new_decoder()
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    found = [event for chunk in chunks for raw in parser.feed(chunk) for event in decoder.feed(raw)]
    decoder.close()
    return found


def expected(report: dict[str, Any], usage: Usage) -> None:
    """The disjoint buckets add up to the provider's own numbers, as far as its last report has them."""
    tokens = usage.tokens
    assert usage.completion_tokens == report["output_tokens"]
    assert tokens.get("input", 0) == report.get("input_tokens", tokens.get("input", 0))
    assert tokens.get("cache_read", 0) == report.get("cache_read_input_tokens", 0)
    written = tokens.get("cache_write", 0) + tokens.get("cache_write_1h", 0)
    assert written == report.get("cache_creation_input_tokens", 0)
    assert not usage.inconsistent


def tidy(reply: Reply) -> Reply:
    """With the white space in arguments gone: a stream has the model's own, an object has none."""
    choices = (
        replace(
            choice,
            blocks=tuple(
                replace(block, arguments=json.text(json.loads(block.arguments)))
                if isinstance(block, ToolCall)
                else block
                for block in choice.blocks
            ),
        )
        for choice in reply.choices
    )
    return replace(reply, choices=tuple(choices))


@pytest.mark.parametrize("name", STREAMS)
def test_streams_decode_alike_however_they_are_cut(name: str) -> None:
    data = STREAMS[name]
    whole = decode(data, len(data))

    assert decode(data, 1) == decode(data, 7) == whole
    assert isinstance(whole[-1], events.Ended)


@pytest.mark.parametrize("name", STREAMS)
def test_usage_of_streams_is_the_provider_s(name: str) -> None:
    usage = fold(decode(STREAMS[name], 4096)).usage

    assert usage is not None
    expected(REPORTS[name], usage)


@pytest.mark.parametrize("name", REPLIES)
def test_usage_of_whole_answers_is_the_provider_s(name: str) -> None:
    usage = dialect.read_usage(REPLIES[name])

    assert usage is not None
    expected(REPORTS[name], usage)


@pytest.mark.parametrize("name", STREAMS)
def test_marked_events_alone_give_the_same_usage_and_end(name: str) -> None:
    decoder, glance = dialect.new_decoder(), dialect.new_decoder()
    for raw in sse.Parser().feed(STREAMS[name]):
        list(decoder.feed(raw))
        if any(marker in raw.data for marker in dialect.MARKERS):
            list(glance.feed(raw))

    assert (glance.usage, glance.id, glance.model, glance.ended) == (decoder.usage, decoder.id, decoder.model, True)


@pytest.mark.parametrize("name", STREAMS)
def test_every_prefix_of_a_stream_is_malformed_and_keeps_the_usage_so_far(name: str) -> None:
    decoder = dialect.new_decoder()
    for raw in sse.Parser().feed(STREAMS[name]):
        with pytest.raises(Malformed):
            decoder.close()
        list(decoder.feed(raw))
        assert decoder.usage is not None
    decoder.close()


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_written_anew_says_the_same(name: str) -> None:
    reply = fold(decode(STREAMS[name], 4096))
    encoder = dialect.new_encoder(OPTIONS)
    data = b"".join(encoder.feed(event) for event in decode(STREAMS[name], 4096)) + encoder.close()

    assert fold(decode(data, 4096)).choices == reply.choices


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_adds_up_to_what_its_whole_answer_decodes_to(name: str) -> None:
    reply = tidy(fold(decode(STREAMS[name], 4096)))

    again = dialect.decode_reply(json.loads_object(dialect.encode_reply(reply, OPTIONS).body))
    assert (again.choices, again.usage, again.id) == (reply.choices, reply.usage, reply.id)


@pytest.mark.parametrize("name", REPLIES)
def test_answers_come_back_the_same(name: str) -> None:
    reply = dialect.decode_reply(REPLIES[name])
    again = json.loads_object(dialect.encode_reply(reply, OPTIONS).body)

    for field in ("id", "role", "content", "stop_reason", "stop_sequence"):
        assert again[field] == REPLIES[name][field]


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_pass_the_look_and_come_back_the_same(name: str) -> None:
    body = REQUESTS[name]
    if "model" not in body:  # the clouds have it in the path
        body = {"model": "claude-x", **body}
    seen = dialect.peek(body)
    request = dialect.decode_request(body)
    encoded = dialect.encode_request(request)

    assert seen.prompt_chars > 0
    assert dialect.decode_request(json.loads_object(encoded.body)) == request
    assert encoded.losses == ()


def test_a_prompt_that_is_too_long_is_told_apart() -> None:
    [failed] = [row for row in ROWS if row["status"] == 400]

    report = dialect.decode_error(400, base64.b64decode(failed["response_body_b64"]))

    assert (report.category, report.code) == (Category.CONTEXT_LENGTH, "invalid_request_error")
