"""Holds the ledger of a `World` against the truth: what providers were asked and told, and what the disk took.

The ten invariants of the notes on reliability, 5.8, as they read for this ledger:

I1   Each attempt that started has its start record before its first byte, and one final record once it has ended: with
     ends + in flight = starts, in the ledger or waiting in memory for it. Ids are never used twice.
I2   An exchange costs the sum of its attempts, retries, losers and drained ones included.
I3   What a provider said last of its usage counts, 0 included; said only in part, it is a lower bound of an estimate;
     an estimate is never a cost, and never 0.
I4   Files are appended to and never changed. (Corrections by `supersedes` are not there: nothing is ever corrected.)
I5   An attempt is priced by the snapshot that its exchange began with, whatever was reloaded since.
I6   Money is exact: it is compared as fractions; parts sum to the cost.
I7   What observers were told = what the ledger has + what waits + what was counted as lost. (The notes speak of a spool
     and an exporter. Here spans go to a collector from the same records, beside the ledger: `Told` stands for them.)
I8   Durations are not negative and a first token comes before the end, however the wall clock jumps.
I9   The same usage costs the same, streamed or whole: one formula holds for both.
I10  Whatever the books meet with (a full disk, names that are no Unicode), the client's answer does not notice.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from costspan.ledger import writer as writer_module
from fakes.gateway_world import RATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from costspan.ledger.records import Attempt, AttemptStarted
    from fakes.gateway_world import Client, World
    from fakes.ledger_disk import Key
    from fakes.scripted_provider import Asked, Tokens

Lines = dict["Key", dict[str, Any]]
MILLION = 1_000_000


class Judge:
    """Checks after every step. All checks raise AssertionError that begins with the invariant's number."""

    def __init__(self, world: World) -> None:
        self.unrecovered = False
        """The disk did not let the last start recover."""
        self._world = world
        self._judged: set[Key] = set()
        self._forgiven: set[str] = set()
        """Exchanges of which a process or the machine took records with it."""
        self._confirmed: set[Key] = set()
        """Records that a good flush has promised to keep."""

    def check(self) -> None:
        """Everything that holds at any time."""
        world = self._world
        world.books.look()
        there = {**world.books.lines, **world.waiting_lines()}
        told = world.process.told
        faults = [*world.faults, *world.books.faults, *told.faults]
        assert not faults, faults
        assert not world.loop.faults, world.loop.faults
        for client in world.process.clients:
            assert client.fault is None, f"I10: the client met {client.fault!r}"
        self._all_is_somewhere(there)
        self._ends_follow_starts(there)
        for id_, attempt in told.ended.items():
            if self._first_time("attempt", id_):
                self._judge(attempt, there.get(("attempt", id_)))
        for id_ in told.exchanges:
            if ("exchange", id_) in there and self._first_time("exchange", id_):
                self._sums_up(there, id_)

    def _first_time(self, kind: str, id_: str) -> bool:
        new = (kind, id_) not in self._judged
        self._judged.add((kind, id_))
        return new

    @property
    def _told(self) -> set[Key]:
        told = self._world.process.told
        return {
            *(("attempt_started", id_) for id_ in told.started),
            *(("attempt", id_) for id_ in told.ended),
            *(("exchange", id_) for id_ in told.exchanges),
        }

    def _all_is_somewhere(self, there: Lines) -> None:
        missing = self._told - there.keys()
        writer = self._world.process.writer
        assert len(missing) <= writer.lost, f"I7: neither written, waiting nor counted: {sorted(missing)}"
        if not self._world.disk.ever_spoilt:  # else what was written may be written again, and lost then
            assert len(missing) == writer.lost, f"I7: {writer.lost} lost, {sorted(missing)} missing"
        self._forgive(missing)

    def _ends_follow_starts(self, there: Lines) -> None:
        told = self._world.process.told
        starts = {id_ for kind, id_ in there if kind == "attempt_started"}
        ends = {id_ for kind, id_ in there if kind == "attempt"}
        early = (told.started.keys() - told.ended.keys()) & ends
        assert not early, f"I1: ended in the ledger, and still in flight: {early}"
        orphans = {id_ for id_ in ends - starts if there["attempt", id_]["exchange_id"] not in self._forgiven}
        assert not orphans, f"I1: ends without a start: {orphans}"
        left = starts - ends - told.started.keys()
        assert self.unrecovered or not left, f"I1: started, neither ended nor in flight: {left}"

    def _judge(self, attempt: Attempt, line: dict[str, Any] | None) -> None:
        """One final record, and its line, against what the provider knows."""
        started = attempt.started
        (asked,) = [asked for asked in self._world.provider.calls if asked.span_id == started.span_id]
        self._keeps_its_price(started, attempt)
        assert attempt.duration_ms >= 0, "I8"
        assert attempt.first_token_ms is None or 0 <= attempt.first_token_ms <= attempt.duration_ms, "I8"
        if not asked.sent or asked.stale or (asked.status or 0) >= 400:
            assert attempt.cost_status == "free", f"I3: not billed, but {attempt}"
            assert attempt.cost_usd == 0, f"I3: not billed, but {attempt}"
        elif asked.told is not None and asked.told.final:
            _is_exact(attempt, asked.told)
        else:
            _is_estimated(attempt, asked.told)
        if line is not None:
            _says_the_same(line, attempt)

    def _keeps_its_price(self, started: AttemptStarted, attempt: Attempt) -> None:
        snapshot = self._world.snapshots[started.origin.config_generation]
        versions = {started.price_version, attempt.price_version}
        assert versions == {snapshot.digest[:12]}, f"I5: {versions} in generation {snapshot.generation}"
        assert attempt.price_source == started.price_source, "I5"

    def _sums_up(self, there: Lines, id_: str) -> None:
        """The exchange's line against its attempts' lines."""
        told = self._world.process.told
        open_ = [
            started.id
            for started in told.started.values()
            if started.origin.exchange_id == id_ and started.id not in told.ended
        ]
        assert not open_, f"I2: the exchange has its record before its attempts {open_}"
        if id_ not in self._forgiven:
            _is_the_sum(there["exchange", id_], _attempts_of(there, id_))

    def left(self, client: Client, was_open: Iterable[Asked]) -> None:
        """`client` has gone, while the calls `was_open` were under way for it."""
        assert client.outcome is not None
        ended = {attempt.started.span_id for attempt in self._world.process.told.ended.values()}
        for asked in was_open:
            if asked.account.abort_stops_billing:
                assert asked.closed, "the upstream goes on for nobody"
                assert asked.span_id in ended
            elif asked.sent:
                assert not asked.closed, "the upstream bills on, and nobody reads what"
                assert asked.span_id not in ended

    def flushed(self) -> None:
        """A flush has gone well: what was told until now survives the machine."""
        writer = self._world.process.writer
        assert (writer.degraded, writer.waiting) == (False, 0), "P4: the disk is well, and the ledger is not"
        if len(self._told) <= writer_module.RING:  # of more than that, a sync that failed may have let go
            self._confirmed |= self._told

    def dying(self) -> None:
        """What waits in memory goes with the process."""
        self._world.books.look()
        self._forgive(self._told - self._world.books.lines.keys())

    def lost_power(self, before: Mapping[Key, dict[str, Any]]) -> None:
        """The machine took what was not synced. `before` is what the files had said."""
        after = self._world.books.lines
        assert self._confirmed <= after.keys(), f"P2: synced, and gone: {self._confirmed - after.keys()}"
        self._forgiven |= {before[key]["exchange_id"] for key in before.keys() - after.keys()}

    def started(self, *, well: bool) -> None:
        """A new process runs. `well`: the disk let it recover."""
        self.unrecovered = not well
        books = self._world.books
        books.look()
        if not well:
            return
        exchanges, ends = books.of("exchange"), books.of("attempt")
        starts = books.of("attempt_started")
        for id_, start in starts.items():
            assert id_ in ends, f"I1: not recovered: {id_}"
            assert start["exchange_id"] in exchanges, f"I1: its exchange was not recovered: {id_}"
        for id_, end in ends.items():
            began = starts.get(id_)  # None: cut before its line's end, which still counts
            if began is not None and end["outcome"] == "recovered" and self._first_time("attempt", id_):
                _is_recovered(began, end)
        for id_, exchange in exchanges.items():
            if self._first_time("exchange", id_) and id_ not in self._forgiven:
                _is_the_sum(exchange, _attempts_of(books.lines, id_))

    def _forgive(self, keys: Iterable[Key]) -> None:
        told = self._world.process.told
        for kind, id_ in keys:
            self._forgiven.add(id_ if kind == "exchange" else told.started[id_].origin.exchange_id)


