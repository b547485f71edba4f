"""Headers pass by list, both ways, and what a client writes into a body becomes no header (T-03, T-11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from costspan.wire import json
from fakes.gateway import running, two_kinds
from fakes.raw import connected, post, send
from fakes.upstream import Answer, FakeUpstream, Request
from fakes.upstream_answers import anthropic_reply, openai_reply, openai_stream

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.site import Site

BODY = json.dumps({"model": "chat", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]})
STREAM = BODY.replace(b"{", b'{"stream":true,', 1)
PRIVATE = [
    *("Cookie: canary=1", "Proxy-Authorization: Basic canary", "X-Forwarded-For: 10.0.0.1", "X-Real-IP: 10.0.0.1"),
    *("Forwarded: for=canary", "Origin: http://canary", "Referer: http://canary", "X-Costspan-Tags: team=canary"),
    *("OpenAI-Organization: canary", "OpenAI-Project: canary", "X-Stainless-OS: canary", "X-Request-Id: canary"),
    *(
        "traceparent: 00-11111111111111111111111111111111-2222222222222222-01",
        "baggage: team=canary",
        "X-Canary: canary",
    ),
    *("Connection: X-Api-Key, keep-alive", "TE: trailers", "Keep-Alive: timeout=5", "Accept-Language: canary"),
]
CLIENTS_OWN = [
    "User-Agent: sdk/1",
    "OpenAI-Beta: assistants=v2",
    "Idempotency-Key: abc",
    "Anthropic-Beta: files-2025-04-14",
]


def lines(headers: list[str]) -> str:
    return "".join(f"{header}\r\n" for header in headers if not header.startswith("Origin"))


@pytest.mark.parametrize("model", ["chat", "claude"])
async def test_an_upstream_sees_only_the_listed_headers(tmp_path: Path, model: str) -> None:
    async with (
        FakeUpstream(lambda _: openai_reply()) as one,
        FakeUpstream(lambda _: anthropic_reply()) as two,
        running(tmp_path, two_kinds(one.url, two.url)) as gateway,
    ):
        data = post(BODY.replace(b'"chat"', b'"%s"' % model.encode()), headers=lines(PRIVATE + CLIENTS_OWN))
        assert (await send(gateway.url, data)).status == 200
        (sent,) = (one if model == "chat" else two).requests

    names = [name.lower() for name, _ in sent.headers]
    assert len(names) == len(set(names))
    assert set(names) <= {
        *(
            "host",
            "connection",
            "content-length",
            "content-type",
            "accept",
            "accept-encoding",
            "user-agent",
            "idempotency-key",
        ),
        *("openai-beta", "anthropic-beta", "anthropic-version", "authorization" if model == "chat" else "x-api-key"),
    }
    assert "canary" not in f"{sent.headers}"
    assert sent.header("user-agent") == "sdk/1"
    assert sent.header("connection") == "keep-alive"


def echo(request: Request, answer: Answer) -> Answer:
    """Every header of the request comes back as one of the answer, as do some of the upstream's own."""
    own = (("set-cookie", "canary=1"), ("x-upstream", "canary"), ("server", "canary/1"), ("location", "http://canary"))
    more = (("strict-transport-security", "canary"), ("x-ratelimit-remaining-requests", "7"), ("retry-after", "3"))
    skipped = {"content-length", "content-type", "host"}
    mirrored = [(name, value) for name, value in request.headers if name.lower() not in skipped]
    again = [(f"x-{name}", value) for name, value in mirrored]
    return Answer(headers=[*answer.headers, *mirrored, *again, *own, *more], body=answer.body, framing=answer.framing)


@pytest.mark.parametrize("body", [BODY, STREAM], ids=["whole", "stream"])
async def test_a_client_sees_only_the_listed_headers(tmp_path: Path, body: bytes) -> None:
    good = openai_stream() if body is STREAM else openai_reply()
    async with (
        FakeUpstream(lambda request: echo(request, good)) as up,
        running(tmp_path, two_kinds(up.url, up.url)) as gateway,
    ):
        reply = await send(gateway.url, post(body, headers="X-Canary: canary\r\nCookie: canary=2\r\n"))

    assert reply.status == 200
    assert set(reply.headers) <= {
        *(
            "content-type",
            "content-length",
            "transfer-encoding",
            "date",
            "server",
            "cache-control",
            "x-accel-buffering",
        ),
        *("x-request-id", "x-costspan-target", "x-costspan-attempts", "x-costspan-cost-usd", "server-timing"),
        *("retry-after", "x-ratelimit-remaining-requests"),
    }
    assert reply.headers["x-ratelimit-remaining-requests"] == "7"
    head = reply.raw.removesuffix(reply.body)
    for leak in (b"canary", b"test-key", b"authorization", b"set-cookie"):
        assert leak not in head.lower()


ODD = {"beyond ASCII": "\x80\xff", "a tab": "a\tb", "long": "9" * 4000, "markup": "<script>"}


@pytest.mark.parametrize("value", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("body", [BODY, STREAM], ids=["whole", "stream"])
async def test_odd_values_of_an_upstreams_headers_do_no_harm(tmp_path: Path, body: bytes, value: str) -> None:
    good = openai_stream() if body is STREAM else openai_reply()
    names = ("x-ratelimit-limit-requests", "request-id", "x-request-id", "openai-version")
    headers = [*good.headers, *((name, value) for name in names)]
    odd = Answer(headers=headers, body=good.body, framing=good.framing)
    async with FakeUpstream(odd) as up, running(tmp_path, two_kinds(up.url, up.url)) as gateway:
        reply = await send(gateway.url, post(body))
        (attempt,) = gateway.records("attempt")

    assert reply.status == 200
    assert attempt["upstream_id"].isascii()
    assert len(attempt["upstream_id"]) <= 128


NAMES = {"a header": "a\r\nx-canary: b", "NUL": "\0", "beyond ASCII": "schlüssel", "a comma": "a,b", "long": "x" * 5000}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
async def test_a_dropped_fields_name_makes_no_header(tmp_path: Path, name: str) -> None:
    async with (
        FakeUpstream(lambda _: anthropic_reply()) as up,
        running(tmp_path, two_kinds(up.url, up.url)) as gateway,
        connected(gateway.url) as connection,
    ):
        body = json.dumps(
            {**json.loads_object(BODY), "model": "claude", name: 1, **{f"field{n}": 1 for n in range(900)}}
        )
        await connection.write(post(body))
        reply = await connection.reply()

    assert reply.status == 200
    dropped = reply.headers["x-costspan-dropped"]
    assert "x-canary" not in reply.headers
    assert dropped.isascii()
    assert dropped.isprintable()
    assert len(dropped) <= 2048


async def test_a_model_name_beyond_ascii_makes_no_odd_header(tmp_path: Path) -> None:
    async with FakeUpstream(lambda _: openai_reply()) as up, running(tmp_path, two_kinds(up.url, up.url)) as gateway:
        reply = await send(gateway.url, post(BODY.replace(b'"chat"', '"one/mödel-\u4f60"'.encode())))

    assert reply.status == 200
    assert reply.headers["x-costspan-target"] == "one/m?del-?"


async def test_a_clients_key_in_a_wrong_place_goes_no_further(guarded: Site) -> None:
    headers = "x-api-key: cs-client-key-0123456789abcdef\r\nX-Goog-Api-Key: cs-client-key-0123456789abcdef\r\n"
    reply = await send(guarded.url, post(BODY, headers=headers))

    assert reply.status == 200
    assert "cs-client-key" not in f"{guarded.openai.requests[0].headers}"
