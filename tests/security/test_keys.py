"""Client keys: the three header styles, wrong ones, rights, and that they stop at the gateway."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import costspan
from costspan.wire import json
from fakes.contract import error_of
from fakes.raw import connected, post, send
from fakes.surfaces import ALL, CHAT, Surface
from security.keys import CLIENT, EXPIRED, OTHER

if TYPE_CHECKING:
    from fakes.site import Site

RAW = Surface("a provider's own path", "/providers/one/v1/files", "openai")
WHOLE = [surface for surface in CHAT if not surface.name.startswith("stream") and surface.name != "responses"]
"""Those whose answer the fakes know whole."""
STYLES = ["Authorization: Bearer {}", "authorization: bearer {}", "x-api-key: {}", "x-goog-api-key: {}"]


def asked(model: str = "chat") -> bytes:
    return json.dumps({"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]})


def lines(*headers: str) -> str:
    return "".join(f"{header}\r\n" for header in headers)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("model", ["chat", "claude"])
async def test_a_key_is_known_in_each_style_and_goes_no_further(guarded: Site, style: str, model: str) -> None:
    for surface in WHOLE:
        reply = await send(
            guarded.url, post(surface.asked(model=model), path=surface.at(model), headers=lines(style.format(CLIENT)))
        )
        assert (surface.name, reply.status) == (surface.name, 200)
    upstream, header, own = (
        (guarded.openai, "authorization", "Bearer test-key-one")
        if model == "chat"
        else (guarded.anthropic, "x-api-key", "test-key-two")
    )
    assert len(upstream.requests) == len(WHOLE)
    for sent in upstream.requests:
        assert [value for name, value in sent.headers if name.lower() == header] == [own]
        assert CLIENT not in f"{sent.path} {sent.headers} {sent.body!r}"
    assert [record["key"] for record in guarded.gateway.records("exchange")] == ["client"] * len(WHOLE)


async def test_a_key_may_come_in_the_query_and_goes_no_further(guarded: Site) -> None:
    for surface in WHOLE:
        reply = await send(guarded.url, post(surface.asked(), path=f"{surface.at()}?key={CLIENT}"))

        assert (surface.name, reply.status) == (surface.name, 200)
        assert guarded.openai.requests[-1].path in {"/v1/chat/completions", "/v1/responses"}


async def test_the_same_key_twice_is_one(guarded: Site) -> None:
    headers = lines(f"Authorization: Bearer {CLIENT}", f"x-api-key: {CLIENT}")

    assert (await send(guarded.url, post(asked(), headers=headers))).status == 200


REFUSED: dict[str, tuple[str, str, int, str]] = {
    "56: none": ("", "", 401, "missing_api_key"),
    "57: a wrong one": (lines("Authorization: Bearer cs-canary"), "", 401, "invalid_api_key"),
    "57: an empty one": (lines("Authorization: Bearer "), "", 401, "invalid_api_key"),
    "57: an empty header": (lines("x-api-key:"), "", 401, "invalid_api_key"),
    "57: only the scheme": (lines("Authorization: Bearer"), "", 401, "invalid_api_key"),
    "57: no scheme": (lines(f"Authorization: {CLIENT}"), "", 401, "invalid_api_key"),
    "57: Basic": (lines("Authorization: Basic Y2FuYXJ5OmNhbmFyeQ=="), "", 401, "invalid_api_key"),
    "57: 8 000 characters": (lines("Authorization: Bearer " + "canary" * 1300), "", 401, "invalid_api_key"),
    "57: the right one and more": (lines(f"Authorization: Bearer {CLIENT}x"), "", 401, "invalid_api_key"),
    "57: the right one in capitals": (lines(f"Authorization: Bearer {CLIENT.upper()}"), "", 401, "invalid_api_key"),
    "57: two words": (lines(f"Authorization: Bearer {CLIENT} canary"), "", 401, "invalid_api_key"),
    "57: bytes beyond ASCII": (lines("x-api-key: \xff\xfe"), "", 401, "invalid_api_key"),
    "57: wrong, in the query": ("", "?key=canary", 401, "invalid_api_key"),
    "57: empty, in the query": ("", "?key=", 401, "invalid_api_key"),
    "57: surrogates in the query": ("", "?key=%ED%A0%80%FF", 401, "invalid_api_key"),
    "57: a hash instead": (lines(f"x-api-key: sha256:{'0' * 64}"), "", 401, "invalid_api_key"),
    "57: two headers disagree": (
        lines(f"Authorization: Bearer {CLIENT}", "x-api-key: cs-canary"),
        "",
        400,
        "ambiguous_credentials",
    ),
    "57: one header twice": (
        lines(f"x-api-key: {CLIENT}", f"x-api-key: {OTHER}"),
        "",
        400,
        "ambiguous_credentials",
    ),
    "57: header and query disagree": (lines(f"x-api-key: {CLIENT}"), "?key=canary", 400, "ambiguous_credentials"),
    "57: the query twice": ("", f"?key={CLIENT}&key=canary", 400, "ambiguous_credentials"),
    "expired": (lines(f"Authorization: Bearer {EXPIRED}"), "", 401, "invalid_api_key"),
}


@pytest.mark.parametrize(("headers", "query", "status", "code"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_key_that_is_not_good_is_refused_before_the_body_is_read(
    guarded: Site, headers: str, query: str, status: int, code: str
) -> None:
    for surface in (*ALL, RAW):
        async with connected(guarded.url) as connection:
            head = post(path=surface.at() + query, headers=headers)
            await connection.write(head.replace(b"Content-Length: 0", b"Content-Length: 1000"))  # its body never comes
            reply = await connection.reply()

        error = error_of(reply, surface.shape)
        assert (surface.name, reply.status, error["code"]) == (surface.name, status, code)
        assert reply.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)
        assert b"canary" not in reply.raw
        assert CLIENT.encode() not in reply.raw
    assert guarded.upstream_connections == 0
    assert guarded.gateway.records() == []


@pytest.mark.parametrize("target", ["/v1/models", "/v1/models/chat", "/v1/models?key=canary"])
async def test_the_list_of_models_needs_a_key(guarded: Site, target: str) -> None:
    reply = await send(guarded.url, f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    assert reply.status == 401
    assert error_of(reply)


async def test_a_key_sees_only_what_it_may_use(guarded: Site) -> None:
    def get(path: str) -> bytes:
        return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nx-api-key: {OTHER}\r\n\r\n".encode()

    listed = json.loads_object((await send(guarded.url, get("/v1/models"))).body)
    hidden = await send(guarded.url, get("/v1/models/chat"))

    assert [model["id"] for model in listed["data"]] == ["claude", "two/claude-fake"]
    assert (hidden.status, error_of(hidden)["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("headers", [[], ["x-costspan-route: chat"]], ids=["by model", "by header"])
async def test_a_route_that_the_key_may_not_use_is_forbidden(guarded: Site, headers: list[str]) -> None:
    model = "claude" if headers else "chat"
    for surface in ALL:
        body = surface.asked(model=model)
        data = post(body, path=surface.at(model), headers=lines(f"x-api-key: {OTHER}", *headers))
        reply = await send(guarded.url, data)

        error = error_of(reply, surface.shape)
        assert (surface.name, reply.status, error["code"]) == (surface.name, 403, "route_not_allowed")
    assert guarded.upstream_connections == 0


async def test_a_target_that_the_key_may_not_use_is_forbidden(guarded: Site) -> None:
    reply = await send(guarded.url, post(asked("one/gpt-fake"), headers=lines(f"x-api-key: {OTHER}")))
    allowed = await send(guarded.url, post(asked("two/any"), headers=lines(f"x-api-key: {OTHER}")))

    assert (reply.status, error_of(reply)["code"]) == (403, "route_not_allowed")
    assert allowed.status == 200


async def test_the_nearest_names_are_only_those_the_key_may_use(guarded: Site) -> None:
    reply = await send(guarded.url, post(asked("chatt"), headers=lines(f"x-api-key: {OTHER}")))

    assert b"nearest" not in reply.body


def test_digests_are_compared_in_constant_time_only() -> None:
    """A comparison with ==, != or `in` that mentions a digest outside the loading of files is a leak."""
    source = Path(costspan.__file__).parent
    found = [
        f"{path.name}:{node.lineno}"
        for path in [*(source / "server").glob("*.py"), source / "snapshot.py"]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Compare)
        and "digest" in ast.unparse(node)
        and ast.unparse(node) != "loaded.digest == self.loaded.digest"  # of the configuration, for a reload
    ]
    guard = ast.unparse(ast.parse((source / "server/guard.py").read_text()))

    assert found == []
    assert guard.count("compare_digest(") == 1
