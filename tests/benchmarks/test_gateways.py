"""The benchmark's own parts: what it registers is valid, what it prints are medians."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import yaml

from costspan.config.load import load

SCRIPT = runpy.run_path(str(Path(__file__).resolve().parents[2] / "benchmarks" / "gateways.py"))


def test_the_configuration_that_is_measured_loads_without_a_doubt(tmp_path: Path) -> None:
    path = tmp_path / "costspan.yaml"
    path.write_text(yaml.safe_dump(SCRIPT["configuration"](tmp_path)))
    loaded = load(path, {})

    assert loaded.warnings == ()
    assert {name: route.targets[0].target for name, route in loaded.config.routes.items() if "s" in name[:3]} == {
        "small": "small/gpt-4o-mini",
        "sse": "sse/gpt-4o-mini",
        "a-small": "a-small/claude-sonnet-4-5",
        "a-sse": "a-sse/claude-sonnet-4-5",
    }


def test_the_harness_gets_one_more_gateway(tmp_path: Path) -> None:
    for name in ("bench", "conf"):
        (tmp_path / name).mkdir()
    SCRIPT["register"](tmp_path, Path("/opt/python"))
    registered: list[dict[str, Any]] = []
    exec((tmp_path / "bench" / "protos.py").read_text(), {"reg": lambda **entry: registered.append(entry)})

    (entry,) = registered
    assert entry["cmd"][0] == "/opt/python"
    assert entry["cmd"][-2:] == ["-c", str(tmp_path / "conf" / "costspan.yaml")]
    assert (entry["name"], entry["port"], entry["model"]) == ("costspan", 9700, "{a}{prefix}")


def record(workload: str, **figures: object) -> dict[str, Any]:
    return {"gateway": "costspan", "workload": workload, "round": 0, "ok": True, **figures}


def test_a_row_shows_medians_and_a_dash_for_what_was_not_measured() -> None:
    records = [record("small", cpu_us_req=cpu, rss_mb=40.4) for cpu in (90.0, 1100.0, 95.0)]
    records += [record("rate100", lat_ms={"p50": 0.954})]

    assert SCRIPT["table"](records, ["costspan"]).splitlines()[2:] == [
        "| costspan | 95 | - | - | - | - | - | 0.95 | - | 40 | - |"
    ]


def test_a_failure_is_shown_below_the_table() -> None:
    failed = [{"gateway": "costspan", "workload": "start", "round": 1, "ok": False, "info": [500, "no"]}]

    assert SCRIPT["table"](failed, ["costspan"]).splitlines()[2:] == [
        "| costspan | - | - | - | - | - | - | - | - | - | - |",
        "failed: costspan start, round 1: [500, 'no']",
    ]
