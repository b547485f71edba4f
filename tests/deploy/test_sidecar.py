"""The launcher that other tests rely on: a manifest becomes a process's arguments, environment and files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deploy.manifests import KUBERNETES, read, render, vendored_example
from deploy.sidecar import Probe, plan_from_manifest, publish

if TYPE_CHECKING:
    from pathlib import Path

SECRETS = {"openai-api-key": "canary-1", "client-key-hash": "sha256:" + "0" * 64}


def test_the_sidecar_manifest_becomes_a_plan(tmp_path: Path) -> None:
    docs = read((KUBERNETES / "sidecar.yaml").read_text())
    plan = plan_from_manifest(docs, "costspan", tmp_path, ports={8080: 18080, 9464: 19464}, secrets=SECRETS)
    mounts = tmp_path / "mounts"
    config = (plan.files["/etc/costspan"] / "gateway.yaml").read_text()

    assert plan.args == ("serve", "-c", f"{mounts}/costspan-config/gateway.yaml", "--watch")
    assert plan.env == {
        "POD_NAME": "pod-1",
        "POD_NAMESPACE": "shop",
        "OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=pod-1,k8s.pod.name=pod-1,k8s.namespace.name=shop",
    }
    assert plan.probes == {
        "startup": Probe("/readyz", 19464),
        "liveness": Probe("/healthz", 19464),
        "readiness": Probe("/readyz", 19464),
    }
    assert "listen: 127.0.0.1:18080 " in config
    assert "listen: 0.0.0.0:19464 " in config
    assert f"api_key: file:{mounts}/costspan-secret/openai-api-key\n" in config
    assert f"dir: {mounts}/costspan-ledger/ledger\n" in config
    assert (mounts / "costspan-ledger").is_dir()


def test_secret_files_have_the_mode_of_the_volume(tmp_path: Path) -> None:
    plan = plan_from_manifest(render(), "costspan", tmp_path, secrets=SECRETS)
    secret = plan.files["/run/secrets/costspan"] / "openai-api-key"

    assert secret.read_text() == "canary-1"
    assert secret.stat().st_mode & 0o777 == 0o400
    assert plan.env["COSTSPAN_CLIENT_KEY_HASH"] == SECRETS["client-key-hash"]


def test_ports_stay_as_written_unless_they_are_overridden(tmp_path: Path) -> None:
    plan = plan_from_manifest(render(vendored_example(tmp_path)), "costspan", tmp_path, secrets=SECRETS)

    assert "listen: 127.0.0.1:8080\n" in (plan.files["/etc/costspan"] / "gateway.yaml").read_text()
    assert plan.probes["liveness"] == Probe("/healthz", 9464)


def test_an_update_swaps_all_files_of_a_folder_in_one_step(tmp_path: Path) -> None:
    plan = plan_from_manifest(render(), "costspan", tmp_path, ports={8080: 18080}, secrets=SECRETS)
    folder = plan.files["/etc/costspan"]
    before = (folder / "..data").readlink()
    plan.update("/etc/costspan", {"gateway.yaml": "server:\n  listen: 0.0.0.0:8080\n"})

    assert (folder / "gateway.yaml").read_text() == "server:\n  listen: 0.0.0.0:18080\n"
    assert (folder / "gateway.yaml").readlink().parts[0] == "..data"
    assert (folder / "..data").readlink() != before


def test_an_update_of_a_secret_keeps_its_mode(tmp_path: Path) -> None:
    plan = plan_from_manifest(render(), "costspan", tmp_path, secrets=SECRETS)
    plan.update("/run/secrets/costspan", {"openai-api-key": "canary-2"})
    secret = plan.files["/run/secrets/costspan"] / "openai-api-key"

    assert (secret.read_text(), secret.stat().st_mode & 0o777) == ("canary-2", 0o400)


def test_secret_documents_are_read_as_kubernetes_reads_them(tmp_path: Path) -> None:
    secret: dict[str, Any] = {
        "kind": "Secret",
        "metadata": {"name": "costspan"},
        "data": {"openai-api-key": "Y2FuYXJ5LTE="},
        "stringData": {"client-key-hash": "sha256:1"},
    }
    plan = plan_from_manifest([*render(), secret], "costspan", tmp_path)

    assert (plan.files["/run/secrets/costspan"] / "openai-api-key").read_text() == "canary-1"
    assert plan.env["COSTSPAN_CLIENT_KEY_HASH"] == "sha256:1"


def test_a_missing_secret_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Secret costspan is not among these documents"):
        plan_from_manifest(render(), "costspan", tmp_path)


def test_a_path_that_only_begins_like_a_mount_is_left_alone(tmp_path: Path) -> None:
    plan = plan_from_manifest(render(), "costspan", tmp_path, secrets=SECRETS)
    plan.update("/etc/costspan", {"gateway.yaml": "a: /etc/costspan-other/x\nb: /etc/costspan/x\n"})

    assert (plan.files["/etc/costspan"] / "gateway.yaml").read_text() == (
        f"a: /etc/costspan-other/x\nb: {tmp_path}/mounts/costspan-config/x\n"
    )


def test_publishing_removes_names_that_are_gone(tmp_path: Path) -> None:
    publish(tmp_path, {"a": "1", "b": "2"})
    publish(tmp_path, {"a": "3"})

    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("..")) == ["a"]
