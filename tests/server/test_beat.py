"""Comments on a silent stream."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from costspan.server.beat import Beat

if TYPE_CHECKING:
    from aiohttp import web

QUICK = 0.005
SECONDS = 5.0


class FakeResponse:
    """Remembers what was written; `slow` and `gone` make it a client that does not read, or has left."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.slow = False
        self.gone = False
        self.begun = 0
        self.changed = asyncio.Event()

    async def begin(self) -> web.StreamResponse:
        self.begun += 1
        return cast("web.StreamResponse", self)

    async def write(self, data: bytes) -> None:
        self.written.append(data)
        self.changed.set()
        if self.gone:
            raise ConnectionResetError("gone")
        if self.slow:
            await asyncio.Event().wait()

    async def next(self) -> None:
        """Wait for one more write."""
        self.changed.clear()
        async with asyncio.timeout(SECONDS):
            await self.changed.wait()


async def test_comments_begin_the_response_once_and_go_on() -> None:
    response = FakeResponse()
    beat = Beat(QUICK, response.begin)
    beat.start()
    await response.next()
    await response.next()

    assert await beat.response() is cast("Any", response)
    beat.stop()
    assert response.begun == 1
    assert set(response.written) == {b": costspan\n\n"}


async def test_a_slow_client_has_one_comment_waiting_not_many() -> None:
    response = FakeResponse()
    response.slow = True
    beat = Beat(QUICK, response.begin)
    beat.start()
    await response.next()
    await asyncio.sleep(QUICK * 10)
    beat.stop()

    assert len(response.written) == 1
    assert len(asyncio.all_tasks()) <= 2  # this one, and the comment that was given up


async def test_a_client_that_has_gone_is_no_fault_of_ours() -> None:
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    response = FakeResponse()
    response.gone = True
    beat = Beat(QUICK, response.begin)
    beat.start()
    await response.next()
    await response.next()
    beat.stop()

    assert faults == []


@pytest.mark.parametrize("adopted", [True, False])
async def test_after_the_stop_nothing_is_written(adopted: bool) -> None:
    response = FakeResponse()
    beat = Beat(QUICK, response.begin)
    if adopted:
        beat.adopt(await response.begin())
    beat.start()
    await response.next()
    beat.stop()
    count = len(response.written)
    await asyncio.sleep(QUICK * 4)

    assert len(response.written) == count


async def test_none_when_switched_off_or_when_the_caller_sends_the_headers() -> None:
    response = FakeResponse()
    off, given = Beat(0, response.begin), Beat(QUICK, response.begin)
    off.start()
    given.start()
    assert await given.response() is None
    await asyncio.sleep(QUICK * 4)
    given.stop()

    assert (response.written, response.begun) == ([], 0)
