"""The observer that turns records into spans and metrics, off the request path.

```
event loop ── append ──▶ records ── build thread ──▶ metrics
                                        └── encoded spans ── export thread ──▶ collector
```

The request path appends to a bounded queue (under 1 µs) and never waits. The build thread never waits for the network,
so metrics stay right while a collector is down. It works in small slices, so that the event loop, with which it shares
the interpreter, is never kept from a request for long. A process that exports nothing has no thread: metrics are then
counted at once, because a thread costs more than the few microseconds it would save.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from costspan.ledger.records import Attempt
from costspan.telemetry import prometheus
from costspan.telemetry.spans import attempt_span, exchange_span

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from costspan.ledger.records import AttemptStarted, Exchange
    from costspan.telemetry.exporter import Exporter
    from costspan.telemetry.metrics import Metrics
    from costspan.telemetry.sampling import Sampler

_log = logging.getLogger(__name__)

MAX_RECORDS = 8192
"""Between request path and build thread: some seconds of the highest load."""

_WAKE_AT = 64
_SLICE = 16
"""Records built before the event loop gets its turn: about half a millisecond."""
_PAUSE = 0.001
_DELAY = 0.5
"""Seconds that a record waits at most to be built."""


class Telemetry:
    """An `engine.observer.Observer`. Start it on the process that serves; close it to flush."""

    def __init__(
        self,
        *,
        sampler: Sampler,
        resource: Mapping[str, str],
        cost_aliases: Sequence[str] = (),
        make_metrics: Callable[[Callable[[], int]], Metrics] | None = None,
        exporter: Callable[[Metrics | None], Exporter] | None = None,
    ) -> None:
        """`make_metrics` is given the counter of drops, `exporter` the metrics; None means not wanted."""
        self.sampler = sampler
        self._resource = resource
        self._aliases = tuple(cost_aliases)
        self._dropped = 0
        self._metrics = make_metrics(lambda: self.dropped) if make_metrics else None
        self._exporter = exporter(self._metrics) if exporter else None
        self._records: deque[tuple[Attempt | Exchange, tuple[Attempt, ...]]] = deque()
        self._building = threading.Lock()
        self._wake = threading.Event()
        self._started = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="costspan-build", daemon=True)

    @property
    def dropped(self) -> int:
        """Records and spans that will not reach the collector."""
        return self._dropped + (self._exporter.dropped if self._exporter else 0)

    def start(self) -> None:
        """Start the threads, where something is exported. After a fork, not before."""
        if self._exporter:
            self._started = True
            self._exporter.start()
            self._thread.start()

    def attempt_started(self, started: AttemptStarted) -> None:
        """Nothing: spans are made of final records."""

    def attempt_ended(self, attempt: Attempt) -> None:
        """Take an attempt, which may end after its exchange."""
        self._take(attempt, ())

    def exchange_ended(self, exchange: Exchange, attempts: Sequence[Attempt]) -> None:
        """Take an exchange. Its attempts have come one by one."""
        self._take(exchange, tuple(attempts))

    def flush(self, timeout: float = 5.0) -> bool:
        """Deliver everything taken so far; False when that took longer than `timeout` seconds. Blocks."""
        self._build_all()
        return self._exporter is None or self._exporter.flush(timeout)

    def close(self, timeout: float) -> None:
        """Deliver everything within `timeout` seconds, count what is left as dropped. Blocks; twice is once."""
        if self._stopping:
            return
        self._stopping = True
        self._build_all()
        if self._exporter and self._started:
            self._wake.set()
            self._thread.join()
            self._exporter.close(timeout)

    def prometheus_text(self) -> tuple[bytes, str]:
        """Body and content type for `GET /metrics`: everything taken so far. Empty where metrics are off."""
        self._build_all()
        families = self._metrics.collect() if self._metrics else []
        return prometheus.render(families, self._resource), prometheus.CONTENT_TYPE

    def _take(self, record: Attempt | Exchange, attempts: tuple[Attempt, ...]) -> None:
        if self._exporter is None:
            if self._metrics is not None:
                self._build(record, attempts)
            return
        if len(self._records) >= MAX_RECORDS or self._stopping:
            self._dropped += 1
            return
        self._records.append((record, attempts))
        if len(self._records) == _WAKE_AT:
            self._wake.set()

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(_DELAY)
            self._wake.clear()
            while self._records and not self._stopping:
                self._build_some(_SLICE)
                time.sleep(_PAUSE)

    def _build_all(self) -> None:
        self._build_some(len(self._records))

    def _build_some(self, count: int) -> None:
        """Build up to `count` records. One thread at a time, so that after `_build_all` they are all counted."""
        with self._building:
            for _ in range(min(count, len(self._records))):
                self._build(*self._records.popleft())

    def _build(self, record: Attempt | Exchange, attempts: tuple[Attempt, ...]) -> None:
        """Build and offer one span, and count its metrics. The only place that may fail, and it does not raise."""
        try:
            if isinstance(record, Attempt):
                self._build_attempt(record)
            else:
                self._build_exchange(record, attempts)
        except Exception as error:  # noqa: BLE001 - a record nobody foresaw must not end the thread or a request
            self._dropped += 1
            _log.warning("a record could not be turned into telemetry: %s", type(error).__name__)

    def _build_attempt(self, attempt: Attempt) -> None:
        if self._metrics is not None:
            self._metrics.record_attempt(attempt)
        if self._exporter is not None and attempt.started.origin.sampled:
            self._exporter.offer(attempt_span(attempt))

    def _build_exchange(self, exchange: Exchange, attempts: tuple[Attempt, ...]) -> None:
        if self._metrics is not None:
            self._metrics.record_exchange(exchange)
        if self._exporter is not None and exchange.origin.sampled:
            self._exporter.offer(exchange_span(exchange, attempts, self._aliases))
