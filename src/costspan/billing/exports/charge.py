"""What every reader of a provider's export gives: charges, one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date
    from decimal import Decimal

    from costspan.billing.exports.rows import Row


@dataclass(frozen=True, slots=True)
class Charge:
    """One line of a bill, or of a report of usage.

    `model` is the provider's own name, None where the line is of none or of all. `bucket` is a name of `ir.usage`'s
    buckets and units, None where the amount is for all of a model. `quantity` counts tokens or units.

    `kind`: `usage` is compared with the ledger; `other` is a tax, a credit or a fee, which no ledger has; `unknown` is
    what no pattern recognises. The last two go by their `label`.
    """

    day: date
    """UTC."""
    model: str | None = None
    bucket: str | None = None
    quantity: Decimal | None = None
    usd: Decimal | None = None
    label: str = ""
    kind: Literal["usage", "other", "unknown"] = "usage"
    metered: bool = False
    """`quantity` is of a report of usage: it counts in place of quantities that stand beside amounts."""


class Format(Protocol):
    """How one provider writes. Implemented by modules: a format has no state."""

    NAME: str
    KINDS: frozenset[str]
    """Provider kinds (of gateway.yaml) whose attempts such an export bills."""
    FOLDED: Mapping[str, str]
    """Buckets of the ledger that the export does not tell from others: which one they are counted in there."""

    def recognises(self, row: Row) -> bool:
        """Whether the first row of a file is of this format."""

    def charges(self, row: Row) -> Iterator[Charge]:
        """The charges of a row; none where it is no business of the gateway's. Raises `Malformed`."""
