"""Recorded real traffic through a whole gateway: passed on byte for byte, translated without a loss, cut anywhere."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from costspan.wire import json
from fakes.corpus import MISSING, ROWS, Row, buckets, data_of, events, read
from fakes.gateway import Running, running
from fakes.upstream import Answer, FakeUpstream

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not ROWS, reason=MISSING)

PATHS = {"openai-chat": "/v1/chat/completions", "anthropic-messages": "/v1/messages"}
OTHER = {"openai-chat": "anthropic-messages", "anthropic-messages": "openai-chat"}
PRICES = """
prices:
  catalog: none
  table: [{provider: host, model: "*", input: 1, output: 1, cache_read: 1, cache_write: 1}]
"""
"""One USD per million of anything, so that a cost is the provider's own total."""

GOOD = {row.id: row for row in ROWS if row.status == 200}
STREAMS = {name: row for name, row in GOOD.items() if row.stream}
FAILED = {row.id: row for row in ROWS if row.status != 200}


def replay(row: Row, chunk: int | None = None) -> Answer:
    """The recorded answer, in pieces of `chunk` bytes."""
    kind = "text/event-stream; charset=utf-8" if row.stream else "application/json"
    size = chunk or len(row.raw)
    pieces = [row.raw[i : i + size] for i in range(0, len(row.raw), size)]
    return Answer(status=row.status, headers=(("content-type", kind),), body=pieces, framing="chunked")


def host(row: Row, url: str) -> str:
    return f"""
defaults: {{retries: 0}}
providers:
  host: {{kind: {row.kind}, base_url: "{url}/v1", api_key: test-key}}
routes: {{recorded: host/served}}
"""


def request_of(row: Row) -> dict[str, Any]:
    """The recorded request, for our route."""
    return {**row.request, "model": "recorded"}


async def post(gateway: Running, dialect: str, body: dict[str, Any]) -> tuple[int, bytes]:
    headers = {"content-type": "application/json"}
    url = gateway.url + PATHS[dialect]
    async with aiohttp.ClientSession() as client, client.post(url, data=json.dumps(body), headers=headers) as response:
        return response.status, await response.read()


def unasked(row: Row) -> bytes:
    """The recorded stream as a client sees it that did not ask for usage: without a chunk of usage after the end."""
    kept, finished = [], False
    for event in events(row.raw):
        chunk = data_of(event) or {}
        if not (finished and chunk.get("usage")):
            kept.append(event)
        finished = finished or any(choice.get("finish_reason") for choice in chunk.get("choices", []))
    return b"".join(kept)


def check_books(gateway: Running, row: Row) -> None:
    (attempt,) = gateway.records("attempt")
    assert {name: count for name, count in attempt["usage"].items() if count} == buckets(row)
    assert (attempt["outcome"], attempt["http_status"], attempt["flags"]) == ("ok", 200, [])
    if not row.usage:  # recorded without include_usage
        assert (attempt["cost_usd"], attempt["cost_status"]) == (None, "estimated")
        return
    assert Decimal(attempt["cost_usd"]) == Decimal(sum(buckets(row).values())) / 1_000_000
    assert attempt["cost_status"] == "exact"


@pytest.mark.parametrize("name", GOOD)
async def test_an_answer_passes_byte_for_byte(tmp_path: Path, name: str) -> None:
    row = GOOD[name]
    body = request_of(row)
    if row.stream and row.dialect == "openai-chat":
        body["stream_options"] = {"include_usage": True}
    async with (
        FakeUpstream(replay(row)) as upstream,
        running(tmp_path, host(row, upstream.url), prices=PRICES) as gateway,
    ):
        status, got = await post(gateway, row.dialect, body)
        sent = json.loads_object(upstream.requests[0].body)
        check_books(gateway, row)

    assert (status, got) == (200, row.raw)
    assert sent == {**body, "model": "served"}


