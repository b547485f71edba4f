"""A gateway with the client keys of `security.keys`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fakes.site import opened
from security.keys import KEYS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.site import Site


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Site]:
    async with opened(tmp_path, KEYS) as made:
        yield made
