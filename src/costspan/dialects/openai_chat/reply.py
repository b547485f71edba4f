"""Whole chat completions, from an upstream and to a client."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from costspan.dialects.losses import AnswerLosses, name_of
from costspan.dialects.openai_chat import reasoning, unread
from costspan.dialects.openai_chat.media import read_picture, write_picture
from costspan.dialects.openai_chat.usage import read_usage, write_usage
from costspan.dialects.openai_chat.vocabulary import (
    ENCODED_FINISH,
    FINISHES_WITHOUT_A_WORD,
    SERVICE_TIERS,
    derived_id,
    finish_reason,
)
from costspan.dialects.types import PLAIN, Encoded, Summary
from costspan.errors import Malformed
from costspan.ir.reply import Choice, FinishReason, Reply
from costspan.ir.request import Media, Reasoning, Refusal, ServerTool, Text, ToolCall, ToolResult
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from costspan.dialects.types import Profile, StreamOptions
    from costspan.ir.request import Block, Citation


def decode_reply(body: json.Object, profile: Profile = PLAIN) -> Reply:
    """Read an upstream's whole answer, tolerantly. Raises `Malformed` when it holds no choice."""
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise Malformed("the answer holds no choices")
    id_, model = _text(body.get("id")), _text(body.get("model"))
    created, tier = body.get("created"), body.get("service_tier")
    found = tuple(_choice(choice, position, body) for position, choice in enumerate(choices))
    return Reply(
        id=id_,
        model=model,
        choices=found,
        usage=read_usage(body, profile),
        created=created if type(created) is int else None,
        service_tier=tier if isinstance(tier, str) else None,
        unread=frozenset(_unread(body, found)),
    )


def _unread(body: json.Object, found: Sequence[Choice]) -> Iterator[str]:
    yield from unread.of_answer(body)
    for choice, read in zip(body["choices"], found, strict=True):
        yield from unread.of_choice(choice)
        yield from unread.of_message(choice["message"], read.blocks)


def summarize(body: json.Object, profile: Profile = PLAIN) -> Summary:
    """Read what the books need. Raises `Malformed` when the answer holds no choice."""
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise Malformed("the answer holds no choices")
    natives = [choice.get("finish_reason") for choice in choices if isinstance(choice, dict)]
    return Summary(
        _text(body.get("id")),
        _text(body.get("model")),
        tuple(dict.fromkeys([native for native in natives if isinstance(native, str) and native])),
        read_usage(body, profile),
    )


def _choice(choice: Any, position: int, body: json.Object) -> Choice:  # noqa: ANN401 - JSON
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise Malformed("a choice holds no message")
    blocks = _with_sources(list(_blocks(message, position, _text(body.get("id")))), tuple(reasoning.sources(body)))
    native = choice.get("finish_reason")
    calls_tools = any(isinstance(block, ToolCall) for block in blocks)
    finish = finish_reason(native, calls_tools=calls_tools) if isinstance(native, str) and native else None
    return Choice(blocks, finish, native if finish else None, logprobs=choice.get("logprobs") or None)


def _with_sources(blocks: list[Block], cited: tuple[Citation, ...]) -> tuple[Block, ...]:
    """Sources of the whole answer belong to its last text."""
    for position, block in reversed(list(enumerate(blocks))):
        if cited and isinstance(block, Text):
            blocks[position] = replace(block, citations=block.citations + cited)
            break
    return tuple(blocks)


def _blocks(message: json.Object, position: int, answer_id: str) -> Iterator[Block]:
    calls = message.get("tool_calls")
    found = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    legacy = message.get("function_call")
    if isinstance(legacy, dict):
        found.append({"function": legacy})
    details = list(reasoning.details(message))
    ids = {call.get("id") for call in found if isinstance(call.get("id"), str)}
    yield from reasoning.blocks(detail for detail in details if detail.id not in ids)
    before = 0
    for block in _said(message):
        before += 1
        yield block
    sealed = {detail.id: detail.opaque for detail in details if detail.id in ids}
    for number, call in enumerate(found, before):
        id_ = _text(call.get("id")) or derived_id(answer_id, position, number)
        name, arguments = _function(call.get("function"))
        yield ToolCall(id_, name, arguments, opaque=sealed.get(id_))


def _said(message: json.Object) -> Iterator[Block]:
    """Text with its citations, refusal, pictures and sound."""
    cited = tuple(reasoning.citations(message.get("annotations")))
    content = message.get("content")
    if isinstance(content, str) and (content or cited):
        yield Text(content, citations=cited)
    elif isinstance(content, list):
        for part in content:
            yield from _part(part)
    if refusal := _text(message.get("refusal")):
        yield Refusal(refusal)
    images = message.get("images")
    for image in images if isinstance(images, list) else ():
        yield from _part(image)
    match message.get("audio"):
        case {"data": str(data), "transcript": str(transcript)}:
            yield Text(transcript)
            yield Media("audio", data=data)
        case _:
            pass


