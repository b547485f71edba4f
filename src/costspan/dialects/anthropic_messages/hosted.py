"""What clouds that host Claude do not take, though Anthropic's own API does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from costspan.errors import Untranslatable
from costspan.ir.request import Media, ToolResult

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costspan.ir.profile import Profile
    from costspan.ir.request import Block, Request

FETCHES_NOTHING: Final = "fetches_nothing"
"""Quirk: images and documents by their bytes only (platform.claude.com/docs, vision, supported platforms: Bedrock's
InvokeModel and Google's own Vertex; files: "currently not supported on Amazon Bedrock or Google Vertex AI"; read
2026-11-25).
"""


def check_media(request: Request, profile: Profile) -> None:
    """Raise `Untranslatable` for what the host would have to fetch."""
    if FETCHES_NOTHING in profile.quirks:
        for message in request.messages:
            _check(message.blocks, profile.name)


def _check(blocks: Iterable[Block], host: str) -> None:
    for block in blocks:
        if isinstance(block, ToolResult):
            _check(block.blocks, host)
        elif isinstance(block, Media) and block.data is None:
            raise Untranslatable(
                f"{host} fetches no images and documents: send their bytes", param=f"messages.{block.kind}"
            )
