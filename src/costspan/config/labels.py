"""The labels of metrics, as far as the file chooses them.

Prometheus takes letters, digits and underscores, and a scrape in which one series has a label twice is rejected as a
whole. The rule is that of OpenTelemetry's "Prometheus and OpenMetrics compatibility" (read 2026-11-23).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9]+")

RESERVED = frozenset(
    {
        "provider",
        "model",
        "route",
        "status",
        "outcome",
        "error_type",
        "gen_ai_operation_name",
        "gen_ai_provider_name",
        "gen_ai_request_model",
        "gen_ai_token_type",
        "le",
        "quantile",
    }
)
"""Labels of the gateway's own metrics, and those that Prometheus itself gives to histograms and summaries."""


def label_name(name: str) -> str:
    """Name of the label as a scrape shows it."""
    name = _NOT_IN_NAMES.sub("_", name)
    return f"_{name}" if name[:1].isdigit() else name


def labelled(attributes: Iterable[str]) -> tuple[str, ...]:
    """Those of the attributes that become labels: of equal names the first, none of the gateway's own."""
    first: dict[str, str] = {}
    for name in attributes:
        first.setdefault(label_name(name), name)
    return tuple(name for label, name in first.items() if label not in RESERVED)
