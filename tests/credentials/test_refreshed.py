"""costspan.credentials.refreshed: fetched once, kept fresh in the background, and said clearly when it cannot be."""

from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import dataclass, field

import pytest

from costspan.credentials import refreshed
from costspan.credentials.held import Held, NoCredentials, Token
from costspan.credentials.refreshed import LEAD, PAUSE, SHORTEST, Refreshed
from costspan.errors import Category, UpstreamError

HOUR = 3600.0


@dataclass
class Clock:
    """Epoch seconds, as told."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Chain:
    """A credential chain with a script: tokens by their life in seconds, or what goes wrong."""

    clock: Clock
    script: list[float | Exception]
    gate: threading.Event = field(default_factory=threading.Event)
    """Not set: a fetch hangs."""
    threads: list[threading.Thread] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the script has come to its end."""
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def fetch(self) -> Held:
        self.threads.append(threading.current_thread())
        assert self.gate.wait(20)
        step = self.script[len(self.threads) - 1]
        if len(self.threads) == len(self.script):
            self.loop.call_soon_threadsafe(self.done.set)
        if isinstance(step, Exception):
            raise step
        return Token(f"token-{len(self.threads)}", self.clock.now + step)


def chain(*script: float | Exception, open_gate: bool = True) -> tuple[Chain, Refreshed, Clock]:
    clock = Clock()
    made = Chain(clock, list(script))
    if open_gate:
        made.gate.set()
    return made, Refreshed("Test", made.fetch, clock), clock


async def value(source: Refreshed) -> str:
    held = await source.get()
    assert isinstance(held, Token)
    return held.value


async def finished(source: Refreshed) -> None:
    """The fetch that is under way has ended."""
    await source.begin()


async def test_it_is_fetched_once_and_kept() -> None:
    made, source, clock = chain(HOUR)

    assert await value(source) == "token-1"
    clock.now += HOUR - LEAD - 1
    assert await value(source) == "token-1"
    assert len(made.threads) == 1
    source.close()


async def test_fetching_blocks_a_thread_that_does_not_hold_up_the_end_of_the_process() -> None:
    made, source, _ = chain(HOUR)

    await source.get()

    assert made.threads[0] is not threading.current_thread()
    assert made.threads[0].daemon
    source.close()


async def test_requests_that_come_together_wait_for_one_fetch() -> None:
    made, source, _ = chain(HOUR, open_gate=False)

    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(value(source)) for _ in range(20)]
        await asyncio.sleep(0)
        made.gate.set()

    assert [task.result() for task in waiting] == ["token-1"] * 20
    assert len(made.threads) == 1
    source.close()


async def test_a_request_that_goes_away_takes_nothing_from_the_others() -> None:
    made, source, _ = chain(HOUR, open_gate=False)
    first = asyncio.create_task(value(source))
    await asyncio.sleep(0)
    second = asyncio.create_task(value(source))
    await asyncio.sleep(0)

    first.cancel()
    made.gate.set()

    assert await second == "token-1"
    assert len(made.threads) == 1
    source.close()


async def test_it_is_renewed_before_its_end_without_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refreshed, "SHORTEST", 0.0)
    made, source, _ = chain(LEAD, HOUR)  # due at once

    assert await value(source) == "token-1"
    await script_ended(made, source)

    assert await value(source) == "token-2"
    assert len(made.threads) == 2
    source.close()


async def script_ended(made: Chain, source: Refreshed) -> None:
    """Wait, without asking for anything, until the last fetch of the script has ended."""
    await asyncio.wait_for(made.done.wait(), 20)
    assert source._running is not None
    await source._running


async def test_no_request_waits_for_a_renewal() -> None:
    made, source, _ = chain(HOUR, HOUR)
    await source.get()
    made.gate.clear()
    renewal = source.begin()
    await asyncio.sleep(0)

    async with asyncio.timeout(5):
        assert await value(source) == "token-1"

    assert not renewal.done()
    made.gate.set()
    await renewal
    assert await value(source) == "token-2"
    source.close()


async def test_a_renewal_is_planned_for_shortly_before_the_end() -> None:
    _, source, _ = chain(HOUR)
    await source.get()
    timer = source._timer
    assert timer is not None

    assert timer.when() - asyncio.get_running_loop().time() == pytest.approx(HOUR - LEAD, abs=5)
    source.close()


async def test_renewals_that_nobody_waits_for_are_not_hasty() -> None:
    _, source, _ = chain(LEAD + 1)  # a metadata server may give the same token until shortly before its end
    await source.get()
    timer = source._timer
    assert timer is not None

    assert timer.when() - asyncio.get_running_loop().time() == pytest.approx(SHORTEST, abs=5)
    source.close()


