"""Metrics from ledger records, aggregated here.

An SDK histogram costs 18 µs per record call and a counter 11, and an exchange makes about nine (docs/adr/0004): these
take half a microsecond each. The shapes are OpenTelemetry's (cumulative sums, explicit-bucket histograms);
`prometheus.py` and `otlp_metrics.py` write them out.

Every label value that a client can choose is bounded (`kinds.py`): after `MAX_SERIES` of one instrument, and after some
values of one label, the rest is "other".
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypeAlias

from costspan.ir.usage import completion_tokens, prompt_tokens
from costspan.pricing.rates import ZERO
from costspan.telemetry import semconv as s
from costspan.telemetry.kinds import MAX_SERIES, OTHER, Key, Kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from costspan.ledger.records import Attempt, Exchange
    from costspan.routing.budget import Standing

Number: TypeAlias = int | float | Decimal


@dataclass(frozen=True, slots=True)
class Gauges:
    """What only the server knows, asked for at each collection, on any thread. No call may block or raise."""

    inflight: Callable[[], int]
    config_generation: Callable[[], int]
    reload_success: Callable[[], bool]
    ledger_degraded: Callable[[], bool]
    key_cooldowns: Callable[[], Mapping[tuple[str, str], int]] = dict
    """How often keys began to stand back, by provider and reason."""
    budgets: Callable[[], Sequence[Standing]] = tuple
    target_health: Callable[[], Mapping[tuple[str, str], float]] = dict
    """By provider and model: 1 well, 0.5 to be tried again, 0 left alone."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """A metric's identity. `labels` name the parts of the keys under which it is recorded."""

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    unit: str
    """UCUM; annotations in braces have no meaning."""
    description: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram's state: `counts` has one more entry than the instrument has bounds."""

    counts: tuple[int, ...]
    total: float

    @property
    def count(self) -> int:
        """How many values were recorded."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class Point:
    """One series at the moment of collection. Absent labels are left out."""

    labels: dict[str, str]
    value: Number | Distribution


@dataclass(frozen=True, slots=True)
class Family:
    """An instrument with all of its series."""

    instrument: Instrument
    points: tuple[Point, ...]


class Counter:
    """Sums by key."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self._sums: dict[Key, Number] = {}

    def add(self, key: Key, value: Number) -> None:
        """Add `value`, which has always the same type, so that money stays exact."""
        before = self._sums.get(key)
        if before is None and len(self._sums) >= MAX_SERIES:
            key = (OTHER,) * len(key)
            before = self._sums.get(key)
        self._sums[key] = value if before is None else before + value  # type: ignore[operator] # - see docstring

    def collect(self) -> Family:
        """Return the sums so far."""
        return _family(self.instrument, [(key, value) for key, value in self._sums.items()])


