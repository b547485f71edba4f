"""What every dialect offers. A dialect is a module: it has no state, and the type checker holds it to this protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from costspan.ir.profile import PLAIN, Profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.errors import Category
    from costspan.ir import events
    from costspan.ir.reply import Reply
    from costspan.ir.request import Request
    from costspan.ir.usage import Usage
    from costspan.wire import json, sse

__all__ = [
    "PLAIN",
    "Dialect",
    "Encoded",
    "ErrorAnswer",
    "ErrorReport",
    "Peek",
    "Profile",
    "StreamDecoder",
    "StreamEncoder",
    "StreamOptions",
    "Summary",
]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A body, and what it could not carry.

    Of a request: parameters, in the client's own names. Of an answer: names that begin with `response.`.
    """

    body: bytes
    losses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Peek:
    """What the gateway has to know of a request before it chooses a target. All dialects give the same."""

    model: str
    stream: bool
    max_output_tokens: int | None
    prompt_chars: int
    """Characters of text in the prompt, roughly: for the estimate of its tokens."""
    media: int = 0
    """Images and documents in the prompt."""
    wants_usage: bool = True
    """Whether the client asked for the usage chunk of a stream (OpenAI's `stream_options.include_usage`)."""
    tools: bool = False
    json_schema: bool = False
    n: int = 1
    service_tier: str | None = None
    """The way of being served that was asked for, as a price names it: `flex`, `priority`, `fast`."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What the books need of a whole answer that passes untouched. Finish reasons in the provider's own words."""

    id: str
    model: str
    finish_reasons: tuple[str, ...]
    usage: Usage | None


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """A provider's error answer, understood. `message` is its text, not yet redacted or bounded."""

    category: Category
    message: str
    code: str | None = None
    param: str | None = None


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """An error for the client, before it takes the shape of the client's dialect."""

    status: int
    code: str
    message: str
    exchange_id: str
    param: str | None = None
    attempts: tuple[json.Object, ...] = ()
    """What was tried: `{"target": ..., "status": ..., "error_type": ...}` each."""


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What an encoder has to know beside the events."""

    exchange_id: str
    model: str
    """The model name to show: the one that served, as the upstream reports it."""
    created: int
    """Epoch seconds."""
    include_usage: bool = True
    prompt_tokens: int = 0
    """Estimated, for dialects whose first event carries input tokens; corrected at the end."""


class StreamDecoder(Protocol):
    """SSE events of one upstream stream in, canonical events out.

    Tolerant: unknown events and fields are ignored, and a decoder that is fed only the events that hold one of the
    dialect's `MARKERS` still gets usage, finish reasons, errors and the end right.
    """

    usage: Usage | None
    """As last reported, so that a cut stream still has a price."""
    model: str | None
    """The model that served, once known."""
    id: str | None
    """The upstream's id for the answer, once known."""
    ended: bool
    """Whether the dialect's terminal event came."""

    def feed(self, event: sse.Event) -> Iterator[events.Event]:
        """Decode one event. Raises `Malformed` when its JSON cannot be read."""

    def close(self) -> None:
        """Raise `Malformed` if the stream stopped before its terminal event."""


class StreamEncoder(Protocol):
    """Canonical events in, bytes of the client's stream out: valid for the strictest official SDK."""

    @property
    def losses(self) -> tuple[str, ...]:
        """What could not be carried so far, as `Encoded.losses` names it."""

    def feed(self, event: events.Event) -> bytes:
        """Encode one event; empty where there is nothing to say (yet)."""

    def close(self) -> bytes:
        """What ends a stream that is complete, terminal event included."""


class Dialect(Protocol):
    """A wire format."""

    NAME: str
    """As in the configuration and the ledger: `openai-chat`."""
    MARKERS: tuple[bytes, ...]
    """Every stream event that carries usage, a finish reason, an error or the end contains one of these byte strings;
    events without them need not be parsed in a passthrough."""

    def peek(self, body: json.Object) -> Peek:
        """Check the request's shape strictly and say what routing needs. Raises `ClientError` naming the field."""

    def decode_request(self, body: json.Object) -> Request:
        """Read a client's request. Raises `ClientError` naming the field (`messages[2].role`)."""

    def encode_request(self, request: Request, profile: Profile = PLAIN) -> Encoded:
        """Write a request for an upstream. Raises `Untranslatable` where leaving out would change the meaning."""

    def decode_reply(self, body: json.Object, profile: Profile = PLAIN) -> Reply:
        """Read an upstream's whole answer, tolerantly. Raises `Malformed`."""

    def summarize(self, body: json.Object, profile: Profile = PLAIN) -> Summary:
        """Read only what the books need of an upstream's whole answer. Raises `Malformed` where it is none."""

    def encode_reply(self, reply: Reply, options: StreamOptions) -> Encoded:
        """Write a whole answer for the client, and name what it cannot be shown."""

    def read_usage(self, body: json.Object, profile: Profile = PLAIN) -> Usage | None:
        """Usage of a whole answer, by the parser that streams use too; None where it reports none."""

    def new_decoder(self, profile: Profile = PLAIN) -> StreamDecoder:
        """A decoder for one upstream stream."""

    def new_encoder(self, options: StreamOptions) -> StreamEncoder:
        """An encoder for one client stream."""

    def decode_error(self, status: int, body: bytes) -> ErrorReport:
        """Understand an upstream's error answer, whatever its bytes."""

    def encode_error(self, error: ErrorAnswer) -> bytes:
        """An error answer's body in this dialect's shape."""

    def encode_stream_error(self, error: ErrorAnswer) -> bytes:
        """The typed error event that ends a stream that had begun (no normal terminator follows)."""
