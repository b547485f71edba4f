"""A body that passes as it came: sound, text, and whatever a provider's own path answers. It is read from aside only.

Unlike a passthrough, nothing is held back or taken out: the first byte commits, and the end of the body is the end.
Where the answer is in a dialect that we know, its usage is learnt; a stream that stops before its terminal event is
passed as it is, and its cost is an estimate.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from costspan.dialects import STREAMING
from costspan.engine import sample
from costspan.engine.framed import reframer
from costspan.errors import Malformed
from costspan.ir import events
from costspan.wire import json, sse

if TYPE_CHECKING:
    from costspan.dialects.types import Metered, Profile, Streaming
    from costspan.ir.usage import Usage
    from costspan.providers.account import Account
    from costspan.wire.event_stream import Reframer
    from costspan.wire.http import Response

MAX_READ = 8 * 1024 * 1024
"""A whole answer longer than this is not kept to be read: its usage stays unknown."""


class _Learnt:
    """What is known of an answer whose stream nobody decodes."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.model: str | None = None
        self.id: str | None = None
        self.ended = False


class Whole:
    """Reads a whole answer in JSON, once it is complete."""

    def __init__(self, dialect: Metered, profile: Profile) -> None:
        self.finish_reasons: list[str] = []
        self.learnt = _Learnt()
        self._dialect = dialect
        self._profile = profile
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Keep what fits."""
        self._size += len(data)
        if self._size <= MAX_READ:
            self._pieces.append(data)

    def finish(self) -> None:
        """Read what was kept. Never raises: the answer has passed already."""
        if self._size > MAX_READ:
            return
        try:
            found = self._dialect.summarize(json.loads_object(b"".join(self._pieces)), self._profile)
        except Malformed:
            return
        self.learnt.usage, self.learnt.model, self.learnt.id = found.usage, found.model or None, found.id or None
        self.finish_reasons.extend(found.finish_reasons)
        self.learnt.ended = True

    def output_chars(self) -> tuple[int, bool]:
        """Unknown: a whole answer tells its usage or nothing."""
        return 0, False


class Stream:
    """Reads a stream's events as they pass, those with a marker only."""

    def __init__(self, streaming: Streaming, profile: Profile, reframer: Reframer | None) -> None:
        self.finish_reasons: list[str] = []
        self.learnt = streaming.new_decoder(profile)
        self._streaming = streaming
        self._profile = profile
        self._reframer = reframer
        self._sample: list[bytes] = []
        self._sampled = 0
        self._passed = 0
        self._parser = sse.Parser()
        self._broken = False

    def feed(self, data: bytes) -> None:
        """Read on, until something cannot be read."""
        if not self._broken:
            try:
                self._read(data)
            except Malformed:
                self._broken = True

    def _read(self, data: bytes) -> None:
        if self._reframer is not None:
            data = self._reframer.feed(data)
        self._passed += len(data)
        if self._sampled < sample.BYTES:
            self._sample.append(data)
            self._sampled += len(data)
        for event in self._parser.feed(data):
            if not any(marker in event.data for marker in self._streaming.MARKERS):
                continue
            for one in self.learnt.feed(event):
                if isinstance(one, events.Finished):
                    self.finish_reasons.append(one.native or one.reason)

    def finish(self) -> None:
        """What a decoder learns at the end of the bytes. Never raises."""
        with contextlib.suppress(Malformed):
            self.learnt.close()

    def output_chars(self) -> tuple[int, bool]:
        """See `sample.chars`."""
        return sample.chars(self._streaming.new_decoder(self._profile), self._sample, self._passed)


class Unread:
    """Reads nothing."""

    def __init__(self) -> None:
        self.finish_reasons: list[str] = []
        self.learnt = _Learnt()

    def feed(self, data: bytes) -> None:
        """Nothing."""

    def finish(self) -> None:
        """Only that there is no more."""
        self.learnt.ended = True

    def output_chars(self) -> tuple[int, bool]:
        """A body that is no text has no characters."""
        return 0, False


class Verbatim:
    """The pipe. `reader` looks on."""

    by_bytes = False
    """Whether `output_chars` had to take bytes for characters."""
    committed = True
    failed: events.Failed | None = None
    losses: tuple[str, ...] = ()

    def __init__(self, reader: Whole | Stream | Unread) -> None:
        self._reader = reader
        self.blind = isinstance(reader, Unread)
        """Whether nothing can be learnt from it."""
        self.ended = False

    @property
    def decoder(self) -> Verbatim:
        """Itself: it knows what the books ask a decoder for."""
        return self

    @property
    def told(self) -> bool:
        """Whether all has passed that means something, though the body may go on."""
        return self._reader.learnt.ended

    @property
    def usage(self) -> Usage | None:
        """As reported, None where nothing was."""
        return self._reader.learnt.usage

    @property
    def model(self) -> str | None:
        """The model that served, where the answer says so."""
        return self._reader.learnt.model

    @property
    def id(self) -> str | None:
        """The provider's id of the answer, where it has one."""
        return self._reader.learnt.id

    @property
    def finish_reasons(self) -> list[str]:
        """In the provider's words."""
        return self._reader.finish_reasons

    def feed(self, data: bytes) -> bytes:
        """Pass `data`."""
        self._reader.feed(data)
        return data

    def finish(self) -> bytes:
        """The body has ended."""
        self._reader.finish()
        self.ended = self._reader.learnt.ended
        return b""

    def output_chars(self) -> int:
        """Characters of output that passed, estimated from a sample."""
        chars, self.by_bytes = self._reader.output_chars()
        return chars


def looking_on(response: Response, account: Account, dialect: Metered | None) -> Verbatim:
    """A pipe for `response`, read from aside as far as it is in `dialect`."""
    kind = response.headers.get("content-type", "")
    if dialect is None:
        return Verbatim(Unread())
    if kind.startswith("application/json"):
        return Verbatim(Whole(dialect, account.kind.profile))
    streaming = STREAMING.get(dialect.NAME)
    frames = reframer(response, account, dialect.NAME)
    if streaming is None or not (frames or kind.startswith("text/event-stream")):
        return Verbatim(Unread())
    return Verbatim(Stream(streaming, account.kind.profile, frames))
