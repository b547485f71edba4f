"""Losses in the client's own words: every name that an encoder can give one is a field that the client can look up."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin

import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from google.genai.types import Content, GenerationConfig, ServiceTier, Tool, ToolConfig
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import BaseModel, create_model
from typing_extensions import get_type_hints, is_typeddict

from costspan.dialects import CLIENT_DIALECTS, DIALECTS
from costspan.dialects.losses import in_words
from costspan.engine import translate
from costspan.engine.recall import Recall
from costspan.errors import Untranslatable
from costspan.ir.profile import PLAIN
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(translate.__file__).parents[1] / "dialects"
FEATURES = (Path(__file__).parent / "golden", Path(__file__).parents[1] / "docs" / "features")


GeminiRequest = create_model(
    "GeminiRequest",
    contents=(list[Content], ...),
    systemInstruction=(Content, ...),
    tools=(list[Tool], ...),
    toolConfig=(ToolConfig, ...),
    generationConfig=(GenerationConfig, ...),
    serviceTier=(ServiceTier, ...),
)
"""The SDK has types for the parts of a request's body, not for the body."""

TYPES: dict[str, Any] = {
    "anthropic-messages": MessageCreateParamsNonStreaming,
    "gemini-generate": GeminiRequest,
    "openai-responses": ResponseCreateParamsNonStreaming,
}
"""What the official SDK of each dialect sends."""

NAMES = frozenset(
    """
    cache_control cache_control.ttl citations file.filename frequency_penalty image_url.detail logit_bias logprobs
    max_tokens messages messages.annotations messages.audio messages.content messages.document messages.file
    messages.image messages.name messages.reasoning messages.reasoning_details messages.role messages.server_tool
    messages.system messages.tool_call_id messages.tool_calls messages.video metadata min_p n parallel_tool_calls
    presence_penalty reasoning reasoning.exclude reasoning.summary repetition_penalty response_format
    response_format.strict seed service_tier stop temperature tool_calls.arguments tool_choice tool_result.is_error
    tools tools.strict top_k top_logprobs top_p user verbosity
    """.split()  # noqa: SIM905 - a paragraph of names reads better than a page
)
"""What encoders call the losses of a request."""

NEVER: dict[str, frozenset[str]] = {
    "anthropic-messages": frozenset(
        """
        frequency_penalty image_url.detail logit_bias logprobs messages.audio messages.name messages.video metadata
        min_p n presence_penalty repetition_penalty seed top_logprobs verbosity
        """.split()  # noqa: SIM905 - as above
    ),
    "gemini-generate": frozenset(
        """
        cache_control cache_control.ttl citations file.filename image_url.detail logit_bias messages.annotations
        messages.name metadata min_p parallel_tool_calls repetition_penalty tools.strict user verbosity
        """.split()  # noqa: SIM905 - as above
    ),
    "openai-responses": frozenset(
        """
        frequency_penalty logit_bias messages.name messages.video min_p n presence_penalty reasoning.exclude
        repetition_penalty seed stop tool_result.is_error top_k
        """.split()  # noqa: SIM905 - as above
    ),
}
"""What a client of the dialect cannot ask for, so that it is never lost."""

OURS: dict[str, frozenset[str]] = {
    "anthropic-messages": frozenset({"temperature", "top_k", "top_p"}),
    "gemini-generate": frozenset({"contents.parts.server_tool"}),
    "openai-responses": frozenset({"input.server_tool", "input.content.input_audio"}),
}
"""Words that are no field of the SDK's types. Anthropic's SDK has given up sampling, which older models still take. A
call of any tool that a provider runs has a type of its own. Sound is a part that hosts take whom the SDK does not
know."""

OF_ANSWERS = frozenset({"citations.position", "citations.cited_text", "logprobs", "choices"})
"""Names in modules that write answers too."""


