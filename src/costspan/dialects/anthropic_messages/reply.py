"""Whole answers, in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects.anthropic_messages.blocks_decode import decode_block
from costspan.dialects.anthropic_messages.blocks_encode import arguments_object, wrapped_arguments
from costspan.dialects.anthropic_messages.citations import encode_citation
from costspan.dialects.anthropic_messages.unread import of_answer
from costspan.dialects.anthropic_messages.usage import encode_usage, read_usage
from costspan.dialects.anthropic_messages.vocabulary import NAME, UNSIGNED, call_id, finish_reason, stop_reason
from costspan.dialects.losses import NO_WORD_ANYWHERE, AnswerLosses, holds, name_of
from costspan.dialects.types import PLAIN, Encoded, Summary
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
        unread=frozenset(of_answer(body)),
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


def encode_reply(reply: Reply, options: StreamOptions) -> Encoded:
    """Write an answer for the client. There is one choice; a second one has no place."""
    losses = AnswerLosses()
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
        "content": list(_content(choice.blocks, losses)),
        "stop_reason": reason,
        "stop_sequence": choice.stop_sequence,
        "usage": encode_usage(reply.usage, options.prompt_tokens),
    }
    _note(reply, choice, losses)
    return Encoded(json.dumps(message), losses.names())


def _note(reply: Reply, choice: Choice, losses: AnswerLosses) -> None:
    """What has no place beside the blocks."""
    if len(reply.choices) > 1:
        losses.add("choices")
    if holds(choice.logprobs):
        losses.add("logprobs")
    if choice.finish in NO_WORD_ANYWHERE:
        losses.add("finish_reason")
    losses.add_all(reply.unread)


def _content(blocks: tuple[Block, ...], losses: AnswerLosses) -> Iterator[json.Object]:
    """Blocks as a client sees them. Media and other providers' server tools have no form in an answer.

    What seals a text or a call, which have no slot for it, stands before it.
    """
    for block in blocks:
        if isinstance(block, Text | ToolCall) and block.opaque is not None:
            yield encode_sealed(block.opaque)
        shown = _shown(block, losses)
        if shown is not None:
            yield shown


def _shown(block: Block, losses: AnswerLosses) -> json.Object | None:
    match block:
        case Text():
            return _text(block, losses)
        case Refusal(text):
            return {"type": "text", "text": text} if text else None
        case ToolCall():
            return _tool_use(block, losses)
        case Reasoning(text=text, opaque=kept):
            return encode_reasoning(text, kept) if text or kept else None
        case ServerTool(origin=origin, raw=dict(raw)) if origin == NAME:
            return raw
        case _:
            losses.add(name_of(block))
            return None


def _text(block: Text, losses: AnswerLosses) -> json.Object | None:
    if not block.text:
        if block.citations:
            losses.add("citations")
        return None
    citations = [raw for citation in block.citations if (raw := encode_citation(citation, losses))]
    return {"type": "text", "text": block.text} | ({"citations": citations} if citations else {})


def _tool_use(block: ToolCall, losses: AnswerLosses) -> json.Object:
    fields = arguments_object(block.arguments)
    if fields is None:
        losses.add("tool_calls.arguments")
        fields = json.Fragment(wrapped_arguments(block.arguments).encode())
    return {"type": "tool_use", "id": call_id(block.id), "name": block.name, "input": fields}


def encode_reasoning(text: str, kept: Opaque | None) -> json.Object:
    """Thinking. What another provider signed or encrypted is wrapped, so that the client sends it back."""
    if kept is not None and kept.origin == NAME and kept.kind == "redacted":
        return {"type": "redacted_thinking", "data": kept.data}
    return {"type": "thinking", "thinking": text, "signature": carry(kept)}


def encode_sealed(kept: Opaque) -> json.Object:
    """What another provider sealed a text or a call with, as a block that clients send back and nobody reads."""
    return {"type": "redacted_thinking", "data": carry(kept)}


def carry(kept: Opaque | None) -> str:
    """The signature that takes `kept` to the client and back."""
    if kept is None:
        return UNSIGNED
    return kept.data if kept.origin == NAME else opaque.wrap(kept)
