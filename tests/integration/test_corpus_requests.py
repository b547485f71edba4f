"""Recorded requests on their way to an upstream of the other dialect: what they say arrives, and losses are named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from costspan.wire import json
from fakes.conversations import Turn, answer
from fakes.corpus import MISSING, ROWS, Row
from fakes.gateway import running
from fakes.upstream import FakeUpstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(not ROWS, reason=MISSING)

PATHS = {"openai-chat": "/v1/chat/completions", "anthropic-messages": "/v1/messages"}
OTHER = {"openai-chat": "anthropic", "anthropic-messages": "openai"}
SEVERAL_CHOICES = "dd-trace-py/contrib/litellm/completion_multiple_choices_with_tools#0"
REQUESTS = {row.id: row for row in ROWS if row.id != SEVERAL_CHOICES and row.dialect in OTHER}


def config(row: Row, url: str) -> str:
    return f"""
defaults: {{retries: 0}}
providers:
  host: {{kind: {OTHER[row.dialect]}, base_url: "{url}/v1", api_key: test-key}}
routes: {{recorded: host/served}}
"""


async def send(row: Row, tmp_path: Path) -> tuple[int, dict[str, str], bytes, list[bytes]]:
    """Status, headers and body for the client, and what the upstream was sent."""
    reply = answer(Turn("Hi"), chat=row.dialect != "openai-chat", stream=row.request.get("stream") is True)
    data = json.dumps({**row.request, "model": "recorded"})
    headers = {"content-type": "application/json"}
    async with (
        FakeUpstream(reply) as upstream,
        running(tmp_path, config(row, upstream.url)) as gateway,
        aiohttp.ClientSession() as client,
        client.post(gateway.url + PATHS[row.dialect], data=data, headers=headers) as response,
    ):
        shown = {name.lower(): value for name, value in response.headers.items()}
        return response.status, shown, await response.read(), [request.body for request in upstream.requests]


def said(value: Any, key: str = "") -> Iterator[str]:
    """The texts of messages and prompts, names of tools and results, images."""
    if isinstance(value, str):
        if value and key in {"content", "text", "name", "data", "url", "description"}:
            yield value.removeprefix("data:image/png;base64,")
    elif isinstance(value, list):
        for item in value:
            yield from said(item, key)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from said(item, name)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value if isinstance(value, list) else value.values():
            yield from strings(item)


DROPPED = {
    "openai-chat": {
        "prompt_cache_key",
        "prompt_cache_options",
        "seed",
        "usage",  # OpenRouter's switch
        "venice_parameters",
    },
    "anthropic-messages": {
        "anthropic_version",  # Vertex' place for the header
        "cache_control",  # OpenAI caches by itself
    },
}
"""What the other dialect has no place for, by the client's: each has to be named in the answer's header."""


def all_keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(all_keys(item) for item in value.values()))
    return set().union(*(all_keys(item) for item in value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("name", REQUESTS)
async def test_what_a_request_says_arrives(tmp_path: Path, name: str) -> None:
    row = REQUESTS[name]
    status, headers, _, bodies = await send(row, tmp_path)

    arrived = list(strings(json.loads_object(bodies[0])))
    parts = [row.request.get(part) for part in ("messages", "system", "tools")]
    assert status == 200
    assert [text for text in said(parts) if not any(text in other for other in arrived)] == []
    lost = all_keys({**row.request, "tools": None}) & DROPPED[row.dialect]
    assert lost <= set(headers.get("x-costspan-dropped", "").split(","))
    assert headers.get("x-costspan-dropped") is None or lost or "reasoning" in headers["x-costspan-dropped"]


async def test_several_choices_are_refused_where_there_can_be_only_one(tmp_path: Path) -> None:
    (row,) = (row for row in ROWS if row.id == SEVERAL_CHOICES)
    status, _, body, bodies = await send(row, tmp_path)

    assert (status, bodies) == (400, [])
    assert json.loads_object(body)["error"]["param"] == "n"
