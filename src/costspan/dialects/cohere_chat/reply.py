"""What Cohere answers: whole answers, usage and errors. Streams are made of the same parts.

`usage.billed_units` is what the invoice counts: `usage.tokens` holds beside it what Cohere itself adds to a prompt and
an answer, "tokens you don't have control over, you are not charged for them". `cached_tokens` are a part of `tokens`,
and billed like any other: none of them is taken off (recorded 2026-01: 577 tokens, 576 of them cached, 377 billed).
https://docs.cohere.com/v2/docs/how-does-cohere-pricing-work (read 2026-11-25)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from costspan.dialects.cohere_chat.vocabulary import ANSWER_FIELDS, BY_STATUS, FINISH, GAVE_UP, MESSAGE_FIELDS, NAME
from costspan.dialects.counts import Counts, within
from costspan.dialects.losses import beyond
from costspan.dialects.types import PLAIN, ErrorReport, Summary
from costspan.errors import Category, Malformed
from costspan.ir.reply import Choice, FinishReason, Reply
from costspan.ir.request import Citation, Reasoning, Text, ToolCall
from costspan.ir.usage import Usage
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from costspan.dialects.types import Profile
    from costspan.ir.request import Block

_COUNTS: Final = ("input_tokens", "output_tokens", "search_units")
_SERVER_ERRORS: Final = 500


def decode_reply(body: json.Object, profile: Profile = PLAIN) -> Reply:
    """Read a whole answer, tolerantly. Raises `Malformed` where there is no message, or none because Cohere gave up.

    The answer does not say which model gave it.
    """
    message = body.get("message")
    if not isinstance(message, dict):
        raise Malformed("the answer holds no message")
    native = text_of(body.get("finish_reason"))
    blocks = tuple(_blocks(message))
    if not blocks and native in GAVE_UP:
        raise Malformed("the provider gave up on the answer")
    finish = FINISH.get(native, FinishReason.OTHER)
    choice = Choice(blocks, finish, native or None, logprobs=read_logprobs(body.get("logprobs")))
    return Reply(
        id=text_of(body.get("id")),
        model="",
        choices=(choice,),
        usage=read_usage(body, profile),
        unread=frozenset(_unread(body, message)),
    )


def summarize(body: json.Object, profile: Profile = PLAIN) -> Summary:
    """Read what the books need. Raises `Malformed` where there is no message."""
    if not isinstance(body.get("message"), dict):
        raise Malformed("the answer holds no message")
    native = text_of(body.get("finish_reason"))
    return Summary(text_of(body.get("id")), "", (native,) if native else (), read_usage(body, profile))


def read_usage(body: json.Object, profile: Profile = PLAIN) -> Usage | None:  # noqa: ARG001 - no host has quirks yet
    """Usage of a whole answer, or of the `delta` that ends a stream; None where it reports none."""
    report = body.get("usage")
    if not isinstance(report, dict):
        return None
    places = (within(report, "billed_units"), within(report, "tokens"))
    counted = next((place for place in places if any(place.get(name) is not None for name in _COUNTS)), None)
    if counted is None:
        return None
    counts = Counts()
    tokens = {"input": counts.count(counted, "input_tokens"), "output": counts.count(counted, "output_tokens")}
    searches = counts.count(counted, "search_units")
    return Usage(tokens, {"searches": searches} if searches else {}, inconsistent=counts.inconsistent)


def _blocks(message: json.Object) -> Iterator[Block]:
    """Thinking and text, then what the model says before it calls tools, then the calls: the order of a stream."""
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    cited = [citation for citation in items_of(message.get("citations")) if isinstance(citation, dict)]
    texts = [number for number, part in enumerate(parts) if isinstance(part, dict) and part.get("type") == "text"]
    for number, part in enumerate(parts):
        match part:
            case {"type": "text", "text": str(text)} if text:
                own = (citation for citation in cited if _place(citation, texts) == number)
                yield Text(text, tuple(_citations(own)))
            case {"type": "thinking", "thinking": str(text)} if text:
                yield Reasoning(text)
            case _:
                pass
    if plan := text_of(message.get("tool_plan")):
        yield Text(plan, tuple(_citations(citation for citation in cited if citation.get("type") == "PLAN")))
    for number, call in enumerate(items_of(message.get("tool_calls"))):
        if isinstance(call, dict):
            yield ToolCall(*read_call(call, number))


def _place(citation: json.Object, texts: list[int]) -> int | None:
    """Which part of the content is cited: the one it names, else the text."""
    if text_of(citation.get("type")) in {"PLAN", "THINKING_CONTENT"}:
        return None
    index = citation.get("content_index")
    return index if index in texts else texts[-1] if texts else None


def _citations(cited: Iterable[json.Object]) -> Iterator[Citation]:
    return (citation for raw in cited for citation in read_citation(raw))


def read_citation(raw: json.Object) -> Iterator[Citation]:
    """One for each source: a document of the request, or the result of a tool. Their shapes are the client's own."""
    start, end = raw.get("start"), raw.get("end")
    for source in items_of(raw.get("sources")) or [{}]:
        match source:
            case {"document": dict(held)} | {"tool_output": dict(held)}:
                pass
            case _:
                held = {}
        yield Citation(
            url=text_of(held.get("url")) or None,
            title=text_of(held.get("title")) or None,
            cited_text=text_of(held.get("snippet")) or text_of(held.get("text")) or None,
            start=start if type(start) is int else None,
            end=end if type(end) is int else None,
            origin=NAME,
            raw=raw,
        )


