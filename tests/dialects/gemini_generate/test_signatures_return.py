"""The tool loop of Gemini 3, which refuses a function call that comes back without its signature.

Whatever dialect the client speaks, and whether it streams: it carries what it does not understand, and the call goes
back as it came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from costspan.dialects import CLIENT_DIALECTS
from costspan.dialects.types import StreamOptions
from costspan.ir.fold import fold
from costspan.wire import json, sse

if TYPE_CHECKING:
    from costspan.dialects.types import Dialect

GEMINI = CLIENT_DIALECTS["gemini-generate"]
OPTIONS = StreamOptions("cs_1", "gemini-3-flash", 7)
MODEL = "gemini-3-flash"
QUESTION, ANSWER = "Weather and time in Oslo?", "12:00"

FIRST, SECOND, TEXT = "Zmlyc3Q+Pz8/", "c2Vjb25k", "dGV4dA=="
CALLS = [
    {"functionCall": {"id": "c1", "name": "get_time", "args": {"city": "Oslo"}}, "thoughtSignature": FIRST},
    {"functionCall": {"id": "c2", "name": "get_weather", "args": {}}, "thoughtSignature": SECOND},
]
UNSIGNED = {"functionCall": {"id": "c2", "name": "get_weather", "args": {}}}
THOUGHT = {"text": "I need a clock.", "thought": True}
SIGNED_TEXT = {"text": "Let me look.", "thoughtSignature": TEXT}

ANSWERS: dict[str, list[dict[str, Any]]] = {
    "a call": [CALLS[0]],
    "parallel calls, the first signed": [CALLS[0], UNSIGNED],
    "calls that are all signed": CALLS,
    "a thought and a call": [THOUGHT, CALLS[0]],
    "text and a call": [{"text": "Let me look."}, CALLS[0]],
    "signed text and a call": [SIGNED_TEXT, CALLS[0]],
    "a thought, signed text and calls": [THOUGHT, SIGNED_TEXT, CALLS[0], UNSIGNED],
}
CLIENTS = ["anthropic-messages", "openai-chat", "openai-responses"]


def chunk(parts: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0, **more}
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": MODEL, "responseId": "r1"}


def whole(client: Dialect, parts: list[dict[str, Any]]) -> dict[str, Any]:
    reply = GEMINI.decode_reply(chunk(parts, finishReason="STOP"))
    encoded = client.encode_reply(reply, OPTIONS)
    assert encoded.losses == ()
    return json.loads_object(encoded.body)


def streamed(client: Dialect, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """What the client adds up from its stream, written as its whole answer."""
    upstream, downstream, encoder = GEMINI.new_decoder(), client.new_decoder(), client.new_encoder(OPTIONS)
    chunks = [*(chunk([part]) for part in parts), chunk([{"text": ""}], finishReason="STOP")]
    made = [event for one in chunks for event in upstream.feed(sse.Event("", json.dumps(one)))]
    upstream.close()
    raw = b"".join(map(encoder.feed, made)) + encoder.close()
    assert encoder.losses == ()
    reply = fold(event for one in sse.Parser().feed(raw) for event in downstream.feed(one))
    return json.loads_object(client.encode_reply(reply, OPTIONS).body)


def conversation(name: str, answer: dict[str, Any]) -> dict[str, Any]:
    """The next request of a client that sends back all that it got."""
    asked = {"role": "user", "content": QUESTION}
    match name:
        case "anthropic-messages":
            content = answer["content"]
            results = [
                {"type": "tool_result", "tool_use_id": block["id"], "content": ANSWER}
                for block in content
                if block["type"] == "tool_use"
            ]
            messages = [asked, {"role": "assistant", "content": content}, {"role": "user", "content": results}]
            return {"model": MODEL, "max_tokens": 99, "messages": messages}
        case "openai-chat":
            message = answer["choices"][0]["message"]
            results = [
                {"role": "tool", "tool_call_id": call["id"], "content": ANSWER} for call in message["tool_calls"]
            ]
            return {"model": MODEL, "messages": [asked, message, *results]}
        case _:
            output = answer["output"]
            results = [
                {"type": "function_call_output", "call_id": item["call_id"], "output": ANSWER}
                for item in output
                if item["type"] == "function_call"
            ]
            return {"model": MODEL, "input": [asked, *output, *results], "store": False}


@pytest.mark.parametrize("show", [whole, streamed])
@pytest.mark.parametrize("parts", ANSWERS.values(), ids=ANSWERS.keys())
@pytest.mark.parametrize("name", CLIENTS)
def test_each_call_goes_back_with_the_signature_it_came_with(name: str, parts: list[dict[str, Any]], show: Any) -> None:
    client = CLIENT_DIALECTS[name]
    request = client.decode_request(conversation(name, show(client, parts)))

    encoded = GEMINI.encode_request(request)

    assert encoded.losses == ()
    question, said, results = json.loads_object(encoded.body)["contents"]
    calls = [part for part in parts if "functionCall" in part]
    assert question == {"role": "user", "parts": [{"text": QUESTION}]}
    assert [part for part in said["parts"] if "functionCall" in part] == calls
    assert results["parts"] == [
        {"functionResponse": {"id": call["id"], "name": call["name"], "response": {"result": ANSWER}}}
        for call in (part["functionCall"] for part in calls)
    ]


@pytest.mark.parametrize("show", [whole, streamed])
@pytest.mark.parametrize("name", CLIENTS)
def test_what_signed_a_text_goes_back_with_it(name: str, show: Any) -> None:
    client = CLIENT_DIALECTS[name]
    parts = [SIGNED_TEXT, CALLS[0]]

    encoded = GEMINI.encode_request(client.decode_request(conversation(name, show(client, parts))))

    assert json.loads_object(encoded.body)["contents"][1] == {"role": "model", "parts": parts}
