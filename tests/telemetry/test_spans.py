"""costspan.telemetry.spans and .otlp: what is written is what opentelemetry-proto reads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from costspan.telemetry.attributes import Value, attempt_attributes, exchange_attributes
from costspan.telemetry.otlp import Envelope, span
from costspan.telemetry.spans import attempt_span, exchange_span
from fakes.records import ANSWERED, ATTEMPTS, CLIENT_SPAN_ID, EXCHANGE, EXCHANGE_SPAN_ID, FAILED, ORIGIN, TRACE_ID

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue

ENVELOPE = Envelope({"service.name": "costspan"}, "costspan", "1.2")


def plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(plain(item) for item in value.array_value.values)
    return getattr(value, str(kind))


def attributes_of(message: Any) -> dict[str, Any]:
    return {item.key: plain(item.value) for item in message.attributes}


def read(*encoded: bytes) -> list[Span]:
    request = ExportTraceServiceRequest.FromString(ENVELOPE.wrap(encoded))
    return list(request.resource_spans[0].scope_spans[0].spans)


def test_an_exchange_is_a_server_span_under_the_clients_span() -> None:
    (found,) = read(exchange_span(EXCHANGE, ATTEMPTS, ()))

    assert found.name == "chat smart"
    assert found.kind == Span.SPAN_KIND_SERVER
    assert found.trace_id.hex() == TRACE_ID
    assert found.span_id.hex() == EXCHANGE_SPAN_ID
    assert found.parent_span_id.hex() == CLIENT_SPAN_ID
    assert found.flags == 0x301
    assert found.start_time_unix_nano == 1_767_225_600_000_000_000
    assert found.end_time_unix_nano == 1_767_225_600_952_000_000
    assert found.status.code == Status.STATUS_CODE_UNSET
    assert attributes_of(found) == exchange_attributes(EXCHANGE, ATTEMPTS)


def test_an_attempt_is_a_client_span_under_the_exchanges_span() -> None:
    (found,) = read(attempt_span(ANSWERED))

    assert found.name == "chat claude-sonnet-4-5"
    assert found.kind == Span.SPAN_KIND_CLIENT
    assert found.trace_id.hex() == TRACE_ID
    assert found.span_id.hex() == "2222222222222222"
    assert found.parent_span_id.hex() == EXCHANGE_SPAN_ID
    assert found.flags == 0x101
    assert found.start_time_unix_nano == 1_767_225_600_050_000_000
    assert found.end_time_unix_nano == 1_767_225_600_950_000_000
    assert attributes_of(found) == attempt_attributes(ANSWERED)


def test_a_failed_attempt_has_status_error() -> None:
    (found,) = read(attempt_span(FAILED))

    assert found.status.code == Status.STATUS_CODE_ERROR
    assert attributes_of(found)["error.type"] == "upstream_503"


def test_an_exchange_without_traceparent_is_a_root() -> None:
    (found,) = read(exchange_span(replace(EXCHANGE, origin=replace(ORIGIN, parent_span_id=None)), (), ()))

    assert found.parent_span_id == b""
    assert found.flags == 0x101


def test_a_span_never_ends_before_it_began() -> None:
    (found,) = read(attempt_span(replace(ANSWERED, duration_ms=-5.0)))

    assert found.end_time_unix_nano == found.start_time_unix_nano


def test_a_batch_names_its_resource_and_scope() -> None:
    request = ExportTraceServiceRequest.FromString(ENVELOPE.wrap([attempt_span(ANSWERED), attempt_span(FAILED)]))

    (resource,) = request.resource_spans
    (scope,) = resource.scope_spans
    assert attributes_of(resource.resource) == {"service.name": "costspan"}
    assert (scope.scope.name, scope.scope.version) == ("costspan", "1.2")
    assert len(scope.spans) == 2


VALUES: dict[str, Value] = {
    "zero": 0,
    "one byte": 127,
    "two bytes": 128,
    "64 bits": 2**63 - 1,
    "negative": -1,
    "double": 0.1,
    "true": True,
    "false": False,
    "text": "größe",
    "long text": "x" * 256,
    "empty text": "",
    "list": ("stop", "length"),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_values_survive(value: Value) -> None:
    assert attributes_of(read(_span({"key": value}))[0]) == {"key": value}


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@given(
    st.dictionaries(
        TEXT, st.one_of(TEXT, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False)), max_size=5
    )
)
def test_any_attributes_survive(attributes: dict[str, Value]) -> None:
    assert attributes_of(read(_span(attributes))[0]) == attributes


def _span(attributes: dict[str, Value]) -> bytes:
    return span(
        trace_id=TRACE_ID,
        span_id=EXCHANGE_SPAN_ID,
        parent_span_id=None,
        flags=0,
        name="n",
        kind=2,
        start_ns=0,
        end_ns=0,
        attributes=attributes,
        error=False,
    )
