"""The official `anthropic` SDK against the gateway, over both kinds of upstream."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anthropic
import pytest
from pydantic import BaseModel

from costspan.wire import json
from fakes.conversations import SIGNATURE, Call, Turn
from fakes.sdks import KEY, UPSTREAM_KEYS, WAYS, Way, conversing, message

if TYPE_CHECKING:
    from pathlib import Path

    from anthropic.types import Message

    from fakes.gateway import Running
    from fakes.upstream import Request

every_way = pytest.mark.parametrize("way", WAYS, ids=str)

TALK = [{"role": "user", "content": "hello"}]
PNG = "iVBORw0KGgo="
WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS = [{"name": "weather", "description": "The weather", "input_schema": WEATHER}]
CALLS = (Call("call_1", "weather", '{"city": "Oslo"}'), Call("call_2", "weather", '{"city": "Turin"}'))
COSTS = {
    # 800 fresh at 2, 200 cached at 0.5, 100 out at 8 USD per million: 0.0016 + 0.0001 + 0.0008
    "chat": Decimal("0.0025"),
    # 800 fresh at 3, 200 cached at 0.3, 100 out at 15 USD per million: 0.0024 + 0.00006 + 0.0015
    "messages": Decimal("0.00396"),
}


class Place(BaseModel):
    city: str


def sent(request: Request) -> dict[str, Any]:
    return json.loads_object(request.body)


def texts(got: Message) -> list[str]:
    return [block.text for block in got.content if block.type == "text"]


def check_books(gateway: Running, way: Way, count: int = 1) -> None:
    attempts = gateway.records("attempt")
    assert [record["usage"] for record in attempts] == [{"input": 800, "cache_read": 200, "output": 100}] * count
    assert [Decimal(record["cost_usd"]) for record in attempts] == [COSTS[way.upstream]] * count
    assert {record["cost_status"] for record in attempts} == {"exact"}
    assert {record["dialect_in"] for record in attempts} == {"anthropic-messages"}
    exchanges = gateway.records("exchange")
    assert [Decimal(record["cost_usd"]) for record in exchanges] == [COSTS[way.upstream]] * count
    assert {(record["outcome"], record["key"]) for record in exchanges} == {("ok", "application")}


@every_way
async def test_a_talk(tmp_path: Path, way: Way) -> None:
    async with conversing(tmp_path, way, Turn("Hello, you!")) as (gateway, upstream):
        got = await message(
            way,
            gateway,
            messages=TALK,
            system="Be brief.",
            max_tokens=77,
            stop_sequences=["END"],
            extra_headers={"x-secret": "of the client", "cookie": "a=b"},
        )
        (request,) = upstream.requests
        check_books(gateway, way)

    assert (got.role, got.type, texts(got), got.stop_reason) == ("assistant", "message", ["Hello, you!"], "end_turn")
    assert (got.usage.input_tokens, got.usage.cache_read_input_tokens, got.usage.output_tokens) == (800, 200, 100)
    name, value = UPSTREAM_KEYS[way.upstream]
    names = {name.lower() for name, _ in request.headers}
    assert request.header(name) == value
    assert not any(KEY in value for _, value in request.headers)
    assert not any(name.startswith(("x-stainless", "x-secret", "cookie")) for name in names)
    assert names & {"authorization", "x-api-key"} == {name}
    body = sent(request)
    assert body["model"] == "upstream-model"
    if way.upstream == "messages":
        assert (request.path, body["system"], body["messages"]) == ("/v1/messages", "Be brief.", TALK)
        assert (body["max_tokens"], body["stop_sequences"]) == (77, ["END"])
    else:
        assert request.path == "/v1/chat/completions"
        assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]
        assert (body["max_completion_tokens"], body["stop"]) == (77, ["END"])
        assert body.get("stream_options") == ({"include_usage": True} if way.stream else None)


@every_way
async def test_a_tool_loop_with_parallel_calls(tmp_path: Path, way: Way) -> None:
    turns = (Turn("Let me see.", CALLS, finish="tool_calls"), Turn("Snow and sun."))
    async with conversing(tmp_path, way, *turns) as (gateway, upstream):
        first = await message(way, gateway, messages=TALK, tools=TOOLS, tool_choice={"type": "any"})
        calls = [block for block in first.content if block.type == "tool_use"]
        results = [
            {"type": "tool_result", "tool_use_id": "call_1", "content": "snow"},
            {"type": "tool_result", "tool_use_id": "call_2", "content": [{"type": "text", "text": "sun"}]},
        ]
        messages = [*TALK, {"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
        second = await message(way, gateway, messages=messages, tools=TOOLS)
        bodies = [sent(request) for request in upstream.requests]
        check_books(gateway, way, 2)

    assert (texts(first), first.stop_reason) == (["Let me see."], "tool_use")
    assert [(call.id, call.name, call.input) for call in calls] == [
        ("call_1", "weather", {"city": "Oslo"}),
        ("call_2", "weather", {"city": "Turin"}),
    ]
    assert (texts(second), second.stop_reason) == (["Snow and sun."], "end_turn")
    if way.upstream == "messages":
        assert bodies[0]["tools"] == TOOLS
        assert bodies[1]["messages"][2] == messages[2]
        return
    (tool,) = bodies[0]["tools"]
    assert (tool["function"]["name"], tool["function"]["parameters"]) == ("weather", WEATHER)
    assert bodies[0]["tool_choice"] == "required"
    _, assistant, *told = bodies[1]["messages"]
    assert [(c["id"], c["type"], json.loads(c["function"]["arguments"].encode())) for c in assistant["tool_calls"]] == [
        ("call_1", "function", {"city": "Oslo"}),
        ("call_2", "function", {"city": "Turin"}),
    ]
    assert assistant["content"] == "Let me see."
    assert told == [
        {"role": "tool", "tool_call_id": "call_1", "content": "snow"},
        {"role": "tool", "tool_call_id": "call_2", "content": "sun"},
    ]


@every_way
async def test_images_by_bytes_and_by_address(tmp_path: Path, way: Way) -> None:
    content = [
        {"type": "text", "text": "Which is the cat?"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.jpg"}},
    ]
    async with conversing(tmp_path, way, Turn("The second.")) as (gateway, upstream):
        got = await message(way, gateway, messages=[{"role": "user", "content": content}])
        body = sent(upstream.requests[0])
        check_books(gateway, way)

    assert texts(got) == ["The second."]
    if way.upstream == "messages":
        assert body["messages"] == [{"role": "user", "content": content}]
    else:
        assert body["messages"][0]["content"] == [
            {"type": "text", "text": "Which is the cat?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
            {"type": "image_url", "image_url": {"url": "https://example.com/cat.jpg"}},
        ]


@every_way
async def test_thinking_goes_round_in_a_tool_loop(tmp_path: Path, way: Way) -> None:
    thinking = {"type": "enabled", "budget_tokens": 2000}
    turns = (
        Turn("Let me see.", CALLS[:1], thinking="Where is Oslo?", finish="tool_calls", reasoned=40),
        Turn("Snow."),
    )
    async with conversing(tmp_path, way, *turns) as (gateway, upstream):
        first = await message(way, gateway, model="thinker", messages=TALK, tools=TOOLS, thinking=thinking)
        result = {"type": "tool_result", "tool_use_id": "call_1", "content": "snow"}
        messages = [*TALK, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
        second = await message(way, gateway, model="thinker", messages=messages, tools=TOOLS, thinking=thinking)
        bodies = [sent(request) for request in upstream.requests]
        attempt, _ = gateway.records("attempt")

    assert [block.type for block in first.content] == ["thinking", "text", "tool_use"]
    assert isinstance(first.content[0], anthropic.types.ThinkingBlock)
    assert first.content[0].thinking == "Where is Oslo?"
    assert texts(second) == ["Snow."]
    if way.upstream == "messages":
        assert bodies[0]["thinking"] == thinking
        assert bodies[1]["messages"][1]["content"][0] == {
            "type": "thinking",
            "thinking": "Where is Oslo?",
            "signature": SIGNATURE,
        }
        return
    assert bodies[0]["reasoning_effort"] in {"low", "medium", "high"}
    assert "Where is Oslo?" not in str(bodies[1])  # OpenAI's own chat has no place for it
    # 800 fresh at 2, 200 cached at 0.5, 100 out of which 40 reasoned at 8: reasoning costs what output costs
    assert attempt["usage"] == {"input": 800, "cache_read": 200, "output": 60, "reasoning": 40}
    assert Decimal(attempt["cost_usd"]) == Decimal("0.0025")
    assert first.usage.output_tokens == 100


@pytest.mark.parametrize("way", [way for way in WAYS if way.asynchronous], ids=str)
async def test_structured_output_by_the_sdk_s_parser(tmp_path: Path, way: Way) -> None:
    async with conversing(tmp_path, way, Turn('{"city": "Oslo"}')) as (gateway, upstream):
        params: dict[str, Any] = {"model": "smart", "max_tokens": 99, "messages": TALK, "output_format": Place}
        async with anthropic.AsyncAnthropic(base_url=gateway.url, api_key=KEY, max_retries=0) as client:
            if way.stream:
                async with client.messages.stream(**params) as stream:
                    parsed = (await stream.get_final_message()).parsed_output
            else:
                parsed = (await client.messages.parse(**params)).parsed_output
        body = sent(upstream.requests[0])

    assert parsed == Place(city="Oslo")
    if way.upstream == "messages":
        schema = body["output_config"]["format"]["schema"]
    else:
        assert body["response_format"]["type"] == "json_schema"
        schema = body["response_format"]["json_schema"]["schema"]
    assert schema["required"] == ["city"]


@pytest.mark.parametrize("way", [way for way in WAYS if way.asynchronous and way.stream], ids=str)
async def test_the_events_of_a_stream_are_in_the_dialect_s_order(tmp_path: Path, way: Way) -> None:
    turn = Turn("Let me", CALLS, thinking="Where", finish="tool_calls")
    async with conversing(tmp_path, way, turn) as (gateway, _):
        params: dict[str, Any] = {"model": "smart", "max_tokens": 99, "messages": TALK}
        async with anthropic.AsyncAnthropic(base_url=gateway.url, api_key=KEY, max_retries=0) as client:
            stream = await client.messages.create(**params, stream=True)
            seen = [(event.type, getattr(event, "index", None)) async for event in stream]

    order = [step for i, step in enumerate(seen) if i == 0 or step != seen[i - 1]]
    blocks = [
        (f"content_block_{part}", index) for index in range(len(CALLS) + 2) for part in ("start", "delta", "stop")
    ]
    assert order == [("message_start", None), *blocks, ("message_delta", None), ("message_stop", None)]
