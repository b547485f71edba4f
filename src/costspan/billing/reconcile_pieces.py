"""Pieces: what one cause explains of the difference on one day, for one model and part."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from costspan.billing.amounts import multiply

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

_FLOAT: Final = Decimal("1e-9")
"""Amounts may have been floats on their way, whatever number of digits is written."""


class Cause(StrEnum):
    """Why the two sides differ. The order is that of the report."""

    OUTSIDE = "traffic_outside_gateway"
    PRICE = "price"
    BOUNDARY = "day_boundary"
    ESTIMATED = "still_estimated"
    MISSING_PRICE = "missing_price"
    NOT_BILLED = "not_billed"
    OTHER_CHARGE = "other_charge"
    ROUNDING = "rounding"
    UNRECOGNISED = "not_recognised"
    UNEXPLAINED = "unexplained"


UNSETTLED: Final = frozenset({Cause.UNRECOGNISED, Cause.UNEXPLAINED})
"""What counts against the tolerance: nobody knows why."""


@dataclass(frozen=True, slots=True)
class Piece:
    """`usd` is the provider's amount less the ledger's; None where nobody knows it."""

    cause: Cause
    day: date
    model: str
    part: str
    usd: Decimal | None
    quantities: Mapping[str, Decimal] = field(default_factory=dict)
    label: str = ""
    """What the export calls a charge that is no usage."""
    own_usd: Decimal | None = None
    """Of a price: what the ledger says for the same usage."""
    their_usd: Decimal | None = None
    """Of a price: what the provider charges for it."""
    moved_usd: Decimal | None = None
    """Of a boundary: what is booked on the other day, whatever it comes to in the sum."""
    estimate_usd: Decimal | None = None
    """Of an estimate: what the ledger expected."""


def tolerance(rows: int, places: int) -> Decimal:
    """What rounding may come to in `rows` amounts of so many decimals."""
    half = Decimal(5).scaleb(-places - 1)
    return multiply(max(half, _FLOAT), max(rows, 1))
