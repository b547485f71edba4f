"""The official `openai` SDK against the gateway, over both kinds of upstream."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import openai
import pytest

from costspan.wire import json
from fakes.conversations import SIGNATURE, Call, Turn
from fakes.sdks import KEY, UPSTREAM_KEYS, WAYS, Way, chat, conversing

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.gateway import Running
    from fakes.upstream import Request

every_way = pytest.mark.parametrize("way", WAYS, ids=str)

TALK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]
PNG = "iVBORw0KGgo="
WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS = [
    {
        "type": "function",
        "function": {"name": "weather", "description": "The weather", "parameters": WEATHER, "strict": True},
    }
]
CALLS = (Call("call_1", "weather", '{"city": "Oslo"}'), Call("call_2", "weather", '{"city": "Turin"}'))
COSTS = {
    # 800 fresh at 2, 200 cached at 0.5, 100 out at 8 USD per million: 0.0016 + 0.0001 + 0.0008
    "chat": Decimal("0.0025"),
    # 800 fresh at 3, 200 cached at 0.3, 100 out at 15 USD per million: 0.0024 + 0.00006 + 0.0015
    "messages": Decimal("0.00396"),
}


def sent(request: Request) -> dict[str, Any]:
    return json.loads_object(request.body)


def check_books(gateway: Running, way: Way, count: int = 1) -> None:
    attempts = gateway.records("attempt")
    assert [record["usage"] for record in attempts] == [{"input": 800, "cache_read": 200, "output": 100}] * count
    assert [Decimal(record["cost_usd"]) for record in attempts] == [COSTS[way.upstream]] * count
    assert {record["cost_status"] for record in attempts} == {"exact"}
    exchanges = gateway.records("exchange")
    assert [Decimal(record["cost_usd"]) for record in exchanges] == [COSTS[way.upstream]] * count
    assert {(record["outcome"], record["key"], record["route"]) for record in exchanges} == {
        ("ok", "application", "smart")
    }


def check_headers(request: Request, way: Way) -> None:
    """The upstream sees its own key, never the client's, and nothing that names the client's SDK settings."""
    name, value = UPSTREAM_KEYS[way.upstream]
    names = {name.lower() for name, _ in request.headers}
    assert request.header(name) == value
    assert not any(KEY in value for _, value in request.headers)
    assert not any(name.startswith(("x-stainless", "x-secret")) for name in names)
    assert names & {"authorization", "x-api-key"} == {name}


@every_way
async def test_a_talk(tmp_path: Path, way: Way) -> None:
    async with conversing(tmp_path, way, Turn("Hello, you!")) as (gateway, upstream):
        got = await chat(
            way,
            gateway,
            messages=TALK,
            temperature=0.5,
            max_completion_tokens=77,
            stop=["END"],
            extra_headers={"x-secret": "of the client", "OpenAI-Organization": "org-1"},
        )
        (request,) = upstream.requests
        check_books(gateway, way)

    (choice,) = got.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", "Hello, you!", "stop")
    assert got.usage is not None
    assert (got.usage.prompt_tokens, got.usage.completion_tokens, got.usage.total_tokens) == (1000, 100, 1100)
    assert got.usage.prompt_tokens_details is not None
    assert got.usage.prompt_tokens_details.cached_tokens == 200
    check_headers(request, way)
    assert request.header("openai-organization") is None
    body = sent(request)
    assert body["model"] == "upstream-model"
    assert body["temperature"] == 0.5
    if way.upstream == "chat":
        assert request.path == "/v1/chat/completions"
        assert (body["messages"], body["max_completion_tokens"], body["stop"]) == (TALK, 77, ["END"])
    else:
        assert request.path == "/v1/messages"
        assert request.header("anthropic-version") == "2023-06-01"
        assert body["system"] == "Be brief."
        assert body["messages"] == [{"role": "user", "content": "hello"}]
        assert (body["max_tokens"], body["stop_sequences"]) == (77, ["END"])


@every_way
async def test_a_tool_loop_with_parallel_calls(tmp_path: Path, way: Way) -> None:
    turns = (Turn("Let me see.", CALLS, finish="tool_calls"), Turn("Snow and sun."))
    async with conversing(tmp_path, way, *turns) as (gateway, upstream):
        first = await chat(way, gateway, messages=TALK, tools=TOOLS, tool_choice="required")
        calls = first.choices[0].message.tool_calls or []
        messages: list[Any] = [
            *TALK,
            first.choices[0].message,
            *({"role": "tool", "tool_call_id": call.id, "content": f"for {call.id}"} for call in calls),
        ]
        second = await chat(way, gateway, messages=messages, tools=TOOLS)
        bodies = [sent(request) for request in upstream.requests]
        check_books(gateway, way, 2)

    assert [(c.id, c.function.name, c.function.arguments.replace(" ", "")) for c in calls if c.type == "function"] == [
        ("call_1", "weather", '{"city":"Oslo"}'),
        ("call_2", "weather", '{"city":"Turin"}'),
    ]
    assert first.choices[0].finish_reason == "tool_calls"
    assert (second.choices[0].message.content, second.choices[0].finish_reason) == ("Snow and sun.", "stop")
    if way.upstream == "chat":
        assert bodies[0]["tools"] == TOOLS
        assert [m.get("tool_call_id") for m in bodies[1]["messages"][3:]] == ["call_1", "call_2"]
        return
    (tool,) = bodies[0]["tools"]
    assert (tool["name"], tool["description"], tool["input_schema"]) == ("weather", "The weather", WEATHER)
    assert bodies[0]["tool_choice"]["type"] == "any"
    _, assistant, results = bodies[1]["messages"]
    assert [block["type"] for block in assistant["content"]] == ["text", "tool_use", "tool_use"]
    assert [block["input"] for block in assistant["content"][1:]] == [{"city": "Oslo"}, {"city": "Turin"}]
    assert results["role"] == "user"
    assert [(block["type"], block["tool_use_id"]) for block in results["content"]] == [
        ("tool_result", "call_1"),
        ("tool_result", "call_2"),
    ]


@every_way
async def test_images_by_bytes_and_by_address(tmp_path: Path, way: Way) -> None:
    content = [
        {"type": "text", "text": "Which is the cat?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.jpg"}},
    ]
    async with conversing(tmp_path, way, Turn("The second.")) as (gateway, upstream):
        got = await chat(way, gateway, messages=[{"role": "user", "content": content}])
        body = sent(upstream.requests[0])
        check_books(gateway, way)

    assert got.choices[0].message.content == "The second."
    if way.upstream == "chat":
        assert body["messages"] == [{"role": "user", "content": content}]
    else:
        assert body["messages"][0]["content"] == [
            {"type": "text", "text": "Which is the cat?"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.jpg"}},
        ]


@every_way
async def test_structured_output(tmp_path: Path, way: Way) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": WEATHER, "strict": True}}
    async with conversing(tmp_path, way, Turn('{"city": "Oslo"}')) as (gateway, upstream):
        got = await chat(way, gateway, messages=TALK, response_format=form)
        body = sent(upstream.requests[0])

    assert got.choices[0].message.content == '{"city": "Oslo"}'
    if way.upstream == "chat":
        assert body["response_format"] == form
    else:
        assert body["output_config"]["format"] == {"type": "json_schema", "schema": WEATHER}


@every_way
async def test_thinking_comes_back_to_the_one_who_thought(tmp_path: Path, way: Way) -> None:
    thought = Turn("Let me see.", CALLS[:1], thinking="Where is Oslo?", finish="tool_calls")
    async with conversing(tmp_path, way, thought, Turn("Snow.")) as (gateway, upstream):
        first = await chat(way, gateway, messages=TALK, tools=TOOLS, reasoning_effort="high")
        said = first.choices[0].message
        result = {"role": "tool", "tool_call_id": "call_1", "content": "snow"}
        second = await chat(
            way, gateway, messages=[*TALK, said.model_dump(), result], tools=TOOLS, reasoning_effort="high"
        )
        bodies = [sent(request) for request in upstream.requests]

    assert said.model_dump()["reasoning_content"] == "Where is Oslo?"
    assert second.choices[0].message.content == "Snow."
    if way.upstream == "chat":
        assert bodies[0]["reasoning_effort"] == "high"
        assert bodies[1]["messages"][2]["reasoning_content"] == "Where is Oslo?"
    else:
        assert bodies[0]["thinking"]["type"] in {"enabled", "adaptive"}
        assert bodies[1]["messages"][1]["content"][0] == {
            "type": "thinking",
            "thinking": "Where is Oslo?",
            "signature": SIGNATURE,
        }


async def test_a_stream_of_the_plain_iterator_has_usage_only_where_asked(tmp_path: Path) -> None:
    way = Way(asynchronous=True, stream=True, upstream="messages")
    async with conversing(tmp_path, way, Turn("Hello"), Turn("Hello")) as (gateway, _):
        chunks = await plain(gateway, {"include_usage": True}), await plain(gateway, None)
        check_books(gateway, way, 2)

    assert [chunk.usage is not None for chunk in chunks[0]] == [False] * (len(chunks[0]) - 1) + [True]
    assert not any(chunk.usage for chunk in chunks[1])
    assert len(chunks[0]) == len(chunks[1]) + 1


async def plain(gateway: Running, options: Any) -> list[Any]:
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as client:
        more: dict[str, Any] = {"stream_options": options} if options else {}
        messages: Any = TALK
        stream: Any = await client.chat.completions.create(model="smart", messages=messages, stream=True, **more)
        return [chunk async for chunk in stream]
