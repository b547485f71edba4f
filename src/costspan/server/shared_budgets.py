"""What all gateways spend, asked of the Prometheus that scrapes them (`budgets[].shared`).

Polled in the background: a request never waits for it, and where it cannot be had the last figure stands, with what was
spent here since. https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries (read 2026-11-26).
"""

from __future__ import annotations

import asyncio
import logging
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

import aiohttp

from costspan.config.labels import label_name
from costspan.errors import Malformed
from costspan.routing.budget import DAY_SECONDS, Shared
from costspan.server.protocol import traceback_only
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Callable

    from costspan.engine.call import Clock
    from costspan.engine.gate import Gate
    from costspan.routing.budget import Budget, Fund, Period

_log = logging.getLogger(__name__)

POLL_SECONDS: Final = 15.0
"""From one question to the next, a fifth more or less, so that not all gateways ask at once."""
TIMEOUT_SECONDS: Final = 5.0
MAX_BYTES: Final = 64 * 1024
"""Of an answer: it holds one number."""
MAX_USD: Final = Decimal(10) ** 15
"""More than anybody spends: sums with it have no more digits than are kept."""
_ESCAPES: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


class Unanswered(Exception):
    """Prometheus did not give a figure; the text says why, with nothing of its answer."""


class SharedBudgets:
    """Asks for the budgets of a gate that are shared."""

    def __init__(self, gate: Gate, clock: Clock, pick: Callable[[], float]) -> None:
        """`pick` gives random numbers in [0, 1)."""
        self._gate = gate
        self._clock = clock
        self._pick = pick

    async def run(self) -> None:
        """Ask again and again, until cancelled. Without budgets that are shared it only looks whether there are any."""
        while True:
            try:
                await self.poll()
            except Exception as error:  # noqa: BLE001 - a fault of ours must not end the asking
                _log.error("shared budgets: unhandled %s", type(error).__name__, exc_info=traceback_only(error))
            await asyncio.sleep(POLL_SECONDS * (0.8 + 0.4 * self._pick()))

    async def poll(self) -> None:
        """Ask once for each budget that is shared."""
        funds = [fund for fund in self._gate.funds if fund.budget.shared is not None]
        if not funds:
            return
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        headers = {"accept-encoding": "identity"}  # what is compressed may be larger than it looks
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers, auto_decompress=False) as session,
            asyncio.TaskGroup() as together,
        ):
            for fund in funds:
                together.create_task(self._ask(session, fund))

    async def _ask(self, session: aiohttp.ClientSession, fund: Fund) -> None:
        budget, now = fund.budget, self._clock.wall_ns() // 1_000_000_000
        period = fund.period(now // DAY_SECONDS)
        own = fund.tally.spent(period)  # before it is asked: what is spent meanwhile counts twice rather than never
        try:
            usd = await _figure(session, budget, query(budget, period, now))
        except Unanswered as error:
            if self._gate.cannot_share(budget):
                _log.warning(
                    "budget %s: what other gateways spend is not known (%s); the last figure stands", budget.name, error
                )
            return
        if self._gate.share(budget, Shared(period, usd, own)):
            _log.info("budget %s: what other gateways spend is known again", budget.name)


def query(budget: Budget, period: Period, now: int) -> str:
    """The PromQL for what all gateways have spent in `period` until `now` (epoch seconds), estimates included."""
    labels = ",".join(f'{label_name(name)}="{value.translate(_ESCAPES)}"' for name, value in budget.key)
    seconds = max(now - period.first * DAY_SECONDS, 1)
    return f"sum(increase(costspan_cost_usd_total{{{labels}}}[{seconds}s]))"


async def _figure(session: aiohttp.ClientSession, budget: Budget, promql: str) -> Decimal:
    """The one number of an instant query; nothing at all is 0. Raises `Unanswered`."""
    url = f"{(budget.shared or '').rstrip('/')}/api/v1/query"
    try:
        async with session.get(url, params={"query": promql}, allow_redirects=False) as response:
            if response.status != 200:  # noqa: PLR2004 - success
                raise Unanswered(f"status {response.status}")
            body = await response.content.read(MAX_BYTES)
            if not response.content.at_eof():
                body += await _rest(response, MAX_BYTES - len(body))
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Unanswered(type(error).__name__) from None
    try:
        return _number(json.loads_object(body))
    except (Malformed, KeyError, IndexError, TypeError, ValueError, InvalidOperation):
        raise Unanswered("an answer that cannot be read") from None


async def _rest(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """What follows the first part of a body, up to its end. Raises `Unanswered` where that is more than `limit`."""
    body = b""
    while part := await response.content.readany():
        body += part
        if len(body) > limit:
            raise Unanswered("an answer that is too long")
    return body


def _number(fields: json.Object) -> Decimal:
    data = fields["data"]
    if fields["status"] != "success" or data["resultType"] != "vector":
        raise ValueError("no vector")
    if not data["result"]:
        return Decimal(0)
    usd = Decimal(data["result"][0]["value"][1])
    if not usd.is_finite() or not 0 <= usd <= MAX_USD:
        raise ValueError("no amount")
    return usd
