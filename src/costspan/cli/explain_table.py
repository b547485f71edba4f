"""How `costspan explain` shows a plan to people."""

from __future__ import annotations

from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Final, TextIO

from costspan.cli.tables import UNKNOWN, grid, printable, readable, remarks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from costspan.wire import json

_TOKENS: Final = "tokens\nin + out"
_SECONDS: Final = "expected\nseconds"
_HEADINGS: Final = ("", "target", "expected\nUSD", _TOKENS, _SECONDS, "standing")


def write(told: json.Object, out: TextIO, more: Iterable[str]) -> None:
    """Write what `server.dry_run.document` told. `more` are further remarks."""
    stream = ", streamed" if told["stream"] else ""
    out.write(f"{printable(told['route'])}: {told['strategy']}, {told['dialect']}{stream}\n")
    if rows := [_row(each) for each in told["candidates"]]:
        place = _HEADINGS.index(_SECONDS)
        known = any(row[place] != UNKNOWN for row in rows)
        columns = [each for each in range(len(_HEADINGS)) if each != place or known]
        headings = [_HEADINGS[each] for each in columns]
        grid(out, headings, [[row[each] for each in columns] for row in rows], names=2, first_to_go=(_TOKENS,))
    remarks(out, [*map(printable, _remarks(told)), *more])


def _row(candidate: json.Object) -> tuple[str, ...]:
    place, usd, usage = candidate["place"], candidate["expected_cost_usd"], candidate["expected_usage"]
    seconds = candidate["expected_seconds"]
    return (
        UNKNOWN if place is None else str(place),
        printable(candidate["target"]),
        readable(None if usd is None else Decimal(usd)),
        UNKNOWN if usage is None else f"{usage['prompt']:,} + {usage['output']:,}",
        UNKNOWN if seconds is None else f"{seconds:.2f}",
        _standing(candidate),
    )


def _standing(candidate: json.Object) -> str:
    if candidate["excluded"] is not None:
        return "excluded"
    if candidate["untranslatable"] is not None:
        return "cannot"
    return "explores" if candidate["explores"] else str(candidate["rank"] or UNKNOWN)


def _remarks(told: json.Object) -> Iterator[str]:
    yield from chain.from_iterable(map(_of_candidate, told["candidates"]))
    yield from (_race(stage) for stage in told["plan"] if stage["race"] is not None)
    if _draws(told["tree"]):
        yield "The order is drawn by weight, anew for each request."
    request, refused = told["request"], told["refused"]
    if request is not None:
        lost = f", without {', '.join(request['dropped'])}" if request["dropped"] else ""
        yield f"First: {request['method']} {request['url']}{lost}. --json shows all of it."
    if refused is not None:
        yield f"The client would be told {refused['status']} {refused['code']}: {refused['message']}."


def _of_candidate(candidate: json.Object) -> Iterator[str]:
    why = candidate["excluded"] or candidate["untranslatable"] or candidate["why"]
    if why is not None:
        yield f"{why}." if why.startswith(candidate["target"]) else f"{candidate['target']}: {why}."
    usage = candidate["expected_usage"]
    if usage is not None and usage["cached"]:
        yield f"{candidate['target']}: {usage['cached']:,} tokens of the prompt are expected in its cache."


def _race(stage: json.Object) -> str:
    race = stage["race"]
    usual = race["after"] == "p95"
    when = "when 95 % of the first one's answers would have begun" if usual else f"after {race['after']:g} s"
    return f"{' and '.join(stage['targets'])} race: the next starts {when}, at most {race['max_parallel']} at one time."


def _draws(tree: json.Object) -> bool:
    """Whether some route of it is weighted."""
    return tree.get("strategy") == "weighted" or any(_draws(member) for member in tree.get("members", ()))
