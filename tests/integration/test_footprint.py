"""Light: what an idle gateway takes. The figures for the README come from `benchmarks/`; this holds the ceiling."""

from __future__ import annotations

import re
import time
from pathlib import Path

from fakes.process import GatewayProcess

CONFIG = """
server: {listen: "127.0.0.1:0"}
providers: {openai: {api_key: "${OPENAI_API_KEY}"}, anthropic: {api_key: "${ANTHROPIC_API_KEY}"}}
routes: {smart: {targets: [anthropic/claude-sonnet-4-5, openai/gpt-5]}}
"""


def resident_kib(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


async def test_an_idle_gateway_with_the_catalog_stays_under_80_mib_and_starts_quickly(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(CONFIG)
    keys = {"OPENAI_API_KEY": "test-1", "ANTHROPIC_API_KEY": "test-2"}
    begun = time.monotonic()
    async with GatewayProcess(["serve"], cwd=tmp_path, environ=keys) as gateway:
        took = time.monotonic() - begun
        resident = resident_kib(gateway.process.pid)

    assert resident <= 80 * 1024
    assert took < 5  # 0.8 s on an idle machine; the suite runs on a busy one
