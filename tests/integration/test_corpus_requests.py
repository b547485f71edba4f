"""Recorded requests through a whole gateway to upstreams of other dialects: what they say arrives, losses are named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from costspan.dialects import CLIENT_DIALECTS, DIALECTS
from costspan.dialects.losses import in_words
from costspan.wire import json
from fakes.corpus import GOOD, MISSING, ROWS, Row
from fakes.corpus_requests import REFUSED, encoders_names, leaves, left, missing
from fakes.gateway import Running, running
from fakes.replay import again, path, replay
from fakes.upstream import FakeUpstream

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not ROWS, reason=MISSING)

ASKED = {row.id: row for row in ROWS if row.dialect in CLIENT_DIALECTS}
KINDS = {
    "anthropic-messages": "kind: anthropic",
    "bedrock-converse": "kind: bedrock, region: us-east-1",
    "cohere-chat": "kind: cohere",
    "gemini-generate": "kind: gemini",
    "mistral-chat": "kind: mistral",
    "openai-chat": "kind: openai, dialects: [openai-chat]",
    "openai-responses": "kind: openai, dialects: [openai-responses]",
}


def config(url: str) -> str:
    providers = "\n".join(f'  {name}: {{{kind}, base_url: "{url}", api_key: test-key}}' for name, kind in KINDS.items())
    routes = "\n".join(f"  to-{name}: {name}/served" for name in KINDS)
    return f"defaults: {{retries: 0}}\nproviders:\n{providers}\nroutes:\n{routes}"


def speaks(target: str, *, stream: bool) -> Row:
    """A recorded answer of the target."""
    return next(row for row in GOOD.values() if row.dialect == target and row.stream == stream)


async def ask(gateway: Running, row: Row, target: str) -> tuple[int, set[str], bytes]:
    """Status, what the gateway says it has dropped, and the body."""
    body, route = again(row), f"to-{target}"
    stream = row.request.get("stream") is True
    url = gateway.url + path(row.dialect, stream=stream).replace("recorded", route)
    if "model" in body:
        body["model"] = route
    headers = {"content-type": "application/json"}
    async with aiohttp.ClientSession() as client, client.post(url, data=json.dumps(body), headers=headers) as response:
        dropped = set(response.headers.get("x-costspan-dropped", "").split(",")) - {""}
        return response.status, dropped, await response.read()


@pytest.mark.parametrize("name", ASKED)
async def test_what_a_request_says_arrives_at_every_upstream_or_is_named(tmp_path: Path, name: str) -> None:
    row = ASKED[name]
    stream = row.request.get("stream") is True
    for target in sorted(DIALECTS.keys() - {row.dialect}):
        async with (
            FakeUpstream(replay(speaks(target, stream=stream))) as upstream,
            running(tmp_path, config(upstream.url)) as gateway,
        ):
            status, dropped, answer = await ask(gateway, row, target)

        if param := REFUSED.get((name, target)):
            assert (target, status, upstream.requests) == (target, 400, [])
            word = in_words(param, CLIENT_DIALECTS[row.dialect].WORDS)
            assert json.loads_object(answer)["error"].get("param", word) == word
            continue
        assert (target, status) == (target, 200)
        (sent,) = upstream.requests
        said = row.request if target != "bedrock-converse" or row.request.get("tool_choice") != "none" else {}
        words = (word for word in dropped if not word.startswith("response."))
        losses = tuple(name for word in words for name in encoders_names(row.dialect, word))
        assert missing(left(said, losses), leaves(json.loads_object(sent.body))) == [], target
