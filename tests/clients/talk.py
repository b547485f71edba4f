"""What the programs in this folder share: conversations come as lines of JSON, and what became of them goes back.

Runs in the framework's own virtualenv, where costspan is not: all that a program knows is a base URL and a key.
"""

from __future__ import annotations

import asyncio
import json  # noqa: TID251 - costspan.wire.json is not installed where this runs
import logging
import os
import sys
import traceback
import warnings
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

QUESTION = "What is the weather in Oslo and in Turin?"
WEATHER = {"Oslo": "snow", "Turin": "sun"}
SECONDS = 30
"""That one conversation may take."""


@dataclass(frozen=True)
class Talk:
    """One conversation to be held."""

    by: str
    """The framework's class of models that is to hold it."""
    base_url: str
    """The gateway's, without a path."""
    key: str
    model: str
    stream: bool
    think: bool
    """Ask the model to reason before it answers."""
    asked: list[str] = field(default_factory=list)
    """Cities that the tool was called with."""

    def weather(self, city: str) -> str:
        """The weather in a city."""
        self.asked.append(city)
        return WEATHER[city]


@dataclass(frozen=True)
class Used:
    """Tokens of one model call, as the framework tells them. `cached` is part of `prompt`."""

    prompt: int
    cached: int
    completion: int


@dataclass(frozen=True)
class Told:
    """What the framework gave back."""

    text: str
    thought: str
    """The reasoning that is shown, of all turns."""
    usage: list[Used]
    streamed: list[str]
    """The pieces of text as they came, of all turns."""


def serve(hold: Callable[[Talk], Awaitable[Told]]) -> None:
    """Hold each conversation that a line of standard input asks for, until it ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing that a library prints gets between the answers
    asyncio.run(_serve(hold, answers))


async def _serve(hold: Callable[[Talk], Awaitable[Told]], answers: TextIO) -> None:
    """In one event loop, as an application has: frameworks keep connections from one conversation to the next."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        answers.write(json.dumps(await _held(hold, Talk(**json.loads(line)))) + "\n")


async def _held(hold: Callable[[Talk], Awaitable[Told]], talk: Talk) -> dict[str, Any]:
    logged = _Logged()
    logging.getLogger().addHandler(logged)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            warnings.simplefilter("ignore", DeprecationWarning)  # between the framework and what it is built on
            warnings.simplefilter("ignore", ResourceWarning)  # connections that it leaves to the garbage collector
            async with asyncio.timeout(SECONDS):
                told = await hold(talk)
    except Exception:  # noqa: BLE001 - whatever it is, the test shows it
        return {"error": traceback.format_exc()}
    finally:
        logging.getLogger().removeHandler(logged)
    complaints = [f"{each.category.__name__}: {each.message}" for each in warned] + logged.lines
    return asdict(told) | {"asked": talk.asked, "complaints": complaints}


class _Logged(logging.Handler):
    """Keeps what libraries log as a warning or worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name}: {record.getMessage()}")
