"""What a target must be able to do, may cost and how long it may take: with the official SDK through a whole gateway.

Who cannot serve a request is not asked, not even when nobody else is well (F57).
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import openai
import pytest

from costspan.wire import json
from fakes.gateway import running
from fakes.upstream import Answer, FakeUpstream
from fakes.upstream_answers import openai_reply, openai_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.gateway import Running
    from fakes.upstream import Request

PRICES = """
prices:
  catalog: none
  table:
    - {provider: a, model: "*", input: 4, output: 16}
    - {provider: b, model: "*", input: 2, output: 8, tiers: [{above: 1000, input: 6, output: 8}]}
    - {provider: c, model: "*", input: 1, output: 20}
"""
BROKEN = Answer(status=500, body=b"{}")
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
PICTURE = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "what is it?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        ],
    }
]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object", "properties": {}}}}
NEEDS: dict[str, dict[str, Any]] = {
    "tools": {"tools": TOOLS},
    "images": {"messages": PICTURE},
    "json_schema": {"response_format": SCHEMA},
}


class Place:
    """A gateway with providers a, b and c, all of OpenAI's kind, and one server that is all of them."""

    def __init__(self, gateway: Running, upstream: FakeUpstream, client: openai.AsyncOpenAI) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.client = client

    @property
    def asked(self) -> list[str]:
        """Whom the gateway asked, and for which model."""
        return [
            f"{_provider(request)}/{json.loads_object(request.body)['model']}" for request in self.upstream.requests
        ]

    async def ask(self, text: str = "hello", **params: Any) -> None:
        """Ask for the route `smart`."""
        params = {"model": "smart", "messages": [{"role": "user", "content": text}], **params}
        await self.client.chat.completions.create(**params)

    async def refused(self, text: str = "hello", **params: Any) -> openai.APIStatusError:
        """The error of a request for which nobody was asked."""
        with pytest.raises(openai.APIStatusError) as caught:
            await self.ask(text, **params)
        assert self.asked == []
        return caught.value


def _provider(request: Request) -> str:
    return request.path.split("/")[1]


@asynccontextmanager
async def opened(folder: Path, routes: str, *, down: str = "", prices: str = PRICES) -> AsyncIterator[Place]:
    def answer(request: Request) -> Answer:
        if _provider(request) in down:
            return BROKEN
        return openai_stream() if json.loads_object(request.body).get("stream") else openai_reply()

    async with FakeUpstream(answer, reads=True) as upstream:
        providers = "\n".join(
            f'  {name}: {{kind: openai, base_url: "{upstream.url}/{name}", api_key: test-key-{name}}}' for name in "abc"
        )
        config = f"defaults: {{retries: 0}}\nproviders:\n{providers}\nroutes:\n{routes}"
        async with running(folder, config, prices=prices) as gateway:
            url = f"{gateway.url}/v1"
            async with openai.AsyncOpenAI(base_url=url, api_key="test", max_retries=0) as client:
                yield Place(gateway, upstream, client)


# What a model can do.


@pytest.mark.parametrize(("lack", "params"), NEEDS.items(), ids=NEEDS.keys())
async def test_a_fallback_that_lacks_what_is_needed_is_skipped_and_not_sent(
    tmp_path: Path, lack: str, params: dict[str, Any]
) -> None:
    routes = f"  smart: {{targets: [a/x, {{target: b/y, lacks: [{lack}]}}, c/z]}}"
    async with opened(tmp_path, routes, down="a") as place:
        await place.ask(**params)
        assert place.asked == ["a/x", "c/z"]
        await place.ask()
        assert place.asked == ["a/x", "c/z", "a/x", "b/y"], "it can serve what does not need it"


@pytest.mark.parametrize(("lack", "params"), NEEDS.items(), ids=NEEDS.keys())
async def test_a_request_that_no_target_can_serve_is_refused(tmp_path: Path, lack: str, params: dict[str, Any]) -> None:
    async with opened(tmp_path, f"  smart: {{targets: [{{target: b/y, lacks: [{lack}]}}]}}") as place:
        error = await place.refused(**params)

    assert (error.status_code, error.code, error.param) == (400, "unsupported_parameter", lack)


