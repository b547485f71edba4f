"""A gateway with client keys between a raw client and two fake providers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from fakes.gateway import running, two_kinds
from fakes.upstream import FakeUpstream
from fakes.upstream_answers import anthropic_reply, openai_reply
from security.keys import KEYS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.gateway import Running


@dataclass(frozen=True)
class Guarded:
    """Routes: `chat` goes to `openai`, `claude` to `anthropic`. The keys are those of `security.keys`."""

    gateway: Running
    openai: FakeUpstream
    anthropic: FakeUpstream

    @property
    def url(self) -> str:
        return self.gateway.url

    @property
    def upstream_connections(self) -> int:
        return self.openai.connections + self.anthropic.connections


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Guarded]:
    async with (
        FakeUpstream(lambda _: openai_reply()) as openai,
        FakeUpstream(lambda _: anthropic_reply()) as anthropic,
        running(tmp_path, two_kinds(openai.url, anthropic.url) + KEYS) as gateway,
    ):
        yield Guarded(gateway, openai, anthropic)
