"""Streams of passed formats, looked at from aside: content, usage, failures and the end."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from costspan.dialects import openai_errors
from costspan.errors import Malformed
from costspan.ir import events
from costspan.ir.reply import FinishReason
from costspan.ir.usage import Usage
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from costspan.wire import sse

_DONE: Final = b"[DONE]"
_FINISH: Final = MappingProxyType(
    {"stop": FinishReason.STOP, "length": FinishReason.LENGTH, "content_filter": FinishReason.CONTENT_FILTER}
)


class Decoder:
    """One per upstream stream. Feed it every event in order, then close it."""

    def __init__(
        self, read_usage: Callable[[json.Object], Usage | None], last: tuple[str, ...], *, several: bool
    ) -> None:
        self.usage: Usage | None = None
        self.model: str | None = None
        self.id: str | None = None
        self.ended = False
        self._read_usage = read_usage
        self._last = last
        self._several = several
        self._complete = False
        self._has_media = False

    def feed(self, event: sse.Event) -> Iterator[events.Event]:
        """Decode one event. Raises `Malformed` when its JSON cannot be read."""
        if event.data.strip() == _DONE:
            self.ended = True
            yield events.Ended()
            return
        body = json.loads(event.data)
        if not isinstance(body, dict):
            return
        if body.get("error") or body.get("type") == "error" or event.name == "error":
            error = openai_errors.report(body, None)
            yield events.Failed(error.message, str(error.category), error.code)
            return
        self._note(body)
        yield from self._content(body)
        kind = body.get("type") or event.name
        is_last = kind in self._last
        usage = self._read_usage(body) if is_last or not self._last else None
        if usage is not None:
            self.usage = usage if self.usage is None or not self._several else _sum(self.usage, usage)
            yield events.UsageReported(self.usage)
        if is_last:
            yield from self._end()

    def close(self) -> None:
        """Raise `Malformed` if the stream stopped before its terminal event."""
        if not self.ended and not self._complete:
            raise Malformed("the stream ended before its terminal event")
        self.ended = True

    def _note(self, body: json.Object) -> None:
        id_, model = body.get("id"), body.get("model")
        self.id = self.id or (id_ if isinstance(id_, str) and id_ else None)
        self.model = self.model or (model if isinstance(model, str) and model else None)

    def _end(self) -> Iterator[events.Event]:
        """The terminal event. Where there may be another, only the bytes' end or `[DONE]` is the stream's."""
        self._complete = True
        yield events.Finished(FinishReason.STOP)
        if not self._several:
            self.ended = True
            yield events.Ended()

    def _content(self, body: json.Object) -> Iterator[events.Event]:
        match body:
            case {"choices": list(choices)}:
                for choice in choices:
                    yield from _choice(choice)
            case {"type": "transcript.text.delta", "delta": str(text)}:
                yield events.TextDelta(0, text)
            case {"audio": str()} | {"b64_json": str()} if not self._has_media:
                self._has_media = True
                yield events.BlockStarted(0, "media")
            case _:
                pass


def _choice(choice: Any) -> Iterator[events.Event]:  # noqa: ANN401 - JSON
    if not isinstance(choice, dict):
        return
    number = choice.get("index")
    number = number if type(number) is int else 0
    text, reason = choice.get("text"), choice.get("finish_reason")
    if isinstance(text, str) and text:
        yield events.TextDelta(0, text, number)
    if isinstance(reason, str) and reason:
        yield events.Finished(_FINISH.get(reason, FinishReason.OTHER), reason, choice=number)


def _sum(before: Usage, more: Usage) -> Usage:
    """Two results of one stream."""
    return Usage(
        _added(before.tokens, more.tokens),
        _added(before.units, more.units),
        inconsistent=before.inconsistent or more.inconsistent,
    )


def _added(before: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    return {name: before.get(name, 0) + more.get(name, 0) for name in (*before, *more)}
