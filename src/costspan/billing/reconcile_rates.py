"""What a token costs by the ledger: on that day, else on the whole, else by the price book."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.billing.amounts import divide, multiply, total
from costspan.pricing.rates import ZERO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date
    from decimal import Decimal

    from costspan.billing.reconcile_cells import Cell, Series


class Rates:
    """USD per token or unit."""

    def __init__(self, series: Iterable[Series], look_up: Callable[[str, str, date], Decimal | None]) -> None:
        """`look_up` takes a model, a bucket and a day; it is asked for what the ledger does not know."""
        self._look_up = look_up
        self._overall: dict[tuple[str, str], Decimal] = {}
        sums: dict[tuple[str, str], list[Decimal]] = {}
        for each in series:
            for cell in each.cells.values():
                for bucket, usd in cell.parts.items():
                    if (count := cell.priced(bucket)) > 0:
                        known = sums.setdefault((each.model, bucket), [ZERO, ZERO])
                        known[0], known[1] = total([known[0], usd]), known[1] + count
        for key, (usd, count) in sums.items():
            self._overall[key] = divide(usd, count)

    def find(self, model: str, bucket: str, day: date, cell: Cell | None = None) -> Decimal | None:
        """The rate, None where nobody knows one."""
        if cell is not None and (count := cell.priced(bucket)) > 0:
            if bucket in cell.parts:
                return divide(cell.parts[bucket], count)
            if not cell.whole_usd:
                return ZERO  # it had a price, and cost nothing
        if (model, bucket) in self._overall:
            return self._overall[model, bucket]
        return self._look_up(model, bucket, day)

    def weights(self, model: str, buckets: Iterable[str], day: date, cell: Cell) -> dict[str, Decimal]:
        """How much of one amount falls on a token of each bucket; the same for all where no rate is known."""
        found = {bucket: self.find(model, bucket, day, cell) for bucket in buckets}
        known = [rate for rate in found.values() if rate]
        usual = divide(total(known), len(known)) if known else None
        if usual is None:
            return dict.fromkeys(found, ZERO + 1)
        return {bucket: usual if rate is None else rate for bucket, rate in found.items()}

    def value(self, model: str, quantities: Mapping[str, Decimal], day: date, cell: Cell) -> Decimal | None:
        """What the quantities cost; None where a rate is missing."""
        rates = {bucket: self.find(model, bucket, day, cell) for bucket in quantities}
        if any(rate is None for rate in rates.values()):
            return None
        return total(multiply(rate, quantities[bucket]) for bucket, rate in rates.items() if rate is not None)
