"""What is tried with every pair of client and upstream: the columns of the matrix."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fakes.conversations import Call, Turn
from fakes.wires.asked import Asked

if TYPE_CHECKING:
    from fakes.wires.asked import Line, Spent, Wire

KEY, OTHER_KEY = "test-key-of-the-application", "test-key-of-its-next-process"
SYSTEM = "Be brief."
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
CAT = "https://example.com/cat.png"
PLACE: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL: dict[str, Any] = {"name": "weather", "description": "The weather in a city", "parameters": PLACE}
MAX_TOKENS = 4000
BUDGET = 2000
"""Of `MAX_TOKENS`, for clients that set how much to think in tokens."""


@dataclass(frozen=True)
class Scene:
    """A prompt, the model's turns and what the tools find out."""

    name: str
    prompt: str
    turns: tuple[Turn, ...]
    results: tuple[str, ...] = ()
    stream: bool = False
    image: str = ""
    """In base64, or its URL."""
    tool: bool = False
    schema: bool = False
    thinks: bool = False

    @property
    def image_url(self) -> str:
        """The image as a URL."""
        return f"data:image/png;base64,{PNG}" if self.image == PNG else self.image

    def played(self, wire: Wire, run: int) -> tuple[Turn, ...]:
        """The turns with call ids as `wire` writes them, others in every run."""
        return tuple(replace(turn, calls=tuple(_named(call, wire, run) for call in turn.calls)) for turn in self.turns)

    def asked(self, wire: Wire, model: str, turns: tuple[Turn, ...]) -> tuple[Asked, ...]:
        """What the upstream has to be asked, one for each of its turns."""
        said: list[Line] = [("user", self.prompt)]
        if self.image:
            said.append(("image", "image/png" if self.image == PNG else "url", self.image))
        found: list[Asked] = []
        for turn in turns:
            found.append(
                Asked(
                    model=model,
                    stream=self.stream,
                    instructions=SYSTEM,
                    talk=tuple(said),
                    tools=(TOOL,) if self.tool else (),
                    schema=PLACE if self.schema else None,
                    thinks=self.thinks,
                )
            )
            said += wire.remembered(turn)
            said += [("result", call.id, text) for call, text in zip(turn.calls, self.results, strict=False)]
        return tuple(found)


def _named(call: Call, wire: Wire, run: int) -> Call:
    id_ = wire.ids[int(call.id)]
    return replace(call, id=f"{id_[:-4]}{run:04}" if id_ else "")


OSLO, TURIN = '{"city":"Oslo"}', '{"city":"Turin"}'
_PARALLEL = (
    Turn("Let me see.", (Call("0", "weather", OSLO), Call("1", "weather", TURIN)), finish="tool_calls"),
    Turn("Snow in Oslo, sun in Turin. ☃", prompt=1100),
)
_REASONED = (
    Turn("", (Call("0", "weather", OSLO),), "Oslo is in Norway.", reasoned=40, finish="tool_calls"),
    Turn("It snows in Oslo.", prompt=1100),
)
_WEATHER = "How is the weather in Oslo and Turin?"

SCENES = (
    Scene("text", "Say hello.", (Turn("Hello, you! ☃"),)),
    Scene("stream", "Say hello.", (Turn("Hello, you! ☃"),), stream=True),
    Scene("tools", _WEATHER, _PARALLEL, ("snow", "sun"), tool=True),
    Scene("tools, streamed", _WEATHER, _PARALLEL, ("snow", "sun"), stream=True, tool=True),
    Scene("reasoning", "Is it cold in Oslo?", _REASONED, ("snow",), tool=True, thinks=True),
    Scene("reasoning, streamed", "Is it cold in Oslo?", _REASONED, ("snow",), stream=True, tool=True, thinks=True),
    Scene("schema", "Name a city.", (Turn('{"city": "Oslo"}'),), schema=True),
    Scene("schema, streamed", "Name a city.", (Turn('{"city": "Oslo"}'),), stream=True, schema=True),
    Scene("image", "What is this?", (Turn("A red dot."),), image=PNG),
    Scene("image by URL", "What is this?", (Turn("A cat."),), image=CAT),
)


@dataclass(frozen=True)
class Heard:
    """One answer as the application gets it from its SDK."""

    text: str
    thinking: str
    calls: tuple[Call, ...]
    """Their arguments as compact JSON with sorted keys."""
    finish: str
    spent: Spent
    model: str
    dropped: tuple[str, ...] = ()
    """What the answer's header says."""


class Declined(Exception):
    """The gateway refused the request."""

    def __init__(self, status: int, code: str | None, param: str | None, message: str) -> None:
        super().__init__(f"{status} {code} {param}: {message}")
        self.status = status
        self.code = code
        self.param = param
