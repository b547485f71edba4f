"""Half an hour of bad luck for the accounts: made-up lives of a gateway, then kills of the real one under load.

    python benchmarks/torture.py --seed 20261125 --kills 1000

The lives are those of tests/ledger/test_state_machine.py: 3 000 of up to 60 steps, shrunk where one goes wrong. The
kills are those of tests/integration/test_kills.py, which prints how many attempts there were and how many were
recovered. The same seed makes the same lives, and chooses the same moments to kill.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

PYTEST = (sys.executable, "-m", "pytest", "-q", "-n", "0", "-s", "--timeout", "0")


def main() -> int:
    """Both, whatever becomes of the first. Returns an exit code."""
    parser = argparse.ArgumentParser(description="Torture the ledger.")
    parser.add_argument("--seed", type=int, default=20_261_125)
    parser.add_argument("--kills", type=int, default=1000)
    asked = parser.parse_args()
    lives = [
        "--hypothesis-profile",
        "torture",
        "--hypothesis-seed",
        str(asked.seed),
        "tests/ledger/test_state_machine.py",
    ]
    kills = ["--kills", str(asked.kills), "--kill-seed", str(asked.seed), "tests/integration/test_kills.py"]
    return max([subprocess.run([*PYTEST, *of], check=False).returncode for of in (lives, kills)])


if __name__ == "__main__":
    sys.exit(main())