class Histogram:
    """Distributions by key."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self._bounds = instrument.bounds
        self._series: dict[Key, tuple[list[int], list[float]]] = {}

    def record(self, key: Key, value: float) -> None:
        """Count `value` in its bucket; upper bounds are inclusive."""
        series = self._series.get(key)
        if series is None:
            if len(self._series) >= MAX_SERIES:
                key = (OTHER,) * len(key)
            series = self._series.setdefault(key, ([0] * (len(self._bounds) + 1), [0.0]))
        counts, total = series
        counts[bisect_left(self._bounds, value)] += 1
        total[0] += value

    def collect(self) -> Family:
        """Return the distributions so far."""
        points = [(key, Distribution(tuple(counts), total[0])) for key, (counts, total) in self._series.items()]
        return _family(self.instrument, points)


class Metrics:
    """All instruments. Thread-safe: records come from one thread, collections from any."""

    def __init__(self, gauges: Gauges, metric_attributes: Sequence[str], dropped: Callable[[], int]) -> None:
        """`dropped` counts what never became a span (`costspan.telemetry.dropped`)."""
        self._gauges = gauges
        self._dropped = dropped
        self._lock = threading.Lock()
        self._kinds = Kinds(metric_attributes)
        called = (s.OPERATION_NAME, s.PROVIDER_NAME, s.REQUEST_MODEL)
        attributes = self._kinds.attributes
        self._tokens = _histogram(
            s.CLIENT_TOKEN_USAGE, "{token}", "Tokens used, by type.",
            (*called, s.TOKEN_TYPE, *attributes), s.TOKEN_BUCKETS,
        )  # fmt: skip
        self._duration = _histogram(
            s.CLIENT_OPERATION_DURATION, "s", "Duration of upstream calls.", (*called, s.ERROR_TYPE), s.DURATION_BUCKETS
        )
        self._first_chunk = _histogram(
            s.CLIENT_TIME_TO_FIRST_CHUNK, "s", "Time to the first chunk of upstream streams.", called,
            s.FIRST_CHUNK_BUCKETS,
        )  # fmt: skip
        self._served = _histogram(
            s.SERVER_REQUEST_DURATION, "s", "Duration of exchanges.",
            (s.OPERATION_NAME, s.ROUTE, s.ERROR_TYPE), s.DURATION_BUCKETS,
        )  # fmt: skip
        self._overhead = _histogram(s.OVERHEAD, "s", "Time added by the gateway.", (), s.OVERHEAD_BUCKETS)
        target = ("provider", "model", "route")
        self._cost = _counter(
            s.COST_USD, "{USD}", "Cost of attempts. Estimates have a status of their own: do not add them up.",
            (*target, "status", *attributes),
        )  # fmt: skip
        self._drift = _counter(
            s.COST_DRIFT, "{USD}",
            "By how much the provider's own figures are above (over) or below (under) ours, attempt by attempt.",
            ("provider", "model", "direction"),
        )  # fmt: skip
        self._attempts = _counter(
            s.ATTEMPTS, "{attempt}", "Upstream calls made.", ("provider", "route", "outcome", "error_type")
        )
        self._unpriced = _counter(s.UNPRICED, "{attempt}", "Attempts without a known price.", (*target, *attributes))
        self._race_extra = _counter(
            s.RACE_EXTRA, "{USD}", "Cost of attempts that lost a race, which is part of the cost of attempts.",
            ("provider", "route", "status"),
        )  # fmt: skip
        self._health = Instrument(
            s.TARGET_HEALTH, "gauge", "", "Whether a target is asked: 1 well, 0.5 to be tried again, 0 left alone.",
            ("provider", "model"),
        )  # fmt: skip
        self._cooldowns = Instrument(
            s.KEY_COOLDOWNS, "counter", "{cooldown}", "Times that a provider's key began to stand back.",
            ("provider", "reason"),
        )  # fmt: skip

    def record_attempt(self, attempt: Attempt) -> None:
        """Count one attempt's final record."""
        with self._lock:
            self._count_attempt(attempt)

    def record_exchange(self, exchange: Exchange) -> None:
        """Count one exchange's final record."""
        with self._lock:
            self._served.record(self._kinds.of_exchange(exchange), exchange.duration_ms / 1000)
            self._overhead.record((), max(exchange.duration_ms - exchange.upstream_ms, 0.0) / 1000)

    def collect(self) -> list[Family]:
        """Return all metrics as they are now."""
        with self._lock:
            families = [
                instrument.collect()
                for instrument in (self._tokens, self._duration, self._first_chunk, self._served, self._overhead)
            ]
            counters = (self._cost, self._drift, self._attempts, self._unpriced, self._race_extra)
            families += [instrument.collect() for instrument in counters]
            families.append(_family(self._health, self._worst_health()))
        return families + self._collect_gauges() + _budgets(self._gauges.budgets())

    def _collect_gauges(self) -> list[Family]:
        return [
            _family(self._cooldowns, list(self._gauges.key_cooldowns().items())),
            _single(s.INFLIGHT, "gauge", "Exchanges in flight.", self._gauges.inflight()),
            _single(
                s.CONFIG_GENERATION, "gauge", "Generation of the running config.", self._gauges.config_generation()
            ),
            _single(
                s.RELOAD_SUCCESS, "gauge", "Whether the last reload succeeded.", int(self._gauges.reload_success())
            ),
            _single(
                s.LEDGER_DEGRADED, "gauge", "Whether the ledger loses records.", int(self._gauges.ledger_degraded())
            ),
            _single(s.TELEMETRY_DROPPED, "counter", "Records and spans dropped before export.", self._dropped()),
        ]

    def _worst_health(self) -> list[tuple[Key, float]]:
        """Of targets that share a name after the bound of names, the worst."""
        worst: dict[Key, float] = {}
        for (provider, model), health in self._gauges.target_health().items():
            key = (provider, self._kinds.bounded("model", model))
            worst[key] = min(worst.get(key, 1.0), health)
        return list(worst.items())

    def _count_attempt(self, attempt: Attempt) -> None:
        keys = self._kinds.of_attempt(attempt)
        self._duration.record(keys.duration, attempt.duration_ms / 1000)
        if attempt.first_token_ms is not None and attempt.started.origin.stream:
            self._first_chunk.record(keys.called, attempt.first_token_ms / 1000)
        if attempt.usage:
            self._tokens.record(keys.input, prompt_tokens(attempt.usage))
            self._tokens.record(keys.output, completion_tokens(attempt.usage))
        cost = attempt.cost_estimated_usd if attempt.cost_status == "estimated" else attempt.cost_usd
        if cost is not None:
            self._cost.add(keys.cost, cost)
            if attempt.outcome == "lost_race":
                provider, _, route, status = keys.cost[:4]
                self._race_extra.add((provider, route, status), cost)
        elif attempt.cost_status == "unpriced":
            self._unpriced.add(keys.unpriced, 1)
        if (drift := attempt.drift_usd) is not None:
            target = keys.cost[:2]
            self._drift.add((*target, "over"), max(drift, ZERO))
            self._drift.add((*target, "under"), max(-drift, ZERO))
        self._attempts.add(keys.attempts, 1)


