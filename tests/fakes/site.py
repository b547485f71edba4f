"""A gateway between a raw client and two fake providers, for tests of what is refused and what passes."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fakes.gateway import running, two_kinds
from fakes.upstream import FakeUpstream
from fakes.upstream_answers import anthropic_reply, openai_reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.gateway import Running


@dataclass(frozen=True)
class Site:
    """Routes: `chat` goes to `openai`, `claude` to `anthropic`."""

    gateway: Running
    openai: FakeUpstream
    anthropic: FakeUpstream

    @property
    def url(self) -> str:
        return self.gateway.url

    @property
    def upstream_connections(self) -> int:
        return self.openai.connections + self.anthropic.connections


@contextlib.asynccontextmanager
async def opened(folder: Path, more: str = "") -> AsyncIterator[Site]:
    """`more` is further configuration."""
    async with (
        FakeUpstream(lambda _: openai_reply()) as openai,
        FakeUpstream(lambda _: anthropic_reply()) as anthropic,
        running(folder, two_kinds(openai.url, anthropic.url) + more) as gateway,
    ):
        yield Site(gateway, openai, anthropic)
