from __future__ import annotations

from typing import Any

import pytest
from google.genai import types as sdk

from costspan.dialects import gemini_generate as dialect
from costspan.errors import ClientError, Untranslatable
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

HI = [{"role": "user", "parts": [{"text": "Hello"}]}]
ASKED = {"model": "m", "contents": HI}
SAID = (Message("user", (Text("Hello"),)),)


def read(**fields: Any) -> Request:
    return dialect.decode_request({**ASKED, **fields})


def configured(**config: Any) -> Request:
    return read(generationConfig=config)


def test_a_plain_request() -> None:
    assert dialect.decode_request({**ASKED, "stream": True}) == Request("m", SAID, stream=True)


CONFIG = {
    "temperature": 1.5,
    "topP": 0.9,
    "topK": 40.0,
    "candidateCount": 2,
    "maxOutputTokens": 99,
    "stopSequences": ["END"],
    "presencePenalty": 0.5,
    "frequencyPenalty": -0.5,
    "seed": 7,
    "responseLogprobs": True,
    "logprobs": 3,
    "responseModalities": ["TEXT"],
}
SNAKE = {
    "temperature": 1.5,
    "top_p": 0.9,
    "top_k": 40,
    "candidate_count": 2,
    "max_output_tokens": 99,
    "stop_sequences": ["END"],
    "presence_penalty": 0.5,
    "frequency_penalty": -0.5,
    "seed": 7,
    "response_logprobs": True,
    "logprobs": 3,
    "response_modalities": ["TEXT"],
}


@pytest.mark.parametrize("fields", [{"generationConfig": CONFIG}, {"generation_config": SNAKE}], ids=["camel", "snake"])
def test_the_configuration_is_read_under_either_spelling(fields: dict[str, Any]) -> None:
    assert read(**fields) == Request(
        "m",
        SAID,
        max_output_tokens=99,
        sampling=Sampling(1.5, 0.9, 40, None, 0.5, -0.5, seed=7),
        stop=("END",),
        n=2,
        logprobs=True,
        top_logprobs=3,
    )


def test_what_only_this_dialect_knows_is_kept_by_its_path() -> None:
    request = read(
        generationConfig={"speechConfig": {"a": 1}, "responseModalities": ["AUDIO"], "mediaResolution": None},
        safetySettings=[{"category": "X"}],
        cachedContent="cachedContents/a",
        labels={"a": "b"},
        toolConfig={
            "retrievalConfig": {"languageCode": "de"},
            "functionCallingConfig": {"streamFunctionCallArguments": True},
        },
        unheardOf=None,
    )

    assert request.extensions == {
        "gemini-generate": {
            "generationConfig.speechConfig": {"a": 1},
            "generationConfig.responseModalities": ["AUDIO"],
            "safetySettings": [{"category": "X"}],
            "cachedContent": "cachedContents/a",
            "labels": {"a": "b"},
            "toolConfig.retrievalConfig": {"languageCode": "de"},
            "toolConfig.functionCallingConfig.streamFunctionCallArguments": True,
        }
    }


