"""An open gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fakes.site import opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.site import Site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with opened(tmp_path) as made:
        yield made
