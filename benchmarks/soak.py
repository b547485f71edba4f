"""Runs mixed traffic through a real gateway process for a bounded time and watches what must not grow.

    python benchmarks/soak.py --seconds 60

Whole answers, streams, clients that leave in the middle, errors and fallbacks, over both dialects. Fails (exit 1) when
file descriptors are left, when an attempt has no end, or when memory grows by more than `--slope` KiB per thousand
requests in the second half. A fresh process grows by some 12 MiB over its first 50 000 requests (caches, the
allocator's pools) and then stays: run it for two minutes to see that.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from costspan.mock.server import MockServer
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Sequence

AT_ONCE = 16
CONFIG = """
server: {{listen: "127.0.0.1:0"}}
providers:
  one: {{kind: openai, base_url: "{url}/v1", api_key: soak}}
  two: {{kind: anthropic, base_url: "{url}", api_key: soak}}
defaults: {{retries: 0}}
routes:
  chat: one/m
  claude: two/m
  flaky: {{targets: [one/error-500, two/error-429, one/m]}}
prices:
  catalog: none
  table:
    - {{provider: openai, model: "*", input: 1, output: 2}}
    - {{provider: anthropic, model: "*", input: 1, output: 2}}
ledger: {{dir: "{folder}/ledger"}}
"""


@dataclass
class Watch:
    """What was seen of the gateway's process: requests so far and resident KiB, at intervals."""

    pid: int
    seen: list[tuple[int, int]] = field(default_factory=list)
    done: int = 0

    def look(self) -> None:
        """Note the memory now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        self.seen.append((self.done, pages * os.sysconf("SC_PAGE_SIZE") // 1024))

    def descriptors(self) -> int:
        """Open file descriptors."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def slope(self) -> float:
        """KiB per thousand requests in the second half, by least squares."""
        points = self.seen[len(self.seen) // 2 :]
        mean_x = sum(x for x, _ in points) / len(points)
        mean_y = sum(y for _, y in points) / len(points)
        spread = sum((x - mean_x) ** 2 for x, _ in points)
        return 1000 * sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


async def ask(client: aiohttp.ClientSession, url: str, choose: random.Random) -> None:
    """One request of one of the kinds."""
    path = choose.choice(("/v1/chat/completions", "/v1/messages"))
    body = {
        "model": choose.choice(("chat", "claude", "flaky")),
        "max_tokens": 50,
        "stream": choose.choice((True, False)),
        "messages": [{"role": "user", "content": "word " * choose.randrange(1, 200)}],
    }
    async with client.post(url + path, json=body) as response:
        if choose.randrange(5) == 0:
            await response.content.readany()
            response.close()  # the client leaves in the middle
        else:
            await response.read()


async def traffic(url: str, watch: Watch, seconds: float, seed: int) -> None:
    """Send until the time is over."""
    until = time.monotonic() + seconds
    choose = random.Random(seed)

    async def worker(client: aiohttp.ClientSession) -> None:
        while time.monotonic() < until:
            await ask(client, url, choose)
            watch.done += 1
            if watch.done % 200 == 0:
                watch.look()

    async with aiohttp.ClientSession() as client, asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(worker(client))


def open_attempts(folder: Path) -> int:
    """Attempts with a start and no end, and ids with more than one end."""
    lines = [json.loads_object(line) for file in folder.glob("*.jsonl") for line in file.read_bytes().splitlines()]
    ends = Counter(line["id"] for line in lines if line["type"] == "attempt")
    starts = {line["id"] for line in lines if line["type"] == "attempt_started"}
    return len(starts ^ ends.keys()) + sum(count - 1 for count in ends.values())


async def run(seconds: float, seed: int) -> tuple[Watch, int, int, int]:
    """Soak a gateway. Returns what was watched, descriptors before and after, and attempts without their one end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with MockServer(first_delay=0.001, pace=0.001) as mock:
            (folder / "gateway.yaml").write_text(CONFIG.format(url=mock.url, folder=folder))
            command = (sys.executable, "-m", "costspan", "serve", "-c", str(folder / "gateway.yaml"))
            process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
            assert process.stderr is not None
            line = b""
            while b"listening on" not in line:
                line = await process.stderr.readline()
            url = "http://" + line.split(b"listening on ")[1].split(b'"')[0].strip().decode()
            drain = asyncio.get_running_loop().create_task(process.stderr.read())
            watch = Watch(process.pid)
            before = watch.descriptors()
            await traffic(url, watch, seconds, seed)
            process.terminate()
            after = watch.descriptors()
            await process.wait()
            await drain
        return watch, before, after, open_attempts(folder / "ledger")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--slope", type=float, default=100.0, help="KiB per thousand requests that are allowed")
    options = parser.parse_args(arguments)
    watch, before, after, unended = asyncio.run(run(options.seconds, options.seed))
    print(f"{watch.done} requests in {options.seconds:g} s, seed {options.seed}")
    print(f"resident: {watch.seen[0][1] / 1024:.1f} MiB at the first look, {watch.seen[-1][1] / 1024:.1f} at the last")
    print(f"slope in the second half: {watch.slope():.1f} KiB per thousand requests")
    print(f"file descriptors: {before} before, {after} at the end; attempts without their one end: {unended}")
    return 1 if unended or watch.slope() > options.slope or after > before + 2 * AT_ONCE + 100 else 0


if __name__ == "__main__":
    sys.exit(main())
