"""What the chart alone decides: values, refusals, reload by choice, the sidecar template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from costspan import __version__
from deploy.manifests import (
    CHART,
    EXAMPLE_VALUES,
    KUBERNETES,
    ROOT,
    HelmFailed,
    config_of,
    gateway_of,
    helm,
    one,
    pod_of,
    read,
    render,
    render_only,
    vendored_example,
)

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.manifests import Documents


def pod_annotations(documents: Documents) -> dict[str, str]:
    found: dict[str, str] = one(documents, "Deployment")["spec"]["template"]["metadata"]["annotations"]
    return found


LINTED: dict[str, tuple[str | Path, ...]] = {"alone": (), "with the example": ("--values", EXAMPLE_VALUES)}


@pytest.mark.parametrize("options", LINTED.values(), ids=LINTED.keys())
def test_helm_lint_finds_nothing(options: tuple[str | Path, ...]) -> None:
    assert "1 chart(s) linted, 0 chart(s) failed" in helm("lint", "--strict", CHART, *options)


def test_there_is_one_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    images = {gateway_of(render())["image"]} | {
        gateway_of(read((KUBERNETES / name).read_text()))["image"] for name in ("sidecar.yaml", "standalone.yaml")
    }
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())

    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
    assert images | {compose["services"]["gateway"]["image"]} == {f"costspan:{__version__}"}


def test_watch_leaves_a_changed_route_to_the_gateway() -> None:
    changed: dict[str, Any] = {"config": {"routes": {"quick": {"targets": ["openai/gpt-5"]}}}}

    assert pod_annotations(render()) == pod_annotations(render(values=changed))
    assert gateway_of(render())["args"] == ["serve", "-c", "/etc/costspan/gateway.yaml", "--watch"]


@pytest.mark.parametrize("change", [{"listen": "0.0.0.0:8081"}, {"workers": 2}], ids=["listen", "workers"])
def test_watch_rolls_the_pods_for_what_no_reload_can_apply(change: dict[str, Any]) -> None:
    assert pod_annotations(render()) != pod_annotations(render(values={"config": {"server": change}}))


def test_restart_rolls_the_pods_for_every_change() -> None:
    before = render(values={"reload": "restart"})
    after = render(values={"reload": "restart", "config": {"direct_targets": False}})

    assert gateway_of(before)["args"] == ["serve", "-c", "/etc/costspan/gateway.yaml"]
    assert list(pod_annotations(before)) == ["checksum/config"]
    assert pod_annotations(before) != pod_annotations(after)


def test_ports_follow_the_listeners_of_the_configuration() -> None:
    documents = render(values={"config": {"server": {"listen": "[::]:7000"}, "admin": {"listen": "[::]:7001"}}})

    assert gateway_of(documents)["ports"] == [
        {"name": "http", "containerPort": 7000},
        {"name": "admin", "containerPort": 7001},
    ]


def test_the_service_is_a_host_name_that_the_gateway_accepts() -> None:
    documents = render(values={"config": {"server": {"allowed_hosts": ["llm.example.com"]}}})

    assert one(documents, "Service")["metadata"]["name"] == "demo-costspan"
    assert config_of(documents)["server"]["allowed_hosts"] == [
        "llm.example.com",
        "demo-costspan",
        "demo-costspan.shop",
        "demo-costspan.shop.svc",
        "demo-costspan.shop.svc.cluster.local",
    ]


def test_numbers_dates_and_words_reach_the_file_as_they_were_written() -> None:
    written: dict[str, Any] = {
        "prices": {
            "table": [{"provider": "openai", "model": "gpt-5", "from": "2026-01-01", "input": 1.25, "output": 10}]
        },
        "keys": [{"name": "on", "hash": "sha256:" + "0" * 64, "limits": {"tokens_per_minute": 20000000}}],
        "budgets": [{"name": "no", "usd": 0.1, "per": "month"}],
    }
    text = one(render(values={"config": written}), "ConfigMap")["data"]["gateway.yaml"]

    assert "input: 1.25\n" in text
    assert "tokens_per_minute: 20000000\n" in text
    assert "usd: 0.1\n" in text
    assert {key: config_of(render(values={"config": written}))[key] for key in written} == written


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "misspelt value": ({"replica": 3}, "Additional property replica is not allowed"),
    "wrong type": ({"replicas": "three"}, "replicas: Invalid type"),
    "unknown way to reload": ({"reload": "sighup"}, 'reload must be one of the following: "watch", "restart"'),
    "moving tag": ({"image": {"tag": "latest"}}, "image.tag"),
    "not a duration": ({"config": {"server": {"shutdown_grace": "half a minute"}}}, "config.server.shutdown_grace"),
    "grace too short": (
        {"terminationGracePeriodSeconds": 44},
        "44 is too short to drain: shutdown_grace 30s + preStop 5s + 10s = 45s",
    ),
    "grace too short for minutes": (
        {"config": {"server": {"shutdown_grace": "2m"}}},
        "60 is too short to drain: shutdown_grace 120s + preStop 5s + 10s = 135s",
    ),
    "no provider left": ({"config": {"providers": {"openai": None}}}, "config.providers: no provider is configured"),
    "no keys": ({"config": {"keys": []}}, "config.keys: 0.0.0.0:8080 is not loopback"),
    "a Service in front of loopback": (
        {"config": {"server": {"listen": "127.0.0.1:8080"}}},
        "no Service reaches 127.0.0.1:8080",
    ),
    "probes to loopback": (
        {"config": {"admin": {"listen": "127.0.0.1:9464"}}},
        "the kubelet calls the pod's address",
    ),
    "no admin listener": ({"config": {"admin": {"listen": ""}}}, "the probes need an admin listener"),
    "one claim for two writers": (
        {"ledger": {"persistence": {"enabled": True}}},
        "one claim holds one writer; set replicas: 1",
    ),
    "variables of no Secret": ({"secret": {"existingSecret": ""}}, "secret.env: needs secret.existingSecret"),
}


@pytest.mark.parametrize(("values", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_could_not_work_is_refused_with_the_reason(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(HelmFailed) as refused:
        render(values=values)

    assert reason in str(refused.value)


def test_the_chart_alone_asks_for_a_provider() -> None:
    with pytest.raises(HelmFailed, match=r"config\.providers: no provider .* -f examples/values-openai\.yaml"):
        render_only({})


OWN_VALUES: dict[str, Any] = {
    "config": {
        "providers": {"anthropic": {"api_key": "file:/run/secrets/costspan/anthropic-api-key"}},
        "routes": {"talk": {"targets": ["anthropic/claude-sonnet-4-5"]}},
        "keys": [{"name": "team", "hash": "sha256:" + "1" * 64}],
    }
}


def test_only_what_the_user_configured_is_in_the_configuration() -> None:
    config = config_of(render_only(OWN_VALUES))

    assert {part: config[part] for part in OWN_VALUES["config"]} == OWN_VALUES["config"]


def test_no_variable_comes_from_a_secret_unless_asked_for() -> None:
    documents = render_only(OWN_VALUES)

    assert "secretKeyRef" not in yaml.safe_dump_all(documents)
    assert [entry["name"] for entry in gateway_of(documents)["env"]] == [
        "POD_NAME",
        "POD_NAMESPACE",
        "OTEL_RESOURCE_ATTRIBUTES",
    ]


def test_null_takes_one_provider_or_route_out_of_merged_values() -> None:
    own = OWN_VALUES["config"]
    config = config_of(
        render(
            values={
                "config": {
                    "providers": {**own["providers"], "openai": None},
                    "routes": {**own["routes"], "smart": None},
                }
            }
        )
    )

    assert (config["providers"], config["routes"]) == (own["providers"], own["routes"])


def test_null_takes_one_provider_or_route_out_of_a_subcharts_values(tmp_path: Path) -> None:
    own = OWN_VALUES["config"]
    values = {
        "costspan": {
            "config": {
                "providers": {**own["providers"], "openai": None},
                "routes": {**own["routes"], "smart": None},
            }
        }
    }
    config = config_of(render(vendored_example(tmp_path), values))

    assert (config["providers"], config["routes"]) == (own["providers"], own["routes"])


GRACES: dict[str, tuple[str, int]] = {
    "exactly enough": ("30s", 45),
    "part of a second counts as one": ("500ms", 16),
    "minutes": ("1.5m", 105),
}


@pytest.mark.parametrize(("grace", "seconds"), GRACES.values(), ids=GRACES.keys())
def test_the_least_grace_period_that_is_accepted(grace: str, seconds: int) -> None:
    values: dict[str, Any] = {"config": {"server": {"shutdown_grace": grace}}}

    assert pod_of(render(values={**values, "terminationGracePeriodSeconds": seconds}))
    with pytest.raises(HelmFailed):
        render(values={**values, "terminationGracePeriodSeconds": seconds - 1})


def test_open_to_everybody_only_when_that_is_asked_for() -> None:
    documents = render(values={"config": {"keys": [], "server": {"auth": "none"}}})

    assert config_of(documents)["server"]["auth"] == "none"


def test_the_ledgers_claim_outlives_the_release() -> None:
    documents = render(values={"replicas": 1, "ledger": {"persistence": {"enabled": True}}})
    claim = one(documents, "PersistentVolumeClaim")

    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert one(documents, "Deployment")["spec"]["strategy"] == {"type": "Recreate"}


def test_secret_keys_are_referred_to_and_never_rendered() -> None:
    documents = render(values={"secret": {"env": [{"name": "GROQ_API_KEY", "key": "groq"}]}})

    assert {"name": "GROQ_API_KEY", "valueFrom": {"secretKeyRef": {"name": "costspan", "key": "groq"}}} in gateway_of(
        documents
    )["env"]
    assert not [document for document in documents if document["kind"] == "Secret"]


def test_another_chart_gets_a_native_sidecar_and_no_second_deployment(tmp_path: Path) -> None:
    documents = render(vendored_example(tmp_path))
    sidecar = pod_of(documents)["initContainers"][0]

    assert sorted(document["kind"] for document in documents) == ["ConfigMap", "Deployment"]
    assert (sidecar["name"], sidecar["restartPolicy"]) == ("costspan", "Always")
    assert "lifecycle" not in sidecar


def test_the_sidecar_template_needs_the_sidecar_mode(tmp_path: Path) -> None:
    with pytest.raises(HelmFailed, match="set mode: sidecar"):
        render(vendored_example(tmp_path), {"costspan": {"mode": "deployment", "config": {"keys": [{"name": "a"}]}}})
