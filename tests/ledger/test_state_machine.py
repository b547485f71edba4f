"""The accounts of a gateway that lives through everything: a state machine over real engine and real ledger.

Hypothesis makes up lives: requests, answers of three dialects piece by piece, clients that leave, resets, retries,
races, reloads, clocks that jump, disks that fail, kills, power cuts. `fakes.ledger_judge` says what holds after every
step. `make torture` lives longer. The controls below show that the judge would notice.
"""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from costspan.errors import Category, UpstreamError
from costspan.ledger import writer as writer_module
from costspan.transport import errors
from fakes.gateway_world import CLIENTS, RATES, TARGETS, World, configurations
from fakes.ledger_judge import Judge
from fakes.provider_scripts import script_of
from fakes.scripted_provider import Piece, Tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costspan.snapshot import Snapshot
    from fakes.gateway_world import Client
    from fakes.scripted_provider import Asked

MOST_CLIENTS = 6
"""At one time."""
RING = writer_module.RING

which = st.integers(0, 20)
"""One of several, counted around."""
counts = st.tuples(st.integers(1, 10**6), st.integers(0, 10**6)).map(lambda pair: Tokens(*pair))
texts = st.text("abc é\n", min_size=1, max_size=40)
REFUSALS = (400, 401, 429, 500, 529)
FULL = (errno.ENOSPC, errno.EROFS, errno.EIO)
JUMPS = (-86_400.0, -3600.0, -1.0, 0.5, 3600.0, 75_000.0, 86_400.0, 200_000.0)
"""Seconds that the wall clock is set by."""
SPANS = (0.0, 0.0, 0.0, 0.0, 0.01, 1.1, 1.1, 1.1, 61.0, 700.0)
"""Seconds that pass: hardly any, until a flush, until silence is too long, the longest that an exchange may take."""


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> list[Snapshot]:
    return configurations(tmp_path_factory.mktemp("configurations"))


