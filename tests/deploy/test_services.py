"""Compose, the collector, Prometheus and systemd: structure, and that they agree with each other."""

from __future__ import annotations

import configparser
import re
from typing import Any

import pytest
import yaml

from costspan.telemetry.metrics import Gauges, Metrics
from costspan.telemetry.prometheus import name_of
from deploy.manifests import ROOT

DEPLOY = ROOT / "deploy"


def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / name).read_text())
    return found


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = document("compose.yaml")["services"]
    return found


def test_compose_starts_gateway_collector_and_prometheus() -> None:
    assert list(services()) == ["gateway", "otel-collector", "prometheus"]


@pytest.mark.parametrize("name", list(services()))
def test_a_service_has_a_fixed_version_no_capabilities_and_is_published_on_loopback_only(name: str) -> None:
    service = services()[name]

    assert re.search(r":v?\d+\.\d+\.\d+$", service["image"])
    assert service["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("name", list(services()))
def test_every_mounted_file_is_there(name: str) -> None:
    sources = [volume.split(":")[0] for volume in services()[name].get("volumes", [])]

    assert all((DEPLOY / source).exists() for source in sources if source.startswith("."))
    assert {source for source in sources if not source.startswith(".")} <= set(document("compose.yaml")["volumes"])


def test_the_gateway_gets_the_time_that_a_drain_takes() -> None:
    assert document("compose/gateway.yaml")["server"]["shutdown_grace"] == "30s"
    assert services()["gateway"]["stop_grace_period"] == "45s"


def test_the_gateway_checks_its_own_readiness_without_a_shell() -> None:
    check = services()["gateway"]["healthcheck"]["test"]

    assert check[:2] == ["CMD", "/opt/costspan/bin/python"]
    assert "http://127.0.0.1:9464/readyz" in check[-1]
    compile(check[-1], "healthcheck", "exec")


def test_compose_refuses_to_start_without_a_client_key() -> None:
    variable = services()["gateway"]["environment"]["COSTSPAN_CLIENT_KEY_HASH"]

    assert variable.startswith("${COSTSPAN_CLIENT_KEY_HASH:?")
    assert document("compose/gateway.yaml")["keys"][0]["hash"] == "${COSTSPAN_CLIENT_KEY_HASH}"


def test_every_pipeline_of_the_collector_is_made_of_declared_parts() -> None:
    collector = document("otel-collector.yaml")

    for pipeline in collector["service"]["pipelines"].values():
        for kind in ("receivers", "processors", "exporters"):
            assert set(pipeline[kind]) <= set(collector[kind])
        assert pipeline["processors"] == ["memory_limiter", "batch"]


def test_telemetry_goes_from_the_gateway_by_the_collector_to_prometheus() -> None:
    collector = document("otel-collector.yaml")
    jobs = {job["job_name"]: job for job in document("prometheus.yaml")["scrape_configs"]}

    assert document("compose/gateway.yaml")["telemetry"]["otlp"]["endpoint"] == "http://otel-collector:4318"
    assert collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"] == "0.0.0.0:4318"
    assert collector["exporters"]["prometheus"]["endpoint"] == "0.0.0.0:8889"
    assert jobs["costspan"]["static_configs"] == [{"targets": ["otel-collector:8889"]}]


def test_prometheus_keeps_one_copy_of_the_cost() -> None:
    jobs = {job["job_name"]: job for job in document("prometheus.yaml")["scrape_configs"]}
    (rule,) = jobs["costspan-gateway"]["metric_relabel_configs"]

    assert rule["action"] == "drop"
    assert re.fullmatch(rule["regex"], "costspan_cost_usd_total")
    assert re.fullmatch(rule["regex"], "gen_ai_client_token_usage_sum")


ALERTS = [rule for group in document("alerts.yaml")["groups"] for rule in group["rules"]]
GAUGES = Gauges(
    inflight=lambda: 0, config_generation=lambda: 1, reload_success=lambda: True, ledger_degraded=lambda: False
)
SERIES = {name_of(family.instrument): family.instrument.labels for family in Metrics(GAUGES, (), lambda: 0).collect()}
METRICS = re.compile(r"\b(?:costspan|gen_ai)_\w+")


@pytest.mark.parametrize("rule", ALERTS, ids=[rule["alert"] for rule in ALERTS])
def test_an_alert_asks_for_series_and_labels_that_the_gateway_has(rule: dict[str, Any]) -> None:
    asked = set(METRICS.findall(rule["expr"]))
    given = {label for name in asked for label in SERIES[name]} | {"instance"}
    used = {label.strip() for labels in re.findall(r"\bby \(([^)]*)\)", rule["expr"]) for label in labels.split(",")}
    used |= set(re.findall(r"[{,] *(\w+)[=!]", rule["expr"]))

    assert asked
    assert used <= given
    assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= used
    assert rule["labels"]["severity"] in {"warning", "critical"}


def test_what_a_team_has_to_know_of_has_an_alert() -> None:
    asked = {name for rule in ALERTS for name in METRICS.findall(rule["expr"])}

    assert asked == {
        "costspan_target_health",
        "costspan_key_cooldowns_total",
        "costspan_race_extra_usd_total",
        "costspan_cost_usd_total",
        "costspan_budget_warned",
        "costspan_budget_used_ratio",
        "costspan_budget_shared_up",
        "costspan_unpriced_total",
        "costspan_ledger_degraded",
        "costspan_config_reload_success",
    }
    assert len({rule["alert"] for rule in ALERTS}) == len(ALERTS)


def test_prometheus_reads_the_alerts_that_compose_mounts() -> None:
    (rules,) = document("prometheus.yaml")["rule_files"]

    assert f"./alerts.yaml:/etc/prometheus/{rules}:ro" in services()["prometheus"]["volumes"]


@pytest.fixture
def unit() -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # keys of a unit have capitals
    parser.read(DEPLOY / "costspan.service")
    return parser["Service"]


def test_systemd_reloads_by_sighup_and_lets_streams_finish(unit: configparser.SectionProxy) -> None:
    assert unit["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert unit["ExecStart"].endswith(" -m costspan serve -c /etc/costspan/gateway.yaml")
    assert (unit["KillMode"], unit["TimeoutStopSec"]) == ("mixed", "45")


def test_systemd_does_not_repeat_a_start_that_cannot_work(unit: configparser.SectionProxy) -> None:
    assert (unit["Restart"], unit["RestartPreventExitStatus"]) == ("on-failure", "2 78")


def test_systemd_gives_the_gateway_one_folder_and_no_rights(unit: configparser.SectionProxy) -> None:
    expected = {
        "DynamicUser": "yes",
        "StateDirectory": "costspan",
        "StateDirectoryMode": "0700",
        "ProtectSystem": "strict",
        "NoNewPrivileges": "yes",
        "CapabilityBoundingSet": "",
    }

    assert {name: unit[name] for name in expected} == expected
