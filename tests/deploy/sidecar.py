"""Starts a container of a manifest as a plain process: its arguments, environment and mounts, in a folder of the test.

What the kubelet would do, done with files: a ConfigMap or Secret is a folder whose entries are links through `..data`
to a generation, swapped in one step (Kubernetes: pkg/volume/util/atomic_writer.go, read 2026-11-23).
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

Document = dict[str, Any]

POD = {"metadata.name": "pod-1", "metadata.namespace": "shop"}
"""What the downward API answers."""

_LISTEN = re.compile(r"^(\s*listen:\s*[\"']?\S*:)(\d+)", re.MULTILINE)
_VARIABLE = re.compile(r"\$\((\w+)\)")


@dataclass(frozen=True, slots=True)
class Probe:
    """One HTTP probe, with the port the process really listens on."""

    path: str
    port: int


@dataclass(frozen=True, slots=True)
class LaunchPlan:
    """A process as the manifest describes it. `python -m costspan` and `args` start it."""

    args: tuple[str, ...]
    env: Mapping[str, str]
    files: Mapping[str, Path]
    """Folder in the test, by mount path in the container."""
    probes: Mapping[str, Probe] = field(default_factory=dict)
    """`startup`, `liveness`, `readiness`."""
    _paths: tuple[tuple[str, str], ...] = ()
    _ports: Mapping[int, int] = field(default_factory=dict)

    def update(self, mount_path: str, contents: Mapping[str, str]) -> None:
        """Do what the kubelet does after `kubectl apply` of a changed ConfigMap or Secret, in one step."""
        folder = self.files[mount_path]
        mode = next((folder / "..data").iterdir()).stat().st_mode & 0o777
        publish(folder, {name: _rewrite(text, self._paths, self._ports) for name, text in contents.items()}, mode)


def plan_from_manifest(
    docs: Sequence[Document],
    container_name: str,
    tmp_path: Path,
    *,
    ports: Mapping[int, int] | None = None,
    secrets: Mapping[str, str] | None = None,
) -> LaunchPlan:
    """Read the plan for one container out of the only pod of `docs`.

    `ports` maps each port of the manifest to the one to listen on, `secrets` holds the values of Secrets that `docs`
    only refers to. Paths in arguments, environment and configuration become paths in `tmp_path`.
    """
    ports = ports or {}
    pod = _pod(docs)
    container = next(c for c in (*pod.get("initContainers", ()), *pod["containers"]) if c["name"] == container_name)
    volumes = {volume["name"]: volume for volume in pod.get("volumes", ())}
    files = {mount["mountPath"]: tmp_path / "mounts" / mount["name"] for mount in container.get("volumeMounts", ())}
    paths = tuple((path, str(files[path])) for path in sorted(files, key=len, reverse=True))
    for mount in container.get("volumeMounts", ()):
        _mount(files[mount["mountPath"]], volumes[mount["name"]], docs, secrets or {}, paths, ports)
    return LaunchPlan(
        args=tuple(_rewrite(argument, paths, ports) for argument in container.get("args", ())),
        env=_environment(container.get("env", ()), docs, secrets or {}, paths, ports),
        files=files,
        probes=dict(_probes(container, ports)),
        _paths=paths,
        _ports=ports,
    )


def publish(folder: Path, contents: Mapping[str, str], mode: int = 0o644) -> None:
    """Write one generation of files and swap it in by renaming the link `..data`."""
    folder.mkdir(parents=True, exist_ok=True)
    generation = folder / f"..generation-{len(list(folder.glob('..generation-*'))) + 1}"
    generation.mkdir()
    for name, text in contents.items():
        path = generation / name
        path.write_text(text)
        path.chmod(mode)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    link = folder / "..data_tmp"
    link.symlink_to(generation.name)
    link.replace(folder / "..data")
    for old in folder.iterdir():
        if not old.name.startswith("..") and old.name not in contents:
            old.unlink()


def _pod(docs: Sequence[Document]) -> Document:
    for doc in docs:
        if doc["kind"] == "Pod":
            return dict(doc["spec"])
        if doc["kind"] in {"Deployment", "StatefulSet", "DaemonSet", "Job"}:
            return dict(doc["spec"]["template"]["spec"])
    raise ValueError("no pod in these documents")


def _mount(
    folder: Path,
    volume: Document,
    docs: Sequence[Document],
    secrets: Mapping[str, str],
    paths: Iterable[tuple[str, str]],
    ports: Mapping[int, int],
) -> None:
    match volume:
        case {"configMap": {"name": str(name)}}:
            data = _named(docs, "ConfigMap", name)["data"]
            publish(folder, {key: _rewrite(text, paths, ports) for key, text in data.items()})
        case {"secret": {"secretName": str(name), "defaultMode": int(mode)}}:
            publish(folder, _secret(docs, name, secrets), mode)
        case {"emptyDir": _} | {"persistentVolumeClaim": _}:
            folder.mkdir(parents=True)
        case _:
            raise ValueError(f"volume {volume['name']}: no idea how to mount it")


def _environment(
    entries: Iterable[Document],
    docs: Sequence[Document],
    secrets: Mapping[str, str],
    paths: Sequence[tuple[str, str]],
    ports: Mapping[int, int],
) -> dict[str, str]:
    """Resolve the entries in order; `$(NAME)` means an earlier one."""
    known: dict[str, str] = {}
    for entry in entries:
        match entry:
            case {"value": str(text)}:
                expanded = _VARIABLE.sub(lambda found: known.get(found[1], found[0]), text)
                known[entry["name"]] = _rewrite(expanded, paths, ports)
            case {"valueFrom": {"fieldRef": {"fieldPath": str(path)}}}:
                known[entry["name"]] = POD[path]
            case {"valueFrom": {"secretKeyRef": {"name": str(name), "key": str(key)}}}:
                known[entry["name"]] = _secret(docs, name, secrets)[key]
            case _:
                raise ValueError(f"variable {entry['name']}: no idea what its value is")
    return known


def _probes(container: Document, ports: Mapping[int, int]) -> Iterable[tuple[str, Probe]]:
    named = {port["name"]: port["containerPort"] for port in container.get("ports", ())}
    for kind in ("startup", "liveness", "readiness"):
        if probe := container.get(f"{kind}Probe"):
            port = probe["httpGet"]["port"]
            number = named.get(port, port)
            yield kind, Probe(probe["httpGet"]["path"], ports.get(number, number))


def _secret(docs: Sequence[Document], name: str, given: Mapping[str, str]) -> Mapping[str, str]:
    if given:
        return given
    secret = _named(docs, "Secret", name)
    plain: dict[str, str] = secret.get("stringData", {})
    return {key: base64.b64decode(value).decode() for key, value in secret.get("data", {}).items()} | plain


def _named(docs: Sequence[Document], kind: str, name: str) -> Document:
    for doc in docs:
        if doc["kind"] == kind and doc["metadata"]["name"] == name:
            return doc
    raise ValueError(f"{kind} {name} is not among these documents")


def _rewrite(text: str, paths: Iterable[tuple[str, str]], ports: Mapping[int, int]) -> str:
    for path, folder in paths:
        whole = re.compile(rf"{re.escape(path)}(?=[/\s\"']|$)", re.MULTILINE)
        text = folder.join(whole.split(text))
    return _LISTEN.sub(lambda found: found[1] + str(ports.get(int(found[2]), int(found[2]))), text)
