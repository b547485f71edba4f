"""/admin/*: who may ask, and what they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from multidict import CIMultiDict

from costspan.errors import ClientError
from costspan.server.admin import _authorize
from costspan.wire import json
from fakes.contract import error_of
from fakes.gateway import running, two_kinds
from fakes.raw import send
from fakes.upstream import Answer, FakeUpstream
from fakes.upstream_answers import openai_reply, openai_stream

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.gateway import Running
    from fakes.site import Site

TOKEN = "an-admin-token"
NOWHERE = two_kinds("http://127.0.0.1:9", "http://127.0.0.1:9")
WITH_TOKEN = NOWHERE + 'admin: {token: "${ADMIN}"}\n'


def get(path: str, *headers: str, host: str = "localhost", method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", *headers, "", ""]).encode()


async def ask(gateway: Running, **more: Any) -> str:
    """One request to the route `chat`; its id."""
    body = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}], **more}
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{gateway.url}/v1/chat/completions", json=body) as response,
    ):
        await response.read()
        return response.headers["x-request-id"]


async def told(gateway: Running, path: str) -> dict[str, Any]:
    reply = await send(gateway.url, get(path))
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json; charset=utf-8")
    return json.loads_object(reply.body)


# Who may ask.


async def test_on_loopback_without_a_token_it_is_open(site: Site) -> None:
    assert (await send(site.url, get("/admin/targets"))).status == 200


@pytest.mark.parametrize(
    ("headers", "host", "code"),
    [
        ((), "evil.example", "host_not_allowed"),
        (("Origin: http://evil.example",), "localhost", "origin_not_allowed"),
        (("Origin: http://page.example",), "localhost", "origin_not_allowed"),
        (("Origin: null",), "localhost", "origin_not_allowed"),
        (("Sec-Fetch-Site: cross-site",), "localhost", "origin_not_allowed"),
        (("Sec-Fetch-Site: same-site",), "localhost", "origin_not_allowed"),
        (("X-Forwarded-For: 10.0.0.7",), "localhost", "admin_token_not_set"),
        (("X-Forwarded-Proto: https",), "localhost", "admin_token_not_set"),
        (("x-forwarded-host: gateway.example",), "localhost", "admin_token_not_set"),
        (("CF-Connecting-IP: 10.0.0.7",), "localhost", "admin_token_not_set"),
        (("Via: 1.1 proxy",), "localhost", "admin_token_not_set"),
    ],
)
async def test_neither_web_pages_nor_those_behind_a_proxy_get_in(
    tmp_path: Path, headers: tuple[str, ...], host: str, code: str
) -> None:
    async with running(tmp_path, NOWHERE, more=', allowed_origins: ["http://page.example"]') as gateway:
        reply = await send(gateway.url, get("/admin/targets", *headers, host=host))

    assert (reply.status, error_of(reply)["code"]) == (403, code)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("Authorization: Bearer wrong",),
        ("Authorization: Basic an-admin-token",),
        ("X-Api-Key: an-admin-token",),
        ("Authorization: Bearer an-admin-token", "Authorization: Bearer other"),
        ("Authorization: Bearer",),
    ],
)
async def test_with_a_token_nothing_else_opens_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, headers: tuple[str, ...]
) -> None:
    monkeypatch.setenv("ADMIN", TOKEN)
    async with running(tmp_path, WITH_TOKEN) as gateway:
        reply = await send(gateway.url, get("/admin/targets", *headers))

    assert (reply.status, error_of(reply)["code"]) == (401, "invalid_admin_token")
    assert reply.headers["www-authenticate"] == "Bearer"


async def test_the_token_opens_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN", TOKEN)
    async with running(tmp_path, WITH_TOKEN) as gateway:
        reply = await send(gateway.url, get("/admin/targets", "Authorization: bearer an-admin-token"))

    assert reply.status == 200


async def test_a_client_key_is_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN", TOKEN)
    hashed = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    keys = f'keys: [{{name: test, hash: "sha256:{hashed}"}}]\n'
    async with running(tmp_path, WITH_TOKEN + keys) as gateway:
        models = await send(gateway.url, get("/v1/models", "Authorization: Bearer test"))
        reply = await send(gateway.url, get("/admin/targets", "Authorization: Bearer test"))

    assert (models.status, reply.status) == (200, 401)


@pytest.mark.parametrize("local", [None, "127.0.0.1", "::1"])
def test_this_machine_needs_no_token(local: str | None) -> None:
    _authorize(CIMultiDict(), None, local)


@pytest.mark.parametrize("local", ["10.0.0.7", "2001:db8::1", "0.0.0.0"])
def test_an_address_that_others_can_reach_needs_one(local: str) -> None:
    with pytest.raises(ClientError) as refused:
        _authorize(CIMultiDict(), None, local)

    assert (refused.value.status, refused.value.code) == (403, "admin_token_not_set")


# Where it is.


async def test_with_a_listener_of_its_own_it_is_only_there(tmp_path: Path) -> None:
    async with running(tmp_path, NOWHERE + "admin: {listen: '127.0.0.1:0'}\n") as gateway:
        admin, main = gateway.gateway.addresses()
        there = await send(f"http://{admin}", get("/admin/targets"))
        named = await send(f"http://{admin}", get("/admin/targets", host="evil.example"))
        here = await send(f"http://{main}", get("/admin/targets"))

    assert (there.status, named.status) == (200, 403)
    assert (here.status, error_of(here)["message"]) == (404, "it is at the address of admin.listen")


async def test_it_answers_when_there_is_no_room_for_requests(tmp_path: Path) -> None:
    async with running(tmp_path, NOWHERE, more=", max_in_flight: 1") as gateway:
        with gateway.gateway.state.counted():
            assert (await send(gateway.url, get("/admin/targets"))).status == 200


@pytest.mark.parametrize("path", ["/admin/", "/admin/x", "/admin/targets/", "/admin/explain", "/admin/explain/"])
async def test_there_is_nothing_else(site: Site, path: str) -> None:
    reply = await send(site.url, get(path))

    assert (reply.status, error_of(reply)["code"]) == (404, "not_found")


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "DELETE"])
async def test_it_is_for_reading(site: Site, method: str) -> None:
    reply = await send(site.url, get("/admin/targets", method=method))

    assert (reply.status, reply.headers["allow"]) == (405, "GET")


# What is told.


async def test_an_exchange_is_explained(tmp_path: Path) -> None:
    config = """
