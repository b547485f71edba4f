r"""Logs: one line per record on stderr, JSON, or text where stderr is a terminal.

A line is ASCII, has no control characters, and ends with the only newline in it, whatever a client put into a value.
Nothing of a request is logged: aiohttp's server logger is stripped to the kind of error, because it logs the bytes of
malformed requests, keys included; its access log is off; tracebacks name places, not values. `redact` is a second net
under all that, for what has the shape of a key.
"""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
from functools import lru_cache
from typing import TYPE_CHECKING, TextIO

from costspan.errors import Malformed
from costspan.ir.usage import completion_tokens, prompt_tokens
from costspan.telemetry.attributes import clean
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from costspan.ledger.records import Attempt, AttemptStarted, Exchange

EXCHANGE_LOGGER = "costspan.exchange"

_MAX_MESSAGE = 4096
_MAX_FRAMES = 20
_NS_PER_MS = 1_000_000
_MINUTE = 60.0

_KEY_SHAPES = re.compile(
    r"""
      \b(?:sk|pk|rk|cs|xai|pplx|nvapi|csk)-[A-Za-z0-9_-]{8,}   # most providers
    | \b(?:gsk|hf|r8|fw|cs[kp]|tgp|key)_[A-Za-z0-9_-]{12,}
    | \bAIza[A-Za-z0-9_-]{20,}                              # Google
    | \bya29\.[A-Za-z0-9._-]{10,}
    | \b(?:AKIA|ASIA)[A-Z0-9]{12,}                          # AWS
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.?[A-Za-z0-9_-]*   # JSON web token
    | (?<=[Bb]earer[ ])[A-Za-z0-9._~+/=-]{4,}
    | (?<=[?&]key=)[A-Za-z0-9._~%+/-]{4,}
    | (?<=api-key:[ ])[A-Za-z0-9._~+/=-]{4,}
    """,
    re.VERBOSE,
)
_HINTS = (
    *("sk-", "pk-", "rk-", "cs-", "xai-", "pplx-", "nvapi-"),
    *("gsk_", "hf_", "r8_", "fw_", "csk_", "csp_", "tgp_", "key_"),
    *("AIza", "ya29.", "AKIA", "ASIA", "eyJ", "earer ", "key=", "api-key: "),
)
"""One of these is in everything that the pattern matches."""
_NOT_PLAIN = re.compile(r"[^\x20-\x7e]")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""Attributes of every log record; what else a record has came by `extra`."""


def redact(text: str) -> str:
    """`text` with whatever looks like a key replaced by `***`."""
    for hint in _HINTS:  # far faster than the pattern, and most lines have none
        if hint in text:
            return _KEY_SHAPES.sub("***", text)
    return text


def configure(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Make the root logger write to `stream` (stderr if None) in our form. Replaces what was set up before."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter() if stream.isatty() else JsonFormatter())
    root = logging.getLogger()
    for old in tuple(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.raiseExceptions = False  # else a bad format string prints its arguments
    _quiet_libraries()


class JsonFormatter(logging.Formatter):
    """A record as a JSON object: time, level, logger, message, what `extra` added, where an exception came from."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without its newline."""
        fields: json.Object = {
            "time": _timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:_MAX_MESSAGE],
        }
        fields.update({name: value for name, value in vars(record).items() if name not in _STANDARD})
        if record.exc_info and record.exc_info[0]:
            fields["exception"] = _exception(record.exc_info[0], record.exc_info[2])
        return _json_line({name: _plain(value) for name, value in fields.items()})


class TextFormatter(logging.Formatter):
    """A record for the eyes: time, level, message, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without its newline."""
        line = f"{_timestamp(record.created)[11:19]} {record.levelname.lower():7} {record.getMessage()[:_MAX_MESSAGE]}"
        if record.exc_info and record.exc_info[0]:
            line += f" [{_exception(record.exc_info[0], record.exc_info[2])}]"
        return _one_line(redact(line))


