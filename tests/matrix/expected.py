"""What each cell of the matrix has to say where that is not `ok`, and why."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

OK = "ok"


@dataclass(frozen=True)
class Note:
    """Cells that say something else. The names of client, upstream and scene are patterns as a shell has them."""

    client: str
    upstream: str
    scene: str
    outcome: str
    why: str

    def holds(self, client: str, upstream: str, scene: str) -> bool:
        """Whether it is about this cell."""
        named = ((client, self.client), (upstream, self.upstream), (scene, self.scene))
        return all(fnmatchcase(name, pattern) for name, pattern in named)


_HIDDEN = (
    "OpenAI's chat completions show no reasoning, not even a summary of it; that the client asked for one is named."
)
_UNASKED = (
    "OpenAI tells a summary of its reasoning on demand only, and refuses the demand to organisations that it has not "
    "verified. Chat completions have no word for it, so it is not asked for. The sealed reasoning is, and comes back."
)

_NO_URL = "Bedrock and Vertex fetch nothing for Claude, and the gateway fetches nothing for anybody: bytes go."
_PASSED = "A request in the provider's own dialect goes as it is. What the provider refuses, it refuses."

_IMAGE = {
    "anthropic*": "messages.content.image",
    "google-genai": "contents.parts",
    "openai responses": "input.content.input_image",
    "*": "messages.image",
}
_SUMMARY = {
    "anthropic*": "thinking.display",
    "google-genai": "generationConfig.thinkingConfig.includeThoughts",
    "*": "reasoning.summary",
}
"""What each client calls it."""

NOTES = (
    Note(
        *("anthropic", "*: claude", "image by URL"),
        "refused by the provider: messages: image sources of type url are not supported",
        _PASSED,
    ),
    *(
        Note(client, upstream, "image by URL", f"refused: {word}", _NO_URL)
        for upstream in ("*: claude", "bedrock: converse")
        for client, word in _IMAGE.items()
    ),
    Note("openai chat", "*: responses", "reasoning*", "reasoning not asked for", _UNASKED),
    Note("openai chat", "*: chat", "reasoning*", OK, ""),
    *(
        Note(client, upstream, "reasoning*", f"dropped: {word}", _HIDDEN)
        for upstream in ("openai: chat", "azure: chat")
        for client, word in _SUMMARY.items()
    ),
)


def expected(client: str, upstream: str, scene: str) -> str:
    """What the cell has to say."""
    return next((note.outcome for note in NOTES if note.holds(client, upstream, scene)), OK)
