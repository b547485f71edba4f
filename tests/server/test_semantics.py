"""Requests that are whole JSON and still wrong: section 3c of the notes. Limits and budgets come with their issue."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest

from costspan.wire import json
from fakes.contract import error_of
from fakes.gateway import running, two_kinds
from fakes.raw import connected, post, send
from fakes.surfaces import ALL, CHAT
from fakes.upstream import FakeUpstream
from fakes.upstream_answers import openai_stream
from server import wrong_fields

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fakes.site import Site
    from fakes.surfaces import Surface


STREAMED = [surface for surface in CHAT if not surface.names_model]
NAMED_BY_PATH = [surface for surface in ALL if surface.names_model]


def asked(changes: dict[str, Any], model: str = "chat") -> bytes:
    """A request for a chat completion."""
    return CHAT[0].asked(changes, model)


def talk(*messages: Any) -> dict[str, Any]:
    return {"messages": list(messages)}


ALL_WRONG = [
    pytest.param(surfaces, changes, code, id=name) for name, (changes, code, surfaces) in wrong_fields.BAD.items()
]


@pytest.mark.parametrize(("surfaces", "changes", "code"), ALL_WRONG)
async def test_a_wrong_field_is_named_streamed_or_not(
    site: Site, surfaces: Sequence[Surface], changes: dict[str, Any], code: str
) -> None:
    for surface in surfaces:
        told = set()
        flags: list[dict[str, Any]] = [{"stream": False}, {"stream": True}] if surface in STREAMED else [{}]
        for flag in flags:
            for model in ("chat", "claude"):
                body = surface.asked({**flag, **changes}, model)
                reply = await send(site.url, post(body, path=surface.at(model)))
                error = error_of(reply, surface.shape)
                assert (surface.name, reply.status, error["code"]) == (surface.name, 400, code)
                assert error["param"].partition("[")[0].partition(".")[0] == next(iter(changes))
                assert b"canary" not in reply.raw
                told.add(error["message"])
        assert len(told) == 1
    assert site.upstream_connections == 0
    assert site.gateway.records() == []


@pytest.mark.parametrize(
    "model",
    ["%0a", "chat%0d%0aX-Canary:%20a", "%00", "chat%E2%80%A8", "%E2%80%AEtahc", "%1b[31m", "canary" * 100],
)
async def test_a_model_in_the_path_is_as_strict_as_one_in_the_body(site: Site, model: str) -> None:
    for surface in NAMED_BY_PATH:
        reply = await send(site.url, post(surface.asked(), path=surface.path.replace("{model}", model)))

        error = error_of(reply, surface.shape)
        assert (surface.name, reply.status, error["code"]) == (surface.name, 400, "missing_model")
        assert b"canary" not in reply.raw.lower()
    assert site.upstream_connections == 0


@pytest.mark.parametrize(
    "model",
    [
        "..",
        "../chat",
        "%2e%2e",
        "%2e%2e/chat",
        "..%2fchat",
        "chat%2f..",
        "nobody",
        "%80",
        "c%68ta",
        "one",
        "one/",
        "%252e",
    ],
)
async def test_a_model_in_the_path_is_a_name_and_no_path(site: Site, model: str) -> None:
    for surface in NAMED_BY_PATH:
        reply = await send(site.url, post(surface.asked(), path=surface.path.replace("{model}", model)))

        error = error_of(reply, surface.shape)
        assert (surface.name, reply.status, error["code"]) == (surface.name, 404, "model_not_found")
    assert site.upstream_connections == 0


async def test_a_path_of_10_kb_is_too_long(site: Site) -> None:
    for surface in NAMED_BY_PATH:
        reply = await send(site.url, post(surface.asked(), path=surface.at("canary" * 1700)))

        assert (reply.status, error_of(reply, surface.shape if "beta" in surface.path else "openai")["code"]) == (
            414,
            "uri_too_long",
        )
        assert b"canary" not in reply.raw


async def test_what_the_body_says_of_model_and_stream_is_nothing_where_the_path_says_it(site: Site) -> None:
    for surface in NAMED_BY_PATH:
        if surface.name.endswith("generateContent"):
            said = {"model": "claude", "stream": "canary"}
            assert (await send(site.url, post(surface.asked(said), path=surface.at()))).status == 200
    assert site.anthropic.connections == 0
    assert {json.loads_object(sent.body)["model"] for sent in site.openai.requests} == {"gpt-fake"}


async def test_a_stream_of_null_is_none(site: Site) -> None:
    assert (await send(site.url, post(asked({"stream": None})))).status == 200


UNKNOWN: dict[str, tuple[str, str]] = {
    "one like a route": ("chta", "'chta'"),
    "a look-alike": ("ch\u0430t", "'ch?t'"),
    "a path": ("../x", "'../x'"),
    "a provider that is not there": ("three/gpt", "'three/gpt'"),
    "a provider without a model": ("one/", "'one/'"),
    "a URL": ("http://evil.example/v1", "'http://evil.example/v1'"),
    "200 characters": ("y" * 200, f"'{'y' * 64}'"),
    "markup": ("<script>alert(1)</script>", "'<script>alert(1)</script>'"),
}


@pytest.mark.parametrize(("model", "shown"), UNKNOWN.values(), ids=UNKNOWN.keys())
async def test_an_unknown_model_is_not_found(site: Site, model: str, shown: str) -> None:
    for surface in ALL:
        reply = await send(site.url, post(surface.asked(model=model), path=surface.at(model)))

        error = error_of(reply, surface.shape)
        assert (surface.name, reply.status, error["code"]) == (surface.name, 404, "model_not_found")
        assert error["param"] == "model"
        assert error["message"].startswith(f"no route or target has this model name ({shown})")
        assert len(error["message"]) < 400
    assert site.upstream_connections == 0


async def test_the_nearest_names_are_shown(site: Site) -> None:
    reply = await send(site.url, post(asked({"model": "chatt"})))

    assert error_of(reply)["message"] == "no route or target has this model name ('chatt'); nearest: chat"


async def test_a_header_that_names_an_unknown_route_is_not_found(site: Site) -> None:
    reply = await send(site.url, post(asked({}), headers="x-costspan-route: http://evil.example\r\n"))

    assert (reply.status, error_of(reply)["code"]) == (404, "model_not_found")


async def test_an_unknown_field_passes_in_its_own_dialect(site: Site) -> None:
    reply = await send(site.url, post(asked({"some_new_field": {"a": [1, 2]}})))

    assert reply.status == 200
    assert json.loads_object(site.openai.requests[0].body)["some_new_field"] == {"a": [1, 2]}


async def test_an_unknown_field_is_named_when_the_other_dialect_has_no_such(site: Site) -> None:
    reply = await send(site.url, post(asked({"model": "claude", "some_new_field": 1, "seed": 5})))

    assert reply.status == 200
    assert {"some_new_field", "seed"} <= set(reply.headers["x-costspan-dropped"].split(","))
    assert b"some_new_field" not in site.anthropic.requests[0].body


async def test_what_may_not_be_dropped_is_refused(site: Site) -> None:
    more = {"model": "claude", "seed": 5, "provider": {"require_parameters": True}}
    for changes in ({"model": "claude", "n": 2}, more):
        reply = await send(site.url, post(asked(changes)))

        assert (reply.status, error_of(reply)["code"]) == (400, "unsupported_parameter")
    assert site.anthropic.connections == 0


async def test_the_wish_to_lose_nothing_is_itself_nothing_to_lose(site: Site) -> None:
    reply = await send(site.url, post(asked({"model": "claude", "provider": {"require_parameters": True}})))

    assert reply.status == 200
    assert "x-costspan-dropped" not in reply.headers
    assert b"provider" not in site.anthropic.requests[0].body


URLS = [
    "http://127.0.0.1:{port}/a.png",
    "http://localhost:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "file:///etc/passwd",
]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("model", ["chat", "claude"])
async def test_an_image_address_is_never_fetched(site: Site, url: str, model: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.setblocking(False)
        address = url.format(port=trap.getsockname()[1])
        part = {"type": "image_url", "image_url": {"url": address}}
        reply = await send(site.url, post(asked({"model": model, **talk({"role": "user", "content": [part]})})))

        with pytest.raises(BlockingIOError):
            trap.accept()
    assert reply.status in {200, 400}


async def test_a_recursive_schema_is_passed_and_not_resolved(site: Site) -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "http://127.0.0.1:9/x"}}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
    for model, upstream in (("chat", site.openai), ("claude", site.anthropic)):
        assert (await send(site.url, post(asked({"model": model, "tools": tools})))).status == 200
        assert json.dumps(schema) in upstream.requests[0].body


TAGS: dict[str, tuple[str, str]] = {
    "plain": ("billing", "billing"),
    "escaped CR and LF": ("a%0d%0ax: y", "invalid"),
    "an escape sequence": ("a%1b[31m", "invalid"),
    "NUL": ("%00", "invalid"),
    "no UTF-8": ("%80", "invalid"),
    "a line separator": ("%E2%80%A8", "invalid"),
    "long": ("x" * 3000, "x" * 256),
    "fake JSON": ("%22,%22cost_usd%22:%220", '","cost_usd":"0'),
}


@pytest.mark.parametrize(("given", "kept"), TAGS.values(), ids=TAGS.keys())
@pytest.mark.parametrize("header", ["x-costspan-tags", "baggage"])
async def test_a_tag_is_kept_clean(tmp_path: Path, site: Site, header: str, given: str, kept: str) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    config = two_kinds(site.openai.url, site.anthropic.url) + "attribution: {attributes: [team]}\n"
    async with running(folder, config) as gateway:
        given = given.replace(",", "%2C")
        reply = await send(gateway.url, post(asked({}), headers=f"{header}: team={given},other=1\r\n"))
        (exchange,) = gateway.records("exchange")

    assert reply.status == 200
    assert exchange["attributes"]["team"] == kept
    assert "other" not in exchange["attributes"]


async def test_an_attribution_header_is_kept_clean(tmp_path: Path, site: Site) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    config = (
        two_kinds(site.openai.url, site.anthropic.url) + "attribution: {attributes: [team], headers: {x-team: team}}\n"
    )
    async with running(folder, config) as gateway:
        data = post(asked({})).replace(b"Content-Type", b"X-Team: a\x80b\r\nContent-Type")
        assert (await send(gateway.url, data)).status == 200
        (exchange,) = gateway.records("exchange")

    assert exchange["attributes"]["team"] == "invalid"


TRACES = [
    "garbage",
    "00-" + "0" * 32 + "-" + "1" * 16 + "-01",
    "ff-" + "1" * 32 + "-" + "1" * 16 + "-01",
    "00-xyz",
    "00",
]


@pytest.mark.parametrize("value", TRACES)
async def test_a_bad_traceparent_begins_a_new_trace(site: Site, value: str) -> None:
    assert (await send(site.url, post(asked({}), headers=f"traceparent: {value}\r\n"))).status == 200
    (exchange,) = site.gateway.records("exchange")
    assert len(exchange["trace_id"]) == 32
    assert exchange["trace_id"] not in value


async def test_over_the_cap_requests_are_refused_before_their_body_is_read(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with (
        FakeUpstream(openai_stream(("a", gate, "b"))) as up,
        running(tmp_path, two_kinds(up.url, up.url), more=", max_in_flight: 1") as gateway,
        connected(gateway.url) as first,
        connected(gateway.url) as second,
    ):
        await first.write(post(asked({"stream": True})))
        await up.received(1)
        head = post(asked({}), path="/v1/messages").replace(b"Content-Length: ", b"Content-Length: 1000")
        await second.write(head)  # its body never comes
        refused = await second.reply()
        gate.set()
        answered = await first.reply()
        after = await send(gateway.url, post(asked({"model": "unknown"})))

        assert (refused.status, error_of(refused, "anthropic")["code"]) == (503, "overloaded")
        assert refused.headers["retry-after"] == "1"
        assert answered.status == 200
        assert after.status == 404  # there is room again
        assert len(up.requests) == 1


async def test_while_stopping_requests_are_refused_and_connections_closed(site: Site) -> None:
    async with connected(site.url) as connection:
        await connection.write(post(asked({"model": "unknown"})))
        assert (await connection.reply()).status == 404
        site.gateway.gateway.state.stopping = True
        await connection.write(post(asked({}), path="/v1/messages"))
        reply = await connection.reply()

        assert (reply.status, error_of(reply, "anthropic")["code"]) == (503, "shutting_down")
        assert reply.headers["connection"] == "close"
        assert await connection.rest() == b""


async def test_a_fault_of_ours_is_a_500_that_tells_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("canary: secret")

    monkeypatch.setattr(site.gateway.gateway.state, "sample", broken)
    monkeypatch.setattr("costspan.server.admission.bodies.parse", broken)
    for surface in ALL:
        reply = await send(site.url, post(surface.asked(), path=surface.at()))

        assert (reply.status, error_of(reply, surface.shape)["code"]) == (500, "internal_error")
        assert b"canary" not in reply.raw
    assert (await send(site.url, b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")).status == 200