class Life(RuleBasedStateMachine):
    """One machine, from its first start to its last stop."""

    snapshots: Sequence[Snapshot] = ()
    omit: str | None = None
    """A kind of record that is not written: for the control."""

    @initialize(seed=st.integers(0, 2**32), ring=st.sampled_from([RING, RING, 8]))
    def begin(self, seed: int, ring: int) -> None:
        writer_module.RING = ring
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name), list(self.snapshots), seed, self.omit)
        self.judge = Judge(self.world)

    # What clients do.

    def waiting_clients(self) -> list[Client]:
        return [client for client in self.world.process.clients if client.waits]

    @precondition(lambda self: len(self.waiting_clients()) < MOST_CLIENTS)
    @rule(
        dialect=st.sampled_from(CLIENTS),
        to=st.sampled_from(TARGETS),
        stream=st.sampled_from([True, True, False]),
        answered=st.booleans(),
        refused=st.sampled_from([0] * 20 + [1, 3]),
    )
    def ask(self, dialect: str, to: str, stream: bool, answered: bool, refused: int) -> None:
        """It may be answered at once. `refused`: so many connections from now on."""
        self.world.provider.refusals.extend(
            UpstreamError("refused", kind="connect_error", category=Category.CONNECT, reached=False)
            for _ in range(refused)
        )
        before = self.silent()
        self.world.ask(dialect, to, stream=stream)
        new = [asked for asked in self.silent() if asked not in before]
        if answered and new:
            self._begin(new[0], Tokens(10, 5), "Hello")

    @precondition(lambda self: self.waiting_clients())
    @rule(which=which)
    def leave(self, which: int) -> None:
        client = _pick(self.waiting_clients(), which)
        started = self.world.process.told.started.values()
        spans = {one.span_id for one in started if one.origin is client.call.origin}
        contest = client.call.contest
        if contest is not None and contest.winner is not None:  # losers are not the client's any more
            spans &= {contest.winner.span_id}
        was_open = [asked for asked in self.world.provider.calls if asked.span_id in spans and not asked.closed]
        ended = {attempt.started.span_id for attempt in self.world.process.told.ended.values()}
        self.world.leave(client)
        self.judge.left(client, [asked for asked in was_open if asked.span_id not in ended])

    # What providers do.

    def silent(self) -> list[Asked]:
        """Calls that have no headers yet."""
        return [asked for asked in self.world.provider.calls if asked.sent and asked.waits]

    def talking(self) -> list[Asked]:
        """Streams in the middle."""
        return [asked for asked in self.world.provider.calls if asked.can_send and asked.begun and asked.stream]

    def calls(self) -> list[Asked]:
        return self.world.provider.calls

    @precondition(lambda self: self.silent())
    @rule(which=which, tokens=counts, text=texts, all_of_it=st.booleans())
    def answer(self, which: int, tokens: Tokens, text: str, all_of_it: bool) -> None:
        """The headers and, of a stream, its beginning."""
        asked = _pick(self.silent(), which)
        self._begin(asked, tokens, text)
        if all_of_it and asked.can_send:
            self._finish(asked, tokens)

    def _begin(self, asked: Asked, tokens: Tokens, text: str) -> None:
        asked.answer()
        asked.begun = True
        script = script_of(asked)
        if asked.stream:
            asked.send(*script.begin(tokens), *script.text(text, tokens))
        self.world.loop.settle()

    @precondition(lambda self: any(asked.begun and asked.can_send for asked in self.calls()))
    @rule(which=which, tokens=counts)
    def finish(self, which: int, tokens: Tokens) -> None:
        """The rest of an answer as it should be."""
        self._finish(_pick([asked for asked in self.calls() if asked.begun and asked.can_send], which), tokens)

    def _finish(self, asked: Asked, tokens: Tokens) -> None:
        script = script_of(asked)
        if not asked.stream:
            asked.send(Piece(script.whole("Hello!", tokens), tokens))
        elif asked.told and asked.told.final:
            asked.send(*script.done())
        else:
            asked.send(*script.finish(tokens), *script.done())
        asked.end()
        self.world.loop.settle()

    @precondition(lambda self: self.talking())
    @rule(which=which, tokens=counts, text=texts, cut=st.integers(0, 500))
    def chunk(self, which: int, tokens: Tokens, text: str, cut: int) -> None:
        """More text, in two parts."""
        asked = _pick(self.talking(), which)
        self._send_cut(asked, script_of(asked).text(text, tokens), cut)

    @precondition(lambda self: self.talking())
    @rule(which=which, tokens=counts, cut=st.integers(0, 500))
    def usage(self, which: int, tokens: Tokens, cut: int) -> None:
        """The usage, all of it, and no end."""
        asked = _pick(self.talking(), which)
        if not (asked.told and asked.told.final):
            self._send_cut(asked, script_of(asked).finish(tokens), cut)

    def _send_cut(self, asked: Asked, pieces: list[Piece], cut: int) -> None:
        *first, last = pieces
        at = cut % len(last.data)
        head = [Piece(last.data[:at])] if at else []
        asked.send(*first, *head)
        self.world.loop.settle()
        if not asked.closed:
            asked.send(Piece(last.data[at:], last.tokens))
            self.world.loop.settle()

    @precondition(lambda self: any(asked.sent and asked.can_send for asked in self.calls()))
    @rule(which=which, how=st.sampled_from([*REFUSALS, "reset", "reset", "end", "stale"]))
    def fail(self, which: int, how: int | str) -> None:
        """A refusal, or a connection that ends before its time."""
        asked = _pick([one for one in self.calls() if one.sent and one.can_send], which)
        if asked.headers.done():
            asked.end() if how == "end" else asked.fail(errors.reset_inside_answer())
        elif isinstance(how, int):
            asked.answer(how, body=b'{"error": {"message": "no"}}')
        else:
            asked.stale = how == "stale"
            asked.fail(errors.reset_before_answer(stale=asked.stale))
        self.world.loop.settle()

    # What operators and the world do.

    @rule(reload=st.booleans(), jump=st.sampled_from([None] * len(JUMPS) + [*JUMPS]), seconds=st.sampled_from(SPANS))
    def go_on(self, reload: bool, jump: float | None, seconds: float) -> None:
        """Time passes. The configuration may be another, or the wall clock be set."""
        if reload:
            self.world.generation = (self.world.generation + 1) % len(RATES)
        self.world.clock.offset += jump or 0.0
        self.world.loop.advance(seconds)

    @precondition(lambda self: self.world.process.told.started or not self.world.disk.well)
    @rule(code=st.sampled_from((*FULL, None, None)), short=st.none() | st.integers(1, 900), sync=st.booleans())
    def change_disk(self, code: int | None, short: int | None, sync: bool) -> None:
        """It fills up, is well again, or fails the next sync."""
        self.world.disk.heal()
        self.world.disk.error = code
        self.world.disk.short = short if code else None
        self.world.disk.fsync_fails = sync and code is None

    @precondition(lambda self: self.world.process.told.started)
    @rule(waited_for=st.booleans())
    def flush(self, waited_for: bool) -> None:
        """If it is not waited for, other things go on while a thread syncs."""
        flushing = self.world.process.writer.flush()
        if not waited_for:
            self.world.loop.create_task(flushing)
            self.world.loop.settle()
            return
        well = self.world.disk.well
        self.world.run(flushing)
        if well:
            self.judge.flushed()

    @precondition(lambda self: self.world.process.told.started)
    @rule(how=st.sampled_from(["kill", "kill", "power", "stop"]), more=st.integers(0, 3000))
    def end(self, how: str, more: int) -> None:
        """The process ends: killed, with the machine, or in good order. The next one starts."""
        if how == "stop":
            self._stop()
        else:
            self.judge.dying()
            self.world.kill()
        if how == "power":
            before = dict(self.world.books.lines)
            self.world.disk.lose_power(self.world.directory, more)
            self.world.books.forget()
            self.judge.lost_power(before)
        self._start()

    def _start(self) -> None:
        self.world.disk.fsync_fails = False  # of a file of the dead nobody would know what it had still to confirm
        well = self.world.disk.error is None
        self.world.start()
        self.judge.started(well=well)

    def _stop(self) -> None:
        self.world.run(self.world.process.stop())
        self.judge.check()
        told = self.world.process.told
        assert told.started.keys() == told.ended.keys(), "I1: a good end leaves nothing open"
        assert all(asked.closed for asked in self.calls()), "connections are left"
        self.judge.dying()

    @invariant()
    def the_accounts_are_right(self) -> None:
        self.judge.check()

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.world.disk.heal()
            self.world.loop.advance(700.0)  # the longest that an exchange may take
            self.judge.check()
            self._stop()
            self._start()
            self.judge.check()
        finally:
            self.world.close()
            self.folder.cleanup()
            writer_module.RING = RING


def _pick(of: Sequence[Any], which: int) -> Any:
    return of[which % len(of)]


def live(snapshots: Sequence[Snapshot], how: settings, *, omit: str | None = None) -> None:
    kind = type("Life", (Life,), {"snapshots": snapshots, "omit": omit})
    run_state_machine_as_test(kind, settings=how)


SHORT = settings(
    max_examples=100,
    stateful_step_count=40,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # a life is shrunk by `make torture`: it takes minutes
)


def test_the_accounts_are_right_whatever_happens(snapshots: list[Snapshot]) -> None:
    live(snapshots, settings() if settings.get_current_profile_name() == "torture" else SHORT)


NOTICED = {
    "attempt_started": "I1: a request went out before its start record",
    "attempt": "I7: neither written, waiting nor counted",
    "exchange": "I7: neither written, waiting nor counted",
}


@pytest.mark.parametrize(("omit", "noticed"), NOTICED.items(), ids=NOTICED.keys())
def test_the_machine_would_notice_a_record_that_is_not_written(
    snapshots: list[Snapshot], omit: str, noticed: str
) -> None:
    with pytest.raises(AssertionError, match=noticed):
        live(snapshots, settings(SHORT, report_multiple_bugs=False), omit=omit)
