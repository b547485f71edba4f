"""A real OTLP/HTTP receiver on 127.0.0.1, in a thread of its own. It reads protobuf and remembers what came.

Scripted failures: `fail_with(503)` for all requests until `recover()`, `hold()` to leave requests without an answer
until `recover()`, and a port that refuses (`refusing_endpoint`).
"""

from __future__ import annotations

import gzip
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from typing import Self

    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

WAIT = 10.0
"""Seconds after which a test has failed."""


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    size: int


@dataclass
class Collector:
    """Use it in a `with` block."""

    spans: list[Span] = field(default_factory=list)
    metrics: dict[str, Metric] = field(default_factory=dict)
    """The latest state of each metric, by name."""
    resource: dict[str, Any] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    """What was taken, decompressed."""

    def __post_init__(self) -> None:
        self._status = 200
        self._answering = threading.Event()
        self._answering.set()
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.recover()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(WAIT)

    @property
    def endpoint(self) -> str:
        """The base URL, as OTEL_EXPORTER_OTLP_ENDPOINT has it."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def fail_with(self, status: int) -> None:
        """Answer every request with `status` and take nothing from it."""
        self._status = status

    def hold(self) -> None:
        """Read requests but do not answer them."""
        self._answering.clear()

    def recover(self) -> None:
        """Be well again."""
        self._status = 200
        self._answering.set()

    def wait_for_spans(self, count: int) -> list[Span]:
        """Return the spans once there are `count`."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.spans) >= count, WAIT), f"{len(self.spans)} spans came"
        return self.spans

    def wait_for_requests(self, count: int) -> list[Request]:
        """Return the requests once there are `count`, answered or not."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.requests) >= count, WAIT), f"{len(self.requests)} came"
        return self.requests

    def _take(self, path: str, body: bytes) -> None:
        self.bodies.append(body)
        if path.endswith("/v1/traces"):
            for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resource = {a.key: a.value.string_value for a in resource_spans.resource.attributes}
                for scope_spans in resource_spans.scope_spans:
                    self.spans.extend(scope_spans.spans)
        elif path.endswith("/v1/metrics"):
            for resource_metrics in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for scope_metrics in resource_metrics.scope_metrics:
                    self.metrics.update({metric.name: metric for metric in scope_metrics.metrics})

    def _handler(collector: Collector) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's below
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                headers = {name.lower(): value for name, value in self.headers.items()}
                with collector._changed:
                    collector.requests.append(Request(self.path, headers, len(body)))
                    status = collector._status
                    if status == 200:
                        collector._take(self.path, body)
                    collector._changed.notify_all()
                collector._answering.wait(WAIT)
                try:
                    self.send_response(status)
                    self.send_header("content-length", "0")
                    self.end_headers()
                except OSError:
                    self.close_connection = True  # whoever asked has given up

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                pass

        return Handler


def refusing_endpoint() -> str:
    """Base URL of a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"