def exchange_line(exchange: Exchange, attempts: Sequence[Attempt]) -> dict[str, object]:
    """Fields of the one line per exchange. Money is a decimal string; a fact that is not known is None."""
    origin = exchange.origin
    usage = exchange.usage
    answered = exchange.provider is not None
    return {
        "time": _timestamp((exchange.time_ns // _NS_PER_MS + exchange.duration_ms) / 1000),
        "level": "info",
        "logger": EXCHANGE_LOGGER,
        "message": "exchange",
        "exchange_id": origin.exchange_id,
        "trace_id": origin.trace_id,
        "operation": origin.operation,
        "route": clean(origin.route),
        "target": clean(f"{exchange.provider}/{exchange.model_requested}") if answered else None,
        "outcome": exchange.outcome,
        "http_status": exchange.http_status,
        "error_type": exchange.error_type,
        "attempts": exchange.attempts,
        "failed": [_failure(attempt) for attempt in attempts if attempt.outcome == "failed"],
        "cost_usd": None if exchange.cost_usd is None else format(exchange.cost_usd, "f"),
        "cost_estimated_usd": None if exchange.cost_estimated_usd is None else format(exchange.cost_estimated_usd, "f"),
        "cost_status": exchange.cost_status,
        "input_tokens": prompt_tokens(usage) if usage else None,
        "output_tokens": completion_tokens(usage) if usage else None,
        "duration_ms": round(exchange.duration_ms, 3),
        "first_token_ms": None if exchange.first_token_ms is None else round(exchange.first_token_ms, 3),
        "key": None if origin.key is None else clean(origin.key),
    }


class ExchangeLog:
    """An `engine.observer.Observer` that writes one line per exchange, past the logging module, which is slower."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Writes to `stream` (stderr if None); silent while the level of `costspan.exchange` is above INFO."""
        self._stream = stream or sys.stderr
        self._format = _text_line if self._stream.isatty() else _json_line
        self._logger = logging.getLogger(EXCHANGE_LOGGER)

    def attempt_started(self, started: AttemptStarted) -> None:
        """Nothing."""

    def attempt_ended(self, attempt: Attempt) -> None:
        """Nothing."""

    def exchange_ended(self, exchange: Exchange, attempts: Sequence[Attempt]) -> None:
        """Write the line. A stream that cannot be written to is not a request's problem."""
        if not self._logger.isEnabledFor(logging.INFO):
            return
        try:
            self._stream.write(self._format(exchange_line(exchange, attempts)) + "\n")
            self._stream.flush()
        except (OSError, ValueError, Malformed):
            return


class _OnlyTheKind(logging.Filter):
    """Leaves the kind of error of a record, and where it was raised, and nothing of its content."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info
        record.msg = _exception(error[0], error[2]) if error and error[0] else "message withheld"
        record.args = ()
        record.exc_info = None
        record.exc_text = None
        record.stack_info = None
        return True


class _OncePerMinute(logging.Filter):
    """Lets one record per logger and level pass each minute: a collector that is down is said, not repeated."""

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        source = (record.name, record.levelno)
        before = self._passed.get(source)
        if before is not None and 0 <= record.created - before < _MINUTE:
            return False
        self._passed[source] = record.created
        return True


_ONLY_THE_KIND = _OnlyTheKind()
_ONCE_PER_MINUTE = _OncePerMinute()


def _quiet_libraries() -> None:
    """Strip the loggers that print input, exceptions or header values; silence those that only repeat ours."""
    for name in ("aiohttp.server", "aiohttp.web", "aiohttp.internal", "asyncio", "opentelemetry.util.re"):
        logging.getLogger(name).addFilter(_ONLY_THE_KIND)
    for name in ("http.trace_exporter", "http.metric_exporter", "grpc.exporter"):
        logging.getLogger(f"opentelemetry.exporter.otlp.proto.{name}").addFilter(_ONCE_PER_MINUTE)
    logging.getLogger("aiohttp.access").disabled = True
    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it counts changes, those of our own log among them


def _failure(attempt: Attempt) -> str:
    started = attempt.started
    return clean(f"{started.provider}/{started.model_requested}: {attempt.error_type}")


def _exception(kind: type[BaseException], where: TracebackType | None) -> str:
    """Kind and places. Not the exception's own words, which may quote a prompt."""
    frames = traceback.extract_tb(where)[-_MAX_FRAMES:]
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    return " > ".join([*places, kind.__name__])


def _plain(value: object) -> object:
    """`value` as something that JSON can say."""
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 53 else str(value)
    return str(value).encode(errors="replace").decode()


def _json_line(fields: Mapping[str, object]) -> str:
    """One JSON object in ASCII. Control characters are escaped by the encoder, the rest here."""
    line = json.text(fields)
    if not (line.isascii() and line.isprintable()):
        line = _NOT_PLAIN.sub(_escape, line)
    return redact(line)


def _text_line(fields: Mapping[str, object]) -> str:
    """An exchange for the eyes."""
    cost = "unpriced" if fields["cost_usd"] is None else f"${fields['cost_usd']}"
    tokens = "" if fields["input_tokens"] is None else f" {fields['input_tokens']}+{fields['output_tokens']} tokens"
    error = "" if fields["error_type"] is None else f" {fields['error_type']}"
    line = (
        f"{str(fields['time'])[11:19]} {fields['http_status']}{error} {fields['route']} -> {fields['target'] or '-'} "
        f"{cost} {fields['cost_status']}{tokens} {fields['duration_ms']} ms {fields['exchange_id']}"
    )
    return _one_line(redact(line))


def _escape(match: re.Match[str]) -> str:
    """The JSON escape of one character, as a surrogate pair beyond the basic plane."""
    code = ord(match[0])
    if code < 1 << 16:
        return f"\\u{code:04x}"
    code -= 1 << 16
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def _one_line(text: str) -> str:
    """`text` with everything that a terminal might obey written out."""
    return "".join([char if char.isprintable() else char.encode("unicode_escape").decode() for char in text])


def _timestamp(seconds: float) -> str:
    """RFC 3339 in UTC, with milliseconds."""
    whole, fraction = divmod(int(seconds * 1000), 1000)
    return f"{_second(whole)}.{fraction:03d}Z"


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
