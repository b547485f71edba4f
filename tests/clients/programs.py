"""The programs that hold the conversations, each in a process and a virtualenv of its own."""

from __future__ import annotations

import asyncio
import os
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from clients.install import CLIENTS, ENVIRONMENTS
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS = 40
"""That a program may take for one conversation; it gives up by itself before."""


@dataclass
class Program:
    """One of them. It runs until the tests end: starting it costs more than all its conversations."""

    environment: str
    command: Sequence[str]
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        environment = ENVIRONMENTS / self.environment
        program = environment / "bin" / self.command[0]
        assert program.exists(), f"{program} is missing: run `make clients`"
        self._process = subprocess.Popen(
            [str(program), *self.command[1:]],
            cwd=CLIENTS.parent,
            env={"PATH": os.environ["PATH"], "HOME": str(environment)},  # no key, no proxy, no setting of ours
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self

    def __exit__(self, *_: object) -> None:
        with self._running() as process:
            process.kill()

    async def hold(self, talk: dict[str, Any]) -> dict[str, Any]:
        """Hold the conversation; what the program says of it."""
        try:
            async with asyncio.timeout(SECONDS):
                line = await asyncio.to_thread(self._answer, json.dumps(talk))
        except TimeoutError:
            self._running().kill()  # ends the thread's wait, too
            raise
        assert line, "the program ended: its last words are on standard error"
        return json.loads_object(line)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def _answer(self, talk: bytes) -> bytes:
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(talk + b"\n")
        process.stdin.flush()
        return process.stdout.readline()


def program(name: str) -> Program:
    """The program in the folder `name`, which is its environment's name, too."""
    if name == "ai_sdk":
        return Program(name, ("node", "clients/ai_sdk/program.mjs"))
    return Program(name, ("python", "-m", f"clients.{name}.program"))