def read_call(call: json.Object, number: int) -> tuple[str, str, str]:
    """Id, name and arguments of a call. `number` tells calls without an id apart."""
    function = call.get("function")
    function = function if isinstance(function, dict) else {}
    name, arguments = text_of(function.get("name")), function.get("arguments")
    if isinstance(arguments, dict):
        arguments = json.text(arguments)
    return text_of(call.get("id")) or f"call_{number}", name, text_of(arguments) or "{}"


def read_logprobs(items: object) -> json.Object | None:
    """Log probabilities in OpenAI chat's shape. Of a piece of several tokens only the whole is known: their sum."""
    content = [
        {"token": text, "logprob": sum(logprobs), "bytes": None, "top_logprobs": []}
        for item in items_of(items)
        if (text := text_of(item.get("text")) if isinstance(item, dict) else "")
        and (logprobs := [value for value in items_of(item.get("logprobs")) if type(value) in {int, float}])
    ]
    return {"content": content, "refusal": None} if content else None


def _unread(body: json.Object, message: json.Object) -> Iterator[str]:
    yield from beyond(body, ANSWER_FIELDS)
    yield from beyond(message, MESSAGE_FIELDS)
    for part in items_of(message.get("content")):
        kind = text_of(part.get("type")) if isinstance(part, dict) else ""
        if kind not in {"text", "thinking"}:
            yield f"content.{kind}" if kind else "content"
    if any(_is_lost(citation, message) for citation in items_of(message.get("citations"))):
        yield "citations"


def _is_lost(citation: object, message: json.Object) -> bool:
    """Whether there is no text to hang it on. Thinking has no citations in canonical form."""
    if not isinstance(citation, dict) or citation.get("type") == "THINKING_CONTENT":
        return True
    if citation.get("type") == "PLAN":
        return not message.get("tool_plan")
    content = message.get("content")
    parts = (isinstance(part, dict) and part.get("text") for part in items_of(content))
    return not (any(parts) or text_of(content))


def decode_error(status: int, body: bytes) -> ErrorReport:
    """Understand an error answer, `{"message": ...}`. Whatever its bytes, the status is enough for a category."""
    try:
        value = json.loads(body)
    except Malformed:
        text = body.decode(errors="replace").strip()
        value = "" if text.startswith("<") else text
    message = text_of(value) or (text_of(value.get("message")) if isinstance(value, dict) else "")
    return ErrorReport(_category(status, message), message or f"HTTP {status}")


def _category(status: int, message: str) -> Category:
    """There are no codes: what a bad request is about, its text alone tells ("too many tokens: ...")."""
    if status in BY_STATUS:
        return BY_STATUS[status]
    if not 400 <= status < _SERVER_ERRORS:  # noqa: PLR2004 - the range of client errors
        return Category.SERVER_ERROR
    told = message.lower()
    return Category.CONTEXT_LENGTH if "too many tokens" in told else Category.INVALID_REQUEST


def items_of(value: Any) -> list[Any]:  # noqa: ANN401 - JSON
    """A list, empty where there is none."""
    return value if isinstance(value, list) else []


def text_of(value: Any) -> str:  # noqa: ANN401 - JSON
    """A string, empty where there is none."""
    return value if isinstance(value, str) else ""
