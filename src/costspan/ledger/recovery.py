"""Recovery: stub, replaced in the next commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def recover(directory: Path, *, worker: int, clock: Callable[[], float]) -> int:
    """Close the attempts without an end. Raises OSError."""
    del directory, worker, clock
    return 0