def _attempts_of(there: Lines, exchange_id: str) -> list[dict[str, Any]]:
    return [line for (kind, _), line in there.items() if kind == "attempt" and line["exchange_id"] == exchange_id]


def _price(tokens: Tokens, generation: int) -> Fraction:
    input_, output = RATES[generation]
    return Fraction(tokens.input * input_ + tokens.output * output, MILLION)


def _is_exact(attempt: Attempt, told: Tokens) -> None:
    due = _price(told, attempt.started.origin.config_generation)
    assert attempt.cost_status == "exact", f"I3: the provider told its usage, but {attempt}"
    assert attempt.cost_estimated_usd is None, "I3"
    assert attempt.cost_usd is not None, "I3"
    assert Fraction(attempt.cost_usd) == due, f"I6, I9: {attempt.cost_usd} instead of {due}"
    assert sum(map(Fraction, attempt.cost_parts.values())) == due, f"I6: {attempt.cost_parts}"


def _is_estimated(attempt: Attempt, told: Tokens | None) -> None:
    assert (attempt.cost_status, attempt.cost_usd) == ("estimated", None), f"I3: never told, but {attempt}"
    assert attempt.estimate_basis, "I3"
    assert attempt.cost_estimated_usd is not None, "I3"
    least = Fraction(0) if told is None else _price(told, attempt.started.origin.config_generation)
    estimate = Fraction(attempt.cost_estimated_usd)
    assert estimate > 0, "I3: an estimate of nothing"
    assert estimate >= least, f"I3: {estimate} is less than what was told, {least}"


