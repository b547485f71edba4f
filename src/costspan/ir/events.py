"""Stream events, in no provider's dialect.

`choice` is the alternative (n > 1); `index` numbers the blocks of that choice, densely, in order of their start.
A block is opened by `BlockStarted`, fed by deltas and closed by `BlockFinished`; blocks may interleave.
Events are past tense and plain values; they are made once per upstream event, so they are not frozen (a frozen
dataclass costs three times as much to make) and nobody changes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from costspan.ir.reply import FinishReason
    from costspan.ir.request import Citation, Media, Opaque
    from costspan.ir.usage import Usage

BlockKind: TypeAlias = Literal["text", "reasoning", "tool_call", "refusal", "server_tool", "media"]


@dataclass(slots=True)
class Started:
    """The answer has begun. Metadata, not content."""

    id: str
    model: str
    created: int | None = None


@dataclass(slots=True)
class BlockStarted:
    """A block opens. `id` and `name` only for a tool call; `raw` and `origin` only for a server tool.

    `media` only for a media block, which comes whole: no deltas follow.
    `opaque` is what is known of a tool call's or text's opaque part when it starts; else an `OpaqueDelta` tells it.
    """

    index: int
    kind: BlockKind
    id: str = ""
    name: str = ""
    choice: int = 0
    origin: str = ""
    raw: Any = None
    summary: bool = False
    """For reasoning: the text is a summary."""
    media: Media | None = None
    opaque: Opaque | None = None


@dataclass(slots=True)
class TextDelta:
    """More text of a text or refusal block."""

    index: int
    text: str
    choice: int = 0


@dataclass(slots=True)
class ReasoningDelta:
    """More thinking."""

    index: int
    text: str
    choice: int = 0


@dataclass(slots=True)
class OpaqueDelta:
    """The opaque part of a reasoning, text or tool-call block (a signature, encrypted content)."""

    index: int
    opaque: Opaque
    choice: int = 0


@dataclass(slots=True)
class ArgumentsDelta:
    """More JSON text of a tool call's arguments."""

    index: int
    json: str
    choice: int = 0


@dataclass(slots=True)
class CitationAdded:
    """A citation of a text block."""

    index: int
    citation: Citation
    choice: int = 0


@dataclass(slots=True)
class LogprobsAdded:
    """Log probabilities in OpenAI chat's shape, the only one that streams them."""

    logprobs: Any
    choice: int = 0


@dataclass(slots=True)
class BlockFinished:
    """A block closes."""

    index: int
    choice: int = 0


@dataclass(slots=True)
class UsageReported:
    """Usage so far; reports are cumulative, the last one counts."""

    usage: Usage


@dataclass(slots=True)
class Finished:
    """A choice has ended. `native` is the provider's own word."""

    reason: FinishReason
    native: str | None = None
    stop_sequence: str | None = None
    choice: int = 0


@dataclass(slots=True)
class Unread:
    """The answer held `name`, which has no place here. At most once per name and stream. No content: a loss to tell."""

    name: str


@dataclass(slots=True)
class Failed:
    """The provider reported an error inside the stream. `category` is one of `errors.Category`."""

    message: str
    category: str
    code: str | None = None


@dataclass(slots=True)
class Ended:
    """The dialect's terminal event came: the stream is complete."""


Event: TypeAlias = (
    Started
    | BlockStarted
    | TextDelta
    | ReasoningDelta
    | OpaqueDelta
    | ArgumentsDelta
    | CitationAdded
    | LogprobsAdded
    | BlockFinished
    | UsageReported
    | Finished
    | Unread
    | Failed
    | Ended
)

_CONTENT = (TextDelta, ReasoningDelta, ArgumentsDelta, Finished)


def is_content(event: Event) -> bool:
    """Whether `event` commits the answer to the client: after it there is no other target."""
    return isinstance(event, _CONTENT) or (
        isinstance(event, BlockStarted) and event.kind in ("tool_call", "refusal", "server_tool", "media")
    )
