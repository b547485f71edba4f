"""Probes and metrics, on the main listener or on one of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fakes.contract import error_of
from fakes.gateway import running, two_kinds
from fakes.raw import send

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.site import Site

CONFIG = two_kinds("http://127.0.0.1:9", "http://127.0.0.1:9") + "admin: {listen: '127.0.0.1:0'}\n"


def get(path: str, host: str = "localhost") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_with_a_listener_of_their_own_they_are_only_there(tmp_path: Path, path: str) -> None:
    async with running(tmp_path, CONFIG) as gateway:
        admin, main = gateway.gateway.addresses()
        there = await send(f"http://{admin}", get(path, "10.0.0.7:9464"))
        here = await send(f"http://{main}", get(path))

    assert there.status == 200
    assert (here.status, error_of(here)["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/", "/v1/models", "/config", "/healthz/", "/metrics/x", "/admin/config"])
async def test_that_listener_has_nothing_else(tmp_path: Path, path: str) -> None:
    async with running(tmp_path, CONFIG) as gateway:
        reply = await send(f"http://{gateway.gateway.addresses()[0]}", get(path))

    assert (reply.status, error_of(reply)["code"]) == (404, "not_found")


async def test_readiness_ends_with_the_stop_and_liveness_does_not(site: Site) -> None:
    site.gateway.gateway.state.stopping = True

    assert (await send(site.url, get("/readyz"))).status == 503
    assert (await send(site.url, get("/healthz"))).status == 200


async def test_probes_answer_when_there_is_no_room_for_requests(tmp_path: Path) -> None:
    config = two_kinds("http://127.0.0.1:9", "http://127.0.0.1:9")
    async with running(tmp_path, config, more=", max_in_flight: 1") as gateway:
        with gateway.gateway.state.counted():
            assert (await send(gateway.url, get("/v1/models"))).status == 503
            assert (await send(gateway.url, get("/healthz"))).status == 200
