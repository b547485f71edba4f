"""Forms that are none, or that two readers could read in two ways: nothing of them is acted on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fakes.contract import error_of
from fakes.gateway import running, two_kinds
from fakes.raw import connected, post, send
from fakes.surfaces import ALL, FORMS, PASSED
from fakes.upstream import Answer, FakeUpstream

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.site import Site

PLAIN = "multipart/form-data; boundary=x"
SOUND = bytes(range(256)) * 40


def part(disposition: str, value: bytes = b"canary", more: str = "", boundary: str = "x") -> bytes:
    head = f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n{more}\r\n"
    return head.encode("latin-1") + value + b"\r\n"


def model(value: bytes = b"chat") -> bytes:
    return part('name="model"', value)


FILE = part('name="file"; filename="canary.wav"', SOUND, "Content-Type: audio/wav\r\n")
END = b"--x--\r\n"
GOOD = model() + FILE + END


def form(body: bytes, path: str = "/v1/audio/transcriptions", kind: str = PLAIN, headers: str = "") -> bytes:
    data = post(body, path=path, headers=headers)
    return data.replace(b"Content-Type: application/json", b"Content-Type: " + kind.encode("latin-1"), 1)


KINDS: dict[str, str] = {
    "no boundary": "multipart/form-data",
    "an empty boundary": "multipart/form-data; boundary=",
    "an empty boundary in quotes": 'multipart/form-data; boundary=""',
    "two boundaries": "multipart/form-data; boundary=x; boundary=y",
    "two boundaries that are one": "multipart/form-data; boundary=x; boundary=x",
    "a boundary of 71 characters": f"multipart/form-data; boundary={'x' * 71}",
    "a boundary that ends in a space": 'multipart/form-data; boundary="x "',
    "a boundary with a quote": 'multipart/form-data; boundary="x\\"y"',
    "a boundary beyond ASCII": "multipart/form-data; boundary=\xe9",
    "a boundary with a control character": 'multipart/form-data; boundary="x\ty"',
    "an encoded boundary": "multipart/form-data; boundary*=utf-8''x",
    "nearly a form": "multipart/form-datax; boundary=x",
    "a comma": "multipart/form-data, boundary=x",
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
async def test_a_form_without_one_boundary_is_refused(site: Site, kind: str) -> None:
    for surface in FORMS:
        reply = await send(site.url, form(GOOD, surface.path, kind))

        assert (surface.name, reply.status, error_of(reply)["code"]) == (surface.name, 400, "bad_framing")
        assert b"canary" not in reply.raw
    assert site.upstream_connections == 0


BAD: dict[str, bytes] = {
    "nothing": b"",
    "another boundary": GOOD.replace(b"--x", b"--y"),
    "words before the first boundary": b"canary\r\n" + GOOD,
    "bare LF": GOOD.replace(b"\r\n", b"\n"),
    "something after a boundary": GOOD.replace(b"--x\r\n", b"--x canary\r\n", 1),
    "a boundary that goes on": GOOD.replace(b"--x\r\n", b"--xx\r\n", 1),
    "no end": model() + part('name="file"', b"x")[:-2],
    "cut off in a header": b"--x\r\nContent-Disposition: form-data; na",
    "cut off in a field": model(b"ch")[:-3],
    "no disposition": b"--x\r\nContent-Type: text/plain\r\n\r\ncanary\r\n" + GOOD,
    "two dispositions": b'--x\r\nContent-Disposition: form-data; name="model"\r\n' + model()[5:] + END,
    "another disposition": GOOD.replace(b"form-data; name=", b"attachment; name=", 1),
    "no name": part("filename=canary") + GOOD,
    "an empty name": part('name=""') + GOOD,
    "two names": part('name="model"; name="user"', b"chat") + END,
    "an encoded name": part("name*=utf-8''model", b"chat") + END,
    "both names": part("name=\"user\"; name*=utf-8''model", b"chat") + END,
    "a name that does not end": part('name="model', b"chat") + END,
    "CR and LF in a name": part('name="a\r\nX-Canary: b"') + GOOD,
    "LF in a name": part('name="a\nb"') + GOOD,
    "NUL in a name": part('name="a\0b"') + GOOD,
    "a header beyond ASCII in its name": part('name="a"', more="X-\xe9: canary\r\n") + GOOD,
    "a folded header": part('name="a"', more="X: a\r\n canary\r\n") + GOOD,
    "headers of 9 kB": part('name="a"', more=f"X: {'canary' * 1500}\r\n") + GOOD,
    "no empty line": b'--x\r\nContent-Disposition: form-data; name="model"\r\n' + GOOD,
    "the model twice": model() + model() + FILE + END,
    "another model after it": model() + model(b"claude") + FILE + END,
    "the model as a file": part('name="model"; filename="canary"', b"chat") + FILE + END,
    "the model as a file with an encoded name": part("name=\"model\"; filename*=utf-8''a", b"chat") + FILE + END,
    "stream twice": model() + part('name="stream"', b"true") + part('name="stream"', b"false") + FILE + END,
    "10 000 fields": b"".join(part(f'name="f{number}"') for number in range(10_000)) + GOOD,
    "10 000 files": b"".join(part(f'name="f"; filename="{number}"', b"") for number in range(10_000)) + GOOD,
    "a field of 100 kB": part('name="prompt"', b"canary" * 20_000) + GOOD,
    "a field that is no UTF-8": part('name="prompt"', b"\xffcanary") + GOOD,
    "JSON": b'{"model":"chat"}',
}


@pytest.mark.parametrize("framing", ["announced", "chunked"])
@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
async def test_a_form_that_is_none_is_refused_before_anything_is_asked(site: Site, body: bytes, framing: str) -> None:
    for surface in FORMS:
        data = form(body, surface.path)
        if framing == "chunked":
            head = data.removesuffix(body).replace(b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked")
            data = head + (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
        reply = await send(site.url, data)

        assert (surface.name, reply.status, error_of(reply)["code"]) == (surface.name, 400, "bad_framing")
        assert reply.headers["connection"] == "close"
        assert b"canary" not in reply.raw.lower()
    assert site.upstream_connections == 0
    assert site.gateway.records() == []


LATE: dict[str, bytes] = {
    "cut off in its last boundary": GOOD[:-5],
    "what begins like a boundary in the file": model() + FILE.replace(SOUND, b"a\r\n--xy") + END,
    "cut off in the file": (model() + FILE)[:-20],
    "no closing boundary": model() + FILE,
    "the model again after the file": model() + FILE + model() + END,
    "the model as a file after the file": model() + FILE + part('name="model"; filename="a"') + END,
    "a second part that is none": model() + FILE + b"--x\r\n\r\ncanary\r\n" + END,
    "300 files": model() + FILE + part('name="f"; filename="a"') * 300 + END,
}


@pytest.mark.parametrize("body", LATE.values(), ids=LATE.keys())
async def test_a_form_that_breaks_after_its_file_began_never_looks_whole(site: Site, body: bytes) -> None:
    for number, surface in enumerate(FORMS, start=1):
        data = form(body, surface.path)
        head = data.removesuffix(body).replace(b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked")
        reply = await send(site.url, head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))

        assert (surface.name, reply.status, error_of(reply)["code"]) == (surface.name, 400, "bad_framing")
        assert b"canary" not in reply.raw
        assert len(site.gateway.records("exchange")) in {0, number}
    assert [sent for sent in site.openai.requests if sent.complete.is_set()] == []
    started, ended = site.gateway.records("attempt_started"), site.gateway.records("attempt")
    assert {record["id"] for record in started} <= {record["id"] for record in ended}
    assert {record["outcome"] for record in ended} <= {"failed"}


FIELDS: dict[str, tuple[bytes, int, str, str | None]] = {
    "no model": (FILE + END, 400, "missing_model", "model"),
    "an empty model": (model(b"") + FILE + END, 400, "missing_model", "model"),
    "a model of two lines": (model(b"chat\r\nX-Canary: b") + FILE + END, 400, "missing_model", "model"),
    "a model with NUL": (model(b"chat\0") + FILE + END, 400, "missing_model", "model"),
    "a model of 10 kB": (model(b"canary" * 1700) + FILE + END, 400, "missing_model", "model"),
    "an unknown model": (model(b"nobody") + FILE + END, 404, "model_not_found", "model"),
    "a path as a model": (model(b"one/..") + FILE + END, 404, "model_not_found", "model"),
    "a stream that is a word": (model() + part('name="stream"') + FILE + END, 400, "invalid_type", "stream"),
    **{
        name: (model() + part(f'name="{name}"') + FILE + END, 400, "forbidden_parameter", name)
        for name in ("api_base", "base_url", "api_key", "custom_llm_provider", "extra_headers")
    },
}


@pytest.mark.parametrize(("body", "status", "code", "param"), FIELDS.values(), ids=FIELDS.keys())
async def test_a_wrong_field_of_a_form_is_named(
    site: Site, body: bytes, status: int, code: str, param: str | None
) -> None:
    for surface in FORMS:
        reply = await send(site.url, form(body, surface.path))

        error = error_of(reply)
        assert (surface.name, reply.status, error["code"], error["param"]) == (surface.name, status, code, param)
        assert b"canary" not in reply.raw.lower()
    assert site.upstream_connections == 0


TOLD = Answer(body=b'{"text":"hello"}')
CLEAR: dict[str, tuple[bytes, str]] = {
    "the boundary in the file": (model() + FILE.replace(SOUND, b"a--x\r\n--\r\n-x--x--\n--x") + END, PLAIN),
    "what looks like a part in the file": (
        model() + FILE.replace(SOUND, b"\n--x\nContent-Disposition: form-data; name=model\n\nclaude\n--x--\n") + END,
        PLAIN,
    ),
    "the model's head in the file": (model() + FILE.replace(SOUND, b"\r\n\r\n" + model(b"claude")[3:]) + END, PLAIN),
    "a file of nothing": (model() + part('name="file"; filename=""', b"") + END, PLAIN),
    "a boundary in quotes": (GOOD, 'multipart/form-data; boundary="x"'),
    "a charset before the boundary": (GOOD, "Multipart/Form-Data; charset=utf-8; Boundary=x"),
    "words after the end": (GOOD + b"\r\n--x\r\n" + model(b"claude"), PLAIN),
    "a field named like a header": (part('name="Authorization: Bearer a"', b"a") + GOOD, PLAIN),
    "an escaped name": (part('name="a%0d%0aX-Canary: b"', b"a") + GOOD, PLAIN),
    "64 kB in a field": (part('name="prompt"', b"x" * 65536) + GOOD, PLAIN),
}


@pytest.mark.parametrize(("body", "kind"), CLEAR.values(), ids=CLEAR.keys())
async def test_a_form_that_is_only_odd_passes_to_the_one_model_that_it_names(
    tmp_path: Path, body: bytes, kind: str
) -> None:
    async with (
        FakeUpstream(TOLD, reads=True) as one,
        FakeUpstream(TOLD, reads=True) as two,
        running(tmp_path, two_kinds(one.url, two.url)) as gateway,
    ):
        reply = await send(gateway.url, form(body, kind=kind))

        assert (reply.status, reply.body) == (200, b'{"text":"hello"}')
        (sent,) = one.requests
        assert sent.body == body.replace(model(), model(b"gpt-fake"), 1)
        assert not [name for name, _ in sent.headers if "canary" in name.lower()]
        assert sent.header("authorization") == "Bearer test-key-one"
        assert two.requests == []


@pytest.mark.parametrize("where", ["before the file", "in the file"])
async def test_a_form_over_the_limit_is_refused(tmp_path: Path, where: str) -> None:
    large = part('name="file"; filename="a"', b"x" * 4000)
    body = model() + large + END if where == "in the file" else large + model() + END
    async with (
        FakeUpstream(TOLD, reads=True) as upstream,
        running(tmp_path, two_kinds(upstream.url, upstream.url), more=", max_request_bytes: 1KiB") as gateway,
    ):
        for surface in FORMS:
            announced = form(body, surface.path)
            chunked = announced.removesuffix(body).replace(
                b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked"
            )
            for data in (announced, chunked + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)):
                reply = await send(gateway.url, data)

                assert (surface.name, reply.status) == (surface.name, 413)
                assert error_of(reply)["code"] == "request_too_large"
        assert upstream.requests == []


@pytest.mark.parametrize("announced", [-10, 10])
async def test_a_form_that_is_not_as_long_as_announced_is_no_request(site: Site, announced: int) -> None:
    """Shorter: it is cut off, and what follows is no request of ours. Longer: the rest never comes."""
    data = form(GOOD).replace(b"Content-Length: %d" % len(GOOD), b"Content-Length: %d" % (len(GOOD) + announced))
    async with connected(site.url) as connection:
        await connection.write(data)
        connection.half_close()
        answer = await connection.rest()

    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert [sent for sent in site.openai.requests if sent.complete.is_set()] == []


async def test_only_formats_that_have_files_take_forms(site: Site) -> None:
    """A page of any origin may send a form without asking first: the fewer paths take one, the better."""
    for surface in ALL:
        if surface in FORMS:
            continue
        reply = await send(site.url, form(GOOD, surface.at()))

        assert (surface.name, reply.status, error_of(reply, surface.shape)["code"]) == (
            *(surface.name, 415, "unsupported_media_type"),
        )
    assert site.upstream_connections == 0


@pytest.mark.parametrize("surface", PASSED, ids=str)
@pytest.mark.parametrize("headers", ["Origin: https://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n"])
async def test_a_page_may_not_send_a_form(site: Site, surface: object, headers: str) -> None:
    reply = await send(site.url, form(GOOD, getattr(surface, "path", ""), headers=headers))

    assert (reply.status, error_of(reply)["code"]) == (403, "origin_not_allowed")
    assert site.upstream_connections == 0
