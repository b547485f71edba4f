"""costspan.telemetry.setup: records in, spans and metrics at a real collector; and what the environment changes."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from concurrent import futures
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc  # type: ignore[import-untyped] # - ships no types
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan.telemetry.setup import Gauges, Settings, Telemetry, build
from fakes.collector import Collector, refusing_endpoint
from fakes.records import ANSWERED, ATTEMPTS, CLIENT_SPAN_ID, EXCHANGE, EXCHANGE_SPAN_ID, FAILED, ORIGIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GAUGES = Gauges(
    inflight=lambda: 2,
    config_generation=lambda: 7,
    reload_success=lambda: True,
    ledger_degraded=lambda: False,
    key_cooldowns=lambda: {("openai", "auth"): 2},
)
NO_PROMETHEUS = Settings(prometheus=False)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("OTEL_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def started(environ: Mapping[str, str], settings: Settings = NO_PROMETHEUS) -> Telemetry:
    telemetry = build(settings, GAUGES, environ)
    telemetry.start()
    return telemetry


def feed(telemetry: Telemetry, exchange: Any = EXCHANGE, attempts: Any = ATTEMPTS) -> None:
    for attempt in attempts:
        telemetry.attempt_started(attempt.started)
        telemetry.attempt_ended(attempt)
    telemetry.exchange_ended(exchange, attempts)


def test_a_collector_receives_an_exchange_with_its_attempts_under_it(collector: Collector) -> None:
    telemetry = started({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint})
    feed(telemetry)
    telemetry.close(5)

    spans = {span.span_id.hex(): span for span in collector.spans}
    assert {name: (span.name, span.kind, span.parent_span_id.hex()) for name, span in spans.items()} == {
        EXCHANGE_SPAN_ID: ("chat smart", Span.SPAN_KIND_SERVER, CLIENT_SPAN_ID),
        "1111111111111111": ("chat us.claude", Span.SPAN_KIND_CLIENT, EXCHANGE_SPAN_ID),
        "2222222222222222": ("chat claude-sonnet-4-5", Span.SPAN_KIND_CLIENT, EXCHANGE_SPAN_ID),
    }
    assert len({span.trace_id for span in collector.spans}) == 1
    assert spans[EXCHANGE_SPAN_ID].start_time_unix_nano == EXCHANGE.time_ns
    assert telemetry.dropped == 0


def test_the_yaml_endpoint_headers_and_name_are_used(collector: Collector) -> None:
    settings = Settings(
        service_name="gateway", service_version="1.2", otlp_endpoint=collector.endpoint, otlp_headers={"X-Team": "a b"}
    )
    telemetry = started({}, settings)
    feed(telemetry)
    telemetry.close(5)

    assert collector.resource["service.name"] == "gateway"
    assert collector.resource["service.version"] == "1.2"
    assert {request.path for request in collector.requests} == {"/v1/traces", "/v1/metrics"}
    assert {request.headers["x-team"] for request in collector.requests} == {"a b"}


def test_the_environment_wins_over_yaml(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    settings = Settings(service_name="yaml", otlp_endpoint=refusing_endpoint(), otlp_headers={"x-team": "yaml"})
    telemetry = started(
        {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.endpoint}/mine/v1/traces",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-team=env%20team",
            "OTEL_SERVICE_NAME": "env",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=prod,broken",
            "OTEL_METRICS_EXPORTER": "none",
        },
        settings,
    )
    feed(telemetry)
    telemetry.close(5)

    (request,) = collector.requests
    assert request.path == "/mine/v1/traces"
    assert request.headers["x-team"] == "env team"
    assert request.headers["content-encoding"] == "gzip"
    assert collector.resource["service.name"] == "env"
    assert collector.resource["deployment.environment"] == "prod"
    assert len(collector.spans) == 3


NOTHING_EXPORTED: dict[str, dict[str, str]] = {
    "no endpoint": {},
    "disabled": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
    "exporters none": {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
    },
}


@pytest.mark.parametrize("environ", NOTHING_EXPORTED.values(), ids=NOTHING_EXPORTED.keys())
def test_without_a_destination_there_is_no_thread(environ: dict[str, str]) -> None:
    before = threading.active_count()
    telemetry = started(environ, Settings())
    feed(telemetry)

    assert threading.active_count() == before
    assert (
        b'costspan_attempts_total{provider="anthropic",route="smart",outcome="ok"} 1' in telemetry.prometheus_text()[0]
    )
    assert telemetry.flush()
    telemetry.close(1)
    assert telemetry.dropped == 0


def test_an_exporter_that_is_asked_for_has_the_default_endpoint() -> None:
    telemetry = build(NO_PROMETHEUS, GAUGES, {"OTEL_TRACES_EXPORTER": "otlp"})

    assert telemetry._exporter is not None
    assert telemetry._exporter._spans._exporter._endpoint == "http://localhost:4318/v1/traces"  # type: ignore[union-attr]


IMPORTS: dict[str, tuple[str, list[str]]] = {
    "no endpoint, no opentelemetry": ("{}", []),
    "http, no grpc": ("{'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://127.0.0.1:1'}", ["opentelemetry"]),
}


@pytest.mark.parametrize(("environ", "expected"), IMPORTS.values(), ids=IMPORTS.keys())
def test_only_what_is_used_is_imported(environ: str, expected: list[str]) -> None:
    program = (
        "import sys; from costspan.telemetry.setup import *;"
        f"build(Settings(), Gauges(int, int, bool, bool), {environ}).prometheus_text();"
        "print([name for name in ('grpc', 'opentelemetry', 'prometheus_client') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)

    assert done.stdout.strip() == str(expected)


def test_an_exchange_that_is_not_sampled_is_counted_but_not_exported(collector: Collector) -> None:
    telemetry = started({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}, Settings())
    origin = replace(ORIGIN, sampled=False)
    attempt = replace(ANSWERED, started=replace(ANSWERED.started, origin=origin))
    feed(telemetry, replace(EXCHANGE, origin=origin), (attempt,))
    text, _ = telemetry.prometheus_text()
    telemetry.close(5)

    assert collector.spans == []
    assert b'costspan_attempts_total{provider="anthropic",route="smart",outcome="ok"} 1' in text
    assert telemetry.dropped == 0


def test_an_attempt_that_ends_after_its_exchange_is_exported(collector: Collector) -> None:
    telemetry = started({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint})
    telemetry.exchange_ended(EXCHANGE, ())
    assert telemetry.flush()
    telemetry.attempt_ended(FAILED)
    telemetry.close(5)

    assert [span.name for span in collector.spans] == ["chat smart", "chat us.claude"]


def test_batches_are_bounded_and_sent_without_a_flush(collector: Collector) -> None:
    telemetry = started(
        {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "50"},
    )
    for _ in range(100):
        telemetry.attempt_ended(ANSWERED)

    collector.wait_for_spans(50)
    telemetry.close(5)
    assert len(collector.spans) == 100


def test_metrics_reach_the_collector(collector: Collector) -> None:
    telemetry = started({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}, Settings(metric_attributes=("team",)))
    feed(telemetry)
    telemetry.close(5)

    (cost, estimate) = sorted(collector.metrics["costspan.cost.usd"].sum.data_points, key=lambda point: point.as_double)
    assert cost.as_double == 0.000725
    assert {item.key: item.value.string_value for item in cost.attributes} == {
        "provider": "anthropic",
        "model": "claude-sonnet-4-5",
        "route": "smart",
        "status": "exact",
        "team": "checkout",
    }
    assert estimate.as_double == 0.01
    (served,) = collector.metrics["gen_ai.server.request.duration"].histogram.data_points
    assert (served.count, served.sum, sum(served.bucket_counts)) == (1, 0.952, 1)
    assert collector.metrics["gen_ai.server.request.duration"].unit == "s"
    (generation,) = collector.metrics["costspan.config.generation"].gauge.data_points
    assert generation.as_int == 7
    (cooldowns,) = collector.metrics["costspan.key.cooldowns"].sum.data_points
    assert cooldowns.as_int == 2
    assert {item.key: item.value.string_value for item in cooldowns.attributes} == {
        "provider": "openai",
        "reason": "auth",
    }


FAILURES = ("refuses", "answers 503", "does not answer")


@pytest.mark.parametrize("failure", FAILURES)
def test_a_broken_collector_costs_spans_but_never_time(collector: Collector, failure: str) -> None:
    endpoint = refusing_endpoint() if failure == "refuses" else collector.endpoint
    if failure == "answers 503":
        collector.fail_with(503)
    elif failure == "does not answer":
        collector.hold()
    telemetry = started(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPORTER_OTLP_TIMEOUT": "0.2",
            "OTEL_BSP_MAX_QUEUE_SIZE": "100",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10",
        },
        Settings(),
    )
    for _ in range(500):
        telemetry.exchange_ended(EXCHANGE, ())
    text, _ = telemetry.prometheus_text()
    telemetry.close(0.1)

    assert (
        b'gen_ai_server_request_duration_seconds_count{gen_ai_operation_name="chat",costspan_route="smart"} 500' in text
    )
    assert telemetry.dropped == 500


def test_what_a_collector_missed_is_counted_and_the_rest_arrives(collector: Collector) -> None:
    telemetry = started({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_EXPORTER_OTLP_TIMEOUT": "0.2"})
    collector.fail_with(503)
    telemetry.attempt_ended(FAILED)
    assert telemetry.flush()
    collector.recover()
    telemetry.attempt_ended(ANSWERED)
    telemetry.close(5)

    assert telemetry.dropped == 1
    assert [span.name for span in collector.spans] == ["chat claude-sonnet-4-5"]


def test_a_record_that_cannot_be_built_is_dropped_and_the_next_is_not(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry = started({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint})
    telemetry.exchange_ended(replace(EXCHANGE, time_ns=-1), ())
    telemetry.exchange_ended(EXCHANGE, ())
    with caplog.at_level(logging.WARNING):
        telemetry.close(5)

    assert telemetry.dropped == 1
    assert len(collector.spans) == 1


def test_after_close_records_are_dropped_and_counted_and_a_second_close_is_nothing(collector: Collector) -> None:
    telemetry = started({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint})
    telemetry.close(5)
    telemetry.exchange_ended(EXCHANGE, ())
    telemetry.close(5)

    assert telemetry.dropped == 1


def test_spans_go_over_grpc() -> None:
    received: list[tuple[ExportTraceServiceRequest, dict[str, str]]] = []

    class Service(grpc.GenericRpcHandler):  # type: ignore[misc] # - likewise
        def service(self, handler_call_details: Any) -> Any:
            def export(request: ExportTraceServiceRequest, context: Any) -> bytes:
                received.append((request, dict(context.invocation_metadata())))
                return b""

            if not handler_call_details.method.endswith("TraceService/Export"):
                return None
            return grpc.unary_unary_rpc_method_handler(
                export, request_deserializer=ExportTraceServiceRequest.FromString, response_serializer=bytes
            )

    server = grpc.server(futures.ThreadPoolExecutor(1), handlers=[Service()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        telemetry = started(
            {"OTEL_METRICS_EXPORTER": "none"},
            Settings(otlp_endpoint=f"http://127.0.0.1:{port}", otlp_protocol="grpc", otlp_headers={"X-Team": "a"}),
        )
        feed(telemetry)
        telemetry.close(5)
    finally:
        server.stop(None).wait(5)

    ((request, metadata),) = received
    assert len(request.resource_spans[0].scope_spans[0].spans) == 3
    assert metadata["x-team"] == "a"
    assert telemetry.dropped == 0


BAD_NUMBERS: dict[str, dict[str, str]] = {
    "queue": {"OTEL_BSP_MAX_QUEUE_SIZE": "many"},
    "timeout": {"OTEL_EXPORTER_OTLP_TIMEOUT": "-1"},
    "protocol": {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
    "delay": {"OTEL_BSP_SCHEDULE_DELAY": "nan"},
}


@pytest.mark.parametrize("environ", BAD_NUMBERS.values(), ids=BAD_NUMBERS.keys())
def test_what_cannot_be_read_is_warned_about_and_the_default_works(
    collector: Collector, environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="costspan.telemetry.setup"):
        telemetry = started(environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint})
    feed(telemetry)
    telemetry.close(5)

    assert caplog.records
    assert len(collector.spans) == 3


def test_settings_do_not_show_their_headers() -> None:
    assert "s3cret" not in repr(Settings(otlp_headers={"authorization": "s3cret"}))
