"""What the mock provider answers to a request: a pure function of it and of the time.

| path ends in | format |
|---|---|
| `/chat/completions` | openai-chat |
| `/messages`, `/messages/count_tokens` | anthropic-messages |
| `/models/{model}:generateContent`, `:streamGenerateContent`, `:countTokens` | gemini-generate |
| `/models` | Gemini's list with its key or under `/v1beta`, Anthropic's with `anthropic-version`, else OpenAI's |

See `script` for what the text, the usage and the model's name mean.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from costspan.errors import Malformed
from costspan.mock import anthropic_messages, gemini_generate, openai_chat
from costspan.mock.script import say
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from costspan.mock.script import Asked

MODELS = ("mock-small", "mock-large", "mock-thinking")

_JSON = "application/json"
_EVENTS = "text/event-stream; charset=utf-8"
_GEMINI = re.compile(r"/models/([^/:]+):(generateContent|streamGenerateContent|countTokens)$")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `chunks` are the body: one of them for JSON, one for each event of a stream."""

    status: int
    headers: tuple[tuple[str, str], ...]
    chunks: tuple[bytes, ...]
    delay: float = 0.0
    """Seconds to wait before the headers."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was sent. `path` holds the query; `headers` have lower-case names."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


def answer(request: Request, *, now: int) -> Answer:
    """Answer `request`; `now` is in seconds since 1970."""
    path, _, query = request.path.partition("?")
    if request.method == "GET" and path.endswith("/models"):
        return _models(path, request.headers, now)
    generate = _GEMINI.search(path)
    if generate is not None:
        return _gemini(request, generate[1], generate[2], events="alt=sse" in query)
    if path.endswith("/chat/completions"):
        return _openai(request, now)
    if path.endswith(("/messages", "/messages/count_tokens")):
        return _anthropic(request, counting=path.endswith("count_tokens"))
    return _whole(404, openai_chat.error(404, "the mock does not know this path"), request)


def _openai(request: Request, now: int) -> Answer:
    asked = _read(request, openai_chat.read)
    if isinstance(asked, str):
        return _whole(400, openai_chat.error(400, asked), request)
    if asked.error is not None:
        return _failed(asked, openai_chat.error, request)
    said, ident = say(asked), _ident(request)
    if asked.stream:
        return _stream(asked, openai_chat.stream(asked, said, ident=ident, now=now), request)
    return _whole(200, openai_chat.reply(asked, said, ident=ident, now=now), request, asked.delay)


def _anthropic(request: Request, *, counting: bool) -> Answer:
    asked = _read(request, anthropic_messages.read)
    if isinstance(asked, str):
        return _whole(400, anthropic_messages.error(400, asked), request)
    if asked.error is not None:
        return _failed(asked, anthropic_messages.error, request)
    if counting:
        return _whole(200, anthropic_messages.count(asked), request, asked.delay)
    said, ident = say(asked), _ident(request)
    if asked.stream:
        return _stream(asked, anthropic_messages.stream(asked, said, ident=ident), request)
    return _whole(200, anthropic_messages.reply(asked, said, ident=ident), request, asked.delay)


def _gemini(request: Request, model: str, operation: str, *, events: bool) -> Answer:
    stream = operation == "streamGenerateContent"
    asked = _read(request, lambda body: gemini_generate.read(body, model=model, stream=stream))
    if isinstance(asked, str):
        return _whole(400, gemini_generate.error(400, asked), request)
    if asked.error is not None:
        return _failed(asked, gemini_generate.error, request)
    if operation == "countTokens":
        return _whole(200, gemini_generate.count(asked), request, asked.delay)
    said, ident = say(asked), _ident(request)
    if stream:
        chunks = gemini_generate.stream(asked, said, ident=ident, events=events)
        return _stream(asked, chunks, request, _EVENTS if events else _JSON)
    return _whole(200, gemini_generate.reply(asked, said, ident=ident), request, asked.delay)


def _models(path: str, headers: Mapping[str, str], now: int) -> Answer:
    if path.endswith("/v1beta/models") or "x-goog-api-key" in headers:  # google-genai 3.4 asks under /v1
        body = gemini_generate.models(MODELS)
    elif "anthropic-version" in headers:
        body = anthropic_messages.models(MODELS)
    else:
        body = openai_chat.models(MODELS, now=now)
    return Answer(200, (("content-type", _JSON),), (body,))


def _read(request: Request, read: Callable[[json.Object], Asked]) -> Asked | str:
    """What is asked, or what is wrong with it."""
    try:
        asked = read(json.loads_object(request.body))
    except Malformed as error:
        return str(error)
    return asked if asked.model else "model is missing"


def _failed(asked: Asked, error: Callable[[int, str], bytes], request: Request) -> Answer:
    status = asked.error or 500
    made = _whole(status, error(status, f"the mock was asked for status {status}"), request, asked.delay)
    again = (("retry-after", "1"),) if status in {429, 503, 529} else ()
    return Answer(status, made.headers + again, made.chunks, made.delay)


def _whole(status: int, body: bytes, request: Request, delay: float = 0.0) -> Answer:
    headers = (("content-type", _JSON), ("x-request-id", f"req_{_ident(request)}"))
    return Answer(status, headers, (body,), delay)


def _stream(asked: Asked, chunks: Iterable[bytes], request: Request, content_type: str = _EVENTS) -> Answer:
    headers = (("content-type", content_type), ("x-request-id", f"req_{_ident(request)}"))
    return Answer(200, headers, tuple(chunks), asked.delay)


def _ident(request: Request) -> str:
    """The same request has the same id."""
    return hashlib.sha256(request.path.encode() + b"\0" + request.body).hexdigest()[:24]
