"""transport.pool: requests over real sockets, reuse of connections, and each way in which an upstream can fail."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from costspan.errors import Category, ClientError, UpstreamError
from costspan.transport.connection import Connection
from costspan.transport.pool import Pool
from costspan.wire.http import Outgoing
from fakes.upstream import Answer, Cut, FakeUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from costspan.transport.response import PooledResponse
    from costspan.wire.http import Response
    from fakes.upstream import Request, Script, Step

POST = Outgoing("POST", "/v1/x?y=1", [("X-A", "1"), ("x-b", "\xe9")], b'{"a":1}')
GET = Outgoing("GET", "/v1/models", [], b"")


@contextlib.asynccontextmanager
async def serving(script: Script, **settings: float) -> AsyncIterator[tuple[FakeUpstream, Pool]]:
    """A fake upstream and a pool of connections to it."""
    async with FakeUpstream(script) as upstream:
        pool = Pool("http", "127.0.0.1", upstream.port, **settings)  # type: ignore[arg-type] # - all of them numbers
        yield upstream, pool
        await pool.close()


async def ask(pool: Pool, outgoing: Outgoing = POST, *, headers_timeout: float = 5) -> PooledResponse:
    return await pool.request(outgoing, connect_timeout=5, headers_timeout=headers_timeout)


async def fetch(pool: Pool, outgoing: Outgoing = POST) -> tuple[int, bytes]:
    response = await ask(pool, outgoing)
    try:
        return response.status, await response.read(1 << 20, 5)
    finally:
        response.close()


async def failure(pool: Pool, outgoing: Outgoing = POST, *, headers_timeout: float = 5) -> UpstreamError:
    """The error of a whole exchange."""

    async def exchange() -> None:
        response = await ask(pool, outgoing, headers_timeout=headers_timeout)
        try:
            await response.read(1 << 20, 5)
        finally:
            response.close()

    with pytest.raises(UpstreamError) as caught:
        await exchange()
    return caught.value


# Requests as they are written


async def test_a_request_is_written_as_given_with_host_and_length() -> None:
    async with serving(Answer(201, body=b"made")) as (upstream, pool):
        assert await fetch(pool) == (201, b"made")

        [request] = upstream.requests
        assert (request.method, request.path, request.body) == ("POST", "/v1/x?y=1", b'{"a":1}')
        assert request.headers == [
            ("host", f"127.0.0.1:{upstream.port}"),
            ("connection", "keep-alive"),
            ("X-A", "1"),
            ("x-b", "\xe9"),
            ("content-length", "7"),
        ]


async def test_answer_headers_are_lower_case_and_joined() -> None:
    async with serving(Answer(headers=[("X-Twice", "a"), ("x-twice", "b"), ("Retry-After", "1")])) as (_, pool):
        response = await ask(pool)
        response.close()

        assert dict(response.headers) == {"x-twice": "a, b", "retry-after": "1", "content-length": "0"}


async def test_a_redirect_is_an_answer_like_any_other() -> None:
    async with serving([Answer(307, [("location", "/elsewhere")], b"gone")]) as (upstream, pool):
        assert await fetch(pool) == (307, b"gone")
        assert len(upstream.requests) == 1


async def test_the_answer_to_head_has_no_body_whatever_its_length_says() -> None:
    def script(_: object) -> Answer:
        return Answer(headers=[], length=5, body=b"")

    async with serving(script) as (upstream, pool):
        assert await fetch(pool, Outgoing("HEAD", "/", [], b"")) == (200, b"")
        assert await fetch(pool, Outgoing("HEAD", "/", [], b"")) == (200, b"")
        assert upstream.connections == 1


# Bodies


BODIES: dict[str, tuple[Answer, bytes]] = {
    "length": (Answer(body=[b"ab", b"cd"]), b"abcd"),
    "empty": (Answer(body=b""), b""),
    "chunked": (Answer(body=[b"ab", b"cd"], framing="chunked"), b"abcd"),
    "chunked and empty": (Answer(body=[], framing="chunked"), b""),
    "until the end": (Answer(body=[b"ab", b"cd"], framing="close"), b"abcd"),
    "until the end and empty": (Answer(body=b"", framing="close"), b""),
    "no content": (Answer(204, [], b"", framing="length"), b""),
    "a megabyte": (Answer(body=b"x" * 1_000_000), b"x" * 1_000_000),
    "a megabyte chunked": (Answer(body=[b"x" * 1000] * 1000, framing="chunked"), b"x" * 1_000_000),
    "a megabyte until the end": (Answer(body=b"x" * 1_000_000, framing="close"), b"x" * 1_000_000),
}


@pytest.mark.parametrize(("answer", "expected"), BODIES.values(), ids=BODIES.keys())
async def test_a_body_is_read_to_its_end(answer: Answer, expected: bytes) -> None:
    async with serving(answer) as (_, pool):
        assert (await fetch(pool))[1] == expected


async def test_a_chunk_is_what_has_come_and_comes_at_once() -> None:
    gate = asyncio.Event()
    async with serving(Answer(body=[b"one", b"two", gate, b"three"], framing="chunked")) as (_, pool):
        response = await ask(pool)
        first = b""
        while len(first) < 6:
            first += await response.chunk(5)
        gate.set()

        assert (first, await response.chunk(5), await response.chunk(5)) == (b"onetwo", b"three", b"")
        response.close()


SMALL = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"


@pytest.mark.parametrize("cut", range(1, len(SMALL)))
async def test_an_answer_may_be_cut_anywhere_on_its_way(cut: int) -> None:
    gate = asyncio.Event()
    async with serving(Answer(raw=True, body=[SMALL[:cut], gate, SMALL[cut:], Cut.SILENCE])) as (upstream, pool):
        async with asyncio.TaskGroup() as group:
            fetched = group.create_task(fetch(pool))
            await upstream.received(1)
            await asyncio.sleep(0)  # the first piece goes out in the turn after the request is noted
            gate.set()

        assert fetched.result() == (200, b"abcde")
        assert pool.idle == 1


async def test_a_reader_that_stops_stops_the_upstream() -> None:
    sent = 0

    def endless() -> bytes:
        nonlocal sent
        sent += 1
        return b"x" * 65536

    async with serving(Answer(body=iter(endless, b""), framing="close")) as (_, pool):
        response = await ask(pool)
        before = -1
        while before != sent:  # until the fake is blocked by what the kernel and we hold
            before = sent
            await asyncio.sleep(0.05)
        blocked_at = sent
        for _ in range(400):
            await response.chunk(5)
        response.close()

        assert blocked_at < 400
        assert sent > blocked_at


async def test_read_stops_at_its_limit() -> None:
    for answer in (Answer(body=b"x" * 11), Answer(body=[b"x" * 6, b"x" * 5], framing="chunked")):
        async with serving(answer) as (_, pool):
            response = await ask(pool)
            with pytest.raises(UpstreamError) as caught:
                await response.read(10, 5)
            response.close()

            assert caught.value.kind == "upstream_too_large"


# Reuse


async def test_one_connection_serves_one_request_after_the_other() -> None:
    async with serving(Answer(body=b"ok")) as (upstream, pool):
        for _ in range(5):
            await fetch(pool)

        assert (upstream.connections, pool.idle, len(upstream.requests)) == (1, 1, 5)


async def test_the_last_used_connection_is_taken_first() -> None:
    async with serving(Answer(body=b"ok")) as (upstream, pool):
        first, second = await ask(pool), await ask(pool)
        for response in (first, second):
            await response.read(100, 5)
            response.close()
        await fetch(pool)

        assert [request.connection for request in upstream.requests] == [0, 1, 1]


NOT_REUSED: dict[str, Answer] = {
    "said close": Answer(headers=[("connection", "close")], body=b"ok"),
    "ended by the connection": Answer(body=b"ok", framing="close"),
    "HTTP/1.0": Answer(raw=True, body=[b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", Cut.SILENCE]),
    "a byte too many": Answer(raw=True, body=[b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokH", Cut.SILENCE]),
    "a second answer": Answer(
        raw=True,
        body=[
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad",
            Cut.SILENCE,
        ],
    ),
}


@pytest.mark.parametrize("answer", NOT_REUSED.values(), ids=NOT_REUSED.keys())
async def test_a_connection_in_doubt_is_not_used_again(answer: Answer) -> None:
    async with serving(answer) as (upstream, pool):
        assert [await fetch(pool), await fetch(pool)] == [(200, b"ok"), (200, b"ok")]
        assert (upstream.connections, pool.idle) == (2, 0)


async def test_bytes_on_an_idle_connection_close_it() -> None:
    gate = asyncio.Event()
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    poison = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad"
    async with serving([Answer(raw=True, body=[answer, gate, poison]), Answer(body=b"fine")]) as (upstream, pool):
        await fetch(pool)
        gate.set()
        await upstream.connections_open(0)

        assert pool.idle == 0
        assert await fetch(pool) == (200, b"fine")


async def test_an_answer_closed_before_its_end_aborts_its_connection() -> None:
    async with serving([Answer(body=[b"a", Cut.SILENCE], length=9)]) as (upstream, pool):
        response = await ask(pool)
        assert await response.chunk(5) == b"a"
        closed_at = time.monotonic()
        response.close()
        response.close()
        await upstream.requests[0].disconnected.wait()

        assert (upstream.requests[0].disconnected_at or 0) - closed_at < 0.25
        assert pool.idle == 0
        with pytest.raises(RuntimeError):
            await response.chunk(5)


async def test_a_cancelled_reader_can_close_its_answer() -> None:
    async with serving([Answer(body=[b"a", Cut.SILENCE], length=9)]) as (upstream, pool):
        response = await ask(pool)
        await response.chunk(5)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await response.chunk(5)
        response.close()
        await upstream.requests[0].disconnected.wait()


async def test_a_cancelled_request_aborts_its_connection() -> None:
    async with serving([Answer(before=[Cut.SILENCE])]) as (upstream, pool):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await ask(pool)

        await upstream.requests[0].disconnected.wait()


class Leaving:
    """A request whose waiter leaves, and who may wait on in its place."""

    def __init__(self, pool: Pool, *, takes: bool) -> None:
        self.rest: Coroutine[Any, Any, Response] | None = None
        self._takes = takes
        request = pool.request(POST, connect_timeout=5, headers_timeout=5, on_left=self._left)
        self.task = asyncio.get_running_loop().create_task(request)  # awaited in `leave`

    def _left(self, rest: Coroutine[Any, Any, Response]) -> bool:
        self.rest = rest
        return self._takes

    async def leave(self) -> None:
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.task


async def test_an_answer_may_be_waited_for_on_when_its_waiter_is_cancelled() -> None:
    gate = asyncio.Event()
    async with serving(Answer(body=b"late", before=[gate])) as (upstream, pool):
        left = Leaving(pool, takes=True)
        await upstream.received(1)
        await left.leave()
        gate.set()
        assert left.rest is not None
        response = await left.rest

        assert await response.read(100, 5) == b"late"
        response.close()
        assert pool.idle == 1


async def test_an_answer_that_comes_as_its_waiter_is_cancelled_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(Answer(body=b"just so")) as (_, pool):
        left = Leaving(pool, takes=True)
        receive = Connection.data_received

        def receive_and_leave(connection: Connection, data: bytes) -> None:
            receive(connection, data)
            left.task.cancel()

        monkeypatch.setattr(Connection, "data_received", receive_and_leave)
        with pytest.raises(asyncio.CancelledError):
            await left.task
        assert left.rest is not None
        response = await left.rest

        assert await response.read(100, 5) == b"just so"
        response.close()


async def test_its_connection_is_aborted_where_nobody_waits_on() -> None:
    async with serving([Answer(before=[Cut.SILENCE])]) as (upstream, pool):
        left = Leaving(pool, takes=False)
        await upstream.received(1)
        await left.leave()

        await upstream.requests[0].disconnected.wait()
        assert pool.idle == 0


async def test_an_idle_connection_is_closed_in_time() -> None:
    async with serving(Answer(body=b"ok"), idle_timeout=0.05) as (upstream, pool):
        await fetch(pool)
        await upstream.connections_open(0)

        assert pool.idle == 0


async def test_at_most_so_many_connections_stay_idle() -> None:
    async with serving(Answer(body=b"ok"), max_idle=2) as (upstream, pool):
        responses = [await ask(pool) for _ in range(4)]
        for response in responses:
            await response.read(100, 5)
            response.close()
        await upstream.connections_open(2)

        assert pool.idle == 2


async def test_an_idle_connection_that_the_upstream_closed_is_forgotten() -> None:
    async with serving(Answer(body=b"ok")) as (upstream, pool):
        await fetch(pool)
        upstream.close_connections()
        await upstream.connections_open(0)
        await asyncio.sleep(0.01)  # the end has to reach our side of the socket

        assert pool.idle == 0
        assert (await fetch(pool))[0] == 200


async def test_a_reused_connection_that_dies_without_a_byte_is_stale() -> None:
    async with serving([Answer(body=b"ok"), Answer(before=[Cut.FIN]), Answer(before=[Cut.RESET])]) as (_, pool):
        await fetch(pool)
        reused, fresh = await failure(pool), await failure(pool)

        assert (reused.kind, reused.category, reused.stale, reused.reached) == (
            "upstream_reset",
            Category.CONNECT,
            True,
            True,
        )
        assert (fresh.kind, fresh.stale) == ("upstream_reset", False)


async def test_a_reused_connection_that_dies_after_a_byte_is_not_stale() -> None:
    async with serving([Answer(body=b"ok"), Answer(raw=True, body=[b"HTTP/1.1 ", Cut.FIN])]) as (_, pool):
        await fetch(pool)

        assert not (await failure(pool)).stale


async def test_three_hundred_requests_run_at_once() -> None:
    gate = asyncio.Event()
    async with serving(Answer(before=[gate], body=b"ok")) as (upstream, pool):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(fetch(pool)) for _ in range(300)]
            await upstream.received(300)
            gate.set()

        assert {task.result() for task in tasks} == {(200, b"ok")}
        assert pool.idle == 100


async def test_with_a_bound_further_requests_wait_their_turn() -> None:
    gate = asyncio.Event()
    async with serving(Answer(before=[gate], body=b"ok"), max_connections=2) as (upstream, pool):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(fetch(pool)) for _ in range(5)]
            await upstream.received(2)
            with pytest.raises(UpstreamError) as caught:
                await pool.request(GET, connect_timeout=0.05, headers_timeout=5)
            gate.set()

        assert (caught.value.kind, caught.value.reached) == ("connect_timeout", False)
        assert upstream.connections == 2
        assert [task.result() for task in tasks] == [(200, b"ok")] * 5


async def test_a_failed_exchange_gives_its_place_back() -> None:
    async with serving([Answer(before=[Cut.FIN]), Answer(body=b"ok")], max_connections=1) as (_, pool):
        await failure(pool)

        assert await fetch(pool) == (200, b"ok")


async def test_a_closed_pool_lets_answers_finish_and_keeps_nothing() -> None:
    gate = asyncio.Event()
    async with serving(Answer(body=[b"a", gate, b"b"])) as (upstream, pool):
        response = await ask(pool)
        await pool.close()
        gate.set()

        assert await response.read(100, 5) == b"ab"
        response.close()
        assert await fetch(pool) == (200, b"ab")
        await upstream.connections_open(0)


async def test_a_dead_connection_needs_no_garbage_collection() -> None:
    answers = [Answer(before=[Cut.FIN]), Answer(body=[b"a", Cut.SILENCE], length=9), Answer(framing="close")]
    async with serving(answers) as (upstream, pool):
        gc.collect()
        gc.disable()
        try:
            with contextlib.suppress(UpstreamError):
                await ask(pool)
            for _ in range(2):
                (await ask(pool)).close()
            await upstream.connections_open(0)
            await asyncio.sleep(0.01)  # the ends have to reach our side of the sockets
            alive = [thing for thing in gc.get_objects() if type(thing) is Connection]
        finally:
            gc.enable()

        assert alive == []


# Failures


BROKEN: dict[str, tuple[Answer, str, Category]] = {
    "end before the answer": (Answer(before=[Cut.FIN]), "upstream_reset", Category.CONNECT),
    "reset before the answer": (Answer(before=[Cut.RESET]), "upstream_reset", Category.CONNECT),
    "reset inside the headers": (
        Answer(raw=True, body=[b"HTTP/1.1 200 OK\r\na: b", Cut.RESET]),
        "upstream_reset",
        Category.CONNECT,
    ),
    "reset after the headers": (Answer(body=[Cut.RESET], length=5), "upstream_reset", Category.SERVER_ERROR),
    "short of its length": (Answer(body=[b"abc", Cut.FIN], length=5), "upstream_reset", Category.SERVER_ERROR),
    "short of its last chunk": (
        Answer(body=[b"abc", Cut.FIN], framing="chunked"),
        "upstream_reset",
        Category.SERVER_ERROR,
    ),
    "inside a chunk": (
        Answer(raw=True, body=[b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab", Cut.FIN]),
        "upstream_reset",
        Category.SERVER_ERROR,
    ),
    "garbage": (Answer(raw=True, body=b"SSH-2.0-secret\r\n"), "upstream_protocol_error", Category.SERVER_ERROR),
    "no status": (Answer(raw=True, body=b"HTTP/1.1 secret\r\n\r\n"), "upstream_protocol_error", Category.SERVER_ERROR),
    "a header of 9 KiB": (
        Answer(headers=[("x-long", "secret" * 1536)]),
        "upstream_protocol_error",
        Category.SERVER_ERROR,
    ),
    "200 headers": (
        Answer(headers=[(f"x-{i}", "secret") for i in range(200)]),
        "upstream_protocol_error",
        Category.SERVER_ERROR,
    ),
    "NUL in a header": (Answer(headers=[("x", "secret\x00")]), "upstream_protocol_error", Category.SERVER_ERROR),
    "escape in a header": (Answer(headers=[("x", "secret\x1b[2J")]), "upstream_protocol_error", Category.SERVER_ERROR),
    "length and chunked": (
        Answer(headers=[("transfer-encoding", "chunked")], body=b"3\r\nabc\r\n0\r\n\r\n"),
        "upstream_protocol_error",
        Category.SERVER_ERROR,
    ),
    "two lengths": (
        Answer(headers=[("content-length", "3")], body=b"abcd"),
        "upstream_protocol_error",
        Category.SERVER_ERROR,
    ),
    "a bad chunk size": (
        Answer(raw=True, body=b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nsecret\r\n"),
        "upstream_protocol_error",
        Category.SERVER_ERROR,
    ),
    "another protocol": (
        Answer(
            raw=True,
            body=[b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n", Cut.SILENCE],
        ),
        "upstream_protocol_error",
        Category.SERVER_ERROR,
    ),
    "a flood of interim answers": (
        Answer(before=[b"HTTP/1.1 103 Early\r\n\r\n" * 11]),
        "upstream_protocol_error",
        Category.SERVER_ERROR,
    ),
}


@pytest.mark.parametrize(("answer", "kind", "category"), BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_answer_is_named_and_not_quoted(answer: Answer, kind: str, category: Category) -> None:
    async with serving(answer) as (upstream, pool):
        error = await failure(pool)

        assert (error.kind, error.category, error.reached, error.stale) == (kind, category, True, False)
        assert "secret" not in str(error)
        assert pool.idle == 0
        await upstream.connections_open(0)


async def test_interim_answers_are_skipped() -> None:
    async with serving(Answer(before=[b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n" * 10], body=b"ok")) as (_, pool):
        assert await fetch(pool) == (200, b"ok")
        assert pool.idle == 1


async def test_what_came_before_a_cut_is_read_before_the_error() -> None:
    for answer in (
        Answer(body=[b"data", Cut.RESET], framing="close"),
        Answer(body=[b"data", Cut.FIN], framing="chunked"),
    ):
        async with serving(answer) as (upstream, pool):
            response = await ask(pool)
            await upstream.connections_open(0)

            assert await response.chunk(5) == b"data"
            with pytest.raises(UpstreamError) as caught:
                await response.chunk(5)
            assert caught.value.kind == "upstream_reset"
            response.close()


async def test_a_body_that_ends_with_the_connection_tells_a_reset_from_an_end() -> None:
    async with serving([Answer(body=[b"a"], framing="close"), Answer(body=[Cut.RESET], framing="close")]) as (_, pool):
        assert await fetch(pool) == (200, b"a")
        assert (await failure(pool)).kind == "upstream_reset"


async def test_a_cut_behind_a_full_buffer_comes_after_all_of_the_data() -> None:
    async with serving(Answer(body=[b"x" * 200_000, Cut.FIN], length=300_000)) as (upstream, pool):
        response = await ask(pool)
        await upstream.connections_open(0)
        read = 0
        while read < 200_000:
            read += len(await response.chunk(5))
        with pytest.raises(UpstreamError) as caught:
            await response.chunk(5)
        response.close()

        assert (read, caught.value.kind) == (200_000, "upstream_reset")


async def test_silence_before_the_headers_is_a_timeout() -> None:
    async with serving(Answer(before=[b"HTTP/1.1 103 Early\r\n\r\n", Cut.SILENCE])) as (upstream, pool):
        started = time.monotonic()
        error = await failure(pool, headers_timeout=0.1)

        assert (error.kind, error.category, error.reached) == ("headers_timeout", Category.TIMEOUT, True)
        assert 0.09 < time.monotonic() - started < 1
        await upstream.connections_open(0)


async def test_silence_inside_the_body_is_a_timeout_from_the_last_byte_on() -> None:
    gates = [asyncio.Event() for _ in range(3)]
    body: list[Step] = [b"a", gates[0], b"b", gates[1], b"c", gates[2], b"d", Cut.SILENCE]
    async with serving(Answer(body=body, framing="chunked")) as (_, pool):
        response = await ask(pool)
        received = await response.chunk(5)
        started = time.monotonic()
        for gate in gates:
            asyncio.get_running_loop().call_later(0.06, gate.set)
            received += await response.chunk(0.1)
        with pytest.raises(UpstreamError) as caught:
            await response.chunk(0.1)
        response.close()

        assert (received, caught.value.kind, caught.value.category) == (b"abcd", "idle_timeout", Category.TIMEOUT)
        assert time.monotonic() - started > 0.27


async def test_a_shorter_timeout_than_the_one_before_is_kept() -> None:
    async with serving(Answer(body=[b"a", Cut.SILENCE], length=9)) as (_, pool):
        response = await ask(pool, headers_timeout=60)
        await response.chunk(60)
        started = time.monotonic()
        with pytest.raises(UpstreamError):
            await response.chunk(0.05)
        response.close()

        assert time.monotonic() - started < 1


# Large requests


async def test_a_large_body_arrives_whole() -> None:
    body = bytes(range(256)) * 40_000
    async with serving(Answer(body=b"ok")) as (upstream, pool):
        assert await fetch(pool, Outgoing("POST", "/", [], body)) == (200, b"ok")
        assert upstream.requests[0].body == body
        assert pool.idle == 1


async def test_an_answer_before_the_end_of_the_request_is_delivered_and_the_connection_is_not_reused() -> None:
    body = b"x" * 40_000_000
    with socket.create_server(("127.0.0.1", 0)) as listening:  # one that never reads on
        listening.setblocking(False)
        pool = Pool("http", "127.0.0.1", listening.getsockname()[1])
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            fetched = group.create_task(fetch(pool, Outgoing("POST", "/", [], body)))
            accepted, _ = await loop.sock_accept(listening)
            with accepted:
                await loop.sock_recv(accepted, 1000)
                await loop.sock_sendall(accepted, b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
                result = await fetched

        assert result == (413, b"no")
        assert pool.idle == 0
        await pool.close()


async def test_an_early_answer_does_not_stop_the_request() -> None:
    body = b"x" * 5_000_000
    gate = asyncio.Event()
    async with serving(Answer(early=True, body=[b"a", gate, b"b"])) as (upstream, pool):
        response = await ask(pool, Outgoing("POST", "/", [], body))
        request = upstream.requests[0]
        first = await response.chunk(5)
        gate.set()
        rest = await response.read(100, 5)
        await request.complete.wait()
        response.close()

        assert (first, rest, len(request.body)) == (b"a", b"b", 5_000_000)


# Deadlines, and what the caller learns


async def test_a_body_that_is_silent_at_the_deadline_is_given_up() -> None:
    async with serving(Answer(body=[b"a", Cut.SILENCE], framing="chunked")) as (_, pool):
        response = await ask(pool)
        with pytest.raises(UpstreamError) as caught:
            await response.read(100, 60, deadline=asyncio.get_running_loop().time() + 0.02)
        response.close()

    assert (caught.value.kind, caught.value.category) == ("deadline_exceeded", Category.TIMEOUT)


async def test_after_the_deadline_nothing_is_read() -> None:
    async with serving(Answer(body=b"a")) as (_, pool):
        response = await ask(pool)
        with pytest.raises(UpstreamError) as caught:
            await response.read(100, 60, deadline=asyncio.get_running_loop().time() - 1)
        response.close()

    assert caught.value.kind == "deadline_exceeded"


async def test_silence_before_the_deadline_is_silence() -> None:
    async with serving(Answer(body=[b"a", Cut.SILENCE], framing="chunked")) as (_, pool):
        response = await ask(pool)
        with pytest.raises(UpstreamError) as caught:
            await response.read(100, 0.02, deadline=asyncio.get_running_loop().time() + 60)
        response.close()

    assert caught.value.kind == "idle_timeout"


async def test_the_caller_is_told_right_before_the_request_goes_out() -> None:
    told: list[int] = []
    async with serving(Answer(body=b"a")) as (upstream, pool):

        def note() -> None:
            told.append(len(upstream.requests))

        response = await pool.request(POST, connect_timeout=5, headers_timeout=5, on_sending=note)
        response.close()

    assert told == [0]


async def test_the_caller_is_told_nothing_when_there_is_no_connection() -> None:
    told: list[bool] = []
    async with serving(Answer()) as (upstream, pool):
        upstream_port = upstream.port
        await pool.close()
    pool = Pool("http", "127.0.0.1", upstream_port)
    with pytest.raises(UpstreamError):
        await pool.request(POST, connect_timeout=5, headers_timeout=5, on_sending=lambda: told.append(True))

    assert told == []


async def test_a_stale_connection_takes_the_other_idle_ones_with_it() -> None:
    gate = asyncio.Event()
    seen: set[int] = set()

    def script(request: Request) -> Answer:
        if request.connection in seen:
            return Answer(before=[Cut.FIN])
        seen.add(request.connection)
        return Answer(body=b"a", before=[gate])

    async with serving(script) as (upstream, pool):
        async with asyncio.TaskGroup() as together:
            for _ in range(3):
                together.create_task(fetch(pool))
            await upstream.received(3)
            gate.set()
        assert pool.idle == 3
        assert (await failure(pool)).stale
        assert pool.idle == 0
        assert await fetch(pool) == (200, b"a")
        assert upstream.connections == 4


# Bodies that are streamed


class Pieces:
    """An upload from memory that remembers how much of it was taken."""

    def __init__(self, *pieces: bytes, length: int | None = None) -> None:
        self.length = length
        self.begun = False
        self.ended = False
        self.taken = 0
        self._pieces = [*pieces]

    async def chunk(self) -> bytes:
        self.begun = True
        if not self._pieces:
            self.ended = True
            return b""
        self.taken += 1
        await asyncio.sleep(0)
        return self._pieces.pop(0)


def upload(body: Pieces) -> Outgoing:
    return Outgoing("POST", "/v1/audio", [("content-type", "multipart/form-data; boundary=x")], body)


@pytest.mark.parametrize("length", [None, 3_000_006])
async def test_a_body_is_streamed_and_its_connection_used_again(length: int | None) -> None:
    async with serving(Answer(200, body=b"ok")) as (upstream, pool):
        for _ in range(2):
            assert await fetch(pool, upload(Pieces(b"abc", b"d" * 3_000_000, b"xyz", length=length))) == (200, b"ok")

        assert [request.body for request in upstream.requests] == [b"abc" + b"d" * 3_000_000 + b"xyz"] * 2
        assert len({request.connection for request in upstream.requests}) == 1
        framing = dict(upstream.requests[0].headers)
        assert framing.get("content-length") == (None if length is None else "3000006")
        assert framing.get("transfer-encoding") == ("chunked" if length is None else None)


async def test_an_answer_before_the_end_of_a_streamed_body_ends_it() -> None:
    """A server that refuses by the head alone; the rest is not sent, and the connection not used again."""

    left = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        await writer.drain()
        with contextlib.suppress(ConnectionError):
            while await reader.read(1 << 16):
                pass
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        left.set()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    pool = Pool("http", "127.0.0.1", server.sockets[0].getsockname()[1])
    body = Pieces(*[b"x" * 65536] * 2000)
    async with server:
        assert await fetch(pool, upload(body)) == (413, b"no")
        assert body.taken < 2000
        assert pool.idle == 0
        await pool.close()
        async with asyncio.timeout(5):
            await left.wait()


async def test_what_the_client_s_body_raises_ends_the_exchange_and_the_connection() -> None:
    class Broken(Pieces):
        async def chunk(self) -> bytes:
            if self.taken:
                raise ClientError("the body broke off")
            return await super().chunk()

    async with serving(Answer(200, body=b"ok")) as (_, pool):
        with pytest.raises(ClientError):
            await ask(pool, upload(Broken(b"abc", b"def")))

        assert pool.idle == 0
        assert await fetch(pool) == (200, b"ok")


@pytest.mark.parametrize("length", [3, 5])
async def test_a_body_of_another_length_than_announced_is_not_sent_on_a_connection_that_lives_on(length: int) -> None:
    async with serving(Answer(200, body=b"ok")) as (upstream, pool):
        with pytest.raises(RuntimeError):
            await ask(pool, upload(Pieces(b"four", length=length)))

        await upstream.connections_open(0)
