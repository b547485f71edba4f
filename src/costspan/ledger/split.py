"""What a record cost, by billing bucket: each token bucket, each unit, and what cannot be told apart. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from costspan.ir.usage import UNITS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.ledger.read import Line

EXACT: Final = Context(prec=60)
"""Enough digits that no sum of costs is rounded."""

_ZERO: Final = Decimal(0)
_ONE_REQUEST: Final[Mapping[str, int]] = MappingProxyType({"requests": 1})
"""A usage that says nothing of `requests` is of one: `pricing.cost`."""


@dataclass(slots=True)
class Share:
    """One bucket's part of a record. `usd` is None where the cost is unknown: `estimated_usd` is set, or `unpriced`."""

    bucket: str | None
    """A token bucket or a unit; None for what has no parts: an estimate, a figure of the provider's own."""
    quantity: int | Decimal
    """Tokens or units; of what has no parts, the one request."""
    usd: Decimal | None
    estimated_usd: Decimal | None = None
    unpriced: bool = False
    usage: Mapping[str, int] | None = None
    """The tokens of what has no parts."""


def split(line: Line) -> list[Share]:
    """The shares of `line`, at least one; their costs sum to its cost. Raises what `read.DAMAGED` says.

    A unit counts where it has a price, or lacks one that it needs. Most have neither: that an attempt is a request, or
    that tokens had the form of an image, costs nothing by itself.
    """
    usd, estimated = line["cost_usd"], line["cost_estimated_usd"]
    cost = None if usd is None else Decimal(usd)
    parts = {bucket: Decimal(part) for bucket, part in line["cost_parts"].items()}
    if cost is None and line["cost_status"] == "unpriced":
        return _unpriced(line)
    if cost is None or (cost and not parts):
        return [Share(None, 1, cost, None if estimated is None else Decimal(estimated), usage=line["usage"])]
    shares = [
        Share(bucket, count, parts.get(bucket, _ZERO))
        for bucket, count in line["usage"].items()
        if count or bucket in parts
    ]
    rest = cost
    for bucket, part in parts.items():
        rest = EXACT.subtract(rest, part)
        if bucket not in line["usage"]:
            shares.append(Share(bucket, _count(line["units"].get(bucket, _ONE_REQUEST.get(bucket, 0))), part))
    shares += _without_fee(line, parts)
    if rest or not shares:
        shares.append(Share(None, 1, rest))
    return shares


def _unpriced(line: Line) -> list[Share]:
    """What is known of a record without a price. Parts that had one are in no cost, so they are none here either."""
    shares = [Share(bucket, count, None, unpriced=True) for bucket, count in line["usage"].items() if count]
    return shares + _without_fee(line, {}) or [Share(None, 1, None, unpriced=True)]


def _without_fee(line: Line, parts: Mapping[str, Decimal]) -> list[Share]:
    """Units that should have had a price and had none (`unpriced_unit:...`): their part of the cost is unknown."""
    flags = line.get("flags")
    if not flags:
        return []
    return [
        Share(unit, _count(count), None, unpriced=True)
        for unit, count in line["units"].items()
        if unit not in parts and f"unpriced_unit:{unit}" in flags and unit in UNITS
    ]


def _count(number: float) -> int | Decimal:
    return number if isinstance(number, int) else Decimal(repr(number))
