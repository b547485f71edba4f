"""costspan.telemetry.logs: one harmless line per record."""

from __future__ import annotations

import asyncio
import io
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from costspan.telemetry.logs import ExchangeLog, JsonFormatter, TextFormatter, configure, exchange_line, redact
from costspan.wire import json
from fakes.records import ANSWERED, ATTEMPTS, EXCHANGE, ORIGIN

if TYPE_CHECKING:
    from collections.abc import Iterator

EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
QUIETED = (
    *("aiohttp.server", "aiohttp.web", "aiohttp.internal", "asyncio", "opentelemetry.util.re", EXPORTER),
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    logger = logging.getLogger()
    handlers, level, raises = list(logger.handlers), logger.level, logging.raiseExceptions
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)
    logging.raiseExceptions = raises
    logging.getLogger("aiohttp.access").disabled = False
    for name in QUIETED:
        logging.getLogger(name).filters.clear()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads_object(line) for line in stream.getvalue().splitlines()]


def test_an_exchange_is_one_line_of_facts() -> None:
    assert exchange_line(EXCHANGE, ATTEMPTS) == {
        "time": "2026-01-01T00:00:00.952Z",
        "level": "info",
        "logger": "costspan.exchange",
        "message": "exchange",
        "exchange_id": "cs_1",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "operation": "chat",
        "route": "smart",
        "target": "anthropic/claude-sonnet-4-5",
        "outcome": "ok",
        "http_status": 200,
        "error_type": None,
        "attempts": 2,
        "failed": ["bedrock-us/us.claude: upstream_503"],
        "cost_usd": "0.000725",
        "cost_estimated_usd": "0.01",
        "cost_status": "estimated",
        "input_tokens": 160,
        "output_tokens": 25,
        "duration_ms": 952.0,
        "first_token_ms": 300.0,
        "key": "checkout",
    }


def test_what_is_not_known_is_null_and_not_zero() -> None:
    line = exchange_line(
        replace(EXCHANGE, provider=None, usage={}, cost_usd=None, cost_estimated_usd=None, first_token_ms=None), ()
    )

    assert [line[name] for name in ("target", "input_tokens", "cost_usd", "cost_estimated_usd", "first_token_ms")] == [
        None
    ] * 5


def test_an_exchange_is_written_as_it_ends(root: logging.Logger) -> None:
    stream = io.StringIO()
    configure("INFO", stream)
    log = ExchangeLog(stream)
    log.attempt_started(ANSWERED.started)
    log.attempt_ended(ANSWERED)
    log.exchange_ended(EXCHANGE, ATTEMPTS)

    assert lines(stream) == [exchange_line(EXCHANGE, ATTEMPTS)]


def test_on_a_terminal_an_exchange_is_text(root: logging.Logger) -> None:
    stream = Terminal()
    configure("INFO", stream)
    ExchangeLog(stream).exchange_ended(EXCHANGE, ATTEMPTS)

    assert stream.getvalue() == (
        "00:00:00 200 smart -> anthropic/claude-sonnet-4-5 $0.000725 estimated 160+25 tokens 952.0 ms cs_1\n"
    )


def test_exchanges_are_silent_above_info(root: logging.Logger) -> None:
    stream = io.StringIO()
    configure("WARNING", stream)
    ExchangeLog(stream).exchange_ended(EXCHANGE, ATTEMPTS)

    assert stream.getvalue() == ""


def test_a_closed_stream_does_not_hurt_a_request(root: logging.Logger) -> None:
    stream = io.StringIO()
    configure("INFO", stream)
    log = ExchangeLog(stream)
    stream.close()

    log.exchange_ended(EXCHANGE, ATTEMPTS)


def test_a_record_is_json_with_what_was_added(root: logging.Logger) -> None:
    stream = io.StringIO()
    configure("INFO", stream)
    logging.getLogger("costspan.x").warning("slow %s", "target", extra={"trace_id": "abc", "count": 3, "big": 2**70})

    (line,) = lines(stream)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "costspan.x",
        "message": "slow target",
        "trace_id": "abc",
        "count": 3,
        "big": str(2**70),
    }


def test_an_exception_is_logged_as_kind_and_places_without_its_words(root: logging.Logger) -> None:
    stream = io.StringIO()
    configure("INFO", stream)
    try:
        int("the prompt")
    except ValueError:
        logging.getLogger("costspan.x").exception("failed")

    assert "the prompt" not in stream.getvalue()
    assert lines(stream)[0]["exception"].startswith("test_logs.py:")
    assert lines(stream)[0]["exception"].endswith(" > ValueError")


HOSTILE = "a\nb\r\x1b[31mc\u2028d\x7f\x00é😀\udc80\u202e"


