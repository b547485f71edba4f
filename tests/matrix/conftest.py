"""`--matrix` prints what the cells said: `make matrix`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from matrix.table import Cell

pytest.register_assert_rewrite("matrix.cell", "matrix.clients")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--matrix", action="store_true", help="print client x upstream x feature")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not config.getoption("--matrix", default=False):
        return
    from matrix.table import table  # noqa: PLC0415 - after the rewriting of asserts was asked for

    outcomes: dict[Cell, str] = {}
    for report in (one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, [])):
        found = dict(report.user_properties)
        if "cell" in found:
            failed = "" if report.passed else "FAILED: "
            outcomes[cast("Cell", tuple(found["cell"]))] = failed + found.get("outcome", "see above")
    for line in table(outcomes):
        terminalreporter.write_line(line)
