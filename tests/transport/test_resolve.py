"""transport.resolve: names are looked up off the loop, remembered, and DNS may fail for a while."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from costspan.transport import resolve
from costspan.transport.pool import Pool
from costspan.transport.resolve import AddressInfo, Resolver
from costspan.wire.http import Outgoing
from fakes.upstream import Answer, FakeUpstream

if TYPE_CHECKING:
    from collections.abc import Sequence


def address(number: int) -> Sequence[AddressInfo]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"10.0.0.{number}", 80))]


class Names:
    """A name server: gives out one address after the other, or fails, or waits to be released."""

    def __init__(self) -> None:
        self.asked = 0
        self.down = False
        self.release = threading.Event()
        self.release.set()

    def lookup(self, host: str, port: int) -> Sequence[AddressInfo]:
        assert (host, port) == ("api.example", 80)
        self.asked += 1
        count = self.asked
        assert self.release.wait(5)
        if self.down:
            raise socket.gaierror(socket.EAI_AGAIN, "down")
        return address(count)


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
def resolver(names: Names) -> Resolver:
    return Resolver("api.example", 80, lookup=names.lookup)


def grow_old(resolver: Resolver, seconds: float) -> None:
    resolver._since -= seconds


async def settled(resolver: Resolver) -> None:
    """Wait for the lookup under way."""
    if resolver._pending is not None:
        await asyncio.wait([resolver._pending])


async def test_a_fresh_address_is_not_looked_up_again(resolver: Resolver, names: Names) -> None:
    assert [await resolver.addresses() for _ in range(3)] == [address(1)] * 3
    assert names.asked == 1


async def test_an_older_address_is_used_and_refreshed_for_the_next(resolver: Resolver, names: Names) -> None:
    await resolver.addresses()
    grow_old(resolver, 31)
    at_once = await resolver.addresses()
    await settled(resolver)

    assert (at_once, await resolver.addresses(), names.asked) == (address(1), address(2), 2)


async def test_an_old_address_is_looked_up_first(resolver: Resolver) -> None:
    await resolver.addresses()
    grow_old(resolver, 301)

    assert await resolver.addresses() == address(2)


async def test_while_dns_is_down_what_is_known_serves(resolver: Resolver, names: Names) -> None:
    await resolver.addresses()
    names.down = True
    for age in (31, 301):
        grow_old(resolver, age)

        assert await resolver.addresses() == address(1)
        await settled(resolver)


async def test_an_unknown_name_is_an_error_each_time(resolver: Resolver, names: Names) -> None:
    names.down = True
    for _ in range(2):
        with pytest.raises(socket.gaierror):
            await resolver.addresses()
    names.down = False

    assert await resolver.addresses() == address(3)


async def test_a_slow_lookup_is_shared_and_a_caller_may_leave(resolver: Resolver, names: Names) -> None:
    names.release.clear()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await resolver.addresses()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(resolver.addresses()) for _ in range(10)]
        await asyncio.sleep(0)
        names.release.set()

    assert [task.result() for task in tasks] == [address(1)] * 10
    assert names.asked == 1


async def test_a_number_needs_no_lookup(names: Names) -> None:
    found = await Resolver("127.0.0.1", 80, lookup=names.lookup).addresses()

    assert [info[4] for info in found] == [("127.0.0.1", 80)]
    assert names.asked == 0


async def test_a_lookup_may_outlive_its_loop(names: Names) -> None:
    names.release.clear()
    started = threading.Event()

    async def leave() -> None:
        resolver = Resolver("api.example", 80, lookup=names.lookup)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await resolver.addresses()
        started.set()

    await asyncio.to_thread(asyncio.run, leave())
    names.release.set()

    assert started.is_set()


async def test_a_pool_tries_the_next_address_when_one_is_refused() -> None:
    async with FakeUpstream(Answer(body=b"ok")) as upstream:
        pool = Pool("http", "some.example", upstream.port)

        def lookup(_: str, port: int) -> Sequence[AddressInfo]:
            hosts = ("127.0.0.2", "127.0.0.1")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in hosts]

        pool._resolver = Resolver("some.example", upstream.port, lookup=lookup)
        response = await pool.request(Outgoing("GET", "/", [], b""), connect_timeout=5, headers_timeout=5)
        response.close()
        await pool.close()

        assert response.status == 200
        assert upstream.requests[0].header("host") == f"some.example:{upstream.port}"


def test_the_system_is_asked_for_streams() -> None:
    assert {info[1] for info in resolve.lookup("localhost", 80)} == {socket.SOCK_STREAM}
