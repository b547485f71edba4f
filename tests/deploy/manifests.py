"""Renders the chart with the Helm of the development environment and reads what Kubernetes would be given."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "costspan"
EXAMPLE = CHART / "examples" / "app"
EXAMPLE_VALUES = CHART / "examples" / "values-openai.yaml"
KUBERNETES = ROOT / "deploy" / "kubernetes"
HELM = Path(sys.executable).parent / "helm"
KUBERNETES_VERSION = "1.37"

Document = dict[str, Any]
Documents = list[Document]


class HelmFailed(Exception):
    """Helm refused; the message is what it told the user."""


@functools.cache
def helm(*arguments: str | Path, values: str | None = None) -> str:
    """Run Helm without network or cluster, `values` as YAML on its input, and return its output."""
    done = subprocess.run(
        [HELM, *arguments, *(("--values", "-") if values is not None else ())],
        input=values or "",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if done.returncode:
        raise HelmFailed(done.stderr + done.stdout)
    return done.stdout


def render(chart: Path = CHART, values: Document | None = None) -> Documents:
    """Return the documents of one release named `demo` in namespace `shop`.

    The chart of costspan gets its example values below `values`, as with two `-f`; another chart has its own.
    """
    return _template(chart, values or {}, *(("--values", EXAMPLE_VALUES) if chart == CHART else ()))


def render_only(values: Document) -> Documents:
    """Return the documents of a user who brings all values and none of the example's."""
    return _template(CHART, values)


def _template(chart: Path, values: Document, *options: str | Path) -> Documents:
    return read(helm("template", "demo", chart, "--namespace", "shop", *options, values=yaml.safe_dump(values)))


def read(text: str) -> Documents:
    """Return the documents of a manifest, without the empty ones."""
    return [document for document in yaml.safe_load_all(text) if document]


def vendored_example(folder: Path) -> Path:
    """Copy the example chart with its dependency in place, as `helm dependency update` would leave it."""
    app = folder / "app"
    shutil.copytree(EXAMPLE, app)
    shutil.copytree(CHART, app / "charts" / "costspan", ignore=shutil.ignore_patterns("examples"))
    return app


def validate(documents: Documents) -> None:
    """Check every document against the API's schema: unknown fields are errors."""
    for document in documents:
        kubernetes_validate.validate(document, KUBERNETES_VERSION, strict=True)


def one(documents: Documents, kind: str) -> Document:
    """Return the only document of a kind."""
    (document,) = (document for document in documents if document["kind"] == kind)
    return document


def pod_of(documents: Documents) -> Document:
    """Return the pod template's specification."""
    pod: Document = one(documents, "Deployment")["spec"]["template"]["spec"]
    return pod


def gateway_of(documents: Documents) -> Document:
    """Return costspan's container, wherever it stands in the pod."""
    pod = pod_of(documents)
    (container,) = (
        container for container in pod.get("initContainers", []) + pod["containers"] if container["name"] == "costspan"
    )
    found: Document = container
    return found


def config_of(documents: Documents) -> Document:
    """Return gateway.yaml as plain YAML values."""
    config: Document = yaml.safe_load(one(documents, "ConfigMap")["data"]["gateway.yaml"])
    return config
