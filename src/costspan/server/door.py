"""Through the gate: a call is let in, sent to another route, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.engine import at_most
from costspan.engine.gate import Diverted
from costspan.errors import ClientError
from costspan.routing.overrides import NO_WISHES, refined

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal

    from costspan.engine.call import Call
    from costspan.engine.gate import Gate
    from costspan.server.state import State

_RATE_LIMITS = "x-ratelimit-"


def enter(state: State, call: Call) -> None:
    """Let `call` in, over another route where a budget says so. Raises `ClientError`: limits (429), budgets (402).

    There is no `await` in it, so nobody else can take what is left meanwhile.
    """

    def tokens() -> int:
        _plan(state, call)
        return at_most.tokens(call)

    def usd() -> Decimal | None:
        _plan(state, call)
        return at_most.usd(call)

    try:
        call.entered = state.gate.enter(call, usd, tokens)
    except Diverted as other:
        _divert(call, other.route)
        call.entered = state.gate.enter(call, usd, tokens, may_divert=False)


def look(gate: Gate, call: Call, plan: Callable[[], object]) -> ClientError | None:
    """Why `call` would not be let in now, None if it would be; nothing is counted or set aside for it.

    Where a budget says so, `call` is sent to another route. `plan` gives it its plan.
    """

    def tokens() -> int:
        plan()
        return at_most.tokens(call)

    try:
        try:
            gate.look(call, tokens)
        except Diverted as other:
            _divert(call, other.route)
            gate.look(call, tokens, may_divert=False)
    except ClientError as error:
        return error
    return None


def headers(call: Call, upstream: Mapping[str, str]) -> dict[str, str]:
    """The upstream's headers, with our own limits in the place of its: theirs are of an account that many share."""
    own = {} if call.entered is None else call.entered.headers()
    if not own:
        return dict(upstream)
    return {name: value for name, value in upstream.items() if not name.startswith(_RATE_LIMITS)} | own


def _plan(state: State, call: Call) -> None:
    try:
        state.engine.plan(call)
    except ClientError:
        return  # it is let in to be told so, and costs nothing


def _divert(call: Call, route: str) -> None:
    """Go on as if `route` had been asked for. The books tell both: `route`, and `model_asked`.

    What the request asked of its targets holds there as well. Raises `ClientError` when that leaves none.
    """
    matched = call.snapshot.table.match(route, call.peek.model)
    if matched is None:
        return  # the configuration has changed meanwhile, and this request keeps the one it came under
    if call.wishes != NO_WISHES:
        try:
            matched = refined([matched], call.wishes)
        except ClientError as error:
            raise ClientError(
                f"a budget is used up and sends this request to {route}, of which its 'provider' leaves no target",
                status=error.status,
                code=error.code,
                param=error.param,
            ) from None
    call.matched = matched
    call.origin.route, call.origin.strategy = matched.route, matched.strategy
    call.deadline = call.started + matched.policy.timeouts.total
