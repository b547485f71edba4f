"""What a fake provider understood of a request, whatever its format, and what it refuses.

`Asked` has one form for all providers, so that one expectation holds for every pair of client and upstream. `Wrong` is
what the real provider would answer 400 to: a field that it does not know, a signature that came back changed, a tool
result without its call.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

from costspan.wire import json
from fakes.upstream import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fakes.conversations import Turn
    from fakes.upstream import Request

STREAM = (("content-type", "text/event-stream"),)
CREATED = 1764000000

Line = tuple[str, ...]
"""One thing that was said: `user` text, `image` type data (or `url` and it), `thinking` text, `seal` data, `assistant`
text, `call` id name arguments, `result` id text. Arguments are compact JSON with sorted keys; a seal stands before what
it seals.
"""


class Wrong(Exception):
    """The provider would not take this request."""


@dataclass(frozen=True)
class Asked:
    """One request."""

    model: str
    stream: bool
    instructions: str
    talk: tuple[Line, ...]
    tools: tuple[json.Object, ...] = ()
    """`name`, `description` and `parameters` of each."""
    schema: json.Object | None = None
    thinks: bool = False
    """Whether it asks the model to reason."""
    seals: bool = True
    """Whether it asks for sealed reasoning, where that comes on demand only."""
    counts: bool = True
    """Whether it asks for the usage of a stream, where that comes on demand only."""
    shows: bool = True
    """Whether it asks to see the reasoning, where that comes on demand only."""


@dataclass(frozen=True)
class Spent:
    """What a provider counts in an answer. None where it does not say."""

    prompt: int
    cached: int
    completion: int
    reasoned: int | None


class Wire(Protocol):
    """One provider's format: reads requests as strictly as it does, and writes its answers."""

    @property
    def ids(self) -> tuple[str, str]:
        """Of tool calls, as the provider writes them."""

    @property
    def counts_reasoning(self) -> bool:
        """Whether its usage tells how many tokens were reasoning."""

    @property
    def counts_cached(self) -> bool:
        """Whether its usage tells how many tokens were read from a cache at a price of their own."""

    @property
    def tells_reasoning(self) -> bool:
        """Whether its answers show the reasoning where that is asked for."""

    def read(self, request: Request) -> Asked:
        """Understand a request, or raise `Wrong`."""

    def answer(self, turn: Turn, asked: Asked) -> Answer:
        """The model's turn as an answer to `asked`, whole or streamed."""

    def refuse(self, problem: str) -> Answer:
        """400 in the provider's shape."""

    def remembered(self, turn: Turn) -> list[Line]:
        """The turn as it has to come back with the next request."""


_SERIAL = count(1)


def serial() -> str:
    """A number that no answer had before, for its id."""
    return f"{next(_SERIAL):06}"


def only(found: json.Object, where: str, names: str) -> None:
    """No field beyond `names` (between blanks): providers refuse what they do not know."""
    unknown = sorted(set(found) - set(names.split()))
    if unknown:
        raise Wrong(f"{where}: unknown {', '.join(unknown)}")


def body_of(request: Request, names: str) -> json.Object:
    """The body, which knows `names` only."""
    if request.header("content-type") != "application/json":
        raise Wrong(f"content-type {request.header('content-type')}")
    body = json.loads_object(request.body)
    only(body, "body", names)
    return body


def arguments(text: Any) -> str:
    """JSON text of a call's arguments, comparable."""
    if not isinstance(text, str):
        raise Wrong(f"arguments are no text: {text!r}")
    return compact(json.loads_object(text))


def compact(value: Any) -> str:
    """`value` as comparable JSON text."""
    return json.dumps(ordered(value)).decode()


def ordered(value: Any) -> Any:
    """`value` with its keys in the order of the alphabet."""
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value)}
    return [ordered(item) for item in value] if isinstance(value, list) else value


def image(url: Any) -> Line:
    """The image in a `data:` URL, or at another."""
    if str(url).startswith("https://"):
        return ("image", "url", str(url))
    head, _, data = str(url).partition(";base64,")
    if not data or not head.startswith("data:image/"):
        raise Wrong(f"no image in {str(url)[:40]!r}")
    return ("image", head.removeprefix("data:"), data)


def check_results(talk: Sequence[Line]) -> None:
    """Every call has its result directly after the calls of its turn, and every result its call."""
    open_: set[str] = set()
    for kind, *rest in talk:
        if kind == "call":
            open_.add(rest[0])
        elif kind == "result":
            if rest[0] not in open_:
                raise Wrong(f"a result for {rest[0]!r}, which was not called")
            open_.remove(rest[0])
        elif open_ and kind in {"user", "assistant", "image"}:
            raise Wrong(f"no result for {sorted(open_)}")
    if open_:
        raise Wrong(f"no result for {sorted(open_)}")


def said(turn: Turn, *, thinking: bool = True, seal: str = "", seals_calls: bool = False) -> list[Line]:
    """`turn` as lines: its reasoning first, its seal behind that or (`seals_calls`) before the first call."""
    lines: list[Line] = []
    if turn.thinking and thinking:
        lines.append(("thinking", turn.thinking))
    if turn.thinking and seal and not seals_calls:
        lines.append(("seal", seal))
    if turn.text:
        lines.append(("assistant", turn.text))
    if turn.calls and seals_calls:
        lines.append(("seal", seal))
    return [*lines, *(("call", call.id, call.name, call.arguments) for call in turn.calls)]


def whole(body: json.Object) -> Answer:
    """An answer in one piece."""
    return Answer(body=json.dumps(body))


def streamed(events: Iterable[bytes], headers: Sequence[tuple[str, str]] = STREAM) -> Answer:
    """An answer in pieces of 61 bytes, which cut events and characters anywhere."""
    body = b"".join(events)
    return Answer(headers=headers, body=[body[i : i + 61] for i in range(0, len(body), 61)], framing="chunked")


def refused(body: json.Object) -> Answer:
    """An error answer that says whose request it was."""
    return Answer(status=400, body=json.dumps(body))


def named(events: Iterable[json.Object]) -> Iterator[bytes]:
    """Server-sent events that carry their type twice, as OpenAI, Anthropic and Cohere write them."""
    for event in events:
        yield b"event: %s\ndata: %s\n\n" % (event["type"].encode(), json.dumps(event))


def pieces(text: str) -> list[str]:
    """`text` as a model streams it: a few characters at a time."""
    return [text[i : i + 5] for i in range(0, len(text), 5)]
