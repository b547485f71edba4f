"""How batches leave: the OTLP exporters of OpenTelemetry, over HTTP or gRPC, with their retries, TLS and compression.

They are imported where they are used, so only by a process that exports; gRPC (+36 MiB) only when it is asked for.
The span exporters take bytes here, past their own encoder, which costs more than everything else (docs/adr/0004). That
seam is not public: HTTP's is `_client.export(bytes)`, gRPC's `_translate_data`. Tests send through both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.sdk.metrics.export import MetricsData


@dataclass(frozen=True, slots=True)
class Destination:
    """Where one signal goes. `endpoint` is complete; `timeout` is in seconds and spans the retries of a batch."""

    protocol: str
    """`http/protobuf` or `grpc`."""
    endpoint: str
    headers: Mapping[str, str] = field(repr=False)
    timeout: float


class Outlet(Protocol):
    """One connection to a collector. Called on one thread; no call raises but for bugs."""

    def send(self, payload: bytes) -> bool:
        """Deliver an `ExportTraceServiceRequest`, retrying within the timeout; False: given up."""

    def close(self) -> None:
        """Abort waiting retries and close connections. From any thread, once."""


def spans_outlet(destination: Destination) -> Outlet:
    """Connect the span signal."""
    return (_GrpcSpans if destination.protocol == "grpc" else _HttpSpans)(destination)


class _HttpSpans:
    def __init__(self, destination: Destination) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - optional

        self._exporter = OTLPSpanExporter(
            endpoint=destination.endpoint, headers=dict(destination.headers), timeout=destination.timeout
        )
        self._export = self._exporter._client.export  # noqa: SLF001 - see the module docstring

    def send(self, payload: bytes) -> bool:
        return self._export(payload).success

    def close(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call] # - the library's


class _GrpcSpans:
    def __init__(self, destination: Destination) -> None:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - optional
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: PLC0415 - optional
            ExportTraceServiceRequest,
        )
        from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415 - optional

        class Exporter(OTLPSpanExporter):
            """Takes encoded requests instead of spans."""

            def _translate_data(self, data: bytes) -> ExportTraceServiceRequest:  # type: ignore[override] # - see module
                request = ExportTraceServiceRequest()
                request.ParseFromString(data)
                return request

        self._exporter = Exporter(
            endpoint=destination.endpoint, headers=dict(destination.headers) or None, timeout=destination.timeout
        )
        self._success = SpanExportResult.SUCCESS

    def send(self, payload: bytes) -> bool:
        return self._exporter.export(payload) is self._success  # type: ignore[arg-type] # - see the module docstring

    def close(self) -> None:
        self._exporter.shutdown()


class MetricsOutlet:
    """Sends metrics through the exporter of the destination's protocol."""

    def __init__(self, destination: Destination, collect: Callable[[], MetricsData]) -> None:
        from opentelemetry.sdk.metrics.export import MetricExportResult  # noqa: PLC0415 - optional

        self._collect = collect
        self._success = MetricExportResult.SUCCESS
        headers = dict(destination.headers)
        if destination.protocol == "grpc":
            from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc  # noqa: PLC0415 - optional

            self._exporter: grpc.OTLPMetricExporter | http.OTLPMetricExporter = grpc.OTLPMetricExporter(
                endpoint=destination.endpoint, headers=headers or None, timeout=destination.timeout
            )
        else:
            from opentelemetry.exporter.otlp.proto.http import metric_exporter as http  # noqa: PLC0415 - optional

            self._exporter = http.OTLPMetricExporter(
                endpoint=destination.endpoint, headers=headers, timeout=destination.timeout
            )

    def send(self) -> bool:
        """Collect and deliver; False: given up. Cumulative, so the next delivery makes up for it."""
        return self._exporter.export(self._collect()) is self._success

    def close(self) -> None:
        """Abort waiting retries and close connections."""
        self._exporter.shutdown()
