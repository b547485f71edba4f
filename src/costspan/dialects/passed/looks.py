"""The strict first look at requests of passed formats: what routing needs, and no more. The rest is the provider's.

Forms have the same fields as texts (`stream` is `true`), so a field is read in either way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from costspan.dialects import checks
from costspan.dialects.types import Peek
from costspan.ir.usage import CHARS_PER_TOKEN

if TYPE_CHECKING:
    from costspan.wire import json

_DEFAULT_COMPLETION: Final = 16
""""The maximum number of tokens that can be generated": 16 by default (openai 3.54.0, CompletionCreateParams)."""
_MAX_CHOICES: Final = 128
_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False, "": False}


def at_completion(body: json.Object) -> Peek:
    """`prompt` is a text, texts, token ids, or lists of them."""
    model, stream = _begin(body)
    limit = checks.integer(body, "max_tokens", 0)
    options = body.get("stream_options")
    if options is not None and type(options) is not dict:
        raise checks.invalid("'stream_options' must be an object", "stream_options", "invalid_type")
    return Peek(
        model=model,
        stream=stream,
        max_output_tokens=_DEFAULT_COMPLETION if limit is None else limit,
        prompt_chars=_prompt(body.get("prompt")) + _chars(body, "suffix"),
        wants_usage=not stream or (options is not None and options.get("include_usage") is True),
        n=_number(body, "n"),
        service_tier=_tier(body),
    )


def _prompt(prompt: Any) -> int:  # noqa: ANN401 - unchecked input
    """Characters of a prompt, in whichever of its forms."""
    if prompt is None:
        return 0
    if type(prompt) is str:
        return len(prompt)
    if checks.strings(prompt):
        return sum(map(len, prompt))
    if checks.token_ids(prompt):
        return CHARS_PER_TOKEN * len(prompt)
    if type(prompt) is list and all(map(checks.token_ids, prompt)):
        return CHARS_PER_TOKEN * sum(map(len, prompt))
    raise checks.invalid("'prompt' must be a string, or a list of strings or token ids", "prompt")


def at_moderation(body: json.Object) -> Peek:
    """`input` is a text, texts, or parts that may be pictures."""
    model, _ = _begin(body)
    given = body.get("input")
    parts = given if type(given) is list else [given]
    if not parts or not all(type(part) in {str, dict} for part in parts):
        raise checks.invalid("'input' must be a string, or a list of strings or parts", "input")
    texts = [part.get("text") if type(part) is dict else part for part in parts]
    return Peek(
        model=model,
        stream=False,
        max_output_tokens=0,
        prompt_chars=sum(len(text) for text in texts if type(text) is str),
        media=sum(type(part) is dict and type(part.get("text")) is not str for part in parts),
    )


def at_images(body: json.Object) -> Peek:
    """`prompt` says what to paint."""
    return _at_images(body, media=0)


def at_image_edit(body: json.Object) -> Peek:
    """The same with pictures, one at least."""
    return _at_images(body, media=1)


def _at_images(body: json.Object, *, media: int) -> Peek:
    model, stream = _begin(body)
    return Peek(
        model=model,
        stream=stream,
        max_output_tokens=0,
        prompt_chars=_chars(body, "prompt"),
        media=media,
        n=_number(body, "n"),
    )


def at_speech(body: json.Object) -> Peek:
    """`input` is what to say. The answer is sound, or with `stream_format: sse` a stream of events."""
    model, _ = _begin(body)
    if type(body.get("input")) is not str:
        raise checks.invalid("'input' must be a string", "input", "invalid_type")
    return Peek(
        model=model,
        stream=checks.string(body, "stream_format") == "sse",
        max_output_tokens=0,
        prompt_chars=_chars(body, "input") + _chars(body, "instructions"),
    )


def at_transcription(body: json.Object) -> Peek:
    """A form with a file of sound."""
    model, stream = _begin(body)
    return Peek(model=model, stream=stream, max_output_tokens=0, prompt_chars=_chars(body, "prompt"), media=1)


def at_rerank(body: json.Object) -> Peek:
    """`documents` are to be put in the order in which they answer `query`."""
    model, _ = _begin(body)
    documents = body.get("documents")
    if type(documents) is not list or not documents or not all(type(one) in {str, dict} for one in documents):
        raise checks.invalid("'documents' must be a list of strings or objects", "documents")
    texts = [one.get("text") if type(one) is dict else one for one in documents]
    return Peek(
        model=model,
        stream=False,
        max_output_tokens=0,
        prompt_chars=_chars(body, "query") + sum(len(text) for text in texts if type(text) is str),
        media=sum(type(one) is dict and type(one.get("text")) is not str for one in documents),
    )


def _begin(body: json.Object) -> tuple[str, bool]:
    """What all have: a model, and whether the answer is streamed."""
    checks.refuse_destinations(body)
    return checks.model(body), _flag(body, "stream")


def _flag(body: json.Object, name: str) -> bool:
    value = body.get(name)
    if type(value) is str and value.lower() in _FLAGS:
        return _FLAGS[value.lower()]
    return checks.flag(body, name) or False


def _number(body: json.Object, name: str) -> int:
    value = body.get(name)
    if type(value) is str and value.isascii() and value.isdecimal():
        body = {name: int(value[:9])}
    return checks.integer(body, name, 1, _MAX_CHOICES) or 1


def _chars(body: json.Object, name: str) -> int:
    return len(checks.string(body, name) or "")


def _tier(body: json.Object) -> str | None:
    tier = body.get("service_tier")
    return tier if isinstance(tier, str) else None
