"""cli.explain: the plan of a request that is not made."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from costspan.cli.commands import app
from costspan.cli.explain import Question, run_explain
from costspan.cli.source import Source
from costspan.wire import json
from fakes.gateway import running
from fakes.upstream import Answer, FakeUpstream

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
providers:
  one: {kind: openai, base_url: "http://127.0.0.1:9/v1", api_key: "${KEY_OF_NOBODY}"}
  two: {kind: anthropic, base_url: "http://127.0.0.1:9", api_key: test-key-two}
routes:
  chat: {strategy: cheapest, targets: [two/claude-fake, one/gpt-fake, {target: one/small, lacks: [tools]}]}
  racing: {strategy: race, race: {after: 250ms}, targets: [one/a, two/b]}
  split: {strategy: weighted, targets: [{target: one/a, weight: 1}]}
"""
PRICES = """
prices:
  catalog: none
  table:
    - {provider: openai, model: "*", input: 2, output: 8}
    - {provider: anthropic, model: "*", input: 3, output: 15}
"""
AS_STARTED = (
    "As a gateway plans that has just started: speeds, health, lengths of answers, budgets and limits are those of no "
    "running one. --url asks one."
)
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gateway.yaml").write_text(CONFIG + PRICES)
    return tmp_path


def ask(
    folder: Path,
    model: str,
    *,
    dialect: str = "openai-chat",
    stream: bool = False,
    body: Any = None,
    url: str | None = None,
    as_json: bool = False,
) -> tuple[int, str]:
    """Exit status and output. `body` is a JSON value, or the file's bytes."""
    path = None
    if body is not None:
        path = folder / "body.json"
        path.write_bytes(body if isinstance(body, bytes) else json.dumps(body))
    out = io.StringIO()
    question = Question(model, dialect, stream, path)
    status = run_explain(
        Source(folder / "gateway.yaml"), question, url=url, output="json" if as_json else "table", out=out
    )
    return status, out.getvalue()


def told(folder: Path, model: str, **more: Any) -> dict[str, Any]:
    status, text = ask(folder, model, as_json=True, **more)
    assert status == 0
    return json.loads_object(text)


def test_people_get_a_table_and_the_reasons(folder: Path) -> None:
    body = {"messages": [{"role": "user", "content": "Hello, you"}], "max_tokens": 2, "tools": [TOOL], "seed": 1}
    status, text = ask(folder, "chat", body=body)

    assert status == 0
    assert [line.rstrip() for line in text.splitlines()] == [
        "chat: cheapest, openai-chat",
        "",
        "                        expected     tokens",
        "      target                 USD   in + out   standing",
        " ──────────────────────────────────────────────────────",
        "  1   one/gpt-fake      0.000068     26 + 2       fine",
        "  2   two/claude-fake   0.000108     26 + 2       fine",
        "  \N{EN DASH}   one/small         0.000068     26 + 2   excluded",
        "",
        "one/small: it takes no tools.",
        "First: POST http://127.0.0.1:9/v1/chat/completions. --json shows all of it.",
        AS_STARTED,
    ]


def test_keys_need_not_be_there(folder: Path) -> None:
    assert told(folder, "one/x")["request"]["headers"]["authorization"] == "Bearer ***"


@pytest.mark.parametrize(
    ("dialect", "path"),
    [
        ("openai-chat", "/v1/chat/completions"),
        ("openai-responses", "/v1/responses"),
        ("anthropic-messages", "/v1/chat/completions"),
        ("gemini-generate", "/v1/chat/completions"),
        ("openai-embeddings", "/v1/embeddings"),
        ("gemini-embed", "/v1/embeddings"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_each_dialect_has_a_usual_request(folder: Path, dialect: str, path: str, stream: bool) -> None:
    if stream and dialect.endswith(("embed", "embeddings")):
        stream = False
    shown = told(folder, "one/x", dialect=dialect, stream=stream)

    assert (shown["dialect"], shown["stream"]) == (dialect, stream)
    assert shown["request"]["url"] == f"http://127.0.0.1:9{path}"
    assert shown["request"]["body"]["model"] == "x"


def test_the_model_that_is_asked_for_wins_over_that_of_the_body(folder: Path) -> None:
    body = {"model": "other", "messages": [{"role": "user", "content": "Hello"}]}

    assert told(folder, "split", body=body)["model_asked"] == "split"


def test_the_size_of_the_body_is_that_of_the_prompt(folder: Path) -> None:
    body = {"messages": [{"role": "user", "content": "word" * 1000}], "max_tokens": 50}
    (candidate,) = told(folder, "split", body=body)["candidates"]

    assert candidate["expected_usage"]["prompt"] == 1000
    assert candidate["expected_usage"]["output"] <= 50


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"model": "chta"}, "nearest: chat"),
        ({"dialect": "openai-cat"}, "is no dialect that clients speak; did you mean openai-chat?"),
        (
            {"dialect": "klingon"},
            "'klingon' is no dialect that clients speak; they are anthropic-messages, gemini-generate, openai-chat, ",
        ),
        ({"dialect": "cohere-rerank"}, "is no dialect"),
        ({"dialect": "openai-speech"}, "a request in openai-speech needs --body"),
        ({"body": b"{"}, "not valid JSON"),
        ({"body": b"[]"}, "the top level must be a JSON object"),
        ({"body": {"messages": 1}}, "messages"),
        ({"url": "ftp://x"}, "expected http://host:port"),
    ],
)
def test_a_question_that_means_nothing_is_told_so(
    folder: Path, capsys: pytest.CaptureFixture[str], more: dict[str, Any], why: str
) -> None:
    status, text = ask(folder, **{"model": "chat", **more})

    assert (status, text) == (2, "")
    assert why in capsys.readouterr().err


