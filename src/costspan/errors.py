"""Every error the gateway raises on purpose.

CostspanError
├── ConfigError              the file is wrong; startup stops, reload keeps the old snapshot
├── ClientError              the caller must change something; carries status and code
│   └── Untranslatable       the target's dialect cannot express this request
├── Malformed                bytes we could not read; whoever read them says whose fault it is
└── UpstreamError            one attempt failed; carries the category that `fallback_on` names

Codecs raise `Malformed` and do not assign blame. The reader knows whose bytes they were and
re-raises a `ClientError` (server) or an `UpstreamError` (engine).
No message of these may hold a secret, prompt content or a byte of input that was not understood.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CostspanError(Exception):
    """Base of all errors raised on purpose."""

    kind = "internal_error"
    """Low-cardinality name: OpenTelemetry's `error.type`, the ledger's `error_type`."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a configuration file. `line` and `column` count from 1; 0 means unknown."""

    file: str
    line: int
    column: int
    path: str
    reason: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{where}: {self.path}: {self.reason}" if self.path else f"{where}: {self.reason}"


class ConfigError(CostspanError):
    """The configuration is wrong. Carries every problem found, not only the first."""

    kind = "config_error"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class ClientError(CostspanError):
    """The caller has to change something. `status` and `code` are those of the HTTP chapter."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str = "invalid_value",
        param: str | None = None,
        headers: dict[str, str] | None = None,
        about: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.param = param
        self.headers = headers or {}
        self.about = about or {}
        """Names of the configuration that the log says beside the code: `key`, `budget`, `limit`."""

    @property
    def kind(self) -> str:  # type: ignore[override] # - an instance has a more exact name than its class
        """The error's code is its kind."""
        return self.code


class Untranslatable(ClientError):
    """The target's dialect cannot express `param`, and leaving it out would change the meaning."""

    def __init__(self, message: str, *, param: str) -> None:
        super().__init__(message, status=400, code="unsupported_parameter", param=param)


class Malformed(CostspanError):
    """Bytes we could not read. The reader knows whose they were and re-raises accordingly."""

    kind = "malformed"


class Category(StrEnum):
    """What went wrong with an attempt. Those that `fallback_on` may name have its words."""

    CONNECT = "connect"
    TIMEOUT = "timeout"
    RATE_LIMIT = "rate_limit"
    SERVER_ERROR = "server_error"
    AUTH = "auth"
    OVERLOADED = "overloaded"
    CONTEXT_LENGTH = "context_length"
    CONTENT_FILTER = "content_filter"
    INVALID_REQUEST = "invalid_request"
    """400, 413, 422 and the like: concerns the request, passes to the client."""
    NOT_FOUND = "not_found"
    CANCELLED = "cancelled"


class UpstreamError(CostspanError):
    """One attempt failed.

    `kind` is the ledger's `error_type` (`connect_refused`, `upstream_reset`, `first_token_timeout`, ...).
    `status` is the upstream's HTTP status, None when none came. `message` is the provider's own text,
    safe to show (bounded, control characters stripped, secrets redacted), or ours.
    `reached` says whether request bytes may have left the process: if not, the attempt cost nothing.
    `retry_after` is in seconds.
    """

    def __init__(  # noqa: PLR0913 - one fact each, keyword-only
        self,
        message: str,
        *,
        kind: str,
        category: Category,
        status: int | None = None,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        reached: bool = True,
        stale: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.category = category
        self.status = status
        self.code = code
        self.param = param
        self.retry_after = retry_after
        self.reached = reached
        self.stale = stale
        """A reused keep-alive connection died before a byte of the answer: safe to repeat at once."""
