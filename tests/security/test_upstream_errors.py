"""What a provider says when it fails: shown where it helps, without keys and control characters (T-20, T-21)."""

from __future__ import annotations

import asyncio
import base64
import ssl
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from costspan.wire import json
from fakes.contract import error_of
from fakes.gateway import running, two_kinds
from fakes.raw import connected, post, send
from fakes.surfaces import CHAT
from fakes.upstream import Answer, FakeUpstream
from fakes.upstream_answers import STREAM_HEADERS, openai_stream
from security.canaries import forms

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.surfaces import Surface

KEY = "test/key+one-0123456789"
FORMS = {
    "whole": KEY,
    "as a header": f"Bearer {KEY}",
    "quoted": f"'{KEY}'",
    "in a URL": f"https://host/v1?key={quote(KEY, safe='')}&x=1",
    "in base64 of a header": base64.b64encode(f"Bearer {KEY}".encode()).decode(),
    "in base64 of a pair": base64.b64encode(f"me:{KEY}:you".encode()).decode(),
    "in base64": base64.b64encode(KEY.encode()).decode(),
    "masked, the beginning": f"{KEY[:12]}*********",
    "masked, the end": f"*******{KEY[-12:]}",
    "masked, both": f"{KEY[:8]}...{KEY[-8:]}",
    "of another shape": "sk-proj-abcdefghijklmnop",
}
STREAMED = [surface for surface in CHAT if not surface.names_model or surface.name.startswith("stream")]


def streaming(surface: Surface) -> dict[str, Any]:
    """What asks for a stream, where the path does not."""
    return {} if surface.names_model else {"stream": True}


def asked(**more: object) -> bytes:
    return json.dumps({"model": "chat", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **more})


def config(url: str) -> str:
    text = two_kinds(url, url) + "  openai: only/gpt-fake\ndefaults: {retries: 0}\n"
    only = f'  only: {{kind: openai, base_url: "{url}/v1", api_key: test-key-two, dialects: [openai-chat]}}\nroutes:'
    return text.replace("routes:", only).replace("test-key-one", KEY).replace("test-key-two", KEY)


def failing(status: int, **error: object) -> Answer:
    return Answer(status=status, body=json.dumps({"error": {"message": "no", "type": "x", **error}}))


def leaks(raw: bytes) -> list[str]:
    """Pieces of the key that are in `raw`."""
    found = [KEY, quote(KEY, safe="")]
    pieces = [piece.encode() for form in found for piece in (form[:8], form[-8:])] + [b"abcdefghijklmnop"]
    pieces += [piece for form in forms(KEY) for piece in (form[:8], form[-8:])]
    return [piece.decode() for piece in pieces if piece in raw]


