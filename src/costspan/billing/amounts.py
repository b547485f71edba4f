"""Exact arithmetic on money, also where a quotient has no end."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from functools import reduce
from typing import TYPE_CHECKING, Final

from costspan.pricing.rates import EXACT, ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LONGEST: Final = 60
"""Decimals that a quotient which ends can have here; one with more is taken for one that does not end."""
_PLACES: Final = Decimal("1e-12")


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    return reduce(EXACT.add, amounts, ZERO)


def add(amount: Decimal, other: Decimal) -> Decimal:
    """The exact sum of two."""
    return EXACT.add(amount, other)


def subtract(amount: Decimal, other: Decimal) -> Decimal:
    """The exact difference."""
    return EXACT.subtract(amount, other)


def multiply(amount: Decimal, factor: Decimal | int) -> Decimal:
    """The exact product."""
    return EXACT.multiply(amount, factor)


def divide(amount: Decimal, divisor: Decimal | int) -> Decimal:
    """The quotient: exact where it ends, else rounded to 12 decimals."""
    quotient = EXACT.divide(amount, divisor)
    exponent = quotient.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > _LONGEST:
        return quotient.quantize(_PLACES, ROUND_HALF_EVEN, EXACT)
    return quotient


def read(text: str | None) -> Decimal | None:
    """An amount of the ledger. Raises what `ledger.read.DAMAGED` says for what is none."""
    amount = None if text is None else Decimal(text)
    if amount is not None and not amount.is_finite():
        raise ValueError("no amount of money")
    return amount


def plain(amount: Decimal) -> str:
    """All digits of `amount` and no more, without an exponent."""
    return format(EXACT.normalize(amount), "f")


def whole_times(amount: Decimal, divisor: Decimal) -> tuple[int, Decimal]:
    """How many times `divisor` fits into `amount`, and the exact rest."""
    times = int(EXACT.divide_int(amount, divisor))
    return times, subtract(amount, multiply(divisor, times))


def allocate(amount: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Parts of `amount` in proportion to `weights`, whose sum is `amount` exactly.

    What rounding leaves over goes to the heaviest. Without any weight all parts are zero.
    """
    whole = total(weights)
    if not whole:
        return [ZERO] * len(weights)
    parts = [divide(multiply(amount, weight), whole) for weight in weights]
    heaviest = max(range(len(weights)), key=weights.__getitem__)
    parts[heaviest] = add(parts[heaviest], subtract(amount, total(parts)))
    return parts
