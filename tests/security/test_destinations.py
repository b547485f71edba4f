"""Where connections go: to what the configuration names, whatever a request or an upstream says (T-01, T-04, T-05)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from costspan.wire import json
from fakes.contract import error_of
from fakes.gateway import running, two_kinds
from fakes.raw import connected, post
from fakes.surfaces import ALL, CHAT
from fakes.upstream import Answer, FakeUpstream
from fakes.upstream_answers import anthropic_reply, openai_reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVIL = "evil.example"
_watching: list[set[object]] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event == "socket.connect":
        _watching[-1].add(arguments[1])
    elif _watching and event == "socket.getaddrinfo":
        _watching[-1].add(arguments[0])


@pytest.fixture(scope="module", autouse=True)
def hook() -> None:
    """Hooks stay for the life of the process; this one is idle unless `connects` is used."""
    sys.addaudithook(_watch)


@pytest.fixture
def connects() -> Iterator[set[object]]:
    """Every address connected to and every name looked up by the process."""
    seen: set[object] = set()
    _watching.append(seen)
    yield seen
    _watching.pop()


def asked(**more: Any) -> bytes:
    return json.dumps({"model": "chat", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **more})


def image(url: str) -> bytes:
    part = {"type": "image_url", "image_url": {"url": url}}
    return asked(messages=[{"role": "user", "content": [part]}])


def document(url: str) -> bytes:
    part = {"type": "document", "source": {"type": "url", "url": url}}
    return asked(messages=[{"role": "user", "content": [part]}])


BODIES: dict[str, bytes] = {
    **{
        f"field {name}": asked(**{name: value})
        for name, value in {
            "api_base": f"http://{EVIL}",
            "base_url": f"http://{EVIL}",
            "extra_headers": {"Host": EVIL},
            "custom_llm_provider": "openai",
            "provider": {"base_url": f"http://{EVIL}", "order": [EVIL]},
            "metadata": {"api_base": f"http://{EVIL}"},
            "extra_body": {"api_base": f"http://{EVIL}"},
            "litellm_params": {"api_base": f"http://{EVIL}"},
            "config": {"custom_host": f"http://{EVIL}"},
            "user_config": {"model_list": [{"litellm_params": {"api_base": f"http://{EVIL}"}}]},
            "webhook": f"http://{EVIL}",
            "tools": [{"type": "mcp", "server_url": f"http://{EVIL}"}],
        }.items()
    },
    **{
        f"model {name}": asked(model=name)
        for name in (
            *(f"http://{EVIL}/v1", f"openai/../{EVIL}", f"one/@{EVIL}", f"one/..%2f..%2f//{EVIL}/x", f"//{EVIL}/gpt"),
            *(f"one/x?a=b#{EVIL}", f"{EVIL}/gpt", f"one\\{EVIL}", "one/x HTTP/1.1"),
        )
    },
    **{
        f"image {url}": image(url)
        for url in (
            f"http://{EVIL}/a.png",
            "http://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
            f"//{EVIL}",
        )
    },
    "document": document(f"http://{EVIL}/a.pdf"),
}
HEADERS = [
    *(
        f"x-costspan-route: http://{EVIL}/v1",
        f"x-portkey-custom-host: http://{EVIL}",
        f"x-litellm-api-base: http://{EVIL}",
    ),
    *(
        f"x-forwarded-host: {EVIL}",
        f"Forwarded: host={EVIL}",
        f"x-real-host: {EVIL}",
        f"x-original-url: http://{EVIL}/",
    ),
    *(f"x-forwarded-server: {EVIL}", f"helicone-target-url: http://{EVIL}", f"openai-organization: {EVIL}"),
    *(f"x-base-url: http://{EVIL}", f"proxy-connection: {EVIL}", f"via: 1.1 {EVIL}", f"referer: http://{EVIL}/"),
]
TARGETS = [
    *(f"http://{EVIL}/v1/chat/completions", f"//{EVIL}/v1/chat/completions", f"/providers/{EVIL}/v1/chat/completions"),
    *(f"/v1/chat/completions?api_base=http://{EVIL}", f"/v1/chat/completions?base_url=http://{EVIL}#@{EVIL}"),
    *(f"/v1/chat/completions/../../{EVIL}", f"/proxy?url=http://{EVIL}", f"/v1/models/http%3A%2F%2F{EVIL}"),
]
NAMES = ["api_base", "base_url", "custom_llm_provider", "extra_headers", "server_url", "endpoint", "baseUrl", "webhook"]
ODD_MODELS = [f"http://{EVIL}/v1", f"one/@{EVIL}", f"one/..%2f..%2f//{EVIL}/x", f"one/x?a=b#{EVIL}", f"//{EVIL}/x"]
RAW = [
    f"/{EVIL}/x",
    f"http://{EVIL}/x",
    f"@{EVIL}/x",
    f"..//{EVIL}",
    f"%2f%2f{EVIL}",
    f"\\\\{EVIL}",
    f":80@{EVIL}:80/x",
]
REDIRECTED = [surface for surface in ALL if surface.kind != "count" and surface.name != "rerank"]


async def test_no_request_can_name_a_destination(tmp_path: Path, connects: set[object]) -> None:
    async with (
        FakeUpstream(lambda _: openai_reply()) as one,
        FakeUpstream(lambda _: anthropic_reply()) as two,
        running(tmp_path, two_kinds(one.url, two.url), heals=True) as gateway,
    ):
        requests = [
            post(body.replace(b'"chat"', model)) for body in BODIES.values() for model in (b'"chat"', b'"claude"')
        ]
        requests += [post(body, path="/v1/messages") for body in BODIES.values()]
        requests += [post(s.asked({name: f"http://{EVIL}"}), path=s.at()) for s in ALL for name in NAMES]
        requests += [post(s.asked(model=model), path=s.at(model)) for s in ALL for model in ODD_MODELS]
        requests += [post(asked(), path=f"/providers/one/{path}") for path in RAW]
        requests += [post(asked(), headers=f"{header}\r\n") for header in HEADERS]
        requests += [post(asked(), path=target) for target in TARGETS]
        requests += [post(asked(), host=EVIL), post(asked(), headers=f"Host: {EVIL}\r\n")]
        statuses = []
        for request in requests:
            async with connected(gateway.url) as connection:
                await connection.write(request)
                statuses.append((await connection.reply()).status)
        ours = int(gateway.url.rpartition(":")[2])
        allowed = {("127.0.0.1", port) for port in (ours, one.port, two.port)} | {"127.0.0.1"}

        assert connects <= allowed, connects - allowed
        assert {("127.0.0.1", one.port), ("127.0.0.1", two.port)} <= connects
        assert set(statuses) <= {200, 400, 403, 404, 405, 502}
        for sent in [*one.requests, *two.requests]:
            assert EVIL not in f"{sent.headers}"
            assert sent.path.startswith("/v1/") or sent.path in {f"/@{EVIL}/x", f"/:80@{EVIL}:80/x"}


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308])
async def test_a_redirect_is_never_followed(tmp_path: Path, connects: set[object], status: int) -> None:
    async with FakeUpstream() as thief:
        location = Answer(status=status, headers=(("location", f"{thief.url}/v1/x"), ("content-type", "text/html")))
        async with (
            FakeUpstream(location) as up,
            running(tmp_path, "defaults: {retries: 0}" + two_kinds(up.url, up.url), heals=True) as gateway,
            connected(gateway.url) as connection,
        ):
            for surface in REDIRECTED:
                for model in ("chat", "claude") if surface in CHAT else ("chat",):
                    for stream in ({"stream": False}, {"stream": True}) if surface in CHAT[:3] else ({},):
                        await connection.write(post(surface.asked(stream, model), path=surface.at(model)))
                        reply = await connection.reply()
                        error = error_of(reply, surface.shape)
                        found = (surface.name, reply.status, error["code"])
                        assert found == (surface.name, 502, "upstream_redirect_blocked")
                        assert "location" not in reply.headers
                        assert str(thief.port).encode() not in reply.raw

        assert thief.connections == 0
        assert ("127.0.0.1", thief.port) not in connects
