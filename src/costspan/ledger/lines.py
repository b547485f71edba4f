"""One record, one line of JSON: the ledger's format, version 1. `docs/ledger.md` says what each field means.

A line begins with `type`, `v`, `id` and ends with `config_generation`: recovery finds its way by these without
parsing, so neither end may move. Keys of a type are always all there, null where there is nothing to say. Money is a
decimal string in plain notation, a duration a number of milliseconds, a time RFC 3339 in UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from costspan.errors import Malformed
from costspan.ledger.records import VERSION
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from costspan.ledger.records import Attempt, AttemptStarted, Exchange, Origin

_SECOND = 1_000_000_000
_MILLISECOND = 1_000_000
_LARGEST = 2**63 - 1


def attempt_started(started: AttemptStarted) -> bytes:
    """The line that says that money may be spent from now on. It holds all that recovery needs."""
    own = {
        "type": "attempt_started",
        "v": VERSION,
        "id": started.id,
        "exchange_id": started.origin.exchange_id,
        "time": timestamp(started.time_ns),
        "estimate_usd": money(started.estimate_usd),
        "estimate_basis": started.estimate_basis,
        "price_source": started.price_source,
        "price_version": started.price_version,
    }
    return _line(own, _call(started))


def attempt(ended: Attempt) -> bytes:
    """The line that says what one upstream call came to."""
    started = ended.started
    own = {
        "type": "attempt",
        "v": VERSION,
        "id": started.id,
        "exchange_id": started.origin.exchange_id,
        "time": timestamp(started.time_ns),
        "model_served": ended.model_served,
        "outcome": ended.outcome,
        "http_status": ended.http_status,
        "error_type": ended.error_type,
        "finish_reasons": ended.finish_reasons,
        "usage": dict(ended.usage),
        "units": _units(ended.units),
        "cost_usd": money(ended.cost_usd),
        "cost_estimated_usd": money(ended.cost_estimated_usd),
        "cost_status": ended.cost_status,
        "cost_parts": _parts(ended.cost_parts),
        "cost_reported_usd": money(ended.cost_reported_usd),
        "cost_computed_usd": money(ended.cost_computed_usd),
        "estimate_basis": ended.estimate_basis,
        "price_source": ended.price_source,
        "price_version": ended.price_version,
        "service_tier": ended.service_tier,
        "flags": ended.flags,
        "upstream_id": ended.upstream_id,
        "duration_ms": _milliseconds(ended.duration_ms),
        "first_token_ms": _milliseconds(ended.first_token_ms),
    }
    return _line(own, _call(started))


def exchange(ended: Exchange, attempts: Sequence[Attempt]) -> bytes:
    """The line that says what one client request came to.

    What the exchange's record does not carry (units, price, tier, upstream id) is that of the attempt that answered;
    `cost_parts` are the sums over `attempts`.
    """
    origin = ended.origin
    answer = _answer(ended, attempts)
    own = {
        "type": "exchange",
        "v": VERSION,
        "id": origin.exchange_id,
        "exchange_id": origin.exchange_id,
        "time": timestamp(ended.time_ns),
        "provider": ended.provider,
        "provider_kind": answer.started.provider_kind if answer else None,
        "model_requested": ended.model_requested,
        "model_served": ended.model_served,
        "dialect_out": answer.started.dialect_out if answer else None,
        "attempts": ended.attempts,
        "outcome": ended.outcome,
        "http_status": ended.http_status,
        "error_type": ended.error_type,
        "finish_reasons": ended.finish_reasons,
        "usage": dict(ended.usage),
        "units": _units(answer.units) if answer else {},
        "cost_usd": money(ended.cost_usd),
        "cost_estimated_usd": money(ended.cost_estimated_usd),
        "cost_status": ended.cost_status,
        "cost_parts": _summed_parts(attempts),
        "price_source": answer.price_source if answer else None,
        "price_version": answer.price_version if answer else None,
        "service_tier": answer.service_tier if answer else None,
        "dropped": ended.dropped,
        "upstream_id": answer.upstream_id if answer else None,
        "span_id": origin.span_id,
        "duration_ms": _milliseconds(ended.duration_ms),
        "first_token_ms": _milliseconds(ended.first_token_ms),
        "upstream_ms": _milliseconds(ended.upstream_ms),
    }
    return _line(own, _request(origin))


def _call(started: AttemptStarted) -> bytes:
    """What both lines of an attempt say of it, encoded once."""
    if not started.encoded:
        own = {
            "provider": started.provider,
            "provider_kind": started.provider_kind,
            "model_requested": started.model_requested,
            "dialect_out": started.dialect_out,
            "index": started.index,
            "span_id": started.span_id,
        }
        started.encoded = b"%s,%s" % (_written(own)[1:-1], _request(started.origin))
    return started.encoded


def _request(origin: Origin) -> bytes:
    """What all lines of an exchange say of it, encoded once."""
    if not origin.encoded:
        own = {
            "model_asked": origin.model_asked,
            "route": origin.route,
            "strategy": origin.strategy,
            "operation": origin.operation,
            "dialect_in": origin.dialect_in,
            "stream": origin.stream,
            "key": origin.key,
            "attributes": dict(origin.attributes),
            "client_request_id": origin.client_request_id,
            "trace_id": origin.trace_id,
            "exchange_span_id": origin.span_id,
            "parent_span_id": origin.parent_span_id,
            "config_generation": origin.config_generation,
        }
        origin.encoded = _written(own)[1:]
    return origin.encoded


def _line(own: json.Object, shared: bytes) -> bytes:
    """A line of its own fields and of shared ones, which end with the brace."""
    return b"%s,%s\n" % (_written(own)[:-1], shared)


def encode(fields: json.Object) -> bytes:
    """One line. Text that is not Unicode and numbers beyond 64 bits are mended: a record is never lost over them."""
    return _written(fields) + b"\n"


def _written(fields: json.Object) -> bytes:
    try:
        return json.dumps(fields)
    except Malformed:
        return json.dumps(_mended(fields))


def money(usd: Decimal | None) -> str | None:
    """`usd` to its last digit, never with an exponent."""
    return None if usd is None else _plain(usd)


@lru_cache(maxsize=1024)  # an attempt's time is written twice
def timestamp(time_ns: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    second, rest = divmod(time_ns, _SECOND)
    return f"{_date_and_time(second)}.{rest // _MILLISECOND:03d}Z"


@lru_cache(maxsize=64)
def _date_and_time(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _plain(number: Decimal) -> str:
    text = str(number)  # three times as fast as `format`, and mostly the same
    return format(number, "f") if "E" in text else text


def _milliseconds(duration: float | None) -> float | None:
    return None if duration is None else round(duration, 3)


def _parts(parts: Mapping[str, Decimal]) -> dict[str, str]:
    return {bucket: _plain(usd) for bucket, usd in parts.items()}


def _summed_parts(attempts: Sequence[Attempt]) -> dict[str, str]:
    """The parts of what is known to be spent: estimates have none."""
    known = [attempt.cost_parts for attempt in attempts if attempt.cost_usd is not None]
    if len(known) == 1:
        return _parts(known[0])
    total: dict[str, Decimal] = {}
    for parts in known:
        for bucket, usd in parts.items():
            total[bucket] = total[bucket] + usd if bucket in total else usd
    return _parts(total)


def _units(units: Mapping[str, int | Decimal]) -> json.Object:
    """Counts as they are; decimals as JSON numbers with every digit."""
    if not units:
        return {}
    return {name: n if isinstance(n, int) else json.Fragment(_plain(n).encode()) for name, n in units.items()}


def _answer(ended: Exchange, attempts: Sequence[Attempt]) -> Attempt | None:
    """The attempt whose answer the client got: the one that went well, else the last at the exchange's target."""
    if ended.provider is None:
        return None
    for attempt in attempts:
        if attempt.outcome == "ok":
            return attempt
    target = (ended.provider, ended.model_requested)
    for attempt in reversed(attempts):
        if (attempt.started.provider, attempt.started.model_requested) == target:
            return attempt
    return None


def _mended(value: object) -> object:
    match value:
        case dict():
            return {_mended(key): _mended(part) for key, part in value.items()}
        case list() | tuple():
            return [_mended(part) for part in value]
        case str():
            return value.encode("utf-8", "replace").decode()
        case bool():
            return value
        case int():
            return max(-_LARGEST, min(value, _LARGEST))
        case _:
            return value
