"""costspan.telemetry.prometheus: what a scrape sees, read by Prometheus's own parser."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

from opentelemetry.exporter.prometheus._mapping import map_unit, sanitize_attribute, sanitize_full_name
from prometheus_client.parser import text_string_to_metric_families

from costspan.telemetry.metrics import Distribution, Family, Gauges, Instrument, Metrics, Point
from costspan.telemetry.prometheus import CONTENT_TYPE, name_of, render
from fakes.records import ATTEMPTS, EXCHANGE

GAUGES = Gauges(
    inflight=lambda: 2,
    config_generation=lambda: 7,
    reload_success=lambda: True,
    ledger_degraded=lambda: False,
    target_health=lambda: {("openai", "gpt-5"): 0.5},
    key_cooldowns=lambda: {("openai", "auth"): 2},
)


def metrics() -> Metrics:
    return Metrics(GAUGES, ("team",), lambda: 4)


def test_the_text_of_each_kind() -> None:
    text = render(
        [
            Family(
                Instrument("costspan.cost.usd", "counter", "{USD}", "Cost."), (Point({"team": "a"}, Decimal("0.10")),)
            ),
            Family(Instrument("costspan.inflight", "gauge", "", "In flight."), (Point({}, 2),)),
            Family(
                Instrument("costspan.overhead", "histogram", "s", "Overhead.", (), (0.1, 1.0)),
                (Point({"a.b": "x"}, Distribution((1, 2, 3), 4.5)),),
            ),
        ],
        {"service.name": "costspan"},
    )

    assert text.decode().splitlines() == [
        "# HELP target_info Target metadata",
        "# TYPE target_info gauge",
        'target_info{service_name="costspan"} 1',
        "# HELP costspan_cost_usd_total Cost.",
        "# TYPE costspan_cost_usd_total counter",
        'costspan_cost_usd_total{team="a"} 0.10',
        "# HELP costspan_inflight In flight.",
        "# TYPE costspan_inflight gauge",
        "costspan_inflight 2",
        "# HELP costspan_overhead_seconds Overhead.",
        "# TYPE costspan_overhead_seconds histogram",
        'costspan_overhead_seconds_bucket{a_b="x",le="0.1"} 1',
        'costspan_overhead_seconds_bucket{a_b="x",le="1.0"} 3',
        'costspan_overhead_seconds_bucket{a_b="x",le="+Inf"} 6',
        'costspan_overhead_seconds_sum{a_b="x"} 4.5',
        'costspan_overhead_seconds_count{a_b="x"} 6',
    ]


def test_prometheus_reads_back_hostile_label_values() -> None:
    value = 'a"b\\c\nd{}é'
    text = render([Family(Instrument("x", "gauge", "", "X."), (Point({"l": value}, 1),))], {})

    families = {family.name: family for family in text_string_to_metric_families(text.decode())}
    assert families["x"].samples[0].labels == {"l": value}


def test_no_label_is_written_twice() -> None:
    names = ("team", "te-am", "te_am", "le", "gen_ai.token.type", "status")
    recorded = Metrics(GAUGES, names, lambda: 0)
    for attempt in ATTEMPTS:
        origin = replace(attempt.started.origin, attributes=dict.fromkeys(names, "x"))
        recorded.record_attempt(replace(attempt, started=replace(attempt.started, origin=origin)))

    text = render(recorded.collect(), {"a.b": "first", "a_b": "second"}).decode()

    assert 'target_info{a_b="first"} 1' in text
    for line in text.splitlines():
        labels = re.findall(r'[{,](\w+)="', line)
        assert sorted(labels) == sorted(set(labels))
    assert 'te_am="x"' in text
    assert 'le="x"' not in text
    buckets = [s for f in text_string_to_metric_families(text) for s in f.samples if s.name.endswith("usage_bucket")]
    assert {bucket.labels["le"] for bucket in buckets} > {"1.0", "+Inf"}
    assert {bucket.labels["gen_ai_token_type"] for bucket in buckets} == {"input", "output"}


def test_the_metrics_of_an_exchange() -> None:
    recorded = metrics()
    for attempt in ATTEMPTS:
        recorded.record_attempt(attempt)
    recorded.record_exchange(EXCHANGE)
    text = render(recorded.collect(), {}).decode()

    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert sorted(families) == [
        "costspan_attempts",
        "costspan_budget_remaining_usd",
        "costspan_budget_shared_up",
        "costspan_budget_used_ratio",
        "costspan_budget_warned",
        "costspan_config_generation",
        "costspan_config_reload_success",
        "costspan_cost_drift_usd",
        "costspan_cost_usd",
        "costspan_inflight",
        "costspan_key_cooldowns",
        "costspan_ledger_degraded",
        "costspan_overhead_seconds",
        "costspan_race_extra_usd",
        "costspan_target_health",
        "costspan_telemetry_dropped",
        "costspan_unpriced",
        "gen_ai_client_operation_duration_seconds",
        "gen_ai_client_operation_time_to_first_chunk_seconds",
        "gen_ai_client_token_usage",
        "gen_ai_server_request_duration_seconds",
        "target_info",
    ]
    for line in (
        (
            'costspan_cost_usd_total{provider="anthropic",model="claude-sonnet-4-5",route="smart",status="exact",'
            'team="checkout"} 0.000725'
        ),
        (
            'costspan_cost_usd_total{provider="bedrock-us",model="us.claude",route="smart",status="estimated",'
            'team="checkout"} 0.01'
        ),
        'costspan_attempts_total{provider="bedrock-us",route="smart",outcome="failed",error_type="upstream_503"} 1',
        'costspan_overhead_seconds_bucket{le="0.0025"} 1',
        "costspan_config_reload_success 1",
        "costspan_telemetry_dropped_total 4",
        'costspan_key_cooldowns_total{provider="openai",reason="auth"} 2',
        'costspan_target_health{provider="openai",model="gpt-5"} 0.5',
    ):
        assert line in text.splitlines()


def test_names_are_those_of_opentelemetrys_own_exporter() -> None:
    for family in metrics().collect():
        instrument = family.instrument
        unit = map_unit(instrument.unit)
        expected = "_".join(filter(None, (sanitize_full_name(instrument.name), unit)))
        assert name_of(instrument).removesuffix("_total") == expected
        assert [label for label in instrument.labels if "__" in sanitize_attribute(label)] == []


def test_the_content_type_says_which_format() -> None:
    assert CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"
