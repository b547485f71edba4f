"""Turns of the model, as they were said: Google's SDK keeps each chunk of a stream as a content of its own.

A provider that sealed its reasoning refuses it in other pieces than it sealed, and others set paragraphs apart, so what
the model said in pieces is put together again. A seal ends what it seals.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from costspan.ir.request import Message, Reasoning, Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from costspan.ir.request import Block


def joined(messages: Iterable[Message]) -> Iterator[Message]:
    """`messages` with adjacent ones of the model as one."""
    said: list[Block] = []
    for message in messages:
        if message.role == "assistant":
            for block in message.blocks:
                _add(said, block)
            continue
        if said:
            yield Message("assistant", tuple(said))
            said = []
        yield message
    if said:
        yield Message("assistant", tuple(said))


def _add(said: list[Block], block: Block) -> None:
    match said[-1] if said else None, block:
        case Reasoning(opaque=None) as before, Reasoning():
            said[-1] = replace(before, text=before.text + block.text, opaque=block.opaque)
        case Text(opaque=None, citations=()) as before, Text():
            said[-1] = replace(block, text=before.text + block.text)
        case _:
            said.append(block)
