"""fakes.upstream: the fake does what its scripts say, on the wire."""

from __future__ import annotations

import asyncio

import pytest

from fakes.upstream import Answer, Cut, FakeUpstream, Step
from fakes.upstream_answers import anthropic_stream, gemini_reply, openai_reply, openai_stream

REQUEST = b"POST /v1/x?y=1 HTTP/1.1\r\nHost: h\r\nX-Twice: a\r\nX-Twice: b\r\nContent-Length: 2\r\n\r\nhi"


async def send(upstream: FakeUpstream, data: bytes = REQUEST) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
    writer.write(data)
    return reader, writer


async def talk(answer: Answer, data: bytes = REQUEST) -> bytes:
    """All the bytes that come back, up to the end."""
    async with FakeUpstream(answer) as upstream:
        reader, writer = await send(upstream, data)
        try:
            return await reader.read()
        finally:
            writer.close()


async def test_a_request_is_recorded_as_it_was_sent() -> None:
    async with FakeUpstream(Answer(body=b"ok", close=True)) as upstream:
        reader, writer = await send(upstream)
        await reader.read()
        writer.close()

        [request] = upstream.requests
        assert (request.method, request.path, request.body) == ("POST", "/v1/x?y=1", b"hi")
        assert request.headers == [("Host", "h"), ("X-Twice", "a"), ("X-Twice", "b"), ("Content-Length", "2")]
        assert request.header("content-length") == "2"
        assert not request.disconnected.is_set()


async def test_a_chunked_request_body_is_put_together() -> None:
    async with FakeUpstream(Answer(close=True)) as upstream:
        chunked = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
        reader, writer = await send(upstream, chunked)
        await reader.read()
        writer.close()

        assert upstream.requests[0].body == b"abc"


FRAMINGS: dict[str, tuple[Answer, bytes]] = {
    "length": (
        Answer(201, [("a", "b")], b"body", close=True),
        b"HTTP/1.1 201 Scripted\r\na: b\r\ncontent-length: 4\r\n\r\nbody",
    ),
    "false length": (
        Answer(headers=[], body=b"body", length=9, close=True),
        b"HTTP/1.1 200 Scripted\r\ncontent-length: 9\r\n\r\nbody",
    ),
    "chunked": (
        Answer(headers=[], body=[b"ab", b"c"], framing="chunked", close=True),
        b"HTTP/1.1 200 Scripted\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
    ),
    "close": (Answer(headers=[], body=[b"ab", b"c"], framing="close"), b"HTTP/1.1 200 Scripted\r\n\r\nabc"),
    "raw": (Answer(body=b"rubbish", raw=True, close=True), b"rubbish"),
    "interim": (
        Answer(headers=[], before=[b"HTTP/1.1 100 Continue\r\n\r\n"], close=True),
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Scripted\r\ncontent-length: 0\r\n\r\n",
    ),
    "end before the headers": (Answer(before=[Cut.FIN]), b""),
    "end inside the body": (
        Answer(headers=[], body=[b"a", Cut.FIN], framing="chunked"),
        b"HTTP/1.1 200 Scripted\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n",
    ),
}


@pytest.mark.parametrize(("answer", "expected"), FRAMINGS.values(), ids=FRAMINGS.keys())
async def test_an_answer_is_framed_as_its_script_says(answer: Answer, expected: bytes) -> None:
    assert await talk(answer) == expected


async def test_a_reset_is_a_reset() -> None:
    with pytest.raises(ConnectionResetError):
        await talk(Answer(before=[Cut.RESET]))


async def test_an_early_answer_does_not_wait_for_the_body() -> None:
    received = await talk(Answer(headers=[], early=True, framing="close"), REQUEST[:-1])

    assert received == b"HTTP/1.1 200 Scripted\r\n\r\n"


async def test_a_gate_holds_the_stream_until_it_is_opened() -> None:
    gate = asyncio.Event()
    async with FakeUpstream(Answer(headers=[], body=[b"a", gate, b"b"], framing="close")) as upstream:
        reader, writer = await send(upstream)
        before = await reader.readuntil(b"a")
        gate.set()
        after = await reader.read()
        writer.close()

        assert (before[-5:], after) == (b"\r\n\r\na", b"b")


async def test_a_client_that_leaves_is_noticed() -> None:
    async with FakeUpstream(Answer(body=[b"a", Cut.SILENCE], length=9)) as upstream:
        _, writer = await send(upstream)
        request = await upstream.received(1)
        writer.close()
        await request.disconnected.wait()
        await upstream.connections_open(0)

        assert request.disconnected_at is not None
        assert request.disconnected_at >= request.time


async def test_answers_are_given_in_order_and_none_is_made_up() -> None:
    async with FakeUpstream([Answer(headers=[], body=b"1"), Answer(headers=[], body=b"2")]) as upstream:
        reader, writer = await send(upstream)
        received = [await reader.readuntil(b"1\r\n\r\n1")]
        writer.write(REQUEST)
        received.append(await reader.readuntil(b"\r\n\r\n2"))
        writer.write(REQUEST)
        received.append(await reader.readuntil(b"request"))
        writer.close()

        assert received[-1].startswith(b"HTTP/1.1 599 Scripted\r\n")
        assert (len(upstream.unexpected), upstream.connections) == (1, 1)


async def test_an_endless_body_waits_for_its_reader() -> None:
    def endless() -> Step:
        endless.count += 1  # type: ignore[attr-defined] # - counts the calls
        return b"x" * 65536

    endless.count = 0  # type: ignore[attr-defined] # - likewise
    async with FakeUpstream(Answer(body=iter(endless, Cut.FIN), framing="close")) as upstream:
        reader, writer = await send(upstream)
        await reader.readexactly(100_000)
        request = await upstream.received(1)
        writer.transport.abort()
        await request.disconnected.wait()

        assert endless.count < 1000  # type: ignore[attr-defined] # - likewise


async def test_the_helpers_write_the_wire_formats() -> None:
    openai, streamed = openai_reply().body, await talk(openai_stream(["a", Cut.FIN]))
    anthropic, gemini = await talk(anthropic_stream(["a", Cut.FIN])), gemini_reply().body

    assert isinstance(openai, bytes)
    assert b'"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}' in openai
    assert b'"delta":{"content":"a"}' in streamed
    assert b"[DONE]" not in streamed
    assert b"event: message_start" in anthropic
    assert isinstance(gemini, bytes)
    assert b'"promptTokenCount":9' in gemini
