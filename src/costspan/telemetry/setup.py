"""Builds telemetry from the config's values and the OTEL_* environment, which wins.

Environment: OpenTelemetry specification, "Environment Variable Specification" and "OTLP Exporter Configuration"
(read 2026-11-23). Read here: OTEL_SDK_DISABLED, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_EXPORTER,
OTEL_METRICS_EXPORTER, OTEL_TRACES_SAMPLER(_ARG), OTEL_BSP_*, OTEL_METRIC_EXPORT_INTERVAL, OTEL_EXPORTER_OTLP_ENDPOINT,
_PROTOCOL, _HEADERS and _TIMEOUT with their _TRACES_ and _METRICS_ forms. The exporters read the rest (compression,
certificates) from the process's own environment.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from costspan.telemetry.attributes import clean
from costspan.telemetry.exporter import Batching, Exporter
from costspan.telemetry.metrics import Gauges, Metrics
from costspan.telemetry.otlp import Envelope
from costspan.telemetry.pipeline import Telemetry
from costspan.telemetry.sampling import sampler_from
from costspan.telemetry.transport import Destination, MetricsOutlet, spans_outlet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.sdk.metrics.export import MetricsData

__all__ = ["Gauges", "Settings", "Telemetry", "build"]

_log = logging.getLogger(__name__)

_SCOPE = "costspan"
_PROTOCOLS = ("http/protobuf", "grpc")
_DEFAULT_ENDPOINTS = {"http/protobuf": "http://localhost:4318", "grpc": "http://localhost:4317"}
_DEFAULT_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Settings:
    """The `telemetry` section of the config, and `attribution.metric_attributes`."""

    service_name: str = "costspan"
    service_version: str = ""
    otlp_endpoint: str | None = None
    """Base URL as in OTEL_EXPORTER_OTLP_ENDPOINT: over HTTP, `/v1/traces` and `/v1/metrics` are added."""
    otlp_protocol: str = "http/protobuf"
    otlp_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    prometheus: bool = True
    cost_aliases: tuple[str, ...] = ()
    metric_attributes: tuple[str, ...] = ()


def build(settings: Settings, gauges: Gauges, environ: Mapping[str, str]) -> Telemetry:
    """Wire telemetry up; `start()` it afterwards. Without an endpoint there is no exporter, thread or import of one."""
    resource = _resource(settings, environ)
    traces = _destination("TRACES", settings, environ)
    metrics = _destination("METRICS", settings, environ)

    def make_exporter(recorded: Metrics | None) -> Exporter:
        return _exporter(traces, metrics if recorded else None, _Origin(settings, resource, recorded), environ)

    def make_metrics(dropped: Callable[[], int]) -> Metrics:
        return Metrics(gauges, settings.metric_attributes, dropped)

    return Telemetry(
        sampler=sampler_from(environ),
        resource=resource,
        cost_aliases=tuple(map(clean, settings.cost_aliases)),
        make_metrics=make_metrics if settings.prometheus or metrics else None,
        exporter=make_exporter if traces or metrics else None,
    )


@dataclass(frozen=True, slots=True)
class _Origin:
    """Who exports what."""

    settings: Settings
    resource: Mapping[str, str]
    metrics: Metrics | None


def _exporter(
    traces: Destination | None, metrics: Destination | None, origin: _Origin, environ: Mapping[str, str]
) -> Exporter:
    version = origin.settings.service_version
    spans = spans_outlet(traces) if traces else None
    outlet = None
    if metrics and origin.metrics:
        outlet = MetricsOutlet(metrics, _collector(origin.metrics, origin.resource, version))
    return Exporter(spans, outlet, Envelope(origin.resource, _SCOPE, version), _batching(environ))


def _collector(metrics: Metrics, resource: Mapping[str, str], version: str) -> Callable[[], MetricsData]:
    from costspan.telemetry.otlp_metrics import metrics_data  # noqa: PLC0415 - imports the SDK

    start_ns = time.time_ns()

    def collect() -> MetricsData:
        families = metrics.collect()
        return metrics_data(
            families, resource=resource, scope=(_SCOPE, version), start_ns=start_ns, now_ns=time.time_ns()
        )

    return collect


def _destination(signal: str, settings: Settings, environ: Mapping[str, str]) -> Destination | None:
    """Where `signal` (TRACES or METRICS) goes, None for nowhere. Its own variables win over the general ones."""

    def read(name: str) -> str:
        return environ.get(f"OTEL_EXPORTER_OTLP_{signal}_{name}") or environ.get(f"OTEL_EXPORTER_OTLP_{name}") or ""

    exporters = [name.strip() for name in environ.get(f"OTEL_{signal}_EXPORTER", "").split(",") if name.strip()]
    disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if disabled or (exporters and "otlp" not in exporters):
        return None
    if not exporters and not read("ENDPOINT") and not settings.otlp_endpoint:
        return None

    protocol = _protocol(read("PROTOCOL").strip().lower() or settings.otlp_protocol)
    own = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    base = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or settings.otlp_endpoint or _DEFAULT_ENDPOINTS[protocol]
    path = "" if protocol == "grpc" else f"/v1/{signal.lower()}"
    headers = {name.lower(): value for name, value in settings.otlp_headers.items()} | _pairs(read("HEADERS"))
    return Destination(
        protocol, own or base.rstrip("/") + path, headers, _number(read("TIMEOUT"), _DEFAULT_TIMEOUT, "TIMEOUT")
    )


def _protocol(name: str) -> str:
    if name in _PROTOCOLS:
        return name
    _log.warning("OTLP protocol is not one of %s, using %s", ", ".join(_PROTOCOLS), _PROTOCOLS[0])
    return _PROTOCOLS[0]


def _resource(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Resource attributes, the strongest source last."""
    resource = {
        "service.name": settings.service_name,
        "service.version": settings.service_version,
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        **_pairs(environ.get("OTEL_RESOURCE_ATTRIBUTES", ""), lower=False),
    }
    if name := environ.get("OTEL_SERVICE_NAME"):
        resource["service.name"] = name
    return {clean(key): clean(value) for key, value in resource.items() if value}


def _pairs(text: str, *, lower: bool = True) -> dict[str, str]:
    """Read `key=value,key=value` with percent-encoded parts. What is not a pair is left out, and never shown."""
    pairs = {}
    for item in filter(None, map(str.strip, text.split(","))):
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            _log.warning("an OTEL_* list has an entry that is not key=value; ignored")
            continue
        name = unquote(key).strip()
        pairs[name.lower() if lower else name] = unquote(value).strip()
    return pairs


def _batching(environ: Mapping[str, str]) -> Batching:
    """Read OTEL_BSP_* and OTEL_METRIC_EXPORT_INTERVAL, whose times are milliseconds."""

    def read(name: str, default: float) -> float:
        return _number(environ.get(name, ""), default, name)

    queue = max(int(read("OTEL_BSP_MAX_QUEUE_SIZE", 2048)), 1)
    return Batching(
        max_queue=queue,
        max_batch=min(max(int(read("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512)), 1), queue),
        delay=read("OTEL_BSP_SCHEDULE_DELAY", 5000) / 1000,
        metrics_interval=read("OTEL_METRIC_EXPORT_INTERVAL", 60_000) / 1000,
    )


def _number(text: str, default: float, name: str) -> float:
    try:
        number = float(text) if text.strip() else default
    except ValueError:
        number = -1.0
    if 0 < number < float("inf"):
        return number
    _log.warning("%s is not a positive number, using %s", name, default)
    return default
