"""The gate: who may spend, before money is spent. Limits of keys and budgets of attributes, for one process.

Check and reservation are one step, without an `await` between them, in the one event loop: of a hundred requests at
once, so many get in as the budget has room for. What an attempt really cost takes the place of its reservation when
its record is written, whoever waits for the answer by then: the gate is an observer, told after the ledger.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from itertools import chain
from math import ceil
from typing import TYPE_CHECKING, Final

from costspan.engine.entered import DAY_NS, Entered
from costspan.errors import ClientError, CostspanError
from costspan.routing.budget import IN_WORDS, Fund, Tally
from costspan.routing.limits import Limits, Refusal, Use

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from decimal import Decimal

    from costspan.engine.call import Call, Clock
    from costspan.ledger.records import Attempt, AttemptStarted, Exchange
    from costspan.routing.budget import Budget, Match, Shared, Standing

_log = logging.getLogger(__name__)

_NO_LIMITS: Final = Limits()


class Diverted(CostspanError):
    """A budget is used up, and its requests go to `route` instead."""

    kind = "diverted"

    def __init__(self, route: str) -> None:
        super().__init__("to another route")
        self.route = route


class Gate:
    """One for the process. State is kept over reloads: of limits by the key's name, of budgets by their attributes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._funds: tuple[Fund, ...] = ()
        self._tallies: dict[Match, Tally] = {}
        self._coming: dict[Match, Tally] = {}
        """Of budgets that the next snapshot has and this one has not."""
        self._uses: dict[str, Use] = {}
        self._entered: dict[str, Entered] = {}
        """By exchange, until its last attempt has ended."""

    @property
    def funds(self) -> tuple[Fund, ...]:
        """The budgets, in the order of the file."""
        return self._funds

    def standings(self) -> list[Standing]:
        """How all budgets stand now. May be called on any thread."""
        day = self._clock.wall_ns() // DAY_NS
        return [fund.standing(day) for fund in self._funds]

    def unknown(self, budgets: Iterable[Budget]) -> dict[Match, int]:
        """Whose spending has to be looked up for `budgets`, each from which day on."""
        wanted: dict[Match, int] = {}
        today = self._clock.wall_ns() // DAY_NS
        for budget in budgets:
            first = Fund(budget, Tally(budget.key)).period(today).first
            wanted[budget.key] = min(first, wanted.get(budget.key, first))
        known = self._tallies
        return {match: since for match, since in wanted.items() if match not in known or known[match].since > since}

    def follow(self, unknown: Mapping[Match, int]) -> None:
        """Count what these spend from now on: what they spent before is being looked up."""
        self._coming = {match: Tally(match, since) for match, since in unknown.items()}

    def hold(
        self,
        budgets: Sequence[Budget],
        limits: Mapping[str, Limits],
        before: Mapping[Match, Mapping[int, Decimal]],
    ) -> None:
        """Let in by these from now on. `before` is what those that are followed had spent, by day, if it is known."""
        tallies = dict(self._tallies)
        for match, tally in self._coming.items():
            old = tallies.get(match)
            if old is None or match in before:
                tallies[match] = tally
                tally.add(before.get(match, {}))
                if old is not None:
                    tally.take_reserved(old)
        self._coming = {}
        old_funds = {_identity(fund.budget): fund for fund in self._funds}
        self._tallies = {
            budget.key: tallies.get(budget.key) or Tally(budget.key, self._clock.wall_ns() // DAY_NS)
            for budget in budgets
        }
        self._funds = tuple(
            self._fund(budget, old_funds.get(_identity(budget)), self._tallies[budget.key]) for budget in budgets
        )
        self._uses = {name: use for name, use in self._uses.items() if name in limits}
        self._warn(self._funds, self._clock.wall_ns() // DAY_NS)

    def _fund(self, budget: Budget, old: Fund | None, tally: Tally) -> Fund:
        fund = Fund(budget, tally)
        if old is not None:
            if budget.shared == old.budget.shared:
                fund.shared, fund.shared_up = old.shared, old.shared_up
            if fund.standing(self._clock.wall_ns() // DAY_NS).warns:  # else it is warned of the new ceiling
                fund.warned = old.warned
            fund.told = old.told
        return fund

    def spending(self) -> dict[Match, tuple[int, dict[int, Decimal]]]:
        """What was spent by the attributes of all budgets: since when it is known, and by day."""
        return {match: (tally.since, tally.by_day()) for match, tally in self._tallies.items()}

    def share(self, budget: Budget, shared: Shared) -> bool:
        """Take in what all gateways had spent. Returns whether that was not known when last asked for."""
        news = False
        for fund in self._funds:
            if _identity(fund.budget) == _identity(budget):
                news = fund.shared_up is False
                fund.shared, fund.shared_up = shared, True
                self._warn([fund], self._clock.wall_ns() // DAY_NS)
        return news

    def cannot_share(self, budget: Budget) -> bool:
        """What all gateways had spent could not be asked for. Returns whether that is news."""
        news = False
        for fund in self._funds:
            if _identity(fund.budget) == _identity(budget):
                news = fund.shared_up is not False
                fund.shared_up = False
        return news

    def enter(
        self,
        call: Call,
        cost: Callable[[], Decimal | None],
        tokens: Callable[[], int],
        *,
        may_divert: bool = True,
    ) -> Entered | None:
        """Let `call` in; None: nothing limits it. Each that was let in has to `leave`.

        `cost` is what its first attempt may cost at most (None: it has no price), `tokens` how many it may have; both
        are asked for only where they matter. Raises `ClientError` (429, 402), or `Diverted` where that may be.
        """
        origin = call.origin
        limits = _limits(call)
        if limits is _NO_LIMITS and not self._funds:
            return None
        day, funds = call.started_ns // DAY_NS, self._funds_of(call)
        if funds:
            self._check(funds, day, call, may_divert=may_divert)
        if limits is _NO_LIMITS and not funds:
            return None
        usd, asked = cost() if funds else None, tokens() if limits.tokens is not None else 0
        entered = Entered(self._clock.monotonic, self._forget, call.origin.exchange_id)
        if limits is not _NO_LIMITS and origin.key is not None:
            use = self._uses.setdefault(origin.key, Use())
            now = self._clock.monotonic()
            second = use.enter(limits, asked, now)
            if isinstance(second, Refusal):
                raise _too_many(second, use.headers(limits, now), origin.key)
            entered.limit(limits, use, second, asked)
        if funds:
            entered.reserve(funds, day, usd)
        self._entered[origin.exchange_id] = entered
        return entered

    def look(self, call: Call, tokens: Callable[[], int], *, may_divert: bool = True) -> None:
        """Raise what `enter` would raise now, and let nobody in."""
        limits, funds, key = _limits(call), self._funds_of(call), call.origin.key
        if funds:
            self._check(funds, call.started_ns // DAY_NS, call, may_divert=may_divert)
        if limits is not _NO_LIMITS and key is not None:
            use, now = self._uses.get(key) or Use(), self._clock.monotonic()
            refusal = use.refusal(limits, tokens() if limits.tokens is not None else 0, now)
            if refusal is not None:
                raise _too_many(refusal, use.headers(limits, now), key)

    def _funds_of(self, call: Call) -> tuple[Fund, ...]:
        """The budgets that it would spend."""
        if call.raw is not None and (call.raw.free or call.raw.method in {"GET", "HEAD"}):
            return ()
        return tuple(fund for fund in self._funds if fund.tally.matches(call.origin.attributes))

    def _check(self, funds: Sequence[Fund], day: int, call: Call, *, may_divert: bool) -> None:
        """Raise for budgets that are used up: those that refuse come before those that divert."""
        route: str | None = None
        for fund in funds:
            fund.tally.follow(fund.period(day))
            standing = fund.standing(day)
            if not standing.used_up:
                continue
            if fund.runs_out(standing):
                _tell(standing)
            if fund.budget.route is None or call.raw is not None:  # a provider's own path leads nowhere else
                raise _used_up(standing, call)
            route = route or fund.budget.route
        there = route == call.origin.route and not call.matched.goes_beyond
        if route is not None and may_divert and not there:
            raise Diverted(route)

    def attempt_started(self, started: AttemptStarted) -> None:
        """Its reservation is that of the request, or one more where the request has made attempts before."""
        entered = self._entered.get(started.origin.exchange_id)
        if entered is not None:
            entered.attempt_begins(started.id, started.time_ns // DAY_NS, started.estimate_usd)

    def attempt_ended(self, attempt: Attempt) -> None:
        """What it cost is spent, and its reservation is given back."""
        origin, day = attempt.started.origin, attempt.started.time_ns // DAY_NS
        usd = attempt.cost_usd if attempt.cost_usd is not None else attempt.cost_estimated_usd
        if usd and (self._tallies or self._coming):
            touched = [
                tally
                for tally in chain(self._tallies.values(), self._coming.values())
                if tally.matches(origin.attributes)
            ]
            for tally in touched:
                tally.spend(day, usd)
            if touched:
                self._warn([fund for fund in self._funds if fund.tally in touched], day)
        entered = self._entered.get(origin.exchange_id)
        if entered is not None:
            entered.attempt_ended(attempt)

    def exchange_ended(self, exchange: Exchange, attempts: Sequence[Attempt]) -> None:
        """Its attempts have told all."""

    def _forget(self, exchange_id: str) -> None:
        self._entered.pop(exchange_id, None)

    @staticmethod
    def _warn(funds: Iterable[Fund], day: int) -> None:
        for fund in funds:
            standing = fund.crosses(day)
            if standing is not None:
                budget = fund.budget
                _log.warning(
                    "budget %s: %s of %s USD %s are spent (%d %%)",
                    budget.name,
                    format(standing.spent.normalize(), "f"),
                    format(budget.usd, "f"),
                    IN_WORDS[budget.per],
                    standing.ratio * 100,
                )


def _limits(call: Call) -> Limits:
    key = call.origin.key
    return _NO_LIMITS if key is None else call.snapshot.limits.get(key, _NO_LIMITS)


def _identity(budget: Budget) -> tuple[str, Match, str]:
    return budget.name, budget.key, budget.per


def _used_up(standing: Standing, call: Call) -> ClientError:
    """What a client is told: which budget, how much it is, and when it begins anew."""
    budget, resets_at, key = standing.budget, standing.period.resets_at, call.origin.key
    headers = {}
    if resets_at is not None:
        headers = {"retry-after": str(max(ceil(resets_at - call.started_ns / 1e9), 1))}
    return ClientError(
        f"the budget {budget.name} of {budget.usd:f} USD {IN_WORDS[budget.per]} is used up; {_anew(standing)}",
        status=402,
        code="budget_exceeded",
        headers=headers,
        about={"budget": budget.name} | ({} if key is None else {"key": key}),
    )


def _anew(standing: Standing) -> str:
    resets_at = standing.period.resets_at
    if resets_at is None:
        return "it does not begin anew"
    return f"it begins anew at {datetime.fromtimestamp(resets_at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _tell(standing: Standing) -> None:
    """Say that a budget is used up: once in a period."""
    budget = standing.budget
    then = "further requests are refused" if budget.route is None else f"further requests go to {budget.route}"
    _log.warning("budget %s: used up, %s; %s", budget.name, then, _anew(standing))


def _too_many(refusal: Refusal, headers: dict[str, str], key: str) -> ClientError:
    """What a client is told of a limit of its key."""
    what = f"this API key may make {refusal.limit} requests in a minute"
    if refusal.kind == "concurrency":
        what = f"this API key may have {refusal.limit} requests under way at one time"
    if refusal.kind == "tokens":
        what = f"this API key may use {refusal.limit} tokens in a minute, and this request {refusal.asked}"
    if refusal.seconds is None:
        what += ": it is never let in; lower its limit of output tokens"
        headers = {**headers, "x-should-retry": "false"}  # honoured by the SDKs of OpenAI and Anthropic
    else:
        headers = {**headers, "retry-after": str(ceil(refusal.seconds))}
    about = {"key": key, "limit": refusal.kind}
    return ClientError(what, status=429, code="rate_limit_exceeded", headers=headers, about=about)
