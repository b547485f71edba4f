"""Chat completion streams: upstream chunks to canonical events.

Hosts differ in much that the decoder has to bear: usage in a chunk without choices (OpenAI), with them (Mistral,
OpenRouter), in every chunk (Perplexity), under `x_groq` (Groq); a first chunk without id and choices (Azure); the
finish reason twice (OpenRouter); tool calls without an index, or all with the same one (Google's endpoint).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from costspan.dialects.losses import Unread
from costspan.dialects.openai_chat import reasoning, unread
from costspan.dialects.openai_chat.blocks import Blocks
from costspan.dialects.openai_chat.media import read_picture
from costspan.dialects.openai_chat.usage import read_usage
from costspan.dialects.openai_chat.vocabulary import ANSWER_FIELDS, CHOICE_FIELDS, ENDS_WITHOUT_DONE, finish_reason
from costspan.dialects.openai_errors import report
from costspan.dialects.types import PLAIN
from costspan.errors import Malformed
from costspan.ir import events
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.dialects.types import Profile
    from costspan.ir.usage import Usage
    from costspan.wire import sse

MARKERS: tuple[bytes, ...] = (
    b'"usage":{',
    b'"usage": {',
    b'"finish_reason":"',
    b'"finish_reason": "',
    b'"error"',
    b"[DONE]",
)

_DONE: Final = b"[DONE]"


class Decoder:
    """One per upstream stream. Feed it every event in order, then close it."""

    def __init__(self, profile: Profile = PLAIN) -> None:
        self.usage: Usage | None = None
        self.model: str | None = None
        self.id: str | None = None
        self.ended = False
        self._profile = profile
        self._started = False
        self._regressed = False
        self._choices: dict[int, Blocks] = {}
        self._unread = Unread()

    def feed(self, event: sse.Event) -> Iterator[events.Event]:
        """Decode one event. Raises `Malformed` when its JSON cannot be read."""
        if event.data.strip() == _DONE:
            for blocks in self._choices.values():
                yield from blocks.finish_all()
            self.ended = True
            yield events.Ended()
            return
        chunk = json.loads(event.data)
        if failed := _failure(event.name, chunk):
            yield failed
            return
        if isinstance(chunk, dict):
            yield from self._chunk(chunk)

    def close(self) -> None:
        """Raise `Malformed` if the stream stopped before `[DONE]`."""
        if not self.ended and not (ENDS_WITHOUT_DONE in self._profile.quirks and self._all_finished()):
            raise Malformed("the stream ended before [DONE]")

    def _all_finished(self) -> bool:
        return bool(self._choices) and all(blocks.finished for blocks in self._choices.values())

    def _chunk(self, chunk: json.Object) -> Iterator[events.Event]:
        choices = chunk.get("choices")
        if not self._started:
            yield from self._start(chunk, bool(choices))
        if isinstance(choices, list):
            for choice in choices:
                if isinstance(choice, dict):
                    yield from self._choice(choice, chunk)
        if not ANSWER_FIELDS.issuperset(chunk):
            yield from self._unread.tell(unread.of_answer(chunk))
        usage = read_usage(chunk, self._profile)
        if usage is not None:
            yield events.UsageReported(self._keep(usage))

    def _start(self, chunk: json.Object, has_choices: bool) -> Iterator[events.Event]:  # noqa: FBT001 - a fact, not a mode
        id_, model, created = chunk.get("id"), chunk.get("model"), chunk.get("created")
        self.id = id_ if isinstance(id_, str) and id_ else self.id
        self.model = model if isinstance(model, str) and model else self.model
        if has_choices or self.id:
            self._started = True
            yield events.Started(self.id or "", self.model or "", created if type(created) is int else None)

    def _keep(self, usage: Usage) -> Usage:
        """Reports are cumulative: the last one counts, and one below its predecessor is a contradiction."""
        before = self.usage
        if before is not None and _total(usage) < _total(before):
            self._regressed = True
        if self._regressed:
            usage = replace(usage, inconsistent=True)
        if before is not None and usage.service_tier is None:
            usage = replace(usage, service_tier=before.service_tier)
        self.usage = usage
        return usage

    def _choice(self, choice: json.Object, chunk: json.Object) -> Iterator[events.Event]:
        number = choice.get("index")
        number = number if type(number) is int else 0
        blocks = self._choices.get(number)
        if blocks is None:
            blocks = self._choices[number] = Blocks(number, self.id or "")
        if blocks.finished:
            return
        delta = choice.get("delta")
        if isinstance(delta, dict):
            yield from self._delta(blocks, delta)
        if not CHOICE_FIELDS.issuperset(choice):
            yield from self._unread.tell(unread.of_choice(choice))
        if logprobs := choice.get("logprobs"):
            yield events.LogprobsAdded(logprobs, number)
        native = choice.get("finish_reason")
        if isinstance(native, str) and native:
            for citation in reasoning.sources(chunk):
                yield from blocks.citation(citation)
            yield from blocks.finish_all()
            blocks.finished = True
            yield events.Finished(finish_reason(native, calls_tools=blocks.calls_tools), native, choice=number)

    def _delta(self, blocks: Blocks, delta: json.Object) -> Iterator[events.Event]:
        content = delta.get("content")
        if isinstance(content, str) and content and len(delta) == 1:  # nearly every chunk of an answer
            yield from blocks.text("text", content)
            return
        yield from _parts(blocks, delta, content)
        yield from self._unread.tell(unread.of_delta(delta))


def _parts(blocks: Blocks, delta: json.Object, content: Any) -> Iterator[events.Event]:  # noqa: ANN401 - JSON
    """What one delta adds, in the order in which a reader would want it."""
    details = list(reasoning.details(delta))
    for detail in details:
        if detail.id not in blocks.calls and not _names_a_call(delta, detail.id):
            yield from blocks.reasoning(detail)
    yield from _content(blocks, content)
    for part in _list(delta.get("images")):
        yield from _picture(blocks, part)
    yield from _transcript(blocks, delta.get("audio"))
    yield from _refusal(blocks, delta.get("refusal"))
    for citation in reasoning.citations(delta.get("annotations")):
        yield from blocks.citation(citation)
    sealed = {detail.id: detail.opaque for detail in details if detail.id is not None and detail.opaque is not None}
    for call in _tool_calls(delta):
        id_ = call.get("id")
        yield from blocks.tool_call(call, sealed.pop(id_, None) if isinstance(id_, str) else None)
    for known, opaque in sealed.items():
        if known in blocks.calls:
            yield events.OpaqueDelta(blocks.calls[known], opaque, blocks.choice)


def _content(blocks: Blocks, content: Any) -> Iterator[events.Event]:  # noqa: ANN401 - JSON
    if isinstance(content, str):
        if content:
            yield from blocks.text("text", content)
    elif isinstance(content, list):  # Mistral's reasoning models
        for part in content:
            yield from _part(blocks, part)


def _part(blocks: Blocks, part: Any) -> Iterator[events.Event]:  # noqa: ANN401 - JSON
    match part:
        case {"type": "text", "text": str(text)} if text:
            yield from blocks.text("text", text)
        case {"type": "thinking"}:
            for detail in reasoning.thinking_part(part):
                yield from blocks.reasoning(detail)
        case {"type": "refusal", "refusal": refusal}:
            yield from _refusal(blocks, refusal)
        case _:
            yield from _picture(blocks, part)


def _picture(blocks: Blocks, part: Any) -> Iterator[events.Event]:  # noqa: ANN401 - JSON
    """OpenRouter's, of models that draw (openrouter.ai/docs, image-generation, read 2026-08-22)."""
    picture = read_picture(part)
    if picture is not None:
        yield from blocks.picture(picture)


