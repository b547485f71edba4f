"""A client's request, strictly, into canonical form."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from costspan.dialects.openai_chat import fields
from costspan.dialects.openai_chat.cache import read_marker
from costspan.dialects.openai_chat.peek import check_model
from costspan.dialects.openai_chat.read_messages import read_messages
from costspan.dialects.openai_chat.vocabulary import FAMILY, FAMILY_FIELDS, NAME, effort
from costspan.errors import Untranslatable
from costspan.ir.request import OutputFormat, ReasoningOptions, Request, Sampling, Tool, ToolChoice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.wire import json

# Fields that canonical form has a place for. All others are extensions.
_CANONICAL: Final = frozenset(
    """
    model messages stream stream_options max_tokens max_completion_tokens temperature top_p top_k min_p
    presence_penalty frequency_penalty repetition_penalty seed logit_bias stop n logprobs top_logprobs
    tools tool_choice parallel_tool_calls functions function_call response_format
    reasoning reasoning_effort include_reasoning user safety_identifier metadata service_tier
    """.split()  # noqa: SIM905 - a paragraph of names reads better than a page
)


def decode_request(body: json.Object) -> Request:
    """Read a client's request. Raises `ClientError` naming the field (`messages[2].role`)."""
    instructions, messages = read_messages(body.get("messages"))
    own = {name: value for name, value in body.items() if name not in _CANONICAL and value is not None}
    family = {name: own.pop(name) for name in FAMILY_FIELDS & own.keys()}
    return Request(
        model=check_model(body),
        messages=messages,
        instructions=instructions,
        tools=tuple(_tools(body)),
        tool_choice=_tool_choice(body),
        parallel_tool_calls=fields.flag(body, "parallel_tool_calls"),
        max_output_tokens=fields.output_limit(body),
        sampling=_sampling(body),
        stop=_stop(body.get("stop")),
        output_format=_output_format(body),
        reasoning=_reasoning(body),
        n=fields.integer(body, "n", 1, fields.MAX_CHOICES) or 1,
        logprobs=fields.flag(body, "logprobs") or False,
        top_logprobs=fields.integer(body, "top_logprobs", 0),
        end_user=fields.string(body, "user") or fields.string(body, "safety_identifier"),
        metadata=fields.mapping(body, "metadata"),
        service_tier=fields.string(body, "service_tier"),
        stream=fields.flag(body, "stream") or False,
        extensions={key: fields for key, fields in ((NAME, own), (FAMILY, family)) if fields},
    )


def _sampling(body: json.Object) -> Sampling:
    return Sampling(
        temperature=fields.number(body, "temperature"),
        top_p=fields.number(body, "top_p"),
        top_k=fields.integer(body, "top_k"),
        min_p=fields.number(body, "min_p"),
        presence_penalty=fields.number(body, "presence_penalty"),
        frequency_penalty=fields.number(body, "frequency_penalty"),
        repetition_penalty=fields.number(body, "repetition_penalty"),
        seed=fields.integer(body, "seed"),
        logit_bias=_logit_bias(body),
    )


def _logit_bias(body: json.Object) -> dict[str, float] | None:
    bias = fields.mapping(body, "logit_bias")
    for token, value in (bias or {}).items():
        if type(value) not in {int, float}:
            raise fields.invalid("a bias must be a number", f"logit_bias.{token[:20]}")
    return bias or None


def _stop(stop: Any) -> tuple[str, ...]:  # noqa: ANN401 - unchecked input
    if stop is None:
        return ()
    if isinstance(stop, str):
        return (stop,)
    if isinstance(stop, list) and all(isinstance(sequence, str) for sequence in stop):
        return tuple(stop)
    raise fields.invalid("'stop' must be a string or a list of strings", "stop")


def _tools(body: json.Object) -> Iterator[Tool]:
    for name in ("tools", "functions"):
        tools = body.get(name)
        if tools is not None and not isinstance(tools, list):
            raise fields.invalid(f"'{name}' must be a list", name, "invalid_type")
        for number, tool in enumerate(tools or ()):
            yield _function(tool, f"functions[{number}]") if name == "functions" else _tool(tool, f"tools[{number}]")


