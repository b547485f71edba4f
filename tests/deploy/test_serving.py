"""The rendered sidecar at work: started as its manifest says, it serves, reloads on SIGHUP and drains on SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import aiohttp
import pytest

from deploy.manifests import KUBERNETES, one, read, render, vendored_example
from deploy.sidecar import plan_from_manifest
from deploy.test_process import SECRETS, free_ports, logged, started
from fakes.upstream import FakeUpstream
from fakes.upstream_answers import openai_reply, openai_stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deploy.manifests import Documents

SOURCES: dict[str, Callable[[Path], Documents]] = {
    "manifest": lambda _: read((KUBERNETES / "sidecar.yaml").read_text()),
    "chart": lambda folder: render(vendored_example(folder)),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
async def test_a_sidecar_serves_reloads_and_drains(source: Callable[[Path], Documents], tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with FakeUpstream([openai_reply(), openai_stream(("Hel", gate, "lo"))]) as upstream:
        docs = source(tmp_path)
        data = one(docs, "ConfigMap")["data"]
        data["gateway.yaml"] = served_by(upstream.url, data["gateway.yaml"])
        ports = free_ports(8080, 9464)
        plan = plan_from_manifest(docs, "costspan", tmp_path, ports=ports, secrets=SECRETS)
        url = f"http://127.0.0.1:{ports[8080]}/v1/chat/completions"
        body = {"model": "smart", "messages": [{"role": "user", "content": "hi"}]}
        async with started(plan, tmp_path) as process, aiohttp.ClientSession() as client:
            await logged(process, f"listening on 127.0.0.1:{ports[8080]}")
            async with client.post(url, json=body) as response:
                assert (response.status, response.headers["x-costspan-target"]) == (200, "openai/gpt-5.4-mini")

            plan.update("/etc/costspan", {"gateway.yaml": data["gateway.yaml"].replace("gpt-5.4-mini", "gpt-5")})
            process.send_signal(signal.SIGHUP)
            await logged(process, "configuration reloaded, generation 2")
            async with client.post(url, json={**body, "stream": True}) as response:
                assert response.headers["x-costspan-target"] == "openai/gpt-5"
                await response.content.readany()
                process.send_signal(signal.SIGTERM)
                await logged(process, "shutting down")
                async with client.get(f"http://127.0.0.1:{ports[9464]}/readyz") as ready:
                    assert ready.status == 503
                gate.set()
                assert (await response.read()).endswith(b"data: [DONE]\n\n")
            async with asyncio.timeout(20):
                assert await process.wait() == 0

    assert upstream.requests[0].header("authorization") == "Bearer canary-1"


def served_by(url: str, config: str) -> str:
    """The configuration with the provider at `url`."""
    (line,) = (line for line in config.splitlines() if "api_key: file:" in line)
    before = line[: len(line) - len(line.lstrip())]
    return config.replace(line, f'{before}base_url: "{url}/v1"\n{line}')
