"""The gateway as a process: killed, restarted, reloaded, drained, refused."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from costspan.wire import json
from fakes.gateway import PRICES
from fakes.process import GatewayProcess
from fakes.upstream import FakeUpstream
from fakes.upstream_answers import openai_reply, openai_stream

if TYPE_CHECKING:
    from pathlib import Path

BODY = {"model": "chat", "messages": [{"role": "user", "content": "hi"}]}


def write_config(folder: Path, url: str, *, more: str = "", model: str = "m") -> Path:
    path = folder / "gateway.yaml"
    path.write_text(
        f"server: {{listen: '127.0.0.1:0', shutdown_grace: 5s}}\nledger: {{dir: {folder}/ledger}}\n"
        f'providers: {{p: {{kind: openai, base_url: "{url}/v1", api_key: test-key}}}}\n'
        f"routes: {{chat: p/{model}}}\n{PRICES}\n{more}"
    )
    return path


def records(folder: Path, kind: str) -> list[dict[str, Any]]:
    lines = [line for file in sorted((folder / "ledger").glob("*.jsonl")) for line in file.read_bytes().splitlines()]
    return [record for line in lines if (record := json.loads_object(line))["type"] == kind]


async def test_a_kill_in_the_middle_of_a_stream_leaves_no_attempt_without_an_end(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with FakeUpstream(openai_stream(("Hel", gate, "lo"))) as up, aiohttp.ClientSession() as client:
        config = write_config(tmp_path, up.url)
        async with (
            GatewayProcess(["serve", "-c", str(config)], cwd=tmp_path) as gateway,
            client.post(f"{gateway.url}/v1/chat/completions", json={**BODY, "stream": True}) as response,
        ):
            await response.content.readany()
            gateway.send(signal.SIGKILL)
            with pytest.raises(aiohttp.ClientError):
                await response.read()
        assert records(tmp_path, "attempt") == []
        (started,) = records(tmp_path, "attempt_started")

        async with GatewayProcess(["serve", "-c", str(config)], cwd=tmp_path):
            (attempt,) = records(tmp_path, "attempt")
            (exchange,) = records(tmp_path, "exchange")

    assert attempt["id"] == started["id"]
    assert (attempt["outcome"], attempt["cost_status"]) == ("recovered", "estimated")
    assert attempt["cost_estimated_usd"] == started["estimate_usd"] is not None
    assert exchange["id"] == started["exchange_id"]
    assert exchange["cost_estimated_usd"] == attempt["cost_estimated_usd"]


async def test_hangup_reloads_and_a_stream_under_way_keeps_its_snapshot(tmp_path: Path) -> None:
    gate = asyncio.Event()
    answers = [openai_stream(("Hel", gate, "lo")), openai_reply()]
    async with FakeUpstream(answers) as up, aiohttp.ClientSession() as client:
        config = write_config(tmp_path, up.url)
        async with GatewayProcess(["serve", "-c", str(config)], cwd=tmp_path) as gateway:
            url = f"{gateway.url}/v1/chat/completions"
            async with client.post(url, json={**BODY, "stream": True}) as response:
                await response.content.readany()
                write_config(tmp_path, up.url, model="m2")
                gateway.send(signal.SIGHUP)
                await gateway.says(b"configuration reloaded, generation 2")
                async with client.post(url, json=BODY) as second:
                    assert second.headers["x-costspan-target"] == "p/m2"
                gate.set()
                assert (await response.read()).endswith(b"data: [DONE]\n\n")
            generations = {r["model_requested"]: r["config_generation"] for r in records(tmp_path, "attempt")}

    assert generations == {"m": 1, "m2": 2}


async def test_a_bad_reload_changes_nothing_and_names_the_line(tmp_path: Path) -> None:
    async with FakeUpstream(lambda _: openai_reply()) as up, aiohttp.ClientSession() as client:
        config = write_config(tmp_path, up.url)
        async with GatewayProcess(["serve", "-c", str(config)], cwd=tmp_path) as gateway:
            config.write_text(config.read_text() + "\nruotes: {}\n")
            gateway.send(signal.SIGHUP)
            await gateway.says(b"not reloaded")
            async with client.post(f"{gateway.url}/v1/chat/completions", json=BODY) as response:
                assert response.status == 200
            async with client.get(f"{gateway.url}/metrics") as metrics:
                text = await metrics.text()

    last = next(line for line in gateway.lines if b"not reloaded" in line)
    assert b"gateway.yaml:" in last
    assert b"ruotes" in last
    assert b"routes?" in last
    assert "costspan_config_reload_success 0" in text.replace("{}", "")


async def test_watch_reloads_when_the_file_changes(tmp_path: Path) -> None:
    async with FakeUpstream(lambda _: openai_reply()) as up:
        config = write_config(tmp_path, up.url)
        async with GatewayProcess(["serve", "-c", str(config), "--watch"], cwd=tmp_path) as gateway:
            write_config(tmp_path, up.url, model="m2")
            await gateway.says(b"configuration reloaded, generation 2")


async def refuses_or_unready(url: str) -> bool:
    """New connections are refused, or, for the moment before the listener is closed, told to go elsewhere."""
    try:
        async with aiohttp.ClientSession() as client, client.get(f"{url}/readyz") as response:
            return response.status == 503
    except aiohttp.ClientConnectorError:
        return True


async def test_terminate_lets_streams_end_and_refuses_new_work(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with FakeUpstream(openai_stream(("Hel", gate, "lo"))) as up, aiohttp.ClientSession() as client:
        config = write_config(tmp_path, up.url)
        async with GatewayProcess(["serve", "-c", str(config)], cwd=tmp_path) as gateway:
            async with client.post(f"{gateway.url}/v1/chat/completions", json={**BODY, "stream": True}) as response:
                await response.content.readany()
                gateway.send(signal.SIGTERM)
                await gateway.says(b"shutting down")
                assert await refuses_or_unready(gateway.url)
                gate.set()
                assert (await response.read()).endswith(b"data: [DONE]\n\n")
            assert await gateway.exit_code() == 0
        (exchange,) = records(tmp_path, "exchange")

    assert exchange["outcome"] == "ok"


async def test_a_stream_longer_than_the_grace_ends_with_a_typed_error(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with FakeUpstream(openai_stream(("Hel", gate, "lo"))) as up, aiohttp.ClientSession() as client:
        config = write_config(tmp_path, up.url)
        config.write_text(config.read_text().replace("shutdown_grace: 5s", "shutdown_grace: 200ms"))
        async with GatewayProcess(["serve", "-c", str(config)], cwd=tmp_path) as gateway:
            async with client.post(f"{gateway.url}/v1/chat/completions", json={**BODY, "stream": True}) as response:
                await response.content.readany()
                gateway.send(signal.SIGTERM)
                rest = await response.read()
            assert await gateway.exit_code() == 0
        gate.set()
        (attempt,) = records(tmp_path, "attempt")

    assert b'"code":"shutting_down"' in rest
    assert b"[DONE]" not in rest
    assert (attempt["outcome"], attempt["cost_status"]) == ("cancelled", "estimated")


REFUSED: dict[str, tuple[str, str]] = {
    "an unknown key": ("ruotes: {}", "routes"),
    "a key twice": ("routes: {}\nroutes: {}", "2:1: duplicate key"),
    "a missing variable": ("providers: {openai: {api_key: '${NO_SUCH_VARIABLE}'}}", "NO_SUCH_VARIABLE"),
    "a cycle": ("routes: {a: {targets: [{route: b}]}, b: {targets: [{route: a}]}}", "cycle"),
    "a price without a rate": ("prices: {table: [{provider: openai, model: x}]}", "prices.table"),
    "an unknown kind": ("providers: {x: {kind: opnai, api_key: '${PATH}'}}", "openai"),
    "the network without keys": ("server: {listen: '0.0.0.0:0'}", "client keys"),
}


@pytest.mark.parametrize(("text", "named"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_bad_configuration_does_not_start(tmp_path: Path, text: str, named: str) -> None:
    config = tmp_path / "gateway.yaml"
    config.write_text(text)
    async with GatewayProcess(["serve", "-c", str(config)], cwd=tmp_path, listeners=0) as gateway:
        assert await gateway.exit_code() == 78
        await gateway.said(lambda: any(named.encode() in line for line in gateway.lines))

    assert not any(b"Traceback" in line for line in gateway.lines)


async def test_a_second_signal_does_not_wait_for_a_collector_that_does_not_answer(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        more = f'telemetry: {{otlp: {{endpoint: "http://127.0.0.1:{silent.getsockname()[1]}"}}}}'
        async with FakeUpstream(lambda _: openai_reply()) as up, aiohttp.ClientSession() as client:
            config = write_config(tmp_path, up.url, more=more)
            async with GatewayProcess(["serve", "-c", str(config)], cwd=tmp_path) as gateway:
                async with client.post(f"{gateway.url}/v1/chat/completions", json=BODY) as response:
                    assert response.status == 200
                gateway.send(signal.SIGTERM)
                await gateway.says(b"shutting down")
                gateway.send(signal.SIGTERM)
                begun = time.monotonic()
                assert await gateway.exit_code() == 0

    assert time.monotonic() - begun < 3  # 5 s and more when the collector is waited for
    assert len(records(tmp_path, "exchange")) == 1


async def test_a_reload_does_not_stop_the_world(tmp_path: Path) -> None:
    async with FakeUpstream(lambda _: openai_reply()) as up, aiohttp.ClientSession() as client:
        config = write_config(tmp_path, up.url)
        async with GatewayProcess(["serve", "-c", str(config)], cwd=tmp_path) as gateway:
            fifo = tmp_path / "key"
            os.mkfifo(fifo)  # a secret that takes its time to be read
            fifo.chmod(0o600)
            text = config.read_text().replace("api_key: test-key", f"api_key: 'file:{fifo}'")
            config.write_text(text)
            gateway.send(signal.SIGHUP)
            async with client.post(f"{gateway.url}/v1/chat/completions", json=BODY) as response:
                assert response.status == 200