def _part(part: Any) -> Iterator[Block]:  # noqa: ANN401 - JSON
    match part:
        case {"type": "text", "text": str(text)}:
            yield Text(text)
        case {"type": "thinking"}:
            yield Reasoning("".join(detail.text for detail in reasoning.thinking_part(part)))
        case {"type": "refusal", "refusal": str(refusal)}:
            yield Refusal(refusal)
        case _:
            if picture := read_picture(part):
                yield picture


def _function(function: Any) -> tuple[str, str]:  # noqa: ANN401 - JSON
    if not isinstance(function, dict):
        return "", "{}"
    arguments = function.get("arguments")
    if isinstance(arguments, dict):
        arguments = json.text(arguments)
    return _text(function.get("name")), _text(arguments) or "{}"


def encode_reply(reply: Reply, options: StreamOptions) -> Encoded:
    """Write a whole answer for the client."""
    losses = AnswerLosses()
    body: json.Object = {
        "id": reply.id or options.exchange_id,
        "object": "chat.completion",
        "created": reply.created or options.created,
        "model": reply.model or options.model,
        "choices": [_write_choice(choice, index, losses) for index, choice in enumerate(reply.choices)],
    }
    if reply.usage is not None:
        body["usage"] = write_usage(reply.usage)
    if reply.service_tier in SERVICE_TIERS:
        body["service_tier"] = reply.service_tier
    losses.add_all(reply.unread)
    return Encoded(json.dumps(body), losses.names())


def _write_choice(choice: Choice, index: int, losses: AnswerLosses) -> json.Object:
    if choice.finish in FINISHES_WITHOUT_A_WORD:
        losses.add("finish_reason")
    if choice.stop_sequence:
        losses.add("stop_sequence")
    return {
        "index": index,
        "message": _write_message(choice.blocks, losses),
        "logprobs": choice.logprobs,
        "finish_reason": ENCODED_FINISH[choice.finish or FinishReason.STOP],
    }


def _write_message(blocks: Sequence[Block], losses: AnswerLosses) -> json.Object:
    texts = [block for block in blocks if isinstance(block, Text)]
    refusals = [block.text for block in blocks if isinstance(block, Refusal)]
    calls = [block for block in blocks if isinstance(block, ToolCall)]
    message: json.Object = {
        "role": "assistant",
        "content": "".join(text.text for text in texts) if texts else None,
        "refusal": "".join(refusals) if refusals else None,
    }
    message |= _write_reasoning(blocks)
    if annotations := list(_annotations(texts, losses)):
        message["annotations"] = annotations
    if images := list(_images(blocks, losses)):
        message["images"] = images
    if calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in calls
        ]
    return message


def _write_reasoning(blocks: Sequence[Block]) -> json.Object:
    """The text under both names that clients look for, and the items to send back."""
    details: list[json.Object] = []
    texts: list[str] = []
    for index, block in enumerate(blocks):
        if isinstance(block, Reasoning):
            texts.append(block.text)
            details += reasoning.items(block, index)
        elif isinstance(block, ToolCall) and block.opaque is not None:
            details.append(reasoning.sealed_item(block.opaque, index, block.id))
        elif isinstance(block, Text) and block.opaque is not None:
            details.append(reasoning.sealed_item(block.opaque, index))
    text = "".join(texts)
    shown: json.Object = {"reasoning": text, "reasoning_content": text} if text else {}
    return shown | {"reasoning_details": details} if details else shown


def _annotations(texts: Sequence[Text], losses: AnswerLosses) -> Iterator[json.Object]:
    offset = 0
    for text in texts:
        for citation in text.citations:
            annotation = reasoning.annotation(citation, offset, len(text.text))
            if annotation is None:
                losses.add("citations")
            else:
                yield annotation
        offset += len(text.text)


def _images(blocks: Sequence[Block], losses: AnswerLosses) -> Iterator[json.Object]:
    """Pictures; what else is no text, reasoning or call has no place."""
    for block in blocks:
        image = write_picture(block) if isinstance(block, Media) else None
        if image is not None:
            yield image
        elif isinstance(block, Media | ServerTool | ToolResult):
            losses.add(name_of(block))


def _text(value: Any) -> str:  # noqa: ANN401 - JSON
    return value if isinstance(value, str) else ""
