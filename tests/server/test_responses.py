"""`POST /v1/responses` with the official client: passed, translated, and conversations that a provider has stored."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import openai
import pytest

from costspan.wire import json
from fakes.gateway import running
from fakes.upstream import Answer, FakeUpstream
from fakes.upstream_answers import anthropic_reply, anthropic_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.gateway import Running
    from fakes.upstream import Request

CONFIG = """
providers:
  one: {{kind: openai, base_url: "{url}/one/v1", api_key: test-key-one}}
  two: {{kind: openai, base_url: "{url}/two/v1", api_key: test-key-two}}
  three: {{kind: anthropic, base_url: "{url}/three", api_key: test-key-three}}
routes:
  either: {{targets: [one/gpt-fake, two/gpt-fake]}}
  other: two/gpt-fake
  claude: three/claude-fake
"""


def response(id_: str) -> dict[str, Any]:
    text = {"type": "output_text", "text": "Hello!", "annotations": []}
    return {
        "id": id_,
        "object": "response",
        "created_at": 1700000000,
        "model": "gpt-fake",
        "status": "completed",
        "output": [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 9,
            "input_tokens_details": {"cached_tokens": 4},
            "output_tokens": 3,
            "output_tokens_details": {"reasoning_tokens": 1},
            "total_tokens": 12,
        },
    }


def streamed(id_: str) -> Answer:
    whole = response(id_)
    begun = whole | {"status": "in_progress", "output": [], "usage": None}
    [message] = whole["output"]
    at = {"output_index": 0, "content_index": 0, "item_id": "msg_1"}
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": begun}),
        ("response.output_item.added", {"output_index": 0, "item": message | {"content": [], "status": "in_progress"}}),
        ("response.content_part.added", at | {"part": {"type": "output_text", "text": "", "annotations": []}}),
        ("response.output_text.delta", at | {"delta": "Hello!", "logprobs": []}),
        ("response.output_text.done", at | {"text": "Hello!", "logprobs": []}),
        ("response.content_part.done", at | {"part": message["content"][0]}),
        ("response.output_item.done", {"output_index": 0, "item": message}),
        ("response.completed", {"response": whole}),
    ]
    events = (
        b"event: %s\ndata: %s\n\n" % (kind.encode(), json.dumps({"type": kind, "sequence_number": number} | fields))
        for number, (kind, fields) in enumerate(kinds)
    )
    return Answer(headers=[("content-type", "text/event-stream")], body=b"".join(events), framing="chunked")


def script(request: Request) -> Answer:
    stream = b'"stream":true' in request.body
    name = request.path.split("/")[1]
    if name == "three":
        return anthropic_stream() if stream else anthropic_reply()
    return streamed(f"resp_{name}") if stream else Answer(body=json.dumps(response(f"resp_{name}")))


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[Running, FakeUpstream, openai.AsyncOpenAI]]:
    async with (
        FakeUpstream(script, reads=True) as upstream,
        running(folder, CONFIG.format(url=upstream.url)) as gateway,
        openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0) as client,
    ):
        yield gateway, upstream, client


async def ask(client: openai.AsyncOpenAI, model: str, *, stream: bool = False, **more: Any) -> Any:
    if not stream:
        return await client.responses.create(model=model, input="hello", **more)
    async with client.responses.stream(model=model, input="hello", **more) as events:
        return await events.get_final_response()


@pytest.mark.parametrize("stream", [False, True])
async def test_it_passes_to_its_own_dialect_with_exact_cost(tmp_path: Path, *, stream: bool) -> None:
    async with serving(tmp_path) as (gateway, upstream, client):
        answer = await ask(client, "either", stream=stream)

        assert (answer.id, answer.output_text) == ("resp_one", "Hello!")
        assert upstream.requests[0].path == "/one/v1/responses"
        [attempt] = gateway.records("attempt")
        assert attempt["usage"] == {"input": 5, "cache_read": 4, "output": 2, "reasoning": 1}
        assert attempt["cost_usd"] == "0.0000360"  # 5 x 2 + 4 x 0.5 + 3 x 8 USD per million


@pytest.mark.parametrize("stream", [False, True])
async def test_it_is_translated_to_another(tmp_path: Path, *, stream: bool) -> None:
    async with serving(tmp_path) as (gateway, upstream, client):
        answer = await ask(client, "claude", stream=stream)

        assert answer.output_text == "Hello!"
        assert upstream.requests[0].path == "/three/v1/messages"
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (9, 3)
        [attempt] = gateway.records("attempt")
        assert (attempt["dialect_in"], attempt["dialect_out"]) == ("openai-responses", "anthropic-messages")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_stored_answer_is_continued_by_the_provider_that_made_it(tmp_path: Path, *, stream: bool) -> None:
    async with serving(tmp_path) as (_, upstream, client):
        first = await ask(client, "other", stream=stream)
        again = await ask(client, "either", stream=stream, previous_response_id=first.id)

        assert (first.id, again.id) == ("resp_two", "resp_two")  # and not the route's first target
        assert upstream.requests[1].path == "/two/v1/responses"


async def test_an_answer_that_nobody_here_has_seen_is_refused_where_it_could_be_of_several(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, upstream, client):
        with pytest.raises(openai.BadRequestError) as caught:
            await ask(client, "either", previous_response_id="resp_of_yesterday")
        assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "previous_response_id")
        assert "provider/model" in caught.value.message

        answer = await ask(client, "one/gpt-fake", previous_response_id="resp_of_yesterday")
        assert answer.id == "resp_one"
        assert len(upstream.requests) == 1


async def test_another_dialect_cannot_continue_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, upstream, client):
        first = await ask(client, "other")
        for id_ in (first.id, "resp_of_yesterday"):
            with pytest.raises(openai.BadRequestError) as caught:
                await ask(client, "claude", previous_response_id=id_)
            assert caught.value.param == "previous_response_id"

        # As the AI SDK goes on with a conversation, unless it is told otherwise.
        with pytest.raises(openai.BadRequestError) as caught:
            await client.responses.create(model="claude", input=[{"type": "item_reference", "id": "msg_of_ours"}])
        assert caught.value.param == "input"
        assert "store: false" in caught.value.message
        assert len(upstream.requests) == 1


async def test_the_cost_is_in_the_answer_where_it_was_asked_for(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, _, client):
        for stream in (False, True):
            for model, cost in (("either", 0.000036), ("claude", 0.000072)):  # 9 x 3 + 3 x 15 USD per million
                answer = await ask(client, model, stream=stream, extra_headers={"x-costspan-cost": "true"})
                assert answer.usage.cost == cost
