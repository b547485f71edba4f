"""`costspan demo`: the gateway with mock providers over real sockets, a little traffic, and what it cost.

Needs no key and no network. Model names and prices are those of real providers, so that the figures look as they
would; the answers are made up.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from costspan.cli.report import Question, run_report
from costspan.cli.serve import Signals, build, event_loop
from costspan.cli.source import Source
from costspan.errors import ConfigError
from costspan.mock.server import MockServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.server.app import Gateway
    from costspan.wire import json

AT_ONCE = 4

_CONFIG = """\
server: {{listen: "{listen}"}}
providers:
  openai: {{base_url: "{openai}/v1", api_key: demo, dialects: [openai-chat]}}   # the mocks speak no Responses
  anthropic: {{base_url: "{anthropic}", api_key: demo}}
  groq: {{base_url: "{groq}/v1", api_key: demo, dialects: [openai-chat]}}
  gemini: {{base_url: "{gemini}/v1beta", api_key: demo}}
routes:
  smart: {{targets: [anthropic/claude-sonnet-5, openai/gpt-5.4]}}
  cheap: {{strategy: cheapest, targets: [openai/gpt-5.4-mini, groq/llama-3.3-70b-versatile]}}
  quick: {{strategy: race, race: {{after: 0s}}, targets: [gemini/gemini-2.5-flash, groq/llama-3.3-70b-versatile]}}
  flaky: {{targets: [openai/error-500, gemini/gemini-2.5-flash]}}
defaults: {{retries: 0}}
attribution:
  headers: {{x-team: team, x-feature: feature}}
prices:
  catalog: none
  table:   # USD per million tokens, list prices by genai-prices 0.2.3, read 2026-11-23
    - {{provider: openai, model: gpt-5.4, input: 2.5, cache_read: 0.25, output: 15}}
    - {{provider: openai, model: gpt-5.4-mini, input: 0.75, cache_read: 0.075, output: 4.5}}
    - {{provider: anthropic, model: claude-sonnet-5, input: 2, cache_read: 0.2, cache_write: 2.5, output: 10}}
    - {{provider: gemini, model: gemini-2.5-flash, input: 0.3, cache_read: 0.03, output: 2.5}}
    - {{provider: groq, model: llama-3.3-70b-versatile, input: 0.59, output: 0.79}}
ledger: {{dir: "{ledger}", fsync: 200ms}}
telemetry: {{otlp: {{endpoint: null}}}}
"""

_QUESTIONS = (
    "Why is the sky blue?",
    "Name three uses for a paper clip.",
    "Summarise the plot of Hamlet in one sentence.",
    "What is the capital of Australia, and why is it not Sydney?",
)


def demo(*, listen: str, requests: int, leave: bool) -> int:
    """Run the demonstration. Returns the exit code."""
    with asyncio.Runner(loop_factory=event_loop()) as runner:
        try:
            return runner.run(_demo(listen, requests, leave=leave))
        except ConfigError as error:
            _say(str(error))
            return 78
        except OSError as error:
            _say(f"cannot listen on {listen}: {error.strerror}; try --listen 127.0.0.1:0")
            return 1


async def _demo(listen: str, requests: int, *, leave: bool) -> int:
    folder = Path(tempfile.mkdtemp(prefix="costspan-demo-"))
    ledger = folder / "ledger"
    async with AsyncExitStack() as stack:
        mocks = {
            name: await stack.enter_async_context(MockServer()) for name in ("openai", "anthropic", "groq", "gemini")
        }
        urls = {name: mock.url for name, mock in mocks.items()}
        config = folder / "gateway.yaml"
        config.write_text(_CONFIG.format(listen=listen, ledger=ledger, **urls))
        gateway = build(Source(config), listen=None)
        await stack.enter_async_context(gateway)
        _introduce(gateway, urls, config)
        failed = await _send(gateway.url, requests)
        _conclude(gateway, ledger, requests, failed)
        if not leave:
            signals = Signals(gateway)
            signals.install()
            await signals.stop.wait()
    return 1 if failed else 0


def _introduce(gateway: Gateway, urls: dict[str, str], config: Path) -> None:
    _say(f"costspan listens on {gateway.url}, its configuration is {config}")
    for name, url in urls.items():
        _say(f"  mock {name:10} {url}")


def _requests(count: int) -> Iterator[tuple[str, json.Object, dict[str, str]]]:
    """Path, body and headers of each request: four dialects, streamed and not, four routes, two teams."""
    for number in range(count):
        model = ("smart", "cheap", "quick", "flaky")[number % 4]
        stream = number % 2 == 1
        headers = {"x-team": ("search", "checkout")[number // 2 % 2], "x-feature": "demo"}
        path, body = _asked(number // 4 % 4, model, _QUESTIONS[number % len(_QUESTIONS)], stream=stream)
        yield path, body, headers


def _asked(dialect: int, model: str, question: str, *, stream: bool) -> tuple[str, json.Object]:
    """The same question as each vendor's client asks it."""
    messages = [{"role": "user", "content": question}]
    if dialect == 0:
        return "/v1/chat/completions", {"model": model, "max_tokens": 200, "stream": stream, "messages": messages}
    if dialect == 1:
        return "/v1/messages", {"model": model, "max_tokens": 200, "stream": stream, "messages": messages}
    if dialect == 2:  # noqa: PLR2004 - the third
        return "/v1/responses", {"model": model, "max_output_tokens": 200, "stream": stream, "input": question}
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"/v1beta/models/{model}:{method}", {"contents": [{"role": "user", "parts": [{"text": question}]}]}


async def _send(url: str, count: int) -> int:
    """Send the traffic, some at once. Returns how many failed."""
    gate = asyncio.Semaphore(AT_ONCE)
    failures: list[int] = []

    async def one(client: aiohttp.ClientSession, path: str, body: json.Object, headers: dict[str, str]) -> None:
        async with gate, client.post(url + path, json=body, headers=headers) as response:
            await response.read()
            if response.status != 200:  # noqa: PLR2004 - OK
                failures.append(response.status)

    async with aiohttp.ClientSession() as client, asyncio.TaskGroup() as group:
        for path, body, headers in _requests(count):
            group.create_task(one(client, path, body, headers))
    return len(failures)


def _conclude(gateway: Gateway, ledger: Path, requests: int, failed: int) -> None:
    _say(f"\n{requests} requests sent, {failed} failed\n")
    sys.stderr.flush()
    run_report(ledger, Question(["route", "model"]), output="table", out=sys.stdout)
    sys.stdout.flush()
    _say(f"""
The ledger is in {ledger}

Try:
  curl {gateway.url}/v1/chat/completions -H 'content-type: application/json' -H 'x-team: me' -i \\
    -d '{{"model": "smart", "messages": [{{"role": "user", "content": "hello"}}]}}'
  {_command()} report --ledger {ledger} --by team --by model
  {_command()} explain --url {gateway.url} --model cheap   # or smart, quick, flaky: who is asked, and why
  curl {gateway.url}/metrics
""")


def _command() -> str:
    """How this program is called here."""
    return "costspan" if shutil.which("costspan") else f"{sys.executable} -m costspan"


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the command's output
