"""One cell of the matrix: an SDK plays a scene with an upstream, and everything both of them saw is compared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from fakes.wires.asked import Spent
from matrix.scenes import Declined, Heard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fakes.conversations import Turn
    from fakes.wires.asked import Asked, Line
    from matrix.scenes import Scene
    from matrix.stage import Stage


class Client(Protocol):
    """An SDK in the hands of an application."""

    name: str
    dialect: str

    def converse(self, model: str, scene: Scene) -> Iterator[Heard]:
        """Play `scene`: what is heard, answer by answer. Raises `Declined`."""

    def close(self) -> None:
        """Close its connections."""


def outcome(client: Client, stage: Stage, scene: Scene, model: str = "") -> str:
    """What became of it: `ok`, `refused: tools`, or what was left out: `dropped: seed`, `reasoning not asked for`.

    A refusal is the gateway's, before it asks anybody, unless it says `refused by the provider`.
    """
    stage.begin(scene)
    heard: list[Heard] = []
    refusal: Declined | None = None
    try:
        heard.extend(client.converse(model or stage.model, scene))
    except Declined as declined:
        refusal = declined
    if refusal is not None and stage.problems:
        return f"refused by the provider: {stage.problems[0]}"
    assert stage.problems == []
    if refusal is not None:
        assert (refusal.status, refusal.code) == (400, "unsupported_parameter"), str(refusal)
        assert stage.asked == [], "refused after the upstream was asked"
        return f"refused: {refusal.param}"
    wire = stage.upstream.wire
    for asked, wanted in zip(stage.asked, scene.asked(wire, stage.upstream.model, stage.turns), strict=True):
        talk = joined(asked.talk) if wire.ids[0] else nameless(joined(asked.talk))
        assert replace(asked, talk=talk, shows=True) == unseen(wanted, asked)
    for one, turn, asked in zip(heard, stage.turns, stage.asked, strict=True):
        check(one, turn, asked, stage, given=client.dialect != stage.upstream.dialect)
    dropped = dict.fromkeys(name for one in heard for name in one.dropped)
    notes = [f"dropped: {', '.join(dropped)}"] if dropped else []
    notes += ["reasoning not asked for"] if not all(asked.shows for asked in stage.asked) else []
    return "; ".join(notes) or "ok"


def joined(talk: tuple[Line, ...]) -> tuple[Line, ...]:
    """What the model said in pieces is the same in one: clients keep a stream's pieces as they came."""
    lines: list[Line] = []
    for line in talk:
        if lines and line[0] == lines[-1][0] and line[0] in {"assistant", "thinking"}:
            lines[-1] = (line[0], lines[-1][1] + line[1])
        else:
            lines.append(line)
    return tuple(lines)


def nameless(talk: tuple[Line, ...]) -> tuple[Line, ...]:
    """Of a provider that gave no ids: those that it is asked with are ours, and the fake has seen that they fit."""
    return tuple((line[0], "", *line[2:]) if line[0] in {"call", "result"} else line for line in talk)


def unseen(wanted: Asked, asked: Asked) -> Asked:
    """What is wanted when the thinking was not shown: it cannot come back, and only its seal has to."""
    if asked.shows:
        return wanted
    talk = [("thinking", "") if line[0] == "thinking" else line for line in wanted.talk]
    return replace(wanted, talk=tuple(talk))


def check(heard: Heard, turn: Turn, asked: Asked, stage: Stage, *, given: bool) -> None:
    """The application hears what the model said, and what it cost. Calls without an id have `given` ones."""
    wire = stage.upstream.wire
    calls = heard.calls
    if given and turn.calls and not turn.calls[0].id:
        assert len({call.id for call in calls} - {""}) == len(calls)
        calls = tuple(replace(call, id="") for call in calls)
    spent = replace(heard.spent, reasoned=heard.spent.reasoned or 0)
    reasoned = turn.reasoned if wire.counts_reasoning else 0
    cached = turn.cached if wire.counts_cached else 0
    assert replace(heard, calls=calls, spent=spent, dropped=()) == Heard(
        text=turn.text,
        thinking=turn.thinking if wire.tells_reasoning and asked.shows else "",
        calls=turn.calls,
        finish=turn.finish,
        spent=Spent(turn.prompt, cached, turn.completion, reasoned),
        model=stage.upstream.model,
    )
