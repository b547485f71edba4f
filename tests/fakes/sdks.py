"""The official SDKs as an application uses them, in their four ways: sync and async, whole and streamed.

Nothing but `base_url` and `api_key` is set (and retries are off, so that a test sees each error). Streams go through
the SDKs' own helpers, which put the pieces together and check their order.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import anthropic
import openai

from fakes.conversations import Turn, answer
from fakes.gateway import Running, running
from fakes.upstream import FakeUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from anthropic.types import Message
    from openai.types.chat import ChatCompletion

    from fakes.upstream import Answer

KEY = "cs-client-key-of-the-application"
CONFIG = """
defaults: {{retries: 0}}
keys: [{{name: application, hash: "sha256:{hash}"}}]
providers:
  chat: {{kind: openai, base_url: "{url}/v1", api_key: test-key-of-openai}}
  messages: {{kind: anthropic, base_url: "{url}/v1", api_key: test-key-of-anthropic}}
routes: {{smart: {provider}/upstream-model, thinker: {provider}/gpt-5}}
"""
Upstream = Literal["chat", "messages"]
UPSTREAM_KEYS: dict[Upstream, tuple[str, str]] = {
    "chat": ("authorization", "Bearer test-key-of-openai"),
    "messages": ("x-api-key", "test-key-of-anthropic"),
}


@dataclass(frozen=True)
class Way:
    """How the application calls, and what the upstream speaks."""

    asynchronous: bool
    stream: bool
    upstream: Upstream

    def __str__(self) -> str:
        mode = "async" if self.asynchronous else "sync"
        return f"{mode}-{'stream' if self.stream else 'whole'}-{self.upstream}"


UPSTREAMS: tuple[Upstream, ...] = ("chat", "messages")
WAYS = [Way(a, s, u) for a in (False, True) for s in (False, True) for u in UPSTREAMS]


@asynccontextmanager
async def serving(folder: Path, upstream: Upstream, *answers: Answer) -> AsyncIterator[tuple[Running, FakeUpstream]]:
    """A gateway with one client key, and the upstream behind its route `smart`."""
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    async with FakeUpstream(answers) as fake:
        config = CONFIG.format(hash=digest, url=fake.url, provider=upstream)
        async with running(folder, config) as gateway:
            yield gateway, fake


@asynccontextmanager
async def conversing(folder: Path, way: Way, *turns: Turn) -> AsyncIterator[tuple[Running, FakeUpstream]]:
    """The same, where the upstream says `turns`."""
    answers = [answer(turn, chat=way.upstream == "chat", stream=way.stream) for turn in turns]
    async with serving(folder, way.upstream, *answers) as both:
        yield both


async def chat(way: Way, gateway: Running, key: str = KEY, **params: Any) -> ChatCompletion:
    """Ask with the `openai` SDK."""
    url, params = f"{gateway.url}/v1", {"model": "smart", **params}
    if way.stream:
        params["stream_options"] = {"include_usage": True}

    def ask() -> ChatCompletion:
        with openai.OpenAI(base_url=url, api_key=key, max_retries=0) as client:
            if not way.stream:
                whole: ChatCompletion = client.chat.completions.create(**params)
                return whole
            with client.chat.completions.stream(**params) as stream:
                return stream.get_final_completion()

    if not way.asynchronous:
        return await asyncio.to_thread(ask)
    async with openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=0) as client:
        if not way.stream:
            whole: ChatCompletion = await client.chat.completions.create(**params)
            return whole
        async with client.chat.completions.stream(**params) as stream:
            return await stream.get_final_completion()


async def message(way: Way, gateway: Running, key: str = KEY, **params: Any) -> Message:
    """Ask with the `anthropic` SDK."""
    url, params = gateway.url, {"model": "smart", "max_tokens": 4000, **params}

    def ask() -> Message:
        with anthropic.Anthropic(base_url=url, api_key=key, max_retries=0) as client:
            if not way.stream:
                whole: Message = client.messages.create(**params)
                return whole
            with client.messages.stream(**params) as stream:
                return stream.get_final_message()

    if not way.asynchronous:
        return await asyncio.to_thread(ask)
    async with anthropic.AsyncAnthropic(base_url=url, api_key=key, max_retries=0) as client:
        if not way.stream:
            whole: Message = await client.messages.create(**params)
            return whole
        async with client.messages.stream(**params) as stream:
            return await stream.get_final_message()
