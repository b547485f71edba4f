"""The whole file as frozen values. Attribute names are the keys of the YAML."""

import ipaddress
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from costspan.config.billing import BillingPlan, DatedPlan, FreeAllowance, Surcharge, TopUp
from costspan.config.clients import Budget, ExceedRoute, Key, Limits
from costspan.config.fields import (
    ApiKey,
    Count,
    Duration,
    Endpoint,
    Flag,
    HeaderName,
    HeaderValue,
    Integer,
    Label,
    Section,
    Size,
    Text,
)
from costspan.config.prices import HourBand, PriceRow, Prices, PriceTier, Rates, ServiceTier
from costspan.config.providers import Defaults, DefaultTimeouts, FallbackReason, Provider, Timeouts
from costspan.config.routes import Constraints, PriceCeiling, Race, Route, Target

__all__ = [
    "Admin",
    "Attribution",
    "BillingPlan",
    "Budget",
    "Config",
    "Constraints",
    "DefaultTimeouts",
    "Defaults",
    "ExceedRoute",
    "FallbackReason",
    "FreeAllowance",
    "HourBand",
    "Key",
    "Ledger",
    "Limits",
    "Otlp",
    "PriceCeiling",
    "PriceRow",
    "PriceTier",
    "Prices",
    "Provider",
    "Race",
    "Rates",
    "Route",
    "Server",
    "ServiceTier",
    "Surcharge",
    "Target",
    "Telemetry",
    "Timeouts",
    "TopUp",
]

_LARGEST_PORT = 65535
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")


def listen_address(text: str) -> str:
    """`host:port` or `unix:/path`, as it is. Raises `ValueError` for anything else."""
    if text.startswith("unix:"):
        if not text.removeprefix("unix:").startswith("/"):
            raise ValueError("expected unix: and an absolute path")
        return text
    host, colon, port = text.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > _LARGEST_PORT:
        raise ValueError("expected host:port such as 127.0.0.1:8080, [::]:8080, or unix:/path")
    if ":" in host:
        _ipv6(host)
    return text


def _ipv6(host: str) -> None:
    if not (host.startswith("[") and host.endswith("]")):
        raise ValueError("an IPv6 address stands in brackets, as in [::1]:8080")
    try:
        ipaddress.IPv6Address(host[1:-1])
    except ValueError:
        raise ValueError("not an IPv6 address") from None


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError("expected a host name, without scheme and path")
    return text.lower()


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.netloc or text != f"{parts.scheme}://{parts.netloc}":
        raise ValueError("expected an origin such as https://app.example.com, without path")
    return text.lower()


Listen = Annotated[str, AfterValidator(listen_address), Label("address")]
Host = Annotated[str, AfterValidator(_host), Label("host")]
Origin = Annotated[str, AfterValidator(_origin), Label("origin")]


class Server(Section):
    """The listener that clients call."""

    listen: Listen = Field(default="127.0.0.1:8080", description="host:port, [::]:port or unix:/path; needs a restart")
    workers: Annotated[Integer, Field(ge=0, le=256)] = Field(
        default=1, description="processes that share the port; 0 = one per core; needs a restart"
    )
    max_request_bytes: Size = Field(default=32 * 2**20, description="largest request body")
    max_in_flight: Count = Field(
        default=1000, description="requests at one time per worker; above it 503 before the body is read"
    )
    keepalive_comment: Duration = Field(default=10.0, description="SSE comment while a stream is silent; 0 = off")
    shutdown_grace: Duration = Field(default=30.0, description="how long streams may finish after SIGTERM")
    allowed_hosts: tuple[Host, ...] = Field(
        default=(), description="Host names accepted besides loopback names and the listen address"
    )
    allowed_origins: tuple[Origin, ...] = Field(default=(), description="browser origins accepted (CORS)")
    auth: Literal["keys", "none"] = Field(
        default="keys",
        description="`keys` without any key is open on loopback and refuses to start elsewhere",
    )
    cost_in_body: Flag = Field(default=False, description="put the cost into the `usage` object of answers")


