"""fakes.collector: it takes what is well-formed and misbehaves as told."""

from __future__ import annotations

import gzip
from http.client import HTTPConnection

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from fakes.collector import Collector, refusing_endpoint

BODY = ExportTraceServiceRequest(
    resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[Span(name="a"), Span(name="b")])])]
).SerializeToString()


def post(endpoint: str, body: bytes = BODY, **headers: str) -> int:
    connection = HTTPConnection(endpoint.removeprefix("http://"), timeout=5)
    try:
        connection.request("POST", "/v1/traces", body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_spans_are_kept() -> None:
    with Collector() as collector:
        assert post(collector.endpoint) == 200
        assert post(collector.endpoint, gzip.compress(BODY), **{"Content-Encoding": "gzip"}) == 200

        assert [span.name for span in collector.wait_for_spans(4)] == ["a", "b", "a", "b"]
        assert collector.requests[1].headers["content-encoding"] == "gzip"


def test_a_failing_collector_keeps_nothing_until_it_recovers() -> None:
    with Collector() as collector:
        collector.fail_with(503)
        assert post(collector.endpoint) == 503
        assert collector.spans == []

        collector.recover()
        assert post(collector.endpoint) == 200
        assert len(collector.spans) == 2


def test_a_holding_collector_reads_but_does_not_answer() -> None:
    with Collector() as collector:
        collector.hold()
        connection = HTTPConnection(collector.endpoint.removeprefix("http://"), timeout=0.1)
        connection.request("POST", "/v1/traces", BODY)
        with pytest.raises(TimeoutError):
            connection.getresponse()
        connection.close()

        assert len(collector.wait_for_requests(1)) == 1


def test_a_refusing_endpoint_refuses() -> None:
    with pytest.raises(ConnectionRefusedError):
        post(refusing_endpoint())
