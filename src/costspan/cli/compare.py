"""`costspan compare`: what the ledger's traffic would have cost under each billing plan."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TextIO

from costspan.billing import compare as comparing
from costspan.billing.amounts import add, divide, multiply, plain, subtract
from costspan.cli.source import EX_CONFIG
from costspan.cli.tables import UNKNOWN, cents, grid, printable, remarks
from costspan.cli.walk import remark, walk
from costspan.config.billing import versions
from costspan.errors import ConfigError
from costspan.ledger.dimensions import BUCKET, DIMENSIONS, dimension
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from costspan.billing.plans import Bill
    from costspan.cli.source import Source
    from costspan.config.schema import Config

_NAME: Final = "compare"
_AS_PAID: Final = "as paid"


def run_compare(  # noqa: PLR0913 - one option each, keyword-only
    source: Source,
    ledger_dir: Path | None,
    *,
    by: Sequence[str],
    since: datetime | None,
    until: datetime | None,
    output: Literal["table", "json"],
    out: TextIO,
) -> int:
    """Write the comparison to `out`, remarks to stderr. `since` and `until` are aware and half-open.

    Returns the exit status: 0, 1 when the ledger cannot be read, 2 when a name in `by` means nothing, 78 when the
    configuration, which has the plans and the discounts, is not valid.
    """
    if BUCKET in by:
        remark(_NAME, f"a plan's cost has no part for each {BUCKET}")
        return 2
    try:
        config = source.load_to_look_at().config
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - for the person at the terminal
        return EX_CONFIG
    traffic = comparing.Traffic([dimension(name) for name in by])
    if not walk(ledger_dir or Path(config.ledger.dir or "ledger"), since, until, traffic.add, command=_NAME):
        return 1
    discounts = {name: provider.discount for name, provider in config.providers.items()}
    plans = {name: versions(plan) for name, plan in config.billing_plans.items()}
    found = comparing.compare(traffic, discounts, plans)
    if unknown := _unknown(by, found):
        remark(_NAME, f"nothing in this ledger is called {', '.join(unknown)}")
        return 2
    notes = [*_notes(found), *_plan_notes(found), *_strangers(traffic, config), *_cut(since, until)]
    if output == "json":
        out.write(json.text({**_document(found, by), "remarks": notes}) + "\n")
    elif found.months:
        _write_tables(found, by, out)
        remarks(out, notes)
    else:
        out.write("The ledger has no records for this time yet.\n")
    return 0


def _unknown(by: Sequence[str], found: comparing.Comparison) -> list[str]:
    """Names that are no dimension, and an attribute of no attempt: probably misspelt."""
    return [
        name
        for place, name in enumerate(by)
        if name not in DIMENSIONS and found.groups and all(row.group[place] is None for row in found.groups)
    ]


def _notes(found: comparing.Comparison) -> Iterator[str]:
    spent = found.spent
    if not found.plans:
        yield "billing_plans: of the configuration is empty: there is nothing to compare with."
    if spent.known.direct != spent.known.listed:
        yield (
            f"The list price is {cents(spent.known.listed)} USD: what was paid, without the discounts that the "
            "configuration has for the accounts now."
        )
    if spent.estimated.requests:
        yield (
            f"Attempts that never reported their usage: {spent.estimated.requests:,}. They are estimated at "
            f"{cents(spent.estimated.direct)} USD, which is in no cost here."
        )
    if spent.unpriced:
        yield f"Attempts without a price: {spent.unpriced:,}. What they cost is unknown and in no figure."
    if spent.unlisted:
        yield f"Attempts at a discount of 100 %: {spent.unlisted:,}. They have no list price; no plan bills them by it."


def _plan_notes(found: comparing.Comparison) -> Iterator[str]:
    for name, cost in found.plans.items():
        if missing := [month for month, bill in cost.months.items() if bill is None]:
            yield f"{name} has no version for all days of {', '.join(missing)}: its cost is not known."
        elif cost.total is not None and cost.total.left:
            yield f"{name}: {cents(cost.total.left)} USD of credits are bought and not spent; they are not in its cost."


def _strangers(traffic: comparing.Traffic, config: Config) -> Iterator[str]:
    if strangers := sorted(traffic.providers - config.providers.keys()):
        names = ", ".join(map(printable, strangers))
        yield f"Not in the configuration, so taken to have no discount: {names}."


def _cut(since: datetime | None, until: datetime | None) -> Iterator[str]:
    cut = {
        f"{instant:%Y-%m}"
        for instant in (since and since.astimezone(UTC), until and until.astimezone(UTC))
        if instant is not None and (instant.day, instant.time()) != (1, time())
    }
    for month in sorted(cut):
        yield f"{month} is not whole here: allowances are reckoned as though nothing else had been spent in it."


def _document(found: comparing.Comparison, by: Sequence[str]) -> json.Object:
    return {
        "by": list(by),
        "paid": {**_spent(found.spent), "months": {month: _spent(spent) for month, spent in found.months.items()}},
        "plans": {
            name: {
                **_bill(cost.total, cost.total_estimated),
                "months": {month: _bill(bill, cost.estimated[month]) for month, bill in cost.months.items()},
            }
            for name, cost in found.plans.items()
        },
        "groups": [
            {
                **dict(zip(by, row.group, strict=True)),
                "paid": _spent(row.spent),
                "plans": {name: {"cost_usd": _usd(cost)} for name, cost in row.plans.items()},
            }
            for row in found.groups
        ],
    }


def _usd(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


def _spent(spent: comparing.Spent) -> json.Object:
    return {
        "requests": spent.known.requests,
        "cost_usd": _usd(spent.known.direct),
        "list_usd": _usd(spent.known.listed),
        "cost_estimated_usd": _usd(spent.estimated.direct),
        "estimated": spent.estimated.requests,
        "unpriced": spent.unpriced,
        "unlisted": spent.unlisted,
    }


def _bill(bill: Bill | None, estimated: Decimal | None) -> json.Object:
    if bill is None:
        return {"cost_usd": None}
    return {
        "cost_usd": _usd(bill.total),
        "without_surcharge_fees_usd": _usd(bill.without_surcharge_fees),
        "cost_estimated_usd": _usd(estimated),
        "provider_usd": _usd(bill.direct),
        "credits_usd": _usd(bill.credits),
        "surcharge_usd": _usd(bill.surcharge),
        "fees_usd": _usd(bill.fees),
        "surcharge_fees_usd": _usd(bill.surcharge_fees),
        "purchases": bill.purchases,
        "credits_left_usd": _usd(bill.left),
    }


_PLANS: Final = (
    "plan",
    "usage",
    "surcharge",
    "fees",
    "fees on\nsurcharge",
    "cost USD",
    "without\nthose fees",
    "more\nthan paid",
    "%",
)


def _write_tables(found: comparing.Comparison, by: Sequence[str], out: TextIO) -> None:
    grid(out, _PLANS, list(_plan_rows(found)), first_to_go=("usage", "fees", "surcharge", "fees on\nsurcharge"))
    names = [_AS_PAID, *map(printable, found.plans)]
    total = ["total", cents(found.spent.known.direct), *(_total(cost.total) for cost in found.plans.values())]
    if len(found.months) > 1:
        grid(out, ["month", *names], [*_month_rows(found), total])
    if by:
        grid(out, [", ".join(by), *names], [*_group_rows(found), total])


def _plan_rows(found: comparing.Comparison) -> Iterator[list[str]]:
    paid = found.spent.known.direct
    yield [_AS_PAID, cents(paid), "", "", "", cents(paid), cents(paid), "", ""]
    for name, cost in found.plans.items():
        yield [printable(name), *(_bill_cells(cost.total, paid) if cost.total else [UNKNOWN] * (len(_PLANS) - 1))]


def _bill_cells(bill: Bill, paid: Decimal) -> Iterator[str]:
    more = subtract(bill.total, paid)
    yield from map(
        cents,
        (
            add(bill.direct, bill.credits),
            bill.surcharge,
            bill.fees,
            bill.surcharge_fees,
            bill.total,
            bill.without_surcharge_fees,
            more,
        ),
    )
    yield f"{divide(multiply(more, 100), paid):+.2f}" if paid else UNKNOWN


def _month_rows(found: comparing.Comparison) -> Iterator[list[str]]:
    for month, spent in found.months.items():
        yield [month, cents(spent.known.direct), *(_total(cost.months[month]) for cost in found.plans.values())]


def _group_rows(found: comparing.Comparison) -> Iterator[list[str]]:
    for row in found.groups:
        yield [", ".join(map(printable, row.group)), cents(row.spent.known.direct), *map(cents, row.plans.values())]


def _total(bill: Bill | None) -> str:
    return UNKNOWN if bill is None else cents(bill.total)
