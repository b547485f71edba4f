"""Recorded traffic of the Gemini API and of Vertex. It is not ours to ship: without it these tests are skipped."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from google.genai import types as sdk

from costspan.dialects import gemini_generate as dialect
from costspan.dialects.types import StreamOptions
from costspan.errors import Category, Malformed
from costspan.ir.fold import fold
from costspan.wire import json, sse
from fakes.corpus import CORPUS, MISSING

OPTIONS = StreamOptions("cs_1", "gemini-x", 7)


def recorded() -> dict[str, dict[str, Any]]:
    lines = CORPUS.read_bytes().splitlines() if CORPUS.is_file() else []
    rows = map(json.loads_object, lines)
    return {row["id"].split("/")[-1]: row for row in rows if row["dialect"] == "gemini"}


ROWS = recorded()
GOOD = {name: row for name, row in ROWS.items() if row["status"] == 200}
STREAMS = {name: row for name, row in GOOD.items() if row["framing"] == "sse"}
WHOLE = {name: row for name, row in GOOD.items() if row["framing"] == "json"}
pytestmark = pytest.mark.skipif(not ROWS, reason=MISSING)


def request_of(row: dict[str, Any]) -> dict[str, Any]:
    return {**row["request_body"], "model": row["model"], "stream": row["streaming"]}


def bytes_of(row: dict[str, Any]) -> bytes:
    return base64.b64decode(row["response_body_b64"])


def tokens(row: dict[str, Any]) -> dict[str, int]:
    """The buckets, worked out from the last report: none of these has a cache, sound or results of tools."""
    report = row["usage"]
    images = sum(one["tokenCount"] for one in report["promptTokensDetails"] if one["modality"] == "IMAGE")
    found = {
        "input": report["promptTokenCount"] - images,
        "input_image": images,
        "output": report["candidatesTokenCount"],
        "reasoning": report.get("thoughtsTokenCount", 0),
    }
    return {name: count for name, count in found.items() if count}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_a_recorded_request_is_read_and_written_without_a_loss(row: dict[str, Any]) -> None:
    asked = dialect.peek(request_of(row))
    encoded = dialect.encode_request(dialect.decode_request(request_of(row)))

    assert (asked.model, asked.stream) == (row["model"], row["streaming"])
    assert encoded.losses == ()
    written = json.loads_object(encoded.body)
    given = [sdk.Content.model_validate(content) for content in row["request_body"]["contents"]]
    again = [sdk.Content.model_validate(content) for content in written["contents"]]
    assert [content.role for content in again] == [content.role for content in given]
    for before, after in zip(given, again, strict=True):
        for part, same in zip(before.parts or (), after.parts or (), strict=True):
            assert (part.text, part.thought_signature) == (same.text, same.thought_signature)
            assert (part.function_call or sdk.FunctionCall()).name == (same.function_call or sdk.FunctionCall()).name


@pytest.mark.parametrize("row", STREAMS.values(), ids=STREAMS.keys())
@pytest.mark.parametrize("size", [1, 7, 1_000_000])
def test_a_recorded_stream_is_read_whatever_its_chunking(row: dict[str, Any], size: int) -> None:
    raw, decoder, parser = bytes_of(row), dialect.new_decoder(), sse.Parser()
    pieces = [raw[start : start + size] for start in range(0, len(raw), size)]
    reply = fold(made for piece in pieces for event in parser.feed(piece) for made in decoder.feed(event))
    decoder.close()

    assert reply.usage is not None
    assert (reply.usage.tokens, reply.usage.inconsistent) == (tokens(row), False)
    assert [choice.native for choice in reply.choices] == row["finish"]
    assert reply.choices[0].blocks
    assert reply.unread == frozenset()


@pytest.mark.parametrize("row", STREAMS.values(), ids=STREAMS.keys())
def test_every_prefix_of_a_recorded_stream_is_malformed(row: dict[str, Any]) -> None:
    found = list(sse.Parser().feed(bytes_of(row)))

    for length in range(len(found)):
        decoder = dialect.new_decoder()
        for event in found[:length]:
            list(decoder.feed(event))
        with pytest.raises(Malformed):
            decoder.close()


@pytest.mark.parametrize("row", WHOLE.values(), ids=WHOLE.keys())
def test_a_recorded_answer_is_read_and_shown_again(row: dict[str, Any]) -> None:
    body = row["response_json"]
    reply = dialect.decode_reply(body)

    assert reply.usage is not None
    assert (reply.usage.tokens, reply.usage.inconsistent) == (tokens(row), False)
    assert dialect.summarize(body).finish_reasons == tuple(row["finish"])
    encoded = dialect.encode_reply(reply, OPTIONS)
    sdk.GenerateContentResponse.model_validate_json(encoded.body)
    assert dialect.decode_reply(json.loads_object(encoded.body)).choices == reply.choices
    assert encoded.losses == ()


def test_a_recorded_error_is_that_of_a_key() -> None:
    [row] = [row for row in ROWS.values() if row["status"] != 200]

    assert dialect.decode_error(row["status"], json.dumps(row["response_json"])).category is Category.AUTH
