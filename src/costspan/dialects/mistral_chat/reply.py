"""What Mistral answers: as OpenAI's dialect, but for signed thinking, the sound it was sent and errors.

A text's thinking is a part of its content, which OpenAI's reader knows; that it may be signed, only this one. Chunks
that need none of this, which is nearly all, are OpenAI's reader's alone.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from costspan.dialects import openai_chat, openai_errors
from costspan.dialects.counts import Counts
from costspan.dialects.mistral_chat.vocabulary import GAVE_UP, NAME
from costspan.dialects.openai_chat import MARKERS
from costspan.dialects.openai_chat.stream import Decoder as OpenAIDecoder
from costspan.dialects.types import PLAIN, Summary
from costspan.errors import Category, Malformed
from costspan.ir import events
from costspan.ir.opaque import wrap
from costspan.ir.request import Opaque
from costspan.wire import json, sse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from costspan.dialects.types import ErrorReport, Profile
    from costspan.ir.reply import Reply
    from costspan.ir.usage import Usage

__all__ = ["MARKERS", "Decoder", "decode_error", "decode_reply", "new_decoder", "read_usage", "summarize"]

_DIFFERS: Final = re.compile(
    rb'"signature"|"(?:tool_)?reference"|"logprobs":\s*\{|"prompt_audio_seconds":\s*\d|"finish_reason":\s*"error"'
)
_FAILED: Final = "the provider gave up on the answer"


def decode_reply(body: json.Object, profile: Profile = PLAIN) -> Reply:
    """Read a whole answer, tolerantly. Raises `Malformed` where there is none, or none because Mistral gave up."""
    reply = openai_chat.decode_reply(_as_openai(body, "message"), profile)
    usage = read_usage(body, profile)
    reply = replace(reply, usage=usage, service_tier=usage.service_tier if usage else None)
    if all(choice.native == GAVE_UP and not choice.blocks for choice in reply.choices):
        raise Malformed(_FAILED)
    return reply


def summarize(body: json.Object, profile: Profile = PLAIN) -> Summary:
    """Read what the books need. Raises `Malformed` when the answer holds no choice."""
    found = openai_chat.summarize(body, profile)
    return Summary(found.id, found.model, found.finish_reasons, read_usage(body, profile))


def read_usage(body: json.Object, profile: Profile = PLAIN) -> Usage | None:
    """Usage of an answer or of a stream's chunk; None where it reports none.

    Sound that was sent is billed by the second. Its tokens are in the total and in neither of its parts
    (docs.mistral.ai, audio, read 2026-11-25), so then the total says nothing about them.
    """
    report = body.get("usage")
    counts = Counts()
    seconds = counts.seconds(report.get("prompt_audio_seconds")) if isinstance(report, dict) else None
    if not seconds or not isinstance(report, dict):
        return openai_chat.read_usage(body, profile)
    parts = {name: value for name, value in report.items() if name != "total_tokens"}
    usage = openai_chat.read_usage({**body, "usage": parts}, profile)
    return None if usage is None else _with_seconds(usage, seconds)


def _with_seconds(usage: Usage, seconds: Decimal) -> Usage:
    return replace(usage, units={**usage.units, "audio_seconds": seconds})


class Decoder(OpenAIDecoder):
    """One per upstream stream. Feed it every event in order, then close it."""

    def __init__(self, profile: Profile = PLAIN) -> None:
        super().__init__(profile)
        self._host = profile

    def feed(self, event: sse.Event) -> Iterator[events.Event]:
        """Decode one event. Raises `Malformed` when its JSON cannot be read."""
        return super().feed(event) if _DIFFERS.search(event.data) is None else self._differing(event)

    def _differing(self, event: sse.Event) -> Iterator[events.Event]:
        value = json.loads(event.data)
        if not isinstance(value, dict):
            return
        usage, failed = read_usage(value, self._host), False
        plain = _as_openai({**value, "usage": None}, "delta")
        for found in super().feed(sse.Event(event.name, json.dumps(plain))):
            if isinstance(found, events.Finished) and found.native == GAVE_UP:
                failed = True
            else:
                yield found
        if usage is not None:
            yield events.UsageReported(self._keep(usage))
        if failed:  # last, since whoever reads it reads no further
            yield events.Failed(_FAILED, str(Category.SERVER_ERROR))


def new_decoder(profile: Profile = PLAIN) -> Decoder:
    """A decoder for one upstream stream."""
    return Decoder(profile)


def _as_openai(body: json.Object, holder: str) -> json.Object:
    """An answer or a chunk with what its choices say put as OpenAI's reader knows it."""
    choices = body.get("choices")
    if not isinstance(choices, list):
        return body
    return {**body, "choices": [_choice(choice, holder) for choice in choices]}


