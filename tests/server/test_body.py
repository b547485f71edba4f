"""Bodies that are no JSON object in UTF-8, or one that nobody should have to read: section 3b of the notes."""

from __future__ import annotations

import gzip
import time
from typing import TYPE_CHECKING

import pytest

from costspan.wire import json
from fakes.contract import error_of
from fakes.gateway import running, two_kinds
from fakes.raw import connected, post, send
from fakes.surfaces import ALL, PASSED
from fakes.surfaces import CHAT as CHATS
from fakes.upstream import FakeUpstream

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.site import Site

CHAT = b'{"model":"chat","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'


def chat(more: bytes = b"", model: bytes = b"chat", content: bytes = b'"canary"') -> bytes:
    return b'{"model":"%s","max_tokens":9,"messages":[{"role":"user","content":%s}]%s}' % (model, content, more)


BAD: dict[str, tuple[bytes, str]] = {
    "48: not UTF-8": (chat(content=b'"canary\xff"'), "invalid_json"),
    "48: UTF-16": (chat().decode().encode("utf-16"), "invalid_json"),
    "48: a byte order mark": (b"\xef\xbb\xbf" + chat(), "invalid_json"),
    "49: empty": (b"", "invalid_json"),
    "49: only space": (b" \r\n", "invalid_json"),
    "50: depth 100 000, unclosed": (b"[" * 100_000, "json_too_deep"),
    "50: depth 100 000": (chat(b',"x":' + b"[" * 100_000 + b"]" * 100_000), "json_too_deep"),
    "50: depth 1 000": (chat(b',"x":' + b'{"a":' * 1000 + b"1" + b"}" * 1000), "json_too_deep"),
    "50: depth 65": (chat(b',"x":' + b"[" * 64 + b"]" * 64), "json_too_deep"),
    "51: an integer of 5 000 digits": (chat(b',"seed":' + b"9" * 5000), "invalid_json"),
    "51: 1e999": (chat(b',"temperature":1e999'), "invalid_json"),
    "51: NaN": (chat(b',"temperature":NaN'), "invalid_json"),
    "51: Infinity": (chat(b',"temperature":-Infinity'), "invalid_json"),
    "51: hexadecimal": (chat(b',"seed":0x10'), "invalid_json"),
    "52: a million keys": (chat(b"," + b",".join(b'"k%d":1' % n for n in range(1_000_000))), "json_too_large"),
    "52: ten million elements": (chat(b',"x":[' + b"0," * 10_000_000 + b"0]"), "json_too_large"),
    "52: the model twice": (b'{"model":"a","model":"b"}', "duplicate_key"),
    "52: the model twice, compact": (chat(b',"model":"canary"'), "duplicate_key"),
    "52: the model twice, escaped": (chat(b',"mod\\u0065l":"canary"'), "duplicate_key"),
    "52: the model twice, first escaped": (b'{"\\u006dodel":"canary",' + chat()[1:], "duplicate_key"),
    "52: the same model twice": (chat(b',"model":"chat"'), "duplicate_key"),
    "52: the messages twice": (chat(b',"messages":[{"role":"user","content":"canary"}]'), "duplicate_key"),
    "52: streamed and not": (chat(b',"stream":false, "stream":true'), "duplicate_key"),
    "52: twice inside": (chat(content=b'"hi","content":"canary"'), "duplicate_key"),
    "53: an array": (b"[]", "invalid_type"),
    "53: a string": (b'"canary"', "invalid_type"),
    "53: null": (b"null", "invalid_type"),
    "53: a number": (b"1", "invalid_type"),
    "54: half a surrogate pair": (chat(content=b'"canary\\ud800"'), "invalid_unicode"),
    "54: the other half": (chat(content=b'"\\udc00canary"'), "invalid_unicode"),
    "54: two first halves": (chat(content=b'"\\ud83d\\ud83d"'), "invalid_unicode"),
    "54: as bytes": (chat(content=b'"\xed\xa0\x80"'), "invalid_json"),
    "55: trailing garbage": (chat() + b"canary", "invalid_json"),
    "55: two objects": (chat() + chat(), "invalid_json"),
    "55: lines of objects": (chat() + b"\n" + chat(), "invalid_json"),
    "55: a comment": (b"/* canary */" + chat(), "invalid_json"),
    "55: single quotes": (chat().replace(b'"', b"'"), "invalid_json"),
    "55: a trailing comma": (chat(b","), "invalid_json"),
    "55: a line break in a string": (chat(content=b'"can\nary"'), "invalid_json"),
    "55: cut off": (chat()[:-1], "invalid_json"),
}
LARGE = 1_000_000


@pytest.mark.parametrize(("body", "code"), BAD.values(), ids=BAD.keys())
async def test_a_bad_body_is_refused_on_every_path_before_anything_is_asked(site: Site, body: bytes, code: str) -> None:
    for surface in ALL if len(body) < LARGE else CHATS[:1]:
        for model in ("chat", "claude"):  # the same dialect on the other side, and another one
            data = body.replace(b'"model":"chat"', b'"model":"%s"' % model.encode())
            reply = await send(site.url, post(data, path=surface.at(model)))

            error = error_of(reply, surface.shape)
            assert (surface.name, reply.status, error["code"]) == (surface.name, 400, code), error
            assert b"canary" not in reply.raw
            if len(body) > LARGE:
                break
    assert site.upstream_connections == 0
    assert site.gateway.records() == []


