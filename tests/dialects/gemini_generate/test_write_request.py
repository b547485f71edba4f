from __future__ import annotations

from typing import Any

import pytest
from google.genai import types as sdk

from costspan.dialects import gemini_generate as dialect
from costspan.dialects.types import Profile
from costspan.errors import Untranslatable
from costspan.ir.request import (
    Block,
    Cache,
    Citation,
    Media,
    Message,
    Opaque,
    OutputFormat,
    Reasoning,
    ReasoningOptions,
    Refusal,
    Request,
    Role,
    Sampling,
    ServerTool,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from costspan.wire import json

NAME = "gemini-generate"
HI = Message("user", (Text("hi"),))
OWN, OTHER = Opaque(NAME, "signature", "c2ln"), Opaque(NAME, "signature", "b3Ro")
FOREIGN = Opaque("anthropic-messages", "signature", "x")
TOOL = Tool("f", "d", {"type": "object", "properties": {}})
SKIP = "skip_thought_signature_validator"


def encode(*messages: Message, model: str = "m", **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    encoded = dialect.encode_request(Request(model, messages or (HI,), **fields))
    body = json.loads_object(encoded.body)
    for content in body["contents"]:
        sdk.Content.model_validate(content)
    return body, encoded.losses


def parts(*blocks: Block, role: Role = "assistant", **fields: Any) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    body, losses = encode(HI, Message(role, blocks), **fields)
    return body["contents"][-1]["parts"] if role == "assistant" else body["contents"][0]["parts"][1:], losses


def config(**fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    body, losses = encode(**fields)
    return body.get("generationConfig", {}), losses


def test_a_plain_request_names_neither_its_model_nor_that_it_streams() -> None:
    assert encode(stream=True) == ({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}, ())


SAID: dict[str, tuple[tuple[Block, ...], list[dict[str, Any]], tuple[str, ...]]] = {
    "text": ((Text("a"), Text(""), Text("b")), [{"text": "a"}, {"text": "b"}], ()),
    "signed text": ((Text("a", opaque=OWN),), [{"text": "a", "thoughtSignature": "c2ln"}], ()),
    "a signature on no text": ((Text("", opaque=OWN),), [{"text": "", "thoughtSignature": "c2ln"}], ()),
    "cited text": ((Text("a", (Citation("u"),)),), [{"text": "a"}], ("messages.annotations",)),
    "marked text": ((Text("a", cache=Cache("1h")),), [{"text": "a"}], ("cache_control",)),
    "a refusal": ((Refusal("No"),), [{"text": "No"}], ()),
    "a thought": ((Reasoning("hm"),), [{"text": "hm", "thought": True}], ()),
    "an own thought": (
        (Reasoning("hm", opaque=OWN),),
        [{"text": "hm", "thought": True, "thoughtSignature": "c2ln"}],
        (),
    ),
    "a foreign thought": (
        (Reasoning("hm", opaque=FOREIGN), Text("a")),
        [{"text": "hm", "thought": True}, {"text": "a"}],
        ("reasoning",),
    ),
    "a foreign thought without words": ((Reasoning(opaque=FOREIGN), Text("a")), [{"text": "a"}], ("reasoning",)),
    "foreign signatures": (
        (Text("a", opaque=FOREIGN), ToolCall("c", "f", "{}", FOREIGN)),
        [{"text": "a"}, {"functionCall": {"id": "c", "name": "f", "args": {}}}],
        ("reasoning",),
    ),
    "a signature before its call": (
        (Reasoning(opaque=OWN), ToolCall("c", "f", "{}")),
        [{"functionCall": {"id": "c", "name": "f", "args": {}}, "thoughtSignature": "c2ln"}],
        (),
    ),
    "a signature before its text": (
        (Reasoning(opaque=OWN), Text("a")),
        [{"text": "a", "thoughtSignature": "c2ln"}],
        (),
    ),
    "a signature before its image": (
        (Reasoning(opaque=OWN), Media("image", "image/png", data="AA==")),
        [{"inlineData": {"mimeType": "image/png", "data": "AA=="}, "thoughtSignature": "c2ln"}],
        (),
    ),
    "a signature that no part takes": (
        (Reasoning(opaque=OWN), Reasoning("hm")),
        [{"text": "", "thoughtSignature": "c2ln"}, {"text": "hm", "thought": True}],
        (),
    ),
    "a signature before a part that has one": (
        (Reasoning(opaque=OWN), ToolCall("c", "f", "{}", OTHER)),
        [
            {"text": "", "thoughtSignature": "c2ln"},
            {"functionCall": {"id": "c", "name": "f", "args": {}}, "thoughtSignature": "b3Ro"},
        ],
        (),
    ),
    "two signatures and a call": (
        (Reasoning(opaque=OWN), Reasoning(opaque=OTHER), ToolCall("c", "f", "{}")),
        [
            {"text": "", "thoughtSignature": "c2ln"},
            {"functionCall": {"id": "c", "name": "f", "args": {}}, "thoughtSignature": "b3Ro"},
        ],
        (),
    ),
    "a signature at the end": (
        (Text("a"), Reasoning(opaque=OWN)),
        [{"text": "a"}, {"text": "", "thoughtSignature": "c2ln"}],
        (),
    ),
    "arguments with their numbers": (
        (ToolCall("c", "f", '{"n":10000000000000000000000001}'),),
        [{"functionCall": {"id": "c", "name": "f", "args": {"n": 1e25}}}],
        (),
    ),
    "no arguments": ((ToolCall("c", "f", " "),), [{"functionCall": {"id": "c", "name": "f", "args": {}}}], ()),
    "arguments that are no object": (
        (ToolCall("c", "f", "[1]"),),
        [{"functionCall": {"id": "c", "name": "f", "args": {"arguments": "[1]"}}}],
        ("tool_calls.arguments",),
    ),
    "google's own tool": ((ServerTool(NAME, "toolCall", {"toolCall": {"id": "t"}}),), [{"toolCall": {"id": "t"}}], ()),
    "another's tool": ((ServerTool("x", "y", {}), Text("a")), [{"text": "a"}], ("messages.server_tool",)),
}


@pytest.mark.parametrize(("blocks", "found", "lost"), SAID.values(), ids=SAID.keys())
def test_what_the_model_said_is_parts(
    blocks: tuple[Block, ...], found: list[dict[str, Any]], lost: tuple[str, ...]
) -> None:
    assert parts(*blocks) == (found, lost)


def test_arguments_go_as_they_were_written() -> None:
    call = Message("assistant", (ToolCall("c", "f", '{"n": 1.50}'),))

    assert b'"args":{"n": 1.50}' in dialect.encode_request(Request("m", (HI, call))).body


MEDIA: dict[str, tuple[Media, dict[str, Any], tuple[str, ...]]] = {
    "data": (Media("image", "image/webp", data="AA=="), {"inlineData": {"mimeType": "image/webp", "data": "AA=="}}, ()),
    "data of no type": (Media("audio", data="AA=="), {"inlineData": {"mimeType": "audio/wav", "data": "AA=="}}, ()),
    "a page": (
        Media("image", url="https://e.org/a.JPG?w=1"),
        {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://e.org/a.JPG?w=1"}},
        (),
    ),
    "a page of no type": (Media("image", url="https://e.org/a"), {"fileData": {"fileUri": "https://e.org/a"}}, ()),
    "a file of Google's": (
        Media("video", "video/mp4", file_id="gs://b/a"),
        {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://b/a"}},
        (),
    ),
    "in detail": (
        Media("image", "image/png", data="AA==", detail="high"),
        {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
        ("image_url.detail",),
    ),
    "with a name": (
        Media("document", "application/pdf", data="AA==", name="a.pdf"),
        {"inlineData": {"mimeType": "application/pdf", "data": "AA=="}},
        ("file.filename",),
    ),
}


@pytest.mark.parametrize(("media", "part", "lost"), MEDIA.values(), ids=MEDIA.keys())
def test_media_is_a_part(media: Media, part: dict[str, Any], lost: tuple[str, ...]) -> None:
    assert parts(media, role="user") == ([part], lost)


CALLED = Message("assistant", (ToolCall("c", "f", "{}", OWN),))


def answered(*blocks: Text | Media, model: str = "m", is_error: bool = False) -> list[dict[str, Any]]:
    body, _ = encode(HI, CALLED, Message("user", (ToolResult("c", blocks, is_error),)), model=model)
    found: list[dict[str, Any]] = body["contents"][-1]["parts"]
    return found


PICTURE = Media("image", "image/png", data="AA==")
SHOWN = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}


def test_a_result_is_an_object_and_names_its_function() -> None:
    assert answered(Text("a"), Text("b")) == [
        {"functionResponse": {"id": "c", "name": "f", "response": {"result": "a\nb"}}}
    ]
    assert answered(Text("broken"), is_error=True)[0]["functionResponse"]["response"] == {"error": "broken"}
    assert answered()[0]["functionResponse"]["response"] == {"result": ""}


def test_media_of_a_result_are_inside_it_where_the_model_takes_them_there() -> None:
    response = {"id": "c", "name": "f", "response": {"result": "a"}}

    assert answered(Text("a"), PICTURE, model="gemini-3-flash") == [
        {"functionResponse": {**response, "parts": [SHOWN]}}
    ]
    assert answered(Text("a"), PICTURE, model="gemini-2.5-flash") == [{"functionResponse": response}, SHOWN]


def test_results_come_first_and_roles_alternate() -> None:
    calls = Message("assistant", (ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}")))
    results = [Message("user", (Text("so"), ToolResult("a", ()))), Message("user", (ToolResult("b", ()), PICTURE))]

    body, _ = encode(HI, calls, *results, Message("assistant", (Text("x"),)), Message("assistant", (Text("y"),)))

    assert [(content["role"], [next(iter(part)) for part in content["parts"]]) for content in body["contents"]] == [
        ("user", ["text"]),
        ("model", ["functionCall", "functionCall"]),
        ("user", ["functionResponse", "functionResponse", "text", "inlineData"]),
        ("model", ["text", "text"]),
    ]


def signatures(*messages: Message, model: str = "gemini-3-flash") -> tuple[list[str | None], tuple[str, ...]]:
    """Of each function call."""
    body, losses = encode(HI, *messages, model=model)
    found = [part for content in body["contents"] for part in content["parts"] if "functionCall" in part]
    return [part.get("thoughtSignature") for part in found], losses


def step(*sealed: Opaque | None) -> list[Message]:
    """Parallel calls and their results."""
    calls = tuple(ToolCall(f"c{number}", "f", "{}", opaque) for number, opaque in enumerate(sealed))
    return [Message("assistant", calls), Message("user", tuple(ToolResult(call.id, ()) for call in calls))]


LOOPS: dict[str, tuple[list[Message], list[str | None], tuple[str, ...]]] = {
    "signed": (step(OWN), ["c2ln"], ()),
    "parallel: the first carries it": (step(OWN, None), ["c2ln", None], ()),
    "lost": (step(None, None), [SKIP, None], ("reasoning",)),
    "foreign": (step(FOREIGN), [SKIP], ("reasoning",)),
    "each step of the running turn": ([*step(OWN), *step(None)], ["c2ln", SKIP], ("reasoning",)),
    "earlier turns need none": ([*step(None), HI, *step(OWN)], [None, "c2ln"], ()),
}


@pytest.mark.parametrize(("messages", "found", "lost"), LOOPS.values(), ids=LOOPS.keys())
def test_calls_of_the_running_turn_are_signed_for_models_that_insist(
    messages: list[Message], found: list[str | None], lost: tuple[str, ...]
) -> None:
    assert signatures(*messages) == (found, lost)


def test_others_are_not_asked_to_skip_anything() -> None:
    assert signatures(*step(None), model="gemini-2.5-pro") == ([None], ())


def test_instructions_and_later_system_messages() -> None:
    body, losses = encode(
        HI, Message("system", (Text("a"), Text("b"))), Message("user", (Text("c"),), "ann"), instructions=(Text("I"),)
    )

    assert body["systemInstruction"] == {"parts": [{"text": "I"}]}
    assert body["contents"][0]["parts"][1:] == [{"text": "<system>\na\nb\n</system>"}, {"text": "c"}]
    assert losses == ("messages.system", "messages.name")


def test_instructions_alone_are_a_turn() -> None:
    encoded = dialect.encode_request(Request("m", (), (Text("I", cache=Cache()),)))

    assert json.loads(encoded.body) == {"contents": [{"role": "user", "parts": [{"text": "I"}]}]}
    assert encoded.losses == ("cache_control", "messages.system")


CHOICES: dict[str, tuple[ToolChoice | None, bool | None, dict[str, Any] | None]] = {
    "nothing": (None, None, None),
    "auto": (ToolChoice("auto"), None, {"mode": "AUTO"}),
    "none": (ToolChoice("none"), None, {"mode": "NONE"}),
    "required": (ToolChoice("required"), True, {"mode": "ANY"}),
    "named": (ToolChoice("named", "f"), True, {"mode": "ANY", "allowedFunctionNames": ["f"]}),
    "strict": (None, True, {"mode": "VALIDATED"}),
    "strict and auto": (ToolChoice("auto"), True, {"mode": "VALIDATED"}),
    "strict, not to be called": (ToolChoice("none"), True, {"mode": "NONE"}),
    "loose": (ToolChoice("auto"), False, {"mode": "AUTO"}),
}


@pytest.mark.parametrize(("choice", "strict", "calling"), CHOICES.values(), ids=CHOICES.keys())
def test_the_choice_of_a_tool(choice: ToolChoice | None, strict: bool | None, calling: dict[str, Any] | None) -> None:
    body, losses = encode(tools=(Tool("f", strict=strict), Tool("g")), tool_choice=choice)

    assert body.get("toolConfig") == (calling and {"functionCallingConfig": calling})
    assert losses == ()


def test_a_function_has_a_json_schema() -> None:
    body, losses = encode(tools=(Tool("f", "d", {"$ref": "#/$defs/A", "title": "t"}, cache=Cache()), Tool("g")))

    schema = {"title": "t", "anyOf": [{"$ref": "#/$defs/A"}]}
    assert body["tools"] == [
        {"functionDeclarations": [{"name": "f", "description": "d", "parametersJsonSchema": schema}, {"name": "g"}]}
    ]
    assert losses == ("cache_control",)


LOST: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "one call at a time": ({"tools": (TOOL,), "parallel_tool_calls": False}, ("parallel_tool_calls",)),
    "calls in parallel": ({"tools": (TOOL,), "parallel_tool_calls": True}, ()),
    "a choice of nothing": ({"tool_choice": ToolChoice("required")}, ("tool_choice",)),
    "knobs": (
        {"sampling": Sampling(min_p=0.1, repetition_penalty=1.1, logit_bias={"1": 2})},
        ("repetition_penalty", "min_p", "logit_bias"),
    ),
    "knobs at rest": ({"sampling": Sampling(min_p=0, repetition_penalty=1)}, ()),
    "a long seed": ({"sampling": Sampling(seed=2**40)}, ("seed",)),
    "who asks and why": ({"end_user": "u", "metadata": {"a": "b"}}, ("metadata", "user")),
    "an unknown tier": ({"service_tier": "scale"}, ("service_tier",)),
    "no tier": ({"service_tier": "auto"}, ()),
    "many ends": ({"stop": ("a", "b", "c", "d", "e", "f")}, ("stop",)),
    "another's fields": ({"extensions": {"openai": {"store": True}, NAME: {"labels": {}}}}, ("store",)),
    "a way to sum up": ({"reasoning": ReasoningOptions("low", summary="detailed")}, ("reasoning.summary",)),
    "many alternatives": ({"logprobs": True, "top_logprobs": 21}, ("top_logprobs",)),
}


@pytest.mark.parametrize(("fields", "lost"), LOST.values(), ids=LOST.keys())
def test_what_has_no_word_here_is_named(fields: dict[str, Any], lost: tuple[str, ...]) -> None:
    assert encode(**fields)[1] == lost


def test_the_configuration() -> None:
    found, losses = config(
        max_output_tokens=99,
        sampling=Sampling(1.5, 0.9, 40, None, 0.5, -0.5, seed=-7),
        stop=("a", "b", "c", "d", "e", "f"),
        n=2,
        logprobs=True,
        top_logprobs=3,
    )

    assert found == {
        "temperature": 1.5,
        "topP": 0.9,
        "topK": 40,
        "presencePenalty": 0.5,
        "frequencyPenalty": -0.5,
        "seed": -7,
        "candidateCount": 2,
        "maxOutputTokens": 99,
        "stopSequences": ["a", "b", "c", "d", "e"],
        "responseLogprobs": True,
        "logprobs": 3,
    }
    assert losses == ("stop",)
    sdk.GenerationConfig.model_validate(found)


@pytest.mark.parametrize(("tier", "word"), [("default", "standard"), ("flex", "flex"), ("priority", "priority")])
def test_a_tier_is_google_s_word(tier: str, word: str) -> None:
    assert encode(service_tier=tier)[0]["serviceTier"] == word


def test_a_format_is_json_with_its_schema() -> None:
    json_type = {"responseMimeType": "application/json"}

    assert config(output_format=OutputFormat()) == (json_type, ())
    schema, losses = config(output_format=OutputFormat({"type": "string", "pattern": "a"}, "n", "d"))
    assert schema == {**json_type, "responseJsonSchema": {"type": "string", "pattern": "a", "description": "d"}}
    assert losses == ("response_format",)


def deep(levels: int) -> list[Any]:
    return [deep(levels - 1)] if levels else []


REFUSED: dict[str, tuple[Request, str]] = {
    "many choices": (Request("m", (HI,), n=9), "n"),
    "no output": (Request("m", (HI,), max_output_tokens=0), "max_tokens"),
    "a long name": (Request("m", (HI,), tools=(Tool("f" * 129),)), "tools"),
    "another's tool": (Request("m", (HI,), extensions={"anthropic-messages": {"tools": [{}]}}), "tools"),
    "json beside functions": (
        Request("gemini-2.5-pro", (HI,), tools=(TOOL,), output_format=OutputFormat({})),
        "response_format",
    ),
    "a file of OpenAI": (Request("m", (Message("user", (Media("document", file_id="file-a"),)),)), "messages.file"),
    "a result of nothing": (Request("m", (Message("user", (ToolResult("a", ()),)),)), "messages.tool_call_id"),
    "a call by the user": (Request("m", (Message("user", (ToolCall("a", "f", "{}"),)),)), "messages.content"),
    "a result of the model": (Request("m", (Message("assistant", (ToolResult("a", ()),)),)), "messages.content"),
    "too deep": (Request("m", (HI,), tools=(Tool("f", None, {"default": deep(300)}),)), "messages"),
}


@pytest.mark.parametrize(("request_", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_what_would_mean_something_else_is_refused(request_: Request, param: str) -> None:
    with pytest.raises(Untranslatable) as refused:
        dialect.encode_request(request_)

    assert refused.value.param == param


def test_json_beside_functions_goes_to_models_that_take_both() -> None:
    body, _ = encode(model="gemini-3-flash", tools=(TOOL,), output_format=OutputFormat({"type": "object"}))

    assert body["generationConfig"]["responseJsonSchema"] == {"type": "object"}


def test_a_host_has_its_own_names_and_refusals() -> None:
    profile = Profile("host", {"serviceTier": "tier"}, frozenset({"labels"}))
    request = Request("m", (HI,), service_tier="flex", extensions={NAME: {"labels": {"a": "b"}}})

    encoded = dialect.encode_request(request, profile)

    assert json.loads_object(encoded.body).keys() == {"contents", "tier"}
    assert encoded.losses == ("labels",)
    with pytest.raises(Untranslatable):
        dialect.encode_request(Request("m", (HI,), tools=(TOOL,)), Profile(rejects=frozenset({"tools"})))
