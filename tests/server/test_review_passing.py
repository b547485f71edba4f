"""Answers that pass without being read, and AWS's frames, whose client leaves (found by review)."""

from __future__ import annotations

import asyncio
import base64
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from costspan.wire import json
from fakes.event_stream import write_event
from fakes.gateway import running
from fakes.upstream import Answer, Cut, FakeUpstream, Step
from fakes.upstream_answers import anthropic_stream, openai_reply, openai_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.gateway import Running
    from fakes.upstream import Script

CONFIG = """
providers:
  one: {{kind: openai, base_url: "{url}/v1", api_key: test-key-one, abort_stops_billing: false}}
  cloud: {{kind: bedrock, base_url: "{url}", region: us-east-1, api_key: test-key-two}}
routes: {{voice: one/tts-1, claude: cloud/anthropic.claude-fake}}
"""
PRICES = """
prices:
  catalog: none
  table:
    - {provider: openai, model: tts-1, input: 0, output: 0, characters: 0.000015}
    - {provider: openai, model: "*", input: 2, output: 8}
    - {provider: cloud, model: "*", input: 3, output: 15}
"""
CHAT = {"model": "gpt-fake", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
RAW_CHAT = "/providers/one/v1/chat/completions"
FRAMES = (("content-type", "application/vnd.amazon.eventstream"),)


@asynccontextmanager
async def serving(folder: Path, script: Script) -> AsyncIterator[tuple[Running, FakeUpstream]]:
    async with (
        asyncio.timeout(10),
        FakeUpstream(script) as upstream,
        running(folder, CONFIG.format(url=upstream.url), prices=PRICES) as gateway,
    ):
        yield gateway, upstream


async def leave_after(gateway: Running, path: str, body: dict[str, Any], mark: bytes) -> None:
    """Ask, and close the connection once `mark` came."""
    async with aiohttp.ClientSession() as client, client.post(gateway.url + path, json=body) as answer:
        seen = b""
        while mark not in seen:
            seen += await answer.content.readany()
        answer.close()


async def leave_before_anything(gateway: Running, upstream: FakeUpstream, path: str, body: dict[str, Any]) -> None:
    """Ask, and close the connection once the provider has the request."""
    async with aiohttp.ClientSession() as client:
        asking = asyncio.create_task(client.post(gateway.url + path, json=body))
        await upstream.received(1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking


async def settled(gateway: Running) -> dict[str, Any]:
    """The attempt's record, once the exchange has its own too."""
    for _ in range(1000):
        if gateway.records("exchange"):
            break
        await asyncio.sleep(0.005)
    [attempt] = gateway.records("attempt")
    [exchange] = gateway.records("exchange")
    assert (exchange["outcome"], exchange["error_type"]) == ("cancelled", "client_cancelled")
    assert exchange["cost_status"] == attempt["cost_status"]
    return attempt


def framed(stream: Answer) -> Answer:
    """Claude's stream as Bedrock frames it. Gates stay where they are."""
    assert not isinstance(stream.body, bytes)
    out: list[Step] = []
    for step in stream.body:
        lines = step.split(b"\n") if isinstance(step, bytes) else []
        for line in lines:
            if line.startswith(b"data: "):
                inside = base64.b64encode(line.removeprefix(b"data: ")).decode()
                out.append(write_event("chunk", json.dumps({"bytes": inside})))
        if not isinstance(step, bytes):
            out.append(step)
    return Answer(headers=FRAMES, body=out, framing="chunked")


async def test_a_raw_stream_that_bills_on_is_read_to_its_end(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with serving(tmp_path, openai_stream(("Hel", gate, "lo"))) as (gateway, upstream):
        await leave_after(gateway, RAW_CHAT, CHAT | {"stream": True}, b"Hel")
        gate.set()
        attempt = await settled(gateway)
        assert not upstream.requests[0].disconnected.is_set()

    assert (attempt["usage"], attempt["cost_status"]) == ({"input": 9, "output": 3}, "exact")


async def test_a_raw_answer_that_was_half_passed_is_read_to_its_end(tmp_path: Path) -> None:
    gate = asyncio.Event()
    whole = openai_reply().body
    assert isinstance(whole, bytes)
    script = Answer(body=[whole[:40], gate, whole[40:]], framing="chunked")
    async with serving(tmp_path, script) as (gateway, _):
        await leave_after(gateway, RAW_CHAT, CHAT, whole[:40])
        gate.set()
        attempt = await settled(gateway)

    assert (attempt["usage"], attempt["cost_status"]) == ({"input": 9, "output": 3}, "exact")


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
async def test_frames_that_bill_on_are_read_to_their_end(tmp_path: Path, path: str) -> None:
    gate = asyncio.Event()
    async with serving(tmp_path, framed(anthropic_stream(("Hel", gate, "lo")))) as (gateway, _):
        await leave_after(gateway, path, CHAT | {"model": "claude", "stream": True}, b"Hel")
        gate.set()
        attempt = await settled(gateway)

    assert (attempt["usage"], attempt["cost_status"]) == ({"input": 9, "output": 3}, "exact")


@pytest.mark.parametrize("headers", [True, False])
async def test_frames_whose_client_left_before_their_first_content_are_read_to_their_end(
    tmp_path: Path, *, headers: bool
) -> None:
    gate = asyncio.Event()
    body = framed(anthropic_stream()).body
    assert not isinstance(body, bytes)
    first, *rest = body
    script = (
        Answer(headers=FRAMES, body=[first, gate, *rest], framing="chunked")
        if headers
        else Answer(headers=FRAMES, body=[first, *rest], framing="chunked", before=[gate])
    )
    async with serving(tmp_path, script) as (gateway, upstream):
        await leave_before_anything(gateway, upstream, "/v1/messages", CHAT | {"model": "claude", "stream": True})
        gate.set()
        attempt = await settled(gateway)

    assert (attempt["usage"], attempt["cost_status"]) == ({"input": 9, "output": 3}, "exact")


async def test_a_file_that_nobody_wants_any_more_is_not_read(tmp_path: Path) -> None:
    never = asyncio.Event()
    script = Answer(headers=(("content-type", "application/octet-stream"),), body=[b"abc", never], framing="chunked")
    async with serving(tmp_path, script) as (gateway, upstream):
        await leave_after(gateway, "/providers/one/v1/files/1/content", {}, b"abc")
        await upstream.requests[0].disconnected.wait()
        attempt = await settled(gateway)

    assert attempt["cost_status"] == "unpriced"


@pytest.mark.parametrize("begun", [True, False])
async def test_sound_that_is_cut_short_costs_what_was_asked_to_be_said(tmp_path: Path, *, begun: bool) -> None:
    gate = asyncio.Event()
    sound = (("content-type", "audio/mpeg"),)
    script = Answer(headers=sound, body=[b"abc", gate], framing="chunked", before=[] if begun else [gate])
    say = {"model": "voice", "voice": "alloy", "input": "Hello, world!"}
    async with serving(tmp_path, script) as (gateway, upstream):
        if begun:
            await leave_after(gateway, "/v1/audio/speech", say, b"abc")
        else:
            await leave_before_anything(gateway, upstream, "/v1/audio/speech", say)
            gate.set()
        attempt = await settled(gateway)

    assert attempt["units"] == {"characters": 13}
    assert (attempt["cost_usd"], attempt["cost_status"]) == ("0.000195", "exact")  # 13 x 0.000015


async def test_a_transcription_that_does_not_stream_after_all_is_no_stream(tmp_path: Path) -> None:
    """whisper-1 ignores `stream`; by then a comment would have gone out under the headers of a stream."""
    gate = asyncio.Event()
    told = Answer(body=b'{"text":"hello"}', before=[gate])
    async with (
        asyncio.timeout(10),
        FakeUpstream(told, reads=True) as upstream,
        running(tmp_path, CONFIG.format(url=upstream.url), more=", keepalive_comment: 0.02s") as gateway,
        aiohttp.ClientSession() as client,
    ):
        form = aiohttp.FormData({"model": "one/whisper-1", "stream": "true"})
        form.add_field("file", b"sound", filename="a.wav")
        asyncio.get_running_loop().call_later(0.2, gate.set)  # ten comments later
        async with client.post(f"{gateway.url}/v1/audio/transcriptions", data=form) as answer:
            assert answer.headers["content-type"] == "application/json"
            assert await answer.json() == {"text": "hello"}


async def test_a_stream_of_a_passed_format_is_kept_alive_once_it_is_one(tmp_path: Path) -> None:
    gate = asyncio.Event()
    steps: list[Step] = [b'data: {"type":"transcript.text.delta","delta":"hel"}\n\n', gate]
    steps += [b'data: {"type":"transcript.text.done","text":"hello"}\n\n']
    told = Answer(headers=(("content-type", "text/event-stream"),), body=steps, framing="chunked")
    async with (
        asyncio.timeout(10),
        FakeUpstream(told, reads=True) as upstream,
        running(tmp_path, CONFIG.format(url=upstream.url), more=", keepalive_comment: 0.02s") as gateway,
        aiohttp.ClientSession() as client,
    ):
        form = aiohttp.FormData({"model": "one/whisper-1", "stream": "true"})
        form.add_field("file", b"sound", filename="a.wav")
        async with client.post(f"{gateway.url}/v1/audio/transcriptions", data=form) as answer:
            seen = b""
            while b"\n:" not in seen:
                seen += await answer.content.readany()
            gate.set()
            seen += await answer.read()

        assert b"transcript.text.done" in seen


async def test_counting_is_no_chat_in_the_books(tmp_path: Path) -> None:
    config = "providers: {{two: {{kind: anthropic, base_url: '{url}', api_key: test-key-two}}}}\n"
    async with (
        FakeUpstream(Answer(body=b'{"input_tokens": 14}')) as upstream,
        running(tmp_path, config.format(url=upstream.url)) as gateway,
        aiohttp.ClientSession() as client,
        client.post(f"{gateway.url}/v1/messages/count_tokens", json=CHAT | {"model": "two/claude-fake"}) as answer,
    ):
        assert answer.status == 200
        assert {record["operation"] for record in gateway.records() if "operation" in record} == {"count_tokens"}


@pytest.mark.parametrize("cut", [True, False])
async def test_a_failure_is_the_last_element_of_a_json_array(tmp_path: Path, *, cut: bool) -> None:
    """Google's clients parse the array as it comes; it has to end as JSON, without a terminal event."""
    failed = b'data: {"error":{"message":"the model fell over","type":"server_error"}}\n\n'
    text = openai_stream(("Hel",), done=False)
    assert not isinstance(text.body, bytes)
    first = [step for step in text.body if isinstance(step, bytes) and b"Hel" in step]
    gate = asyncio.Event()
    script = Answer(headers=text.headers, body=[*first, gate, Cut.RESET if cut else failed], framing="chunked")
    async with serving(tmp_path, script) as (gateway, _), aiohttp.ClientSession() as client:
        path = "/v1beta/models/one/gpt-fake:streamGenerateContent"
        body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
        async with client.post(gateway.url + path, json=body) as answer:
            begun = await answer.content.readany()
            gate.set()
            told = json.loads(begun + await answer.read())

    assert isinstance(told, list)
    assert len(told) == 2
    assert told[0]["candidates"][0]["content"]["parts"] == [{"text": "Hel"}]
    assert told[1]["error"]["code"] >= 500


async def test_a_client_that_leaves_after_the_last_event_of_a_raw_stream_had_its_answer(tmp_path: Path) -> None:
    """As the official clients do, which close at `[DONE]`, while the provider's connection stays open a little."""
    gate = asyncio.Event()
    stream = openai_stream()
    assert not isinstance(stream.body, bytes)
    script = Answer(headers=stream.headers, body=[*stream.body, gate], framing="chunked")
    async with serving(tmp_path, script) as (gateway, _):
        await leave_after(gateway, RAW_CHAT, CHAT | {"stream": True}, b"[DONE]")
        for _ in range(1000):
            if gateway.records("exchange"):
                break
            await asyncio.sleep(0.005)
        gate.set()

    [attempt], [exchange] = gateway.records("attempt"), gateway.records("exchange")
    assert (attempt["outcome"], attempt["cost_status"]) == ("ok", "exact")
    assert (exchange["outcome"], exchange["http_status"]) == ("ok", 200)
