"""What is no HTTP, or no HTTP that we want: section 3a of the reliability notes, against a real listener."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from costspan.server import body as bodies
from costspan.server import protocol
from fakes.contract import error_of
from fakes.raw import connected, post, send
from fakes.surfaces import ALL
from fakes.surfaces import CHAT as CHATS
from fakes.upstream_answers import openai_reply

if TYPE_CHECKING:
    from fakes.site import Site
    from fakes.surfaces import Surface

HOST = b"Host: localhost\r\n"
CHAT = b'{"model":"chat","messages":[{"role":"user","content":"hi"}]}'
MARK = b"canary-7f3a"
"""Stands in every bad input; must not come back."""


def get(path: bytes = b"/v1/models", headers: bytes = HOST) -> bytes:
    return b"GET %s HTTP/1.1\r\n%s\r\n" % (path, headers)


def framed(headers: bytes, body: bytes = b"hello") -> bytes:
    return b"POST /v1/messages HTTP/1.1\r\n%sContent-Type: application/json\r\n%s\r\n%s" % (HOST, headers, body)


def chunked(body: bytes, coding: bytes = b"chunked") -> bytes:
    return framed(b"Transfer-Encoding: %s\r\n" % coding, body)


BAD: dict[str, tuple[bytes, int, str]] = {
    "1: no version": (b"GET /" + MARK + b" \r\n\r\n", 400, "bad_request_line"),
    "2: HTTP/0.9": (b"GET /" + MARK + b"\r\n\r\n", 400, "http_version"),
    "3: HTTP/1.0 without Host": (b"GET /v1/models HTTP/1.0\r\n\r\n", 400, "http_version"),
    "3: HTTP/1.0 with Host": (b"GET /v1/models HTTP/1.0\r\n" + HOST + b"\r\n", 400, "http_version"),
    "4: no Host": (get(headers=b"X: " + MARK + b"\r\n"), 400, "missing_host"),
    "6: two Hosts": (get(headers=HOST + b"Host: " + MARK + b"\r\n"), 400, "duplicate_host"),
    "9: absolute target": (get(b"http://" + MARK + b"/v1/models"), 400, "absolute_target"),
    "9: absolute target, ours": (get(b"http://localhost/v1/models"), 400, "absolute_target"),
    "10: CONNECT": (b"CONNECT " + MARK + b":443 HTTP/1.1\r\n" + HOST + b"\r\n", 405, "method_not_allowed"),
    "11: TRACE": (b"TRACE /v1/models HTTP/1.1\r\n" + HOST + b"X: " + MARK + b"\r\n\r\n", 405, "method_not_allowed"),
    "13: unknown method": (b"CANARY /v1/models HTTP/1.1\r\n" + HOST + b"\r\n", 405, "method_not_allowed"),
    "13: lower-case method": (b"post /v1/models HTTP/1.1\r\n" + HOST + b"\r\n", 405, "method_not_allowed"),
    "14: HTTP/9.9": (b"GET /" + MARK + b" HTTP/9.9\r\n" + HOST + b"\r\n", 400, "http_version"),
    "15: HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "http_version"),
    "16: TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + MARK * 8, 400, "tls_on_plain_port"),
    "17: length and chunked": (
        framed(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
        400,
        "bad_framing",
    ),
    "18: length twice": (framed(b"Content-Length: 5\r\n" * 2), 400, "bad_framing"),
    "18: two lengths": (framed(b"Content-Length: 5\r\nContent-Length: 6\r\n"), 400, "bad_framing"),
    **{
        f"19: length {value!r}": (framed(b"Content-Length: %s\r\n" % value), 400, "bad_framing")
        for value in (b"5, 5", b"+5", b"-1", b"0x5", b"1_0", b"abc", b"", b"9" * 20, b"5 5")
    },
    "20: space before the colon": (framed(b"Content-Length : 5\r\n"), 400, "bad_header"),
    **{
        f"21, 22: coding {value!r}": (chunked(b"0\r\n\r\n", value), 400, "bad_framing")
        for value in (
            *(b"identity", b"xchunked", b",chunked", b"chunked,", b"chunked, chunked", b"chunked, identity"),
            *(b"gzip, chunked", b"chunked, gzip", b"gzip", b'"chunked"', b"chunked;q=1"),
        )
    },
    "21: coding after a vertical tab": (chunked(b"0\r\n\r\n", b"\x0bchunked"), 400, "bad_header"),
    "21: coding twice": (framed(b"Transfer-Encoding: chunked\r\n" * 2, b"0\r\n\r\n"), 400, "bad_framing"),
    "23: chunked on HTTP/1.0": (
        b"POST /v1/messages HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "http_version",
    ),
    **{
        f"24, 25: chunk {value!r}": (chunked(value), 400, "bad_framing")
        for value in (
            *(b"0x5\r\nhello\r\n", b"-5\r\nhello\r\n", b"F" * 17 + b"\r\n", b" 5\r\nhello\r\n", b"5 \r\nhello\r\n"),
            *(b"\r\nhello\r\n", b"5;a\nb=c\r\nhello\r\n", b"5\nhello\n0\n\n", b"5\r\nhello0\r\n\r\n"),
        )
    },
    "26: a length in the trailers": (chunked(b"2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n"), 400, "bad_framing"),
    "27: a header ends with LF": (get(headers=HOST + b"X: " + MARK + b"\nY: 2\r\n"), 400, "bad_header"),
    "27: a folded header": (get(headers=HOST + b"X: a\r\n " + MARK + b"\r\n"), 400, "bad_header"),
    **{
        f"28: {value!r} in a value": (get(headers=HOST + b"Authorization: Bearer %s%sb\r\n" % (MARK, value)), 400, code)
        for value, code in (
            (b"\0", "bad_header"),
            (b"\r", "bad_header"),
            (b"\x07", "bad_header"),
            (b"\x7f", "bad_header"),
        )
    },
    "30: a space in a name": (get(headers=HOST + b"X " + MARK + b": a\r\n"), 400, "bad_header"),
    "30: an empty name": (get(headers=HOST + b": " + MARK + b"\r\n"), 400, "bad_header"),
    "30: no colon": (get(headers=HOST + MARK + b"\r\n"), 400, "bad_header"),
    "30: a name beyond ASCII": (get(headers=HOST + b"\xc3\xa9" + MARK + b": a\r\n"), 400, "bad_header"),
    "31: a space in the target": (get(b"/v1/" + MARK + b" x"), 400, "bad_request_line"),
    "31: NUL in the target": (get(b"/v1/models?key=" + MARK + b"\0"), 400, "bad_request_line"),
    "31: a byte beyond ASCII in the target": (get(b"/v1/" + MARK + b"\x80"), 400, "bad_request_line"),
    "33: a target of 9 KB": (get(b"/v1/models?key=" + MARK * 900), 414, "uri_too_long"),
    "34: a header of 9 KB": (get(headers=HOST + b"X: " + MARK * 900 + b"\r\n"), 431, "headers_too_large"),
    "34: a path in a header of 9 KB": (get(headers=HOST + b"X: /" + MARK * 900 + b"\r\n"), 431, "headers_too_large"),
    "34: a name of 9 KB": (get(headers=HOST + MARK * 900 + b": a\r\n"), 431, "headers_too_large"),
    "34: 129 headers": (get(headers=HOST + b"X: " + MARK + b"\r\n" + b"X: y\r\n" * 128), 431, "headers_too_large"),
    "35: an unknown expectation": (post(CHAT, headers="Expect: canary-7f3a\r\n"), 417, "expectation_failed"),
    "37: GET with a body": (
        get(headers=HOST + b"Content-Length: 37\r\n") + b"GET /canary-7f3a HTTP/1.1\r\nHost: x\r\n\r\n\r\n",
        400,
        "unexpected_body",
    ),
    "37: GET with a chunked body": (
        get(headers=HOST + b"Transfer-Encoding: chunked\r\n") + b"2\r\n{}\r\n0\r\n\r\n",
        400,
        "unexpected_body",
    ),
    "duplicate content type": (framed(b"Content-Type: text/canary-7f3a\r\nContent-Length: 5\r\n"), 400, "bad_header"),
}


@pytest.mark.parametrize(("data", "status", "code"), BAD.values(), ids=BAD.keys())
async def test_bad_framing_is_refused_and_the_connection_closed(
    site: Site, data: bytes, status: int, code: str
) -> None:
    begin = b"POST /v1/messages "
    surfaces = ALL if data.startswith(begin) else CHATS[:1]
    for surface in surfaces:
        reply = await send(site.url, data.replace(begin, b"POST %s " % surface.at().encode()))

        error = error_of(reply, surface.shape)
        assert (surface.name, reply.status, error["code"]) == (surface.name, status, code)
        assert reply.headers["connection"] == "close"  # and `send` has seen it close
        assert b"canary" not in reply.raw.lower()
        if status == 405:
            assert reply.headers["allow"] == "GET, POST"
    assert site.upstream_connections == 0


@pytest.mark.parametrize(
    "data", [data for data, _, code in BAD.values() if data.startswith(b"POST /v1/messages ") and code == "bad_framing"]
)
async def test_bad_framing_of_a_body_that_is_streamed_through_never_looks_whole(site: Site, data: bytes) -> None:
    for path in (b"/providers/one/v1/files", b"/v1/audio/transcriptions"):
        sent = data.replace(b"/v1/messages", path).replace(b"application/json", b"multipart/form-data; boundary=x")
        reply = await send(site.url, sent)

        assert (reply.status, error_of(reply)["code"]) == (400, "bad_framing")
        assert reply.headers["connection"] == "close"
    assert [request for request in site.openai.requests if request.complete.is_set()] == []


@pytest.mark.parametrize("data", [b"0x5\r\nhello\r\n", b"5\r\nhello\r\nzz\r\n"])
async def test_a_chunk_that_breaks_while_the_body_is_read_is_refused_at_once(site: Site, data: bytes) -> None:
    async with connected(site.url) as connection:
        await connection.write(chunked(b"").replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        assert (await connection.reply()).status == 100  # it waits for the body now
        await connection.write(data)
        reply = await connection.reply()
        rest = await connection.rest()

    assert (reply.status, error_of(reply, "anthropic")["code"]) == (400, "bad_framing")
    assert rest == b""


OTHER_HOSTS = [
    *("evil.example", "evil.example:8080", "0.0.0.0", "0.0.0.0:8080", "127.1", "2130706433", "0x7f000001"),
    *("localhost.evil.com", "evil-localhost", "localhost:99999", "localhost:0", "localhost:x", "localhost:+1"),
    *("[::ffff:127.0.0.1]", "[::]", "[::1", "::1:80", "user@localhost", "localhost.", "127.0.0.2", "l\u043ecalhost"),
]


@pytest.mark.parametrize("host", OTHER_HOSTS)
async def test_a_host_that_is_not_ours_is_refused(site: Site, host: str) -> None:
    reply = await send(site.url, b"GET /v1/models HTTP/1.1\r\nHost: %s\r\n\r\n" % host.encode())

    assert (reply.status, error_of(reply)["code"]) == (403, "host_not_allowed")
    assert host.encode() not in reply.raw


async def test_an_empty_host_is_refused(site: Site) -> None:
    reply = await send(site.url, get(headers=b"Host:\r\n"))

    assert (reply.status, error_of(reply)["code"]) == (400, "missing_host")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:1", "[::1]:80", "app.localhost", "a.b.localhost:80"]
)
async def test_loopback_names_are_ours(site: Site, host: str) -> None:
    assert (await send(site.url, get(headers=b"Host: %s\r\n" % host.encode()))).status == 200


@pytest.mark.parametrize("path", [b"*", b"/v1/models", b"/v1/chat/completions"])
async def test_options_answer_nothing_and_allow_nobody(site: Site, path: bytes) -> None:
    reply = await send(site.url, b"OPTIONS %s HTTP/1.1\r\n%s\r\n" % (path, HOST))

    assert (reply.status, reply.body) == (204, b"")
    assert not [name for name in reply.headers if name.startswith("access-control")]


PATHS = [
    *("/", "/v1", "/v1/models%00", "/v1/../v1/models", "/v1/%2e%2e/v1/models", "/./v1/models", "//evil/v1/models"),
    *("/v1//models", "/v1/models/", "/V1/models", "/v1/models;a", "/v1%2fmodels", "/v1/models#x", "//[", "/\\evil"),
    *("/v1/chat/completions/", "/v1/Chat/completions", "/config", "/debug", "/admin/config", "/console", "/metrics/"),
    *("/providers", "/providers/", "/providers//v1/x", "/providers/none/v1/x", "/Providers/one/v1/x", "/v1/files"),
]


@pytest.mark.parametrize("path", PATHS)
async def test_paths_match_exactly_or_not_at_all(site: Site, path: str) -> None:
    reply = await send(site.url, get(path.encode()))

    assert (reply.status, error_of(reply)["code"]) == (404, "not_found")


@pytest.mark.parametrize("surface", ALL, ids=str)
async def test_a_path_that_is_nearly_one_is_none(site: Site, surface: Surface) -> None:
    path = surface.at()
    near = [f"{path}/", f"/v2{path}", path.upper(), path.replace("/v1", "/v1/", 1), f"{path}%20", f"/v1/..{path}"]
    near += [path.replace(":", ":no-such-", 1), path.replace(":", "::"), path.replace(":", "%3A")] * surface.names_model
    for target in near:
        reply = await send(site.url, post(surface.asked(), path=target))

        shape = "gemini" if target.startswith("/v1beta/") else "openai"
        shape = "anthropic" if target.startswith("/v1/messages") else shape
        assert (target, reply.status) in {(target, 404), (target, 405)}
        assert error_of(reply, shape)["code"] in {"not_found", "method_not_allowed"}
    assert site.upstream_connections == 0


async def test_an_escaped_model_name_is_the_name(site: Site) -> None:
    reply = await send(site.url, get(b"/v1/models/one%2Fgpt-fake"))

    assert reply.status == 200
    assert b'"id":"one/gpt-fake"' in reply.body


@pytest.mark.parametrize("surface", ALL, ids=str)
async def test_requests_are_posted(site: Site, surface: Surface) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH", "PROPFIND"):
        reply = await send(site.url, f"{method} {surface.at()} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

        error = error_of(reply, surface.shape)
        assert (reply.status, error["code"], reply.headers["allow"]) == (405, "method_not_allowed", "POST")


METHODS: dict[str, tuple[str, str, int, str]] = {
    "GET chat": ("GET", "/v1/chat/completions", 405, "POST"),
    "PUT messages": ("PUT", "/v1/messages", 405, "POST"),
    "DELETE messages": ("DELETE", "/v1/messages", 405, "POST"),
    "POST models": ("POST", "/v1/models", 405, "GET"),
    "PATCH a model": ("PATCH", "/v1/models/chat", 405, "GET"),
    "POST healthz": ("POST", "/healthz", 405, "GET, HEAD"),
    "POST metrics": ("POST", "/metrics", 405, "GET, HEAD"),
}


@pytest.mark.parametrize(("method", "path", "status", "allow"), METHODS.values(), ids=METHODS.keys())
async def test_a_wrong_method_names_the_right_one(site: Site, method: str, path: str, status: int, allow: str) -> None:
    reply = await send(site.url, f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    error = error_of(reply, "anthropic" if path == "/v1/messages" else "openai")
    assert (reply.status, error["code"], reply.headers["allow"]) == (status, "method_not_allowed", allow)


async def test_head_gets_no_body(site: Site) -> None:
    async with connected(site.url) as connection:
        await connection.write(b"HEAD /v1/models HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
        answer = await connection.rest()

    assert answer.startswith(b"HTTP/1.1 405 ")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "headers",
    [
        "Connection: Upgrade\r\nUpgrade: websocket\r\n",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    ],
    ids=["websocket", "h2c"],
)
async def test_an_upgrade_is_passed_over_and_not_forwarded(site: Site, headers: str) -> None:
    reply = await send(site.url, post(CHAT, headers=headers))

    assert reply.status == 200
    (sent,) = site.openai.requests
    names = {name.lower() for name, _ in sent.headers}
    assert not names & {"upgrade", "http2-settings"}


async def test_trailers_are_dropped(site: Site) -> None:
    data = b"%x\r\n%s\r\n0\r\nX-Trailer: a\r\nAuthorization: Bearer b\r\n\r\n" % (len(CHAT), CHAT)
    head = b"POST /v1/chat/completions HTTP/1.1\r\n%sContent-Type: application/json\r\n" % HOST
    reply = await send(site.url, head + b"Transfer-Encoding: chunked\r\n\r\n" + data)

    assert reply.status == 200
    (sent,) = site.openai.requests
    assert sent.header("x-trailer") is None
    assert sent.header("authorization") == "Bearer test-key-one"


async def test_a_client_that_expects_100_continue_gets_it(site: Site) -> None:
    head = post(CHAT, headers="Expect: 100-continue\r\n").removesuffix(CHAT)
    async with connected(site.url) as connection:
        await connection.write(head)
        assert (await connection.reply()).raw == b"HTTP/1.1 100 Continue\r\n\r\n"
        await connection.write(CHAT)
        reply = await connection.reply()

    assert reply.status == 200


async def test_a_refused_request_gets_no_100_continue(site: Site) -> None:
    head = post(CHAT, headers="Expect: 100-continue\r\n").removesuffix(CHAT)
    async with connected(site.url) as connection:
        await connection.write(head.replace(b"application/json", b"text/plain"))

        assert (await connection.reply()).status == 415


@pytest.mark.parametrize("limit", ["IDLE_SECONDS", "TOTAL_SECONDS"])
@pytest.mark.parametrize("expect", ["", "Expect: 100-continue\r\n"], ids=["ten bytes of two million", "none of them"])
async def test_a_body_that_does_not_come_is_not_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch, limit: str, expect: str
) -> None:
    monkeypatch.setattr(bodies, limit, 0.05)
    monkeypatch.setattr(protocol, "LINGERING_SECONDS", 0.05)
    async with connected(site.url) as connection:
        await connection.write(post(headers=expect).replace(b"Content-Length: 0", b"Content-Length: 2097152"))
        if expect:
            assert (await connection.reply()).status == 100
        else:
            await connection.write(b'{"model":"')
        reply = await connection.reply()
        assert await connection.rest() == b""

    assert (reply.status, error_of(reply)["code"]) == (408, "request_timeout")
    assert site.upstream_connections == 0


async def test_headers_that_do_not_come_are_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.05)
    async with connected(site.url) as connection:
        await connection.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: loc")

        assert await connection.rest() == b""


async def test_pipelined_requests_are_answered_in_order(site: Site) -> None:
    names = [f"unknown-{number}" for number in range(1000)]
    async with connected(site.url) as connection, asyncio.TaskGroup() as group:
        group.create_task(connection.write(b"".join(get(f"/v1/models/{name}x".encode()) for name in names)))
        replies = [await connection.reply() for _ in names]

    assert {reply.status for reply in replies} == {404}
    assert len({reply.headers["x-request-id"] for reply in replies}) == 1000


async def test_bytes_after_a_whole_request_are_the_next_request(site: Site) -> None:
    async with connected(site.url) as connection:
        await connection.write(post(CHAT))
        first = await connection.reply()
        await connection.write(b"canary\r\n\r\n")
        second = await connection.reply()

        assert (first.status, second.status, error_of(second)["code"]) == (200, 405, "method_not_allowed")
        assert await connection.rest() == b""


@pytest.mark.parametrize("value", [b"\x80\xff", b"a\xc3\x28", "\u2028".encode()])
async def test_bytes_beyond_ascii_in_a_header_pass_and_do_no_harm(site: Site, value: bytes) -> None:
    headers = b"X-Team: %s\r\nX-Request-Id: %s\r\nUser-Agent: %s\r\n" % (value, value, value)
    reply = await send(site.url, post(CHAT).replace(b"Content-Type", headers + b"Content-Type"))

    assert reply.status == 200
    (exchange,) = site.gateway.records("exchange")
    assert exchange["client_request_id"].isascii()
    assert site.openai.requests[0].header("user-agent") is None


async def test_the_fake_answer_is_what_a_good_request_gets(site: Site) -> None:
    reply = await send(site.url, post(CHAT))

    assert (reply.status, reply.body) == (200, openai_reply().body)
