"""Both event loops the gateway runs on, for tests that have to hold on each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, TypeVar

import uvloop

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

_Result = TypeVar("_Result")


class Run(Protocol):
    """Runs a coroutine to its end on a loop of its own."""

    def __call__(self, main: Coroutine[Any, Any, _Result], /) -> _Result: ...


RUNS: dict[str, Run] = {"asyncio": asyncio.run, "uvloop": uvloop.run}