GOOD: dict[str, bytes] = {
    "depth 64": chat(b',"x":' + b"[" * 63 + b"]" * 63),
    "brackets in a string": chat(content=b'"' + b"[{" * 5000 + b'"'),
    "a long table in a string": chat(content=b'"' + b"1,2,\\n" * 200_000 + b'"'),
    "spaces everywhere": b' {\n "model" :\t"chat" ,"messages" : [ {"role":"user","content":"hi"} ] }\r\n',
    "escapes": chat(content=b'"\\u0041\\/\\ud83d\\ude00\\u00e9\\\\u0000"'),
    "numbers as nobody writes them": chat(b',"temperature":1.0E0,"seed":-0,"x":123456789012345678901234567890'),
    "the key as a value": chat(b',"user":"model","x":{"model":"model","messages":[]}'),
    "a key escaped": chat().replace(b"model", b"mod\\u0065l"),
}


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD.keys())
async def test_what_is_odd_but_clear_passes(site: Site, body: bytes) -> None:
    reply = await send(site.url, post(body))

    assert reply.status == 200
    (sent,) = site.openai.requests
    expected = json.loads_object(body)
    expected["model"] = "gpt-fake"
    assert json.loads_object(sent.body) == expected


async def test_a_deep_body_costs_little_time(site: Site) -> None:
    begun = time.process_time()
    for _ in range(10):
        await send(site.url, post(b'{"a":' * 100_000))

    assert time.process_time() - begun < 0.5


HEADERS: dict[str, tuple[str, str]] = {
    "41: gzip": ("Content-Encoding: gzip\r\n", "unsupported_encoding"),
    "42: an unknown encoding": ("Content-Encoding: canary\r\n", "unsupported_encoding"),
    "42: two encodings": ("Content-Encoding: identity, gzip\r\n", "unsupported_encoding"),
    "45: no media type": ("", "unsupported_media_type"),
    "45: text": ("Content-Type: text/plain\r\n", "unsupported_media_type"),
    "45: a form": ("Content-Type: application/x-www-form-urlencoded\r\n", "unsupported_media_type"),
    "45: multipart": ("Content-Type: multipart/form-data; boundary=canary\r\n", "unsupported_media_type"),
    "45: nearly": ("Content-Type: application/jsonx\r\n", "unsupported_media_type"),
    "45: lines of JSON": ("Content-Type: application/x-ndjson\r\n", "unsupported_media_type"),
    "46: an unknown charset": ("Content-Type: application/json; charset=canary\r\n", "unsupported_charset"),
    "47: UTF-7": ("Content-Type: application/json; charset=utf-7\r\n", "unsupported_charset"),
    "47: UTF-16": ('Content-Type: application/json; charset="utf-16"\r\n', "unsupported_charset"),
    "47: two charsets": ("Content-Type: application/json; charset=utf-8; charset=utf-16\r\n", "unsupported_charset"),
}


@pytest.mark.parametrize(("headers", "code"), HEADERS.values(), ids=HEADERS.keys())
async def test_only_plain_json_in_utf8_is_read(site: Site, headers: str, code: str) -> None:
    given = "Content-Type: application/json\r\n" if headers.startswith("Content-Encoding") else ""
    for surface in ALL:
        if "multipart" in headers and surface in PASSED:
            continue  # what is no such form is refused there: test_bad_forms
        data = post(surface.asked(), path=surface.at())
        reply = await send(site.url, data.replace(b"Content-Type: application/json\r\n", (given + headers).encode()))

        assert (surface.name, reply.status, error_of(reply, surface.shape)["code"]) == (surface.name, 415, code)
        assert b"canary" not in reply.raw
    assert site.upstream_connections == 0


@pytest.mark.parametrize(
    "value",
    ["application/json", "APPLICATION/JSON", "application/json; charset=UTF-8", 'application/json;charset="utf8"'],
)
async def test_ways_to_say_json(site: Site, value: str) -> None:
    data = post(CHAT).replace(b"Content-Type: application/json", b"Content-Type: " + value.encode())

    assert (await send(site.url, data)).status == 200


async def test_a_compressed_bomb_is_not_unpacked(site: Site) -> None:
    bomb = gzip.compress(bytes(8 * 1024 * 1024))
    reply = await send(site.url, post(bomb, headers="Content-Encoding: gzip\r\n"))

    assert (reply.status, error_of(reply)["code"]) == (415, "unsupported_encoding")


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
async def test_a_body_over_the_limit_is_refused_with_the_limit(tmp_path: Path, announced: bool) -> None:
    async with (
        FakeUpstream() as up,
        running(tmp_path, two_kinds(up.url, up.url), more=", max_request_bytes: 1KiB") as gateway,
    ):
        for surface in ALL:
            body = surface.asked({"padding": "x" * 2000})
            data = post(body, path=surface.at())
            if not announced:
                head = data.removesuffix(body).replace(b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked")
                data = head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
            reply = await send(gateway.url, data)

            error = error_of(reply, surface.shape)
            assert (surface.name, reply.status, error["code"]) == (surface.name, 413, "request_too_large")
            assert "1024 bytes" in error["message"]
        assert up.connections == 0


async def test_an_oversized_body_is_refused_before_it_is_sent(site: Site) -> None:
    async with connected(site.url) as connection:
        await connection.write(post(headers="").replace(b"Content-Length: 0", b"Content-Length: 99999999999"))
        reply = await connection.reply()

    assert (reply.status, error_of(reply)["code"]) == (413, "request_too_large")


async def test_a_body_at_the_limit_passes(tmp_path: Path, site: Site) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    config = two_kinds(site.openai.url, site.anthropic.url)
    async with running(folder, config, more=f", max_request_bytes: {len(CHAT)}B") as gateway:
        assert (await send(gateway.url, post(CHAT))).status == 200
        assert (await send(gateway.url, post(CHAT + b" "))).status == 413
