"""Metrics as the SDK's `MetricsData`, which its OTLP exporters take. Imported only where metrics are exported.

Always cumulative: OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE is not honoured (collectors convert).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from costspan.telemetry.metrics import Distribution

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from costspan.telemetry.metrics import Family, Instrument, Point

_CUMULATIVE = AggregationTemporality.CUMULATIVE


def metrics_data(
    families: Iterable[Family], *, resource: Mapping[str, str], scope: tuple[str, str], start_ns: int, now_ns: int
) -> MetricsData:
    """Convert `families`. `scope` is name and version; times are epoch nanoseconds."""
    metrics = [_metric(family, start_ns, now_ns) for family in families if family.points]
    scopes = [ScopeMetrics(InstrumentationScope(*scope), metrics, schema_url="")]
    return MetricsData([ResourceMetrics(Resource(dict(resource)), scopes, schema_url="")])


def _metric(family: Family, start_ns: int, now_ns: int) -> Metric:
    instrument = family.instrument
    numbers = [
        NumberDataPoint(point.labels, start_ns, now_ns, _plain(point.value))
        for point in family.points
        if not isinstance(point.value, Distribution)
    ]
    data: Histogram | Sum | Gauge
    match instrument.kind:
        case "histogram":
            points = [_distribution(instrument, point, start_ns, now_ns) for point in family.points]
            data = Histogram(points, _CUMULATIVE)
        case "counter":
            data = Sum(numbers, _CUMULATIVE, is_monotonic=True)
        case "gauge":
            data = Gauge(numbers)
    return Metric(instrument.name, instrument.description, instrument.unit, data)


def _distribution(instrument: Instrument, point: Point, start_ns: int, now_ns: int) -> HistogramDataPoint:
    state = point.value
    assert isinstance(state, Distribution)  # noqa: S101 - a histogram's points are distributions
    return HistogramDataPoint(
        attributes=point.labels,
        start_time_unix_nano=start_ns,
        time_unix_nano=now_ns,
        count=state.count,
        sum=state.total,
        bucket_counts=state.counts,
        explicit_bounds=instrument.bounds,
        min=None,  # type: ignore[arg-type] # - not kept over a cumulative interval; the encoder leaves None out
        max=None,  # type: ignore[arg-type] # - likewise
    )


def _plain(value: object) -> int | float:
    return value if isinstance(value, int) else float(value)  # type: ignore[arg-type] # - a Decimal or float