def fields_of(kind: Any) -> dict[str, Any]:
    if issubclass(kind, BaseModel):
        return {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
    return get_type_hints(kind)


def shapes(kind: Any) -> Iterator[Any]:
    """The types with fields that a value of type `kind` can have, or can hold in a list."""
    origin = get_origin(kind)
    if origin is None:
        if isinstance(kind, type) and (is_typeddict(kind) or issubclass(kind, BaseModel)):
            yield kind
    elif origin is not Literal:
        for part in get_args(kind)[:1] if origin in {Annotated, Required, NotRequired} else get_args(kind):
            yield from shapes(part)


def is_a_path_of(kind: Any, path: str) -> bool:
    """Whether `path` names a field, where a step may be the `type` of a part rather than one of its fields."""
    met = list(shapes(kind))
    for step in path.split("."):
        found = [(shape, fields_of(shape)) for shape in met]
        by_name = [fields[step] for _, fields in found if step in fields]
        by_type = [shape for shape, fields in found if step in words_of(fields.get("type"))]
        if not by_name and not by_type:
            return False
        met = [*(shape for field in by_name for shape in shapes(field)), *by_type]
    return True


def words_of(kind: Any) -> tuple[Any, ...]:
    while get_origin(kind) in {Required, NotRequired, Annotated}:
        kind = get_args(kind)[0]
    return get_args(kind) if get_origin(kind) in {Literal, Union} else ()


def written_in(package: str) -> Iterator[str]:
    """Names of losses in the code that writes requests, as far as they stand there as they are."""
    module = DIALECTS[package].encode_request.__module__
    waiting, read = [module], set[str]()
    while waiting:
        module = waiting.pop()
        file = SOURCE.joinpath(*module.split(".")[2:]).with_suffix(".py")
        if module in read or not module.startswith("costspan.dialects.") or not file.is_file():
            continue
        read.add(module)
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                waiting.append(node.module)
            yield from constants(node)


def constants(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr="add"), args=[name]) if "losses" in ast.unparse(owner):
            yield from texts(name)
        case ast.Call(func=ast.Attribute(attr="lose" | "_lose"), args=[name]):
            yield from texts(name)
        case ast.Call(func=ast.Name(id="Untranslatable"), keywords=[ast.keyword(arg="param", value=name)]):
            yield from texts(name)
        case ast.AnnAssign(target=ast.Name(id="asked"), value=ast.Dict(keys=keys)):
            for key in keys:
                yield from texts(key)
        case ast.AugAssign(target=ast.Name(id="losses"), value=value):
            yield from texts(value)
        case ast.Yield(value=ast.Constant() as name):
            yield from texts(name)
        case _:
            pass


def texts(node: ast.AST | None) -> Iterator[str]:
    """The text, or each text that it can be."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=[ast.Constant(value="messages."), _]):
            yield from ("messages.audio", "messages.document", "messages.image", "messages.video")
        case ast.IfExp(body=one, orelse=other):
            yield from (*texts(one), *texts(other))
        case ast.BinOp(left=ast.List(elts=[name])):
            yield from texts(name)
        case _:
            pass


def test_all_names_of_losses_are_known_here() -> None:
    found = {name for package in DIALECTS for name in written_in(package)}

    assert found - OF_ANSWERS <= NAMES
    variable = {"top_p", "max_tokens", "verbosity"}  # told by a variable, or kept among the extensions
    assert NAMES - found <= variable | OF_ANSWERS


@pytest.mark.parametrize("client", TYPES)
def test_every_loss_has_a_word_that_is_a_field_of_the_client_s_sdk(client: str) -> None:
    said = {name: in_words(name, CLIENT_DIALECTS[client].WORDS) for name in NAMES - NEVER[client]}

    strange = {name: word for name, word in said.items() if not is_a_path_of(TYPES[client], word)}

    assert set(strange.values()) <= OURS[client], strange


@pytest.mark.parametrize("client", TYPES)
def test_a_dialect_has_no_words_for_losses_that_do_not_exist(client: str) -> None:
    assert CLIENT_DIALECTS[client].WORDS.keys() <= NAMES - NEVER[client]


def asked(client: str) -> Iterator[json.Object]:
    """A request for each feature that the client has."""
    for place in FEATURES:
        for file in sorted(place.glob(f"*/{client}.json")):
            yield json.loads_object(file.read_bytes())


def lost(client: str, body: json.Object, target: str) -> tuple[tuple[str, ...], frozenset[str]]:
    """What the target cannot express or refuses, and what is the client's dialect's alone."""
    dialect = CLIENT_DIALECTS[client]
    own: frozenset[str] = frozenset()
    try:
        request = dialect.decode_request(body)
        own = frozenset(request.extensions.get(client, {}))
        encoded, _ = translate.encode(dialect, request, translate.Target(target, "m", PLAIN), Recall(), "")
    except Untranslatable as error:
        return ((error.param or "",), own)
    return encoded.losses, own


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("client", TYPES)
def test_what_a_client_is_told_it_can_look_up(client: str, target: str) -> None:
    told = {name for body in asked(client) for names, own in [lost(client, body, target)] for name in {*names} - own}

    assert {name for name in told if not is_a_path_of(TYPES[client], name)} <= OURS[client]


def test_openai_s_chat_is_what_losses_are_named_in() -> None:
    assert CLIENT_DIALECTS["openai-chat"].WORDS == {}


def test_a_part_of_a_field_is_called_by_the_field() -> None:
    words = {"messages": "contents", "reasoning": "thinking", "reasoning.summary": "thinking.display"}

    assert in_words("messages.role", words) == "contents.role"
    assert in_words("reasoning", words) == "thinking"
    assert in_words("reasoning.summary", words) == "thinking.display"
    assert in_words("messages_of.role", words) == "messages_of.role"
    assert in_words("web_search_call", words) == "web_search_call"
