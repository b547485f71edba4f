"""How a conversation for Claude may end.

From 4.6 on a conversation must end with the user's turn: "This model does not support assistant message prefill". Older
models go on where the assistant stopped, but not while they think, and not behind a space.
https://platform.claude.com/docs/en/about-claude/models/migration-guide, prefill removal; the API's errors, "final
assistant content cannot end with trailing whitespace" the other, as in github.com/strands-agents/sdk-python/issues/1694
and anomalyco/opencode/issues/1295 (read 2026-11-25)
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from costspan.dialects.claude.models import traits_of
from costspan.ir.request import Message, ServerTool, Text

if TYPE_CHECKING:
    from costspan.dialects.losses import Losses
    from costspan.ir.request import Request

_GO_ON: Final = Message("user", (Text("(Go on.)"),))
"""The user's turn where the client's conversation has none at its end."""


def end_properly(request: Request, losses: Losses) -> Request:
    """`request` with an end that its model takes; what that changes is a loss."""
    messages = request.messages
    while messages and not _says_anything(messages[-1]):  # encoders leave such out
        messages = messages[:-1]
    if not messages or not _is_assistants(messages[-1]):
        return request
    if not traits_of(request.model).prefill or _asks_to_think(request):
        losses.add("messages.role")
        return replace(request, messages=(*messages, _GO_ON))
    return replace(request, messages=(*messages[:-1], _without_space(messages[-1], losses)))


def _is_assistants(last: Message) -> bool:
    """A turn that stopped amid a tool of Anthropic's own is continued as it is."""
    return last.role == "assistant" and not any(isinstance(block, ServerTool) for block in last.blocks)


def _says_anything(message: Message) -> bool:
    return any(not isinstance(block, Text) or block.text.strip() for block in message.blocks)


def _asks_to_think(request: Request) -> bool:
    options = request.reasoning
    return (
        options is not None
        and options.effort != "none"
        and bool(options.effort or options.budget_tokens or options.dynamic)
    )


def _without_space(message: Message, losses: Losses) -> Message:
    last = message.blocks[-1]
    if not isinstance(last, Text) or last.text == last.text.rstrip():
        return message
    losses.add("messages.content")
    return replace(message, blocks=(*message.blocks[:-1], replace(last, text=last.text.rstrip())))
