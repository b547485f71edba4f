"""mock.answers: the mock as a pure function."""

from __future__ import annotations

from typing import Any

import pytest

from costspan.mock.answers import Answer, Request, answer
from costspan.wire import json

CHAT, MESSAGES, GENERATE = "/v1/chat/completions", "/v1/messages", "/v1beta/models/m:generateContent"


def ask(path: str, body: object, *, method: str = "POST", **headers: str) -> Answer:
    return answer(Request(method, path, headers, json.dumps(body)), now=1_700_000_000)


def body_of(made: Answer) -> Any:
    return json.loads(b"".join(made.chunks))


def chat(model: str = "m", content: str = "hi", **more: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": content}], **more}


def test_the_same_request_has_the_same_answer() -> None:
    assert ask(CHAT, chat(stream=True)) == ask(CHAT, chat(stream=True))
    assert ask(CHAT, chat()) != ask(CHAT, chat(content="hi there"))


def test_nothing_of_the_prompt_comes_back() -> None:
    secret = chat(content="canary-7f3a use the tool", tools=[{"type": "function", "function": {"name": "f"}}])
    for path in (CHAT, MESSAGES, GENERATE):
        assert b"canary" not in b"".join(ask(path, secret).chunks)


def test_a_stream_is_one_chunk_for_each_event() -> None:
    made = ask(CHAT, chat(stream=True))

    assert dict(made.headers)["content-type"] == "text/event-stream; charset=utf-8"
    assert made.chunks[-1] == b"data: [DONE]\n\n"
    assert all(chunk.startswith(b"data: ") and chunk.count(b"\n\n") == 1 for chunk in made.chunks)
    assert not any(b"usage" in chunk for chunk in made.chunks)


def test_gemini_streams_an_array_where_events_are_not_asked_for() -> None:
    body = {"contents": [{"parts": [{"text": "hi"}]}]}
    made = ask("/v1beta/models/m:streamGenerateContent", body)
    as_events = ask("/v1beta/models/m:streamGenerateContent?alt=sse", body)

    assert len(body_of(made)) == len(as_events.chunks)
    assert body_of(made)[-1]["candidates"][0]["finishReason"] == "STOP"
    assert as_events.chunks[0].startswith(b"data: {")


NAMES: dict[str, tuple[str, int, float, str | None]] = {
    "429": ("error-429", 429, 0.0, "1"),
    "500": ("mock/error-500", 500, 0.0, None),
    "529": ("error-529", 529, 0.0, "1"),
    "not an error": ("error-200", 200, 0.0, None),
    "slow": ("slow-250", 200, 0.25, None),
    "slow error": ("slow-250-error-503", 503, 0.25, "1"),
    "as slow as it gets": ("slow-999999", 200, 60.0, None),
}


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize(("model", "status", "delay", "again"), NAMES.values(), ids=NAMES.keys())
def test_a_model_does_what_its_name_says(path: str, model: str, status: int, delay: float, again: str | None) -> None:
    for stream in (False, True):
        made = ask(path, chat(model, stream=stream))

        assert (made.status, made.delay, dict(made.headers).get("retry-after")) == (status, delay, again)


ERRORS: dict[str, tuple[str, dict[str, Any]]] = {
    "openai": (CHAT, {"error": {"message": "m", "type": "server_error", "param": None, "code": None}}),
    "anthropic": (MESSAGES, {"type": "error", "error": {"type": "api_error", "message": "m"}, "request_id": None}),
    "gemini": (
        "/v1beta/models/error-500:generateContent",
        {"error": {"code": 500, "message": "m", "status": "INTERNAL"}},
    ),
}


@pytest.mark.parametrize(("path", "expected"), ERRORS.values(), ids=ERRORS.keys())
def test_an_error_has_its_formats_shape(path: str, expected: dict[str, Any]) -> None:
    found = body_of(ask(path, chat("error-500")))
    assert found["error"].pop("message") == "the mock was asked for status 500"

    expected["error"].pop("message")
    assert found == expected


@pytest.mark.parametrize("path", [CHAT, MESSAGES, GENERATE])
def test_a_body_that_is_no_object_is_refused(path: str) -> None:
    for raw in (b"", b"[]", b"{"):
        assert answer(Request("POST", path, {}, raw), now=0).status == 400


def test_a_request_without_a_model_is_refused() -> None:
    assert ask(CHAT, {"messages": []}).status == 400


def test_an_unknown_path_is_not_found() -> None:
    assert ask("/v1/elsewhere", {}).status == 404


STRANGE: list[object] = [None, 1, "text", [], {}, [None], {"role": 1}, [{"role": "user", "content": [None, 1, {}]}]]


@pytest.mark.parametrize("value", STRANGE, ids=repr)
def test_fields_of_strange_types_do_no_harm(value: object) -> None:
    names = ["messages", "contents", "tools", "tool_choice", "response_format", "generationConfig", "max_tokens"]
    body = {"model": "m", **dict.fromkeys(names, value)}
    for path in (CHAT, MESSAGES, GENERATE):
        assert ask(path, body).status == 200


def test_models_are_listed_in_the_format_of_who_asks() -> None:
    assert body_of(ask("/v1/models", {}, method="GET"))["object"] == "list"
    assert body_of(ask("/v1/models", {}, method="GET", **{"anthropic-version": "2023-06-01"}))["has_more"] is False
    assert body_of(ask("/v1beta/models", {}, method="GET"))["models"][0]["name"] == "models/mock-small"


def test_a_schema_that_is_asked_for_is_filled() -> None:
    schema = {
        "type": "object",
        "properties": {
            "kind": {"enum": ["a", "b"]},
            "n": {"type": ["integer", "null"]},
            "inner": {"type": "object", "properties": {"ok": {"type": "boolean"}, "list": {"type": "array"}}},
        },
    }
    response_format = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    text = body_of(ask(CHAT, chat(response_format=response_format)))["choices"][0]["message"]["content"]

    assert json.loads(text) == {"kind": "a", "n": 1, "inner": {"ok": True, "list": []}}


def test_after_a_tool_result_the_mock_speaks() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    messages = [{"role": "user", "content": "use the tool"}, {"role": "tool", "content": "tool says 1"}]
    answered = ask(CHAT, {"model": "m", "messages": messages, "tools": tools})

    assert body_of(answered)["choices"][0]["finish_reason"] == "stop"


def test_images_do_not_count_as_text() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 4000}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "hi"}, picture]}]

    assert body_of(ask(CHAT, {"model": "m", "messages": messages}))["usage"]["prompt_tokens"] < 20