def test_what_was_kept_goes_back_to_where_it_was() -> None:
    fields: dict[str, Any] = {
        "generationConfig": {"speechConfig": {"a": 1}, "seed": 7},
        "safetySettings": [{"category": "X"}],
        "tools": [{"functionDeclarations": [{"name": "f"}]}, {"googleSearch": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED"}, "retrievalConfig": {"languageCode": "de"}},
        "serviceTier": "flex",
    }

    encoded = dialect.encode_request(read(**fields))

    assert json.loads_object(encoded.body) == {"contents": HI, **fields}
    assert encoded.losses == ()


FORMATS: dict[str, tuple[dict[str, Any], OutputFormat | None]] = {
    "text": ({"responseMimeType": "text/plain"}, None),
    "any object": ({"responseMimeType": "application/json"}, OutputFormat()),
    "google's schema": (
        {"responseMimeType": "application/json", "responseSchema": {"type": "OBJECT"}},
        OutputFormat({"type": "object"}),
    ),
    "json schema": (
        {"responseMimeType": "application/json", "responseJsonSchema": {"type": "object", "x_y": 1}},
        OutputFormat({"type": "object", "x_y": 1}),
    ),
}


@pytest.mark.parametrize(("config", "wanted"), FORMATS.values(), ids=FORMATS.keys())
def test_the_format_of_the_answer(config: dict[str, Any], wanted: OutputFormat | None) -> None:
    assert configured(**config).output_format == wanted


def test_thinking_and_tier_are_read() -> None:
    request = read(serviceTier="standard", generationConfig={"thinkingConfig": {"thinkingLevel": "LOW"}})

    assert (request.service_tier, request.reasoning) == ("default", ReasoningOptions("low", exclude=True))


DECLARED = {"name": "f", "description": "d", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}}
BARE = {"name": "g", "parameters_json_schema": {"type": "object", "properties": {"a_b": {}}}}
F = Tool("f", "d", {"type": "object", "properties": {"a": {"type": "string"}}})
G = Tool("g", None, {"type": "object", "properties": {"a_b": {}}})


def test_functions_are_tools_and_the_rest_is_google_s_own() -> None:
    request = read(
        tools=[
            {"function_declarations": [DECLARED, BARE]},
            {"googleSearch": {}, "functionDeclarations": [{"name": "h", "response": {"type": "OBJECT"}}]},
            {"codeExecution": {}, "urlContext": None},
        ]
    )

    assert request.tools == (F, G, Tool("h"))
    assert request.extensions["gemini-generate"] == {
        "tools": [{"googleSearch": {}}, {"codeExecution": {}}],
        "tools.functionDeclarations.response": {"type": "OBJECT"},
    }


CHOICES: dict[str, tuple[dict[str, Any], ToolChoice | None, tuple[Tool, ...]]] = {
    "nothing": ({}, None, (F, G)),
    "unspecified": ({"mode": "MODE_UNSPECIFIED"}, None, (F, G)),
    "auto": ({"mode": "AUTO"}, ToolChoice("auto"), (F, G)),
    "in lower case": ({"mode": "none"}, ToolChoice("none"), (F, G)),
    "any": ({"mode": "ANY"}, ToolChoice("required"), (F, G)),
    "one": ({"mode": "ANY", "allowedFunctionNames": ["g"]}, ToolChoice("named", "g"), (F, G)),
    "some": ({"mode": "ANY", "allowed_function_names": ["g", "x"]}, ToolChoice("required"), (G,)),
    "validated": ({"mode": "VALIDATED", "allowedFunctionNames": ["f"]}, ToolChoice("auto"), (F,)),
}


@pytest.mark.parametrize(("calling", "choice", "tools"), CHOICES.values(), ids=CHOICES.keys())
def test_the_choice_of_a_tool(calling: dict[str, Any], choice: ToolChoice | None, tools: tuple[Tool, ...]) -> None:
    request = read(tools=[{"functionDeclarations": [DECLARED, BARE]}], toolConfig={"functionCallingConfig": calling})

    assert (request.tool_choice, request.tools) == (choice, tools)


@pytest.mark.parametrize("given", ["Be brief.", {"parts": [{"text": "Be brief."}, {"text": ""}], "role": "user"}])
def test_instructions_are_text(given: Any) -> None:
    assert read(systemInstruction=given).instructions == (Text("Be brief."),)
    assert read(system_instruction=given).instructions == (Text("Be brief."),)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an image as instruction": ({"systemInstruction": {"parts": [{"inlineData": {}}]}}, "systemInstruction.parts[0]"),
    "odd instructions": ({"systemInstruction": 5}, "systemInstruction"),
    "a function without a name": (
        {"tools": [{"functionDeclarations": [{"description": "d"}]}]},
        "tools[0].functionDeclarations[0].name",
    ),
    "odd parameters": (
        {"tools": [{"functionDeclarations": [{"name": "f", "parameters": "x"}]}]},
        "tools[0].functionDeclarations[0].parameters",
    ),
    "an odd tool": ({"tools": ["googleSearch"]}, "tools[0]"),
    "an unknown mode": (
        {"toolConfig": {"functionCallingConfig": {"mode": "MAYBE"}}},
        "toolConfig.functionCallingConfig.mode",
    ),
    "odd names": (
        {"toolConfig": {"functionCallingConfig": {"allowedFunctionNames": [1]}}},
        "toolConfig.functionCallingConfig.allowedFunctionNames",
    ),
    "odd ends": ({"generationConfig": {"stopSequences": "END"}}, "generationConfig.stopSequences"),
    "odd schema": ({"generationConfig": {"responseSchema": "x"}}, "generationConfig.responseSchema"),
    "half a seed": ({"generationConfig": {"seed": 1.5}}, "generationConfig.seed"),
    "a number that is none": ({"generationConfig": {"topP": True}}, "generationConfig.topP"),
    "an odd tier": ({"serviceTier": 5}, "serviceTier"),
}


@pytest.mark.parametrize(("fields", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_wrong_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ClientError) as refused:
        read(**fields)

    assert refused.value.param == param


def test_an_answer_of_another_type_cannot_be_had_elsewhere() -> None:
    with pytest.raises(Untranslatable) as refused:
        configured(responseMimeType="text/x.enum")

    assert refused.value.param == "generationConfig.responseMimeType"


def test_what_the_sdk_sends_is_read() -> None:
    declared = sdk.FunctionDeclaration(
        name="f", parameters=sdk.Schema(type=sdk.Type.OBJECT, properties={"a": sdk.Schema(type=sdk.Type.STRING)})
    )
    tool = sdk.Tool(function_declarations=[declared]).model_dump(mode="json", by_alias=True, exclude_none=True)

    assert read(tools=[tool]).tools == (Tool("f", None, F.parameters),)
