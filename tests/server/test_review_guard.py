"""Listeners for both families of addresses, and what a browser asks before it sends."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from costspan.cli.serve import build
from costspan.cli.source import Source
from costspan.server import guard
from fakes.gateway import running
from fakes.raw import send

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CONFIG = """
providers: {one: {kind: openai, base_url: "http://127.0.0.1:9/v1", api_key: test-key-one}}
routes: {chat: one/m}
"""
PAGE = "https://app.example"


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[str]:
    """Of a gateway that listens on `[::]`."""
    if not has_ipv6():
        pytest.skip("no IPv6 here")
    (tmp_path / "gateway.yaml").write_text(f"server: {{auth: none}}\nledger: {{dir: null}}\n{CONFIG}")
    async with build(Source(tmp_path / "gateway.yaml"), listen="[::]:0") as gateway:
        yield gateway.url.rpartition(":")[2]


HOSTS = {
    "the address that was called": ("127.0.0.2", 200),  # only the connection's own address lets it pass
    "another": ("127.0.0.3", 403),
}


@pytest.mark.parametrize(("host", "status"), HOSTS.values(), ids=HOSTS.keys())
async def test_on_a_listener_for_both_families_an_ipv4_client_may_name_the_address(
    port: str, host: str, status: int
) -> None:
    data = f"GET /v1/models HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()

    assert (await send(f"http://127.0.0.2:{port}", data)).status == status


async def test_on_a_listener_for_both_families_metrics_are_guarded_from_the_browser(port: str) -> None:
    data = b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n"

    assert (await send(f"http://127.0.0.1:{port}", data)).status == 403


LOOPBACK = {
    "::ffff:127.0.0.1": True,
    "[::ffff:127.0.0.1]": True,
    "::ffff:7f00:1": True,
    "::1": True,
    "127.9.9.9": True,
    "unix:/run/x": True,
    "::ffff:192.0.2.2": False,
    "::": False,
    "192.0.2.2": False,
    "gateway.example": False,
}


@pytest.mark.parametrize(("address", "expected"), LOOPBACK.items(), ids=LOOPBACK.keys())
def test_which_addresses_are_this_machine_only(address: str, expected: bool) -> None:
    assert guard.is_loopback(address) is expected


PREFLIGHTS = {
    "what the SDK for OpenAI sends": (
        "authorization,content-type,x-stainless-arch,x-stainless-retry-count,openai-organization",
        "authorization, content-type, x-stainless-arch, x-stainless-retry-count, openai-organization",
    ),
    "what the SDK for Anthropic sends": (
        "anthropic-dangerous-direct-browser-access,anthropic-version,content-type,x-api-key,x-stainless-os",
        "anthropic-dangerous-direct-browser-access, anthropic-version, content-type, x-api-key, x-stainless-os",
    ),
    "ours": (
        "X-Costspan-Tags, x-costspan-route,traceparent , tracestate,baggage,x-request-id",
        "x-costspan-tags, x-costspan-route, traceparent, tracestate, baggage, x-request-id",
    ),
    "an attribution header of the configuration": ("X-Team", "x-team"),
    "some that are not": ("x-evil, cookie, content-type, x-forwarded-for", "content-type"),
    "none that is": ("x-evil", None),
    "no pattern is a name": ("*, x-stainless-*, x-costspan-", None),
    "nonsense": (",,x-stainless-a b,x-costspan-<i>,", None),
    "twice": ("x-api-key, X-API-Key", "x-api-key"),
}


@pytest.mark.parametrize(("asked", "allowed"), PREFLIGHTS.values(), ids=PREFLIGHTS.keys())
async def test_a_preflight_names_the_headers_that_may_be_sent(tmp_path: Path, asked: str, allowed: str | None) -> None:
    config = CONFIG + "attribution: {attributes: [team], headers: {X-Team: team}}\n"
    async with running(tmp_path, config, more=f", allowed_origins: ['{PAGE}']") as gateway:
        reply = await send(
            gateway.url,
            (
                f"OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: {PAGE}\r\n"
                f"Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: {asked}\r\n\r\n"
            ).encode(),
        )

    assert reply.status == 204
    assert reply.headers.get("access-control-allow-headers") == allowed
    assert reply.headers["access-control-allow-origin"] == PAGE


async def test_a_preflight_without_headers_gets_none(tmp_path: Path) -> None:
    async with running(tmp_path, CONFIG, more=f", allowed_origins: ['{PAGE}']") as gateway:
        reply = await send(
            gateway.url, f"OPTIONS /v1/models HTTP/1.1\r\nHost: localhost\r\nOrigin: {PAGE}\r\n\r\n".encode()
        )

    assert "access-control-allow-headers" not in reply.headers
    assert reply.headers["access-control-allow-methods"] == "GET, POST"
