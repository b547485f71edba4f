"""Under what records are counted: the label values of metrics, bounded, and made once for all records of a kind.

A label value that a client can choose is "other" after `MAX_VALUES` of that label. Most records are like one before:
for those the keys are there already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from costspan.config.labels import labelled
from costspan.telemetry import semconv as s
from costspan.telemetry.attributes import clean, failed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costspan.ledger.records import Attempt, Exchange

MAX_VALUES = 200
MAX_SERIES = 2000
OTHER = "other"

Key: TypeAlias = tuple[str, ...]
_Kind: TypeAlias = tuple[str | None, ...]
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Keys:
    """Under what attempts of one kind are counted."""

    called: Key
    duration: Key
    input: Key
    output: Key
    cost: Key
    unpriced: Key
    attempts: Key


class Kinds:
    """Of one process. Not thread-safe."""

    def __init__(self, metric_attributes: Sequence[str]) -> None:
        self.attributes = labelled(metric_attributes)
        """Names of the attributes that are labels. The others are on the spans only."""
        self._seen: dict[str, set[str]] = {}
        self._attempts: dict[_Kind, Keys] = {}
        self._exchanges: dict[_Kind, Key] = {}

    def of_attempt(self, attempt: Attempt) -> Keys:
        """Under what an attempt is counted."""
        started, status = attempt.started, attempt.cost_status
        origin = started.origin
        kind: _Kind = (
            origin.operation,
            started.provider_kind,
            started.provider,
            started.model_requested,
            origin.route,
            attempt.outcome,
            attempt.error_type,
            status,
        )
        if self.attributes:
            kind += tuple([origin.attributes.get(name, "") for name in self.attributes])
        if (known := self._attempts.get(kind)) is not None:
            return known
        model, route = self.bounded("model", started.model_requested), self.bounded(s.ROUTE, origin.route)
        error = self.bounded(s.ERROR_TYPE, _error(attempt))
        called = (origin.operation, s.provider_name(started.provider_kind), model)
        attributes = tuple([self.bounded(name, origin.attributes.get(name, "")) for name in self.attributes])
        target = (started.provider, model, route)
        return _remember(
            self._attempts,
            kind,
            Keys(
                called=called,
                duration=(*called, error),
                input=(*called, "input", *attributes),
                output=(*called, "output", *attributes),
                cost=(*target, status, *attributes),
                unpriced=(*target, *attributes),
                attempts=(started.provider, route, attempt.outcome, error),
            ),
        )

    def of_exchange(self, exchange: Exchange) -> Key:
        """Operation, route and error of an exchange."""
        origin = exchange.origin
        kind = (origin.operation, origin.route, exchange.outcome, exchange.error_type)
        if (known := self._exchanges.get(kind)) is not None:
            return known
        error = self.bounded(s.ERROR_TYPE, _error(exchange))
        return _remember(self._exchanges, kind, (origin.operation, self.bounded(s.ROUTE, origin.route), error))

    def bounded(self, label: str, value: str) -> str:
        """`value`, or "other" where the label has had too many."""
        seen = self._seen.get(label)
        if seen is None:
            seen = self._seen[label] = set()
        value = clean(value)
        if value in seen:
            return value
        if len(seen) >= MAX_VALUES:
            return OTHER
        seen.add(value)
        return value


def _remember(known: dict[_Kind, _Value], kind: _Kind, value: _Value) -> _Value:
    """Keep `value`. Clients have a part in kinds, so there may be only so many: starting over is cheap."""
    if len(known) >= MAX_SERIES:
        known.clear()
    known[kind] = value
    return value


def _error(record: Exchange | Attempt) -> str:
    return record.error_type or (s.OTHER_ERROR if failed(record) else "")
