"""Wire formats. To add one: write its package, then add a line to the registry here."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from costspan.dialects import anthropic_messages, openai_chat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.dialects.types import Dialect

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        anthropic_messages.NAME: anthropic_messages,
        openai_chat.NAME: openai_chat,
    }
)
"""By the name that the configuration and the ledger use."""
