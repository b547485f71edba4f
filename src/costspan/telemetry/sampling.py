"""Which traces are exported. Decided once, when an exchange starts, and kept in its record.

Names and rules of OTEL_TRACES_SAMPLER (OpenTelemetry specification, "General SDK Configuration", read 2026-11-23). The
ratio uses the lower 64 bits of the trace id as the SDKs do, so that every service of a trace decides alike.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger(__name__)

_LOWER_64_BITS = (1 << 64) - 1
_BY_NAME: dict[str, tuple[bool, float | None]] = {
    "always_on": (False, 1.0),
    "always_off": (False, 0.0),
    "traceidratio": (False, None),
    "parentbased_always_on": (True, 1.0),
    "parentbased_always_off": (True, 0.0),
    "parentbased_traceidratio": (True, None),
}
_DEFAULT = "parentbased_always_on"


@dataclass(frozen=True, slots=True)
class Sampler:
    """Samples traces whose lower 64 bits are below `bound`; with `follows_parent` a parent's decision wins."""

    bound: int
    follows_parent: bool

    def decide(self, trace_id: int, parent_sampled: bool | None) -> bool:  # noqa: FBT001 - the fact itself, from traceparent
        """Whether to export the trace. `parent_sampled` is None when the client sent no traceparent."""
        if self.follows_parent and parent_sampled is not None:
            return parent_sampled
        return trace_id & _LOWER_64_BITS < self.bound


def sampler_from(environ: Mapping[str, str]) -> Sampler:
    """Read OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG. What cannot be read is warned about and ignored."""
    name = environ.get("OTEL_TRACES_SAMPLER", "").strip().lower() or _DEFAULT
    if name not in _BY_NAME:
        _log.warning("OTEL_TRACES_SAMPLER names no sampler we have, using %s", _DEFAULT)
        name = _DEFAULT
    follows_parent, ratio = _BY_NAME[name]
    if ratio is None:
        ratio = _ratio(environ.get("OTEL_TRACES_SAMPLER_ARG", ""))
    return Sampler(round(ratio * (1 << 64)), follows_parent)


def _ratio(argument: str) -> float:
    try:
        ratio = float(argument) if argument.strip() else 1.0
    except ValueError:
        ratio = -1.0
    if 0.0 <= ratio <= 1.0:
        return ratio
    _log.warning("OTEL_TRACES_SAMPLER_ARG is not a number between 0 and 1, using 1")
    return 1.0
