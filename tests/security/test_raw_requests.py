"""A provider's own paths, asked for with bad intent: they lead to that provider, with its key, and nowhere else."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from costspan.wire import json
from fakes.contract import error_of
from fakes.gateway import running
from fakes.raw import connected, post, send
from fakes.upstream import Answer, FakeUpstream
from security.keys import CLIENT, KEYS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.gateway import Running
    from fakes.raw import Reply
    from fakes.upstream import Script

CONFIG = """
defaults: {{retries: 0}}
providers:
  one: {{kind: openai, base_url: "{url}/v1", api_key: test-key-one}}
  two: {{kind: anthropic, base_url: "{url}", api_key: test-key-two}}
  three: {{kind: gemini, base_url: "{url}/v1beta", api_key: test-key-three}}
  four: {{kind: cohere, base_url: "{url}/v2", api_key: test-key-four}}
  azure: {{kind: azure, base_url: "{url}", api_key: test-key-five, api_version: 2024-10-21}}
  cloud: {{kind: bedrock, base_url: "{url}", api_key: test-key-six, region: us-east-1}}
  playing: {{kind: mock}}
"""
OK = Answer(body=b'{"ok":true}')
KNOWN = [
    *("/providers/one/v1/chat/completions", "/providers/one/v1/responses", "/providers/one/v1/embeddings"),
    *("/providers/one/v1/moderations", "/providers/two/v1/messages", "/providers/four/v2/chat"),
    *("/providers/three/v1beta/models/m:generateContent", "/providers/three/v1beta/models/m:streamGenerateContent"),
]
"""Paths whose requests are looked at for the books."""


@asynccontextmanager
async def serving(folder: Path, script: Script = OK, more: str = "") -> AsyncIterator[tuple[Running, FakeUpstream]]:
    async with (
        FakeUpstream(script, reads=True) as upstream,
        running(folder, CONFIG.format(url=upstream.url) + more) as gateway,
    ):
        yield gateway, upstream


async def ask(gateway: Running, target: str, method: str = "GET", headers: str = "") -> Reply:
    return await send(gateway.url, f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode("latin-1"))


EVIL = "evil.example"
ELSEWHERE: dict[str, tuple[int, str]] = {
    **{
        f"/providers/one/{path}": (400, "invalid_value")
        for path in (
            *("..", ".", "../two/v1/messages", "v1/..", "v1/../../x", "v1/./x", "v1/.", "v1/..;/x", "v1/..;a=b/x"),
            *(
                "%2e%2e",
                "%2E%2e/x",
                ".%2e/x",
                "%252e%252e/x",
                "v1/%2e",
                "v1%2f..%2fx",
                "v1%2f%2e%2e",
            ),
            *("/v1/x", "v1//x", f"/{EVIL}/x", f"http://{EVIL}/x", f"%2f%2f{EVIL}", f"%2f{EVIL}/x", "v1/%2f/x"),
            *(f"\\\\{EVIL}/x", "v1\\..\\x", "%5c%5cx", "v1/%5c..%5cx", "v1/%255c"),
            *("v1/x%0d%0aX-Canary:%20a", "v1/x%0a", "v1/x%00", "v1/%7f", "v1/x%250d%250a", "v1/x%09"),
            *("v1/x#y", "v1/x%0d%0a%0d%0aGET%20/x%20HTTP/1.1"),
        )
    },
    **{
        f"/providers/{name}/v1/x": (404, "not_found")
        for name in (
            *("", "none", "One", "one%20", "one%00", "one;a", "..", "%2e%2e", "one%2f..%2ftwo", "playing"),
            *(EVIL, f"one@{EVIL}", f"{EVIL}%2fone", "one:80", "127.0.0.1:80", "%6fne%0d", "*"),
        )
    },
    f"http://{EVIL}/providers/one/v1/x": (400, "absolute_target"),
    "http://localhost/providers/one/v1/x": (400, "absolute_target"),
    "providers/one/v1/x": (400, "bad_request_line"),
    f"/providers/one/{'x' * 9000}": (414, "uri_too_long"),
    "/providers/one/v1/x\x80": (400, "bad_request_line"),
}


@pytest.mark.parametrize(("target", "status", "code"), [(target, *expected) for target, expected in ELSEWHERE.items()])
async def test_a_path_that_could_lead_elsewhere_is_refused(tmp_path: Path, target: str, status: int, code: str) -> None:
    async with serving(tmp_path) as (gateway, upstream):
        for method in ("GET", "DELETE"):
            reply = await ask(gateway, target, method)

            assert (reply.status, error_of(reply)["code"]) == (status, code)
            assert b"evil" not in reply.raw
            assert b"canary" not in reply.raw.lower()
        assert upstream.connections == 0
        assert gateway.records() == []


AS_SENT = [
    *("/v1/files", "/v1/files/", "/v1/a..b", "/v1/...", "/v1/a%20b", "/v1/%C3%A9", "/v1/a:b@c", "/v1/a;b=c", "/v1/~x"),
    *("/v1/files?a=../..&b=%2e%2e", "/v1/files?url=http://x//y", "/v1/files?a=%0d%0aX-A:%20b", "/v1/files?a[]=1&a[]=2"),
    *("/v1/files?a=b?c", "/v1/files?", "/v1/%41", "/v1/%zz", "/v1/100%"),
]


@pytest.mark.parametrize("path", AS_SENT)
async def test_a_path_that_is_only_odd_passes_as_it_was_sent(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as (gateway, upstream):
        reply = await ask(gateway, f"/providers/one{path}")

    assert reply.status == 200
    assert [request.path for request in upstream.requests] == [path.removesuffix("?")]


@pytest.mark.parametrize("query", ["key={}", "%6bey={}", "a=1&key={}", "key={}&a=1", "key={}&key={}", "ke%79={}&a=1"])
async def test_a_client_s_key_in_the_query_goes_no_further(tmp_path: Path, query: str) -> None:
    async with serving(tmp_path, more=KEYS) as (gateway, upstream):
        reply = await ask(gateway, f"/providers/one/v1/files?{query.replace('{}', CLIENT)}")

        assert reply.status == 200
        (sent,) = upstream.requests
        assert CLIENT not in f"{sent.path} {sent.headers}"
        assert "key" not in sent.path
        assert sent.path in {"/v1/files", "/v1/files?a=1"}


async def test_a_client_s_key_is_asked_for_and_told_in_one_way(tmp_path: Path) -> None:
    async with serving(tmp_path, more=KEYS) as (gateway, upstream):
        cases = {
            ("", ""): (401, "missing_api_key"),
            ("?key=canary", ""): (401, "invalid_api_key"),
            (f"?key={CLIENT}", "x-api-key: canary\r\n"): (400, "ambiguous_credentials"),
            (f"?key={CLIENT}&key=canary", ""): (400, "ambiguous_credentials"),
            ("", f"x-api-key: {CLIENT}\r\nAuthorization: Bearer canary\r\n"): (400, "ambiguous_credentials"),
        }
        for (query, headers), (status, code) in cases.items():
            reply = await ask(gateway, f"/providers/one/v1/files{query}", headers=headers)
            assert (reply.status, error_of(reply)["code"]) == (status, code)
            assert b"canary" not in reply.raw
        assert upstream.connections == 0


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"])
async def test_only_listed_headers_reach_the_provider(tmp_path: Path, method: str) -> None:
    private = (
        "Cookie: canary=1\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Host: canary\r\nForwarded: for=canary\r\n"
        "Connection: X-Api-Key, Authorization\r\nX-Original-URL: /canary\r\nX-HTTP-Method-Override: DELETE\r\n"
        "OpenAI-Organization: canary\r\nX-Costspan-Tags: team=canary\r\nTE: trailers\r\nRange: bytes=0-1\r\n"
    )
    async with serving(tmp_path, lambda r: Answer(length=4) if r.method == "HEAD" else OK) as (gateway, upstream):
        data = f"{method} /providers/one/v1/files/f-1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{private}\r\n"
        async with connected(gateway.url) as connection:
            await connection.write(data.encode())
            answer = await connection.rest()
        (sent,) = upstream.requests

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert sent.method == method
    assert {name.lower() for name, _ in sent.headers} <= {
        *("host", "connection", "content-length", "content-type", "accept-encoding", "authorization"),
    }
    assert "canary" not in f"{sent.headers}"
    assert sent.header("authorization") == "Bearer test-key-one"


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "PURGE", "LOCK", "get", "CANARY"])
async def test_other_methods_are_not_passed_on(tmp_path: Path, method: str) -> None:
    async with serving(tmp_path) as (gateway, upstream):
        reply = await ask(gateway, "/providers/one/v1/files", method)

        assert (reply.status, error_of(reply)["code"]) == (405, "method_not_allowed")
        assert "allow" in reply.headers
        assert upstream.connections == 0


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_request_that_has_no_body_may_not_smuggle_one(tmp_path: Path, method: str) -> None:
    hidden = b"DELETE /providers/one/v1/files/f-1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with serving(tmp_path) as (gateway, upstream), connected(gateway.url) as connection:
        head = f"{method} /providers/one/v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(hidden)}\r\n\r\n"
        await connection.write(head.encode() + hidden)
        answer = await connection.rest()

        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1 ") == 1
        assert upstream.connections == 0


KEY = "AAAAAAAAAAAAAAAAAAAAAA=="
UPGRADES = [
    f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n",
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
]
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\n%s\r\n\x81\x06canary"


@pytest.mark.parametrize("headers", UPGRADES, ids=["websocket", "h2c"])
async def test_a_wish_to_upgrade_goes_no_further(tmp_path: Path, headers: str) -> None:
    async with serving(tmp_path) as (gateway, upstream):
        reply = await ask(gateway, "/providers/one/v1/realtime?model=m", headers=headers)

        assert (reply.status, reply.body) == (200, b'{"ok":true}')
        assert not {name.lower() for name, _ in upstream.requests[0].headers} & {"upgrade", "http2-settings"}


@pytest.mark.parametrize("said", [b"", b"upgrade: websocket\r\n", b"connection: upgrade\r\nupgrade: websocket\r\n"])
async def test_a_provider_that_upgrades_unasked_has_failed(tmp_path: Path, said: bytes) -> None:
    async with serving(tmp_path, Answer(raw=True, body=SWITCHED % said)) as (gateway, _):
        reply = await ask(gateway, "/providers/one/v1/realtime?model=m")

    assert (reply.status, error_of(reply)["code"]) == (502, "upstream_protocol_error")
    assert b"canary" not in reply.raw


BODIES: dict[str, bytes] = {
    **{f"{depth} deep": b'{"tools":' + b"[" * depth + b"]" * depth + b"}" for depth in (64, 65, 255, 300, 1000, 5000)},
    "no JSON": b'{"model": "canary", ',
    "no UTF-8": b'{"model":"\xff"}',
    "a list": b"[]",
    "null": b"null",
    "nothing": b"",
    "half a surrogate pair": b'{"model":"\\ud800"}',
    "a huge number": b'{"model":"m","max_tokens":' + b"9" * 400 + b"}",
    "the model twice": b'{"model":"a","model":"b"}',
    **{
        f"the model is {name}": b'{"model":%s}' % value
        for name, value in {
            "a number": b"5",
            "null": b"null",
            "empty": b'""',
            "an object": b'{"a":1}',
            "100 kB long": b'"%s"' % (b"x" * 100_000),
            "of two lines": b'"a\\nb"',
            "with NUL": b'"a\\u0000"',
            "with a line separator": b'"a\\u2028b"',
            "with an escape sequence": b'"\\u001b[31m"',
        }.items()
    },
    "wrong types everywhere": b'{"model":"m","messages":5,"input":{},"contents":"x","max_tokens":[],"stream":"no"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_the_provider_judges_its_own_requests_and_the_books_stay_clean(tmp_path: Path, body: bytes) -> None:
    async with serving(tmp_path) as (gateway, upstream):
        for path in KNOWN:
            reply = await send(gateway.url, post(body, path=path))
            assert (path, reply.status, reply.body) == (path, 200, b'{"ok":true}')
        attempts = gateway.records("attempt")

    assert [request.body for request in upstream.requests] == [body] * len(KNOWN)
    assert len(attempts) == len(KNOWN)
    for attempt in attempts:
        assert attempt["model_requested"].isprintable()
        assert 0 < len(attempt["model_requested"]) <= 256


IN_PATH = ["%E2%80%A8", "a%E2%80%AEb", "m" * 300, "%80", "%F0%9F%98%80"]


@pytest.mark.parametrize("model", IN_PATH)
async def test_a_model_in_the_path_of_a_provider_is_bounded_in_the_books(tmp_path: Path, model: str) -> None:
    async with serving(tmp_path) as (gateway, upstream):
        path = f"/v1beta/models/{model}:generateContent"
        reply = await send(
            gateway.url, post(b'{"contents":[{"parts":[{"text":"a"}]}]}', path=f"/providers/three{path}")
        )
        (attempt,) = gateway.records("attempt")

    assert reply.status == 200
    assert upstream.requests[0].path == path
    assert attempt["model_requested"].isprintable()
    assert len(attempt["model_requested"]) <= 256


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "canary"])
async def test_a_body_in_a_coding_that_the_provider_would_not_hear_of_is_refused(tmp_path: Path, coding: str) -> None:
    async with serving(tmp_path) as (gateway, upstream):
        for path in ("/providers/one/v1/chat/completions", "/providers/one/v1/files"):
            reply = await send(gateway.url, post(b"\x1f\x8b123", path=path, headers=f"Content-Encoding: {coding}\r\n"))
            assert (reply.status, error_of(reply)["code"]) == (415, "unsupported_encoding")
            assert b"canary" not in reply.raw
        assert upstream.connections == 0


@pytest.mark.parametrize("kind", ['text/plain; x="\x80"', "\xff", "multipart/form-data; boundary=\xe9"])
async def test_a_media_type_that_is_no_header_is_not_passed_on(tmp_path: Path, kind: str) -> None:
    async with serving(tmp_path) as (gateway, upstream):
        data = post(b"abc", path="/providers/one/v1/files").replace(b"application/json", kind.encode("latin-1"))
        reply = await send(gateway.url, data)

    assert (reply.status, error_of(reply)["code"]) == (400, "invalid_value")
    assert upstream.requests == []


DOTS = [".", "..", "azure/.", "azure/..", "cloud/.", "cloud/.."]


@pytest.mark.parametrize("named_by", ["body", "header"])
@pytest.mark.parametrize("model", DOTS)
async def test_no_model_s_name_makes_a_path_climb(tmp_path: Path, model: str, named_by: str) -> None:
    """Where a cloud has the model in its path, `..` as a model would be another path."""
    routes = 'routes: {"*": "azure/{model}"}\n'
    async with serving(tmp_path, more=routes) as (gateway, upstream):
        body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
        headers = ""
        if named_by == "header":
            headers, body["model"] = f"x-costspan-route: {model}\r\n", "m"
        reply = await send(gateway.url, post(json.dumps(body), headers=headers))

    assert (reply.status, error_of(reply)["code"]) == (404, "model_not_found")
    assert upstream.requests == []


async def test_an_answer_s_private_headers_stop_here(tmp_path: Path) -> None:
    private = (
        ("set-cookie", "canary=1"),
        ("x-upstream", "canary"),
        ("server", "canary"),
        ("location", "http://canary"),
    )
    told = Answer(
        headers=[("content-type", "text/plain"), *private, ("x-ratelimit-remaining-requests", "7")], body=b"x"
    )
    async with serving(tmp_path, told) as (gateway, _):
        reply = await ask(gateway, "/providers/one/v1/files/f-1/content")

    assert (reply.status, reply.body, reply.headers["x-ratelimit-remaining-requests"]) == (200, b"x", "7")
    assert b"canary" not in reply.raw


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(tmp_path: Path, status: int) -> None:
    async with FakeUpstream() as thief:
        away = Answer(status, headers=(("location", f"{thief.url}/x"),))
        async with serving(tmp_path, away) as (gateway, _):
            for method in ("GET", "DELETE"):
                reply = await ask(gateway, "/providers/one/v1/files", method)

                assert (reply.status, error_of(reply)["code"]) == (502, "upstream_redirect_blocked")
                assert str(thief.port).encode() not in reply.raw
        assert thief.connections == 0


async def test_many_at_once_do_not_mix(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, lambda request: Answer(body=request.path.encode())) as (gateway, _),
        asyncio.TaskGroup() as group,
    ):
        asked = [group.create_task(ask(gateway, f"/providers/one/v1/files/{n}")) for n in range(50)]

    assert [task.result().body for task in asked] == [b"/v1/files/%d" % n for n in range(50)]
