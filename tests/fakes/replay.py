"""Recorded answers given again by a fake upstream, behind a gateway, to clients of any dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp

from costspan.wire import json
from fakes.upstream import Answer

if TYPE_CHECKING:
    from fakes.corpus import Row
    from fakes.gateway import Running

PRICES = """
prices:
  catalog: none
  table: [{provider: host, model: "*", input: 1, output: 1, cache_read: 1, cache_write: 1}]
"""
"""One USD per million of anything, so that a cost is the provider's own total."""

_BASE = {"azure": "", "bedrock": "", "gemini": "/v1beta"}
_SETTINGS = {
    "bedrock": ", region: us-east-1",
    "vertex": ", project: our-project, location: us-east5",
}
_GEMINI = {False: "generateContent", True: "streamGenerateContent?alt=sse"}
_HI: dict[str, dict[str, Any]] = {
    "anthropic-messages": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 100},
    "gemini-generate": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
    "openai-chat": {"messages": [{"role": "user", "content": "hi"}]},
    "openai-responses": {"input": "hi"},
}
_PATHS = {
    "anthropic-messages": "/v1/messages",
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
}


def replay(row: Row, size: int | None = None) -> Answer:
    """The recorded answer, in pieces of `size` bytes."""
    return answering(row, row.wire, size)


def answering(row: Row, body: bytes, size: int | None = None) -> Answer:
    """`body` as the provider of `row` would send it. HTTP says that it is complete."""
    step = size or len(body) or 1
    pieces = [body[i : i + step] for i in range(0, len(body), step)]
    return Answer(status=row.status, headers=(("content-type", row.content_type),), body=pieces, framing="chunked")


def host(row: Row, url: str) -> str:
    """A configuration whose route `recorded` leads to the provider of `row` and the model that it was asked for."""
    base, settings = _BASE.get(row.kind, "/v1"), _SETTINGS.get(row.kind, "")
    return f"""
defaults: {{retries: 0}}
providers:
  host: {{kind: {row.kind}, base_url: "{url}{base}", api_key: test-key, dialects: [{row.dialect}]{settings}}}
routes: {{recorded: "host/{row.model}"}}
"""


def path(dialect: str, *, stream: bool) -> str:
    """Where a client of `dialect` asks for the route."""
    return _PATHS.get(dialect, f"/v1beta/models/recorded:{_GEMINI[stream]}")


def asking(dialect: str, *, stream: bool) -> dict[str, Any]:
    """A short request of a client that wants usage."""
    if dialect == "gemini-generate":
        return _HI[dialect]
    body = {"model": "recorded", **_HI[dialect], "stream": stream}
    return body | ({"stream_options": {"include_usage": True}} if stream and dialect == "openai-chat" else {})


def again(row: Row) -> dict[str, Any]:
    """The recorded request, for our route."""
    if row.dialect == "gemini-generate":
        return {name: value for name, value in row.request.items() if name not in {"model", "stream"}}
    return {**row.request, "model": "recorded"}


async def post(gateway: Running, dialect: str, body: dict[str, Any], *, stream: bool) -> tuple[int, bytes]:
    """Status and body of the answer to a client of `dialect`."""
    url, headers = gateway.url + path(dialect, stream=stream), {"content-type": "application/json"}
    async with aiohttp.ClientSession() as client, client.post(url, data=json.dumps(body), headers=headers) as response:
        return response.status, await response.read()
