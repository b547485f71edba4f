"""The real process, killed at random moments under load: the ledger has each attempt's start and exactly one end.

A few kills in the suite; `make torture` makes a thousand. Each time the next process recovers before it listens, so
that then, with no traffic yet, nothing may be open. What the upstream saw is the truth from outside: the `traceparent`
of each request has the attempt's span id.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from costspan.errors import Malformed
from costspan.ledger.read import Reader
from costspan.wire import json
from fakes.process import GatewayProcess
from fakes.upstream import Answer, FakeUpstream
from fakes.upstream_answers import anthropic_stream, openai_reply, openai_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.upstream import Request

KILLS = 5
SEED = 20_261_125
WORKERS = 4
LOAD_SECONDS = 0.25
"""The longest that a process lives under load."""
START_SECONDS = 1.2
"""Within so many, a process that is killed while it starts dies."""
TARGETS = ("stops/m", "bills/m", "claude/m", "chain")

pytestmark = pytest.mark.timeout(0)
"""It is bounded by the number of kills, each by the limits of `GatewayProcess`."""


@dataclass
class Accounts:
    """The ledger's files, read as they grow."""

    folder: Path
    spans: set[str] = field(default_factory=set)
    """Of all starts."""
    open: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Starts without an end."""
    unanswered: set[str] = field(default_factory=set)
    """Exchanges with a start and without an end."""
    ended: set[tuple[str, str]] = field(default_factory=set)
    torn: int = 0
    recovered: int = 0
    _offsets: dict[Path, int] = field(default_factory=dict)

    def look(self) -> None:
        """Take in what is new. Whatever is written twice, or has no start, fails here."""
        for path in sorted(self.folder.glob("costspan-*")):
            with path.open("rb") as file:
                file.seek(self._offsets.get(path, 0))
                data = file.read()
            whole = data.rfind(b"\n") + 1
            for line in data[:whole].split(b"\n")[:-1]:
                self._take(line)
            self._offsets[path] = self._offsets.get(path, 0) + whole

    def _take(self, line: bytes) -> None:
        try:
            record = json.loads_object(line)
        except Malformed:
            self.torn += 1
            return
        kind, id_ = record["type"], record["id"]
        if kind == "attempt_started":
            assert id_ not in self.open
            assert ("attempt", id_) not in self.ended, "the same id again"
            self.spans.add(record["span_id"])
            self.open[id_] = record
            self.unanswered.add(record["exchange_id"])
            return
        assert (kind, id_) not in self.ended, f"a second end of {kind} {id_}"
        self.ended.add((kind, id_))
        if kind == "exchange":
            self.unanswered.discard(id_)
        else:
            self._end(self.open.pop(id_), record)

    def _end(self, start: dict[str, Any], end: dict[str, Any]) -> None:
        if end["outcome"] == "recovered":
            self.recovered += 1
            assert (end["cost_usd"], end["cost_status"]) == (None, "estimated")
            assert end["cost_estimated_usd"] == start["estimate_usd"] is not None
        if end["cost_status"] == "estimated":
            assert end["cost_usd"] is None
            assert float(end["cost_estimated_usd"]) > 0
            assert end["estimate_basis"]


class Upstream:
    """Answers at random: streams that take their time, whole answers, refusals."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._server = FakeUpstream(self._answer)

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        async with self._server:
            yield self._server.url

    def spans(self) -> set[str]:
        """Of the attempts whose requests came since the last call."""
        seen = [request.header("traceparent") or "" for request in self._server.requests]
        self._server.requests.clear()
        return {value.split("-")[2] for value in seen}

    def _answer(self, request: Request) -> Answer:
        if self._chance.random() < 0.1:
            return Answer(status=500, body=b"{}")
        gate = asyncio.Event()
        asyncio.get_running_loop().call_later(self._chance.random() * 0.1, gate.set)
        if request.path.endswith("/messages"):
            return anthropic_stream(("Hel", gate, "lo"))
        if self._chance.random() < 0.3:
            reply = openai_reply()
            return Answer(headers=reply.headers, body=reply.body, before=[gate])
        return openai_stream(("Hel", gate, "lo"))


