"""Whatever bytes come: an answer that keeps the contract or a closed connection, never a 500, never a hang."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from costspan.errors import Malformed
from costspan.wire import json
from fakes.contract import error_of
from fakes.gateway import running, two_kinds
from fakes.raw import connected, post, send
from fakes.upstream import FakeUpstream
from fakes.upstream_answers import anthropic_reply, anthropic_stream, openai_reply, openai_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fakes.raw import Reply
    from fakes.upstream import Request

FUZZ = settings(
    max_examples=150,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PATHS = ["/v1/chat/completions", "/v1/messages"]
GOOD = json.dumps({"model": "chat", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]})
LAST = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def streams(request: Request) -> bool:
    return request.header("idempotency-key") == "stream"


class Served:
    """A gateway on a loop of its own, because hypothesis calls plain functions."""

    def __init__(self, runner: asyncio.Runner, url: str) -> None:
        self._runner = runner
        self._url = url

    def talk(self, data: bytes) -> list[Reply]:
        """All answers to `data` and to what ends every state that it may leave the gateway in."""
        return self._runner.run(self._talk(data + b"\r\n\r\n" + LAST * 3))

    async def _talk(self, data: bytes) -> list[Reply]:
        replies = []
        async with connected(self._url) as connection:
            await connection.write(data)
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                for _ in range(200):
                    reply = await connection.reply()  # fails the test when nothing comes and nothing ends
                    replies += [reply]
        return replies

    def send(self, data: bytes) -> Reply:
        """The one answer to a whole request."""
        return self._runner.run(send(self._url, data))

    def still_serves(self) -> bool:
        return self.send(post(GOOD)).status == 200


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()

        async def start() -> str:
            one = await stack.enter_async_context(
                FakeUpstream(lambda r: openai_stream() if streams(r) else openai_reply())
            )
            two = await stack.enter_async_context(
                FakeUpstream(lambda r: anthropic_stream() if streams(r) else anthropic_reply())
            )
            gateway = await stack.enter_async_context(running(Path(folder), two_kinds(one.url, two.url)))
            return gateway.url

        yield Served(runner, runner.run(start()))
        runner.run(stack.aclose())


def check(reply: Reply, dialect: str = "openai") -> None:
    if reply.status >= 400:
        assert reply.status < 500, reply.body
        if dialect != "any":
            error_of(reply, dialect)


token = st.sampled_from(
    [
        *(
            b"GET",
            b"POST",
            b"OPTIONS",
            b"FOO",
            b" ",
            b"  ",
            b"\t",
            b"/",
            b"/v1/models",
            b"/v1/messages",
            b"*",
            b"http://x/",
        ),
        *(b"/v1/chat/completions", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/9.9", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\n\r\n"),
        *(
            b"Host: localhost\r\n",
            b"Host:",
            b"Content-Length: 2\r\n",
            b"Content-Length: 99\r\n",
            b"Expect: 100-continue\r\n",
        ),
        *(
            b"Transfer-Encoding: chunked\r\n",
            b"Content-Type: application/json\r\n",
            b"Connection: close\r\n",
            b"{}",
            b"0",
        ),
        *(
            b"Upgrade: websocket\r\nConnection: Upgrade\r\n",
            b"Content-Encoding: gzip\r\n",
            b"2\r\n{}\r\n",
            b":",
            b"x",
            b"\0",
        ),
        *(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n", b"?key=", b"%00", b"%ED%A0%80", b"\x80", b"\xff\xfe"),
    ]
)


@given(st.one_of(st.binary(max_size=200), st.lists(token, max_size=30).map(b"".join)))
@FUZZ
def test_any_bytes(served: Served, data: bytes) -> None:
    replies = served.talk(data)

    assert replies
    for reply in replies:
        check(reply, "any")


@given(
    st.sampled_from(PATHS),
    st.binary(max_size=60).filter(lambda value: b"\n" not in value),
    st.sampled_from([b"X-Team", b"Authorization", b"x-request-id", b"traceparent", b"baggage", b"x-costspan-tags"]),
)
@FUZZ
def test_any_header_value(served: Served, path: str, value: bytes, name: bytes) -> None:
    data = post(GOOD, path=path).replace(b"Content-Type", name + b": " + value + b"\r\nContent-Type")
    reply = served.send(data)

    assert reply.status in {200, 400, 401}
    check(reply, "anthropic" if path == "/v1/messages" else "openai")


scalar = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63),
    st.floats(),
    st.text(max_size=8),
    st.just("chat"),
    st.just("user"),
)
names = st.sampled_from(
    [
        *(
            "model",
            "messages",
            "role",
            "content",
            "type",
            "text",
            "stream",
            "max_tokens",
            "temperature",
            "tools",
            "name",
        ),
        *(
            "tool_calls",
            "function",
            "arguments",
            "id",
            "image_url",
            "url",
            "system",
            "stop",
            "n",
            "tool_choice",
            "source",
        ),
        *("response_format", "json_schema", "schema", "input", "tool_use_id", "metadata", "thinking", "cache_control"),
        *(
            "stream_options",
            "include_usage",
            "provider",
            "reasoning_effort",
            "logit_bias",
            "stop_sequences",
            "data",
            "x\r\ny",
        ),
    ]
)
value = st.recursive(
    scalar,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=4)),
    max_leaves=12,
)
kinds = st.sampled_from(
    [
        *("text", "image_url", "input_audio", "file", "tool_use", "tool_result", "image", "document", "thinking"),
        *("redacted_thinking", "server_tool_use", "refusal", "search_result", "container_upload", "video_url"),
    ]
)
more = st.dictionaries(names.filter(lambda name: name not in {"role", "content", "model", "stream"}), value, max_size=3)
part = st.builds(lambda kind, rest: {"text": "a", **rest, "type": kind}, kinds, more)
message = st.builds(
    lambda role, content, rest: {**rest, "role": role, "content": content},
    st.sampled_from(["user", "user", "assistant", "assistant", "system", "tool", "developer"]),
    st.one_of(st.text(max_size=5), st.lists(part, min_size=1, max_size=3)),
    st.one_of(st.just({}), more),
)
likely = st.builds(
    lambda model, messages, stream, rest: {
        "max_tokens": 5,
        **rest,
        "stream": stream,
        "model": model,
        "messages": messages,
    },
    st.sampled_from(["chat", "claude", "one/x", "two/x"]),
    st.lists(message, min_size=1, max_size=3),
    st.booleans(),
    st.one_of(st.just({}), more),
)


def ask(served: Served, path: str, body: Any) -> Reply | None:
    try:
        data = json.dumps(body)
    except Malformed:
        return None  # hypothesis' text may be half of a surrogate pair, which no client can send
    streamed = isinstance(body, dict) and body.get("stream") is True
    reply = served.send(post(data, path=path, headers="Idempotency-Key: stream\r\n" if streamed else ""))
    assert reply.status in {200, 400, 404}, reply.body
    check(reply, "anthropic" if path == "/v1/messages" else "openai")
    return reply


@given(st.sampled_from(PATHS), value)
@FUZZ
def test_any_json(served: Served, path: str, body: Any) -> None:
    ask(served, path, body)


@given(st.sampled_from(PATHS), likely)
@FUZZ
def test_json_that_is_nearly_right(served: Served, path: str, body: Any) -> None:
    ask(served, path, body)


@given(st.sampled_from(PATHS), st.integers(0, len(GOOD)), st.binary(max_size=4), st.integers(0, 6))
@FUZZ
def test_a_good_body_with_a_piece_changed(served: Served, path: str, where: int, piece: bytes, cut: int) -> None:
    reply = served.send(post(GOOD[:where] + piece + GOOD[where + cut :], path=path))

    assert reply.status in {200, 400, 404}
    check(reply, "anthropic" if path == "/v1/messages" else "openai")


def test_after_all_that_it_still_serves(served: Served) -> None:
    assert served.still_serves()
