"""Turns, to the wire: the roles alternate, the first is the user's, results of tools come first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from costspan.ir.request import Text

if TYPE_CHECKING:
    from costspan.dialects.bedrock_converse.blocks_encode import BlockEncoder, Group
    from costspan.dialects.losses import Losses
    from costspan.ir.request import Message, Request
    from costspan.wire import json

# "A conversation must start with a user message": what stands there where the client's does not.
_BEFORE: Final = "(Earlier messages are left out.)"


def encode_messages(request: Request, blocks: BlockEncoder, losses: Losses) -> list[json.Object]:
    """The conversation; empty where the request has instructions only."""
    turns: list[tuple[str, list[Group]]] = []
    for message in request.messages:
        role, groups = _turn(message, blocks, losses)
        if not groups:
            if any(isinstance(block, Text) and block.text for block in message.blocks):  # only blanks
                losses.add("messages.content")
        elif turns and turns[-1][0] == role:
            turns[-1][1].extend(groups)
        else:
            turns.append((role, groups))
    if turns and turns[0][0] != "user":
        losses.add("messages.role")
        turns.insert(0, ("user", [[{"text": _BEFORE}]]))
    return [{"role": role, "content": _content(groups, losses)} for role, groups in turns]


def _turn(message: Message, blocks: BlockEncoder, losses: Losses) -> tuple[str, list[Group]]:
    if message.name is not None:
        losses.add("messages.name")
    if message.role != "system":
        return message.role, blocks.groups(message.blocks)
    losses.add("messages.system")
    marked = "\n".join(block.text for block in message.blocks if isinstance(block, Text))
    cache = next((block.cache for block in reversed(message.blocks) if isinstance(block, Text) and block.cache), None)
    return "user", blocks.groups([Text(f"<system>\n{marked}\n</system>", cache=cache)] if marked else [])


def _content(groups: list[Group], losses: Losses) -> Group:
    ordered = sorted(groups, key=lambda group: "toolResult" not in group[0])
    content = [part for group in ordered for part in group]
    document = next((part["document"] for part in content if "document" in part), None)
    if isinstance(document, dict) and not any("text" in part for part in content):
        losses.add("messages.content")  # a document needs text beside it
        content.append({"text": document["name"]})
    return content


def called_tools(messages: list[json.Object]) -> list[str]:
    """Names of the tools that the conversation calls, in their order."""
    calls = (part.get("toolUse") for message in messages for part in message["content"])
    return list(dict.fromkeys(str(call["name"]) for call in calls if call))


def holds(message: json.Object, *kinds: str) -> bool:
    """Whether any of its parts is of these kinds."""
    return any(kind in part for part in message["content"] for kind in kinds)
