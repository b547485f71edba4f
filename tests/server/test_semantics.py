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
from fakes.upstream import FakeUpstream
from fakes.upstream_answers import openai_stream

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.site import Site

TALK = [{"role": "user", "content": "hi"}]
BOTH = {"/v1/chat/completions": "openai", "/v1/messages": "anthropic"}
OPENAI = {"/v1/chat/completions": "openai"}
ANTHROPIC = {"/v1/messages": "anthropic"}


def asked(changes: dict[str, Any], model: str = "chat") -> bytes:
    """A good request with `changes`; a value of `...` leaves the field out."""
    body = {"model": model, "max_tokens": 9, "messages": TALK, **changes}
    return json.dumps({name: value for name, value in body.items() if value is not ...})


def talk(*messages: Any) -> dict[str, Any]:
    return {"messages": list(messages)}


BAD: dict[str, tuple[dict[str, Any], str, dict[str, str]]] = {
    "59: no model": ({"model": ...}, "missing_model", BOTH),
    **{
        f"59: model {name}": ({"model": value}, "missing_model", BOTH)
        for name, value in {
            "null": None,
            "a number": 5,
            "empty": "",
            "an object": {"a": "chat"},
            "of 10 KiB": "canary" * 1700,
            "of two lines": "chat\ncanary",
            "with NUL": "chat\0",
            "with an escape sequence": "\x1b[31mcanary",
            "with a line separator": "chat\u2028",
            "with a direction override": "chat\u202ecanary",
        }.items()
    },
    "60: no messages": ({"messages": ...}, "invalid_messages", BOTH),
    "60: messages null": ({"messages": None}, "invalid_messages", BOTH),
    "60: messages empty": ({"messages": []}, "invalid_messages", BOTH),
    "60: messages a string": ({"messages": "canary"}, "invalid_messages", BOTH),
    "60: messages an object": ({"messages": {"role": "user", "content": "canary"}}, "invalid_messages", BOTH),
    "60: 100 001 messages": ({"messages": TALK * 100_001}, "invalid_messages", BOTH),
    "60: an unknown role": (talk({"role": "canary", "content": "a"}), "invalid_messages", BOTH),
    "60: a role that is a list": (talk({"role": ["user"], "content": "a"}), "invalid_messages", BOTH),
    "60: a role that is an object": (talk({"role": {"a": 1}, "content": "a"}), "invalid_messages", BOTH),
    "60: content null": (talk({"role": "user", "content": None}), "invalid_messages", BOTH),
    "60: no content": (talk({"role": "user"}), "invalid_messages", BOTH),
    "60: content a number": (talk({"role": "user", "content": 5}), "invalid_messages", BOTH),
    "60: a message that is text": (talk("canary"), "invalid_messages", BOTH),
    "60: a message that is null": (talk(None), "invalid_messages", BOTH),
    "60: a part that is text": (talk({"role": "user", "content": ["canary"]}), "invalid_messages", OPENAI),
    "60: a part without a type": (talk({"role": "user", "content": [{"text": "canary"}]}), "invalid_messages", OPENAI),
    "61: stream a string": ({"stream": "true"}, "invalid_type", BOTH),
    "61: stream a number": ({"stream": 1}, "invalid_type", BOTH),
    "61: stream an object": ({"stream": {}}, "invalid_type", BOTH),
    **{
        f"62: max_tokens {value!r}": (
            {"max_tokens": value},
            "invalid_value",
            BOTH if value != 0 else OPENAI,  # Anthropic takes 0: it fills the prompt cache and answers nothing
        )
        for value in (-1, 0, 1.5, 2**63, 1e30, "10", True, [9])
    },
    "62: no max_tokens": ({"max_tokens": ...}, "invalid_value", ANTHROPIC),
    "62: max_completion_tokens": ({"max_completion_tokens": 0}, "invalid_value", OPENAI),
    "63: temperature text": ({"temperature": "hot"}, "invalid_value", BOTH),
    "63: temperature true": ({"temperature": True}, "invalid_value", BOTH),
    "63: a million choices": ({"n": 1_000_000}, "invalid_value", OPENAI),
    "63: no choice": ({"n": 0}, "invalid_value", OPENAI),
    "67: tools an object": ({"tools": {"canary": 1}}, "invalid_type", OPENAI),
    **{
        f"65: {name}": ({name: value}, "forbidden_parameter", BOTH)
        for name, value in {
            "api_base": "http://canary.example",
            "base_url": "http://canary.example",
            "api_key": "sk-canary",
            "custom_llm_provider": "canary",
            "extra_headers": {"x": "canary"},
        }.items()
    },
}
ALL = [
    pytest.param(path, dialect, changes, code, id=f"{name} {path}")
    for name, (changes, code, paths) in BAD.items()
    for path, dialect in paths.items()
]


@pytest.mark.parametrize(("path", "dialect", "changes", "code"), ALL)
async def test_a_wrong_field_is_named_streamed_or_not(
    site: Site, path: str, dialect: str, changes: dict[str, Any], code: str
) -> None:
    told = set()
    for stream in (False, True):
        for model in ("chat", "claude"):
            reply = await send(site.url, post(asked({"stream": stream, "model": model, **changes}), path=path))
            error = error_of(reply, dialect)
            assert (reply.status, error["code"]) == (400, code)
            assert error["param"].partition("[")[0] == next(iter(changes))
            assert b"canary" not in reply.raw
            told.add(error["message"])
    assert len(told) == 1
    assert site.upstream_connections == 0
    assert site.gateway.records() == []


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
@pytest.mark.parametrize(("path", "dialect"), BOTH.items())
async def test_an_unknown_model_is_not_found(site: Site, path: str, dialect: str, model: str, shown: str) -> None:
    reply = await send(site.url, post(asked({"model": model}), path=path))

    error = error_of(reply, dialect)
    assert (reply.status, error["code"], error["param"]) == (404, "model_not_found", "model")
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

    monkeypatch.setattr(site.gateway.gateway.state, "pick", broken)
    monkeypatch.setattr("costspan.server.admission.bodies.parse", broken)
    for path, dialect in BOTH.items():
        reply = await send(site.url, post(asked({}), path=path))

        assert (reply.status, error_of(reply, dialect)["code"]) == (500, "internal_error")
        assert b"canary" not in reply.raw
    assert (await send(site.url, b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")).status == 200