defaults: {{retries: 0}}
providers:
  a: {{kind: openai, base_url: "{down}/v1", api_key: test-key-a}}
  b: {{kind: openai, base_url: "{up}/v1", api_key: test-key-b}}
routes: {{chat: {{strategy: cheapest, targets: [a/m, b/m]}}}}
"""
    async with (
        FakeUpstream(Answer(status=503, body=b"{}")) as down,
        FakeUpstream(openai_reply()) as up,
        running(tmp_path, config.format(down=down.url, up=up.url)) as gateway,
    ):
        exchange_id = await ask(gateway)
        shown = await told(gateway, f"/admin/explain/{exchange_id}")

    assert (shown["exchange_id"], shown["route"], shown["strategy"]) == (exchange_id, "chat", "cheapest")
    assert shown["plan"] == [{"targets": ["a/m"], "race": None}, {"targets": ["b/m"], "race": None}]
    assert [(each["target"], each["place"], each["rank"]) for each in shown["candidates"]] == [
        ("a/m", 1, "fine"),
        ("b/m", 2, "fine"),
    ]
    assert [(each["target"], each["outcome"], each["http_status"], each["answered"]) for each in shown["attempts"]] == [
        ("a/m", "failed", 503, False),
        ("b/m", "ok", 200, True),
    ]
    assert (shown["outcome"], shown["http_status"], shown["answered_by"]) == ("ok", 200, "b/m")
    assert shown["cost_usd"] == "0.000042"


async def test_a_stream_that_a_race_decided_is_explained(tmp_path: Path) -> None:
    config = """
providers:
  a: {{kind: openai, base_url: "{up}/v1", api_key: test-key-a}}
  b: {{kind: openai, base_url: "{up}/v1", api_key: test-key-b}}
