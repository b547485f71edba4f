"""What happens to a stream's bytes on their way to the client: passed on untouched, or translated event by event.

Both kinds know when the first content came (the commit point), what usage was reported, whether the provider failed
inside the stream, and whether the dialect's terminal event came. A stream that stops before that was cut off,
whatever HTTP says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.engine import sample
from costspan.engine.verbatim import Verbatim
from costspan.errors import Malformed
from costspan.ir import events
from costspan.wire import sse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from costspan.dialects.types import StreamDecoder, StreamEncoder
    from costspan.engine.recall import Witness


class Passthrough:
    """Same dialect on both sides: bytes go on as they came; only events with a marker are parsed.

    Before the commit point every event is parsed. A usage chunk that the client did not ask for is taken out.
    A failed event and what follows it is never passed on. The client gets whole events only, so that a comment or an
    error of ours can always follow.
    """

    by_bytes: bool
    """Whether `output_chars` had to take bytes for characters."""
    told = False
    """See `Verbatim`: here nothing passes after the terminal event."""
    losses: tuple[str, ...] = ()
    """What of the answer the client could not be shown: nothing, here."""

    def __init__(
        self,
        new_decoder: Callable[[], StreamDecoder],
        markers: tuple[bytes, ...],
        *,
        strip_usage: bool,
    ) -> None:
        self.decoder = new_decoder()
        self.committed = False
        self.failed: events.Failed | None = None
        self.finish_reasons: list[str] = []
        self._new_decoder = new_decoder
        self._markers = markers
        self._strip_usage = strip_usage
        self._tail = b""
        self._sample: list[bytes] = []
        self._sampled = 0
        self._passed = 0
        self._finished = False
        self.by_bytes = False

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the upstream, give those for the client. Raises `Malformed` on an event over the limit."""
        if self._over():
            return b""
        whole = self._tail + data if self._tail else data
        if whole.endswith(b"\n\n"):  # nearly always
            region, self._tail = whole, b""
        else:
            end = _boundary(whole)
            region, self._tail = whole[:end], whole[end:]
            if len(self._tail) > sse.MAX_EVENT_BYTES:
                raise Malformed(f"event larger than {sse.MAX_EVENT_BYTES} bytes")
        self._passed += len(data)
        if self._sampled < sample.BYTES:
            self._sample.append(data)
            self._sampled += len(data)
        if self.committed and not self._marked(region):
            return region
        return self._look(region)

    def _marked(self, events: bytes) -> bool:
        """Whether there may be something to read. A plain loop: a generator costs more than the searches."""
        for marker in self._markers:  # noqa: SIM110 - see above
            if marker in events:
                return True
        return False

    def _over(self) -> bool:
        """Whether nothing more may pass."""
        return self.decoder.ended or self.failed is not None

    def _look(self, region: bytes) -> bytes:
        """Parse the events of `region` and return the bytes of it that may pass."""
        kept: list[bytes] = []
        for raw in blocks(region):
            if self.committed and not self._marked(raw):
                kept.append(raw)
                continue
            event = sse.parse(raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
            if event is None or self._pass(event):
                kept.append(raw)
            if self._over():
                break
        return b"".join(kept)

    def _pass(self, event: sse.Event) -> bool:
        decoded = self._decode(event)
        for one in decoded:
            if isinstance(one, events.Failed):
                self.failed = one
                return False
            if isinstance(one, events.Finished):
                self.finish_reasons.append(one.native or one.reason)
            self.committed = self.committed or events.is_content(one)
        told = [one for one in decoded if not isinstance(one, events.Unread)]
        usage_only = bool(told) and all(isinstance(one, events.UsageReported) for one in told)
        return not (self._strip_usage and usage_only)

    def _decode(self, event: sse.Event) -> list[events.Event]:
        try:
            return list(self.decoder.feed(event))
        except Malformed:
            return []  # the stream belongs to the client: what we cannot read goes on as it is (F46)

    def finish(self) -> bytes:
        """Give what was held back at the upstream's end. Raises `Malformed` when the terminal event is missing.

        Once it has ended, a further call gives nothing.
        """
        if self._finished:
            return b""
        held = b""
        if self._tail and not self.decoder.ended:  # some servers leave out the last blank line
            held = self._tail if self._look(self._tail + b"\n\n") else b""
        self.decoder.close()
        self._finished, self._tail = True, b""
        return held

    def output_chars(self) -> int:
        """Characters of output that passed, estimated from a sample."""
        chars, self.by_bytes = sample.chars(self._new_decoder(), self._sample, self._passed)
        return chars


class Translation:
    """Different dialects: upstream bytes to canonical events to client bytes."""

    by_bytes = False
    """Its output is counted in characters."""
    told = False

    def __init__(self, decoder: StreamDecoder, encoder: StreamEncoder, witness: Witness | None = None) -> None:
        self.decoder = decoder
        self._witness = witness
        self.committed = False
        self.failed: events.Failed | None = None
        self.finish_reasons: list[str] = []
        self._encoder = encoder
        self._parser = sse.Parser()
        self._chars = 0
        self._closed = False

    @property
    def losses(self) -> tuple[str, ...]:
        """What of the answer the client could not be shown so far."""
        return self._encoder.losses

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the upstream, give those for the client. Raises `Malformed` when they cannot be read."""
        if self._closed or self._broken():
            return b""
        out = self._feed(data)
        return out + self.finish() if self.decoder.ended and not self._broken() else out

    def _feed(self, data: bytes) -> bytes:
        out: list[bytes] = []
        for event in self._parser.feed(data):
            out += self._translate(event)
            if self.decoder.ended or self._broken():
                break
        return b"".join(out)

    def _translate(self, event: sse.Event) -> Iterator[bytes]:
        for one in self.decoder.feed(event):
            self._see(one)
            if self._broken():
                return
            yield self._encoder.feed(one)

    def _broken(self) -> bool:
        return self.failed is not None

    def _see(self, event: events.Event) -> None:
        if isinstance(event, events.Failed):
            self.failed = event
        elif isinstance(event, events.Finished):
            self.finish_reasons.append(event.native or event.reason)
        elif self._witness is not None and not isinstance(event, events.TextDelta):
            self._witness.see(event)
        self._chars += sample.chars_of(event)
        self.committed = self.committed or events.is_content(event)

    def finish(self) -> bytes:
        """End the client's stream. Raises `Malformed` when the upstream's terminal event is missing."""
        if self._closed:
            return b""
        held = b""
        if self._parser.pending.strip() and not self.decoder.ended:  # some servers leave out the last blank line
            held = self._feed(b"\n\n")
        self.decoder.close()
        self._closed = True
        if self._witness is not None:
            self._witness.end()
        return held + self._encoder.close()

    def output_chars(self) -> int:
        """Characters of output that passed."""
        return self._chars


Pipe = Passthrough | Translation | Verbatim


def _boundary(data: bytes) -> int:
    """Where the last complete event of `data` ends; 0 where none is complete."""
    end = data.rfind(b"\n\n") + 2
    if b"\r" in data:
        end = max(end, data.rfind(b"\r\n\r\n") + 4 if b"\r\n\r\n" in data else 0, data.rfind(b"\r\r") + 2)
    return end if end > 1 else 0


def blocks(region: bytes) -> list[bytes]:
    """The events of `region`, each with its blank line; last what follows the last of those, if anything does."""
    if b"\r" in region:
        found: list[bytes] = []
        rest = region
        while rest:
            cut = min(
                (i + len(m) for m in (b"\n\n", b"\r\n\r\n", b"\r\r") if (i := rest.find(m)) >= 0), default=len(rest)
            )
            found.append(rest[:cut])
            rest = rest[cut:]
        return found
    *whole, last = region.split(b"\n\n")
    found = [block + b"\n\n" for block in whole]
    return [*found, last] if last else found
