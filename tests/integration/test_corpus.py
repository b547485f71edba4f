"""Recorded real traffic through a whole gateway: passed on byte for byte, translated for every client, cut anywhere."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from costspan.dialects import CLIENT_DIALECTS
from costspan.wire import json
from fakes.corpus import FAILED, GOOD, MISSING, ROWS, STREAMS, Row, data_of, events
from fakes.corpus_reader import read
from fakes.corpus_usage import buckets
from fakes.gateway import running
from fakes.replay import PRICES, again, answering, asking, host, post, replay
from fakes.upstream import FakeUpstream

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not ROWS, reason=MISSING)

OWN = {name: row for name, row in GOOD.items() if row.dialect in CLIENT_DIALECTS}
"""What clients speak too, and so passes untouched."""


def check_books(row: Row, attempt: dict[str, Any]) -> None:
    assert {name: count for name, count in attempt["usage"].items() if count} == buckets(row)
    assert (attempt["outcome"], attempt["http_status"], attempt["flags"]) == ("ok", 200, [])
    assert attempt["dialect_out"] == row.dialect
    if not row.usage:  # recorded without include_usage
        assert (attempt["cost_usd"], attempt["cost_status"]) == (None, "estimated")
        return
    assert Decimal(attempt["cost_usd"]) == Decimal(sum(buckets(row).values())) / 1_000_000
    assert attempt["cost_status"] == "exact"


@pytest.mark.parametrize("name", OWN)
async def test_an_answer_passes_byte_for_byte(tmp_path: Path, name: str) -> None:
    row = OWN[name]
    body = again(row)
    if row.stream and row.dialect == "openai-chat":
        body["stream_options"] = {"include_usage": True}
    async with (
        FakeUpstream(replay(row)) as upstream,
        running(tmp_path, host(row, upstream.url), prices=PRICES, heals=True) as gateway,
    ):
        status, got = await post(gateway, row.dialect, body, stream=row.stream)
        (attempt,) = gateway.records("attempt")

    check_books(row, attempt)
    assert (status, got) == (200, row.wire)
    assert asked(json.loads_object(upstream.requests[0].body)) == asked(body)


def asked(body: dict[str, Any]) -> dict[str, Any]:
    """But for the model, which is another's name there, in the path, or both, as is Claude's version on Vertex."""
    return {name: value for name, value in body.items() if name not in {"model", "anthropic_version"}}


@pytest.mark.parametrize("name", [name for name, row in STREAMS.items() if row.dialect == "openai-chat"])
async def test_usage_that_was_not_asked_for_is_taken_out_and_nothing_else(tmp_path: Path, name: str) -> None:
    row = STREAMS[name]
    body = again(row)
    body.pop("stream_options", None)
    async with (
        FakeUpstream(replay(row)) as upstream,
        running(tmp_path, host(row, upstream.url), prices=PRICES, heals=True) as gateway,
    ):
        status, got = await post(gateway, row.dialect, body, stream=True)
        sent = json.loads_object(upstream.requests[0].body)
        (attempt,) = gateway.records("attempt")

    check_books(row, attempt)
    assert (status, got) == (200, unasked(row))
    assert sent["stream_options"] == {"include_usage": True}


def unasked(row: Row) -> bytes:
    """The recorded stream as a client sees it that did not ask for usage: without a chunk of usage after the end."""
    kept, finished = [], False
    for event in events(row.raw):
        chunk = data_of(event) or {}
        if not (finished and chunk.get("usage")):
            kept.append(event)
        finished = finished or any(choice.get("finish_reason") for choice in chunk.get("choices", []))
    return b"".join(kept)


async def test_google_s_client_that_asks_for_no_events_gets_the_recorded_array(tmp_path: Path) -> None:
    (row,) = (row for row in STREAMS.values() if row.framing == "json-array")
    async with (
        FakeUpstream(replay(row)) as upstream,
        running(tmp_path, host(row, upstream.url), prices=PRICES, heals=True) as gateway,
        aiohttp.ClientSession() as client,
        client.post(f"{gateway.url}/v1beta/models/recorded:streamGenerateContent", json=again(row)) as response,
    ):
        got = await response.read()
        (attempt,) = gateway.records("attempt")

    assert json.loads(got) == json.loads(row.raw)
    check_books(row, attempt)


BILLS = {
    "chatlas/test_provider_deepseek/test_deepseek_tool_variations#0": {"input": 297, "output": 28, "reasoning": 7},
    "chatlas/test_provider_mistral/test_mistral_respects_turns_interface#2": {"input": 25, "output": 31},
    "fantasy/TestGoogleCommon/vertex-gemini-2-5-pro/tool_streaming#0": {"input": 28, "output": 5, "reasoning": 117},
    "fantasy/TestOpenAICompatibleCommon/xai-grok-4-fast/simple#0": {
        "input": 9,
        "cache_read": 156,
        "output": 2,
        "reasoning": 125,
    },
    "langchain-aws/libs/aws/test_agent_loop_streaming[v1]#0": {"input": 446, "output": 55},
    "openinference/openinference-instrumentation-anthropic/openinference/anthropic/test_instrumentor/"
    "test_anthropic_instrumentation_messages_token_counts#0": {"input": 21, "cache_write": 1733, "output": 561},
    "rig/cohere/streaming_tools/streaming_tool_call_roundtrip#0": {"input": 125, "output": 24},
    "ruby_llm/chat_function_calling_xai_grok-4-1-fast-non-reasoning_can_use_tools_with_multi-turn_"
    "streaming_conversations#0": {"input": 20, "cache_read": 320, "output": 22, "reasoning": 83},
    "ruby_llm/chat_multimodal_tool_attachments_gemini_gemini-3-flash-preview_describes_images_returned_from_tools#1": {
        "input": 1090,
        "input_image": 1089,
        "output": 87,
        "reasoning": 129,
    },
}


def test_the_reader_s_own_arithmetic() -> None:
    """In plain numbers, for at least one recording of each dialect."""
    assert {name: buckets(GOOD[name]) for name in BILLS} == BILLS
    assert {GOOD[name].dialect for name in BILLS} == {row.dialect for row in ROWS}


@pytest.mark.parametrize("name", GOOD)
async def test_every_client_is_told_the_same_and_the_bill_is_the_provider_s(tmp_path: Path, name: str) -> None:
    row = GOOD[name]
    async with (
        FakeUpstream([replay(row) for _ in CLIENT_DIALECTS]) as upstream,
        running(tmp_path, host(row, upstream.url), prices=PRICES, heals=True) as gateway,
    ):
        answers = {
            client: await post(gateway, client, asking(client, stream=row.stream), stream=row.stream)
            for client in CLIENT_DIALECTS
        }
        attempts = gateway.records("attempt")

    expected = read(row.dialect, row.sse, stream=row.stream)
    for client, (status, got) in answers.items():
        said = read(client, got, stream=row.stream)
        if not row.usage:
            said.prompt = said.completion = None
        assert (client, status, said) == (client, 200, expected)
    assert len(attempts) == len(CLIENT_DIALECTS)
    for attempt in attempts:
        check_books(row, attempt)


REFUSED_KEYS = {
    "crewAI/lib/crewai/llms/google/test_google_streaming_returns_usage_metrics#0",
    "ruby_llm/context_context_chat_operations_uses_context-specific_api_keys#0",
}
"""Errors about the key, which is ours and not the client's."""


