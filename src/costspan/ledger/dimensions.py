"""What lines of the ledger are grouped and filtered by. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from costspan.ledger.read import Line

BUCKET: Final = "bucket"
TIMES: Final = ("month", "day", "hour")
_ATTRIBUTES: Final = "attributes."
_FIELDS: Final = (
    "model_requested",
    "model_served",
    "model_asked",
    "route",
    "strategy",
    "key",
    "provider",
    "provider_kind",
    "operation",
    "dialect_in",
    "dialect_out",
    "stream",
    "index",
    "outcome",
    "http_status",
    "error_type",
    "finish_reasons",
    "cost_status",
    "estimate_basis",
    "price_source",
    "price_version",
    "service_tier",
    "flags",
    "dropped",
    "exchange_id",
    "client_request_id",
    "upstream_id",
    "trace_id",
    "config_generation",
)


def _text(value: object) -> str | None:
    """A field's value as a group's name."""
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case list():
            return ", ".join(map(str, value)) or None
        case _:
            raise TypeError("not a field that groups")


def _field(name: str) -> Callable[[Line], str | None]:
    return lambda line: _text(line.get(name))


DIMENSIONS: Mapping[str, Callable[[Line], str | None]] = MappingProxyType(
    {
        "model": lambda line: _text(line["model_served"] or line["model_requested"]),
        "status": _field("cost_status"),
        "month": lambda line: line["time"][:7],
        "day": lambda line: line["time"][:10],
        "hour": lambda line: line["time"][:13],
        BUCKET: lambda _: None,
        **{name: _field(name) for name in _FIELDS},
    }
)
"""What can be grouped by; any other name is an attribute's, with or without `attributes.` before it.

`bucket` is no single value: it splits a line by what its cost consists of.
"""


def dimension(name: str) -> Callable[[Line], str | None]:
    """What reads the value of a dimension, or of an attribute, from a line."""
    if name in DIMENSIONS:
        return DIMENSIONS[name]
    attribute = name.removeprefix(_ATTRIBUTES)
    return lambda line: _text(line["attributes"].get(attribute))


class Filter:
    """Which lines are wanted, and what attributes there are at all.

    `where` has the values that are wanted of a dimension, "" for lines that have none; all dimensions must agree.
    """

    def __init__(self, where: Mapping[str, Iterable[str]] | None = None) -> None:
        self.seen = 0
        """Lines that were looked at, wanted or not."""
        self.attributes: set[str] = set()
        """Names that any of them had."""
        self._conditions: Final = [(dimension(name), frozenset(values)) for name, values in (where or {}).items()]

    def wants(self, line: Line) -> bool:
        """Whether `line` is wanted. Raises what `read.DAMAGED` says."""
        self.seen += 1
        self.attributes.update(line["attributes"])
        return all((value_of(line) or "") in wanted for value_of, wanted in self._conditions)

    def unknown(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of `names` that neither are a dimension nor occur as an attribute: probably misspelt."""
        return tuple(
            name for name in names if name not in DIMENSIONS and name.removeprefix(_ATTRIBUTES) not in self.attributes
        )
