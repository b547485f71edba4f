"""What must hold for every pod with costspan in it, whoever wrote or rendered it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.manifests import KUBERNETES, config_of, gateway_of, pod_of, read, render, validate, vendored_example

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deploy.manifests import Documents

SOURCES: dict[str, Callable[[Path], Documents]] = {
    "manifest sidecar": lambda _: read((KUBERNETES / "sidecar.yaml").read_text()),
    "manifest standalone": lambda _: read((KUBERNETES / "standalone.yaml").read_text()),
    "chart": lambda _: render(),
    "chart as a sidecar of another chart": lambda folder: render(vendored_example(folder)),
    "chart with restart, a claim and a digest": lambda _: render(
        values={
            "reload": "restart",
            "replicas": 1,
            "image": {"digest": "sha256:" + "0" * 64},
            "ledger": {"persistence": {"enabled": True, "storageClassName": "fast"}},
            "extraEnv": [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://otel-collector:4318"}],
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "tolerations": [{"operator": "Exists"}],
            "podLabels": {"tier": "egress"},
            "imagePullSecrets": [{"name": "registry"}],
        }
    ),
}


@pytest.fixture(scope="module", params=SOURCES.values(), ids=list(SOURCES))
def documents(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Documents:
    rendered: Documents = request.param(tmp_path_factory.mktemp("chart"))
    return rendered


def test_the_api_server_would_accept_every_document(documents: Documents) -> None:
    validate(documents)


def test_probes_ask_the_admin_listener(documents: Documents) -> None:
    container = gateway_of(documents)
    admin = {port["name"]: port["containerPort"] for port in container["ports"]}["admin"]

    assert config_of(documents)["admin"]["listen"] == f"0.0.0.0:{admin}"
    assert {kind: container[kind]["httpGet"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")} == {
        "startupProbe": {"path": "/readyz", "port": "admin"},
        "livenessProbe": {"path": "/healthz", "port": "admin"},
        "readinessProbe": {"path": "/readyz", "port": "admin"},
    }


def test_the_container_has_no_rights(documents: Documents) -> None:
    assert gateway_of(documents)["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_the_pod_has_no_way_into_the_cluster_api_and_shares_no_processes(documents: Documents) -> None:
    pod = pod_of(documents)

    assert pod["automountServiceAccountToken"] is False
    assert "shareProcessNamespace" not in pod
    assert "hostNetwork" not in pod


def test_configuration_and_secret_are_folders_that_the_kubelet_updates(documents: Documents) -> None:
    mounts = gateway_of(documents)["volumeMounts"]

    assert {(mount["name"], mount["mountPath"], mount.get("readOnly")) for mount in mounts} == {
        ("costspan-config", "/etc/costspan", True),
        ("costspan-secret", "/run/secrets/costspan", True),
        ("costspan-ledger", "/var/lib/costspan", None),
    }
    assert not any("subPath" in mount or "subPathExpr" in mount for mount in mounts)


def test_secret_files_are_for_their_owner_and_the_pods_group_only(documents: Documents) -> None:
    pod = pod_of(documents)
    (secret,) = (volume["secret"] for volume in pod["volumes"] if "secret" in volume)

    assert secret["defaultMode"] == 0o400
    assert pod["securityContext"]["fsGroup"] == 65532


def test_only_the_gateway_sees_secret_and_ledger(documents: Documents) -> None:
    pod = pod_of(documents)
    others = [container for container in pod["containers"] if container["name"] != "costspan"]

    assert not any(mount["name"].startswith("costspan-") for other in others for mount in other.get("volumeMounts", []))


def test_the_pod_is_given_the_time_that_a_drain_takes(documents: Documents) -> None:
    lifecycle = gateway_of(documents).get("lifecycle", {})
    sleep = lifecycle.get("preStop", {}).get("sleep", {}).get("seconds", 0)

    assert config_of(documents)["server"]["shutdown_grace"] == "30s"
    assert pod_of(documents)["terminationGracePeriodSeconds"] >= 30 + sleep + 10


def test_a_listener_that_others_reach_asks_for_keys(documents: Documents) -> None:
    config = config_of(documents)
    sidecar = "restartPolicy" in gateway_of(documents)

    assert config["server"]["listen"] == ("127.0.0.1:8080" if sidecar else "0.0.0.0:8080")
    assert bool(config.get("keys")) is not sidecar


def test_the_ledger_is_a_folder_of_its_own_on_its_volume(documents: Documents) -> None:
    assert config_of(documents)["ledger"]["dir"] == "/var/lib/costspan/ledger"


def test_images_are_named_by_version_or_digest(documents: Documents) -> None:
    image = gateway_of(documents)["image"]

    assert image in {"costspan:0.1.0", "costspan@sha256:" + "0" * 64}


def test_memory_is_bounded_and_cpu_is_not_throttled(documents: Documents) -> None:
    assert gateway_of(documents)["resources"] == {
        "requests": {"cpu": "100m", "memory": "128Mi"},
        "limits": {"memory": "512Mi"},
    }
