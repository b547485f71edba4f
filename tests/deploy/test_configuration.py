"""Every gateway.yaml that we ship or render is one that the gateway accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from costspan.config.load import Loaded, load
from costspan.errors import ConfigError
from deploy.manifests import KUBERNETES, ROOT, read, render, render_only, vendored_example
from deploy.sidecar import plan_from_manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deploy.manifests import Documents

HASH = "sha256:" + "0" * 64
SECRETS = {"openai-api-key": "canary-1", "client-key-hash": HASH}

SOURCES: dict[str, Callable[[Path], Documents]] = {
    "manifest sidecar": lambda _: read((KUBERNETES / "sidecar.yaml").read_text()),
    "manifest standalone": lambda _: read((KUBERNETES / "standalone.yaml").read_text()),
    "chart": lambda _: render(),
    "chart as a sidecar of another chart": lambda folder: render(vendored_example(folder)),
}


def load_mounted(documents: Documents, folder: Path) -> Loaded:
    plan = plan_from_manifest(documents, "costspan", folder, secrets=SECRETS)
    return load(plan.files["/etc/costspan"] / "gateway.yaml", plan.env)


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
def test_the_mounted_configuration_loads_without_a_doubt(source: Callable[[Path], Documents], tmp_path: Path) -> None:
    loaded = load_mounted(source(tmp_path), tmp_path)

    assert loaded.warnings == ()
    assert loaded.config.providers["openai"].api_keys[0].reveal() == "canary-1"
    assert loaded.config.admin.listen == "0.0.0.0:9464"
    assert loaded.config.server.shutdown_grace == 30.0


def test_the_client_key_comes_from_the_secret(tmp_path: Path) -> None:
    loaded = load_mounted(render(), tmp_path)

    assert [(key.name, key.hash) for key in loaded.config.keys] == [("default", HASH)]


def test_values_without_the_examples_need_nothing_of_its_secret(tmp_path: Path) -> None:
    documents = render_only(
        {
            "config": {
                "providers": {"anthropic": {"api_key": "file:/run/secrets/costspan/anthropic-api-key"}},
                "routes": {"talk": {"targets": ["anthropic/claude-sonnet-4-5"]}},
                "keys": [{"name": "team", "hash": HASH}],
            }
        }
    )
    plan = plan_from_manifest(documents, "costspan", tmp_path, secrets={"anthropic-api-key": "canary-1"})
    loaded = load(plan.files["/etc/costspan"] / "gateway.yaml", plan.env)

    assert loaded.warnings == ()
    assert (list(loaded.config.providers), list(loaded.config.routes)) == (["anthropic"], ["talk"])


def test_a_rotated_secret_is_read_at_the_next_load(tmp_path: Path) -> None:
    plan = plan_from_manifest(render(), "costspan", tmp_path, secrets=SECRETS)
    plan.update("/run/secrets/costspan", {"openai-api-key": "canary-2"})
    loaded = load(plan.files["/etc/costspan"] / "gateway.yaml", plan.env)

    assert loaded.config.providers["openai"].api_keys[0].reveal() == "canary-2"


def test_a_pod_whose_secret_lacks_a_key_says_which_file_is_missing(tmp_path: Path) -> None:
    plan = plan_from_manifest(render(), "costspan", tmp_path, secrets={"client-key-hash": HASH})

    with pytest.raises(ConfigError, match=r"providers\.openai\.api_key"):
        load(plan.files["/etc/costspan"] / "gateway.yaml", plan.env)


def test_compose_works_without_a_providers_key() -> None:
    loaded = load(ROOT / "deploy" / "compose" / "gateway.yaml", {"COSTSPAN_CLIENT_KEY_HASH": HASH})

    assert loaded.warnings == ()
    assert list(loaded.config.providers) == ["demo"]


def test_compose_without_a_client_key_does_not_start() -> None:
    with pytest.raises(ConfigError, match="COSTSPAN_CLIENT_KEY_HASH is not set"):
        load(ROOT / "deploy" / "compose" / "gateway.yaml", {})