def _tool(tool: Any, where: str) -> Tool:  # noqa: ANN401 - unchecked input
    kind = tool.get("type", "function") if isinstance(tool, dict) else None
    if not isinstance(kind, str):
        raise fields.invalid("a tool must be an object with a type", f"{where}.type")
    if kind != "function":
        raise Untranslatable("only tools of type function can be translated", param=f"{where}.type")
    read, cache = _function(tool.get("function"), f"{where}.function"), read_marker(tool)
    return read if cache is None else replace(read, cache=cache)


def _function(function: Any, where: str) -> Tool:  # noqa: ANN401 - unchecked input
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str) or not name:
        raise fields.invalid("a function must have a name", f"{where}.name")
    parameters = function.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise fields.invalid("'parameters' must be a JSON Schema object", f"{where}.parameters")
    description, strict = function.get("description"), function.get("strict")
    return Tool(
        name,
        description if isinstance(description, str) else None,
        parameters,
        strict if isinstance(strict, bool) else None,
        read_marker(function),
    )


def _tool_choice(body: json.Object) -> ToolChoice | None:
    choice, where = body.get("tool_choice"), "tool_choice"
    if choice is None:
        choice, where = body.get("function_call"), "function_call"
    match choice:
        case None:
            return None
        case "auto" | "none" | "required":
            return ToolChoice(choice)
        case {"type": "function", "function": {"name": str(name)}}:
            return ToolChoice("named", name)
        case {"name": str(name)} if where == "function_call":
            return ToolChoice("named", name)
        case {"type": "allowed_tools" | "custom"}:
            raise Untranslatable("this kind of tool choice cannot be translated", param=f"{where}.type")
        case _:
            raise fields.invalid(f"'{where}' must be auto, none, required or a function", where)


def _output_format(body: json.Object) -> OutputFormat | None:
    match body.get("response_format"):
        case None | {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return OutputFormat()
        case {"type": "json_schema", "json_schema": {"schema": dict() as schema} as given}:
            name, description, strict = given.get("name"), given.get("description"), given.get("strict")
            return OutputFormat(
                schema=schema,
                name=name if isinstance(name, str) else None,
                description=description if isinstance(description, str) else None,
                strict=strict if isinstance(strict, bool) else None,
            )
        case {"type": "json_schema"}:
            raise fields.invalid("'json_schema' must have a schema", "response_format.json_schema.schema")
        case {"type": "grammar" | "python"}:
            raise Untranslatable("this response format cannot be translated", param="response_format.type")
        case _:
            raise fields.invalid("unknown response format", "response_format.type")


def _reasoning(body: json.Object) -> ReasoningOptions | None:
    """OpenAI's `reasoning_effort`, OpenRouter's `reasoning` object and its older `include_reasoning`."""
    options = _reasoning_object(body)
    word = fields.string(body, "reasoning_effort")
    if word is not None:
        known = effort(word)
        if known is None:
            raise fields.invalid("unknown effort", "reasoning_effort")
        if options is None or (options.effort is None and options.budget_tokens is None):
            options = replace(options or ReasoningOptions(), effort=known, dynamic=False)
    include = fields.flag(body, "include_reasoning")
    if include is not None and options is None:
        options = ReasoningOptions(dynamic=True)
    return replace(cast("ReasoningOptions", options), exclude=True) if include is False else options


def _reasoning_object(body: json.Object) -> ReasoningOptions | None:
    given = fields.mapping(body, "reasoning")
    if given is None:
        return None
    word, budget = given.get("effort"), given.get("max_tokens")
    known = effort(word) if isinstance(word, str) else None
    if word is not None and known is None:
        raise fields.invalid("unknown effort", "reasoning.effort")
    if budget is not None and (type(budget) is not int or budget < 0):
        raise fields.invalid("'max_tokens' must be a non-negative integer", "reasoning.max_tokens")
    if given.get("enabled") is False:
        known, budget = "none", None
    summary = given.get("summary")
    return ReasoningOptions(
        effort=known,
        budget_tokens=budget,
        dynamic=known is None and budget is None,
        summary=summary if isinstance(summary, str) else None,
        exclude=given.get("exclude") is True,
    )
