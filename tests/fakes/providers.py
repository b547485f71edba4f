"""A provider of every dialect, all played by one fake: golden answers, found by the first segment of the path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from costspan.wire import json, sse
from fakes.event_stream import write_event
from fakes.upstream import Answer
from fakes.upstream_answers import STREAM_HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fakes.upstream import Request

GOLDEN = Path(__file__).parents[1] / "dialects" / "golden"
CONVERSE = "bedrock-converse"
FRAMES = (("content-type", "application/vnd.amazon.eventstream"),)
ACCOUNTS: dict[str, tuple[str, str]] = {
    "anthropic-messages": ("anthropic", ""),
    "bedrock-converse": ("bedrock", ", region: us-east-1"),
    "cohere-chat": ("cohere", ""),
    "gemini-generate": ("gemini", ""),
    "mistral-chat": ("mistral", ""),
    "openai-chat": ("openai", ", dialects: [openai-chat, openai-embeddings]"),
    "openai-responses": ("openai", ", dialects: [openai-responses]"),
}
"""Kind and settings of a provider that speaks the dialect. Its name is the dialect's."""
_VERSIONED = {"openai-chat", "openai-responses"}


def accounts(url: str) -> str:
    """The providers of a configuration, each with a base URL that begins with its dialect, and a route to each."""
    entries = []
    for dialect, (kind, settings) in ACCOUNTS.items():
        base = f"{url}/{dialect}" + ("/v1" if dialect in _VERSIONED else "")
        entries.append(f'  {dialect}: {{kind: {kind}, base_url: "{base}", api_key: test-key-{dialect}{settings}}}')
    routes = "\n".join(f"  to-{dialect}: {dialect}/the-model" for dialect in ACCOUNTS)
    return "defaults: {retries: 0}\nproviders:\n" + "\n".join(entries) + f"\nroutes:\n{routes}\n"


def dialect_of(request: Request) -> str:
    """The dialect of the provider that was asked."""
    return request.path.split("/")[1]


def streams(request: Request) -> bool:
    """Whether a stream was asked for. The body has to be there."""
    if ":streamGenerateContent" in request.path or request.path.endswith("/converse-stream"):
        return True
    return b'"stream":true' in request.body.replace(b'"stream": true', b'"stream":true')


def golden_reply(dialect: str, feature: str = "text") -> dict[str, Any]:
    """A whole answer."""
    return json.loads_object((GOLDEN / feature / f"{dialect}.reply.json").read_bytes())


def golden_events(dialect: str, feature: str = "text") -> list[tuple[str, bytes]]:
    """A stream's events: name and data."""
    events = sse.Parser().feed((GOLDEN / feature / f"{dialect}.stream.txt").read_bytes())
    return [(event.name, bytes(event.data)) for event in events]


def whole(body: Any) -> Answer:
    """A whole answer."""
    return Answer(body=json.dumps(body))


def streamed(dialect: str, events: Iterable[tuple[str, bytes]]) -> Answer:
    """A stream as the dialect's provider frames it, event by event."""
    if dialect == CONVERSE:
        return Answer(headers=FRAMES, body=[write_event(name, data) for name, data in events], framing="chunked")
    steps = [(f"event: {name}\n".encode() if name else b"") + b"data: " + data + b"\n\n" for name, data in events]
    return Answer(headers=STREAM_HEADERS, body=steps, framing="chunked")


def golden(request: Request) -> Answer:
    """The golden text, as it was asked for."""
    dialect = dialect_of(request)
    if streams(request):
        return streamed(dialect, golden_events(dialect))
    return whole(golden_reply(dialect))


def features(dialect: str, ending: str) -> Sequence[str]:
    """The features of which there is a golden file of the dialect: `.json`, `.reply.json` or `.stream.txt`."""
    return sorted(path.parent.name for path in GOLDEN.glob(f"*/{dialect}{ending}"))
