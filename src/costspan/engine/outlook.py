"""The facts of one call: what it would cost on each target, how long it would take, and how the targets are.

Worked out only as far as the strategy asks, and kept, so that the decision can be explained afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from costspan.errors import ClientError
from costspan.ir.usage import Usage
from costspan.pricing.cost import cost
from costspan.providers.capabilities import known_lacks
from costspan.providers.rate_limits import Need
from costspan.routing.expectation import MOST_PER_CHAR, MOST_PER_MEDIUM
from costspan.routing.order import Rank
from costspan.routing.plan import Branch

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from decimal import Decimal

    from costspan.dialects.types import Peek
    from costspan.engine.call import Call
    from costspan.engine.keys import KeyRing
    from costspan.engine.slots import Slots
    from costspan.engine.targets import Target, Targets
    from costspan.pricing.rates import Price
    from costspan.providers.account import Account
    from costspan.routing.expectation import Expected
    from costspan.routing.explore import Explorer
    from costspan.routing.plan import Step
    from costspan.routing.timing import Estimate, Timing

SURELY = 1.5
"""A prompt that is estimated at so many times a model's context surely does not fit; one above it probably does not."""


@dataclass(slots=True)
class Note:
    """What was worked out of one target. Times in seconds, money in USD; None: not asked for, or not known."""

    step: Step
    excluded: str | None = None
    rank: Rank | None = None
    why: str = ""
    """Why it is not simply fine."""
    due: float | None = None
    """Seconds until it may be asked again."""
    expected: Expected | None = None
    cost: Decimal | None = None
    price_source: str | None = None
    measured: float | None = None
    seconds: float | None = None
    """Expected time to the whole answer."""
    explores: bool = False
    """Whether it is asked first to learn how fast it is."""


