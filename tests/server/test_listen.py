"""Addresses are taken before anything else, and given back."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import aiohttp
import pytest

from costspan.cli.serve import build
from costspan.cli.source import Source
from fakes.gateway import running

if TYPE_CHECKING:
    from pathlib import Path

MOCK = "providers: {demo: {kind: mock}}\nroutes: {chat: demo/m}"


async def test_a_unix_socket_serves_and_is_removed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    (tmp_path / "gateway.yaml").write_text(f"server: {{listen: 'unix:{path}'}}\nledger: {{dir: null}}\n{MOCK}")
    async with build(Source(tmp_path / "gateway.yaml"), listen=None) as gateway:
        assert gateway.addresses() == [f"unix:{path}"]
        assert path.stat().st_mode & 0o777 == 0o600
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as client,
            client.get("http://localhost/v1/models") as response,
        ):
            assert response.status == 200

    assert not path.exists()


async def test_a_unix_socket_that_somebody_answers_on_is_not_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    (tmp_path / "gateway.yaml").write_text(f"server: {{listen: 'unix:{path}'}}\nledger: {{dir: null}}\n{MOCK}")
    async with build(Source(tmp_path / "gateway.yaml"), listen=None):
        with pytest.raises(OSError, match="in use"):
            await build(Source(tmp_path / "gateway.yaml"), listen=None).start()

        assert path.exists()


async def test_a_unix_socket_that_nobody_answers_on_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    (tmp_path / "gateway.yaml").write_text(f"server: {{listen: 'unix:{path}'}}\nledger: {{dir: null}}\n{MOCK}")
    async with build(Source(tmp_path / "gateway.yaml"), listen=None) as gateway:
        assert gateway.state.ready


async def test_a_port_in_use_leaves_no_trace_in_the_ledger(tmp_path: Path) -> None:
    async with running(tmp_path, MOCK) as gateway:
        other = tmp_path / "other"
        other.mkdir()
        (other / "gateway.yaml").write_text(f"ledger: {{dir: {other}/ledger}}\n{MOCK}")
        second = build(Source(other / "gateway.yaml"), listen=gateway.url.removeprefix("http://"))
        with pytest.raises(OSError, match="in use"):
            await second.start()
        await second.stop(grace=0)

    assert not (other / "ledger").exists()
    assert second.wanted == gateway.url.removeprefix("http://")


async def test_a_route_without_a_usable_target_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As while a kind is in the table and its dialect is not written yet."""
    monkeypatch.setattr("costspan.accounts.METERED", {})
    routes = "routes: {lost: gemini/gemini-2.5-flash, nested: {targets: [{route: lost}]}}"
    config = f"providers: {{gemini: {{api_key: '${{HOME}}'}}}}\n{routes}"
    async with running(tmp_path, config) as gateway:
        warnings = gateway.gateway.live.current.warnings

    assert any(warning.startswith("routes.lost: no usable target") for warning in warnings)
    assert any(warning.startswith("routes.nested: no usable target") for warning in warnings)
