"""Placeholder until the fingerprint lands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costspan.routing.asked import Asked
    from costspan.wire import json


def recognised(asked: Asked, fields: json.Object, key: str | None) -> Asked:  # noqa: ARG001 - placeholder
    """Nothing is recognised yet."""
    return asked