routes: {{chat: {{strategy: race, race: {{after: 0s}}, targets: [a/m, b/m]}}}}
"""
    async with FakeUpstream(lambda _: openai_stream()) as up, running(tmp_path, config.format(up=up.url)) as gateway:
        shown = await told(gateway, f"/admin/explain/{await ask(gateway, stream=True)}")

    assert shown["plan"] == [
        {
            "targets": ["a/m", "b/m"],
            "race": {"after": 0.0, "max_parallel": 2, "losers": "cancel", "max_extra_usd": None},
        }
    ]
    assert sorted(each["outcome"] for each in shown["attempts"]) == ["lost_race", "ok"]
    assert shown["answered_by"] in {"a/m", "b/m"}


async def test_a_request_that_nobody_could_serve_is_explained(tmp_path: Path) -> None:
    async with FakeUpstream() as up, running(tmp_path, two_kinds(up.url, up.url)) as gateway:
        body = {"model": "claude", "n": 2, "messages": [{"role": "user", "content": "Hello"}]}
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{gateway.url}/v1/chat/completions", json=body) as response,
        ):
            exchange_id = response.headers["x-request-id"]
        shown = await told(gateway, f"/admin/explain/{exchange_id}")

    (candidate,) = shown["candidates"]
    assert (shown["outcome"], shown["http_status"], shown["error_type"]) == ("failed", 400, "unsupported_parameter")
    assert (candidate["target"], shown["attempts"]) == ("two/claude-fake", [])
    assert candidate["untranslatable"] == "anthropic-messages gives one choice only"


async def test_an_exchange_that_is_not_known_is_not_found(site: Site) -> None:
    reply = await send(site.url, get("/admin/explain/cs_0"))

    assert (reply.status, error_of(reply)["code"]) == (404, "not_found")
    assert error_of(reply)["message"] == ("no exchange of this id is among the last 1000 that this process has ended")


async def test_targets_are_told_with_their_health_and_their_accounts_with_their_keys(tmp_path: Path) -> None:
    config = """
defaults: {{retries: 0}}
providers:
  a: {{kind: openai, base_url: "{down}/v1", api_keys: [test-key-1, test-key-2], max_concurrency: 3}}
  b: {{kind: openai, base_url: "{up}/v1", api_key: test-key-b}}
  local: {{kind: openai-compatible, base_url: "{up}/v1"}}
routes: {{chat: {{targets: [a/m, b/m]}}}}
"""
    answers = [Answer(status=503, body=b"{}")] * 5
    async with (
        FakeUpstream(answers) as down,
        FakeUpstream(lambda _: openai_reply()) as up,
        running(tmp_path, config.format(down=down.url, up=up.url)) as gateway,
    ):
        for _ in range(5):
            await ask(gateway)
        opened = next(each for each in gateway.gateway.state.targets.newest(2) if each.label == "a/m")
        opened.breaker._until += 60  # however slow the test is
        shown = await told(gateway, "/admin/targets")

    assert shown["providers"] == [
        {
            "provider": "a",
            "keys": 2,
            "keys_ready": 2,
            "attempts_under_way": 0,
            "max_concurrency": 3,
            "places_used": 0,
        },
        {
            "provider": "b",
            "keys": 1,
            "keys_ready": 1,
            "attempts_under_way": 0,
            "max_concurrency": None,
            "places_used": None,
        },
        {
            "provider": "local",
            "keys": 0,
            "keys_ready": None,
            "attempts_under_way": 0,
            "max_concurrency": None,
            "places_used": None,
        },
    ]
    ill, well = sorted(shown["targets"], key=lambda each: each["target"])
    assert (ill["target"], ill["breaker"], ill["waits_for_first_content"]) == ("a/m", "open", False)
    assert 0 < ill["due_seconds"] <= 61.5
    assert (well["target"], well["breaker"], well["due_seconds"]) == ("b/m", "closed", None)
    assert (well["first_token_seconds"], well["first_token_p95_seconds"]) == (None, None)
    assert shown["not_listed"] == 0


async def test_no_answer_tells_a_key(tmp_path: Path) -> None:
    async with FakeUpstream(openai_reply()) as up, running(tmp_path, two_kinds(up.url, up.url)) as gateway:
        exchange_id = await ask(gateway)
        replies = [await send(gateway.url, get(path)) for path in ("/admin/targets", f"/admin/explain/{exchange_id}")]

    assert all(reply.status == 200 for reply in replies)
    assert not [reply for reply in replies if b"test-key" in reply.raw or b"Hello" in reply.raw]
