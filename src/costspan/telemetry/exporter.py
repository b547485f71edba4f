"""The thread that delivers encoded spans, and metrics where they are exported.

Offering a span never blocks: what does not fit the queue is dropped and counted, and so is a batch that the collector
did not take in time. The ledger has both.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costspan.telemetry.otlp import Envelope
    from costspan.telemetry.transport import MetricsOutlet, Outlet

_log = logging.getLogger(__name__)

_LAST_WORD = 0.25
"""Seconds that a close waits for the thread after it aborted its retries."""


@dataclass(frozen=True, slots=True)
class Batching:
    """OTEL_BSP_* and OTEL_METRIC_EXPORT_INTERVAL. Sizes in spans, times in seconds."""

    max_queue: int = 2048
    max_batch: int = 512
    delay: float = 5.0
    metrics_interval: float = 60.0


class Exporter:
    """Start it, offer it spans from any thread, flush or close it. Either outlet may be None."""

    def __init__(
        self, spans: Outlet | None, metrics: MetricsOutlet | None, envelope: Envelope, batching: Batching
    ) -> None:
        self._spans = spans
        self._metrics = metrics
        self._envelope = envelope
        self._batching = batching
        self._queue: deque[bytes] = deque()
        self._wake = threading.Event()
        self._changed = threading.Condition()
        self._overflowed = 0
        self._given_up = 0
        self._unsettled = 0
        self._counting = threading.Lock()
        self._closed = False
        self._flushes_wanted = 0
        self._flushes_done = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="costspan-export", daemon=True)

    @property
    def dropped(self) -> int:
        """Spans that were offered and will not arrive."""
        return self._overflowed + self._given_up

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def offer(self, span: bytes) -> None:
        """Queue one span, or count it as dropped."""
        if self._spans is None:
            return
        if len(self._queue) >= self._batching.max_queue:
            self._overflowed += 1
            return
        with self._counting:
            self._unsettled += 1
        self._queue.append(span)
        if len(self._queue) == self._batching.max_batch:
            self._wake.set()

    def flush(self, timeout: float) -> bool:
        """Deliver what is queued, and the metrics. False when that took longer than `timeout` seconds."""
        with self._changed:
            self._flushes_wanted += 1
            wanted = self._flushes_wanted
            self._wake.set()
            return self._changed.wait_for(lambda: self._flushes_done >= wanted, timeout)

    def close(self, timeout: float) -> None:
        """Deliver what is queued within `timeout` seconds, count the rest as dropped, and stop. Once."""
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout)
        for outlet in (self._spans, self._metrics):
            if outlet is not None:
                outlet.close()
        self._thread.join(_LAST_WORD)
        self._settle(self._unsettled, delivered=False)
        self._closed = True

    def _run(self) -> None:
        metrics_due = monotonic() + self._batching.metrics_interval
        stopping = False
        while not stopping:
            self._wake.wait(min(self._batching.delay, max(metrics_due - monotonic(), 0.0)))
            self._wake.clear()
            stopping = self._stopping
            wanted = self._flushes_wanted
            self._send_spans()
            if stopping or wanted > self._flushes_done or monotonic() >= metrics_due:
                self._send_metrics()
                metrics_due = monotonic() + self._batching.metrics_interval
            with self._changed:
                self._flushes_done = wanted
                self._changed.notify_all()

    def _send_spans(self) -> None:
        """Send what is queued now, in batches. Spans that are offered meanwhile wait for the next round."""
        left = len(self._queue)
        while left > 0 and self._spans is not None and not self._closed:
            size = min(left, self._batching.max_batch)
            batch = [self._queue.popleft() for _ in range(size)]
            left -= size
            try:
                delivered = self._spans.send(self._envelope.wrap(batch))
            except Exception:  # noqa: BLE001 - whatever the exporter does, the thread lives on
                delivered = False
            self._settle(size, delivered=delivered)

    def _settle(self, size: int, *, delivered: bool) -> None:
        """Account for `size` spans, each once: what a close gave up on stays given up."""
        with self._counting:
            size = min(size, self._unsettled)
            self._unsettled -= size
            if not delivered:
                self._given_up += size

    def _send_metrics(self) -> None:
        if self._metrics is None:
            return
        try:
            self._metrics.send()
        except Exception:  # noqa: BLE001 - likewise; the exporter has logged it, and the next round makes up for it
            _log.warning("metrics could not be exported")
