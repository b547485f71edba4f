"""Real traffic of OpenAI, Azure and xAI: read whole, at every cut, and as far as it got."""

from __future__ import annotations

import base64
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from openai.types import responses

from costspan.dialects import openai_responses
from costspan.dialects.types import StreamOptions
from costspan.errors import Category, Malformed
from costspan.ir import events
from costspan.ir.fold import fold
from costspan.ir.request import Reasoning, Text, ToolCall
from costspan.wire import json, sse
from dialects.openai_responses.samples import decode, encode, told
from fakes.corpus import CORPUS, MISSING


@cache
def rows() -> dict[str, dict[str, Any]]:
    lines = CORPUS.read_bytes().splitlines() if CORPUS.is_file() else ()
    found = [json.loads_object(line) for line in lines]
    return {row["id"]: row for row in found if row["dialect"] == "openai-responses"}


def body(row: dict[str, Any]) -> bytes:
    encoded = row["response_body_b64"]
    return json.dumps(row["response_json"]) if encoded is None else base64.b64decode(encoded)


def answer(row: dict[str, Any]) -> dict[str, Any]:
    """The answer, of a stream the one that its last event repeats."""
    if row["framing"] != "sse":
        return json.loads_object(body(row))
    *_, last = sse.Parser().feed(body(row))
    response: dict[str, Any] = json.loads_object(last.data)["response"]
    return response


ANSWERS = [name for name, row in rows().items() if row["status"] == 200]
STREAMS = [name for name in ANSWERS if rows()[name]["framing"] == "sse"]
pytestmark = pytest.mark.skipif(not rows(), reason=MISSING)


@pytest.mark.parametrize("name", rows())
def test_a_request_is_read_and_written_again_without_a_loss(name: str) -> None:
    asked = rows()[name]["request_body"]

    assert openai_responses.peek(asked).model == asked["model"]
    request = openai_responses.decode_request(asked)
    encoded = openai_responses.encode_request(request)

    assert encoded.losses == ()
    assert openai_responses.decode_request(json.loads_object(encoded.body)).messages == request.messages


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_read_in_full(name: str) -> None:
    row = rows()[name]
    reply = openai_responses.decode_reply(answer(row))
    (choice,) = reply.choices

    assert reply.unread <= {"content_filters"}  # Azure's verdicts
    said = "".join(block.text for block in choice.blocks if isinstance(block, Text))
    calls = [(block.id, block.name, block.arguments) for block in choice.blocks if isinstance(block, ToolCall)]
    thought = [block.text for block in choice.blocks if isinstance(block, Reasoning)]
    output = answer(row)["output"]
    assert said == "".join(p["text"] for i in output if i["type"] == "message" for p in i["content"])
    assert calls == [(i["call_id"], i["name"], i["arguments"]) for i in output if i["type"] == "function_call"]
    assert thought == [
        "".join(part["text"] for part in item["summary"])
        for item in output
        if item["type"] == "reasoning" and (item["summary"] or item.get("encrypted_content"))
    ]


@pytest.mark.parametrize("name", ANSWERS)
def test_usage_is_disjoint_and_complete(name: str) -> None:
    row = rows()[name]
    report = row["usage"]
    usage = openai_responses.summarize(answer(row)).usage

    assert usage is not None
    assert not usage.inconsistent
    assert usage.prompt_tokens == report["input_tokens"]
    assert usage.completion_tokens == report["output_tokens"]
    assert usage.tokens.get("reasoning", 0) == report["output_tokens_details"]["reasoning_tokens"]
    assert usage.tokens.get("cache_read", 0) == report["input_tokens_details"]["cached_tokens"]
    ticks = report.get("cost_in_usd_ticks")
    assert (usage.reported_cost is None) == (ticks is None)
    assert ticks is None or usage.reported_cost == ticks * Decimal("1e-10")


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_adds_up_to_the_answer_that_its_end_repeats(name: str) -> None:
    assert fold(decode(body(rows()[name]))) == openai_responses.decode_reply(answer(rows()[name]))


@pytest.mark.parametrize("name", STREAMS)
def test_the_cuts_between_chunks_do_not_matter(name: str) -> None:
    raw = body(rows()[name])
    whole = list(sse.Parser().feed(raw))
    expected = decode(raw)

    byte_by_byte = sse.Parser()
    assert [e for i in range(len(raw)) for e in byte_by_byte.feed(raw[i : i + 1])] == whole
    for cut in range(len(raw)):
        parser = sse.Parser()
        assert [*parser.feed(raw[:cut]), *parser.feed(raw[cut:])] == whole
    decoder = openai_responses.new_decoder()
    assert [made for event in whole for made in decoder.feed(event)] == expected


@pytest.mark.parametrize("name", STREAMS)
def test_every_prefix_is_malformed_and_has_the_usage_so_far(name: str) -> None:
    found = list(sse.Parser().feed(body(rows()[name])))

    for length in range(len(found)):
        decoder = openai_responses.new_decoder()
        for event in found[:length]:
            list(decoder.feed(event))
        with pytest.raises(Malformed):
            decoder.close()
        assert decoder.usage is None  # only the end reports any
        assert (decoder.id is None) == (length == 0)


@pytest.mark.parametrize("name", STREAMS)
def test_marked_events_alone_tell_usage_and_end(name: str) -> None:
    full, glance, fed = openai_responses.new_decoder(), openai_responses.new_decoder(), 0
    for event in sse.Parser().feed(body(rows()[name])):
        list(full.feed(event))
        if any(marker in event.data for marker in openai_responses.MARKERS):
            list(glance.feed(event))
            fed += 1
    glance.close()

    assert (glance.usage, glance.id, glance.model) == (full.usage, full.id, full.model)
    assert fed == 3  # created, in progress, ended


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_written_anew_says_the_same(name: str) -> None:
    made = decode(body(rows()[name]))
    raw = encode(made, StreamOptions("cs_1", "m", 0))
    told(raw)

    before, after = fold(made), fold(decode(raw))
    assert after.choices == before.choices
    assert (after.id, after.model, after.created) == (before.id, before.model, before.created)


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_written_anew_says_the_same(name: str) -> None:
    reply = openai_responses.decode_reply(answer(rows()[name]))
    encoded = openai_responses.encode_reply(reply, StreamOptions("cs_1", "m", 0))
    value = json.loads_object(encoded.body)

    responses.Response.model_validate(value, strict=True)
    assert openai_responses.decode_reply(value).choices == reply.choices


def test_an_error_is_understood() -> None:
    (row,) = (row for row in rows().values() if row["status"] != 200)
    report = openai_responses.decode_error(row["status"], body(row))

    assert (report.category, report.code) == (Category.AUTH, "invalid_api_key")
    assert report.message == row["error"]["message"]


def test_the_recordings_hold_what_they_are_for() -> None:
    seen = {type(event) for name in STREAMS for event in decode(body(rows()[name]))}

    assert {events.TextDelta, events.ArgumentsDelta, events.ReasoningDelta, events.OpaqueDelta} <= seen
    assert {row["provider"] for row in rows().values()} == {"openai", "azure", "xai"}
