"""A tool loop with thinking, for a client that speaks openai-chat and sends back no `reasoning_details`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest

from costspan.wire import json, sse
from fakes.gateway import running, two_kinds
from fakes.upstream import Answer, FakeUpstream
from fakes.upstream_answers import ANTHROPIC_USAGE, STREAM_HEADERS, anthropic_reply

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.upstream import Request

THINKING = {"type": "thinking", "thinking": "I need the clock.", "signature": "EqQBCgIYAhIM"}
USE = {"type": "tool_use", "id": "toolu_1", "name": "clock", "input": {}}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-fake", "stop_sequence": None}
WHOLE = MESSAGE | {"content": [THINKING, USE], "stop_reason": "tool_use", "usage": ANTHROPIC_USAGE}
EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": MESSAGE | {"content": [], "stop_reason": None, "usage": ANTHROPIC_USAGE}},
    {"type": "content_block_start", "index": 0, "content_block": THINKING | {"thinking": "", "signature": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "I need the clock."}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "EqQBCgIYAhIM"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": USE},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop"},
]
STREAM = Answer(headers=STREAM_HEADERS, body=b"".join(sse.write(json.dumps(e), e["type"]) for e in EVENTS))
CLOCK: Any = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}


def script(request: Request) -> Answer:
    if b"tool_result" in request.body:
        return anthropic_reply("It is noon.")
    return STREAM if b'"stream":true' in request.body else Answer(body=json.dumps(WHOLE))


@pytest.mark.parametrize("stream", [False, True])
async def test_the_thinking_goes_back_to_whoever_signed_it(tmp_path: Path, *, stream: bool) -> None:
    asked: list[Any] = [{"role": "user", "content": "What time is it?"}]
    params: dict[str, Any] = {"model": "claude", "tools": [CLOCK], "reasoning_effort": "low", "max_tokens": 4000}
    async with (
        FakeUpstream(script, reads=True) as upstream,
        running(tmp_path, two_kinds(upstream.url, upstream.url)) as gateway,
        openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0) as client,
    ):
        if stream:
            async with client.chat.completions.stream(messages=asked, **params) as events:
                first = await events.get_final_completion()
        else:
            first = await client.chat.completions.create(messages=asked, **params)
        calls = first.choices[0].message.tool_calls
        assert calls is not None
        assert calls[0].type == "function"
        function = {"name": calls[0].function.name, "arguments": calls[0].function.arguments}
        bare: Any = {
            "role": "assistant",
            "tool_calls": [{"id": calls[0].id, "type": "function", "function": function}],
        }
        result: Any = {"role": "tool", "tool_call_id": calls[0].id, "content": "12:00"}
        raw = await client.chat.completions.with_raw_response.create(messages=[*asked, bare, result], **params)

    assert raw.parse().choices[0].message.content == "It is noon."
    assert "x-costspan-dropped" not in raw.headers
    again = json.loads_object(upstream.requests[1].body)
    assert again["messages"][1]["content"] == [THINKING, USE]
    assert again["thinking"]["type"] == "enabled"
