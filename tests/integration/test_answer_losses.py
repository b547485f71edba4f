"""What an answer holds and the client's dialect cannot show is named: in a header while there is one, in the ledger."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from costspan.wire import json
from fakes.gateway import running, two_kinds
from fakes.upstream import Answer, FakeUpstream
from fakes.upstream_answers import ANTHROPIC_USAGE, OPENAI_USAGE, STREAM_HEADERS

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.gateway import Running

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
SEARCH = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}}
TEXT = {"type": "text", "text": "Hi"}
LOGPROBS: dict[str, Any] = {
    "content": [{"token": "Hi", "logprob": -0.1, "bytes": None, "top_logprobs": []}],
    "refusal": None,
}


def message(*blocks: dict[str, Any], **more: Any) -> Answer:
    """Anthropic's."""
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "fake-1", "usage": ANTHROPIC_USAGE}
    return Answer(body=json.dumps({**head, "content": blocks, "stop_reason": "end_turn", **more}))


def message_steps(*blocks: dict[str, Any]) -> list[bytes]:
    """The same as a stream: an event for the start, two for each block, one for the end."""
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "fake-1", "content": []}
    steps = [event("message_start", message={**head, "usage": ANTHROPIC_USAGE})]
    for index, block in enumerate(blocks):
        steps.append(event("content_block_start", index=index, content_block=block))
        steps.append(event("content_block_stop", index=index))
    end = event("message_delta", delta={"stop_reason": "end_turn"}, usage=ANTHROPIC_USAGE) + event("message_stop")
    return [*steps, end]


def event(name: str, **fields: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), json.dumps({"type": name, **fields}))


def completion(choice: dict[str, Any], **more: Any) -> Answer:
    """OpenAI's."""
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": "fake-1"}
    choices = [{"index": 0, "finish_reason": "stop", **choice}]
    return Answer(body=json.dumps({**head, "choices": choices, "usage": OPENAI_USAGE, **more}))


def chunk(choice: dict[str, Any], **more: Any) -> bytes:
    return b"data: %s\n\n" % json.dumps({"id": "chatcmpl-1", "choices": [{"index": 0, **choice}], **more})


def stream(steps: list[bytes | asyncio.Event]) -> Answer:
    return Answer(headers=STREAM_HEADERS, body=steps, framing="chunked")


async def ask(url: str, path: str, model: str, **more: Any) -> tuple[str | None, bytes]:
    """The header and the body."""
    body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **more}
    async with aiohttp.ClientSession() as session, session.post(url + path, json=body) as response:
        assert response.status == 200
        return response.headers.get("x-costspan-dropped"), await response.read()


def dropped(gateway: Running) -> list[str]:
    (exchange,) = gateway.records("exchange")
    found: list[str] = exchange["dropped"]
    return found


WHOLE: dict[str, tuple[Answer, str, str, list[str]]] = {
    "a search": (message(SEARCH, TEXT), CHAT, "claude", ["response.server_tool"]),
    "a block that nobody knows": (message(TEXT, {"type": "dream"}), CHAT, "claude", ["response.dream"]),
    "a block with a hostile name": (
        message(TEXT, {"type": "a\r\nset-cookie: b"}),
        CHAT,
        "claude",
        ["response.unknown"],
    ),
    "a field that nobody knows": (message(TEXT, mood="calm"), CHAT, "claude", ["response.mood"]),
    "log probabilities": (
        completion({"message": {"content": "Hi"}, "logprobs": LOGPROBS}),
        MESSAGES,
        "chat",
        ["response.logprobs"],
    ),
    "sound and a field that nobody knows": (
        completion({"message": {"content": None, "audio": {"data": "AA", "transcript": "Hi"}, "mood": "calm"}}),
        MESSAGES,
        "chat",
        ["response.audio", "response.mood"],
    ),
    "nothing": (message(TEXT), CHAT, "claude", []),
    "nothing but bookkeeping": (
        completion({"message": {"content": "Hi"}}, system_fingerprint="fp"),
        MESSAGES,
        "chat",
        [],
    ),
}