class Outlook:
    """Implements `routing.order.Facts` for one call."""

    def __init__(
        self, call: Call, targets: Targets, keys: KeyRing, slots: Slots, now: float, *, owners: Collection[str] | None
    ) -> None:
        """`owners`: the labels of the targets that have what the request refers to; None where it refers to nothing."""
        self._call = call
        self._targets = targets
        self._keys = keys
        self._slots = slots
        self._now = now
        self._owners = owners
        self._needs = _needs(call.peek)
        tree = call.matched.tree
        self._has_choice = len(tree.members) != 1 or isinstance(tree.members[0], Branch)
        """What we only believe of targets is asked where there may be others: one that is alone answers for itself."""
        self._at: datetime | None = None
        self._notes: dict[str, Note] = {}
        self._priced: set[str] = set()
        self.refusal: ClientError | None = None
        """What the client is told when no target is left."""

    @property
    def notes(self) -> Sequence[Note]:
        """Of the targets that were looked at."""
        return tuple(self._notes.values())

    def note(self, step: Step) -> Note:
        """What is known of one target so far."""
        note = self._notes.get(step.label)
        if note is None:
            note = self._notes[step.label] = Note(step)
        return note

    def known(self, step: Step) -> Expected | None:
        """What the request is expected to use there, if that was asked for."""
        note = self._notes.get(step.label)
        return None if note is None else note.expected

    # What the strategies ask.

    def excluded(self, step: Step) -> str | None:
        """Why the target cannot serve this request."""
        why = self._excluded(step)
        if why is not None:
            self.note(step).excluded = why
        return why

    def rank(self, step: Step) -> Rank:
        """How the target stands."""
        note = self.note(step)
        if note.rank is None:
            note.rank, note.why = self._rank(step, self._account(step), note)
        return note.rank

    def due(self, step: Step) -> float:
        """When an ill target may be asked again."""
        note = self.note(step)
        return self._now + (note.due or 0.0)

    def cost(self, step: Step) -> Decimal | None:
        """What the request is expected to cost there."""
        note = self.note(step)
        if step.label not in self._priced:
            self._priced.add(step.label)
            price = self.price(step)
            note.expected = self.expected(step)
            if price is not None:
                usage = Usage(note.expected.tokens)
                found = cost(usage, price, service_tier=self._call.peek.service_tier, at=self.instant)
                note.cost = found.total if found.is_whole else None
                note.price_source = price.source
        return note.cost

    def by_speed(self, route: str, steps: Sequence[Step]) -> Sequence[int]:
        """The order in which the answer is expected to be complete."""
        order = self._explorer(route).order([self.estimate(step) for step in steps])
        if order.explores:
            self.note(steps[order.positions[0]]).explores = True
        return order.positions

    def stays(self, steps: Sequence[Step]) -> int | None:
        """Who holds the most of this conversation in its prompt cache."""
        if self._call.asked.conversation is None:
            return None
        held = [self.expected(step).cached for step in steps]
        most = max(held)
        return held.index(most) if most else None

    # What these are made of.

    def expected(self, step: Step) -> Expected:
        """What the request is expected to use there."""
        note = self.note(step)
        if note.expected is None:
            note.expected = self._targets.expectations.usage(
                self._call.matched.route, step.label, self._call.asked, self._now
            )
        return note.expected

    def estimate(self, step: Step) -> Estimate:
        """How long it should take there."""
        tokens, note = self.expected(step).output, self.note(step)
        estimate = self._timing(step).estimate(self._now, tokens, streamed=self._call.peek.stream)
        note.measured, note.seconds = estimate.measured, estimate.expected
        return estimate

    def price(self, step: Step) -> Price | None:
        """The price of the model there."""
        return self._call.snapshot.price(self._account(step), step.model, self.instant)

    def billed(self, step: Step) -> Price | None:
        """The price that an attempt there is billed by: see `Call.price`."""
        return self._call.price(self._account(step), step.model, self.instant)

    @property
    def instant(self) -> datetime:
        """When the call came: what prices hold then."""
        if self._at is None:
            self._at = datetime.fromtimestamp(self._call.started_ns / 1e9, UTC)
        return self._at

    def _timing(self, step: Step) -> Timing:
        return self._targets.of(step.label, self._account(step)).timing

    def _explorer(self, route: str) -> Explorer:
        return self._targets.route(route).explorer

    def _account(self, step: Step) -> Account:
        return self._call.snapshot.accounts[step.provider]

    def _excluded(self, step: Step) -> str | None:
        call = self._call
        if self._owners is not None and step.label not in self._owners:
            return "it does not have what the request refers to"
        if call.must_be_priced and self.billed(step) is None:
            self.refusal = self.refusal or ClientError(
                f"{step.label} has no price (prices.on_unpriced)", code="unpriced_model"
            )
            return "it has no price (prices.on_unpriced)"
        if self._needs and (missing := self._missing(step)) is not None:
            self._refuse(step, f"takes no {missing}", missing)
            return f"it takes no {missing}"
        if (fill := self._fill(step)) is not None and fill.is_sure:
            self.refusal = self.refusal or ClientError(f"{step.label}: {fill}", code="context_length_exceeded")
            return str(fill)
        if step.ceilings.input is not None or step.ceilings.output is not None:
            return self._too_dear(step)
        return None

    def _missing(self, step: Step) -> str | None:
        """What the request needs and the model lacks, as configured or, where that is not said, as it is known."""
        lacks = step.lacks
        if lacks is None:
            lacks = known_lacks(self._account(step).kind.name, step.model) if self._has_choice else frozenset()
        return next((name for name in self._needs if name in lacks), None)

    def _fill(self, step: Step) -> Fill | None:
        """How much of the model's context the request takes; None where that is not known or does not matter."""
        if not self._has_choice or self._call.dialect.OPERATION != "chat":  # others have many small prompts in one
            return None
        window = step.context_length
        if window is None:
            account = self._account(step)
            catalog = account.kind.catalog if account.price_as == "free" else account.catalog
            window = self._call.snapshot.book.context_window(catalog, step.model)
        peek = self._call.peek
        most = MOST_PER_CHAR * peek.prompt_chars + MOST_PER_MEDIUM * peek.media + (peek.max_output_tokens or 0)
        if not window or most <= window:  # most requests are far from it, and need no estimate
            return None
        tokens = self.expected(step).prompt + (peek.max_output_tokens or 0)
        return Fill(tokens, window, told=step.context_length is not None)

    def _too_dear(self, step: Step) -> str | None:
        """Whether its rates for this prompt are above the ceiling. Without a price nobody can tell."""
        why = self._above_ceiling(step)
        if why is not None and self.refusal is None:
            wished = self._call.wishes.ceilings
            asked = wished.input is not None or wished.output is not None
            self.refusal = ClientError(
                f"{step.label} is not asked: {why}",
                status=404,
                code="no_eligible_target",
                param="provider.max_price" if asked else "model",
            )
        return why

    def _above_ceiling(self, step: Step) -> str | None:
        price = self.price(step)
        if price is None:
            return "it has no price, and there is a ceiling (max_price)"
        rates = price.plan(Usage({"input": self.expected(step).prompt}), None, self.instant).tokens
        for bucket, ceiling in (("input", step.ceilings.input), ("output", step.ceilings.output)):
            rate = rates.get(bucket)
            if ceiling is not None and rate is not None and rate.scaleb(6) > ceiling:
                return f"its {bucket} costs {rate.scaleb(6).normalize():f} USD per million (max_price)"
        return None

    def _refuse(self, step: Step, what: str, param: str) -> None:
        self.refusal = self.refusal or ClientError(
            f"{step.label} {what}, which this request needs", code="unsupported_parameter", param=param
        )

    def _rank(self, step: Step, account: Account, note: Note) -> tuple[Rank, str]:
        ready = self._keys.ready_at(account, self._now)
        if ready > self._now:
            note.due = ready - self._now
            return Rank.ILL, "no key of the account may be used now"
        target = self._targets.known(step.label, account)
        if target is not None and (state := target.breaker.state(self._now)) != "closed":
            note.due = target.breaker.due(self._now) - self._now
            if state == "half_open" and note.due <= 0:
                return Rank.PROBE, "it failed before; this request finds out whether it is well again"
            return Rank.ILL, "it failed too often (its breaker is open)"
        return self._behind(step, account, target)

    def _behind(self, step: Step, account: Account, target: Target | None) -> tuple[Rank, str]:
        if self._slots.busy(account):
            return Rank.BEHIND, "as many attempts as it may have are under way (max_concurrency)"
        if (fill := self._fill(step)) is not None and fill.share > 1:
            return Rank.BEHIND, str(fill)
        ceiling = step.ceilings.first_token
        first = None if ceiling is None or target is None else target.timing.first_token(self._now)
        if ceiling is not None and first is not None and first > ceiling:
            return Rank.BEHIND, f"its first token takes {first:.1f} s (constraints.max_first_token)"
        if self._keys.limits(account):
            expected = self.expected(step)
            if self._keys.limited(account, Need(step.model, expected.prompt, expected.output), self._now) > 0:
                return Rank.BEHIND, "its rate limit has not enough left"
        return Rank.FINE, ""


@dataclass(frozen=True, slots=True)
class Fill:
    """A request against a model's context, in tokens. Its prompt is an estimate."""

    tokens: int
    window: int
    told: bool
    """Whether the configuration says so. The catalog is behind the times with some models: it only warns of them."""

    @property
    def share(self) -> float:
        """Of the context."""
        return self.tokens / self.window

    @property
    def is_sure(self) -> bool:
        """Whether the request cannot fit."""
        return self.told and self.share > SURELY

    def __str__(self) -> str:
        source = "context_length" if self.told else "by the catalog; context_length of the target stands above it"
        return f"it takes {self.window} tokens ({source}), and prompt and answer may have about {self.tokens}"


def _needs(peek: Peek) -> tuple[str, ...]:
    """What not every model can do and the request needs."""
    if not (peek.tools or peek.media or peek.json_schema):  # most
        return ()
    needs = {"tools": peek.tools, "images": peek.media > 0, "json_schema": peek.json_schema}
    return tuple(name for name, needed in needs.items() if needed)
