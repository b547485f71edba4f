"""A client's request, strictly, into canonical form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast, get_args

from costspan.dialects import checks
from costspan.dialects.openai_responses import fields
from costspan.dialects.openai_responses.peek import STORED
from costspan.dialects.openai_responses.read_items import read_input
from costspan.dialects.openai_responses.read_tools import read_tools
from costspan.dialects.openai_responses.vocabulary import FAMILY, FAMILY_FIELDS, KEPT, NAME
from costspan.errors import Untranslatable
from costspan.ir.request import Effort, OutputFormat, ReasoningOptions, Request, Sampling, Text

if TYPE_CHECKING:
    from costspan.wire import json

# Fields that canonical form has a place for. All others are extensions.
_CANONICAL: Final = frozenset(
    """
    model input instructions stream tools tool_choice parallel_tool_calls max_output_tokens temperature top_p
    top_logprobs include text reasoning service_tier user safety_identifier metadata background
    previous_response_id conversation prompt
    """.split()  # noqa: SIM905 - a paragraph of names reads better than a page
)
_LOGPROBS: Final = "message.output_text.logprobs"
_SEALED: Final = "reasoning.encrypted_content"
"""Not an extension: every answer has it where there is any."""
_DEFAULTS: Final[tuple[tuple[str, object], ...]] = (("truncation", "disabled"), ("store", False))
"""What a target does anyway asks for nothing."""


def decode_request(body: json.Object) -> Request:
    """Read a client's request. Raises `ClientError` naming the field (`input[2].role`)."""
    _refuse_stored(body)
    own: dict[str, Any] = {}
    family: dict[str, Any] = {}
    for name, value in body.items():
        if name not in _CANONICAL and value is not None and (name, value) not in _DEFAULTS:
            (family if name in FAMILY_FIELDS else own)[name] = value
    instructions, messages = read_input(body.get("input"))
    included = _include(body.get("include"), own)
    tools = read_tools(body, own)
    top_logprobs = checks.integer(body, "top_logprobs", 0)
    request = Request(
        model=checks.model(body),
        messages=messages,
        instructions=(*_instructions(body), *instructions),
        tools=tools.functions,
        tool_choice=tools.choice,
        parallel_tool_calls=checks.flag(body, "parallel_tool_calls"),
        max_output_tokens=fields.output_limit(body),
        sampling=Sampling(temperature=fields.number(body, "temperature"), top_p=fields.number(body, "top_p")),
        output_format=_text(fields.mapping(body, "text") or {}, family, own),
        reasoning=_reasoning(fields.mapping(body, "reasoning") or {}, own),
        logprobs=_LOGPROBS in included or bool(top_logprobs),
        top_logprobs=top_logprobs,
        end_user=_end_user(body, own),
        metadata=fields.mapping(body, "metadata") or None,
        service_tier=checks.string(body, "service_tier"),
        stream=checks.flag(body, "stream") or False,
    )
    if body.get("store") is None:
        request.extensions[KEPT] = {}
    request.extensions.update({key: given for key, given in ((NAME, own), (FAMILY, family)) if given})
    return request


def _refuse_stored(body: json.Object) -> None:
    for name in STORED:
        if body.get(name) is not None:
            raise Untranslatable(f"what '{name}' refers to can only be read by the provider that keeps it", param=name)
    if checks.flag(body, "background"):
        raise Untranslatable("an answer in the background can only be given as it is", param="background")


def _instructions(body: json.Object) -> tuple[Text, ...]:
    text = checks.string(body, "instructions")
    return (Text(text),) if text else ()


def _include(value: Any, own: dict[str, Any]) -> list[str]:  # noqa: ANN401 - unchecked input
    """What the answer is asked to hold besides. Most of it only a provider's own tools have."""
    if value is None:
        return []
    if not checks.strings(value):
        raise checks.invalid("'include' must be a list of strings", "include")
    included: list[str] = value
    if rest := [name for name in included if name not in {_LOGPROBS, _SEALED}]:
        own["include"] = rest
    return included


def _text(text: json.Object, family: dict[str, Any], own: dict[str, Any]) -> OutputFormat | None:
    if text.get("verbosity") is not None:
        family["verbosity"] = text["verbosity"]
    for field in text.keys() - {"verbosity", "format"}:
        own[f"text.{field}"] = text[field]
    match text.get("format"):
        case None | {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return OutputFormat()
        case {"type": "json_schema", "schema": dict() as schema, **given}:
            name, description, strict = given.get("name"), given.get("description"), given.get("strict")
            return OutputFormat(
                schema=schema,
                name=name if isinstance(name, str) else None,
                description=description if isinstance(description, str) else None,
                strict=strict if isinstance(strict, bool) else None,
            )
        case {"type": "json_schema"}:
            raise checks.invalid("'format' must have a schema", "text.format.schema")
        case _:
            raise checks.invalid("unknown format", "text.format.type")


def _reasoning(given: json.Object, own: dict[str, Any]) -> ReasoningOptions | None:
    """Without an effort the model thinks as much as it likes."""
    for name in given.keys() - {"effort", "summary", "generate_summary"}:
        if given[name] is not None:
            own[f"reasoning.{name}"] = given[name]
    effort, summary = given.get("effort"), given.get("summary") or given.get("generate_summary")
    if effort is not None and effort not in get_args(Effort):
        raise checks.invalid("unknown effort", "reasoning.effort")
    if summary is not None and not isinstance(summary, str):
        raise checks.invalid("'summary' must be a string", "reasoning.summary", "invalid_type")
    if effort is None and summary is None:
        return None
    return ReasoningOptions(effort=cast("Effort | None", effort), dynamic=effort is None, summary=summary)


def _end_user(body: json.Object, own: dict[str, Any]) -> str | None:
    """`safety_identifier` is the newer name; a different older one besides is kept."""
    newer, older = checks.string(body, "safety_identifier"), checks.string(body, "user")
    if newer and older and newer != older:
        own["user"] = older
    return newer or older