def _list(value: Any) -> list[Any]:  # noqa: ANN401 - JSON
    return value if isinstance(value, list) else []


def _transcript(blocks: Blocks, audio: Any) -> Iterator[events.Event]:  # noqa: ANN401 - JSON
    """What is said aloud, as text."""
    match audio:
        case {"transcript": str(text)} if text:
            yield from blocks.text("text", text)


def _refusal(blocks: Blocks, refusal: Any) -> Iterator[events.Event]:  # noqa: ANN401 - JSON
    if isinstance(refusal, str) and refusal:
        yield from blocks.text("refusal", refusal)


def _tool_calls(delta: json.Object) -> Iterator[json.Object]:
    calls = delta.get("tool_calls")
    if isinstance(calls, list):
        yield from (call for call in calls if isinstance(call, dict))
    legacy = delta.get("function_call")
    if isinstance(legacy, dict):
        yield {"index": 0, "function": legacy}


def _names_a_call(delta: json.Object, id_: str | None) -> bool:
    return id_ is not None and any(call.get("id") == id_ for call in _tool_calls(delta))


def _failure(name: str, chunk: Any) -> events.Failed | None:  # noqa: ANN401 - JSON
    """An error that the event reports, in whichever shape."""
    value = chunk[0] if isinstance(chunk, list) and chunk else chunk
    if not isinstance(value, dict):
        return None
    if not value.get("error") and value.get("object") != "error" and name != "error":
        return None
    error = report(value, None)
    return events.Failed(error.message, str(error.category), error.code)


def _total(usage: Usage) -> int:
    return usage.prompt_tokens + usage.completion_tokens
