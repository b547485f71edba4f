"""`--kills N` and `--kill-seed S`: how often test_kills kills the gateway, and when. See `make torture`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, help="how often test_kills kills the gateway")
    parser.addoption("--kill-seed", type=int, help="chooses the moments")
