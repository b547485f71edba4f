"""Recorded answers on their way back: a client says again what it was shown, and the provider finds its seals whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from costspan.dialects import CLIENT_DIALECTS, DIALECTS
from costspan.dialects.types import StreamOptions
from costspan.ir.request import Text, ToolCall
from costspan.providers.hosts import KINDS
from costspan.wire import json
from fakes.corpus import GOOD, MISSING, ROWS, Row
from fakes.corpus_answers import back, reply_of, seals, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from costspan.ir.request import Block, Opaque, Request

pytestmark = pytest.mark.skipif(not ROWS, reason=MISSING)


def pairs(rows: Iterable[Row]) -> list[object]:
    return [pytest.param(row, client, id=f"{row.id}: through {client}") for row in rows for client in CLIENT_DIALECTS]


SEALED = [row for row in GOOD.values() if seals(reply_of(row).choices[0].blocks)]


def chat(answer: dict[str, Any]) -> dict[str, Any]:
    message = answer["choices"][0]["message"]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "42"} for call in message.get("tool_calls", ())]
    return {"messages": [{"role": "user", "content": "hi"}, message, *results]}


def messages(answer: dict[str, Any]) -> dict[str, Any]:
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "42"}
        for block in answer["content"]
        if block["type"] == "tool_use"
    ]
    said = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": answer["content"]}]
    return {"max_tokens": 4096, "messages": [*said, *([{"role": "user", "content": results}] if results else [])]}


def responses(answer: dict[str, Any]) -> dict[str, Any]:
    results = [
        {"type": "function_call_output", "call_id": item["call_id"], "output": "42"}
        for item in answer["output"]
        if item["type"] == "function_call"
    ]
    return {"input": [{"role": "user", "content": "hi"}, *answer["output"], *results]}


def gemini(answer: dict[str, Any]) -> dict[str, Any]:
    content = answer["candidates"][0]["content"]
    results = [
        {"functionResponse": {**named(part["functionCall"]), "response": {"result": "42"}}}
        for part in content.get("parts", ())
        if "functionCall" in part
    ]
    said = [{"role": "user", "parts": [{"text": "hi"}]}]
    if content.get("parts"):  # Google's SDK keeps no turn of nothing, and Google takes none
        said.append(content)
    return {"contents": [*said, *([{"role": "user", "parts": results}] if results else [])]}


def named(call: dict[str, Any]) -> dict[str, Any]:
    return {name: call[name] for name in ("id", "name") if name in call}


AGAIN: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "anthropic-messages": messages,
    "gemini-generate": gemini,
    "openai-chat": chat,
    "openai-responses": responses,
}
"""The next request of a client that gives back what it was shown, with results of tools where it was asked for some."""


def returned(row: Row, client: str) -> Request:
    """The next turn in canonical form. A stream's client gives back what its SDK has put together: a whole answer."""
    answer, _ = shown(row, client)
    if row.stream:
        answer = CLIENT_DIALECTS[client].encode_reply(back(row, client, answer), StreamOptions("cs_1", "m", 0)).body
    body = {"model": row.model, "stream": False, **AGAIN[client](json.loads_object(answer))}
    return CLIENT_DIALECTS[client].decode_request(body)


def said(blocks: Iterable[Block]) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for block in blocks:
        match block:
            case Text(text) if text:
                found.append(("text", text))
            case ToolCall(_, name, arguments):
                found.append((name, json.loads(arguments)))
            case _:
                pass
    return found


def of_the_assistant(request: Request) -> list[Block]:
    return [block for message in request.messages if message.role == "assistant" for block in message.blocks]


@pytest.mark.parametrize(("row", "client"), pairs(GOOD.values()))
def test_a_client_gives_back_what_was_said(row: Row, client: str) -> None:
    reply = reply_of(row)

    blocks = of_the_assistant(returned(row, client))

    assert said(blocks) == said(reply.choices[0].blocks)
    assert seals(blocks) == seals(reply.choices[0].blocks)


@pytest.mark.parametrize(("row", "client"), pairs(SEALED))
def test_the_provider_finds_its_seals_whole(row: Row, client: str) -> None:
    sent = DIALECTS[row.dialect].encode_request(returned(row, client), KINDS[row.kind].profile)

    strings = list(texts(json.loads(sent.body)))
    for seal in seals(reply_of(row).choices[0].blocks):
        assert strings.count(sealed(seal)) == 1


def sealed(seal: Opaque) -> str:
    """The string that only its provider can read, which may be in an object of its own."""
    if not seal.data.startswith("{"):
        return seal.data
    held = json.loads_object(seal.data)
    return str(held.get("encrypted_content") or held.get("data") or held["signature"])


def texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value if isinstance(value, list) else value.values():
            yield from texts(item)