class Admin(Section):
    """Health, metrics, console and administration."""

    listen: Listen | None = Field(
        default=None,
        description="address that /healthz, /readyz, /metrics and /admin/* move to; null: the main listener",
    )
    token: ApiKey | None = Field(
        default=None, description="needed for /admin/*: always where it is set, and elsewhere than on loopback"
    )


class Attribution(Section):
    """How requests are attributed to whoever caused them."""

    attributes: tuple[Text, ...] = Field(
        default=("team", "feature", "environment", "customer"), description="names of the attributes that are recorded"
    )
    headers: dict[HeaderName, Text] = Field(default={}, description="request header → attribute")
    baggage: Flag = Field(default=True, description="read W3C baggage members of those names")
    defaults: dict[Text, str] = Field(default={}, description="values of attributes that a request does not say")
    metric_attributes: tuple[Text, ...] = Field(
        default=(), description='attributes that become metric labels; at most 200 values each, the rest become "other"'
    )


class Otlp(Section):
    """Where telemetry is sent. `OTEL_*` environment variables win."""

    endpoint: Endpoint | None = Field(default=None, description="URL of the collector; null: not sent")
    protocol: Literal["http/protobuf", "grpc"] = Field(default="http/protobuf", description="how it is sent")
    headers: dict[HeaderName, HeaderValue] = Field(
        default={}, description="headers of exports; values may be references"
    )


class Telemetry(Section):
    """Traces and metrics."""

    service_name: Text = Field(default="costspan", description="OpenTelemetry `service.name`")
    otlp: Otlp = Field(default=Otlp(), description="export by OTLP")
    prometheus: Flag = Field(default=True, description="serve /metrics")
    capture_content: Flag = Field(default=False, description="put prompts and answers on spans")
    cost_aliases: tuple[Text, ...] = Field(
        default=(), description="further span attributes that carry the cost, such as gen_ai.usage.cost"
    )


class Ledger(Section):
    """The append-only record of attempts and exchanges."""

    dir: Text | None = Field(default="./ledger", description="folder of the ledger files; null = off")
    rotate: Literal["day"] = Field(default="day", description="when a new file begins, UTC")
    fsync: Duration = Field(
        default=1.0, description="how often what was written is forced to disk; 0 = when the system likes"
    )
    keep: Duration | None = Field(default=90 * 86400.0, description="age at which files are deleted; null = never")


class Config(Section):
    """The whole file."""

    server: Server = Field(default=Server(), description="the listener that clients call")
    admin: Admin = Field(default=Admin(), description="health, metrics, console and administration")
    providers: dict[Text, Provider] = Field(default={}, description="where requests can be sent, by name")
    defaults: Defaults = Field(default=Defaults(), description="what holds for every route that does not say otherwise")
    routes: dict[Text, Route] = Field(default={}, description="model names that clients may ask for, exact or glob")
    direct_targets: Flag = Field(
        default=True,
        description="whether `provider/model`, and a provider's own paths, may be asked for without a route",
    )
    default_route: Text | None = Field(default=None, description="route for unknown model names; null: 404")
    prices: Prices = Field(default=Prices(), description="what things cost")
    keys: tuple[Key, ...] = Field(default=(), description="the keys that clients present")
    budgets: tuple[Budget, ...] = Field(default=(), description="ceilings for spending")
    attribution: Attribution = Field(default=Attribution(), description="how requests are attributed")
    telemetry: Telemetry = Field(default=Telemetry(), description="traces and metrics")
    ledger: Ledger = Field(default=Ledger(), description="the append-only record")
    billing_plans: dict[Text, DatedPlan] = Field(
        default={}, description="plans for `costspan compare`, by name; each a section, or a list of dated ones"
    )
