"""How the engine asks for an upstream exchange. Implemented by `transport` (sockets) and `mock` (no network)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from typing import Any


class Upload(Protocol):
    """A body that goes to the upstream as it comes in from the client. It can be sent once."""

    length: int | None
    """In bytes, None where it is not known before its end."""
    begun: bool
    """Whether any of it was taken: then it cannot be sent again."""
    ended: bool
    """Whether all of it came."""

    async def chunk(self) -> bytes:
        """The next bytes, `b""` at the end. Raises `ClientError` when the client's body breaks off or is too large."""


@dataclass(slots=True)  # not frozen, as `ledger.records`: made for every request
class Outgoing:
    """A request to an upstream. `path` holds the query; `headers` lack only host, length, connection."""

    method: str
    path: str
    headers: Sequence[tuple[str, str]]
    body: bytes | Upload


class Response(Protocol):
    """An upstream's answer whose headers have come. Close it always; before the end that aborts the connection."""

    status: int
    headers: Mapping[str, str]
    """Lower-case names; repeated fields are joined by a comma."""

    async def chunk(self, idle_timeout: float) -> bytes:
        """The next bytes as they come, `b""` at the end of the body.

        Raises `UpstreamError`: `idle_timeout` after so many seconds of silence, `upstream_reset` when the connection
        breaks, `upstream_protocol_error` when the framing does.
        """

    async def read(self, limit: int, idle_timeout: float, *, deadline: float | None = None) -> bytes:
        """The whole body. Raises as `chunk`, and `upstream_too_large` over `limit` bytes.

        `deadline` is a time of the event loop's clock: `deadline_exceeded` when the body has not ended by then.
        A read that was cancelled may be made again: it goes on where the first one stopped.
        """

    def close(self) -> None:
        """Done with it: a connection at the body's end goes back to the pool, any other is aborted at once."""


class Connector(Protocol):
    """A pool of connections to one provider account."""

    async def request(
        self,
        outgoing: Outgoing,
        *,
        connect_timeout: float,
        headers_timeout: float,
        on_sending: Callable[[], None] | None = None,
        on_left: Callable[[Coroutine[Any, Any, Response]], bool] | None = None,
    ) -> Response:
        """Send and wait for the answer's headers. `on_sending` is called right before the first byte goes out.

        When the task is cancelled while only the headers are waited for, `on_left` is given the rest of the wait, and
        says whether it takes it: then nothing is closed, and the rest is to be awaited, in another task.

        Raises `UpstreamError`: `connect_error`, `connect_timeout`, `dns_error`, `upstream_tls` (all not reached);
        `headers_timeout`, `upstream_reset`, `upstream_protocol_error` (reached). `stale` is set when a reused
        connection died before a byte of the answer.
        """

    async def close(self) -> None:
        """Close idle connections now and the others as they finish."""
