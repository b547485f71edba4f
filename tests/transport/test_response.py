"""An answer whose body is read in more than one go."""

from __future__ import annotations

import asyncio

import pytest

from costspan.transport.pool import Pool
from costspan.wire.http import Outgoing
from fakes.upstream import Answer, FakeUpstream


async def test_a_cancelled_read_is_taken_up_again_without_a_loss() -> None:
    gate = asyncio.Event()
    async with FakeUpstream(Answer(body=[b"one ", gate, b"two"])) as upstream:
        pool = Pool("http", "127.0.0.1", upstream.port)
        response = await pool.request(Outgoing("GET", "/", [], b""), connect_timeout=5, headers_timeout=5)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await response.read(100, 5)
        gate.set()

        assert await response.read(100, 5) == b"one two"
        response.close()
        await pool.close()
