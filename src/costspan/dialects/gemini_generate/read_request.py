"""A client's request, strictly, into canonical form."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from costspan.dialects import checks
from costspan.dialects.checks import invalid
from costspan.dialects.gemini_generate import fields
from costspan.dialects.gemini_generate.peek import choices, output_limit, tier
from costspan.dialects.gemini_generate.read_contents import read_contents, read_instructions
from costspan.dialects.gemini_generate.schemas import read_schema
from costspan.dialects.gemini_generate.thinking import read_thinking
from costspan.dialects.gemini_generate.turns import joined
from costspan.dialects.gemini_generate.vocabulary import NAME
from costspan.errors import Untranslatable
from costspan.ir.request import OutputFormat, Request, Sampling, Tool, ToolChoice

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from costspan.wire import json

# Fields that canonical form has a place for. All others are extensions, those of a message by their path.
_TOP: Final = frozenset(
    {"model", "stream", "contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "serviceTier"}
)
_CONFIG: Final = frozenset(
    """
    temperature topP topK candidateCount maxOutputTokens stopSequences presencePenalty frequencyPenalty seed
    responseMimeType responseSchema responseJsonSchema _responseJsonSchema responseLogprobs logprobs thinkingConfig
    """.split()  # noqa: SIM905 - a paragraph of names reads better than a page
)
_FUNCTION: Final = frozenset({"name", "description", "parameters", "parametersJsonSchema"})
_JSON: Final = "application/json"


def decode_request(body: json.Object) -> Request:
    """Read a client's request. Raises `ClientError` naming the field (`contents[2].parts[0].functionCall.name`)."""
    named = fields.camelled(body)
    extras: dict[str, Any] = {name: value for name, value in named.items() if name not in _TOP and value is not None}
    config = fields.message(named.get("generationConfig"), "generationConfig")
    extras |= {f"generationConfig.{name}": value for name, value in config.items() if _is_extra(name, value)}
    tools = tuple(_tools(named.get("tools"), extras))
    choice, allowed = _tool_choice(named.get("toolConfig"), extras)
    if allowed:
        tools = tuple(tool for tool in tools if tool.name in allowed)
    request = Request(
        model=checks.model(body),
        messages=tuple(joined(read_contents(named.get("contents"), extras))),
        instructions=tuple(read_instructions(named.get("systemInstruction"))),
        tools=tools,
        tool_choice=choice,
        max_output_tokens=output_limit(config),
        sampling=_sampling(config),
        stop=_stop(config.get("stopSequences")),
        output_format=_output_format(config),
        reasoning=read_thinking(config.get("thinkingConfig")),
        n=choices(config),
        service_tier=tier(named),
        stream=checks.flag(body, "stream") or False,
        extensions={NAME: extras} if extras else {},
    )
    return _with_logprobs(request, config)


def _keep(extras: dict[str, Any], where: str, message: json.Object, known: Collection[str]) -> None:
    """Note the fields of a message that canonical form has no place for, by their path."""
    extras |= {f"{where}.{name}": value for name, value in message.items() if name not in known and value is not None}


def _is_extra(name: str, value: object) -> bool:
    """Whether a field of `generationConfig` has no place; text alone is what every model answers."""
    return name not in _CONFIG and value is not None and (name, value) != ("responseModalities", ["TEXT"])


def _sampling(config: json.Object) -> Sampling:
    where = "generationConfig"
    return Sampling(
        temperature=fields.number(config.get("temperature"), f"{where}.temperature"),
        top_p=fields.number(config.get("topP"), f"{where}.topP"),
        top_k=fields.integer(config.get("topK"), f"{where}.topK"),
        presence_penalty=fields.number(config.get("presencePenalty"), f"{where}.presencePenalty"),
        frequency_penalty=fields.number(config.get("frequencyPenalty"), f"{where}.frequencyPenalty"),
        seed=fields.integer(config.get("seed"), f"{where}.seed"),
    )


