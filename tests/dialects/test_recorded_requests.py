"""Recorded requests, written again in their own dialect and in every other: what they say arrives, losses are named."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from costspan.dialects import CLIENT_DIALECTS, DIALECTS
from costspan.errors import Untranslatable
from costspan.ir.profile import PLAIN, TAKES_REASONING_EFFORT, Profile
from costspan.ir.request import Media, Reasoning, Text, ToolCall, ToolResult
from costspan.providers.hosts import KINDS
from costspan.wire import json
from fakes.corpus import MISSING, ROWS, Row
from fakes.corpus_requests import REFUSED, all_fields, fields_of, leaves, left, missing, plain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from costspan.ir.request import Block, Request

pytestmark = pytest.mark.skipif(not ROWS, reason=MISSING)

ASKED = {row.id: row for row in ROWS if row.dialect in CLIENT_DIALECTS}
"""All that clients of ours could have sent."""

NO_TOOLS = ("pydantic-ai/models/test_tool_choice_matrix/test_tool_choice_matrix[none-groq]#0", "bedrock-converse")
"""Bedrock has no word for tools that may not be called: it is not told of them."""


def pairs(targets: Collection[str], *, refused: bool) -> list[object]:
    return [
        pytest.param(row, target, id=f"{name}: to {target}")
        for name, row in ASKED.items()
        for target in targets
        if target != row.dialect and (refused or (name, target) not in REFUSED)
    ]


def written(row: Row, target: str, profile: Profile = PLAIN) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The request for an upstream, and what it lost."""
    request = CLIENT_DIALECTS[row.dialect].decode_request(row.request)
    encoded = DIALECTS[target].encode_request(request, profile)
    return json.loads_object(encoded.body), encoded.losses


@pytest.mark.parametrize("row", ASKED.values(), ids=ASKED.keys())
def test_a_request_written_again_in_its_own_dialect_means_the_same(row: Row) -> None:
    profile = KINDS[row.kind].profile
    profile = replace(profile, quirks=profile.quirks | {TAKES_REASONING_EFFORT})  # as a conversation that is rewritten

    body, losses = written(row, row.dialect, profile)

    recorded = json.loads_object(json.dumps(row.request))
    for message in recorded.get("messages", ()) if "messages.reasoning" in losses else ():
        message.pop("reasoning", None)
        message.pop("reasoning_content", None)
    assert plain(row.dialect, body) == plain(row.dialect, recorded)
    assert losses == (("messages.reasoning",) if row.provider == "ollama" else ())  # which takes back none


@pytest.mark.parametrize(("row", "target"), pairs(DIALECTS, refused=True))
def test_what_a_request_says_arrives_in_every_dialect_or_is_named(row: Row, target: str) -> None:
    if param := REFUSED.get((row.id, target)):
        with pytest.raises(Untranslatable) as raised:
            written(row, target)
        assert raised.value.param == param
        return

    body, losses = written(row, target)

    said = {**row.request, "tools": None} if (row.id, target) == NO_TOOLS else row.request
    assert missing(left(said, losses), leaves(body)) == []
    assert [loss for loss in losses if not fields_of(loss) & all_fields(row.request)] == []


@pytest.mark.parametrize(("row", "target"), pairs(CLIENT_DIALECTS, refused=False))
def test_a_request_comes_back_from_every_client_s_dialect(row: Row, target: str) -> None:
    before = CLIENT_DIALECTS[row.dialect].decode_request(row.request)

    body, losses = written(row, target)

    head = {"model": before.model, "stream": before.stream}
    after = CLIENT_DIALECTS[target].decode_request({**head, **body})
    assert after.model == before.model
    assert list(talk(after)) == list(talk(before))
    assert images(after) == images(before)
    assert list(map(tool, after.tools)) == list(map(tool, before.tools))
    assert choice(after) == choice(before)
    if "parallel_tool_calls" not in losses:
        assert (after.parallel_tool_calls is not False) == (before.parallel_tool_calls is not False)
    assert schema(after) == schema(before)
    if not any("reasoning" in loss for loss in losses):
        assert thoughts(after) == thoughts(before)
        assert asks_to_think(after) == asks_to_think(before)


def talk(request: Request) -> Iterator[tuple[Any, ...]]:
    """Who says what, calls what and got what; pieces of text that stand together are one."""
    yield "system", "\n\n".join(text.text for text in request.instructions)
    for message in request.messages:
        for block in message.blocks:
            yield from _lines(message.role, block)


def _lines(role: str, block: Block) -> Iterator[tuple[Any, ...]]:
    match block:
        case Text(text):
            yield role, text
        case ToolCall(_, name, arguments):
            yield "call", name, json.loads(arguments)
        case ToolResult(_, blocks):
            yield "result", "".join(part.text for part in blocks if isinstance(part, Text))
        case _:
            pass


def images(request: Request) -> list[tuple[Any, ...]]:
    """Wherever they stand: of a tool's result they may have to follow it."""
    blocks = [block for message in request.messages for block in message.blocks]
    inside = [part for block in blocks if isinstance(block, ToolResult) for part in block.blocks]
    return [(one.kind, one.data, one.url) for one in (*blocks, *inside) if isinstance(one, Media)]


def tool(one: Any) -> tuple[Any, ...]:
    schema = one.parameters or {}
    return one.name, one.description, schema if schema.get("properties") else {}


def choice(request: Request) -> Any:
    """Which tool is to be called; what is said without a word is that the model chooses."""
    found = request.tool_choice
    return None if found is None or found.mode == "auto" else found


def schema(request: Request) -> Any:
    """But for what a dialect has to add or to put elsewhere."""
    found = request.output_format
    moved = {"additionalProperties", "description"}
    return found and {name: value for name, value in (found.schema or {}).items() if name not in moved}


def asks_to_think(request: Request) -> bool:
    """As much as it likes is what a model does without a word."""
    asked = request.reasoning
    return asked is not None and not (asked.dynamic and asked.effort is None)


def thoughts(request: Request) -> list[str]:
    blocks = [block for message in request.messages for block in message.blocks]
    return [block.text for block in blocks if isinstance(block, Reasoning) and block.text]