async def test_a_failure_stays_what_is_told_when_the_fallback_cannot_serve(tmp_path: Path) -> None:
    routes = "  smart: {targets: [a/x, {target: b/y, lacks: [tools]}]}"
    async with opened(tmp_path, routes, down="ab") as place:
        with pytest.raises(openai.InternalServerError) as caught:
            await place.ask(tools=TOOLS)
        assert place.asked == ["a/x"]
    assert caught.value.status_code == 502


async def test_what_a_model_is_known_to_lack_counts_where_there_is_a_choice(tmp_path: Path) -> None:
    async with opened(tmp_path, "  smart: {targets: [a/o3-mini, b/gpt-5]}\n  alone: a/o3-mini") as place:
        await place.ask(messages=PICTURE)
        assert place.asked == ["b/gpt-5"]
        await place.ask(model="alone", messages=PICTURE)
        assert place.asked == ["b/gpt-5", "a/o3-mini"], "it may have learned it meanwhile, and can say so itself"


async def test_a_target_that_lacks_nothing_by_the_file_is_believed(tmp_path: Path) -> None:
    async with opened(tmp_path, "  smart: {targets: [{target: a/o3-mini, lacks: []}, b/gpt-5]}") as place:
        await place.ask(messages=PICTURE)
        assert place.asked == ["a/o3-mini"]


# How much it takes. A token is 4 characters until more is known.

SMALL = "  smart: {targets: [{target: a/small, context_length: 100}, {target: b/large, context_length: 10000}]}"


async def test_a_prompt_that_surely_does_not_fit_is_not_sent(tmp_path: Path) -> None:
    async with opened(tmp_path, SMALL, down="b") as place:
        with pytest.raises(openai.InternalServerError):
            await place.ask("x" * 604)  # 151 tokens
        assert place.asked == ["b/large"]


async def test_a_prompt_that_may_not_fit_is_sent_last(tmp_path: Path) -> None:
    async with opened(tmp_path, SMALL, down="b") as place:
        await place.ask("x" * 600)
        assert place.asked == ["b/large", "a/small"]


async def test_a_prompt_that_fits_is_sent_as_written(tmp_path: Path) -> None:
    async with opened(tmp_path, SMALL, down="a") as place:
        await place.ask("x" * 400)
        assert place.asked == ["a/small", "b/large"]


async def test_the_answer_s_limit_counts_too(tmp_path: Path) -> None:
    async with opened(tmp_path, SMALL) as place:
        await place.ask("x" * 40, max_completion_tokens=141)
        assert place.asked == ["b/large"]


async def test_a_prompt_that_fits_nowhere_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path, SMALL) as place:
        error = await place.refused("x" * 60_004)

    assert (error.status_code, error.code) == (400, "context_length_exceeded")
    assert "15001" in error.message


async def test_many_small_texts_in_one_request_are_no_long_prompt(tmp_path: Path) -> None:
    async with opened(tmp_path, SMALL, down="ab") as place:
        with pytest.raises(openai.InternalServerError):
            await place.client.embeddings.create(model="smart", input=["x" * 100] * 50)
        assert place.asked == ["a/small", "b/large"]


async def test_the_catalog_knows_how_much_models_take_and_may_be_wrong(tmp_path: Path) -> None:
    """GPT-4 takes 8,192 tokens: 12,300 are more than one and a half times as many."""
    routes = """
  smart: {targets: [a/gpt-4, b/gpt-5]}
  believed: {targets: [{target: a/gpt-4, context_length: 20000}, b/gpt-5]}
  alone: c/gpt-4
"""
    async with opened(tmp_path, routes, prices="prices: {catalog: genai-prices}") as place:
        for route in ("smart", "believed", "alone"):
            await place.ask("x" * 49_200, model=route)
        assert place.asked == ["b/gpt-5", "a/gpt-4", "c/gpt-4"]
    (tmp_path / "down").mkdir()
    async with opened(tmp_path / "down", routes, prices="prices: {catalog: genai-prices}", down="b") as place:
        await place.ask("x" * 49_200)
        assert place.asked == ["b/gpt-5", "a/gpt-4"], "asked last, not refused on the word of a catalog"


# What it may cost.


