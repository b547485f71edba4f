"""Every path that takes a request in JSON or as a form, with the least that is a good request there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TALK: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
CONTENTS: list[dict[str, Any]] = [{"role": "user", "parts": [{"text": "hi"}]}]


@dataclass(frozen=True)
class Surface:
    """A path of the gateway's. `{model}` in it stands for the model where the path names it."""

    name: str
    path: str
    shape: str
    """Of its errors: `openai`, `anthropic` or `gemini`."""
    least: Mapping[str, Any] = field(default_factory=dict)
    """The fields of the least good request, but for the model."""
    kind: str = "chat"
    """`chat`, `count`, `embeddings` or `passed`."""

    @property
    def names_model(self) -> bool:
        """Whether the path does, so that the body need not."""
        return "{model}" in self.path

    def at(self, model: str = "chat") -> str:
        """The path for `model`, which is written as a client would write it."""
        return self.path.replace("{model}", quote(model, safe="/"))

    def asked(self, changes: Mapping[str, Any] | None = None, model: Any = "chat") -> bytes:
        """A body with `changes`; a value of `...` leaves the field out."""
        named = {} if self.names_model else {"model": model}
        body = {**named, **self.least, **(changes or {})}
        return json.dumps({name: value for name, value in body.items() if value is not ...})

    def __str__(self) -> str:
        return self.name


def _gemini(method: str, least: Mapping[str, Any], kind: str, version: str = "v1beta") -> Surface:
    name = method if version == "v1beta" else f"{version} {method}"
    return Surface(name, f"/{version}/models/{{model}}:{method}", "gemini", least, kind)


def _passed(name: str, path: str, **least: Any) -> Surface:
    return Surface(name, path, "openai", least, "passed")


CHAT: Sequence[Surface] = (
    Surface("chat completions", "/v1/chat/completions", "openai", {"max_tokens": 9, "messages": TALK}),
    Surface("responses", "/v1/responses", "openai", {"max_output_tokens": 99, "input": "hi"}),
    Surface("messages", "/v1/messages", "anthropic", {"max_tokens": 9, "messages": TALK}),
    _gemini("generateContent", {"contents": CONTENTS}, "chat"),
    _gemini("streamGenerateContent", {"contents": CONTENTS}, "chat"),
    _gemini("generateContent", {"contents": CONTENTS}, "chat", "v1"),
)
COUNTS: Sequence[Surface] = (
    Surface("count_tokens", "/v1/messages/count_tokens", "anthropic", {"messages": TALK}, "count"),
    _gemini("countTokens", {"contents": CONTENTS}, "count"),
)
EMBEDDINGS: Sequence[Surface] = (
    Surface("embeddings", "/v1/embeddings", "openai", {"input": "hi"}, "embeddings"),
    _gemini("embedContent", {"content": {"parts": [{"text": "hi"}]}}, "embeddings"),
    _gemini(
        "batchEmbedContents",
        {"requests": [{"model": "models/chat", "content": {"parts": [{"text": "hi"}]}}]},
        "embeddings",
    ),
)
PASSED: Sequence[Surface] = (
    _passed("completions", "/v1/completions", prompt="hi"),
    _passed("moderations", "/v1/moderations", input="hi"),
    _passed("images", "/v1/images/generations", prompt="a tree"),
    _passed("image edits", "/v1/images/edits", prompt="a tree"),
    _passed("speech", "/v1/audio/speech", input="hi", voice="alloy"),
    _passed("transcriptions", "/v1/audio/transcriptions"),
    _passed("translations", "/v1/audio/translations"),
    _passed("rerank", "/v1/rerank", query="hi", documents=["a"]),
)
ALL: Sequence[Surface] = (*CHAT, *COUNTS, *EMBEDDINGS, *PASSED)
FORMS: Sequence[Surface] = tuple(s for s in PASSED if s.name in {"image edits", "transcriptions", "translations"})