def _says_the_same(line: dict[str, Any], attempt: Attempt) -> None:
    for name in ("cost_usd", "cost_estimated_usd"):
        usd = getattr(attempt, name)
        assert line[name] == (None if usd is None else format(usd, "f")), f"I6: {name}"
    assert (line["outcome"], line["cost_status"]) == (attempt.outcome, attempt.cost_status)
    assert line["usage"] == dict(attempt.usage)


def _is_recovered(start: dict[str, Any], end: dict[str, Any]) -> None:
    assert (end["cost_usd"], end["cost_status"]) == (None, "estimated"), f"I3: {end}"
    for name in ("price_version", "price_source", "config_generation", "exchange_id", "index"):
        assert end[name] == start[name], f"I5: {name}"
    assert end["cost_estimated_usd"] == start["estimate_usd"]
    assert Fraction(end["cost_estimated_usd"]) > 0, "I3"


def _is_the_sum(exchange: dict[str, Any], attempts: list[dict[str, Any]]) -> None:
    assert exchange["attempts"] == len(attempts), f"I2: {exchange['attempts']} attempts, {len(attempts)} recorded"
    for name in ("cost_usd", "cost_estimated_usd"):
        known = [Fraction(attempt[name]) for attempt in attempts if attempt[name] is not None]
        due = sum(known, Fraction(0)) if known else None
        said = None if exchange[name] is None else Fraction(exchange[name])
        assert said == due, f"I2: {name} is {exchange[name]}, its attempts come to {due}"
