"""A pod's life, with the real process started exactly as the manifest says: probes, an update, the end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from typing import TYPE_CHECKING

import aiohttp
import pytest

from deploy.manifests import KUBERNETES, config_of, one, read, render
from deploy.sidecar import LaunchPlan, plan_from_manifest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from pathlib import Path

    from deploy.manifests import Documents

SECRETS = {"openai-api-key": "canary-1", "client-key-hash": "sha256:" + "0" * 64}
FLAGS = ("-I", "-B", "-u", "-X", "utf8", "-m", "costspan")
"""As in the image's ENTRYPOINT."""

SOURCES: dict[str, Callable[[], Documents]] = {
    "manifest sidecar": lambda: read((KUBERNETES / "sidecar.yaml").read_text()),
    "manifest standalone": lambda: read((KUBERNETES / "standalone.yaml").read_text()),
    "chart": render,
}


def free_ports(*ports: int) -> dict[int, int]:
    with contextlib.ExitStack() as stack:
        sockets = {port: stack.enter_context(socket.create_server(("127.0.0.1", 0))) for port in ports}
        return {port: taken.getsockname()[1] for port, taken in sockets.items()}


@contextlib.asynccontextmanager
async def started(plan: LaunchPlan, folder: Path) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, *FLAGS, *plan.args, env=dict(plan.env), cwd=folder, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def logged(process: asyncio.subprocess.Process, text: str) -> None:
    """Wait for a log line that holds `text`. What came before is gone."""
    assert process.stderr is not None
    async with asyncio.timeout(20):
        seen = ""
        while text not in seen:
            line = (await process.stderr.readline()).decode()
            assert line, f"ended without {text!r}"
            seen = line


@pytest.fixture
async def kubelet() -> AsyncIterator[aiohttp.ClientSession]:
    """Calls like the kubelet: by the pod's address, in the Host header too."""
    async with aiohttp.ClientSession(headers={"Host": "10.1.2.3:9464"}) as session:
        yield session


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
async def test_a_pod_starts_follows_its_configmap_and_ends(
    source: Callable[[], Documents], tmp_path: Path, kubelet: aiohttp.ClientSession
) -> None:
    docs = source()
    ports = free_ports(8080, 9464)
    plan = plan_from_manifest(docs, "costspan", tmp_path, ports=ports, secrets=SECRETS)
    async with started(plan, tmp_path) as process:
        await logged(process, f"listening on {config_of(docs)['server']['listen'].replace('8080', str(ports[8080]))}")
        for probe in plan.probes.values():
            async with kubelet.get(f"http://127.0.0.1:{probe.port}{probe.path}") as answer:
                assert answer.status == 200

        text: str = one(docs, "ConfigMap")["data"]["gateway.yaml"]
        plan.update("/etc/costspan", {"gateway.yaml": text.replace("gpt-5.4-mini", "gpt-5")})
        await logged(process, "configuration reloaded, generation 2")

        process.terminate()
        async with asyncio.timeout(20):
            assert await process.wait() == 0


async def test_a_pod_without_its_secret_says_so_and_ends(tmp_path: Path) -> None:
    plan = plan_from_manifest(render(), "costspan", tmp_path, secrets={"client-key-hash": SECRETS["client-key-hash"]})
    async with started(plan, tmp_path) as process, asyncio.timeout(20):
        _, errors = await process.communicate()

    assert process.returncode == 78
    assert b"providers.openai.api_key" in errors


async def test_a_reachable_listener_without_keys_does_not_start(tmp_path: Path) -> None:
    docs = read((KUBERNETES / "sidecar.yaml").read_text())
    config = one(docs, "ConfigMap")["data"]
    config["gateway.yaml"] = config["gateway.yaml"].replace("127.0.0.1:8080", "0.0.0.0:8080")
    plan = plan_from_manifest(docs, "costspan", tmp_path, ports=free_ports(8080, 9464), secrets=SECRETS)
    async with started(plan, tmp_path) as process, asyncio.timeout(20):
        _, errors = await process.communicate()

    assert process.returncode == 78
    assert b"keys" in errors
