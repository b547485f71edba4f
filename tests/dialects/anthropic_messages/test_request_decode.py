from __future__ import annotations

import base64
from typing import Any

import pytest

from costspan.dialects import anthropic_messages as dialect
from costspan.errors import ClientError
from costspan.ir.opaque import wrap
from costspan.ir.request import (
    Block,
    Cache,
    Citation,
    Media,
    Message,
    Opaque,
    OutputFormat,
    Reasoning,
    ReasoningOptions,
    Request,
    Sampling,
    ServerTool,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

NAME = "anthropic-messages"


def request(**fields: Any) -> Request:
    body = {"model": "claude", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}], **fields}
    return dialect.decode_request(body)


def blocks(*raw: dict[str, Any], role: str = "user") -> tuple[Block, ...]:
    return request(messages=[{"role": role, "content": list(raw)}]).messages[0].blocks


def test_a_plain_request() -> None:
    assert request() == Request(
        model="claude", messages=(Message("user", (Text("hi"),)),), max_output_tokens=10, sampling=Sampling()
    )


SEARCH_RESULT = {
    "type": "search_result",
    "title": "T",
    "source": "https://s",
    "content": [{"type": "text", "text": "body"}],
}
OWN_CITATION = {"type": "page_location", "document_title": "Doc", "cited_text": "c", "start_page_number": 1}

BLOCKS: dict[str, tuple[dict[str, Any], Block]] = {
    "text with a cache marker": (
        {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        Text("x", cache=Cache("1h")),
    ),
    "text with a citation": (
        {"type": "text", "text": "x", "citations": [OWN_CITATION]},
        Text("x", (Citation(title="Doc", cited_text="c", origin=NAME, raw=OWN_CITATION),)),
    ),
    "image, base64": (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
        Media("image", "image/png", data="AA=="),
    ),
    "image, url": (
        {"type": "image", "source": {"type": "url", "url": "https://i"}, "cache_control": {"type": "ephemeral"}},
        Media("image", url="https://i", cache=Cache()),
    ),
    "image, file": ({"type": "image", "source": {"type": "file", "file_id": "f"}}, Media("image", file_id="f")),
    "pdf": (
        {
            "type": "document",
            "title": "a.pdf",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="},
        },
        Media("document", "application/pdf", data="AA==", name="a.pdf"),
    ),
    "document of text": (
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "é"}},
        Media("document", "text/plain", data=base64.b64encode("é".encode()).decode()),
    ),
    "document of blocks": (
        {"type": "document", "source": {"type": "content", "content": "inner"}},
        Text("inner"),
    ),
    "tool call": (
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1.5, "b": {}}},
        ToolCall("t", "f", '{"a":1.5,"b":{}}'),
    ),
    "tool result as text": (
        {"type": "tool_result", "tool_use_id": "t", "content": "ok"},
        ToolResult("t", (Text("ok"),)),
    ),
    "tool result with an image and an error": (
        {
            "type": "tool_result",
            "tool_use_id": "t",
            "is_error": True,
            "content": [{"type": "text", "text": "no"}, {"type": "image", "source": {"type": "url", "url": "u"}}],
        },
        ToolResult("t", (Text("no"), Media("image", url="u")), is_error=True),
    ),
    "tool result without content": ({"type": "tool_result", "tool_use_id": "t"}, ToolResult("t", ())),
    "tool result with a search result": (
        {"type": "tool_result", "tool_use_id": "t", "content": [SEARCH_RESULT]},
        ToolResult("t", (Text("T https://s\nbody"),)),
    ),
    "thinking": (
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        Reasoning("hm", opaque=Opaque(NAME, "signature", "s")),
    ),
    "thinking without a signature": ({"type": "thinking", "thinking": "hm", "signature": ""}, Reasoning("hm")),
    "thinking that nobody signed, from us": (
        {"type": "thinking", "thinking": "hm", "signature": "cs1.none.signature."},
        Reasoning("hm"),
    ),
    "redacted thinking": (
        {"type": "redacted_thinking", "data": "d"},
        Reasoning(opaque=Opaque(NAME, "redacted", "d")),
    ),
    "thinking of another dialect, carried": (
        {"type": "thinking", "thinking": "", "signature": wrap(Opaque("openai-responses", "encrypted", "e"))},
        Reasoning(opaque=Opaque("openai-responses", "encrypted", "e")),
    ),
    "search of the provider": (
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        ServerTool(NAME, "server_tool_use", {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
    ),
}


@pytest.mark.parametrize(("raw", "expected"), BLOCKS.values(), ids=BLOCKS.keys())
def test_each_block_has_a_canonical_form(raw: dict[str, Any], expected: Block) -> None:
    assert blocks(raw) == (expected,)


def test_empty_text_says_nothing() -> None:
    assert blocks({"type": "text", "text": ""}) == ()


def test_system_may_be_text_or_blocks() -> None:
    marked = {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}}

    assert request(system="a").instructions == (Text("a"),)
    assert request(system=[{"type": "text", "text": "a"}, marked]).instructions == (Text("a"), Text("b", cache=Cache()))


