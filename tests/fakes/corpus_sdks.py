"""The official SDKs of the clients' dialects, without a network: what they make of an answer's bytes, or raise."""

from __future__ import annotations

import contextlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import openai
from google import genai
from google.genai import errors, types

from costspan.wire import json
from fakes.corpus_reader import Said, read

if TYPE_CHECKING:
    from collections.abc import Callable

RAISED: dict[str, type[Exception]] = {
    "anthropic-messages": anthropic.APIError,
    "gemini-generate": errors.APIError,
    "openai-chat": openai.APIError,
    "openai-responses": openai.APIError,
}
"""What each raises of an error."""
_OPENAI: dict[int, type[Exception]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    404: openai.NotFoundError,
}
_ANTHROPIC: dict[int, type[Exception]] = {
    400: anthropic.BadRequestError,
    401: anthropic.AuthenticationError,
    404: anthropic.NotFoundError,
}
TYPED: dict[str, dict[int, type[Exception]]] = {
    "anthropic-messages": _ANTHROPIC,
    "gemini-generate": dict.fromkeys((400, 401, 404), errors.ClientError),
    "openai-chat": _OPENAI,
    "openai-responses": _OPENAI,
}
"""What each raises of an error answer, by its status."""


class Sdks:
    """All of them. `hear` gives one an answer."""

    def __init__(self) -> None:
        self._answer = httpx2.Response(200)
        self._http = httpx2.Client(transport=httpx2.MockTransport(lambda _: self._answer))
        self._ways: dict[str, Callable[[bool], Said]] = {
            "anthropic-messages": self._messages,
            "gemini-generate": self._gemini,
            "openai-chat": self._chat,
            "openai-responses": self._responses,
        }

    def hear(self, client: str, data: bytes, *, stream: bool, status: int = 200) -> Said:
        """What the SDK of a client's dialect makes of `data`. Raises its errors."""
        kind = "text/event-stream" if stream else "application/json"
        self._answer = httpx2.Response(status, headers={"content-type": kind}, content=data)
        return self._ways[client](stream)

    @cached_property
    def _openai(self) -> openai.OpenAI:
        return openai.OpenAI(api_key="k", base_url="http://x/v1", max_retries=0, http_client=self._http)

    @cached_property
    def _anthropic(self) -> anthropic.Anthropic:
        return anthropic.Anthropic(api_key="k", base_url="http://x", max_retries=0, http_client=self._http)

    @cached_property
    def _genai(self) -> genai.Client:
        return genai.Client(api_key="k", http_options=types.HttpOptions(base_url="http://x", httpx_client=self._http))

    def _chat(self, stream: bool) -> Said:
        asked: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        if not stream:
            return _said("openai-chat", self._openai.chat.completions.create(**asked).to_dict())
        with self._openai.chat.completions.stream(**asked) as events:
            with contextlib.suppress(openai.LengthFinishReasonError, openai.ContentFilterFinishReasonError):
                events.until_done()  # raises at the end of an answer that was cut off, whoever gave it
            return _said("openai-chat", events.current_completion_snapshot.to_dict())

    def _messages(self, stream: bool) -> Said:
        asked: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        if not stream:
            return _said("anthropic-messages", self._anthropic.messages.create(**asked).to_dict())
        with self._anthropic.messages.stream(**asked) as events:
            return _said("anthropic-messages", events.get_final_message().to_dict())

    def _responses(self, stream: bool) -> Said:
        if not stream:
            return _said("openai-responses", self._openai.responses.create(model="m", input="hi").to_dict())
        with self._openai.responses.stream(model="m", input="hi") as events:
            last = None
            for event in events:
                last = event
        assert last is not None
        assert last.type in {"response.completed", "response.incomplete"}
        return _said("openai-responses", last.response.to_dict())

    def _gemini(self, stream: bool) -> Said:
        models = self._genai.models
        if not stream:
            whole = models.generate_content(model="m", contents="hi")
            return _said("gemini-generate", whole.model_dump(mode="json", by_alias=True, exclude_none=True))
        chunks = [
            chunk.model_dump(mode="json", by_alias=True, exclude_none=True)
            for chunk in models.generate_content_stream(model="m", contents="hi")
        ]
        return read("gemini-generate", b"".join(b"data: %s\n\n" % json.dumps(one) for one in chunks), stream=True)


def _said(client: str, whole: dict[str, Any]) -> Said:
    return read(client, json.dumps(whole), stream=False)
