"""Whole answers, in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects.gemini_generate.grounding import grounding_of
from costspan.dialects.gemini_generate.logprobs import write_logprobs
from costspan.dialects.gemini_generate.stream import Decoder
from costspan.dialects.gemini_generate.usage import read_usage, write_usage
from costspan.dialects.gemini_generate.vocabulary import ENCODED_FINISH, REFUSED, UNSPECIFIED
from costspan.dialects.gemini_generate.write_parts import call_part, lose_tool, media_part, text_part
from costspan.dialects.losses import AnswerLosses, name_of
from costspan.dialects.types import PLAIN, Encoded, Summary
from costspan.errors import Malformed
from costspan.ir.fold import fold
from costspan.ir.reply import FinishReason
from costspan.ir.request import Media, Reasoning, Refusal, ServerTool, Text, ToolCall
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from costspan.dialects.types import Profile, StreamOptions
    from costspan.ir.reply import Choice, Reply
    from costspan.ir.request import Block, Citation


def decode_reply(body: json.Object, profile: Profile = PLAIN) -> Reply:  # noqa: ARG001 - no host of this dialect has quirks yet
    """Read an upstream's whole answer, as a stream of one event. Raises `Malformed` when it holds no candidate."""
    _check(body)
    return fold(Decoder().read(body))


def summarize(body: json.Object, profile: Profile = PLAIN) -> Summary:
    """Read what the books need. Raises `Malformed` when the answer holds no candidate."""
    _check(body)
    candidates = [candidate for candidate in body.get("candidates") or () if isinstance(candidate, dict)]
    natives = [candidate.get("finishReason") for candidate in candidates]
    if not candidates:
        natives = [body["promptFeedback"]["blockReason"]]
    found = dict.fromkeys(native for native in natives if isinstance(native, str) and native not in UNSPECIFIED)
    id_, model = body.get("responseId"), body.get("modelVersion")
    return Summary(
        id_ if isinstance(id_, str) else "",
        model if isinstance(model, str) else "",
        tuple(found),
        read_usage(body, profile),
    )


def _check(body: json.Object) -> None:
    """Whether there is an answer at all, or a reason why there is none."""
    match body:
        case {"candidates": [*candidates]} if any(isinstance(candidate, dict) for candidate in candidates):
            return
        case {"promptFeedback": {"blockReason": str()}}:
            return
        case _:
            raise Malformed("the answer holds no candidates")


def encode_reply(reply: Reply, options: StreamOptions) -> Encoded:
    """Write a whole answer for the client."""
    losses = AnswerLosses()
    body: json.Object = {
        "candidates": [_candidate(choice, index, losses) for index, choice in enumerate(reply.choices)],
        "usageMetadata": write_usage(reply.usage, options.prompt_tokens),
        "modelVersion": options.model,
        "responseId": reply.id or options.exchange_id,
    }
    losses.add_all(reply.unread)
    return Encoded(json.dumps(body), losses.names())


def _candidate(choice: Choice, index: int, losses: AnswerLosses) -> json.Object:
    refused = any(isinstance(block, Refusal) for block in choice.blocks)
    content: json.Object = {"role": "model"}
    if parts := list(_parts(choice.blocks, losses)):
        content["parts"] = parts
    finish = choice.finish or FinishReason.STOP
    note_finish(finish, choice.stop_sequence, losses)
    candidate: json.Object = {
        "content": content,
        "finishReason": REFUSED if refused else ENCODED_FINISH[finish],
        "index": index,
    }
    texts = [(block.text, block.citations) for block in choice.blocks if isinstance(block, Text)]
    note_citations([citation for _, cited in texts for citation in cited], losses)
    if grounding := grounding_of(texts):
        candidate["groundingMetadata"] = grounding
    if logprobs := write_logprobs(choice.logprobs):
        candidate["logprobsResult"] = logprobs
    return candidate


def note_finish(finish: FinishReason, stop_sequence: str | None, losses: AnswerLosses) -> None:
    """Name what the finish reason cannot say."""
    if finish is FinishReason.PAUSE:
        losses.add("finish_reason")
    if stop_sequence:
        losses.add("stop_sequence")


def note_citations(cited: Sequence[Citation], losses: AnswerLosses) -> None:
    """Name what the grounding cannot say: sources without an address, and what stands there."""
    if any(citation.url is None for citation in cited):
        losses.add("citations")
    if any(citation.url is not None and citation.cited_text for citation in cited):
        losses.add("citations.cited_text")


def _parts(blocks: Sequence[Block], losses: AnswerLosses) -> Iterator[json.Object]:
    for block in blocks:
        part = _part(block, losses)
        if part is not None:
            yield part


def _part(block: Block, losses: AnswerLosses) -> json.Object | None:
    match block:
        case Text(text=text, opaque=sealed):
            return text_part(text, sealed) if text or sealed else None
        case Refusal(text=text):
            return text_part(text) if text else None
        case ToolCall():
            return call_part(block.id, block.name, block.arguments, block.opaque, losses)
        case Reasoning(text=text, opaque=sealed):
            return text_part(text, sealed, thought=True) if text or sealed else None
        case Media():
            return media_part(block, losses)
        case ServerTool(kind=kind):
            lose_tool(kind, losses)
        case _:
            losses.add(name_of(block))
    return None
