"""Differences sorted into causes where the export has quantities.

In this order, each taking its part: usage that is booked on the neighbouring day; more usage than the ledger has, of
which open estimates explain up to what was estimated; less usage; usage without a price; the same usage at another
price; rounding. The pieces of a day sum up to its difference exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from costspan.billing.amounts import allocate, divide, multiply, subtract, total
from costspan.billing.reconcile_amounts import explain_amounts
from costspan.billing.reconcile_moves import find_moves
from costspan.billing.reconcile_pieces import Cause, Piece, tolerance
from costspan.pricing.rates import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date
    from decimal import Decimal

    from costspan.billing.reconcile_cells import Cell, Comparison, Series
    from costspan.billing.reconcile_moves import Move
    from costspan.billing.reconcile_rates import Rates


def explain(comparison: Comparison, rates: Rates) -> Iterator[Piece]:
    """All pieces of all series. Changes the cells: what was booked on another day moves."""
    surplus: dict[tuple[date, str], list[Piece]] = {}
    for series in comparison.series.values():
        for piece in _Explained(comparison, series, rates).pieces():
            if piece.cause is Cause.OUTSIDE:
                surplus.setdefault((piece.day, piece.model), []).append(piece)
            else:
                yield piece
    for key, pieces in surplus.items():
        open_ = comparison.estimates.get(key)
        yield from _estimated(pieces, open_.estimated_usd) if open_ and open_.estimated else pieces


def _estimated(pieces: list[Piece], expected: Decimal) -> Iterator[Piece]:
    """Surplus of a day and model on which estimates are open: up to what was expected, it is theirs."""
    known = [piece for piece in pieces if piece.usd is not None]
    yield from (piece for piece in pieces if piece.usd is None)
    whole = total(piece.usd or ZERO for piece in known)
    if whole <= 0:
        yield from known
        return
    covered = min(whole, expected)
    for piece, usd in zip(known, allocate(covered, [piece.usd or ZERO for piece in known]), strict=True):
        share = {bucket: divide(multiply(count, covered), whole) for bucket, count in piece.quantities.items()}
        estimate = divide(multiply(expected, piece.usd or ZERO), whole)
        if usd:
            yield replace(piece, cause=Cause.ESTIMATED, usd=usd, quantities=share, estimate_usd=estimate)
        if rest := subtract(piece.usd or ZERO, usd):
            left = {bucket: count - share[bucket] for bucket, count in piece.quantities.items()}
            yield replace(piece, usd=rest, quantities=left)


@dataclass(frozen=True, slots=True)
class _Explained:
    """One series."""

    comparison: Comparison
    series: Series
    rates: Rates

    def pieces(self) -> Iterator[Piece]:
        compared = [day for day in self.comparison.days if day in self.series.cells]
        amounts_only = [day for day in compared if self._has_amounts_only(self.series.cells[day])]
        if len(amounts_only) < len(compared):
            yield from self._moved(set(amounts_only))
        for day in self.comparison.days:
            if day in self.series.cells and day not in amounts_only:
                yield from self._split(day, self.series.cells[day])
        yield from explain_amounts(self.comparison, self.series, amounts_only)

    def _has_amounts_only(self, cell: Cell) -> bool:
        """Whether the export says what was charged and not for what."""
        return not self.comparison.has_usage or (bool(cell.usd) and not cell.theirs)

    def _piece(self, cause: Cause, day: date, usd: Decimal | None, quantities: Mapping[str, Decimal]) -> Piece:
        return Piece(cause, day, self.series.model, self.series.part, usd, quantities)

    def _moved(self, skipped: set[date]) -> Iterator[Piece]:
        cells = self.series.cells
        buckets = {bucket for cell in cells.values() for bucket in (*cell.own, *cell.theirs)}
        for bucket in sorted(buckets):
            surplus = {
                day: cell.theirs.get(bucket, ZERO) - cell.own.get(bucket, ZERO)
                for day, cell in cells.items()
                if day not in skipped
            }
            late = {day: cell.late[bucket] for day, cell in cells.items() if bucket in cell.late}
            for move in find_moves(self.comparison.days, surplus, late):
                yield from self._move(bucket, move)

    def _move(self, bucket: str, move: Move) -> Iterator[Piece]:
        """Book a part of the ledger on the provider's day."""
        start, end = self.series.cell(move.start), self.series.cell(move.end)
        priced = start.priced(bucket)
        usd = ZERO
        if priced >= move.quantity:
            usd = divide(multiply(start.parts.get(bucket, ZERO), move.quantity), priced)
        else:
            for cell, sign in ((start, -1), (end, 1)):
                cell.unpriced[bucket] = cell.unpriced.get(bucket, ZERO) + sign * move.quantity
        inside = [day for day in (move.start, move.end) if day in set(self.comparison.days)]
        for day, cell, sign in ((move.start, start, -1), (move.end, end, 1)):
            cell.own[bucket] = cell.own.get(bucket, ZERO) + sign * move.quantity
            cell.parts[bucket] = total([cell.parts.get(bucket, ZERO), multiply(usd, sign)])
            if day in inside:
                piece = self._piece(Cause.BOUNDARY, day, multiply(usd, sign), {bucket: sign * move.quantity})
                yield replace(piece, moved_usd=usd if day == inside[0] else None)

    def _split(self, day: date, cell: Cell) -> Iterator[Piece]:
        buckets = {*cell.own, *cell.theirs}
        beyond = {bucket: cell.theirs.get(bucket, ZERO) - cell.own.get(bucket, ZERO) for bucket in buckets}
        surplus = {bucket: count for bucket, count in beyond.items() if count > 0}
        deficit = {bucket: -count for bucket, count in beyond.items() if count < 0}
        lost = self._lost(cell, deficit)
        if deficit:
            yield self._piece(Cause.NOT_BILLED, day, lost.copy_negate(), deficit)
        if not self.comparison.has_money:
            if surplus:
                value = self.rates.value(self.series.model, surplus, day, cell)
                yield self._piece(Cause.OUTSIDE, day, value, surplus)
            return
        unpriced = {
            bucket: count
            for bucket in cell.unpriced
            if (count := min(cell.unpriced[bucket], cell.own.get(bucket, ZERO) - deficit.get(bucket, ZERO))) > 0
        }
        yield from self._amounts(day, cell, surplus, unpriced, subtract(cell.own_usd, lost))

    def _amounts(
        self, day: date, cell: Cell, surplus: Mapping[str, Decimal], unpriced: Mapping[str, Decimal], own_usd: Decimal
    ) -> Iterator[Piece]:
        """What the provider charges, shared out between the surplus, what has no price, and the rest."""
        weights = self.rates.weights(self.series.model, cell.theirs, day, cell)
        whole = self._weight(weights, cell.theirs)
        shares = [self._weight(weights, surplus), self._weight(weights, unpriced)]
        charged = allocate(cell.usd or ZERO, [*shares, subtract(whole, total(shares))])
        if surplus:
            yield self._piece(Cause.OUTSIDE, day, charged[0], surplus)
        if unpriced:
            yield self._piece(Cause.MISSING_PRICE, day, charged[1], unpriced)
        if difference := subtract(charged[2], own_usd):
            rounded = difference.copy_abs() <= tolerance(cell.rows, self.comparison.places)
            same = {
                bucket: count - surplus.get(bucket, ZERO) - unpriced.get(bucket, ZERO)
                for bucket, count in cell.theirs.items()
            }
            piece = self._piece(Cause.ROUNDING if rounded else Cause.PRICE, day, difference, same)
            yield piece if rounded else replace(piece, own_usd=own_usd, their_usd=charged[2])

    @staticmethod
    def _weight(weights: Mapping[str, Decimal], quantities: Mapping[str, Decimal]) -> Decimal:
        return total(multiply(weights[bucket], count) for bucket, count in quantities.items() if bucket in weights)

    @staticmethod
    def _lost(cell: Cell, deficit: Mapping[str, Decimal]) -> Decimal:
        """What the ledger says that the usage cost which the export does not have."""
        usd = []
        for bucket, count in deficit.items():
            priced = cell.priced(bucket)
            if priced > 0:
                usd.append(divide(multiply(cell.parts.get(bucket, ZERO), min(count, priced)), priced))
        if cell.whole_usd and (whole := total(cell.own.values())) > 0:
            usd.append(divide(multiply(cell.whole_usd, total(deficit.values())), whole))
        return total(usd)
