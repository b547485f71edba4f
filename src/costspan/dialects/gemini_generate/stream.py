"""Answers from an upstream: each event of a stream is one in small, and a whole one is read as a stream of one event.

There is no terminal event: a stream is complete once every candidate has a finish reason, or the prompt was blocked.
Neither says that nothing follows, since usage, sources and other candidates may come in later chunks. So `ended` is set
by `close` alone, at the end of the bytes, and nothing is cut off.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from costspan.dialects.gemini_generate import unread
from costspan.dialects.gemini_generate.errors import report
from costspan.dialects.gemini_generate.logprobs import read_logprobs
from costspan.dialects.gemini_generate.parts import Candidate
from costspan.dialects.gemini_generate.usage import queries, searches, usage_of
from costspan.dialects.gemini_generate.vocabulary import (
    ANSWER_FIELDS,
    CANDIDATE_FIELDS,
    UNSPECIFIED,
    finish_reason,
)
from costspan.dialects.losses import Unread
from costspan.errors import Malformed
from costspan.ir import events
from costspan.ir.reply import FinishReason
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.ir.usage import Usage
    from costspan.wire import sse

MARKERS: tuple[bytes, ...] = (b'TokenCount"', b'"finishReason"', b'"blockReason"', b'"webSearchQueries"', b'"error"')
"""Most chunks report usage and hold the first; those of Vertex that report none (`trafficType` alone) do not."""

_PLAIN_CHUNK: Final = ANSWER_FIELDS - {"promptFeedback"}
_PLAIN_CANDIDATE: Final = CANDIDATE_FIELDS - {"groundingMetadata"}


class Decoder:
    """One per stream. Feed it every event in order, then close it."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.model: str | None = None
        self.id: str | None = None
        self.ended = False
        self._started = False
        self._blocked = False
        self._regressed = False
        self._candidates: dict[int, Candidate] = {}
        self._queries: set[str] = set()
        self._reported: Any = None
        self._unread = Unread()

    def feed(self, event: sse.Event) -> Iterator[events.Event]:
        """Decode one event. Raises `Malformed` when its JSON cannot be read."""
        chunk = json.loads(event.data)
        if isinstance(chunk, list):
            chunk = chunk[0] if chunk else None
        if not isinstance(chunk, dict):
            return
        if "error" in chunk:
            failure = report(chunk)
            yield events.Failed(failure.message, str(failure.category), failure.code)
            return
        yield from self.read(chunk)

    def close(self) -> None:
        """Raise `Malformed` if the stream stopped before a candidate had its finish reason."""
        finished = bool(self._candidates) and all(one.finished for one in self._candidates.values())
        if not finished and not self._blocked:
            raise Malformed("the stream ended before a finish reason")
        self.ended = True

    def read(self, chunk: json.Object) -> Iterator[events.Event]:
        """Decode one chunk, or a whole answer."""
        if not self._started:
            yield from self._start(chunk)
        candidates = chunk.get("candidates")
        for candidate in candidates if isinstance(candidates, list) else ():
            if isinstance(candidate, dict):
                for told in self._candidate(candidate):
                    if isinstance(told, events.Unread):
                        yield from self._unread.tell((told.name,))
                    else:
                        yield told
        if not _PLAIN_CHUNK.issuperset(chunk):
            yield from self._blocking(chunk)
            yield from self._unread.tell(unread.of_answer(chunk))
        known = len(self._queries)
        self._queries.update(queries(chunk))
        yield from self._report(chunk.get("usageMetadata"), searched=len(self._queries) > known)

    def _start(self, chunk: json.Object) -> Iterator[events.Event]:
        id_, model = chunk.get("responseId"), chunk.get("modelVersion")
        self.id = id_ if isinstance(id_, str) and id_ else self.id
        self.model = model if isinstance(model, str) and model else self.model
        if self.id or self.model or chunk.get("candidates"):
            self._started = True
            yield events.Started(self.id or "", self.model or "", _epoch(chunk.get("createTime")))

    def _candidate(self, raw: json.Object) -> Iterator[events.Event]:
        number = raw.get("index")
        number = number if type(number) is int else 0
        candidate = self._candidates.get(number)
        if candidate is None:
            candidate = self._candidates[number] = Candidate(number, self.id or "")
        candidate.cite(raw)  # first: a text that ends with this chunk is the last to hear of its sources
        content = raw.get("content")
        parts = content.get("parts") if isinstance(content, dict) else None
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                yield from candidate.part(part)
        if not _PLAIN_CANDIDATE.issuperset(raw):
            yield from map(events.Unread, unread.of_candidate(raw))
        if logprobs := read_logprobs(raw.get("logprobsResult")):
            yield events.LogprobsAdded(logprobs, number)
        yield from _ending(candidate, raw.get("finishReason"))

    def _blocking(self, chunk: json.Object) -> Iterator[events.Event]:
        """The prompt was refused: there are no candidates."""
        feedback = chunk.get("promptFeedback")
        reason = feedback.get("blockReason") if isinstance(feedback, dict) else None
        if isinstance(reason, str) and reason not in UNSPECIFIED and not self._blocked and not self._candidates:
            self._blocked = True
            yield events.Finished(FinishReason.CONTENT_FILTER, reason)

    def _report(self, reported: Any, *, searched: bool) -> Iterator[events.Event]:  # noqa: ANN401 - JSON
        """Reports are cumulative: the last one counts, and one below its predecessor is a contradiction."""
        reported = self._reported if reported is None else reported
        if reported is None or (reported == self._reported and not searched):
            return
        usage = usage_of(reported, searches(self._queries, self.model or ""))
        if usage is None:
            return
        self._reported, before = reported, self.usage
        if before is not None and _total(usage) < _total(before):
            self._regressed = True
        self.usage = replace(usage, inconsistent=True) if self._regressed else usage
        yield events.UsageReported(self.usage)


def _ending(candidate: Candidate, native: Any) -> Iterator[events.Event]:  # noqa: ANN401 - JSON
    """The finish reason, once. What follows it still goes on."""
    is_last = isinstance(native, str) and bool(native) and native not in UNSPECIFIED
    if not is_last and not candidate.finished:
        return
    yield from candidate.finish()
    if is_last and not candidate.finished:
        candidate.finished = True
        reason = finish_reason(native, calls_tools=candidate.calls > 0)
        yield events.Finished(reason, native, choice=candidate.choice)


def _epoch(value: Any) -> int | None:  # noqa: ANN401 - JSON
    """Vertex's `createTime`, RFC 3339."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return None if time is None or time.tzinfo is None else int(time.timestamp())


def _total(usage: Usage) -> int:
    return sum(usage.tokens.values())
