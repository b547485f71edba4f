"""What a passed format is: where it is served, how its requests are looked at and its answers metered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from costspan.dialects import openai_errors
from costspan.dialects.passed.stream import Decoder
from costspan.dialects.types import PLAIN, Summary
from costspan.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from costspan.dialects.types import ErrorAnswer, ErrorReport, Peek, Profile, StreamDecoder
    from costspan.ir.usage import Usage
    from costspan.wire import json

    UsageReader: TypeAlias = Callable[[json.Object], Usage | None]

_ENDS: tuple[bytes, ...] = (b'"error"', b"event: error", b"[DONE]")
_MARKERS: tuple[bytes, ...] = (b'"usage"', b'"finish_reason":"', b'"finish_reason": "', *_ENDS)
TYPED_MARKERS: tuple[bytes, ...] = (b".done", b".completed", *_ENDS)
"""Of streams whose events say their type."""


@dataclass(slots=True, kw_only=True, eq=False)
class Passed:
    """A format that is passed and metered.

    Nobody changes it. It is not frozen only because the protocol's attributes are variables, as a module's are.
    """

    NAME: str
    OPERATION: str
    served_at: str
    look: Callable[[json.Object], Peek]
    """The strict first look at a request."""
    usage: UsageReader
    """Reads an answer, or an event of a stream."""
    holds: tuple[str, ...] = ()
    """What a whole answer has at least one of."""
    last: tuple[str, ...] = ()
    """Types of the events that end a stream, beside `[DONE]`."""
    several: bool = False
    """Whether there may be several of them, one for each result: then the stream goes on to its end."""
    usage_of_request: UsageReader = lambda _: None
    """What is consumed as the request alone tells it: for an answer that does not report it (sound)."""

    MARKERS: tuple[bytes, ...] = _MARKERS
    MODEL_IN_BODY: bool = True
    TAKES_FORMS: bool = False
    USAGE_PATHS: tuple[tuple[str, ...], ...] = (("usage",),)

    def path(self, model: str, *, stream: bool) -> str:  # noqa: ARG002 - the body names the model
        """Where it is served, below a provider's base URL."""
        return self.served_at

    def peek(self, body: json.Object) -> Peek:
        """Check the request's shape strictly and say what routing needs. Raises `ClientError` naming the field.

        `body` is a JSON object, or the text fields of a form.
        """
        return self.look(body)

    def defaults(self, body: json.Object, params: Mapping[str, object]) -> json.Object:
        """Those of `params` that `body` has no word of."""
        return {name: value for name, value in params.items() if name not in body}

    def summarize(self, body: json.Object, profile: Profile = PLAIN) -> Summary:
        """Read only what the books need of a whole answer. Raises `Malformed` where it is none."""
        if self.holds and not any(name in body for name in self.holds):
            raise Malformed(f"the answer holds no {self.holds[0]}")
        return Summary(
            _text(body.get("id")), _text(body.get("model")), _finish_reasons(body), self.read_usage(body, profile)
        )

    def read_usage(self, body: json.Object, profile: Profile = PLAIN) -> Usage | None:  # noqa: ARG002 - all hosts alike
        """Usage of a whole answer; None where it reports none."""
        return self.usage(body)

    def new_decoder(self, profile: Profile = PLAIN) -> StreamDecoder:  # noqa: ARG002 - all hosts alike
        """A decoder for one upstream stream."""
        return Decoder(self.usage, self.last, several=self.several)

    def decode_error(self, status: int, body: bytes) -> ErrorReport:
        """Understand an upstream's error answer, whatever its bytes."""
        return openai_errors.decode_error(status, body)

    def encode_error(self, error: ErrorAnswer) -> bytes:
        """An error answer's body."""
        return openai_errors.encode_error(error)

    def encode_stream_error(self, error: ErrorAnswer) -> bytes:
        """The typed error event that ends a stream that had begun."""
        return openai_errors.encode_stream_error(error)


def _text(value: Any) -> str:  # noqa: ANN401 - JSON
    return value if isinstance(value, str) else ""


def _finish_reasons(body: json.Object) -> tuple[str, ...]:
    choices = body.get("choices")
    items = choices if isinstance(choices, list) else []
    found = (choice.get("finish_reason") for choice in items if isinstance(choice, dict))
    return tuple(dict.fromkeys(reason for reason in found if isinstance(reason, str) and reason))
