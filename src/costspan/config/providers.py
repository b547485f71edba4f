"""Sections of the file that say where requests can be sent, and how long to wait there."""

import ipaddress
from decimal import Decimal
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from costspan.config.fields import (
    ApiKey,
    Count,
    Duration,
    Flag,
    HeaderName,
    HeaderValue,
    Integer,
    Label,
    Percent,
    Section,
    Text,
)

FallbackReason = Literal[
    "connect",
    "timeout",
    "rate_limit",
    "server_error",
    "auth",
    "overloaded",
    "context_length",
    "content_filter",
]
DEFAULT_FALLBACK_ON: tuple[FallbackReason, ...] = (
    "connect",
    "timeout",
    "rate_limit",
    "server_error",
    "auth",
    "overloaded",
)

_PLAIN_HTTP_SUFFIXES = (".svc", ".local", ".localhost", ".docker.internal")
"""Names that only a cluster's or a machine's own resolver answers; the rest must be https."""

_OPERATIONS = ("/chat/completions", "/completions", "/messages", "/responses", "/embeddings")
"""Paths of single operations, which the gateway adds itself."""


def is_loopback(url: str | None) -> bool:
    """Whether `url` names this machine: no request to it leaves the host."""
    host = (urlsplit(url).hostname or "") if url else ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _base_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("not a URL") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError("expected a URL that begins with https:// and names a host")
    if not url.isascii() or any(character <= " " or character == "\x7f" for character in url):
        raise ValueError("a URL is written in ASCII without spaces; write an international host name in punycode")
    if "@" in parts.netloc:
        raise ValueError("a URL must not hold user or password: use api_key or headers")
    if "?" in url or "#" in url:
        raise ValueError("a base URL has no query and no fragment")
    operation = next((end for end in _OPERATIONS if parts.path.rstrip("/").endswith(end)), None)
    if operation is not None:
        raise ValueError(f"end the URL before {operation}: a base URL is the root of an API")
    if parts.scheme == "http" and not _may_be_plain(url, host):
        raise ValueError("http:// is allowed only to loopback and cluster-internal names; use https://")
    return url.rstrip("/")


def _may_be_plain(url: str, host: str) -> bool:
    single_label = "." not in host and ":" not in host and not host.isdigit()
    return is_loopback(url) or single_label or host.endswith(_PLAIN_HTTP_SUFFIXES)


BaseUrl = Annotated[str, AfterValidator(_base_url), Label("URL")]


class Timeouts(Section):
    """How long to wait in each phase of an attempt. What is absent is inherited."""

    connect: Duration | None = Field(default=None, description="until the connection, TLS included, stands")
    first_token: Duration | None = Field(
        default=None,
        description="from the request sent to the first content of a stream; whole answers get their share of `total`",
    )
    idle: Duration | None = Field(
        default=None, description="between two events of a stream; comments and pings count as signs of life"
    )
    total: Duration | None = Field(default=None, description="for the whole exchange, all attempts together")


class DefaultTimeouts(Timeouts):
    """The timeouts of routes and providers that do not say otherwise. null: no limit."""

    connect: Duration | None = Field(default=5.0, description="until the connection, TLS included, stands")
    first_token: Duration | None = Field(
        default=60.0,
        description="from the request sent to the first content of a stream; whole answers get their share of `total`",
    )
    idle: Duration | None = Field(
        default=60.0, description="between two events of a stream; comments and pings count as signs of life"
    )
    total: Duration | None = Field(default=600.0, description="for the whole exchange, all attempts together")


class Defaults(Section):
    """What holds for every route that does not say otherwise."""

    retries: Annotated[Integer, Field(ge=0, le=10)] = Field(
        default=1, description="further tries on the same target, inside the process-wide retry budget"
    )
    timeouts: DefaultTimeouts = Field(default=DefaultTimeouts(), description="how long to wait, by phase")
    fallback_on: tuple[FallbackReason, ...] = Field(
        default=DEFAULT_FALLBACK_ON, description="failures after which the next target is tried"
    )


class Provider(Section):
    """A place requests can be sent, billed to one account. Its name in the file is the first part of its targets."""

    kind: Text | None = Field(
        default=None, description="how it is reached and what it speaks; a well-known provider name implies it"
    )
    base_url: BaseUrl | None = Field(
        default=None,
        description="root of its API, implied by the kind; https, except to loopback and cluster names",
    )
    api_key: ApiKey | None = Field(
        default=None,
        description="reference to the key: `${NAME}` or `file:/run/secrets/name`; a literal only where base_url is "
        "loopback. Without one, kinds azure, bedrock and vertex use the credentials of the environment",
    )
    api_keys: tuple[ApiKey, ...] = Field(default=(), description="a pool of keys instead of one")
    discount: Percent = Field(default=Decimal(0), description="negotiated discount off every price of this account")
    headers: dict[HeaderName, HeaderValue] = Field(
        default={}, description="headers added to every request; values may be references"
    )
    max_concurrency: Count | None = Field(default=None, description="attempts at one time; null: no limit")
    timeouts: Timeouts | None = Field(default=None, description="instead of the defaults, by phase")
    price_as: Text | None = Field(
        default=None,
        description="`free`; `provider`: trust the cost it reports itself; or the catalog's name of the provider whose "
        "prices hold",
    )
    dialects: tuple[Text, ...] | None = Field(
        default=None, description="what it speaks, instead of the kind's dialects of the same operations"
    )
    abort_stops_billing: Flag | None = Field(
        default=None, description="whether closing the connection stops the billing; null: what is known of the kind"
    )
    propagate_trace: Flag = Field(default=False, description="send a `traceparent` to it")
    project: Text | None = Field(default=None, description="Google Cloud project (kind vertex: required)")
    location: Text | None = Field(
        default=None, description="Google Cloud location, such as europe-west1, eu or global (kind vertex: required)"
    )
    region: Text | None = Field(default=None, description="AWS region (kind bedrock: required)")
    api_version: Text | None = Field(
        default=None, description="dated `api-version` to ask for, null for the v1 API (kind azure)"
    )
    models: tuple[Text, ...] = Field(default=(), description="model ids it serves, for the list of models")

    @model_validator(mode="after")
    def _pool_of_one(self) -> Self:
        """`api_key` is the short way to write a pool of one; readers look at `api_keys` only."""
        if self.api_key is not None and not self.api_keys:
            object.__setattr__(self, "api_keys", (self.api_key,))
        return self
