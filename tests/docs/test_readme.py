"""README.md: what it shows works when it is copied."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from costspan.cli.commands import app
from costspan.cli.serve import build
from costspan.cli.source import KNOWN, Source
from costspan.config.environment import render_yaml
from costspan.config.load import load
from costspan.mock.server import MockServer
from costspan.wire import json
from docs.pages import ROOT, blocks, codes, rows, section
from fakes.gateway import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = ROOT / "README.md"
SHOWN = "http://127.0.0.1:8080"
COSTSPAN = (sys.executable, "-m", "costspan")
ENVIRON = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MYHOST_API_KEY"), "test-key")
CONFIGS = blocks(PAGE, "yaml")
COMMANDS = [line for block in blocks(PAGE, "sh") for line in block.splitlines()]
OURS = [shlex.split(line)[1:] for line in COMMANDS if line.startswith("costspan ")]
ELSEWHERE = ("source ", "export ")
"""What a shell does by itself."""


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of somebody who has exported the keys."""
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def at(config: str, mock: str) -> str:
    """`config` with the accounts of both providers at the mock."""
    for name, url in (("openai", f"{mock}/v1"), ("anthropic", mock)):
        config, changed = re.subn(rf'(?m)^  {name}: {{api_key: "[^"]*"', rf'\g<0>, base_url: "{url}"', config)
        assert changed == 1
    return config


@pytest.mark.parametrize("config", CONFIGS, ids=lambda text: text.partition("\n")[0])
def test_each_configuration_loads_without_a_doubt(config: str, tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(config if "routes: [smart" not in config else CONFIGS[0] + config)

    assert load(path, ENVIRON).warnings == ()


@pytest.mark.parametrize("snippet", blocks(PAGE, "python"), ids=lambda text: text.split()[1])
async def test_each_sdk_works_with_a_gateway_without_a_file(snippet: str, tmp_path: Path) -> None:
    async with MockServer(first_delay=0, pace=0) as mock:
        path = tmp_path / "gateway.yaml"
        path.write_text(at(render_yaml(ENVIRON, KNOWN), mock.url))
        gateway = build(Source(path), listen="127.0.0.1:0")
        async with gateway:
            text = snippet.replace(SHOWN, gateway.url)
            ended = await asyncio.to_thread(run, sys.executable, "-W", "error", "-c", text, cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    assert "mock" in ended.stdout


async def test_the_request_of_a_team_is_in_the_report(tmp_path: Path) -> None:
    (curl,) = [line for line in COMMANDS if line.startswith("curl ")]
    async with (
        MockServer(first_delay=0, pace=0) as mock,
        running(tmp_path, at(CONFIGS[0], mock.url), prices="") as gateway,
    ):
        ended = await asyncio.to_thread(run, *shlex.split(curl.replace(SHOWN, gateway.url)), cwd=tmp_path)
        report = await asyncio.to_thread(run, *COSTSPAN, "report", "--by", "team", "--json", cwd=tmp_path)

    assert json.loads(ended.stdout)["model"], ended.stdout
    (group,) = json.loads_object(report.stdout)["groups"]
    assert (group["team"], group["exchanges"], group["unpriced"]) == ("search", 1, 0)


async def test_a_misspelt_model_has_the_answer_that_is_shown(tmp_path: Path) -> None:
    body = '{"model": "smrat", "messages": [{"role": "user", "content": "hi"}]}'
    async with running(tmp_path, CONFIGS[0], prices="") as gateway:
        arguments = ("curl", "-sS", f"{gateway.url}/v1/chat/completions", "--json", body)
        ended = await asyncio.to_thread(run, *arguments, cwd=tmp_path)

    (shown,) = blocks(PAGE, "json")
    assert without_id(ended.stdout) == without_id(shown)


def without_id(answer: str) -> dict[str, Any]:
    error: dict[str, Any] = json.loads_object(answer)["error"]
    assert re.fullmatch(r"cs_[0-9a-f]{28}", error.pop("exchange_id"))
    return error


def test_the_demo_shows_a_table_and_ends(tmp_path: Path) -> None:
    ended = run(*COSTSPAN, "demo", "--listen", "127.0.0.1:0", "--requests", "8", "--exit", cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    assert "8 requests sent, 0 failed" in ended.stdout
    routes = {line.split()[0] for line in ended.stdout.splitlines() if re.match(r"  [a-z]+ .* \d+\.\d{6} ", line)}
    assert {"smart", "cheap", "quick", "flaky", "total"} == routes
    assert re.search(r"^  cheap +llama-3.3-70b-versatile +2 ", ended.stdout, re.MULTILINE), "listed last, and cheapest"


def test_make_knows_its_target() -> None:
    targets = [line.split()[1] for line in COMMANDS if line.startswith("make ")]

    assert targets == ["demo"]
    assert re.search(r"^demo:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_line_of_a_shell_block_is_tried_here() -> None:
    known = ("costspan ", "make ", "curl ", *ELSEWHERE)

    assert [line for line in COMMANDS if not line.startswith(known)] == []


@pytest.mark.parametrize("arguments", OURS, ids=" ".join)
def test_each_command_and_option_exists(arguments: list[str], tmp_path: Path) -> None:
    words = [word for word in arguments if not word.startswith("-")]
    command = ["key", "new"] if words[0] == "key" else words[:1]
    ended = run(*COSTSPAN, *command, "--help", cwd=tmp_path)

    assert ended.returncode == 0
    assert [word for word in arguments if word.startswith("-") and word not in ended.stdout] == []


def test_a_made_key_is_what_the_file_takes(tmp_path: Path) -> None:
    ended = run(*COSTSPAN, "key", "new", "checkout", cwd=tmp_path)
    path = tmp_path / "gateway.yaml"
    path.write_text("keys:" + ended.stdout.partition("keys:")[2])

    assert [key.name for key in load(path, {}).config.keys] == ["checkout"]


def test_check_finds_the_configuration_valid(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(CONFIGS[0])
    ended = run(*COSTSPAN, "check", "-c", "gateway.yaml", cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    assert "gateway.yaml: valid" in ended.stdout


def links() -> Iterator[str]:
    for page in (PAGE, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = page.read_text()
        for link in re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", text):
            yield str((page.parent / link).resolve().relative_to(ROOT))
        yield from re.findall(r"(?<!/)\b(?:tests|docs|benchmarks|src)/[\w/.-]+\w", text)  # not inside of addresses


@pytest.mark.parametrize("link", sorted(set(links())))
def test_what_a_page_points_to_is_there(link: str) -> None:
    assert list(ROOT.glob(f"{link}*"))


def test_each_promise_is_proven_or_called_partial() -> None:
    promises = [cells for cells in rows(section(PAGE, "Promises")) if cells]

    assert len(promises) == 12
    for cells in promises:
        assert cells[2] == "kept" or cells[2].startswith("partial: ")
        assert "tests/" in cells[1] or cells[2] != "kept"


def test_the_commands_that_are_named_in_the_changelog_are_all_there_are() -> None:
    later, _, first = (ROOT / "CHANGELOG.md").read_text().partition("## [0.1.0]")
    added = first.partition("\n- `POST")[0].partition("### Added")[2].partition(". ")[0]
    named = [word.removeprefix("costspan ") for word in codes(added)]
    named += re.findall(r"^- `costspan ([\w-]+)", later, re.MULTILINE)
    real = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    real += ["key new" if group.name == "key" else group.name or "" for group in app.registered_groups]

    assert sorted(set(named)) == sorted(real)
