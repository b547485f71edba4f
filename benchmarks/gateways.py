#!/usr/bin/env python3
"""Measures costspan beside its peers with the peer benchmark, and prints one table.

usage: gateways.py DIR [--gateways nginx,costspan,litellm] [--rounds 3] [--secs 4]

DIR is the folder that the harness's setup.sh prepared. costspan is registered there like any other gateway: routes
named after the harness's prefixes, each with one OpenAI-compatible provider at the fake upstream, and once more with
`a-` before the name, with an Anthropic provider, which needs translation. Ledger and prices are on.
CPU time (user + system of the whole process tree) is the figure to trust on a shared machine.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from costspan.wire import json

PORT = 9700
UPSTREAMS = {"small": 9100, "large": 9100, "sse": 9100, "paced-200-20": 9101, "paced-40-100": 9101}
"""Port of the fake upstream, by the prefix that the harness asks for: files from nginx, paced streams from uvloop."""

MODEL = "gpt-4o-mini"
TRANSLATED = "claude-sonnet-4-5"
WORKLOADS = ("small", "large", "sse", "paced200", "rate100", "a-small", "a-sse")

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table: the median of one figure of one workload over all rounds."""

    title: str
    workload: str
    figure: str
    digits: int

    def value(self, records: list[Record]) -> str:
        """Return the figure as text; a dash when the gateway was not measured or failed."""
        found = [self._figure(record) for record in records if record["workload"] == self.workload and record["ok"]]
        known = [value for value in found if value is not None]
        return f"{statistics.median(known):,.{self.digits}f}".replace(",", " ") if known else "-"

    def _figure(self, record: Record) -> float | None:
        value: Any = record
        for part in self.figure.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value if isinstance(value, int | float) else None


COLUMNS = (
    Column("small: CPU µs/request", "small", "cpu_us_req", 0),
    Column("64 KiB prompt: CPU µs/request", "large", "cpu_us_req", 0),
    Column("unpaced stream: CPU µs/chunk", "sse", "cpu_us_chunk", 1),
    Column("200 paced streams: CPU µs/chunk", "paced200", "cpu_us_chunk", 0),
    Column("to Anthropic: CPU µs/request", "a-small", "cpu_us_req", 0),
    Column("to Anthropic: CPU µs/chunk", "a-sse", "cpu_us_chunk", 1),
    Column("p50 ms at 100 rps", "rate100", "lat_ms.p50", 2),
    Column("idle RSS MiB", "start", "idle_rss_mb", 0),
    Column("RSS MiB after small", "small", "rss_mb", 0),
    Column("start s", "start", "start_s", 2),
)


def configuration(folder: Path) -> Record:
    """Return the gateway.yaml of the benchmark: everything a user would have on, and nothing else."""
    providers: Record = {}
    prices: list[Record] = []
    targets: dict[str, str] = {}
    for prefix, port in UPSTREAMS.items():
        base_url = f"http://127.0.0.1:{port}/{prefix}/v1"
        for name, kind, model in ((prefix, "openai-compatible", MODEL), (f"a-{prefix}", "anthropic", TRANSLATED)):
            providers[name] = {"kind": kind, "base_url": base_url, "api_key": "bench"}
            prices.append({"provider": name, "model": model, "input": 0.15, "output": 0.6})
            targets[name] = f"{name}/{model}"
    return {
        "server": {"listen": f"127.0.0.1:{PORT}", "max_in_flight": 4000},
        "providers": providers,
        "routes": {name: {"strategy": "fallback", "targets": [target]} for name, target in targets.items()},
        "prices": {"table": prices},
        "ledger": {"dir": str(folder / "logs" / "ledger")},
    }


def register(folder: Path, python: Path) -> None:
    """Write the configuration and the registration into the harness. It reads `protos.py` into its registry."""
    config = folder / "conf" / "costspan.yaml"
    config.write_text(yaml.safe_dump(configuration(folder), sort_keys=False))
    command = [str(python), "-I", "-B", "-m", "costspan", "serve", "-c", str(config)]
    entry = {"name": "costspan", "cmd": command, "port": PORT, "path": "/v1/chat/completions", "model": "{a}{prefix}"}
    entry["providers"] = ("openai", "anthropic")
    (folder / "bench" / "protos.py").write_text(f"reg(**{entry!r})\n")


def run(folder: Path, gateways: str, rounds: int, seconds: int) -> list[Record]:
    """Run the harness and return the records of this run."""
    out = folder / "results" / "costspan.jsonl"
    out.unlink(missing_ok=True)
    harness = [str(folder / "venvs" / "h313" / "bin" / "python"), str(folder / "bench" / "bench.py")]
    options = ["--gateways", gateways, "--workloads", ",".join(WORKLOADS), "--out", str(out)]
    subprocess.run([*harness, *options, "--rounds", str(rounds), "--secs", str(seconds)], check=True)
    return [json.loads_object(line) for line in out.read_bytes().splitlines()]


def table(records: list[Record], gateways: list[str]) -> str:
    """Return the medians as a Markdown table, one row a gateway, and below it what failed."""
    head = ["gateway", *(column.title for column in COLUMNS)]
    lines = ["| " + " | ".join(head) + " |", "|---" + "|--:" * len(COLUMNS) + "|"]
    for name in gateways:
        own = [record for record in records if record["gateway"] == name]
        lines.append("| " + " | ".join([name, *(column.value(own) for column in COLUMNS)]) + " |")
    lines += [
        f"failed: {record['gateway']} {record['workload']}, round {record['round']}: {record.get('info')}"
        for record in records
        if not record["ok"]
    ]
    return "\n".join(lines)


def main() -> int:
    """Register, run, print. Returns 1 when a workload of costspan failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--gateways", default="nginx,costspan,litellm")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--secs", type=int, default=4)
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="the Python that has costspan")
    options = parser.parse_args()
    folder = options.folder.resolve()
    register(folder, options.python)
    records = run(folder, options.gateways, options.rounds, options.secs)
    print(table(records, options.gateways.split(",")))
    return any(record["gateway"] == "costspan" and not record["ok"] for record in records)


if __name__ == "__main__":
    sys.exit(main())