@pytest.mark.parametrize("name", FAILED)
async def test_an_error_about_the_request_comes_through(tmp_path: Path, name: str) -> None:
    row = FAILED[name]
    async with (
        FakeUpstream([replay(row) for _ in CLIENT_DIALECTS]) as upstream,
        running(tmp_path, host(row, upstream.url), prices=PRICES, heals=True) as gateway,
    ):
        answers = [
            await post(gateway, client, asking(client, stream=False), stream=False) for client in CLIENT_DIALECTS
        ]
        attempts = gateway.records("attempt")

    for status, got in answers:
        error = json.loads_object(got)["error"]
        if name in REFUSED_KEYS:
            assert status == 502
        else:
            assert (status, error["message"]) == (row.status, row.message)
    for attempt in attempts:
        assert (attempt["outcome"], attempt["http_status"], attempt["cost_status"]) == ("failed", row.status, "free")


SOME = [
    "chatlas/test_provider_deepseek/test_deepseek_tool_variations#0",
    "chatlas/test_provider_mistral/test_mistral_respects_turns_interface#2",
    "fantasy/TestAnthropicCommon/claude-sonnet-4/tool_streaming#1",
    "fantasy/TestGoogleCommon/vertex-gemini-2-5-pro/tool_streaming#0",
    "langchain-aws/libs/aws/test_agent_loop_streaming[v1]#0",
    "langchaingo/tools/perplexity/TestTool_Integration#0",
    "req_llm-2025/openai/gpt_4_1/object_streaming#0",
    "rig/cohere/streaming_tools/streaming_tool_call_roundtrip#0",
]
"""A stream of each dialect, and one of openai-chat with CRLF and no `[DONE]`."""
PAIRS = [
    pytest.param(STREAMS[name], client, id=f"{name}: to {client}")
    for name in SOME
    if name in STREAMS
    for client in CLIENT_DIALECTS
]


