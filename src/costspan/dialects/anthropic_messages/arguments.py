"""Arguments of a call on their way to the client, who is owed a JSON object.

Anthropic's SDKs parse each call as it grows and give up the whole stream where it is none.
"""

from __future__ import annotations

from costspan.dialects.anthropic_messages.blocks_encode import arguments_object, wrapped_arguments


class Arguments:
    """The arguments of one call in a stream.

    What begins as an object goes on as it comes. What does not is held back until it ends, and then wrapped in one.
    What begins as an object and turns out to be none has been sent by then: that is only told (`broken`).
    """

    __slots__ = ("_held", "_sent", "broken")

    def __init__(self) -> None:
        self._held = ""
        self._sent: list[str] = []
        self.broken = False
        """Whether they were no object; known once they have ended."""

    def add(self, part: str) -> str:
        """Take in a part; what can be sent now."""
        if not self._sent:
            self._held += part
            if not self._held.lstrip().startswith("{"):
                return ""
            part, self._held = self._held, ""
        self._sent.append(part)
        return part

    def end(self) -> str:
        """What is left to send."""
        held, sent = self._held, "".join(self._sent)
        self._held = ""
        self.broken = arguments_object(sent or held) is None
        return wrapped_arguments(held) if self.broken and held else ""
