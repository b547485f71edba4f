"""transport.connection: orders of events that sockets give only now and then, on a transport in memory."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from costspan.errors import UpstreamError
from costspan.transport.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class MemoryTransport(asyncio.Transport):
    """Remembers what is written and whether reading is paused. Closes as sockets do: `connection_lost` comes later."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.reading = True
        self.closing = False

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self.socket if name == "socket" else default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.closing = True

    socket: socket.socket


@pytest.fixture
def transport() -> Iterator[MemoryTransport]:
    made = MemoryTransport()
    with socket.socket() as unused:
        made.socket = unused
        yield made


@pytest.fixture
async def lost() -> list[Connection]:
    return []


@pytest.fixture
async def connection(transport: MemoryTransport, lost: list[Connection]) -> Connection:
    made = Connection(asyncio.get_running_loop(), lost.append)
    made.connection_made(transport)
    return made


def chunks(count: int) -> bytes:
    """So many chunks of 8 KiB."""
    return (b"2000\r\n" + b"x" * 8192 + b"\r\n") * count


def drain(connection: Connection) -> int:
    """Read all there is; how many bytes."""
    assert connection.payload is not None
    total = 0
    while data := connection.payload.read_nowait():
        total += len(data)
    return total


@pytest.mark.parametrize("reset", [False, True])
async def test_an_end_that_overtakes_unparsed_bytes_waits_for_them(
    connection: Connection, transport: MemoryTransport, reset: bool
) -> None:
    connection.send(b"GET / HTTP/1.1\r\n\r\n", b"")
    connection.data_received(HEAD + chunks(20))
    paused_at_once = not transport.reading
    if reset:
        connection.connection_lost(ConnectionResetError())
    else:
        connection.eof_received()
    error_before_the_data = connection.error

    assert (paused_at_once, error_before_the_data) == (True, None)
    assert drain(connection) == 20 * 8192
    assert connection.error is not None
    assert connection.error.kind == "upstream_reset"


async def test_an_end_behind_a_whole_answer_is_no_error(connection: Connection, transport: MemoryTransport) -> None:
    connection.send(b"GET / HTTP/1.1\r\n\r\n", b"")
    connection.data_received(HEAD + chunks(20) + b"0\r\n\r\n")
    connection.connection_lost(ConnectionResetError())

    assert drain(connection) == 20 * 8192
    assert connection.error is None
    assert not connection.reusable


async def test_reading_goes_on_when_the_reader_has_caught_up(
    connection: Connection, transport: MemoryTransport
) -> None:
    connection.send(b"GET / HTTP/1.1\r\n\r\n", b"")
    connection.data_received(HEAD + chunks(20) + b"0\r\n\r\n")
    paused = not transport.reading
    drain(connection)

    assert (paused, transport.reading, connection.reusable) == (True, True, True)


SMALL = b"1\r\nx\r\n"
PAUSES_AT = 1025
"""So many small chunks that nobody has read make aiohttp's reader pause (3.14.5: a sixteenth of the limit, and one)."""


@pytest.mark.parametrize("closes", [False, True])
@pytest.mark.parametrize("beyond", range(-len(SMALL), len(SMALL) + 1))
async def test_bytes_behind_a_pause_that_stopped_nothing_are_read(
    connection: Connection, transport: MemoryTransport, beyond: int, closes: bool
) -> None:
    """The pause comes with the end of a chunk, the parser stops at the next byte of a body: there may be none yet."""
    wire = HEAD + SMALL * (PAUSES_AT + 100) + b"0\r\n\r\n"
    cut = len(HEAD) + len(SMALL) * PAUSES_AT + beyond
    connection.send(b"GET / HTTP/1.1\r\n\r\n", b"")
    connection.data_received(wire[:cut])
    paused = not transport.reading
    read = drain(connection)
    connection.data_received(wire[cut:])
    if closes:
        connection.eof_received()
    read += drain(connection)

    assert paused is (beyond >= 0)
    assert (read, connection.error, transport.reading, connection.reusable) == (PAUSES_AT + 100, None, True, True)


async def test_a_long_body_goes_out_as_the_socket_takes_it(connection: Connection, transport: MemoryTransport) -> None:
    connection.pause_writing()
    connection.send(b"HEAD", b"x" * 300_000)
    first = [len(piece) for piece in transport.written]
    connection.resume_writing()

    assert first == [4 + 131_072]
    assert [len(piece) for piece in transport.written] == [4 + 131_072, 131_072, 300_000 - 2 * 131_072]


async def test_nothing_more_is_written_to_a_peer_that_has_left(
    connection: Connection, transport: MemoryTransport
) -> None:
    connection.pause_writing()
    connection.send(b"HEAD", b"x" * 300_000)
    connection.eof_received()
    connection.resume_writing()

    assert (len(transport.written), transport.closing) == (1, True)


async def test_a_request_on_a_closing_connection_is_a_reset(connection: Connection, transport: MemoryTransport) -> None:
    transport.closing = True
    with pytest.raises(UpstreamError) as caught:
        connection.send(b"GET / HTTP/1.1\r\n\r\n", b"")

    assert (caught.value.kind, caught.value.stale, transport.written) == ("upstream_reset", False, [])


async def test_the_pool_is_told_once_of_a_loss(connection: Connection, lost: list[Connection]) -> None:
    connection.eof_received()
    connection.connection_lost(None)

    assert lost == [connection]
    await connection.lost()
