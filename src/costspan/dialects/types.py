"""What every dialect offers. A dialect is a module: it has no state, and the type checker holds it to its protocol.

Metered ── what the books need of any answer; Streaming ── the same of a stream; Addressed ── what a client needs
UpstreamDialect   Metered + Streaming, translated from canonical form     providers speak it
Dialect           UpstreamDialect + Addressed, translated to it           clients speak it too
EmbeddingUpstream, EmbeddingDialect                                       the same for embeddings, which do not stream
PassedDialect     Metered + Streaming + Addressed                         passed to its like, never translated
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from costspan.ir.profile import PLAIN, Profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from costspan.errors import Category
    from costspan.ir import events
    from costspan.ir.embedding import EmbeddingReply, EmbeddingRequest
    from costspan.ir.reply import Reply
    from costspan.ir.request import Request
    from costspan.ir.usage import Usage
    from costspan.wire import json, sse

__all__ = [
    "PLAIN",
    "Addressed",
    "Dialect",
    "EmbeddingDialect",
    "EmbeddingUpstream",
    "Encoded",
    "ErrorAnswer",
    "ErrorReport",
    "Metered",
    "PassedDialect",
    "Peek",
    "Profile",
    "StreamDecoder",
    "StreamEncoder",
    "StreamOptions",
    "Streaming",
    "Summary",
    "UpstreamDialect",
]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A body, and what it could not carry.

    Of a request: parameters, in openai-chat's names until the engine says them in the client's. Of an answer: names
    that begin with `response.`.
    """

    body: bytes
    losses: tuple[str, ...] = ()


@dataclass(slots=True)  # not frozen, as `ledger.records`: made for every request
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
    stored: str | None = None
    """The field by which the request refers to what one provider has stored (`previous_response_id`): only who made it
    can answer."""
    stored_id: str | None = None
    """What that field names."""


@dataclass(slots=True)  # not frozen, as `ledger.records`: made for every request
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
    """Events of one upstream stream in (SSE, or another framing made into it), canonical events out.

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


class Metered(Protocol):
    """A wire format as providers answer in it."""

    NAME: str
    """As in the configuration and the ledger: `openai-chat`."""
    OPERATION: str
    """What it is for, as OpenTelemetry's `gen_ai.operation.name` and the ledger say it: `chat`, `embeddings`.
    Only dialects of one operation translate into each other."""
    MODEL_IN_BODY: bool
    """Whether a request's body names its model and says whether it streams; else its path does, and whoever reads a
    request puts `model` and `stream` among the fields first."""

    def path(self, model: str, *, stream: bool) -> str:
        """Where it is served, below the base URL of a provider that has no address of its own for it.

        `model` is written so that it is one segment of a path; a query may follow.
        """

    def summarize(self, body: json.Object, profile: Profile = PLAIN) -> Summary:
        """Read only what the books need of an upstream's whole answer. Raises `Malformed` where it is none."""

    def read_usage(self, body: json.Object, profile: Profile = PLAIN) -> Usage | None:
        """Usage of a whole answer, by the parser that streams use too; None where it reports none."""

    def decode_error(self, status: int, body: bytes) -> ErrorReport:
        """Understand an upstream's error answer, whatever its bytes."""


class Streaming(Protocol):
    """The same of its streams."""

    MARKERS: tuple[bytes, ...]
    """Every stream event that carries usage, a finish reason, an error or the end contains one of these byte strings;
    events without them need not be parsed in a passthrough."""

    def new_decoder(self, profile: Profile = PLAIN) -> StreamDecoder:
        """A decoder for one upstream stream."""


class Addressed(Protocol):
    """A wire format as clients speak it."""

    USAGE_PATHS: tuple[tuple[str, ...], ...]
    """Where the object with the usage stands in a whole answer or a stream's event: `("usage",)`. The cost is put into
    it where the client asks for that."""

    def peek(self, body: json.Object) -> Peek:
        """Check the request's shape strictly and say what routing needs. Raises `ClientError` naming the field."""

    def defaults(self, body: json.Object, params: Mapping[str, object]) -> json.Object:
        """A route's `params` that `body` lacks, as the top-level fields to set.

        Names are OpenAI chat's (`max_tokens`, `temperature`, ...), which each dialect puts where it has them, or the
        dialect's own.
        """

    def encode_error(self, error: ErrorAnswer) -> bytes:
        """An error answer's body in this dialect's shape."""

    def encode_stream_error(self, error: ErrorAnswer) -> bytes:
        """The typed error event that ends a stream that had begun (no normal terminator follows)."""


class UpstreamDialect(Metered, Streaming, Protocol):
    """A chat format as providers speak it. Those that no client speaks have this half only."""

    def encode_request(self, request: Request, profile: Profile = PLAIN) -> Encoded:
        """Write a request for an upstream. Raises `Untranslatable` where leaving out would change the meaning."""

    def decode_reply(self, body: json.Object, profile: Profile = PLAIN) -> Reply:
        """Read an upstream's whole answer, tolerantly. Raises `Malformed`."""


class Dialect(UpstreamDialect, Addressed, Protocol):
    """A chat format that clients speak too."""

    WORDS: Mapping[str, str]
    """Losses by the names that encoders give them, which are openai-chat's, to the fields that this dialect's clients
    know. Without an entry a name is its own, or what is before its dot has one: `losses.in_words`."""

    def decode_request(self, body: json.Object) -> Request:
        """Read a client's request. Raises `ClientError` naming the field (`messages[2].role`)."""

    def encode_reply(self, reply: Reply, options: StreamOptions) -> Encoded:
        """Write a whole answer for the client, and name what it cannot be shown."""

    def new_encoder(self, options: StreamOptions) -> StreamEncoder:
        """An encoder for one client stream."""


class EmbeddingUpstream(Metered, Protocol):
    """An embeddings format as providers speak it."""

    def encode_request(self, request: EmbeddingRequest, profile: Profile = PLAIN) -> Encoded:
        """Write a request for an upstream. Raises `Untranslatable` where leaving out would change the meaning."""

    def decode_reply(self, body: json.Object, profile: Profile = PLAIN) -> EmbeddingReply:
        """Read an upstream's answer, tolerantly. Raises `Malformed`."""


class EmbeddingDialect(EmbeddingUpstream, Addressed, Protocol):
    """An embeddings format that clients speak too."""

    def decode_request(self, body: json.Object) -> EmbeddingRequest:
        """Read a client's request. Raises `ClientError` naming the field."""

    def encode_reply(self, reply: EmbeddingReply, options: StreamOptions) -> Encoded:
        """Write the answer for the client, and name what it cannot be shown."""


class PassedDialect(Metered, Streaming, Addressed, Protocol):
    """A format that is passed to targets that speak it, metered, and translated into no other."""

    TAKES_FORMS: bool
    """Whether a request may be a form with files."""

    def usage_of_request(self, body: json.Object, /) -> Usage | None:
        """What is consumed as the request alone tells it: for an answer that reports nothing, as sound does."""