async def test_what_has_expired_is_not_used() -> None:
    _, source, clock = chain(HOUR, HOUR)
    await source.get()
    clock.now += HOUR

    assert await value(source) == "token-2"
    source.close()


async def test_a_renewal_that_fails_keeps_what_is_still_valid() -> None:
    _, source, clock = chain(HOUR, OSError("down"), HOUR)
    await source.get()

    await finished(source)
    assert await value(source) == "token-1"

    clock.now += HOUR
    assert await value(source) == "token-3"
    source.close()


async def test_a_renewal_that_failed_is_tried_again_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refreshed, "SHORTEST", 0.0)
    made, source, _ = chain(LEAD, OSError("down"), HOUR)
    await source.get()

    await script_ended(made, source)

    assert await value(source) == "token-3"
    source.close()


async def test_what_has_no_end_is_not_renewed() -> None:
    calls: list[int] = []

    def fetch() -> Held:
        calls.append(1)
        return Token("for ever", None)

    clock = Clock()
    source = Refreshed("Test", fetch, clock)
    await source.get()
    clock.now += 1000 * HOUR

    assert await value(source) == "for ever"
    assert calls == [1]
    source.close()


async def failure(source: Refreshed) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await source.get()
    return caught.value


async def test_a_failure_says_what_failed_and_that_nothing_was_asked() -> None:
    _, source, _ = chain(NoCredentials("set TEST_KEY"))

    error = await failure(source)

    assert error.message == "no Test credentials: set TEST_KEY"
    assert (error.kind, error.category, error.reached, error.status) == (
        "credentials_error",
        Category.AUTH,
        False,
        None,
    )


async def test_a_librarys_words_are_for_the_log_and_not_for_clients(caplog: pytest.LogCaptureFixture) -> None:
    secret = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0"
    _, source, _ = chain(RuntimeError(f"server said {secret}\nof AKIAIOSFODNN7EXAMPLE"))

    with caplog.at_level(logging.DEBUG):
        error = await failure(source)

    assert error.message == "no Test credentials: RuntimeError, see the gateway's log"
    assert caplog.messages == ["Test credentials: RuntimeError: server said *** of ***"]


async def test_a_token_that_is_over_when_it_comes_is_a_failure() -> None:
    _, source, _ = chain(-1.0)

    assert (await failure(source)).message == "no Test credentials: they had expired when they came"


async def test_tokens_that_are_over_when_they_come_are_not_fetched_in_a_row() -> None:
    made, source, clock = chain(-1.0, HOUR)

    await failure(source)
    await failure(source)
    assert len(made.threads) == 1

    clock.now += PAUSE
    assert await value(source) == "token-2"
    source.close()


async def test_a_token_that_is_over_when_it_comes_replaces_none_that_holds() -> None:
    _, source, _ = chain(HOUR, -1.0)
    await source.get()

    await finished(source)

    assert await value(source) == "token-1"
    source.close()


async def test_a_clock_that_is_set_back_holds_up_neither_a_new_try_nor_a_doubt() -> None:
    made, source, clock = chain(OSError("down"), HOUR, HOUR)
    await failure(source)

    clock.now -= HOUR
    assert await value(source) == "token-2"
    clock.now -= HOUR
    source.doubt()
    await finished(source)

    assert len(made.threads) == 3
    source.close()


async def test_a_fetch_that_never_ends_is_given_up_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refreshed, "LONGEST", 0.01)
    made, source, clock = chain(HOUR, HOUR, open_gate=False)

    assert (await failure(source)).message == "no Test credentials: TimeoutError, see the gateway's log"

    monkeypatch.undo()
    made.gate.set()
    clock.now += PAUSE
    assert (await value(source)).startswith("token-")
    source.close()


async def test_requests_do_not_besiege_a_server_that_is_down() -> None:
    made, source, clock = chain(OSError("down"), HOUR)

    first = await failure(source)
    clock.now += PAUSE - 0.1
    second = await failure(source)

    assert first.message == second.message
    assert len(made.threads) == 1

    clock.now += 0.1
    assert await value(source) == "token-2"
    source.close()


async def test_what_the_provider_refuses_is_looked_for_again_but_not_in_a_row() -> None:
    made, source, clock = chain(HOUR, HOUR, HOUR)
    await source.get()

    source.doubt()
    clock.now += SHORTEST
    source.doubt()
    await finished(source)
    source.doubt()
    await asyncio.sleep(0)

    assert len(made.threads) == 2
    assert await value(source) == "token-2"
    source.close()


async def test_after_closing_nothing_is_fetched() -> None:
    made, source, _ = chain(LEAD, HOUR)
    await source.get()
    timer = source._timer
    assert timer is not None

    source.close()

    assert timer.cancelled()
    assert len(made.threads) == 1