@pytest.mark.parametrize(("answer", "path", "model", "names"), WHOLE.values(), ids=WHOLE.keys())
async def test_a_whole_answer_names_what_it_lost_in_header_and_ledger(
    tmp_path: Path, answer: Answer, path: str, model: str, names: list[str]
) -> None:
    async with FakeUpstream(answer) as up, running(tmp_path, two_kinds(up.url, up.url)) as gateway:
        header, body = await ask(gateway.url, path, model)

    assert b"Hi" in body
    assert header == (",".join(names) or None)
    assert dropped(gateway) == names


async def test_what_the_request_lost_comes_first(tmp_path: Path) -> None:
    async with FakeUpstream(message(SEARCH, TEXT)) as up, running(tmp_path, two_kinds(up.url, up.url)) as gateway:
        header, _ = await ask(gateway.url, CHAT, "claude", seed=5)

    assert header == "seed,response.server_tool"
    assert dropped(gateway) == ["seed", "response.server_tool"]


SAME: dict[str, tuple[Answer, str, str]] = {
    "anthropic": (message(SEARCH, TEXT, {"type": "dream"}, mood="calm"), MESSAGES, "claude"),
    "openai": (completion({"message": {"content": "Hi", "mood": "calm"}, "logprobs": LOGPROBS}), CHAT, "chat"),
}


@pytest.mark.parametrize(("answer", "path", "model"), SAME.values(), ids=SAME.keys())
async def test_nothing_is_lost_in_the_same_dialect(tmp_path: Path, answer: Answer, path: str, model: str) -> None:
    async with FakeUpstream(answer) as up, running(tmp_path, two_kinds(up.url, up.url)) as gateway:
        header, body = await ask(gateway.url, path, model)

    assert body == answer.body
    assert header is None
    assert dropped(gateway) == []


async def test_a_stream_names_in_the_header_what_came_before_its_content_and_the_rest_in_the_ledger(
    tmp_path: Path,
) -> None:
    gate = asyncio.Event()
    begin, search, searched, *rest = message_steps(SEARCH, TEXT, {"type": "dream"})
    answer = stream([begin + search + searched, gate, *rest])
    body = {"model": "claude", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    async with (
        FakeUpstream(answer) as up,
        running(tmp_path, two_kinds(up.url, up.url)) as gateway,
        aiohttp.ClientSession() as session,
        session.post(gateway.url + CHAT, json=body) as response,
    ):
        assert response.headers["x-costspan-dropped"] == "response.server_tool"
        gate.set()
        told = await response.read()

    assert told.endswith(b"data: [DONE]\n\n")
    assert dropped(gateway) == ["response.server_tool", "response.dream"]


async def test_what_a_stream_loses_after_its_first_content_is_in_the_ledger(tmp_path: Path) -> None:
    gate = asyncio.Event()
    answer = stream(
        [
            chunk({"delta": {"role": "assistant", "content": "Hi"}}),
            gate,
            chunk({"delta": {"content": " you"}, "logprobs": LOGPROBS}),
            chunk({"delta": {"mood": "calm"}, "finish_reason": "stop"}, usage=OPENAI_USAGE),
            b"data: [DONE]\n\n",
        ]
    )
    body = {"model": "chat", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    async with (
        FakeUpstream(answer) as up,
        running(tmp_path, two_kinds(up.url, up.url)) as gateway,
        aiohttp.ClientSession() as session,
        session.post(gateway.url + MESSAGES, json=body) as response,
    ):
        assert "x-costspan-dropped" not in response.headers
        gate.set()
        told = await response.read()

    assert b"message_stop" in told
    assert dropped(gateway) == ["response.logprobs", "response.mood"]


async def test_a_usage_chunk_the_client_did_not_ask_for_is_taken_out_whatever_else_it_holds(tmp_path: Path) -> None:
    last = b"data: %s\n\n" % json.dumps({"id": "c", "choices": [], "usage": OPENAI_USAGE, "mood": "calm"})
    answer = stream([chunk({"delta": {"content": "Hi"}, "finish_reason": "stop"}), last, b"data: [DONE]\n\n"])
    async with FakeUpstream(answer) as up, running(tmp_path, two_kinds(up.url, up.url)) as gateway:
        _, body = await ask(gateway.url, CHAT, "chat", stream=True)

    assert b"Hi" in body
    assert b"usage" not in body
