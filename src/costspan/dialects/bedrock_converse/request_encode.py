"""A request for an upstream, to the wire. The path names the model and says whether it streams."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from costspan.dialects.bedrock_converse.blocks_encode import BlockEncoder
from costspan.dialects.bedrock_converse.inference import add_inference
from costspan.dialects.bedrock_converse.messages import encode_messages, holds
from costspan.dialects.bedrock_converse.models import traits_of
from costspan.dialects.bedrock_converse.tools import encode_tools, native_choice, wanted_choice
from costspan.dialects.bedrock_converse.vocabulary import NAME, SERVICE_TIERS
from costspan.dialects.claude.schemas import fit_schema
from costspan.dialects.claude.thinking import breaks_tool_loop
from costspan.dialects.claude.turns import end_properly
from costspan.dialects.losses import Losses
from costspan.dialects.types import PLAIN, Encoded
from costspan.errors import Malformed, Untranslatable
from costspan.wire import json

if TYPE_CHECKING:
    from costspan.dialects.bedrock_converse.models import Traits
    from costspan.dialects.types import Profile
    from costspan.ir.request import Request

# botocore 1.44.1, RequestMetadata
_METADATA_KEY: Final = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}", re.ASCII)
_METADATA_VALUE: Final = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}", re.ASCII)
_MAX_METADATA: Final = 16


def encode_request(request: Request, profile: Profile = PLAIN) -> Encoded:  # noqa: ARG001 - there is one host
    """Write a request.

    Raises `Untranslatable` for several choices or no output, tools that are no functions or not named as the API wants,
    URLs but those of S3, formats that are not read, JSON without a schema, and a schema where the model takes none.
    """
    if request.n > 1:
        raise Untranslatable(f"{NAME} gives one choice only", param="n")
    if request.max_output_tokens == 0:  # Anthropic's way to fill the prompt cache
        raise Untranslatable(f"a request for no output at all cannot be expressed in {NAME}", param="max_tokens")
    losses, traits = Losses(), traits_of(request.model)
    request = end_properly(request, losses) if traits.claude else request
    blocks = BlockEncoder(traits, losses)
    body: json.Object = {"messages": encode_messages(request, blocks, losses)}
    _add_system(body, request, blocks, losses)
    tools = encode_tools(request, body["messages"], traits, blocks, losses)
    choice = wanted_choice(request, traits, losses)
    broken = breaks_tool_loop(body["messages"], holds, result="toolResult", thinking=("reasoningContent",))
    choice = add_inference(body, request, traits, losses, choice=choice, breaks_tool_loop=broken)
    if tools:
        body["toolConfig"] = {"tools": tools}
        _choose(body, choice)
    _add_format(body, request, traits, losses)
    _add_rest(body, request, losses)
    _note_unknown(request, losses)
    try:
        return Encoded(json.dumps(body), losses.names())
    except Malformed:
        raise Untranslatable("the request is nested too deeply to be translated", param="messages") from None


def _add_system(body: json.Object, request: Request, blocks: BlockEncoder, losses: Losses) -> None:
    system = [part for group in blocks.groups(request.instructions) for part in group]
    if not system:
        return
    if body["messages"]:
        body["system"] = system
    else:  # at least one message is required
        losses.add("messages.system")
        body["messages"] = [{"role": "user", "content": system}]


def _choose(body: json.Object, choice: json.Object | None) -> None:
    """Claude's "one at a time" is only in Claude's own words; two choices beside each other are refused."""
    if choice is None or choice == {"type": "auto"}:
        return
    if "disable_parallel_tool_use" in choice:
        body.setdefault("additionalModelRequestFields", {})["tool_choice"] = choice
    else:
        body["toolConfig"]["toolChoice"] = native_choice(choice)


def _add_format(body: json.Object, request: Request, traits: Traits, losses: Losses) -> None:
    wanted = request.output_format
    if wanted is None:
        return
    if wanted.schema is None:  # an instruction in the prompt would be no promise
        raise Untranslatable(f"{NAME} has no JSON output without a schema", param="response_format")
    if not traits.schemas:
        raise Untranslatable(f"{request.model} takes no schema for its answer", param="response_format")
    schema = fit_schema(wanted.schema, losses) if traits.claude else wanted.schema
    definition = {"schema": json.text(schema), "name": wanted.name, "description": wanted.description}
    given = {name: value for name, value in definition.items() if value}
    body["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": given}}}


def _add_rest(body: json.Object, request: Request, losses: Losses) -> None:
    if request.service_tier in SERVICE_TIERS:
        body["serviceTier"] = {"type": request.service_tier}
    elif request.service_tier not in {None, "auto"}:
        losses.add("service_tier")
    if request.metadata:
        fitting = {key: value for key, value in request.metadata.items() if _fits(key, value)}
        kept = dict(list(fitting.items())[:_MAX_METADATA])
        body |= {"requestMetadata": kept} if kept else {}
        if len(kept) < len(request.metadata):
            losses.add("metadata")
    for extras in request.extensions.values():
        if extras.get("tools"):
            raise Untranslatable(f"tools that a provider runs itself cannot be expressed in {NAME}", param="tools")
        for name in extras:
            losses.add(name)


def _fits(key: str, value: object) -> bool:
    return bool(_METADATA_KEY.fullmatch(key)) and isinstance(value, str) and bool(_METADATA_VALUE.fullmatch(value))


def _note_unknown(request: Request, losses: Losses) -> None:
    """Name what has no counterpart here. A value that is its own default asks for nothing."""
    sampling = request.sampling
    asked: dict[str, object] = {
        "seed": sampling.seed is not None,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "repetition_penalty": sampling.repetition_penalty not in {None, 1},
        "min_p": sampling.min_p,
        "logit_bias": sampling.logit_bias,
        "logprobs": request.logprobs,
        "top_logprobs": request.top_logprobs,
        "user": request.end_user,
    }
    for name, value in asked.items():
        if value:
            losses.add(name)
