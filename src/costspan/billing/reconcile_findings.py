"""Findings: pieces of one cause put together, with a sentence for people.

Prices are put together where one ratio holds: over days, then over buckets and models. So a discount of 20 % is one
finding, whatever it was taken off, and its start or end within the month is seen.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Final

from costspan.billing.amounts import divide, multiply, subtract, total
from costspan.billing.reconcile_cells import ALL_BUCKETS
from costspan.billing.reconcile_pieces import UNSETTLED, Cause
from costspan.ir.usage import UNITS
from costspan.pricing.rates import ONE, ZERO

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from costspan.billing.reconcile_pieces import Piece

_MILLION: Final = 1_000_000
_SAME_RATIO: Final = Decimal("0.0005")
_TENTH: Final = Decimal("0.1")
_THOUSANDTH: Final = Decimal("0.001")
_SETTLED_PRICES: Final = 3
"""A series whose ratio changes more often has no price that one could name."""
_TITLES: Final = {
    Cause.OUTSIDE: "traffic that did not pass the gateway",
    Cause.BOUNDARY: "booked on the neighbouring day",
    Cause.ESTIMATED: "still estimated in the ledger",
    Cause.MISSING_PRICE: "no price in the ledger",
    Cause.NOT_BILLED: "in the ledger, not in the export",
    Cause.ROUNDING: "rounding",
    Cause.UNEXPLAINED: "unexplained",
}


@dataclass(frozen=True, slots=True)
class EffectiveRate:
    """What a million tokens, or one unit, came to on each side."""

    model: str
    bucket: str
    charged_usd: Decimal
    ledger_usd: Decimal


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause and what it comes to. `usd` is the provider's amount less the ledger's."""

    cause: Cause
    title: str
    models: tuple[str, ...]
    parts: tuple[str, ...]
    days: tuple[date, ...]
    usd: Decimal | None
    """None where nobody knows it; what is known of it where a part is `unknown`."""
    unknown: bool = False
    quantities: Mapping[str, Decimal] = field(default_factory=dict)
    moved_usd: Decimal | None = None
    estimate_usd: Decimal | None = None
    ratio: Decimal | None = None
    """What is charged for a dollar of the ledger."""
    rates: tuple[EffectiveRate, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether somebody knows why, and how much."""
        return self.cause not in UNSETTLED and not self.unknown

    @property
    def below_ledger(self) -> Decimal | None:
        """Percent that the provider charges less than the ledger says; negative: more."""
        return None if self.ratio is None else _percent(self.ratio)


def find(pieces: Iterable[Piece]) -> list[Finding]:
    """Put `pieces` together, in the order of causes, the dearest first."""
    grouped: dict[tuple[Cause, Hashable], list[Piece]] = defaultdict(list)
    prices: dict[tuple[str, str], list[Piece]] = defaultdict(list)
    for piece in pieces:
        if piece.cause is Cause.PRICE:
            prices[piece.model, piece.part].append(piece)
        else:
            grouped[piece.cause, _key(piece)].append(piece)
    findings = [_finding(cause, _title(cause, group[0]), group) for (cause, _), group in grouped.items()]
    findings += _prices(prices)
    order = list(Cause)
    return sorted(findings, key=lambda each: (order.index(each.cause), -abs(each.usd or ZERO), each.title, each.models))


def _key(piece: Piece) -> Hashable:
    if piece.cause is Cause.ROUNDING:
        return None
    return piece.label or piece.model


def _title(cause: Cause, piece: Piece) -> str:
    if cause is Cause.OTHER_CHARGE:
        return f"no usage: {piece.label}"
    if cause is Cause.UNRECOGNISED:
        return f"not recognised: {piece.label}"
    return _TITLES[cause]


def _finding(cause: Cause, title: str, pieces: Sequence[Piece]) -> Finding:
    quantities: dict[str, Decimal] = {}
    for piece in pieces:
        for bucket, count in piece.quantities.items():
            if cause is not Cause.BOUNDARY or count > 0:
                quantities[bucket] = quantities.get(bucket, ZERO) + count
    known = [piece.usd for piece in pieces if piece.usd is not None]
    return Finding(
        cause,
        title,
        models=tuple(sorted({piece.model for piece in pieces if piece.model})),
        parts=tuple(sorted({piece.part for piece in pieces if piece.part})),
        days=tuple(sorted({piece.day for piece in pieces})),
        usd=total(known) if known else None,
        unknown=len(known) < len(pieces),
        quantities=quantities,
        moved_usd=_sum(piece.moved_usd for piece in pieces),
        estimate_usd=_sum(piece.estimate_usd for piece in pieces),
    )


def _sum(values: Iterable[Decimal | None]) -> Decimal | None:
    known = [value for value in values if value is not None]
    return total(known) if known else None


def _prices(series: Mapping[tuple[str, str], Sequence[Piece]]) -> Iterator[Finding]:
    merged: dict[Hashable, list[Piece]] = defaultdict(list)
    for (model, _), pieces in series.items():
        segments = list(_segments(sorted(pieces, key=lambda piece: piece.day)))
        settled = len(segments) <= _SETTLED_PRICES
        for segment in segments:
            merged[_rounded(_ratio(segment)) if settled else model] += segment
    for group in merged.values():
        plain = _finding(Cause.PRICE, "", group)
        ratio = _ratio(group)
        yield Finding(
            Cause.PRICE,
            _price_title(group, ratio),
            plain.models,
            plain.parts,
            plain.days,
            plain.usd,
            quantities=plain.quantities,
            ratio=ratio,
            rates=tuple(_rates(group)),
        )


def _segments(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Days one after another with one ratio."""
    segment: list[Piece] = []
    for piece in pieces:
        if segment and not _fits(piece, _ratio(segment)):
            yield segment
            segment = []
        segment.append(piece)
    if segment:
        yield segment


def _fits(piece: Piece, ratio: Decimal | None) -> bool:
    own = piece.own_usd or ZERO
    if ratio is None or not own:
        return ratio is None and not own
    return abs(subtract(piece.their_usd or ZERO, multiply(own, ratio))) <= _SAME_RATIO * abs(own)


def _ratio(pieces: Iterable[Piece]) -> Decimal | None:
    """None where the ledger has it for nothing."""
    pieces = list(pieces)
    own = total(piece.own_usd or ZERO for piece in pieces)
    return divide(total(piece.their_usd or ZERO for piece in pieces), own) if own else None


def _rounded(ratio: Decimal | None) -> Decimal | None:
    return None if ratio is None else ratio.quantize(_THOUSANDTH, ROUND_HALF_EVEN)


def _price_title(pieces: Sequence[Piece], ratio: Decimal | None) -> str:
    if ratio is None:
        return "charged, and free in the ledger"
    if not ratio:
        return "used, and not charged"
    each = sorted(_percent(found) for piece in pieces if (found := _ratio([piece])) is not None)
    if each[-1] - each[0] > _TENTH * 2 or not each:
        return f"price differs, from {each[0]} % to {each[-1]} % below the ledger's"
    percent = _percent(ratio)
    if len({piece.day for piece in pieces}) == 1:
        return f"price {abs(percent)} % {'below' if percent > 0 else 'above'} the ledger's, on one day"
    return f"negotiated discount about {percent} %" if percent > 0 else f"surcharge about {abs(percent)} %"


def _percent(ratio: Decimal) -> Decimal:
    return multiply(subtract(ONE, ratio), 100).quantize(_TENTH, ROUND_HALF_EVEN)


def _rates(pieces: Iterable[Piece]) -> Iterator[EffectiveRate]:
    sums: dict[tuple[str, str], list[Piece]] = defaultdict(list)
    for piece in pieces:
        if piece.part != ALL_BUCKETS:
            sums[piece.model, piece.part].append(piece)
    for (model, bucket), group in sorted(sums.items()):
        count = total(piece.quantities.get(bucket, ZERO) for piece in group)
        if count:
            size = 1 if bucket in UNITS else _MILLION
            theirs, ours = (
                divide(multiply(total(amount or ZERO for amount in each), size), count)
                for each in ([piece.their_usd for piece in group], [piece.own_usd for piece in group])
            )
            yield EffectiveRate(model, bucket, theirs, ours)
