"""Thinking that one kind of upstream gave and the client sends back to another: never in a shape that it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from costspan.wire import json
from fakes.gateway import running, two_kinds
from fakes.upstream import Answer, FakeUpstream
from fakes.upstream_answers import ANTHROPIC_USAGE, OPENAI_USAGE

if TYPE_CHECKING:
    from pathlib import Path

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
ASK = {"role": "user", "content": "hi"}
FOREIGN = "cs1.openai-chat.encrypted.e30="
MESSAGE = Answer(
    body=json.dumps(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "fake-1",
            "content": [{"type": "text", "text": "Hi"}],
            "stop_reason": "end_turn",
            "usage": ANTHROPIC_USAGE,
        }
    )
)
COMPLETION = Answer(
    body=json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1700000000,
            "model": "fake-1",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi"}}],
            "usage": OPENAI_USAGE,
        }
    )
)
SPOKEN = {"type": "text", "text": "Hello"}
SIGNED = {"type": "thinking", "thinking": "Hm", "signature": "EqQBCgIYAhIM"}
BLOCKS: dict[str, dict[str, Any]] = {
    "unsigned": {"type": "thinking", "thinking": "Hm", "signature": ""},
    "wrapped": {"type": "thinking", "thinking": "Hm", "signature": FOREIGN},
    "wrapped and redacted": {"type": "redacted_thinking", "data": FOREIGN},
}


async def send(folder: Path, answer: Answer, path: str, body: bytes) -> tuple[bytes, list[str]]:
    """What the upstream got, and what was lost."""
    async with (
        FakeUpstream(answer) as up,
        running(folder, two_kinds(up.url, up.url)) as gateway,
        aiohttp.ClientSession() as session,
        session.post(gateway.url + path, data=body, headers={"content-type": "application/json"}) as response,
    ):
        assert response.status == 200
        (request,) = up.requests
        lost = response.headers.get("x-costspan-dropped", "")
    return request.body, [name for name in lost.split(",") if name]


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS.keys())
@pytest.mark.parametrize("spaced", [False, True])
async def test_thinking_that_anthropic_did_not_sign_does_not_go_there(
    tmp_path: Path, block: dict[str, Any], *, spaced: bool
) -> None:
    talk = [ASK, {"role": "assistant", "content": [SIGNED, block, SPOKEN]}, ASK]
    body = json.dumps({"model": "claude", "max_tokens": 9, "top_k": 3, "messages": talk})
    if spaced:
        body = body.replace(b'":"', b'": "')

    got, lost = await send(tmp_path, MESSAGE, MESSAGES, body)

    sent = json.loads_object(got)
    assert [part["type"] for part in sent["messages"][1]["content"]] == ["thinking", "text"]
    assert sent["messages"][1]["content"][0] == SIGNED
    assert (sent["max_tokens"], sent["top_k"]) == (9, 3)
    assert lost == ["thinking"]


async def test_a_conversation_with_anthropics_own_thinking_passes_byte_for_byte(tmp_path: Path) -> None:
    talk = [ASK, {"role": "assistant", "content": [SIGNED, SPOKEN]}, ASK]
    body = json.dumps({"max_tokens": 9, "messages": talk, "x": 1.0})

    got, lost = await send(tmp_path, MESSAGE, MESSAGES, b'{"model":"claude",' + body[1:])

    assert got.endswith(body[1:])
    assert lost == []


async def test_details_of_reasoning_that_another_dialect_issued_do_not_go_to_openai(tmp_path: Path) -> None:
    details = [
        {"type": "reasoning.text", "text": "Hm", "signature": "cs1.anthropic-messages.signature.U0lH", "index": 0}
    ]
    said = {"role": "assistant", "content": "Hello", "reasoning_details": details}
    body = {"model": "chat", "reasoning_effort": "max", "store": False, "messages": [ASK, said, ASK]}

    got, lost = await send(tmp_path, COMPLETION, CHAT, json.dumps(body))

    sent = json.loads_object(got)
    assert sent["messages"] == [ASK, {"role": "assistant", "content": "Hello"}, ASK]
    assert (sent["reasoning_effort"], sent["store"]) == ("max", False)
    assert lost == ["messages.reasoning"]