def write_config(folder: Path, url: str) -> Path:
    path = folder / "gateway.yaml"
    common = "api_key: test-key, propagate_trace: true"
    path.write_text(
        f"""
server: {{listen: "127.0.0.1:0"}}
ledger: {{dir: "{folder}/ledger", fsync: 10ms}}
providers:
  stops: {{kind: openai, base_url: "{url}/v1", abort_stops_billing: true, {common}}}
  bills: {{kind: openai, base_url: "{url}/v1", abort_stops_billing: false, {common}}}
  claude: {{kind: anthropic, base_url: "{url}/v1", {common}}}
routes: {{chain: {{strategy: fallback, targets: [stops/m, claude/m, bills/m]}}}}
prices:
  catalog: none
  table:
    - {{provider: openai, model: "*", input: 2, output: 8}}
    - {{provider: anthropic, model: "*", input: 3, output: 15}}
"""
    )
    return path


async def load(url: str, chance: random.Random) -> None:
    """Clients that ask one after the other, leave in the middle, and stop when the gateway does."""
    async with aiohttp.ClientSession() as session:
        with contextlib.suppress(aiohttp.ClientError, ConnectionError):
            while True:
                await _ask(session, url, chance)


async def _ask(session: aiohttp.ClientSession, url: str, chance: random.Random) -> None:
    body = {
        "model": chance.choice(TARGETS),
        "stream": True,
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hello"}],
    }
    path = chance.choice(("/v1/chat/completions", "/v1/messages"))
    async with session.post(url + path, json=body) as response:
        if chance.random() < 0.2:
            await response.content.readany()
            response.close()
        else:
            await response.read()


async def live_and_die(config: Path, accounts: Accounts, chance: random.Random) -> None:
    """One process: recovers, listens, works, is killed."""
    folder = config.parent
    arguments = ["serve", "-c", str(config)]
    if chance.random() < 0.1:  # in its childhood
        async with GatewayProcess(arguments, cwd=folder, listeners=0) as gateway:
            await asyncio.sleep(chance.random() * START_SECONDS)
            gateway.send(signal.SIGKILL)
        return
    async with GatewayProcess(arguments, cwd=folder) as gateway:
        nothing_is_open(accounts)
        begun = time.monotonic()
        lives = chance.random() * LOAD_SECONDS
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(load(gateway.url, chance))
            await asyncio.sleep(max(begun + lives - time.monotonic(), 0))
            gateway.send(signal.SIGKILL)


def nothing_is_open(accounts: Accounts) -> None:
    accounts.look()
    assert accounts.open == {}
    assert accounts.unanswered == set()


async def test_kills_at_random_moments_leave_no_attempt_without_exactly_one_end(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    kills = pytestconfig.getoption("--kills", default=None) or KILLS
    seed = pytestconfig.getoption("--kill-seed", default=None) or SEED
    chance = random.Random(seed)
    accounts = Accounts(tmp_path / "ledger")
    upstream = Upstream(random.Random(seed + 1))
    asked = 0
    begun = time.monotonic()
    async with upstream.serve() as url:
        config = write_config(tmp_path, url)
        for _ in range(kills):
            await live_and_die(config, accounts, chance)
            accounts.look()
            seen = upstream.spans()
            asked += len(seen)
            assert seen <= accounts.spans, "the upstream had a request that the ledger does not know"
        async with GatewayProcess(["serve", "-c", str(config)], cwd=tmp_path) as gateway:
            nothing_is_open(accounts)
            gateway.send(signal.SIGTERM)
            assert await gateway.exit_code() == 0
    attempts = sum(kind == "attempt" for kind, _ in accounts.ended)
    entries = [entry for entry in Reader(accounts.folder) if entry.type == "attempt"]
    print(  # noqa: T201 - the figures, for `make torture`
        f"\nseed {seed}: {kills} kills in {time.monotonic() - begun:.0f} s, {attempts} attempts, the upstream saw"
        f" {asked}, {accounts.recovered} recovered, {accounts.torn} torn lines"
    )

    assert len(accounts.spans) == attempts == len(entries)
    assert accounts.recovered or kills < 20  # a few may all meet an idle gateway
