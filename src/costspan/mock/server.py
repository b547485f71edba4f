"""The mock provider on a socket: OpenAI's, Anthropic's and Gemini's paths on one port. For `costspan demo` and tests.

async with MockServer() as server:
    openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any")
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Self

from aiohttp import web

from costspan.mock.answers import Request, answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from costspan.mock.answers import Answer

MAX_BODY = 32 * 1024 * 1024


class MockServer:
    """Listens on `host:port`; port 0 takes a free one. Keys are neither asked for nor looked at.

    `first_delay` is in seconds before each answer, `pace` in seconds between the chunks of a stream.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        first_delay: float = 0.05,
        pace: float = 0.02,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._host = host
        self._port = port
        self._first_delay = first_delay
        self._pace = pace
        self._clock = clock
        self._runner = web.ServerRunner(web.Server(self._handle), handle_signals=False, shutdown_timeout=0.1)

    async def start(self) -> None:
        """Listen. Raises `OSError` when the address is taken."""
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def close(self) -> None:
        """Stop listening and close every connection."""
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        port: int = self._runner.addresses[0][1]
        return port

    @property
    def url(self) -> str:
        """`http://host:port`, without a path."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = b""
        while data := await request.content.readany():
            body += data
            if len(body) > MAX_BODY:
                return web.Response(status=413)
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Request(request.method, request.raw_path, headers, body)
        made = answer(asked, now=int(self._clock()))
        await asyncio.sleep(self._first_delay + made.delay)
        if len(made.chunks) == 1:
            return web.Response(status=made.status, headers=dict(made.headers), body=made.chunks[0])
        return await self._stream(request, made)

    async def _stream(self, request: web.BaseRequest, made: Answer) -> web.StreamResponse:
        response = web.StreamResponse(status=made.status, headers=dict(made.headers))
        with contextlib.suppress(ConnectionError):  # the client left
            await response.prepare(request)
            for chunk in made.chunks:
                await response.write(chunk)
                await asyncio.sleep(self._pace)
            await response.write_eof()
        return response
