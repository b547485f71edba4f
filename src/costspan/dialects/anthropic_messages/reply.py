"""Whole answers, in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects.anthropic_messages.blocks_decode import decode_block
from costspan.dialects.anthropic_messages.blocks_encode import arguments_object
from costspan.dialects.anthropic_messages.citations import encode_citation
from costspan.dialects.anthropic_messages.usage import encode_usage, read_usage
from costspan.dialects.anthropic_messages.vocabulary import NAME, call_id, finish_reason, stop_reason
from costspan.dialects.types import PLAIN, Summary
from costspan.errors import ClientError, Malformed
from costspan.ir import opaque
from costspan.ir.reply import Choice, Reply
from costspan.ir.request import Reasoning, Refusal, ServerTool, Text, ToolCall
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.dialects.types import Profile, StreamOptions
    from costspan.ir.request import Block, Opaque


def decode_reply(body: json.Object, profile: Profile = PLAIN) -> Reply:
    """Read an upstream's answer. Raises `Malformed` where there is no content to read."""
    content = body.get("content")
    if not isinstance(content, list):
        raise Malformed("an answer without a list of content blocks")
    try:
        blocks = tuple(block for i, raw in enumerate(content) for block in decode_block(raw, f"content[{i}]"))
    except ClientError as error:
        raise Malformed(error.message) from None
    native = _string(body.get("stop_reason")) or None
    sequence = _string(body.get("stop_sequence")) or None
    choice = Choice(blocks, finish_reason(native) if native else None, native, sequence)
    usage = read_usage(body, profile)
    return Reply(
        id=_string(body.get("id")),
        model=_string(body.get("model")),
        choices=(choice,),
        usage=usage,
        service_tier=usage.service_tier if usage else None,
    )


def summarize(body: json.Object, profile: Profile = PLAIN) -> Summary:
    """Read what the books need. Raises `Malformed` where there is no content to read."""
    if not isinstance(body.get("content"), list):
        raise Malformed("an answer without a list of content blocks")
    native = _string(body.get("stop_reason"))
    return Summary(
        _string(body.get("id")), _string(body.get("model")), (native,) if native else (), read_usage(body, profile)
    )


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def encode_reply(reply: Reply, options: StreamOptions) -> bytes:
    """Write an answer for the client. There is one choice; a second one has no place."""
    choice = reply.choices[0] if reply.choices else Choice(())
    reason = stop_reason(
        choice.finish,
        choice.native,
        called=any(isinstance(block, ToolCall) for block in choice.blocks),
        refused=any(isinstance(block, Refusal) for block in choice.blocks),
    )
    message: json.Object = {
        "id": reply.id or options.exchange_id,
        "type": "message",
        "role": "assistant",
        "model": options.model,
        "content": list(_content(choice.blocks)),
        "stop_reason": reason,
        "stop_sequence": choice.stop_sequence,
        "usage": encode_usage(reply.usage, options.prompt_tokens),
    }
    return json.dumps(message)


def _content(blocks: tuple[Block, ...]) -> Iterator[json.Object]:
    """Blocks as a client sees them. Media and other providers' server tools have no form in an answer."""
    for block in blocks:
        match block:
            case Text(text=text) if text:
                citations = [raw for raw in map(encode_citation, block.citations) if raw]
                yield {"type": "text", "text": text} | ({"citations": citations} if citations else {})
            case Refusal(text) if text:
                yield {"type": "text", "text": text}
            case ToolCall(id=id_, name=name, arguments=arguments):
                fields = arguments_object(arguments) or json.Fragment(json.dumps({"arguments": arguments}))
                yield {"type": "tool_use", "id": call_id(id_), "name": name, "input": fields}
            case Reasoning(text=text, opaque=kept) if text or kept:
                yield encode_reasoning(text, kept)
            case ServerTool(origin=origin, raw=dict(raw)) if origin == NAME:
                yield raw
            case _:
                pass


def encode_reasoning(text: str, kept: Opaque | None) -> json.Object:
    """Thinking. What another provider signed or encrypted is wrapped, so that the client sends it back."""
    if kept is not None and kept.origin == NAME and kept.kind == "redacted":
        return {"type": "redacted_thinking", "data": kept.data}
    return {"type": "thinking", "thinking": text, "signature": carry(kept)}


def carry(kept: Opaque | None) -> str:
    """The signature that takes `kept` to the client and back."""
    if kept is None:
        return ""
    return kept.data if kept.origin == NAME else opaque.wrap(kept)