def test_nothing_in_a_value_can_break_a_json_line(root: logging.Logger) -> None:
    stream = io.StringIO()
    configure("INFO", stream)
    logging.getLogger("costspan.x").warning(HOSTILE, extra={"route": HOSTILE})

    assert stream.getvalue().count("\n") == 1
    assert set(stream.getvalue()) - {chr(code) for code in range(0x20, 0x7F)} == {"\n"}
    assert lines(stream)[0]["route"] == HOSTILE.replace("\udc80", "?")


def test_nothing_in_a_value_can_steer_a_terminal(root: logging.Logger) -> None:
    stream = Terminal()
    configure("INFO", stream)
    logging.getLogger("costspan.x").warning(HOSTILE.replace("\udc80", ""))
    ExchangeLog(stream).exchange_ended(replace(EXCHANGE, origin=replace(ORIGIN, route="x\x1b[2J\n")), ())

    assert stream.getvalue().count("\n") == 2
    assert not {"\x1b", "\r", "\x7f", "\x00", "\u2028", "\u202e"} & set(stream.getvalue())


@given(st.text(max_size=50))
def test_any_text_is_one_line(text: str) -> None:
    record = logging.makeLogRecord({"msg": text, "name": "x"})

    assert "\n" not in JsonFormatter().format(record)
    assert JsonFormatter().format(record).isascii()
    assert len(TextFormatter().format(record).splitlines()) == 1


KEYS = {
    "openai": "sk-proj-abcDEF0123456789",
    "anthropic": "sk-ant-api03-abcDEF0123456789",
    "openrouter": "sk-or-v1-0123456789abcdef",
    "google": "AIzaSyA0123456789abcdefghijklmnopqrstuv",
    "google access token": "ya29.a0AfH6SMBx0123456789",
    "groq": "gsk_0123456789abcdefghij",
    "xai": "xai-0123456789abcdef",
    "perplexity": "pplx-0123456789abcdef",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
def test_what_looks_like_a_key_is_redacted(key: str) -> None:
    assert redact(f"upstream said: {key}.") in {"upstream said: ***.", "upstream said: ***"}


def test_header_and_query_values_are_redacted_whatever_their_shape() -> None:
    assert redact("Authorization: Bearer s3cretvalue, x") == "Authorization: Bearer ***, x"
    assert redact("GET /v1/models?key=s3cretvalue&x=1") == "GET /v1/models?key=***&x=1"
    assert redact("x-api-key: s3cretvalue") == "x-api-key: ***"


def test_ordinary_lines_are_left_alone() -> None:
    line = '{"exchange_id":"cs_01J0ABCDEFGHJKMNPQ","route":"task-force","key":"checkout","model":"risk-assessor"}'

    assert redact(line) == line


def test_a_key_in_a_log_call_is_redacted_in_both_forms(root: logging.Logger) -> None:
    for stream in (io.StringIO(), Terminal()):
        configure("INFO", stream)
        logging.getLogger("costspan.x").warning("got %s", KEYS["openai"], extra={"more": KEYS["groq"]})
        assert "abcDEF0123456789" not in stream.getvalue()
        assert "0123456789abcdefghij" not in stream.getvalue()


def test_a_wrong_format_string_does_not_print_its_arguments(
    root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    configure("INFO", stream)
    logging.getLogger("costspan.x").warning("%d", "the prompt")

    assert "the prompt" not in stream.getvalue() + "".join(capsys.readouterr())


async def test_bytes_of_malformed_requests_are_never_logged(root: logging.Logger) -> None:
    stream = io.StringIO()
    configure("DEBUG", stream)
    canary = "c4n4ry-value"

    async def broken(request: web.Request) -> web.Response:
        raise ValueError(await request.text())

    app = web.Application()
    app.router.add_post("/", broken)
    async with TestServer(app) as server:
        for request in (
            f"GET /?key={canary}\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
            f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {canary}\x07\r\n\r\n",
            f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{canary}",
        ):
            reader, writer = await asyncio.open_connection(server.host, server.port)
            writer.write(request.encode())
            async with asyncio.timeout(5):
                await reader.read(100)
            writer.close()
            await writer.wait_closed()

    assert canary not in stream.getvalue()
    assert any("ValueError" in line["message"] for line in lines(stream) if line["logger"] == "aiohttp.server")
    assert not [line for line in lines(stream) if line["logger"] == "aiohttp.access"]


def test_an_exporter_that_keeps_failing_says_so_once_a_minute(root: logging.Logger) -> None:
    stream = io.StringIO()
    configure("INFO", stream)
    logger = logging.getLogger(EXPORTER)
    for created in (1000.0, 1001.0, 1059.0, 1060.0):
        logger.handle(logging.makeLogRecord({"name": EXPORTER, "levelno": 40, "msg": "failed", "created": created}))

    assert [line["time"] for line in lines(stream)] == ["1970-01-01T00:16:40.000Z", "1970-01-01T00:17:40.000Z"]