@pytest.mark.parametrize("said", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
async def test_a_key_in_a_providers_error_is_not_shown(tmp_path: Path, status: int, said: str) -> None:
    answer = failing(status, message=f"Bad key: {said} (see the docs)", code=said, param=said)
    async with FakeUpstream(answer) as up, running(tmp_path, config(up.url), heals=True) as gateway:
        for surface in CHAT:
            for model in ("chat", "claude"):
                reply = await send(gateway.url, post(surface.asked(model=model), path=surface.at(model)))

                error = error_of(reply, surface.shape)
                assert leaks(reply.raw) == []
                assert "Bad key: " in error["message"]
                if status in {401, 403}:
                    assert (reply.status, error["code"]) == (502, "upstream_auth")


@pytest.mark.parametrize("said", FORMS.values(), ids=FORMS.keys())
async def test_a_key_in_an_error_inside_a_stream_is_not_shown(tmp_path: Path, said: str) -> None:
    event = b"data: " + json.dumps({"error": {"message": f"Bad key: {said}", "type": "x", "code": said}}) + b"\n\n"
    async with (
        FakeUpstream(Answer(headers=STREAM_HEADERS, body=event)) as up,
        running(tmp_path, config(up.url), heals=True) as gateway,
    ):
        for surface in STREAMED:
            reply = await send(
                gateway.url, post(surface.asked(streaming(surface), "openai"), path=surface.at("openai"))
            )

            assert reply.status == 502
            assert b"Bad key: " in reply.body
            assert leaks(reply.raw) == []


@pytest.mark.parametrize("surface", STREAMED, ids=str)
async def test_a_key_in_an_error_after_the_first_content_is_not_shown(tmp_path: Path, surface: Surface) -> None:
    gate = asyncio.Event()
    event = b"data: " + json.dumps({"error": {"message": f"Bad key: {KEY}", "type": "x", "code": KEY}}) + b"\n\n"
    good = openai_stream()
    assert not isinstance(good.body, bytes)
    first, second, *_ = good.body
    answer = Answer(headers=STREAM_HEADERS, body=[first, second, gate, event], framing="chunked")
    async with (
        FakeUpstream(answer) as up,
        running(tmp_path, config(up.url), heals=True) as gateway,
        connected(gateway.url) as connection,
    ):
        body, path = surface.asked(streaming(surface), "openai"), surface.at("openai")
        await connection.write(post(body, path=path, headers="Connection: close\r\n"))
        begun = await connection.until(b"Hel")
        gate.set()
        ended = await connection.rest()

    assert begun.startswith(b"HTTP/1.1 200 ")
    assert b"Bad key: ***" in ended
    assert leaks(begun + ended) == []


RAW: dict[str, bytes] = {
    "a page": b"<html><body>canary stack trace</body></html>",
    "control characters": json.dumps({"error": {"message": "no\x1b[31m\r\nX-Canary: 1\0\u202e"}}),
    "a megabyte": json.dumps({"error": {"message": "x" * 1_000_000}}),
    "deep": b'{"error":' * 2000,
    "no UTF-8": b'{"error":{"message":"\xff\xfe"}}',
    "a list": b"[1,2,3]",
    "nothing": b"",
}


@pytest.mark.parametrize("body", RAW.values(), ids=RAW.keys())
@pytest.mark.parametrize("status", [400, 500])
async def test_a_strange_error_body_becomes_ours(tmp_path: Path, status: int, body: bytes) -> None:
    answer = Answer(status=status, headers=(("content-type", "text/html"),), body=body)
    async with FakeUpstream(answer) as up, running(tmp_path, config(up.url), heals=True) as gateway:
        for model in ("chat", "claude"):
            reply = await send(gateway.url, post(asked(model=model)))

            error = error_of(reply)
            assert reply.status == (400 if status == 400 else 502)
            assert error["message"].isprintable()
            assert len(error["message"]) <= 600
            assert b"<html" not in reply.raw


async def test_a_providers_code_reaches_the_client_and_is_no_label(tmp_path: Path) -> None:
    """A provider could make up a new one each time: the error types of records and metrics are ours."""
    async with (
        FakeUpstream(failing(400, code="made_up_7f3a")) as up,
        running(tmp_path, config(up.url), heals=True) as gateway,
    ):
        reply = await send(gateway.url, post(asked()))
        metrics = await send(gateway.url, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        (exchange,) = gateway.records("exchange")

    assert error_of(reply)["code"] == "made_up_7f3a"
    assert exchange["error_type"] == "invalid_request"
    assert b"invalid_request" in metrics.body
    assert b"made_up_7f3a" not in metrics.body


CERTIFICATES = {"self-signed": ("IP:127.0.0.1", "1"), "of another host": ("DNS:other.example", "1")}


def context(folder: Path, name: str, days: str) -> ssl.SSLContext:
    """A server's context with a certificate of its own."""
    both = folder / "server.pem"
    command = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-days", days, "-subj", "/CN=canary", "-addext", f"subjectAltName={name}", "-keyout", str(both), "-out", "-"),
    ]
    made = subprocess.run(command, check=True, capture_output=True)
    both.write_bytes(both.read_bytes() + made.stdout)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(both)
    return server


@pytest.mark.parametrize(("name", "days"), CERTIFICATES.values(), ids=CERTIFICATES.keys())
async def test_a_certificate_that_is_not_trusted_ends_the_attempt(tmp_path: Path, name: str, days: str) -> None:
    server = context(tmp_path, name, days)
    async with FakeUpstream(ssl_context=server) as up, running(tmp_path, config(up.url), heals=True) as gateway:
        reply = await send(gateway.url, post(asked()))
        (attempt,) = gateway.records("attempt")

        error = error_of(reply)
        assert (reply.status, error["code"]) == (502, "upstream_tls")
        assert (attempt["error_type"], attempt["cost_status"]) == ("upstream_tls", "free")
        assert up.requests == []


async def test_a_provider_that_does_not_speak_tls_is_never_asked_in_plain(tmp_path: Path) -> None:
    got: list[bytes] = []

    async def answer_in_plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\n\r\n")
        got.append(await reader.read())
        writer.close()

    async with await asyncio.start_server(answer_in_plain, "127.0.0.1", 0) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with running(tmp_path, config(url)) as gateway:
            reply = await send(gateway.url, post(asked()))

    assert (reply.status, error_of(reply)["code"]) == (502, "upstream_tls")
    assert not any(b"POST" in data or KEY.encode() in data for data in got)
