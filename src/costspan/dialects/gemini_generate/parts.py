"""The blocks of one candidate, rebuilt from parts that do not number them.

Text that goes on is one block, in whole answers too, which come as one part or as several. A signature ends its block.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from costspan.dialects.gemini_generate import unread
from costspan.dialects.gemini_generate.grounding import citations
from costspan.dialects.gemini_generate.media import kind_of
from costspan.dialects.gemini_generate.signatures import signature_of
from costspan.dialects.gemini_generate.vocabulary import NAME, PART_FIELDS, SERVER_TOOL_PARTS, derived_id
from costspan.ir import events
from costspan.ir.request import Media
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.ir.request import Citation, Opaque


class Candidate:
    """Numbers blocks densely and pairs their starts with their ends: one at a time is open."""

    def __init__(self, choice: int, answer_id: str) -> None:
        self.choice = choice
        self.finished = False
        self.calls = 0
        """How many function calls it holds."""
        self._answer_id = answer_id
        self._count = 0
        self._open: int | None = None
        self._open_kind: events.BlockKind | None = None
        self._said: list[tuple[int, str]] = []
        """Text by the block that it is in: what citations point into."""
        self._sources: list[json.Object] = []
        self._cited: set[Citation] = set()

    def part(self, part: json.Object) -> Iterator[events.Event]:
        """What one part adds. Names that are not read are told as `Unread`, as often as they come."""
        match part:
            case {"text": str(text)}:
                if len(part) == 1:  # nearly every chunk of an answer
                    yield from self._text(text, "text", None)
                    return
                kind: events.BlockKind = "reasoning" if part.get("thought") is True else "text"
                yield from self._text(text, kind, signature_of(part))
            case {"functionCall": dict(call)}:
                yield from self._call(call, signature_of(part))
            case {"inlineData": dict(data)}:
                yield from self._media(part, _inline(data))
            case {"fileData": dict(file)}:
                yield from self._media(part, _file(file))
            case _:
                yield from self._other(part)
        if not PART_FIELDS.issuperset(part):
            yield from map(events.Unread, unread.of_part(part))

    def cite(self, candidate: json.Object) -> None:
        """Keep what a candidate says of its sources until its text is there."""
        if candidate.get("groundingMetadata") or candidate.get("citationMetadata"):
            self._sources.append(candidate)

    def finish(self) -> Iterator[events.Event]:
        """Tell the citations, and close what is open."""
        yield from self._tell_sources(is_last=True)
        yield from self._close()

    def _tell_sources(self, *, is_last: bool) -> Iterator[events.Event]:
        """The citations that are not told yet; those without a place only when no more text can have it."""
        if not self._sources:
            return
        text = "".join(text for _, text in self._said)
        for source in self._sources:
            for citation in citations(source, text):
                if citation not in self._cited and (is_last or citation.end is not None):
                    self._cited.add(citation)
                    yield self._citation(citation)
        if is_last:
            self._sources.clear()

    def _citation(self, citation: Citation) -> events.Event:
        """The citation, in the block where its claim begins; without a position, in the last."""
        if not self._said:
            return events.Unread("groundingMetadata")
        block = self._said[-1][0]
        if citation.start is not None and citation.end is not None:
            block, offset, length = self._place(citation.start)
            end = min(citation.end - offset, length)
            citation = replace(citation, start=citation.start - offset, end=end)
        return events.CitationAdded(block, citation, self.choice)

    def _place(self, position: int) -> tuple[int, int, int]:
        """The text block that holds a character, the characters before it, and its own."""
        lengths: dict[int, int] = {}
        for block, text in self._said:
            lengths[block] = lengths.get(block, 0) + len(text)
        before = 0
        for block, length in lengths.items():
            if position < before + length:
                return block, before, length
            before += length
        return block, before - length, length

    def _text(self, text: str, kind: events.BlockKind, signature: Opaque | None) -> Iterator[events.Event]:
        if not text and signature is None:
            return
        if self._open_kind != kind or self._open is None:
            starts_signed = signature if kind == "text" else None
            yield from self._start(kind, starts_signed)
            told = starts_signed is not None
        else:
            told = False
        index = self._open or 0
        if text:
            if kind == "text":
                self._said.append((index, text))
                yield events.TextDelta(index, text, self.choice)
            else:
                yield events.ReasoningDelta(index, text, self.choice)
        if signature is not None:
            if not told:
                yield events.OpaqueDelta(index, signature, self.choice)
            yield from self._close()

    def _call(self, call: json.Object, signature: Opaque | None) -> Iterator[events.Event]:
        yield from self._close()
        name, given, fields = call.get("name"), call.get("id"), call.get("args")
        arguments = json.text(fields) if isinstance(fields, dict) else "{}"
        self.calls += 1
        name = name if isinstance(name, str) else ""
        id_ = given if isinstance(given, str) and given else ""
        id_ = id_ or derived_id(self._answer_id, self.choice, self.calls, name, arguments)
        index = self._next()
        yield events.BlockStarted(index, "tool_call", id_, name, self.choice, opaque=signature)
        yield events.ArgumentsDelta(index, arguments, self.choice)
        yield events.BlockFinished(index, self.choice)
        if call.get("partialArgs"):  # only where the request asks for them, which no other dialect does
            yield events.Unread("functionCall.partialArgs")

    def _media(self, part: json.Object, media: Media | None) -> Iterator[events.Event]:
        """A whole picture or sound. Its signature, which has no place in it, stands before it."""
        yield from self._close()
        if media is None or part.get("thought") is True:  # a draft, made while thinking
            yield events.Unread("inlineData")
            return
        if signature := signature_of(part):
            yield from self._text("", "reasoning", signature)
        index = self._next()
        yield events.BlockStarted(index, "media", choice=self.choice, media=media)
        yield events.BlockFinished(index, self.choice)

    def _other(self, part: json.Object) -> Iterator[events.Event]:
        """A tool that Google ran itself, kept whole; of what is not known, the names."""
        yield from self._close()
        for kind in SERVER_TOOL_PARTS:
            if kind in part:
                index = self._next()
                yield events.BlockStarted(index, "server_tool", name=kind, choice=self.choice, origin=NAME, raw=part)
                yield events.BlockFinished(index, self.choice)
                return

    def _start(self, kind: events.BlockKind, signature: Opaque | None) -> Iterator[events.Event]:
        yield from self._close()
        self._open, self._open_kind = self._next(), kind
        yield events.BlockStarted(self._open, kind, choice=self.choice, summary=kind == "reasoning", opaque=signature)

    def _close(self) -> Iterator[events.Event]:
        if self._open is not None:
            if self._open_kind == "text":
                yield from self._tell_sources(is_last=False)
            yield events.BlockFinished(self._open, self.choice)
        self._open = self._open_kind = None

    def _next(self) -> int:
        self._count += 1
        return self._count - 1


def _inline(raw: json.Object) -> Media | None:
    data, mime = raw.get("data"), _text(raw.get("mimeType"))
    return Media(kind_of(mime), mime, data=data) if isinstance(data, str) and data else None


def _file(raw: json.Object) -> Media | None:
    uri, mime = raw.get("fileUri"), _text(raw.get("mimeType"))
    return Media(kind_of(mime), mime, url=uri) if isinstance(uri, str) and uri else None


def _text(value: Any) -> str | None:  # noqa: ANN401 - JSON
    return value if isinstance(value, str) and value else None