def _histogram(name: str, unit: str, description: str, labels: tuple[str, ...], bounds: tuple[float, ...]) -> Histogram:
    return Histogram(Instrument(name, "histogram", unit, description, labels, bounds))


def _counter(name: str, unit: str, description: str, labels: tuple[str, ...]) -> Counter:
    return Counter(Instrument(name, "counter", unit, description, labels))


def _family(instrument: Instrument, points: Sequence[tuple[Key, Number | Distribution]]) -> Family:
    labels = instrument.labels
    return Family(
        instrument,
        tuple(
            Point({name: value for name, value in zip(labels, key, strict=True) if value}, state)
            for key, state in points
        ),
    )


def _budgets(standings: Sequence[Standing]) -> list[Family]:
    """What is left of budgets, in the order of the file."""
    told: list[tuple[str, str, str, list[tuple[Key, Number]]]] = [
        (
            s.BUDGET_REMAINING, "{USD}", "What is left of a budget, reservations taken off.",
            [((standing.budget.name,), standing.remaining) for standing in standings],
        ),
        (
            s.BUDGET_USED, "", "Share of a budget that is spent.",
            [((standing.budget.name,), float(standing.ratio)) for standing in standings],
        ),
        (
            s.BUDGET_WARNED, "", "Whether as much of a budget is spent as is warned about.",
            [((standing.budget.name,), int(standing.warns)) for standing in standings],
        ),
        (
            s.BUDGET_SHARED_UP, "", "Whether what other gateways spend was known when last asked for.",
            [((standing.budget.name,), int(up)) for standing in standings if (up := standing.shared_up) is not None],
        ),
    ]  # fmt: skip
    return [
        _family(Instrument(name, "gauge", unit, description, ("budget",)), points)
        for name, unit, description, points in told
    ]


def _single(name: str, kind: Literal["counter", "gauge"], description: str, value: int) -> Family:
    return Family(Instrument(name, kind, "", description), (Point({}, value),))