def _choice(choice: Any, holder: str) -> Any:  # noqa: ANN401 - JSON
    match choice:
        case {"logprobs": {"content": list(items)}}:
            choice = {**choice, "logprobs": {"content": [_logprob(item) for item in items], "refusal": None}}
        case _:
            pass
    match choice:
        case dict() if isinstance(said := choice.get(holder), dict) and isinstance(said.get("content"), list):
            return {**choice, holder: _said(said)}
        case _:
            return choice


def _logprob(item: Any) -> Any:  # noqa: ANN401 - JSON
    """Without Mistral's number of the token, and with a list of the others."""
    if not isinstance(item, dict):
        return item
    others = item.get("top_logprobs")
    plain = {name: value for name, value in item.items() if name != "token_id"}
    return {**plain, "top_logprobs": [_logprob(other) for other in others] if isinstance(others, list) else []}


def _said(said: json.Object) -> json.Object:
    """Signed thinking as an item of `reasoning_details`, the seal wrapped as one of this dialect.

    What is not text in thinking, references, is put beside it, where it is told of.
    """
    details: list[json.Object] = []
    rest: list[Any] = []
    for part in said["content"]:
        thinking = part.get("thinking") if isinstance(part, dict) else None
        pieces = thinking if isinstance(thinking, list) else []
        match part:
            case {"type": "thinking", "signature": str(signature)} if signature:
                text = thinking if isinstance(thinking, str) else "".join(map(_text, pieces))
                seal = wrap(Opaque(NAME, "signature", signature))
                details.append({"type": "reasoning.text", "text": text, "signature": seal})
            case _:
                rest.append(part)
        rest += (piece for piece in pieces if isinstance(piece, dict) and piece.get("type", "text") != "text")
    return {**said, "content": rest} | ({"reasoning_details": details} if details else {})


def _text(piece: Any) -> str:  # noqa: ANN401 - JSON
    text = piece.get("text") if isinstance(piece, dict) else None
    return text if isinstance(text, str) else ""


def decode_error(status: int, body: bytes) -> ErrorReport:
    """Understand an error answer. What is wrong with a request is told in a list, with the place of each mistake."""
    try:
        value = json.loads(body)
    except Malformed:
        return openai_errors.decode_error(status, body)
    return openai_errors.report(_flat(value), status)


def _flat(value: Any) -> Any:  # noqa: ANN401 - JSON
    """`{"message": {"detail": [...]}}`, `{"message": [...]}` and `{"detail": [...]}` with the mistakes as one text."""
    if not isinstance(value, dict):
        return value
    for found in (value.get("message"), value):
        match found:
            case {"detail": list(mistakes)} | list(mistakes) if mistakes:
                return {**value, "message": "; ".join(map(_mistake, mistakes)), "detail": None}
            case _:
                pass
    return value


def _mistake(mistake: Any) -> str:  # noqa: ANN401 - JSON
    match mistake:
        case {"msg": str(told), "loc": list(place)}:
            return f"{'.'.join(map(str, place))}: {told}"
        case {"msg": str(told)} | str(told):
            return told
        case _:
            return "invalid"
