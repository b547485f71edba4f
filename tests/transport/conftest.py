"""Fixtures of the transport's tests."""

from __future__ import annotations

import pytest

from fakes.loops import RUNS, Run


@pytest.fixture(params=list(RUNS))
def run(request: pytest.FixtureRequest) -> Run:
    """Each event loop in turn."""
    return RUNS[request.param]
