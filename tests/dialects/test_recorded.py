"""Recorded answers, read and written again in their own dialect and in each client's: nothing goes in silence."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from costspan.dialects import CLIENT_DIALECTS, DIALECTS
from costspan.errors import Category
from costspan.ir.fold import fold
from costspan.ir.request import Reasoning, Refusal, Text, ToolCall
from costspan.providers.hosts import KINDS
from costspan.wire import json, sse
from fakes.corpus import ALL, FAILED, GOOD, MISSING, NOT_COLLECTED, ROWS, STREAMS, WHOLE, Row
from fakes.corpus_answers import back, reply_of, seals, shown
from fakes.corpus_reader import read
from fakes.corpus_usage import buckets, total

if TYPE_CHECKING:
    from costspan.ir import events
    from costspan.ir.reply import Choice, Reply
    from costspan.ir.request import Block
    from costspan.ir.usage import Usage

pytestmark = pytest.mark.skipif(not ROWS, reason=MISSING)

AZURE_CHAT = "crewAI/lib/crewai/llms/TestAzureToolCallStreaming.test_azure_streaming_emits_tool_call_events#0"
TWO_CHOICES = "dd-trace-py/contrib/litellm/completion_multiple_choices_with_tools#0"
UNREAD: dict[str, set[str]] = {
    # what the host adds of its own: Azure's and AWS's verdicts, Venice's bill and settings
    AZURE_CHAT: {"prompt_filter_results"},
    "fantasy/TestAzureCommon/azure-o4-mini/simple_streaming#0": {"prompt_filter_results"},
    "fantasy/TestAzureResponsesCommon/azure-o4-mini/tool_streaming#1": {"content_filters"},
    "openllmetry/opentelemetry-instrumentation-bedrock/traces/test_guardrails/test_guardrail_converse_stream#0": {
        "trace.guardrail"
    },
    "rig/venice/venice_parameters/character_slug#0": {"cost", "venice_parameters"},
    "ruby_llm/chat_with_extended_thinking_azure_gpt-5-nano_returns_thinking_when_available#0": {
        "content_filter_results",
        "prompt_filter_results",
    },
    "ruby_llm/providers_azure_responses_a_gpt-5_6_deployment_routes_to_responses_without_being_asked#0": {
        "content_filters"
    },
}
"""What has no canonical form. A passthrough shows it all the same; a client of another dialect is told its name."""


def lost(row: Row, client: str) -> set[str]:
    """What a client is not shown of the answer."""
    found = set(UNREAD.get(row.id, ()))
    if row.id == TWO_CHOICES and client in {"anthropic-messages", "openai-responses"}:
        found.add("choices")
    return {f"response.{name}" for name in found}


COARSER = {
    "anthropic-messages": {"input_image": "input"},
    "gemini-generate": {"cache_write": "input"},
    "openai-responses": {"input_image": "input"},
}
"""Counts that a client's usage does not tell apart."""
PAIRS = [
    pytest.param(row, client, id=f"{name}: to {client}") for name, row in GOOD.items() for client in CLIENT_DIALECTS
]
OWN = [pytest.param(row, id=name) for name, row in GOOD.items() if row.dialect in CLIENT_DIALECTS]


def test_every_recording_is_read_or_has_a_reason() -> None:
    left_out = [line for line in ALL if line["id"] not in {row.id for row in ROWS}]

    assert len(ALL) == 83
    assert [line["id"] for line in left_out] == [
        "langchaingo/llms/ollama/internal/ollamaclient/TestClient_GenerateStream#0"
    ]
    assert {line["dialect"] for line in left_out} == set(NOT_COLLECTED)
    assert {row.dialect for row in ROWS} == set(DIALECTS)


@pytest.mark.parametrize("row", GOOD.values(), ids=GOOD.keys())
def test_usage_is_the_provider_s_own_in_disjoint_buckets(row: Row) -> None:
    usage = reply_of(row).usage

    assert counts(usage) == buckets(row)
    if row.usage:
        assert usage is not None
        assert usage.prompt_tokens + usage.completion_tokens == total(row)
        assert not usage.inconsistent


def counts(usage: Usage | None) -> dict[str, int]:
    return {name: count for name, count in usage.tokens.items() if count} if usage else {}


@pytest.mark.parametrize("row", WHOLE.values(), ids=WHOLE.keys())
def test_the_books_learn_the_same_from_a_glance_at_an_answer(row: Row) -> None:
    dialect, profile = DIALECTS[row.dialect], KINDS[row.kind].profile
    body, reply = json.loads_object(row.raw), reply_of(row)

    summary = dialect.summarize(body, profile)

    assert summary.usage == dialect.read_usage(body, profile) == reply.usage
    assert (summary.id, summary.model) == (reply.id, reply.model)
    assert summary.finish_reasons == tuple(dict.fromkeys(choice.native for choice in reply.choices))  # each once