def test_a_request_that_nobody_would_serve_fails(folder: Path) -> None:
    body = {"messages": [{"role": "user", "content": "Hello"}], "n": 2}
    status, text = ask(folder, "two/b", body=body)

    assert status == 1
    assert "The client would be told 400 unsupported_parameter" in text


def test_a_file_that_is_not_valid_has_its_own_status(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "gateway.yaml").write_text("routes: 1\n")

    assert ask(folder, "chat") == (78, "")
    assert "gateway.yaml:1:" in capsys.readouterr().err


def test_a_race_and_a_draw_are_said_in_words(folder: Path) -> None:
    assert "one/a and two/b race: the next starts after 0.25 s, at most 2 at one time." in ask(folder, "racing")[1]
    assert "The order is drawn by weight, anew for each request." in ask(folder, "split")[1]


@pytest.mark.parametrize("columns", ["60", "80"])
def test_no_name_steers_the_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)

    assert "\x1b" not in ask(folder, "one/\x1b[31mx", dialect="gemini-generate")[1]


async def test_a_running_gateway_tells_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_OF_NOBODY", "test-key-one")
    async with running(tmp_path, CONFIG, prices=PRICES) as gateway:
        for dialect in ("openai-chat", "gemini-generate", "anthropic-messages"):
            status, there = await asyncio.to_thread(
                ask, tmp_path, "chat", dialect=dialect, url=gateway.url, as_json=True
            )
            _, here = await asyncio.to_thread(ask, tmp_path, "chat", dialect=dialect, as_json=True)
            assert status == 0
            assert timeless(there) == timeless(here)


def timeless(text: str) -> dict[str, Any]:
    return {**json.loads_object(text), "time": ""}


async def test_a_running_gateway_is_asked_with_the_clients_key(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refusal = Answer(status=401, body=b'{"error": {"message": "the API key is not valid"}}')
    async with FakeUpstream(refusal) as gateway:
        monkeypatch.setenv("COSTSPAN_API_KEY", "client-key")
        status, _ = await asyncio.to_thread(ask, folder, "chat", url=gateway.url + "/")

    assert (status, gateway.requests[0].header("authorization")) == (2, "Bearer client-key")
    assert (gateway.requests[0].path, gateway.requests[0].header("x-costspan-dry-run")) == (
        "/v1/chat/completions",
        "true",
    )
    assert "answers 401: the API key is not valid" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "status", "why"),
    [
        (Answer(status=503, body=b"{}"), 1, "is no gateway that can explain a request (status 503)"),
        (Answer(body=b"<html>"), 2, "is no gateway that can explain a request (status 200)"),
        (Answer(body=b"nothing of HTTP\r\n", raw=True), 1, "does not answer (BadStatusLine)"),
    ],
)
async def test_who_is_no_gateway_is_told_apart(
    folder: Path, capsys: pytest.CaptureFixture[str], answer: Answer, status: int, why: str
) -> None:
    async with FakeUpstream(answer) as other:
        found, _ = await asyncio.to_thread(ask, folder, "chat", url=other.url)

    assert found == status
    assert why in capsys.readouterr().err


def test_a_gateway_that_is_not_there_is_a_failure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(folder, "chat", url="http://127.0.0.1:9") == (1, "")
    assert "http://127.0.0.1:9 does not answer (Connection refused)" in capsys.readouterr().err


def test_the_command_has_the_options(folder: Path) -> None:
    ended = CliRunner().invoke(
        app, ["explain", "-c", str(folder / "gateway.yaml"), "--model", "chat", "--stream", "--json"]
    )

    assert ended.exit_code == 0, ended.output
    assert json.loads_object(ended.stdout)["stream"] is True
