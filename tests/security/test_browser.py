"""A page in the developer's browser: DNS rebinding, cross-site requests, simple forms (T-06, T-07)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from costspan.wire import json
from fakes.contract import error_of
from fakes.gateway import running, two_kinds
from fakes.raw import post, send
from fakes.surfaces import ALL, Surface
from fakes.upstream import FakeUpstream
from fakes.upstream_answers import openai_reply, openai_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.gateway import Running

BODY = json.dumps({"model": "chat", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]})
PAGE = "https://app.example"


@pytest.fixture
async def up() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream(lambda _: openai_reply()) as upstream:
        yield upstream


@pytest.fixture
async def gateway(tmp_path: Path, up: FakeUpstream) -> AsyncIterator[Running]:
    more = f", allowed_hosts: [gateway.example, 'other.example:8443'], allowed_origins: ['{PAGE}']"
    async with running(tmp_path, two_kinds(up.url, up.url), more=more) as running_gateway:
        yield running_gateway


def request(method: str, host: str, **headers: str) -> bytes:
    path = "/v1/models" if method == "GET" else "/v1/chat/completions"
    named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    body = BODY if method == "POST" else b""
    kind = "" if "content_type" in headers or method == "GET" else "content-type: application/json\r\n"
    return (
        f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{named}{kind}Content-Length: {len(body)}\r\n\r\n".encode() + body
    )


GOOD_HOSTS = [
    "localhost:8080",
    "127.0.0.1",
    "[::1]:80",
    "gateway.example",
    "GATEWAY.example:9999",
    "other.example:8443",
]
BAD_HOSTS = ["evil.example", "0.0.0.0:8080", "sub.gateway.example", "gateway.example.evil", "other.example", "127.1"]
GOOD_ORIGINS = [None, PAGE]
BAD_ORIGINS = [
    *("https://evil.example", "null", "", "http://localhost:3000", "http://127.0.0.1:8080", f"{PAGE}.evil"),
    *(f"{PAGE}:8443", "http://app.example", f"{PAGE}/", f"{PAGE} https://evil.example", "file://", "*"),
]
METHODS = ["GET", "POST", "OPTIONS"]


@pytest.mark.parametrize("method", METHODS)
async def test_which_hosts_and_origins_pass(gateway: Running, up: FakeUpstream, method: str) -> None:
    for host in [*GOOD_HOSTS, *BAD_HOSTS]:
        for origin in [*GOOD_ORIGINS, *BAD_ORIGINS]:
            reply = await send(gateway.url, request(method, host, **({} if origin is None else {"Origin": origin})))
            where = f"{host} {origin}"

            if host in GOOD_HOSTS and origin in GOOD_ORIGINS:
                assert reply.status in {200, 204}, where
                assert reply.headers.get("access-control-allow-origin") == origin, where
                assert "access-control-allow-credentials" not in reply.headers
                continue
            code = "host_not_allowed" if host in BAD_HOSTS else "origin_not_allowed"
            assert (reply.status, error_of(reply)["code"]) == (403, code), where
    passed = len(GOOD_HOSTS) * len(GOOD_ORIGINS)
    assert len(up.requests) == (passed if method == "POST" else 0)


ANSWERS: dict[str, tuple[bytes, bytes, int]] = {
    "an unknown model": (b'"chat"', b'"nope"', 404),
    "an unknown path": (b"/v1/chat/completions", b"/v1/chat/nothing-there", 404),
    "a wrong method": (b"POST", b"PUT", 405),
    "a whole answer": (b"", b"", 200),
}


@pytest.mark.parametrize(("old", "new", "status"), ANSWERS.values(), ids=ANSWERS.keys())
async def test_an_allowed_page_may_read_every_answer(gateway: Running, old: bytes, new: bytes, status: int) -> None:
    reply = await send(gateway.url, request("POST", "localhost", Origin=PAGE).replace(old, new))

    assert reply.status == status
    assert reply.headers["access-control-allow-origin"] == PAGE


async def test_an_allowed_page_may_read_a_stream(tmp_path: Path) -> None:
    async with (
        FakeUpstream(openai_stream()) as up,
        running(tmp_path, two_kinds(up.url, up.url), more=f", allowed_origins: ['{PAGE}']") as gateway,
    ):
        body = BODY.replace(b"{", b'{"stream":true,', 1)
        data = request("POST", "localhost", Origin=PAGE).replace(b"Length: %d" % len(BODY), b"Length: %d" % len(body))
        reply = await send(gateway.url, data.replace(BODY, body))

    assert (reply.status, reply.body[-8:]) == (200, b"[DONE]\n\n")
    assert reply.headers["access-control-allow-origin"] == PAGE


@pytest.mark.parametrize(
    ("site", "passes"), [("cross-site", False), ("same-origin", True), ("same-site", True), ("none", True)]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_request_that_the_browser_calls_cross_site_is_refused(
    gateway: Running, up: FakeUpstream, method: str, site: str, passes: bool
) -> None:
    reply = await send(gateway.url, request(method, "localhost", Sec_Fetch_Site=site))

    assert (reply.status == 200) is passes
    if not passes:
        assert (reply.status, error_of(reply)["code"]) == (403, "origin_not_allowed")
        assert up.requests == []


RAW = Surface("a provider's own path", "/providers/one/v1/files", "openai")


@pytest.mark.parametrize(
    "headers", ["Origin: https://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n"]
)
async def test_no_path_is_for_a_page_of_another_site(gateway: Running, up: FakeUpstream, headers: str) -> None:
    for surface in (*ALL, RAW):
        reply = await send(gateway.url, post(surface.asked(), path=surface.at(), headers=headers))

        error = error_of(reply, surface.shape)
        assert (surface.name, reply.status, error["code"]) == (surface.name, 403, "origin_not_allowed")
    for method in ("GET", "DELETE", "PUT"):
        data = f"{method} {RAW.path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode()
        assert (await send(gateway.url, data)).status == 403
    assert up.connections == 0


SIMPLE = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain; a=application/json",
]


@pytest.mark.parametrize("kind", SIMPLE)
async def test_what_a_page_may_send_without_asking_is_no_json(gateway: Running, up: FakeUpstream, kind: str) -> None:
    reply = await send(gateway.url, request("POST", "localhost", content_type=kind))

    assert (reply.status, error_of(reply)["code"]) == (415, "unsupported_media_type")
    assert up.connections == 0


async def test_a_preflight_of_another_page_gets_no_permission(gateway: Running) -> None:
    asks = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type"}
    refused = await send(gateway.url, request("OPTIONS", "localhost", Origin="https://evil.example", **asks))
    granted = await send(gateway.url, request("OPTIONS", "localhost", Origin=PAGE, **asks))

    assert refused.status == 403
    assert not [name for name in refused.headers if name.startswith("access-control")]
    assert granted.status == 204
    assert granted.headers["access-control-allow-origin"] == PAGE


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/readyz", 200), ("/metrics", 403)])
async def test_a_rebound_name_learns_no_more_than_that_we_live(gateway: Running, path: str, status: int) -> None:
    reply = await send(gateway.url, f"GET {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n".encode())

    assert reply.status == status
    assert (await send(gateway.url, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())).status == 200