@pytest.mark.parametrize("name", [name for name, row in STREAMS.items() if row.dialect == "openai-chat"])
async def test_usage_that_was_not_asked_for_is_taken_out_and_nothing_else(tmp_path: Path, name: str) -> None:
    row = STREAMS[name]
    body = request_of(row)
    body.pop("stream_options", None)
    async with (
        FakeUpstream(replay(row)) as upstream,
        running(tmp_path, host(row, upstream.url), prices=PRICES) as gateway,
    ):
        status, got = await post(gateway, row.dialect, body)
        sent = json.loads_object(upstream.requests[0].body)
        check_books(gateway, row)

    assert (status, got) == (200, unasked(row))
    assert sent["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("name", GOOD)
async def test_an_answer_is_translated_without_a_loss(tmp_path: Path, name: str) -> None:
    row = GOOD[name]
    dialect = OTHER[row.dialect]
    body: dict[str, Any] = {"model": "recorded", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 100}
    body |= {"stream": row.stream} | ({"stream_options": {"include_usage": True}} if row.stream else {})
    async with (
        FakeUpstream(replay(row)) as upstream,
        running(tmp_path, host(row, upstream.url), prices=PRICES) as gateway,
    ):
        status, got = await post(gateway, dialect, body)
        check_books(gateway, row)

    expected = read(row.dialect, row.raw, stream=row.stream)
    said = read(dialect, got, stream=row.stream)
    assert status == 200
    if not row.usage:
        expected.prompt, expected.completion = said.prompt, said.completion
    assert said == expected


@pytest.mark.parametrize("name", FAILED)
@pytest.mark.parametrize("translated", [False, True], ids=["passed", "translated"])
async def test_an_error_about_the_request_comes_through(tmp_path: Path, name: str, translated: bool) -> None:
    row = FAILED[name]
    dialect = OTHER[row.dialect] if translated else row.dialect
    body = {"model": "recorded", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
    async with (
        FakeUpstream(replay(row)) as upstream,
        running(tmp_path, host(row, upstream.url), prices=PRICES) as gateway,
    ):
        status, got = await post(gateway, dialect, body)
        (attempt,) = gateway.records("attempt")

    error = json.loads_object(got)["error"]
    assert (status, error["message"]) == (row.status, row.message)
    assert (attempt["outcome"], attempt["http_status"], attempt["cost_status"]) == ("failed", row.status, "free")


SOME = [
    "fantasy/TestAnthropicCommon/claude-sonnet-4/tool_streaming#1",
    "chatlas/test_provider_deepseek/test_deepseek_tool_variations#0",
    "langchaingo/tools/perplexity/TestTool_Integration#0",
]
"""A stream of each dialect, and one with CRLF and no `[DONE]`."""


def asking(row: Row, *, translated: bool) -> tuple[str, dict[str, Any]]:
    """The client's dialect, and a streamed request in it."""
    dialect = OTHER[row.dialect] if translated else row.dialect
    body = {"model": "recorded", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9, "stream": True}
    return dialect, body | ({"stream_options": {"include_usage": True}} if dialect == "openai-chat" else {})


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize("translated", [False, True], ids=["passed", "translated"])
async def test_small_pieces_on_the_wire_change_nothing(tmp_path: Path, name: str, size: int, translated: bool) -> None:
    row = STREAMS[name]
    dialect, body = asking(row, translated=translated)
    async with (
        FakeUpstream(replay(row, size)) as upstream,
        running(tmp_path, host(row, upstream.url), prices=PRICES) as gateway,
    ):
        status, got = await post(gateway, dialect, body)
        check_books(gateway, row)

    assert status == 200
    if translated:
        assert read(dialect, got, stream=True) == read(row.dialect, row.raw, stream=True)
    else:
        assert got == row.raw


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("translated", [False, True], ids=["passed", "translated"])
async def test_a_stream_that_ends_early_is_never_a_success(tmp_path: Path, name: str, translated: bool) -> None:
    row = STREAMS[name]
    found = events(row.raw)
    prefixes = [b"".join(found[:n]) + found[n][: len(found[n]) // 2] for n in range(len(found))]
    prefixes += [b"".join(found[:n]) for n in range(1, len(found))]
    dialect, body = asking(row, translated=translated)
    headers = (("content-type", "text/event-stream"),)
    answers = [Answer(headers=headers, body=prefix, framing="chunked") for prefix in prefixes]  # HTTP says: complete
    async with (
        FakeUpstream(answers) as upstream,
        running(tmp_path, host(row, upstream.url), prices=PRICES) as gateway,
    ):
        got = [await post(gateway, dialect, body) for _ in answers]
        attempts = gateway.records("attempt")
        exchanges = gateway.records("exchange")

    for status, answer in got:
        last = answer if status == 502 else events(answer)[-1].rpartition(b"data: ")[2]
        assert status in {200, 502}
        assert json.loads_object(last)["error"]
        assert b"[DONE]" not in answer
        assert b"message_stop" not in answer
    assert {(record["outcome"], record["error_type"]) for record in attempts} == {("failed", "upstream_truncated")}
    assert {record["outcome"] for record in exchanges} == {"failed"}
    assert len(attempts) == len(exchanges) == len(prefixes)