@pytest.mark.parametrize(("row", "client"), PAIRS)
async def test_small_pieces_on_the_wire_change_nothing(tmp_path: Path, row: Row, client: str) -> None:
    async with (
        FakeUpstream([replay(row, 1), replay(row, 7)]) as upstream,
        running(tmp_path, host(row, upstream.url), prices=PRICES, heals=True) as gateway,
    ):
        answers = [await post(gateway, client, asking(client, stream=True), stream=True) for _ in range(2)]
        attempts = gateway.records("attempt")

    for status, got in answers:
        assert status == 200
        assert read(client, got, stream=True) == read(row.dialect, row.sse, stream=True)
        assert client != row.dialect or got == row.wire
    for attempt in attempts:
        check_books(row, attempt)


ENDINGS = (b"[DONE]", b"message_stop", b"response.completed", b'"finishReason":"STOP"', b'"finishReason": "STOP"')
"""What a client takes for the end of an answer."""


@pytest.mark.parametrize(("row", "client"), PAIRS)
async def test_a_stream_that_ends_early_is_never_a_success(tmp_path: Path, row: Row, client: str) -> None:
    parts = beginnings(row)
    async with (
        FakeUpstream([answering(row, part) for part in parts]) as upstream,  # HTTP says: complete
        running(tmp_path, host(row, upstream.url), prices=PRICES, heals=True) as gateway,
    ):
        got = [await post(gateway, client, asking(client, stream=True), stream=True) for _ in parts]
        attempts = gateway.records("attempt")
        exchanges = gateway.records("exchange")

    for status, answer in got:
        assert status in {200, 502}
        assert failure(answer, status)
        assert not any(ending in answer for ending in ENDINGS)
    assert {record["outcome"] for record in attempts} == {"failed"}
    assert {record["error_type"] for record in attempts} <= {"upstream_truncated", "upstream_protocol_error"}
    assert {record["outcome"] for record in exchanges} == {"failed"}
    assert len(attempts) == len(exchanges) == len(parts)


def beginnings(row: Row) -> list[bytes]:
    """What arrives of a stream that breaks off after each event but the last, or in the middle of one."""
    if row.framing == "aws-eventstream":  # the last frame tells usage only, but is the end there
        step = len(row.wire) // 12
        return [row.wire[:size] for size in range(step, len(row.wire) - 1, step)]
    found = row.events
    whole = [b"".join(found[:number]) for number in range(1, len(found))]
    return whole + [b"".join(found[:number]) + found[number][: len(found[number]) // 2] for number in range(len(found))]


def failure(answer: bytes, status: int) -> bool:
    """Whether the client is told of an error, as the last thing."""
    last = answer if status != 200 else events(answer)[-1].rpartition(b"data: ")[2]
    told = json.loads_object(last)
    return bool(told.get("error") or told.get("type") in {"error", "response.failed"})
