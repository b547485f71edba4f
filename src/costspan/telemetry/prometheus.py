"""Metrics as the Prometheus text format 0.0.4.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/; names: OpenTelemetry's "Prometheus and OpenMetrics
compatibility" (both read 2026-11-23): dots become underscores, the unit and `_total` are suffixes, absent labels are
left out. Written by hand because the SDK's reader would keep a second copy of all metrics in its own instruments.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import accumulate
from typing import TYPE_CHECKING

from costspan.config.labels import label_name
from costspan.telemetry.metrics import Distribution

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from costspan.telemetry.metrics import Family, Instrument, Number

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_UNIT_SUFFIXES = {"s": "_seconds"}
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def render(families: Iterable[Family], resource: Mapping[str, str]) -> bytes:
    """Write all of `families`, and `resource` as the labels of `target_info`."""
    lines = ["# HELP target_info Target metadata", "# TYPE target_info gauge", f"target_info{_labels(resource)} 1"]
    for family in families:
        lines.extend(_family(family))
    return ("\n".join(lines) + "\n").encode()


def name_of(instrument: Instrument) -> str:
    """Name of the metric as a scrape shows it."""
    name = label_name(instrument.name) + _UNIT_SUFFIXES.get(instrument.unit, "")
    return f"{name}_total" if instrument.kind == "counter" else name


def _family(family: Family) -> Iterator[str]:
    name = name_of(family.instrument)
    yield f"# HELP {name} {family.instrument.description}"
    yield f"# TYPE {name} {family.instrument.kind}"
    for point in family.points:
        if isinstance(point.value, Distribution):
            yield from _distribution(name, family.instrument, point.labels, point.value)
        else:
            yield f"{name}{_labels(point.labels)} {_number(point.value)}"


def _distribution(
    name: str, instrument: Instrument, labels: Mapping[str, str], distribution: Distribution
) -> Iterator[str]:
    bounds = (*map(_number, instrument.bounds), "+Inf")
    for bound, count in zip(bounds, accumulate(distribution.counts), strict=True):
        yield f"{name}_bucket{_labels({**labels, 'le': bound})} {count}"
    yield f"{name}_sum{_labels(labels)} {_number(distribution.total)}"
    yield f"{name}_count{_labels(labels)} {distribution.count}"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    named: dict[str, str] = {}  # a label that stands twice costs the whole scrape: the first one wins
    for key, value in labels.items():
        named.setdefault(label_name(key), value)
    return "{" + ",".join([f'{name}="{value.translate(_ESCAPES)}"' for name, value in named.items()]) + "}"


def _number(value: Number) -> str:
    return format(value, "f") if isinstance(value, Decimal) else repr(value)
