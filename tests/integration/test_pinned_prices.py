"""What an exchange costs is pinned when it begins: a reload with other prices in its midst changes nothing of it."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.gateway import Running, running
from fakes.upstream import Answer, FakeUpstream
from fakes.upstream_answers import openai_reply, openai_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

D = Decimal
USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
BODY = {"model": "chat", "stream": True, "messages": [{"role": "user", "content": "hello"}]}


def config(*urls: str, stops: bool = True) -> str:
    lines = [
        f'  p{n}: {{kind: openai, base_url: "{url}/v1", api_key: test-key, abort_stops_billing: {str(stops).lower()}}}'
        for n, url in enumerate(urls)
    ]
    targets = ", ".join(f"p{n}/m" for n in range(len(urls)))
    return "\n".join(("defaults: {retries: 0}", "providers:", *lines, f"routes: {{chat: {{targets: [{targets}]}}}}"))


def prices(rate: str) -> str:
    return f'prices: {{catalog: none, table: [{{provider: openai, model: "*", input: {rate}, output: 0}}]}}'


NONE_AT_ALL = "prices: {catalog: none}"


async def reload(gateway: Running, old: str, new: str) -> None:
    gateway.config.write_text(gateway.config.read_text().replace(old, new))
    assert await gateway.gateway.reload()


@contextlib.asynccontextmanager
async def begun(gateway: Running) -> AsyncIterator[aiohttp.ClientResponse]:
    """A stream whose first text is here."""
    url = f"{gateway.url}/v1/chat/completions"
    async with aiohttp.ClientSession() as client, client.post(url, json=BODY) as response:
        seen = b""
        while b"Hel" not in seen:
            seen += await response.content.readany()
        yield response


def known(record: dict[str, Any]) -> tuple[str, Decimal | None]:
    return record["cost_status"], None if record["cost_usd"] is None else D(record["cost_usd"])


async def test_a_stream_is_billed_by_the_prices_it_began_with(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with (
        FakeUpstream(openai_stream(("Hel", gate, "lo"), usage=USAGE)) as up,
        running(tmp_path, config(up.url), prices=prices("2")) as gateway,
    ):
        async with begun(gateway) as first:
            await reload(gateway, prices("2"), prices("7"))
            gate.set()
            await first.read()
        async with begun(gateway) as second:
            await second.read()
        attempts = gateway.records("attempt")
        exchanges = gateway.records("exchange")

    assert [known(each) for each in attempts] == [("exact", D("0.002")), ("exact", D("0.007"))]
    assert [known(each) for each in exchanges] == [known(each) for each in attempts]
    assert [each["config_generation"] for each in attempts] == [1, 2]
    assert attempts[0]["price_version"] != attempts[1]["price_version"]


async def test_a_price_that_goes_away_in_the_midst_stays_with_what_has_begun(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with (
        FakeUpstream(openai_stream(("Hel", gate, "lo"), usage=USAGE)) as up,
        running(tmp_path, config(up.url), prices=prices("2")) as gateway,
    ):
        async with begun(gateway) as first:
            await reload(gateway, prices("2"), NONE_AT_ALL)
            gate.set()
            await first.read()
        async with begun(gateway) as second:
            await second.read()
        attempts = gateway.records("attempt")

    assert [known(each) for each in attempts] == [("exact", D("0.002")), ("unpriced", None)]


async def test_a_price_that_comes_in_the_midst_does_not_bill_what_had_none(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with (
        FakeUpstream(openai_stream(("Hel", gate, "lo"), usage=USAGE)) as up,
        running(tmp_path, config(up.url), prices=NONE_AT_ALL) as gateway,
    ):
        async with begun(gateway) as first:
            await reload(gateway, NONE_AT_ALL, prices("2"))
            gate.set()
            await first.read()
        (attempt,) = gateway.records("attempt")

    assert known(attempt) == ("unpriced", None)


async def test_a_fallback_after_a_reload_is_of_the_exchange_that_began_before_it(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with (
        FakeUpstream(Answer(status=500, body=b"{}", before=[gate])) as a,
        FakeUpstream(openai_reply(usage=USAGE)) as b,
        running(tmp_path, config(a.url, b.url), prices=prices("2")) as gateway,
        aiohttp.ClientSession() as client,
    ):
        asking = asyncio.create_task(client.post(f"{gateway.url}/v1/chat/completions", json=BODY | {"stream": False}))
        await a.received(1)
        await reload(gateway, prices("2"), prices("7"))
        gate.set()
        async with await asking as response:
            await response.read()
        attempts = gateway.records("attempt")

    assert response.headers["x-costspan-cost-usd"] == "0.002000"
    assert [known(each) for each in attempts] == [("free", D(0)), ("exact", D("0.002"))]
    assert [each["config_generation"] for each in attempts] == [1, 1]


async def test_an_answer_that_is_read_on_after_its_client_left_is_billed_by_the_prices_it_began_with(
    tmp_path: Path,
) -> None:
    gate = asyncio.Event()
    async with (
        FakeUpstream(openai_stream(("Hel", gate, "lo"), usage=USAGE)) as up,
        running(tmp_path, config(up.url, stops=False), prices=prices("2")) as gateway,
    ):
        async with begun(gateway) as left:
            left.close()
        await reload(gateway, prices("2"), prices("7"))
        gate.set()
        await up.requests[0].answered.wait()
        attempt = await the_attempt(gateway)

    assert (attempt["outcome"], known(attempt)) == ("cancelled", ("exact", D("0.002")))


async def the_attempt(gateway: Running) -> dict[str, Any]:
    """The one attempt, once it has ended."""
    (record,) = await gateway.written("attempt")
    return record


@dataclass
class Open:
    """A stream that has begun and waits, and the price of that moment."""

    gate: asyncio.Event
    rate: int
    client: asyncio.Task[bytes]


STEPS = st.lists(st.sampled_from(["open", "close first", "close last", "free", 1, 3, 7, 11]), min_size=3, max_size=14)


@settings(max_examples=15, deadline=None)
@given(steps=STEPS)
def test_whatever_is_reloaded_when_each_stream_has_its_own_price(steps: list[Any]) -> None:
    asyncio.run(_play(steps))


async def _play(steps: list[Any]) -> None:
    rate, waiting, expected = 2, list[Open](), list[Decimal]()
    gates: list[asyncio.Event] = []
    with tempfile.TemporaryDirectory() as folder:
        async with (
            FakeUpstream(lambda _: openai_stream(("Hel", gates[-1], "lo"), usage=USAGE)) as up,
            running(Path(folder), config(up.url), prices=prices("2")) as gateway,
        ):
            for step in [*steps, "open", *["close first"] * len(steps), "close last"]:
                if step == "open":
                    gates.append(asyncio.Event())
                    ready = asyncio.Event()
                    client = asyncio.create_task(_stream(gateway, ready))
                    await ready.wait()
                    waiting.append(Open(gates[-1], rate, client))
                elif step in {"close first", "close last"} and waiting:
                    ended = waiting.pop(0 if step == "close first" else -1)
                    ended.gate.set()
                    assert (await ended.client).endswith(b"data: [DONE]\n\n")
                    expected.append(D(ended.rate) / 1000)
                elif step == "free" or isinstance(step, int):
                    new = 0 if step == "free" else step
                    if new != rate:
                        await reload(gateway, prices(str(rate)), prices(str(new)))
                    rate = new
            attempts = gateway.records("attempt")

    assert [D(each["cost_usd"]) for each in attempts] == expected
    assert [each["cost_status"] for each in attempts] == ["exact" if usd else "free" for usd in expected]


async def _stream(gateway: Running, ready: asyncio.Event) -> bytes:
    async with begun(gateway) as response:
        ready.set()
        return await response.read()
