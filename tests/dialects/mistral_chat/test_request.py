from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mistralai.client.models import ChatCompletionRequest

from costspan.dialects import mistral_chat as dialect
from costspan.dialects.types import Profile
from costspan.errors import Untranslatable
from costspan.ir.request import (
    Message,
    OutputFormat,
    ReasoningOptions,
    Request,
    Sampling,
    Text,
    Tool,
    ToolChoice,
)
from costspan.wire import json

GOLDEN = Path(__file__).parents[1] / "golden"
HI = Message("user", (Text("hi"),))
OBJECT = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
F = Tool("f", "d", OBJECT, strict=True)
WIRE_F = {"type": "function", "function": {"name": "f", "description": "d", "parameters": OBJECT, "strict": True}}


def encode(model: str = "m", **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body but for its model and messages, and the losses."""
    encoded = dialect.encode_request(Request(model, (HI,), **fields))
    body = json.loads_object(encoded.body)
    assert (body.pop("model"), body.pop("messages")) == (model, [{"role": "user", "content": "hi"}])
    return body, encoded.losses


def test_where_it_is_served() -> None:
    assert dialect.path("mistral-small", stream=False) == "/chat/completions"


def test_a_stream_is_not_asked_for_its_usage() -> None:
    assert encode(stream=True, max_output_tokens=9) == ({"stream": True, "max_tokens": 9}, ())


def test_knobs_have_their_names() -> None:
    knobs = Sampling(0.5, 0.9, 7, presence_penalty=0.5, frequency_penalty=0.25, repetition_penalty=1.1, seed=3)

    assert encode(sampling=knobs, stop=("a",), n=2, logprobs=True, top_logprobs=2, metadata={"a": "b"}) == (
        {
            "temperature": 0.5,
            "top_p": 0.9,
            "top_k": 7,
            "presence_penalty": 0.5,
            "frequency_penalty": 0.25,
            "repetition_penalty": 1.1,
            "random_seed": 3,
            "stop": ["a"],
            "n": 2,
            "logprobs": True,
            "top_logprobs": 2,
            "metadata": {"a": "b"},
        },
        (),
    )


@pytest.mark.parametrize(
    ("fields", "sent", "losses"),
    [
        ({"sampling": Sampling(temperature=2)}, {"temperature": 1.5}, ("temperature",)),
        ({"sampling": Sampling(temperature=1.5)}, {"temperature": 1.5}, ()),
        ({"sampling": Sampling(seed=-1)}, {}, ("seed",)),
        ({"sampling": Sampling(seed=0)}, {"random_seed": 0}, ()),
        ({"sampling": Sampling(min_p=0.1)}, {}, ("min_p",)),
        ({"sampling": Sampling(logit_bias={"1": 2})}, {}, ("logit_bias",)),
        ({"end_user": "ann"}, {}, ("user",)),
        ({"service_tier": "auto"}, {"service_tier": "auto"}, ()),
        ({"service_tier": "default"}, {"service_tier": "standard_only"}, ()),
        ({"service_tier": "priority"}, {"service_tier": "auto"}, ("service_tier",)),
        ({"service_tier": "flex"}, {}, ("service_tier",)),
        ({"service_tier": "odd"}, {}, ("service_tier",)),
    ],
)
def test_what_differs_is_adjusted_and_named(
    fields: dict[str, Any], sent: dict[str, Any], losses: tuple[str, ...]
) -> None:
    assert encode(**fields) == (sent, losses)


def test_a_function_has_a_schema() -> None:
    empty = {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}}

    assert encode(tools=(F, Tool("g")), parallel_tool_calls=False) == (
        {"tools": [WIRE_F, empty], "parallel_tool_calls": False},
        (),
    )


@pytest.mark.parametrize(
    ("choice", "word"),
    [
        (ToolChoice("auto"), "auto"),
        (ToolChoice("none"), "none"),
        (ToolChoice("required"), "any"),
        (ToolChoice("named", "f"), {"type": "function", "function": {"name": "f"}}),
    ],
)
def test_choices_of_tools(choice: ToolChoice, word: Any) -> None:
    assert encode(tools=(F,), tool_choice=choice) == ({"tools": [WIRE_F], "tool_choice": word}, ())


def test_structured_output_is_as_openai_s() -> None:
    assert encode(output_format=OutputFormat()) == ({"response_format": {"type": "json_object"}}, ())
    assert encode(output_format=OutputFormat(OBJECT, "n", "d", strict=True)) == (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "description": "d", "schema": OBJECT, "strict": True},
            }
        },
        (),
    )


@pytest.mark.parametrize(
    ("model", "options", "word", "lost"),
    [
        ("mistral-small-latest", ReasoningOptions("none"), "none", False),
        ("mistral-small-2603", ReasoningOptions("minimal"), "high", False),
        ("mistral-small-2603", ReasoningOptions("medium"), "high", False),
        ("mistral-small-2603", ReasoningOptions("max"), "high", False),
        ("mistral-small-2603", ReasoningOptions(dynamic=True), "high", False),
        ("mistral-small-2603", ReasoningOptions(budget_tokens=0), "none", False),
        ("mistral-medium-3-5", ReasoningOptions("high"), "high", False),
        ("mistral-medium-3.5", ReasoningOptions(budget_tokens=4000), "high", False),
        ("mistral-large-4-0", ReasoningOptions("low"), "low", False),
        ("mistral-large-4-0", ReasoningOptions("xhigh"), "high", False),
        ("mistral-large-4-0", ReasoningOptions("minimal"), "low", False),
        ("mistral-large-4-0", ReasoningOptions(budget_tokens=16000), "medium", False),
        ("mistral-large-2512", ReasoningOptions("high"), None, True),
        ("mistral-medium-2508", ReasoningOptions("high"), None, True),
        ("mistral-small-2506", ReasoningOptions("high"), None, True),
        ("codestral-latest", ReasoningOptions("none"), None, False),
        ("magistral-medium-2509", ReasoningOptions("high"), None, False),
        ("magistral-medium-2509", ReasoningOptions("none"), None, True),
    ],
)
def test_an_effort_is_one_that_the_model_takes(
    model: str,
    options: ReasoningOptions,
    word: str | None,
    lost: bool,
) -> None:
    assert encode(model, reasoning=options) == (
        {} if word is None else {"reasoning_effort": word},
        ("reasoning",) if lost else (),
    )


def test_a_host_may_take_any_effort() -> None:
    host = Profile(quirks=frozenset({"takes_reasoning_effort"}))

    encoded = dialect.encode_request(
        Request("m", (HI,), reasoning=ReasoningOptions("xhigh", summary="concise", exclude=True)), host
    )

    assert json.loads_object(encoded.body)["reasoning_effort"] == "xhigh"
    assert encoded.losses == ("reasoning.summary", "reasoning.exclude")


def test_who_asks_for_any_summary_sees_the_whole_reasoning() -> None:
    options = ReasoningOptions("high", summary="auto")

    assert dialect.encode_request(Request("mistral-medium-latest", (HI,), reasoning=options)).losses == ()


def test_of_openai_s_own_fields_those_go_that_mistral_knows() -> None:
    family = {"prompt_cache_key": "k", "store": True, "prediction": {"type": "content", "content": "abc"}}
    own = {"safe_prompt": True, "verbosity": "low"}

    assert encode(extensions={"openai": family, "openai-chat": own, "anthropic-messages": {"container": "c"}}) == (
        {"prompt_cache_key": "k", "prediction": {"type": "content", "content": "abc"}, "safe_prompt": True},
        ("store", "verbosity", "container"),
    )


def test_a_prediction_in_parts_is_lost() -> None:
    parts = {"type": "content", "content": [{"type": "text", "text": "abc"}]}

    assert encode(extensions={"openai": {"prediction": parts}}) == ({}, ("prediction",))


def test_its_own_extensions_go_out_again() -> None:
    assert encode(extensions={"mistral-chat": {"later_field": 1}}) == ({"later_field": 1}, ())


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_output_tokens": 0}, "max_tokens"),
        ({"extensions": {"openai": {"tools": [{"type": "web_search"}]}}}, "tools"),
        ({"extensions": {"anthropic-messages": {"tools": [{"type": "web_search_20250305"}]}}}, "tools"),
        ({"tools": (Tool("f" * 65),)}, "tools"),
    ],
)
def test_what_would_change_the_meaning_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Untranslatable) as caught:
        encode(**fields)
    assert caught.value.param == param


def test_a_host_has_its_own_names_and_refusals() -> None:
    host = Profile("mine", {"max_completion_tokens": "limit"}, frozenset({"metadata", "n"}))

    encoded = dialect.encode_request(Request("m", (HI,), max_output_tokens=9, metadata={"a": "b"}), host)

    assert json.loads_object(encoded.body).keys() == {"model", "messages", "limit"}
    assert encoded.losses == ("metadata",)
    with pytest.raises(Untranslatable, match="mine does not accept"):
        dialect.encode_request(Request("m", (HI,), n=2), host)


def test_a_request_that_cannot_be_written_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"items": deep}
    with pytest.raises(Untranslatable, match="nested too deeply"):
        encode(tools=(Tool("f", parameters=deep),))


FILES = sorted(GOLDEN.glob("*/*mistral-chat.json"))


@pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}/{path.name}" for path in FILES])
def test_the_golden_requests_are_what_the_official_sdk_would_send(path: Path) -> None:
    body = json.loads_object(path.read_bytes())

    sent = ChatCompletionRequest.model_validate(body).model_dump(by_alias=True, exclude_unset=True, mode="json")

    assert told(sent) == told(body)


def told(value: Any) -> Any:
    """Without what the SDK adds by default."""
    if isinstance(value, dict):
        kept = {k: told(v) for k, v in value.items() if not (k in {"index", "prefix", "strict"} and not v)}
        return {k: v for k, v in kept.items() if not (k == "type" and v == "function")}
    return [told(item) for item in value] if isinstance(value, list) else value