async def test_who_costs_more_than_the_ceiling_is_not_asked(tmp_path: Path) -> None:
    routes = "  smart: {targets: [a/x, b/y, c/z], constraints: {max_price: {input: 3, output: 10}}}"
    async with opened(tmp_path, routes, down="b") as place:
        with pytest.raises(openai.InternalServerError):
            await place.ask()
        assert place.asked == ["b/y"], "a has a dear input, c a dear output"


async def test_the_price_is_that_of_this_prompt(tmp_path: Path) -> None:
    routes = "  smart: {targets: [b/y], constraints: {max_price: {input: 3}}}"
    async with opened(tmp_path, routes) as place:
        error = await place.refused("x" * 4004)  # above 1,000 tokens b costs 6
        assert (error.status_code, error.code, error.param) == (404, "no_eligible_target", "model")
        await place.ask("x" * 4000)
        assert place.asked == ["b/y"]


async def test_a_target_without_a_price_is_not_under_any_ceiling(tmp_path: Path) -> None:
    prices = "prices: {catalog: none, table: [{provider: b, model: '*', input: 2, output: 8}]}"
    routes = "  smart: {targets: [a/x, b/y], constraints: {max_price: {input: 3}}}"
    async with opened(tmp_path, routes, prices=prices) as place:
        await place.ask()
        assert place.asked == ["b/y"]


async def test_a_route_in_a_route_keeps_to_both_ceilings(tmp_path: Path) -> None:
    routes = """
  smart: {targets: [{route: inner}, a/x], constraints: {max_price: {input: 4}}}
  inner: {targets: [b/y, c/z], constraints: {max_price: {output: 10}}}
"""
    async with opened(tmp_path, routes, down="abc") as place:
        with pytest.raises(openai.InternalServerError):
            await place.ask()
        assert place.asked == ["b/y", "a/x"]


# How long it may take. A measured answer takes longer than a hundredth of a millisecond.


LATENCIES: dict[str, tuple[str, dict[str, Any]]] = {
    "of the route": (", constraints: {max_first_token: 0.01ms}", {}),
    "of the request": ("", {"preferred_max_latency": 0.00001}),
    "of the request, in full": ("", {"preferred_max_latency": {"p50": "1e-5"}}),
}


@pytest.mark.parametrize(("constraints", "wish"), LATENCIES.values(), ids=LATENCIES.keys())
async def test_who_is_slower_than_the_ceiling_is_asked_last(
    tmp_path: Path, constraints: str, wish: dict[str, Any]
) -> None:
    async with opened(tmp_path, f"  smart: {{targets: [a/x, b/y]{constraints}}}") as place:
        for _ in range(3):
            stream = await place.client.chat.completions.create(
                model="smart",
                messages=[{"role": "user", "content": "hello"}],
                stream=True,
                extra_body={"provider": wish},
            )
            assert [chunk async for chunk in stream]
        # Of nobody anything is known; one is known to be slow, of the other nothing is known; both are, and one has
        # to be asked.
        assert place.asked == ["a/x", "b/y", "a/x"]


# What a request wishes itself, in the SDK's own way.


async def test_the_sdk_s_extra_body_carries_wishes(tmp_path: Path) -> None:
    routes = "  smart: {targets: [a/x, b/y, c/z]}"
    async with opened(tmp_path, routes, down="ab") as place:
        await place.ask(extra_body={"provider": {"order": ["b"], "sort": "price"}, "models": ["c/w", "a/v"]})
        assert place.asked == ["b/y", "a/x", "c/z"], "of the rest, a has the cheaper answers"
        (exchange,) = place.gateway.records("exchange")
    assert (exchange["route"], exchange["strategy"], exchange["attempts"]) == ("smart", "fallback", 3)


async def test_a_stream_goes_the_same_ways(tmp_path: Path) -> None:
    async with opened(tmp_path, "  smart: {targets: [a/x, b/y]}", down="ab") as place:
        with pytest.raises(openai.InternalServerError):
            await place.client.chat.completions.create(
                model="smart:floor",
                messages=[{"role": "user", "content": "hello"}],
                stream=True,
                extra_body={"models": ["c/w"], "provider": {"ignore": ["c"]}},
            )
        assert place.asked == ["b/y", "a/x"]
