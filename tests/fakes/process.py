"""The real gateway in a process of its own: `python -m costspan serve`."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Self

SECONDS = 20.0
"""After which a wait has failed."""
_LISTENING = re.compile(rb"listening on ([^\s\"]+)")


class GatewayProcess:
    """Use it as an async context manager. `url` is the main listener's; `lines` is what it said."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        environ: Mapping[str, str] | None = None,
        listeners: int = 1,
        program: Sequence[str] = ("-m", "costspan"),
    ) -> None:
        """`program` is what Python runs. Standard output is among the lines, too."""
        self._arguments = [sys.executable, *program, *arguments]
        self._cwd = cwd
        self._environ = {"PATH": os.environ["PATH"], **(environ or {})}
        self._listeners = listeners
        self.addresses: list[str] = []
        self.lines: list[bytes] = []
        self._process: asyncio.subprocess.Process | None = None
        self._changed = asyncio.Condition()
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._arguments,
            cwd=self._cwd,
            env=self._environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = asyncio.get_running_loop().create_task(self._read())
        if self._listeners:
            await self.said(lambda: len(self.addresses) >= self._listeners or self.process.returncode is not None)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        if self._reader is not None:
            await self._reader

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process is not None
        return self._process

    @property
    def url(self) -> str:
        assert self.addresses, b"".join(self.lines).decode()
        return f"http://{self.addresses[-1]}"

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            async with self._changed:
                self.lines.append(line)
                self.addresses += [match.decode() for match in _LISTENING.findall(line)]
                self._changed.notify_all()
        await self.process.wait()
        async with self._changed:
            self._changed.notify_all()

    async def said(self, predicate: object) -> None:
        """Wait until `predicate()` holds, looked at whenever a line came."""
        assert callable(predicate)
        async with asyncio.timeout(SECONDS), self._changed:
            await self._changed.wait_for(predicate)

    async def says(self, text: bytes) -> None:
        """Wait until a line holds `text`."""
        await self.said(lambda: any(text in line for line in self.lines))

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def exit_code(self) -> int:
        async with asyncio.timeout(SECONDS):
            return await self.process.wait()
