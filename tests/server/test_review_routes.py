"""`x-costspan-route`: the header names the route, the body the model."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from costspan.wire import json
from fakes.gateway import running
from fakes.raw import post, send
from fakes.upstream import FakeUpstream
from fakes.upstream_answers import openai_reply

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
providers: {{one: {{kind: openai, base_url: "{url}/v1", api_key: test-key-one}}}}
routes:
  "gpt-*": "one/{{model}}"
  outer: {{targets: [{{route: inner}}]}}
  inner: {{targets: ["one/{{model}}"]}}
  smart: one/gpt-fake
{keys}
"""
CASES = {
    "a glob": ("gpt-*", "gpt-5", "gpt-5"),
    "a name that the glob matches": ("gpt-4o", "gpt-5", "gpt-5"),
    "nested": ("outer", "gpt-5", "gpt-5"),
    "a route with a model of its own": ("smart", "gpt-5", "gpt-fake"),
    "a direct target": ("one/gpt-4o", "gpt-5", "gpt-4o"),
}


def body(model: str) -> bytes:
    return b'{"model":"%s","messages":[{"role":"user","content":"hi"}]}' % model.encode()


@pytest.mark.parametrize(("route", "model", "upstream_model"), CASES.values(), ids=CASES.keys())
async def test_the_placeholder_stands_for_the_model_of_the_body(
    tmp_path: Path, route: str, model: str, upstream_model: str
) -> None:
    async with (
        FakeUpstream(lambda _: openai_reply()) as upstream,
        running(tmp_path, CONFIG.format(url=upstream.url, keys="")) as gateway,
    ):
        reply = await send(gateway.url, post(body(model), headers=f"x-costspan-route: {route}\r\n"))
        (request,) = upstream.requests

    assert reply.status == 200
    assert json.loads_object(request.body)["model"] == upstream_model
    assert reply.headers["x-costspan-target"] == f"one/{upstream_model}"


KEY = "k" * 43
KEYS = """
keys:
  - {{name: team, hash: "{digest}", routes: ["gpt-4*", smart, outer]}}
"""
PASSES = {
    "a route of the key's, no model passes": ("smart", "gpt-5", 200),
    "a model of the key's": ("outer", "gpt-4o", 200),
    "a route of the key's, a model that is not": ("outer", "gpt-5", 403),
    "a name of the key's, a model that is not": ("gpt-4o", "gpt-5", 403),
    "a route that is not the key's": ("inner", "gpt-4o", 403),
}


@pytest.mark.parametrize(("route", "model", "status"), PASSES.values(), ids=PASSES.keys())
async def test_a_key_gets_no_model_past_its_routes(tmp_path: Path, route: str, model: str, status: int) -> None:
    keys = KEYS.format(digest="sha256:" + hashlib.sha256(KEY.encode()).hexdigest())
    async with (
        FakeUpstream(lambda _: openai_reply()) as upstream,
        running(tmp_path, CONFIG.format(url=upstream.url, keys=keys)) as gateway,
    ):
        headers = f"x-costspan-route: {route}\r\nAuthorization: Bearer {KEY}\r\n"
        reply = await send(gateway.url, post(body(model), headers=headers))

    assert reply.status == status
