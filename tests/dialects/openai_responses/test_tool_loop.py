"""A tool loop with reasoning, through a client of this dialect and to a provider of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from costspan.dialects import CLIENT_DIALECTS, DIALECTS, openai_responses
from costspan.ir import events
from costspan.ir.reply import Choice, FinishReason, Reply
from costspan.ir.request import Opaque, Reasoning, ToolCall
from costspan.wire import json, sse
from dialects.openai_responses.samples import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

ASKED = {"role": "user", "content": "What time is it?"}
REASONED = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "I need the clock."}],
    "encrypted_content": "c2VhbGVk",
}
CALLED = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "get_time", "arguments": "{}"}
ANSWER: dict[str, Any] = {"id": "resp_1", "model": "gpt-5.1", "status": "completed", "output": [REASONED, CALLED]}


def through_chat(told: dict[str, Any]) -> dict[str, Any]:
    message = told["choices"][0]["message"]
    return {
        "model": "gpt-5.1",
        "messages": [ASKED, message, {"role": "tool", "tool_call_id": "call_1", "content": "12"}],
    }


def through_messages(told: dict[str, Any]) -> dict[str, Any]:
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": "12"}
    turns = [ASKED, {"role": "assistant", "content": told["content"]}, {"role": "user", "content": [result]}]
    return {"model": "gpt-5.1", "max_tokens": 99, "messages": turns}


@pytest.mark.parametrize(("client", "again"), [("openai-chat", through_chat), ("anthropic-messages", through_messages)])
def test_what_was_sealed_here_returns_through_clients_of_other_dialects(client: str, again: Any) -> None:
    dialect = CLIENT_DIALECTS[client]
    told = json.loads_object(dialect.encode_reply(openai_responses.decode_reply(ANSWER), OPTIONS).body)

    encoded = openai_responses.encode_request(dialect.decode_request(again(told)))

    body = json.loads_object(encoded.body)
    assert body["input"] == [
        ASKED,
        REASONED,
        {"type": "function_call", "call_id": "call_1", "name": "get_time", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "12"},
    ]
    assert body["include"] == ["reasoning.encrypted_content"]
    assert body["store"] is False
    assert encoded.losses == ()


SEALS: dict[str, Opaque | None] = {
    "signed": Opaque("anthropic-messages", "signature", "sig"),
    "redacted": Opaque("anthropic-messages", "redacted", "zz"),
    "sealed by nobody": None,
}


@pytest.mark.parametrize("sealed", SEALS.values(), ids=SEALS.keys())
def test_what_others_thought_returns_to_them_and_is_marked_for_the_gateway(sealed: Opaque | None) -> None:
    blocks = (Reasoning("I need the clock.", opaque=sealed), ToolCall("call_1", "get_time", "{}"))
    reply = Reply("msg_1", "claude", (Choice(blocks, FinishReason.TOOL_CALLS),))
    output = json.loads_object(openai_responses.encode_reply(reply, OPTIONS).body)["output"]
    body = {"model": "gpt-5.1", "input": [ASKED, *output], "store": False}

    assert b'"cs1.' in json.dumps(body)  # by this the engine knows that it may not pass to its like as it is
    request = openai_responses.decode_request(body)
    assert request.messages[1].blocks == (Reasoning("I need the clock.", summary=True, opaque=sealed), *blocks[1:])
    if sealed is not None and sealed.kind == "signature":
        emptied = [{**output[0], "summary": []}, *output[1:]]
        assert openai_responses.decode_request({**body, "input": [ASKED, *emptied]}) == request

    again = openai_responses.encode_request(request)
    assert json.loads_object(again.body)["input"] == [
        ASKED,
        {"type": "function_call", "call_id": "call_1", "name": "get_time", "arguments": "{}"},
    ]
    assert again.losses == ("messages.reasoning",)


def streamed(reply: Reply) -> list[dict[str, Any]]:
    """The items of the stream of an answer with one thought and one call."""
    thought, call = reply.choices[0].blocks
    assert isinstance(thought, Reasoning)
    assert isinstance(call, ToolCall)
    told: list[events.Event] = [
        events.Started(reply.id, reply.model),
        events.BlockStarted(0, "reasoning"),
        *(events.ReasoningDelta(0, letter) for letter in thought.text),
        *([events.OpaqueDelta(0, thought.opaque)] if thought.opaque else []),
        events.BlockFinished(0),
        events.BlockStarted(1, "tool_call", call.id, call.name),
        events.ArgumentsDelta(1, call.arguments),
        events.BlockFinished(1),
        events.Ended(),
    ]
    encoder = openai_responses.new_encoder(OPTIONS)
    data = b"".join(map(encoder.feed, told)) + encoder.close()
    found = [json.loads_object(raw.data) for raw in sse.Parser().feed(data)]
    return [value["item"] for value in found if value["type"] == "response.output_item.done"]


def whole(reply: Reply) -> list[dict[str, Any]]:
    output: list[dict[str, Any]] = json.loads_object(openai_responses.encode_reply(reply, OPTIONS).body)["output"]
    return output


RETURNED: dict[str, Any] = {
    "as it was told": {},
    "without its summary": {"summary": []},
    "as reasoning text": {"summary": [], "content": [{"type": "reasoning_text", "text": "I need the clock."}]},
}


@pytest.mark.parametrize("tell", [whole, streamed])
@pytest.mark.parametrize("returned", RETURNED.values(), ids=RETURNED.keys())
def test_thinking_that_claude_signed_is_shown_as_a_summary_and_returns_to_it_word_by_word(
    tell: Callable[[Reply], list[dict[str, Any]]], returned: dict[str, Any]
) -> None:
    blocks = (Reasoning("I need the clock.", opaque=SEALS["signed"]), ToolCall("call_1", "get_time", "{}"))

    thought, call = tell(Reply("msg_1", "claude", (Choice(blocks, FinishReason.TOOL_CALLS),)))

    assert thought["summary"] == [{"type": "summary_text", "text": "I need the clock."}]
    assert "content" not in thought
    result = {"type": "function_call_output", "call_id": "call_1", "output": "12"}
    asked = {
        "model": "claude-sonnet-4-5",
        "input": [ASKED, thought | returned, call, result],
        "reasoning": {"effort": "low"},
    }
    again = DIALECTS["anthropic-messages"].encode_request(openai_responses.decode_request(asked))
    body = json.loads_object(again.body)
    assert body["messages"][1]["content"][0] == {
        "type": "thinking",
        "thinking": "I need the clock.",
        "signature": "sig",
    }
    assert body["thinking"]["type"] == "enabled"
    assert again.losses == ()
