"""What a request may use and cost at most by its first attempt: what limits and budgets reserve for it.

The prompt is estimated, and corrected by what the target's model counted of prompts before; the output is what the
request allows, or what such requests are expected to have where it allows any. With a cache it costs less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.ir.usage import Usage
from costspan.pricing.cost import cost

if TYPE_CHECKING:
    from decimal import Decimal

    from costspan.engine.call import Call
    from costspan.engine.outlook import Outlook
    from costspan.routing.plan import Step


def tokens(call: Call) -> int:
    """Of prompt and output together; 0 where no target can be asked. `call` has its plan."""
    first = _first(call)
    return 0 if first is None else sum(_tokens(call, *first))


def usd(call: Call) -> Decimal | None:
    """None where that is not known: no price, or no target that can be asked. `call` has its plan."""
    first = _first(call)
    if first is None:
        return None
    outlook, step = first
    price = outlook.billed(step)
    if price is None:
        return None
    prompt, output = _tokens(call, outlook, step)
    used = Usage({"input": prompt, "output": output})
    return cost(used, price, service_tier=call.peek.service_tier, at=outlook.instant).total


def _first(call: Call) -> tuple[Outlook, Step] | None:
    """The target that is asked first."""
    if call.plan is None or call.outlook is None or not call.plan.stages:
        return None
    return call.outlook, call.plan.stages[0].steps[0]


def _tokens(call: Call, outlook: Outlook, step: Step) -> tuple[int, int]:
    """Prompt and output."""
    expected = outlook.expected(step)
    allowed = call.peek.max_output_tokens
    return expected.prompt, expected.output if allowed is None else allowed * max(call.peek.n, 1)
