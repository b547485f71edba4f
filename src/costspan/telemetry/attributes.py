"""From ledger records to span attributes. Pure, and no SDK: a record in, a dictionary out.

Absent facts are absent attributes; unknown is never zero. Strings are bounded and clean UTF-8: a lone surrogate in one
value must not cost the span.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from costspan.ir.usage import completion_tokens, prompt_tokens
from costspan.telemetry import semconv as s

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from decimal import Decimal

    from costspan.ledger.records import Attempt, Exchange, Origin

Value: TypeAlias = str | bool | int | float | tuple[str, ...]
Attributes: TypeAlias = dict[str, Value]

MAX_LENGTH = 256
"""Characters of one string. Names and ids are shorter; whatever is longer came from outside."""

INVALID = "invalid"
"""Stands for a string that is not clean UTF-8."""


def clean(text: str) -> str:
    """`text` as it may leave the process: at most `MAX_LENGTH` characters, without lone surrogates."""
    if len(text) > MAX_LENGTH:
        text = text[:MAX_LENGTH]
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return INVALID
    return text


def failed(record: Exchange | Attempt) -> bool:
    """Whether the record's span has status error. Losing a race or being cancelled is not a failure."""
    return record.outcome == "failed"


def exchange_name(exchange: Exchange) -> str:
    """Name of the exchange's span: operation and the model that was asked for."""
    return clean(f"{exchange.origin.operation} {exchange.origin.model_asked}")


def attempt_name(attempt: Attempt) -> str:
    """Name of the attempt's span: operation and the upstream's model."""
    return clean(f"{attempt.started.origin.operation} {attempt.started.model_requested}")


def exchange_attributes(
    exchange: Exchange, attempts: Sequence[Attempt] = (), cost_aliases: Iterable[str] = ()
) -> Attributes:
    """Attributes of the SERVER span. `cost_aliases` are further names for the exchange's cost."""
    result = _shared(exchange.origin, exchange)
    result[s.REQUEST_MODEL] = clean(exchange.origin.model_asked)
    result[s.ATTEMPTS] = exchange.attempts
    if exchange.provider is not None:
        answered = next((a for a in attempts if a.started.provider == exchange.provider), None)
        kind = exchange.provider if answered is None else answered.started.provider_kind
        result[s.PROVIDER_NAME] = clean(s.provider_name(kind))
    extra = [a.cost_usd for a in attempts if a.outcome == "lost_race" and a.cost_usd is not None]
    if extra:
        result[s.RACE_EXTRA] = float(sum(extra))
    if exchange.cost_usd is not None:
        cost = float(exchange.cost_usd)
        for alias in cost_aliases:
            result[alias] = cost
    return result


def attempt_attributes(attempt: Attempt) -> Attributes:
    """Attributes of the CLIENT span."""
    started = attempt.started
    result = _shared(started.origin, attempt)
    result[s.PROVIDER_NAME] = clean(s.provider_name(started.provider_kind))
    result[s.REQUEST_MODEL] = clean(started.model_requested)
    result[s.SERVER_ADDRESS] = clean(started.server_address)
    result[s.SERVER_PORT] = started.server_port
    result[s.ATTEMPT_INDEX] = started.index
    result[s.ATTEMPT_OUTCOME] = attempt.outcome
    if attempt.upstream_id is not None:
        result[s.RESPONSE_ID] = clean(attempt.upstream_id)
    if attempt.price_source is not None:
        result[s.PRICE_SOURCE] = clean(attempt.price_source)
    for bucket, usd in attempt.cost_parts.items():
        result[s.COST_PART + bucket] = float(usd)
    return result


def _shared(origin: Origin, record: Exchange | Attempt) -> Attributes:
    """What both spans say."""
    result: Attributes = {
        s.OPERATION_NAME: clean(origin.operation),
        s.REQUEST_STREAM: origin.stream,
        s.EXCHANGE_ID: clean(origin.exchange_id),
        s.ROUTE: clean(origin.route),
        s.STRATEGY: clean(origin.strategy),
        s.CONFIG_GENERATION: origin.config_generation,
        s.COST_STATUS: record.cost_status,
    }
    if origin.key is not None:
        result[s.KEY] = clean(origin.key)
    for name, value in origin.attributes.items():
        result[s.ATTRIBUTE + clean(name)] = clean(value)
    _add_answer(result, origin, record)
    _add_cost(result, record.cost_usd, record.cost_estimated_usd)
    if record.usage:
        _add_usage(result, record.usage)
    return result


def _add_answer(result: Attributes, origin: Origin, record: Exchange | Attempt) -> None:
    if record.model_served is not None:
        result[s.RESPONSE_MODEL] = clean(record.model_served)
    if record.finish_reasons:
        result[s.RESPONSE_FINISH_REASONS] = tuple(map(clean, record.finish_reasons))
    if origin.stream and record.first_token_ms is not None:
        result[s.RESPONSE_TIME_TO_FIRST_CHUNK] = record.first_token_ms / 1000
    if record.http_status is not None:
        result[s.HTTP_STATUS] = record.http_status
    if record.error_type is not None:
        result[s.ERROR_TYPE] = clean(record.error_type)
    elif record.outcome == "failed":
        result[s.ERROR_TYPE] = s.OTHER_ERROR


def _add_cost(result: Attributes, usd: Decimal | None, estimated: Decimal | None) -> None:
    if usd is not None:
        result[s.COST_USD] = float(usd)
        result[s.COST_EXACT] = format(usd, "f")
    if estimated is not None:
        result[s.COST_ESTIMATED] = float(estimated)


def _add_usage(result: Attributes, usage: Mapping[str, int]) -> None:
    result[s.USAGE_INPUT_TOKENS] = prompt_tokens(usage)
    result[s.USAGE_OUTPUT_TOKENS] = completion_tokens(usage)
    if read := usage.get("cache_read", 0) + usage.get("cache_read_audio", 0):
        result[s.USAGE_CACHE_READ] = read
    if written := usage.get("cache_write", 0) + usage.get("cache_write_1h", 0):
        result[s.USAGE_CACHE_CREATION] = written
    if reasoning := usage.get("reasoning", 0):
        result[s.USAGE_REASONING] = reasoning
