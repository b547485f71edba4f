"""CPU per upstream request: our `Pool` beside aiohttp's `ClientSession`, in one run, on one machine.

    python benchmarks/transport.py [--requests N] [--rounds N] [--loop asyncio|uvloop]

The server is another process that answers canned bytes; only this process's CPU is counted, so the figure is the
client's share: write, parse, wake, read. Rounds alternate; the median of them is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import time
from typing import TYPE_CHECKING, cast

import aiohttp
import uvloop

from costspan.transport.pool import Pool
from costspan.wire.http import Outgoing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from multiprocessing.connection import Connection as Pipe

REPLY = b'{"id":"chatcmpl-1","object":"chat.completion","choices":[{"message":{"content":"%s"}}]}' % (b"word " * 80)
HEADERS = {
    "content-type": "application/json",
    "accept": "application/json",
    "accept-encoding": "identity",
    "authorization": "Bearer sk-0000000000000000000000000000000000000000",
    "user-agent": "costspan/benchmark",
}
BODY = b'{"model":"m","messages":[{"role":"user","content":"%s"}]}' % (b"word " * 100)
STREAM_CHUNKS = 100
EVENT = b'data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":"word "}}]}\n\n'
CONCURRENCY = 16
PATH = "/v1/chat/completions"
ANSWER_HEADERS = (
    b"date: Mon, 23 Nov 2026 12:00:00 GMT\r\nserver: canned\r\ncontent-type: application/json\r\n"
    b"x-request-id: req_0123456789\r\nx-ratelimit-remaining-requests: 9999\r\nx-ratelimit-remaining-tokens: 199999\r\n"
)
ANSWER = b"HTTP/1.1 200 OK\r\n%scontent-length: %d\r\n\r\n%s" % (ANSWER_HEADERS, len(REPLY), REPLY)
STREAM_HEAD = b"HTTP/1.1 200 OK\r\n%stransfer-encoding: chunked\r\n\r\n" % ANSWER_HEADERS
STREAM_CHUNK = b"%x\r\n%s\r\n" % (len(EVENT), EVENT)


class Canned(asyncio.Protocol):
    """Answers whatever looks like the end of our request; paths with `stream` get a chunk per turn of the loop."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio."""
        self._transport = cast("asyncio.Transport", transport)
        self._seen = b""

    def data_received(self, data: bytes) -> None:
        """Asyncio."""
        self._seen += data
        if not self._seen.endswith(BODY):
            return
        stream = b"stream" in self._seen[:40]
        self._seen = b""
        if stream:
            self._transport.write(STREAM_HEAD)
            self._step(STREAM_CHUNKS)
        else:
            self._transport.write(ANSWER)

    def _step(self, left: int) -> None:
        self._transport.write(STREAM_CHUNK if left else b"0\r\n\r\n")
        if left:
            asyncio.get_running_loop().call_later(0.001, self._step, left - 1)


def serve(pipe: Pipe) -> None:
    """Run the server in its own process; send its port, stop when the pipe says so."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Canned, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await loop.run_in_executor(None, pipe.recv)
        server.close()

    uvloop.run(main())


async def cpu_each(count: int, one: Callable[[], Awaitable[None]]) -> float:
    """Microseconds of this process's CPU per call of `one`, `CONCURRENCY` at a time."""

    async def worker() -> None:
        for _ in range(count // CONCURRENCY):
            await one()

    started = time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(CONCURRENCY):
            group.create_task(worker())
    return (time.process_time() - started) * 1e6 / (count // CONCURRENCY * CONCURRENCY)


async def measure(port: int, requests: int, rounds: int) -> dict[str, list[float]]:
    """All figures by name, one of each per round."""
    pool = Pool("http", "127.0.0.1", port)
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)
    session = aiohttp.ClientSession(
        f"http://127.0.0.1:{port}",
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=["User-Agent", "Accept", "Accept-Encoding", "Content-Type"],
        read_bufsize=16384,
    )
    headers = list(HEADERS.items())

    async def ours(path: str) -> None:
        response = await pool.request(Outgoing("POST", path, headers, BODY), connect_timeout=5, headers_timeout=60)
        while await response.chunk(60):
            pass
        response.close()

    async def theirs(path: str) -> None:
        async with session.post(path, data=BODY, headers=HEADERS, allow_redirects=False) as response:
            while await response.content.readany():
                pass

    figures: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, one in (("costspan", ours), ("aiohttp", theirs)):
            small = await cpu_each(requests, lambda: one(PATH))  # noqa: B023 - run before the next turn
            streamed = await cpu_each(requests // 50, lambda: one("/stream"))  # noqa: B023 - likewise
            figures.setdefault(f"{name}: us per request", []).append(small)
            figures.setdefault(f"{name}: us per paced chunk", []).append(streamed / STREAM_CHUNKS)
    await pool.close()
    await session.close()
    return figures


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=16000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="uvloop")
    options = parser.parse_args()
    ours, child_end = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(child_end,), daemon=True)
    server.start()
    run = uvloop.run if options.loop == "uvloop" else asyncio.run
    figures = run(measure(ours.recv(), options.requests, options.rounds))
    ours.send("stop")
    server.join()
    medians = {name: statistics.median(values) for name, values in figures.items()}
    for name, value in medians.items():
        print(f"{name:32} {value:8.1f}")
    ratio = medians["aiohttp: us per request"] / medians["costspan: us per request"]
    print(f"{'aiohttp / costspan per request':32} {ratio:8.2f}")


if __name__ == "__main__":
    main()
