"""What choosing the cheapest target saves, on simulated requests over targets at published prices.

    PYTHONPATH=tests .venv/bin/python benchmarks/cheapest.py

How the days are made: tests/fakes/simulated_requests.py; the prices: tests/fakes/simulated_prices.py.
"""

from __future__ import annotations

from fakes.simulated_choices import COUNTED, WARM_UP, rows
from fakes.simulated_requests import HARD, STEADY

SEEDS = range(1, 7)
DAYS = {
    f"steady, after {WARM_UP} requests": (STEADY, WARM_UP),
    "steady, from the first request on": (STEADY, 0),
    f"lengths vary strongly, after {WARM_UP} requests": (HARD, WARM_UP),
}


def main() -> None:
    """Print the table as Markdown."""
    print(f"{len(SEEDS)} days of {COUNTED:,} requests each\n")
    print("| requests | chosen by | truly cheapest | above the cheapest | USD |")
    print("|---|---|--:|--:|--:|")
    for name, (mix, warm_up) in DAYS.items():
        for row in rows(mix, SEEDS, warm_up):
            print(f"| {name} | {row.way} | {row.right:.1%} | {row.above:.1%} | {row.total:.2f} |")


if __name__ == "__main__":
    main()
