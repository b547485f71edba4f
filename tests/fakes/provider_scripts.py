"""What providers of three dialects send, piece by piece, with the usage that each piece tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fakes.scripted_provider import Asked, Piece, Tokens
from fakes.upstream_answers import (
    anthropic_reply,
    anthropic_stream,
    gemini_reply,
    gemini_stream,
    openai_reply,
    openai_stream,
)

if TYPE_CHECKING:
    from fakes.upstream import Answer


class Script(Protocol):
    """A dialect's way to answer. What is `final` tells all of the usage, what is not a lower bound."""

    def begin(self, tokens: Tokens) -> list[Piece]:
        """What comes before the first text."""

    def text(self, text: str, tokens: Tokens) -> list[Piece]:
        """A piece of the answer. `tokens` are those so far."""

    def finish(self, tokens: Tokens) -> list[Piece]:
        """The reason why it ended, and the usage."""

    def done(self) -> list[Piece]:
        """What says that the stream is complete."""

    def whole(self, text: str, tokens: Tokens) -> bytes:
        """The same in one body."""


class OpenAI:
    """Usage comes once, after the finish reason."""

    def begin(self, tokens: Tokens) -> list[Piece]:
        del tokens
        return [Piece(_steps(openai_stream())[0])]

    def text(self, text: str, tokens: Tokens) -> list[Piece]:
        del tokens
        return [Piece(_steps(openai_stream((text,)))[1])]

    def finish(self, tokens: Tokens) -> list[Piece]:
        *_, reason, usage, _ = _steps(openai_stream(usage=self._usage(tokens)))
        return [Piece(reason), Piece(usage, tokens)]

    def done(self) -> list[Piece]:
        return [Piece(_steps(openai_stream())[-1])]

    def whole(self, text: str, tokens: Tokens) -> bytes:
        return _body(openai_reply(text, usage=self._usage(tokens)))

    @staticmethod
    def _usage(tokens: Tokens) -> dict[str, int]:
        total = tokens.input + tokens.output
        return {"prompt_tokens": tokens.input, "completion_tokens": tokens.output, "total_tokens": total}


class Anthropic:
    """The prompt is told first, the output with the stop reason."""

    def begin(self, tokens: Tokens) -> list[Piece]:
        start, *rest = _steps(anthropic_stream(usage=self._usage(tokens)))[:3]
        return [Piece(start, Tokens(tokens.input, 1, final=False)), *map(Piece, rest)]

    def text(self, text: str, tokens: Tokens) -> list[Piece]:
        del tokens
        return [Piece(_steps(anthropic_stream((text,)))[3])]

    def finish(self, tokens: Tokens) -> list[Piece]:
        *_, stop, delta, _ = _steps(anthropic_stream(usage=self._usage(tokens)))
        return [Piece(stop), Piece(delta, tokens)]

    def done(self) -> list[Piece]:
        return [Piece(_steps(anthropic_stream())[-1])]

    def whole(self, text: str, tokens: Tokens) -> bytes:
        return _body(anthropic_reply(text, usage=self._usage(tokens)))

    @staticmethod
    def _usage(tokens: Tokens) -> dict[str, int]:
        return {"input_tokens": tokens.input, "output_tokens": tokens.output}


class Gemini:
    """Each chunk tells the sums so far; the one with the finish reason is the last."""

    def begin(self, tokens: Tokens) -> list[Piece]:
        del tokens
        return []

    def text(self, text: str, tokens: Tokens) -> list[Piece]:
        so_far = Tokens(tokens.input, tokens.output, final=False)
        return [Piece(_steps(gemini_stream((text,), usage=self._usage(tokens)))[0], so_far)]

    def finish(self, tokens: Tokens) -> list[Piece]:
        return [Piece(_steps(gemini_stream(usage=self._usage(tokens)))[-1], tokens)]

    def done(self) -> list[Piece]:
        return []

    def whole(self, text: str, tokens: Tokens) -> bytes:
        return _body(gemini_reply(text, usage=self._usage(tokens)))

    @staticmethod
    def _usage(tokens: Tokens) -> dict[str, int]:
        total = tokens.input + tokens.output
        return {"promptTokenCount": tokens.input, "candidatesTokenCount": tokens.output, "totalTokenCount": total}


SCRIPTS: dict[str, Script] = {"openai": OpenAI(), "anthropic": Anthropic(), "gemini": Gemini()}
"""By kind of provider."""


def script_of(asked: Asked) -> Script:
    return SCRIPTS[asked.account.kind.name]


def _steps(answer: Answer) -> list[bytes]:
    steps = list(answer.body)
    assert all(isinstance(step, bytes) for step in steps)
    return [step for step in steps if isinstance(step, bytes)]


def _body(answer: Answer) -> bytes:
    assert isinstance(answer.body, bytes)
    return answer.body
