"""What the official SDKs raise: the error of the right class, with the message that helps, streamed or not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest

from fakes.conversations import Turn, answer, interrupted, refusal, stream_error
from fakes.sdks import KEY, UPSTREAMS, WAYS, Upstream, Way, chat, message, serving
from fakes.upstream import Cut, Step

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from fakes.gateway import Running

TALK: list[Any] = [{"role": "user", "content": "hello"}]
ASK: dict[str, Callable[..., Awaitable[Any]]] = {"openai": chat, "anthropic": message}
every_way = pytest.mark.parametrize("way", WAYS, ids=str)
every_sdk = pytest.mark.parametrize("sdk", ASK)
every_upstream = pytest.mark.parametrize("upstream", UPSTREAMS)

Raised = openai.APIStatusError | anthropic.APIStatusError


async def failing(sdk: str, way: Way, gateway: Running, **params: Any) -> Raised:
    try:
        await ASK[sdk](way, gateway, messages=TALK, **params)
    except (openai.APIStatusError, anthropic.APIStatusError) as error:
        return error
    pytest.fail("no error was raised")


@every_sdk
@every_way
async def test_a_wrong_key(tmp_path: Path, sdk: str, way: Way) -> None:
    async with serving(tmp_path, way.upstream) as (gateway, upstream):
        error = await failing(sdk, way, gateway, key="cs-not-a-key")

    assert isinstance(error, openai.AuthenticationError | anthropic.AuthenticationError)
    assert upstream.requests == []
    assert "cs-not-a-key" not in error.message


@every_sdk
@every_way
async def test_an_unknown_model(tmp_path: Path, sdk: str, way: Way) -> None:
    async with serving(tmp_path, way.upstream) as (gateway, upstream):
        error = await failing(sdk, way, gateway, model="smrt")

    assert isinstance(error, openai.NotFoundError | anthropic.NotFoundError)
    assert "smart" in error.message  # the nearest name
    assert upstream.requests == []


STATUSES: dict[int, tuple[type[openai.APIError], type[anthropic.APIError], int, str]] = {
    400: (openai.BadRequestError, anthropic.BadRequestError, 400, "max_tokens is too large"),
    404: (openai.NotFoundError, anthropic.NotFoundError, 404, "no such deployment"),
    429: (openai.RateLimitError, anthropic.RateLimitError, 429, "slow down"),
    500: (openai.InternalServerError, anthropic.InternalServerError, 502, "broken"),
}


@pytest.mark.parametrize("status", STATUSES)
@every_sdk
@every_way
async def test_an_upstream_that_refuses(tmp_path: Path, sdk: str, way: Way, status: int) -> None:
    for_openai, for_anthropic, shown, words = STATUSES[status]
    async with serving(tmp_path, way.upstream, refusal(status, chat=way.upstream == "chat")) as (gateway, _):
        error = await failing(sdk, way, gateway)
        (attempt,) = gateway.records("attempt")
        (exchange,) = gateway.records("exchange")

    assert isinstance(error, for_openai if sdk == "openai" else for_anthropic)
    assert error.status_code == shown
    assert words in error.message
    assert error.response.headers.get("retry-after") == ("7" if status == 429 else None)
    assert error.response.headers["x-request-id"] == exchange["id"]
    assert (attempt["http_status"], attempt["cost_status"], attempt["cost_usd"]) == (status, "free", "0")
    assert exchange["outcome"] == "failed"


BROKEN: dict[str, tuple[Callable[[Upstream], Step], str, str]] = {
    "an error in the stream": (lambda up: stream_error(chat=up == "chat"), "gone wrong", ""),
    "a reset": (lambda _: Cut.RESET, "upstream_reset", "upstream_reset"),
    "an early end": (lambda _: Cut.FIN, "upstream_", "upstream_"),
}
every_break = pytest.mark.parametrize(("end", "words", "kind"), BROKEN.values(), ids=BROKEN.keys())


@every_break
@every_upstream
async def test_openai_sees_the_text_and_then_the_error(
    tmp_path: Path, upstream: Upstream, end: Callable[[Upstream], Step], words: str, kind: str
) -> None:
    seen, gate = [], asyncio.Event()
    async with (
        serving(tmp_path, upstream, interrupted(gate, end(upstream), chat=upstream == "chat")) as (gateway, _),
        openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as client,
    ):
        stream = await client.chat.completions.create(model="smart", messages=TALK, stream=True)
        with pytest.raises(openai.APIError, match=words):  # noqa: PT012 - it is the loop that raises
            async for chunk in stream:
                gate.set()
                seen += [choice.delta.content for choice in chunk.choices if choice.delta.content]
        check_failed(gateway, kind)

    assert seen == ["Hello"]


@every_break
@every_upstream
async def test_anthropic_sees_the_text_and_then_the_error(
    tmp_path: Path, upstream: Upstream, end: Callable[[Upstream], Step], words: str, kind: str
) -> None:
    seen, gate = [], asyncio.Event()
    async with (
        serving(tmp_path, upstream, interrupted(gate, end(upstream), chat=upstream == "chat")) as (gateway, _),
        anthropic.AsyncAnthropic(base_url=gateway.url, api_key=KEY, max_retries=0) as client,
    ):
        async with client.messages.stream(model="smart", max_tokens=99, messages=TALK) as stream:
            with pytest.raises(anthropic.APIError, match=words):  # noqa: PT012 - it is the loop that raises
                async for text in stream.text_stream:
                    gate.set()
                    seen += [text]
        check_failed(gateway, kind)

    assert seen == ["Hello"]


def check_failed(gateway: Running, kind: str) -> None:
    (attempt,) = gateway.records("attempt")
    (exchange,) = gateway.records("exchange")
    assert (attempt["outcome"], attempt["cost_status"]) == ("failed", "estimated")
    assert attempt["error_type"].startswith(kind)
    assert (exchange["outcome"], exchange["http_status"]) == ("failed", 200)


@every_sdk
@every_way
async def test_an_answer_that_is_cut_by_its_length_says_so(tmp_path: Path, sdk: str, way: Way) -> None:
    turn = Turn("Hello, I", finish="length")
    whole = answer(turn, chat=way.upstream == "chat", stream=way.stream)
    async with serving(tmp_path, way.upstream, whole) as (gateway, _):
        if sdk == "openai" and way.stream:  # the SDK's helper makes an error of it
            with pytest.raises(openai.LengthFinishReasonError):
                await chat(way, gateway, messages=TALK)
            return
        got = await ASK[sdk](way, gateway, messages=TALK)

    reason = got.choices[0].finish_reason if sdk == "openai" else got.stop_reason
    assert reason == ("length" if sdk == "openai" else "max_tokens")
