"""A whole gateway on a free loopback port, for tests: real sockets, real config file, real ledger."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from costspan.cli.serve import build
from costspan.cli.source import Source
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from costspan.ledger.records import Attempt, AttemptStarted, Exchange
    from costspan.server.app import Gateway

PRICES = """
prices:
  catalog: none
  table:
    - {provider: openai, model: "*", input: 2, output: 8, cache_read: 0.5}
    - {provider: anthropic, model: "*", input: 3, output: 15, cache_read: 0.3, cache_write: 3.75, cache_write_1h: 6}
"""
"""USD per million tokens, for kinds: round figures, so that expected costs can be worked out by hand."""


class Running:
    """A gateway that serves. `records` reads its ledger back."""

    def __init__(self, gateway: Gateway, folder: Path) -> None:
        self.gateway = gateway
        self.url = gateway.url
        self.folder = folder
        self.config = folder / "gateway.yaml"

    def records(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The ledger's lines so far, of one type."""
        files = sorted((self.folder / "ledger").glob("*.jsonl"))
        lines = [line for file in files for line in file.read_bytes().splitlines()]
        found = [json.loads_object(line) for line in lines]
        return [record for record in found if kind is None or record["type"] == kind]

    async def written(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """The ledger's lines of one type, once there are `count`."""
        for _ in range(1000):
            if len(found := self.records(kind)) >= count:
                return found
            await asyncio.sleep(0.005)
        pytest.fail(f"not {count} lines of type {kind}: {self.records()}")


class Healing:
    """Forgets after each attempt how its target and its key are: for tests whose every request fails."""

    def __init__(self) -> None:
        self.gateway: Gateway | None = None

    def attempt_started(self, started: AttemptStarted) -> None:
        pass

    def attempt_ended(self, _: Attempt) -> None:
        assert self.gateway is not None
        self.gateway.targets.forget()
        self.gateway.keys.retire(())

    def exchange_ended(self, exchange: Exchange, attempts: Sequence[Attempt]) -> None:
        pass


@contextlib.asynccontextmanager
async def running(
    folder: Path, config: str, *, prices: str = PRICES, more: str = "", heals: bool = False
) -> AsyncIterator[Running]:
    """Write `config` to `folder` and serve it. Listener and ledger are set here.

    `heals`: no target is left alone and no key stands back, however often they fail.
    """
    text = f"server: {{listen: '127.0.0.1:0'{more}}}\nledger: {{dir: {folder}/ledger}}\n{config}\n{prices}"
    (folder / "gateway.yaml").write_text(text)
    healing = Healing()
    gateway = build(Source(folder / "gateway.yaml"), listen=None, observers=(healing,) if heals else ())
    healing.gateway = gateway
    async with gateway:
        yield Running(gateway, folder)


def two_kinds(openai: str, anthropic: str) -> str:
    """Providers `one` (OpenAI's dialect) and `two` (Anthropic's), each at a fake's URL, and a route for each."""
    return f"""
providers:
  one: {{kind: openai, base_url: "{openai}/v1", api_key: test-key-one}}
  two: {{kind: anthropic, base_url: "{anthropic}", api_key: test-key-two}}
routes:
  chat: one/gpt-fake
  claude: two/claude-fake
"""
