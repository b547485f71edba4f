"""An answer in another framing than SSE, as if it came in SSE. Implements `costspan.wire.http.Response`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.errors import Category, Malformed, UpstreamError
from costspan.providers import ways
from costspan.wire.event_stream import Reframer
from costspan.wire.headers import is_event_frames

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.providers.account import Account
    from costspan.wire.http import Response


def reframer(response: Response, account: Account, dialect: str) -> Reframer | None:
    """What makes server-sent events of an answer in `dialect`; None where it comes as such."""
    if not is_event_frames(response.headers):
        return None
    framing = ways.framing(account, dialect, stream=True)
    return None if framing == "sse" else Reframer(unwrap=framing == "aws-invoke")


def as_events(response: Response, account: Account, dialect: str) -> Response:
    """`response`, as server-sent events where it is a stream of AWS's frames."""
    made = reframer(response, account, dialect)
    return response if made is None else Framed(response, made)


class Framed:
    """`response`, whose bytes go through `reframer`."""

    def __init__(self, response: Response, reframer: Reframer) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = {**response.headers, "content-type": "text/event-stream"}
        self._response = response
        self._reframer = reframer
        self._ended = False

    async def chunk(self, idle_timeout: float) -> bytes:
        """See the protocol."""
        try:
            while not self._ended:
                data = await self._response.chunk(idle_timeout)
                if not data:
                    self._ended = True
                    self._reframer.finish()
                elif events := self._reframer.feed(data):
                    return events
        except Malformed as error:
            raise UpstreamError(
                "the provider's event stream is damaged",
                kind="upstream_protocol_error",
                category=Category.SERVER_ERROR,
                status=self.status,
            ) from error
        return b""

    async def read(self, limit: int, idle_timeout: float, *, deadline: float | None = None) -> bytes:
        """See the protocol. A whole answer is not framed."""
        return await self._response.read(limit, idle_timeout, deadline=deadline)

    def close(self) -> None:
        """See the protocol."""
        self._response.close()