@pytest.mark.parametrize("row", STREAMS.values(), ids=STREAMS.keys())
def test_the_books_learn_the_same_from_a_glance_at_a_stream(row: Row) -> None:
    dialect, profile = DIALECTS[row.dialect], KINDS[row.kind].profile
    full, glance = dialect.new_decoder(profile), dialect.new_decoder(profile)
    raws = list(sse.Parser().feed(row.sse))
    seen = [event for raw in raws for event in full.feed(raw)]
    marked = [raw for raw in raws if any(marker in raw.data for marker in dialect.MARKERS)]

    glanced = [event for raw in marked for event in glance.feed(raw)]

    glance.close()
    assert glance.usage == full.usage
    assert finishes(glanced) == finishes(seen)


def finishes(found: list[events.Event]) -> list[str | None]:
    return [choice.native for choice in fold(found).choices]


@pytest.mark.parametrize("row", GOOD.values(), ids=GOOD.keys())
def test_what_is_not_read_is_known(row: Row) -> None:
    assert reply_of(row).unread == UNREAD.get(row.id, set())


@pytest.mark.parametrize("row", OWN)
def test_an_answer_written_again_in_its_own_dialect_is_the_same(row: Row) -> None:
    data, losses = shown(row, row.dialect)

    assert bare(row, back(row, row.dialect, data)) == bare(row, reply_of(row))
    assert losses == lost(row, row.dialect) - {"response.choices", "response.reasoning_details"}


def bare(row: Row, reply: Reply) -> Reply:
    """Without what is bookkeeping, and is not written: the bill as the host states it, tiers, Vertex's time."""
    usage = reply.usage and replace(reply.usage, reported_cost=None, service_tier=None)
    created = None if row.dialect == "gemini-generate" else reply.created
    choices = tuple(replace(choice, blocks=tuple(map(unplaced, choice.blocks))) for choice in reply.choices)
    return replace(reply, choices=choices, usage=usage, created=created, service_tier=None, unread=frozenset())


def unplaced(block: Block) -> Block:
    """Perplexity cites for an answer as a whole; written as OpenAI's, that is from its first to its last character."""
    if not isinstance(block, Text):
        return block
    return replace(block, citations=tuple(replace(one, start=None, end=None) for one in block.citations))


@pytest.mark.parametrize(("row", "client"), PAIRS)
def test_an_answer_says_the_same_to_every_client(row: Row, client: str) -> None:
    data, losses = shown(row, client)

    expected = read(row.dialect, row.sse, stream=row.stream)
    said = read(client, data, stream=row.stream)
    if not row.usage:
        said.prompt = said.completion = None
    assert said == expected
    if client != row.dialect:
        assert losses == lost(row, client)


@pytest.mark.parametrize(("row", "client"), PAIRS)
def test_an_answer_comes_back_from_every_client_s_dialect(row: Row, client: str) -> None:
    before = reply_of(row)

    after = back(row, client, shown(row, client)[0])

    kept = 1 if "response.choices" in lost(row, client) else len(before.choices)
    assert [told(choice) for choice in after.choices] == [told(choice) for choice in before.choices][:kept]
    assert seals(blocks_of(after)) == seals(blocks_of(before))
    if before.usage is not None:
        assert counts(after.usage) == coarser(counts(before.usage), client)


def told(choice: Choice) -> tuple[list[tuple[Any, ...]], str | None, Any]:
    """What a choice holds, in no dialect: without ids, which each dialect makes as it needs them."""
    said: list[tuple[Any, ...]] = []
    for block in choice.blocks:
        match block:
            case ToolCall(_, name, arguments):
                said.append(("call", name, json.loads(arguments)))
            case Text(text, citations) if text:
                cited = tuple((one.url, one.title, one.cited_text or None) for one in citations)
                said.append(("text", text, cited))
            case Reasoning(text) | Refusal(text) if text:
                said.append((type(block).__name__, text))
            case _:
                pass
    return said, choice.finish, choice.logprobs


def blocks_of(reply: Reply) -> list[Block]:
    return [block for choice in reply.choices for block in choice.blocks]


def coarser(tokens: dict[str, int], client: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, count in tokens.items():
        name_there = COARSER.get(client, {}).get(name, name)
        found[name_there] = found.get(name_there, 0) + count
    return found


ERRORS = {
    "braintrust-sdk-python/py/braintrust/wrappers/test_openai_client_async_error#0": Category.NOT_FOUND,
    "crewAI/lib/crewai/llms/google/test_google_streaming_returns_usage_metrics#0": Category.AUTH,
    "pydantic-ai/models/test_multimodal_tool_returns/"
    "test_multimodal_tool_return_matrix[direct-uploaded_file-document-bedrock_nova]#1": Category.INVALID_REQUEST,
    "ruby_llm/chat_real_error_scenarios_anthropic_claude-haiku-4-5_"
    "handles_context_length_exceeded_errors#0": Category.CONTEXT_LENGTH,
    "ruby_llm/context_context_chat_operations_uses_context-specific_api_keys#0": Category.AUTH,
}


def test_every_recorded_error_is_understood() -> None:
    reports = {name: DIALECTS[row.dialect].decode_error(row.status, row.raw) for name, row in FAILED.items()}

    assert {name: report.category for name, report in reports.items()} == ERRORS
    assert {name: report.message for name, report in reports.items()} == {
        name: row.message for name, row in FAILED.items()
    }