def _with_logprobs(request: Request, config: json.Object) -> Request:
    wanted = fields.flag(config.get("responseLogprobs"), "generationConfig.responseLogprobs")
    top = fields.integer(config.get("logprobs"), "generationConfig.logprobs", 0)
    return replace(request, logprobs=True, top_logprobs=top) if wanted else request


def _stop(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - unchecked input
    sequences = fields.items(value, "generationConfig.stopSequences")
    if not checks.strings(sequences):
        raise invalid("'stopSequences' must be a list of strings", "generationConfig.stopSequences")
    return tuple(sequences)


def _output_format(config: json.Object) -> OutputFormat | None:
    mime = fields.string(config.get("responseMimeType"), "generationConfig.responseMimeType")
    if mime not in {None, "text/plain", _JSON}:
        raise Untranslatable("this type of answer cannot be translated", param="generationConfig.responseMimeType")
    for name in ("responseJsonSchema", "_responseJsonSchema", "responseSchema"):
        schema = config.get(name)
        if schema is not None:
            if not isinstance(schema, dict):
                raise invalid(f"'{name}' must be an object", f"generationConfig.{name}", "invalid_type")
            return OutputFormat(read_schema(schema) if name == "responseSchema" else schema)
    return OutputFormat() if mime == _JSON else None


def _tools(value: Any, extras: dict[str, Any]) -> Iterator[Tool]:  # noqa: ANN401 - unchecked input
    """Functions. Tools that Google runs itself stay as they are, among the extensions."""
    for position, raw in enumerate(fields.items(value, "tools")):
        tool = fields.message(raw, f"tools[{position}]")
        where = f"tools[{position}].functionDeclarations"
        for number, function in enumerate(fields.items(tool.get("functionDeclarations"), where)):
            yield _function(fields.message(function, f"{where}[{number}]"), f"{where}[{number}]", extras)
        own = {name: part for name, part in tool.items() if name != "functionDeclarations" and part is not None}
        if own:
            extras.setdefault("tools", []).append(own)


def _function(function: json.Object, where: str, extras: dict[str, Any]) -> Tool:
    _keep(extras, "tools.functionDeclarations", function, _FUNCTION)
    schema, own = function.get("parametersJsonSchema"), function.get("parameters")
    for name, value in (("parametersJsonSchema", schema), ("parameters", own)):
        if value is not None and not isinstance(value, dict):
            raise invalid(f"'{name}' must be an object", f"{where}.{name}", "invalid_type")
    return Tool(
        fields.needed(function.get("name"), f"{where}.name"),
        fields.string(function.get("description"), f"{where}.description") or None,
        schema if schema is not None else None if own is None else read_schema(own),
    )


def _tool_choice(raw: Any, extras: dict[str, Any]) -> tuple[ToolChoice | None, frozenset[str]]:  # noqa: ANN401 - unchecked input
    """The choice, and the functions that it leaves to choose from; none named are all."""
    where = "toolConfig.functionCallingConfig"
    config = fields.message(raw, "toolConfig")
    calling = fields.message(config.get("functionCallingConfig"), where)
    _keep(extras, "toolConfig", config, {"functionCallingConfig"})
    allowed = fields.items(calling.get("allowedFunctionNames"), f"{where}.allowedFunctionNames")
    if not checks.strings(allowed):
        raise invalid("'allowedFunctionNames' must be a list of strings", f"{where}.allowedFunctionNames")
    _keep(extras, where, calling, {"mode", "allowedFunctionNames"})
    mode = (fields.string(calling.get("mode"), f"{where}.mode") or "MODE_UNSPECIFIED").upper()
    names = frozenset(allowed)
    match mode:
        case "MODE_UNSPECIFIED":
            return None, frozenset()
        case "AUTO" | "NONE":
            return ToolChoice("auto" if mode == "AUTO" else "none"), frozenset()
        case "ANY":
            return (ToolChoice("named", *names), frozenset()) if len(names) == 1 else (ToolChoice("required"), names)
        case "VALIDATED":  # as AUTO, with arguments held to their schema
            extras[f"{where}.mode"] = mode
            return ToolChoice("auto"), names
        case _:
            raise invalid("unknown mode", f"{where}.mode")
