"""What may be served to whom: the matrix of listen address, keys and auth, on the real process (T-08)."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from costspan.cli.serve import build
from costspan.cli.source import Source
from costspan.errors import ConfigError
from fakes.process import GatewayProcess
from security.keys import KEYS

if TYPE_CHECKING:
    from pathlib import Path

PROVIDER = 'providers: {p: {kind: openai, base_url: "http://127.0.0.1:9/v1", api_key: "${UPSTREAM_KEY}"}}\n'
ENVIRON = {"UPSTREAM_KEY": "test-key"}
REFUSAL = "there are no client keys: add keys (`costspan key new NAME`), listen on 127.0.0.1, or say server.auth: none"
WARNING = "server.auth is none: anyone who can reach"

# listen address (from the file), option, keys, auth -> does it start, and what it must say
MATRIX: dict[str, tuple[str, str | None, bool, str, bool, str]] = {
    "loopback": ("127.0.0.1:0", None, False, "keys", True, ""),
    "loopback with keys": ("127.0.0.1:0", None, True, "keys", True, ""),
    "loopback, nobody asked": ("127.0.0.1:0", None, False, "none", True, ""),
    "loopback, version 6": ("[::1]:0", None, False, "keys", True, ""),
    "the network": ("0.0.0.0:0", None, False, "keys", False, REFUSAL),
    "the network, version 6": ("[::]:0", None, False, "keys", False, REFUSAL),
    "the network with keys": ("0.0.0.0:0", None, True, "keys", True, ""),
    "the network, nobody asked": ("0.0.0.0:0", None, False, "none", True, WARNING),
    "the network by option": ("127.0.0.1:0", "0.0.0.0:0", False, "keys", False, REFUSAL),
    "loopback by option": ("0.0.0.0:0", "127.0.0.1:0", False, "keys", True, ""),
    "a mapped address": ("[::ffff:0.0.0.0]:0", None, False, "keys", False, REFUSAL),
    "another address of ours": ("192.0.2.1:0", None, False, "keys", False, REFUSAL),
}


async def _answers_with_401(url: str) -> bool:
    reader, writer = await asyncio.open_connection(
        *url.removeprefix("http://").replace("0.0.0.0", "127.0.0.1").split(":")
    )
    writer.write(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.startswith(b"HTTP/1.1 401 ")


def write(folder: Path, listen: str, *, keys: bool, auth: str = "keys") -> Path:
    config = folder / "gateway.yaml"
    config.write_text(f"server: {{listen: '{listen}', auth: {auth}}}\n{PROVIDER}{KEYS if keys else ''}")
    return config


@pytest.mark.parametrize(("listen", "option", "keys", "auth", "starts", "says"), MATRIX.values(), ids=MATRIX.keys())
def test_who_may_be_served_without_keys(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    listen: str,
    option: str | None,
    keys: bool,
    auth: str,
    starts: bool,
    says: str,
) -> None:
    monkeypatch.setenv("UPSTREAM_KEY", "test-key")
    source = Source(write(tmp_path, listen, keys=keys, auth=auth))
    said = ""
    try:
        build(source, listen=option)
    except ConfigError as error:
        said = str(error)

    assert (said == "") is starts
    said += caplog.text
    assert says in said
    assert (REFUSAL in said, WARNING in said) == (says == REFUSAL, says == WARNING)


async def test_the_network_without_keys_ends_the_process_with_the_reason(tmp_path: Path) -> None:
    config = write(tmp_path, "127.0.0.1:0", keys=False)
    arguments = ["serve", "-c", str(config), "--listen", "0.0.0.0:0"]
    async with GatewayProcess(arguments, cwd=tmp_path, environ=ENVIRON, listeners=0) as gateway:
        assert await gateway.exit_code() == 78
    said = b"".join(gateway.lines).decode()

    assert f"0.0.0.0:0 can be reached from other machines and {REFUSAL}" in said
    assert "Traceback" not in said


async def test_a_reload_may_not_open_what_was_closed(tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    config.write_text(f"server: {{listen: '0.0.0.0:0'}}\n{PROVIDER}{KEYS}")
    async with GatewayProcess(["serve", "-c", str(config)], cwd=tmp_path, environ=ENVIRON) as gateway:
        config.write_text(f"server: {{listen: '0.0.0.0:0'}}\n{PROVIDER}")
        gateway.send(signal.SIGHUP)
        await gateway.says(b"not reloaded")

        assert await _answers_with_401(gateway.url)