def test_tools_are_functions_and_the_provider_s_own_stay_in_the_extensions() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    function = {
        "type": "custom",
        "name": "f",
        "description": "d",
        "input_schema": {"type": "object"},
        "strict": True,
        "cache_control": {"type": "ephemeral", "ttl": "5m"},
    }

    decoded = request(tools=[function, search])

    assert decoded.tools == (Tool("f", "d", {"type": "object"}, strict=True, cache=Cache("5m")),)
    assert decoded.extensions == {NAME: {"tools": [search]}}


CHOICES: dict[str, tuple[dict[str, Any], ToolChoice, bool | None]] = {
    "auto": ({"type": "auto"}, ToolChoice("auto"), None),
    "any": ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("required"), False),
    "tool": ({"type": "tool", "name": "f", "disable_parallel_tool_use": False}, ToolChoice("named", "f"), True),
    "none": ({"type": "none"}, ToolChoice("none"), None),
}


@pytest.mark.parametrize(("raw", "choice", "parallel"), CHOICES.values(), ids=CHOICES.keys())
def test_tool_choice(raw: dict[str, Any], choice: ToolChoice, parallel: bool | None) -> None:
    decoded = request(tool_choice=raw)

    assert (decoded.tool_choice, decoded.parallel_tool_calls) == (choice, parallel)


THINKING: dict[str, tuple[dict[str, Any], ReasoningOptions]] = {
    "budget": ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, ReasoningOptions(budget_tokens=2000)),
    "adaptive": (
        {"thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "high"}},
        ReasoningOptions("high", dynamic=True, exclude=True),
    ),
    "summarised": (
        {"thinking": {"type": "adaptive", "display": "summarized"}},
        ReasoningOptions(dynamic=True, summary="auto"),
    ),
    "disabled": ({"thinking": {"type": "disabled"}}, ReasoningOptions("none")),
    "effort alone": ({"output_config": {"effort": "low"}}, ReasoningOptions("low")),
}


@pytest.mark.parametrize(("fields", "expected"), THINKING.values(), ids=THINKING.keys())
def test_thinking(fields: dict[str, Any], expected: ReasoningOptions) -> None:
    assert request(**fields).reasoning == expected


def test_the_rest_of_the_knobs() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    decoded = request(
        temperature=0.5,
        top_p=0.9,
        top_k=5,
        stop_sequences=["A", "B"],
        output_config={"format": {"type": "json_schema", "schema": schema}, "task_budget": 1},
        metadata={"user_id": "u"},
        service_tier="standard_only",
        stream=True,
        container="c",
        mcp_servers=[{"name": "m"}],
    )

    assert decoded.sampling == Sampling(0.5, 0.9, 5)
    assert decoded.stop == ("A", "B")
    assert decoded.output_format == OutputFormat(schema)
    assert (decoded.end_user, decoded.service_tier, decoded.stream) == ("u", "default", True)
    assert decoded.extensions == {
        NAME: {"container": "c", "mcp_servers": [{"name": "m"}], "output_config": {"task_budget": 1}}
    }


def test_the_older_name_of_structured_output_is_understood() -> None:
    assert request(output_format={"type": "json_schema", "schema": {}}).output_format == OutputFormat({})


def test_document_fields_without_a_place_are_remembered_by_name() -> None:
    source = {"type": "url", "url": "https://d"}
    raw = {"type": "document", "source": source, "context": "c", "citations": {"enabled": True}}

    decoded = request(messages=[{"role": "user", "content": [raw]}])

    assert decoded.extensions == {
        NAME: {"messages.content.context": "c", "messages.content.citations": {"enabled": True}}
    }


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "block without a type": ({"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0]"),
    "text without text": (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        "messages[0].content[0].text",
    ),
    "image without a source": (
        {"messages": [{"role": "user", "content": [{"type": "image"}]}]},
        "messages[0].content[0].source",
    ),
    "image of an unknown source": (
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "ftp"}}]}]},
        "messages[0].content[0].source.type",
    ),
    "input as text": (
        {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": "{}"}]}]},
        "messages[0].content[0].input",
    ),
    "result without an id": (
        {"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]},
        "messages[0].content[0].tool_use_id",
    ),
    "unknown role": ({"messages": [{"role": "x", "content": ""}]}, "messages[0].role"),
    "system with an image": (
        {"system": [{"type": "image", "source": {"type": "url", "url": "u"}}]},
        "system[0]",
    ),
    "tools as an object": ({"tools": {}}, "tools"),
    "tool without a schema": ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
    "tool of an odd type": ({"tools": [{"type": {"odd": 1}, "name": "f"}]}, "tools[0].type"),
    "tool choice as text": ({"tool_choice": "auto"}, "tool_choice.type"),
    "stop as text": ({"stop_sequences": "x"}, "stop_sequences"),
    "top_k as text": ({"top_k": "x"}, "top_k"),
    "top_p as text": ({"top_p": "x"}, "top_p"),
    "thinking as text": ({"thinking": "x"}, "thinking"),
    "metadata as text": ({"metadata": "x"}, "metadata"),
    "unknown effort": ({"output_config": {"effort": "heroic"}}, "output_config.effort"),
    "format without a schema": ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format"),
}


@pytest.mark.parametrize(("fields", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_shape_is_refused_by_its_path(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ClientError) as caught:
        request(**fields)

    assert (caught.value.status, caught.value.param) == (400, param)
