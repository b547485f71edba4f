"""What a request becomes. Every body is one that botocore would send."""

from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects import bedrock_converse as dialect
from costspan.errors import Untranslatable
from costspan.ir.request import (
    Cache,
    Citation,
    Media,
    Message,
    Opaque,
    OutputFormat,
    Reasoning,
    Refusal,
    Request,
    ServerTool,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from costspan.wire import json
from fakes.bedrock_requests import problems

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
LLAMA = "us.meta.llama3-3-70b-instruct-v1:0"
HI = Message("user", (Text("Hi"),))
CLOCK = Tool("clock", parameters={"type": "object", "properties": {}})
SPEC = {"toolSpec": {"name": "clock", "inputSchema": {"json": {"type": "object", "properties": {}}}}}


def encode(
    model: str = CLAUDE, messages: tuple[Message, ...] = (HI,), **fields: Any
) -> tuple[dict[str, Any], list[str]]:
    encoded = dialect.encode_request(Request(model, messages, **fields))
    body = json.loads_object(encoded.body)
    assert problems(body) == ""
    return body, list(encoded.losses)


def content(*blocks: Any, model: str = CLAUDE) -> tuple[Any, list[str]]:
    body, losses = encode(model, (Message("user", blocks),))
    assert [message["role"] for message in body["messages"]] == ["user"]
    return body["messages"][0]["content"], losses


@pytest.mark.parametrize(
    ("model", "stream", "path"),
    [
        ("amazon.nova-pro-v1:0", False, "/model/amazon.nova-pro-v1%3A0/converse"),
        ("us.anthropic.claude-opus-5", True, "/model/us.anthropic.claude-opus-5/converse-stream"),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0",
            False,
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.amazon.nova-lite-v1%3A0/converse",
        ),
        ("a b?#%/..~_", False, "/model/a%20b%3F%23%25%2F..~_/converse"),
    ],
)
def test_the_path_names_the_model_in_one_segment(model: str, stream: bool, path: str) -> None:
    assert dialect.path(model, stream=stream) == path


PNG = Media("image", "image/png", data="AAAA")

MEDIA: dict[str, tuple[Media, dict[str, Any]]] = {
    "image": (PNG, {"image": {"format": "png", "source": {"bytes": "AAAA"}}}),
    "image/jpg": (Media("image", "image/jpg", data="AAAA"), {"image": {"format": "jpeg", "source": {"bytes": "AAAA"}}}),
    "image of no type": (Media("image", data="AAAA"), {"image": {"format": "png", "source": {"bytes": "AAAA"}}}),
    "image in S3": (
        Media("image", url="s3://my-bucket/cat.JPG"),
        {"image": {"format": "jpeg", "source": {"s3Location": {"uri": "s3://my-bucket/cat.JPG"}}}},
    ),
    "video": (Media("video", "video/mp4", data="AAAA"), {"video": {"format": "mp4", "source": {"bytes": "AAAA"}}}),
    "video in S3": (
        Media("video", "video/quicktime", url="s3://my-bucket/v"),
        {"video": {"format": "mov", "source": {"s3Location": {"uri": "s3://my-bucket/v"}}}},
    ),
    "sound": (Media("audio", "audio/wav", data="AAAA"), {"audio": {"format": "wav", "source": {"bytes": "AAAA"}}}),
}


@pytest.mark.parametrize(("block", "expected"), MEDIA.values(), ids=MEDIA.keys())
def test_media_is_given_as_base64_or_by_its_place_in_s3(block: Media, expected: dict[str, Any]) -> None:
    assert content(block, Text("What is it?")) == ([expected, {"text": "What is it?"}], [])


DOCUMENTS: dict[str, tuple[Media, str, str]] = {
    "pdf": (Media("document", "application/pdf", data="AAAA", name="report.pdf"), "pdf", "report"),
    "of no type": (Media("document", data="AAAA"), "pdf", "Document"),
    "typed by its name": (Media("document", data="AAAA", name="a.docx"), "docx", "a"),
    "text with a charset": (Media("document", "text/plain; charset=utf-8", data="AAAA"), "txt", "Document"),
    "source code": (Media("document", "text/x-python", data="AAAA", name="a.py"), "txt", "a-py"),
    "a title": (
        Media("document", "text/markdown", data="AAAA", name="Notes, v2.1  (draft)"),
        "md",
        "Notes- v2-1 (draft)",
    ),
    "another script": (Media("document", "text/csv", data="AAAA", name="報告.csv"), "csv", "Document"),
    "instructions": (Media("document", "text/csv", data="AAAA", name="x\nIgnore:\tall"), "csv", "x Ignore- all"),
    "a long name": (Media("document", "text/csv", data="AAAA", name="y" * 300), "csv", "y" * 188),
}


@pytest.mark.parametrize(("block", "format_", "name"), DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_a_document_has_a_format_and_a_name_of_allowed_characters(block: Media, format_: str, name: str) -> None:
    assert content(block, Text("Sum up.")) == (
        [{"document": {"format": format_, "source": {"bytes": "AAAA"}, "name": name}}, {"text": "Sum up."}],
        [],
    )


def test_documents_of_one_name_are_told_apart_also_across_messages() -> None:
    document = Media("document", "text/csv", data="AAAA", name="a.csv")
    messages = (
        Message("user", (document, document, Text("?"))),
        Message("assistant", (ToolCall("c", "clock", "{}"),)),
        Message("user", (ToolResult("c", (document,)),)),
    )

    body, _ = encode(messages=messages, tools=(CLOCK,))

    assert [part["document"]["name"] for part in body["messages"][0]["content"][:2]] == ["a", "a (2)"]
    assert body["messages"][2]["content"][0]["toolResult"]["content"][0]["document"]["name"] == "a (3)"


def test_a_document_alone_gets_the_text_that_must_stand_beside_it() -> None:
    parts, losses = content(Media("document", "text/csv", data="AAAA", name="a.csv"))

    assert parts[1] == {"text": "a"}
    assert losses == ["messages.content"]


REFUSED: dict[str, tuple[Media, str]] = {
    "image by URL": (Media("image", url="https://example.org/cat.png"), "messages.image"),
    "document by URL": (Media("document", "application/pdf", url="https://example.org/a.pdf"), "messages.document"),
    "file by id": (Media("document", "application/pdf", file_id="file-1"), "messages.file"),
    "image of another format": (Media("image", "image/tiff", data="AAAA"), "messages.image"),
    "document of another format": (Media("document", "application/zip", data="AAAA"), "messages.document"),
    "object in S3 of no format": (Media("image", url="s3://my-bucket/cat"), "messages.image"),
    "sound of no format": (Media("audio", data="AAAA"), "messages.audio"),
}


@pytest.mark.parametrize(("block", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_media_that_cannot_be_given_is_refused(block: Media, param: str) -> None:
    with pytest.raises(Untranslatable) as caught:
        content(block, Text("What is it?"))

    assert caught.value.param == param


def test_sound_in_a_tool_s_result_is_refused() -> None:
    with pytest.raises(Untranslatable):
        content(ToolResult("c", (Media("audio", "audio/wav", data="AAAA"),)))


def test_the_detail_of_an_image_is_lost() -> None:
    assert content(Media("image", "image/png", data="AAAA", detail="low"), Text("?"))[1] == ["image_url.detail"]


def test_blank_text_is_left_out_and_only_its_loss_alone_is_named() -> None:
    assert content(Text(" \n"), Text("Hi"), Text("")) == ([{"text": "Hi"}], [])
    assert encode(messages=(HI, Message("assistant", (Text(" "),)), HI))[1] == ["messages.content"]


def test_a_cache_marker_is_not_lost_with_the_text_around_it() -> None:
    amid = Message("system", (Text("Be brief.", cache=Cache()),))
    body, losses = encode(messages=(HI, amid))

    assert body["messages"][0]["content"][1:] == [
        {"text": "<system>\nBe brief.\n</system>"},
        {"cachePoint": {"type": "default"}},
    ]
    assert losses == ["messages.system"]
    assert content(Text("Hi"), Text(" ", cache=Cache())) == ([{"text": "Hi"}], ["cache_control"])


def test_one_role_never_comes_twice_in_a_row() -> None:
    body, losses = encode(messages=(HI, HI, Message("assistant", (Text(""),)), HI))

    assert body["messages"] == [{"role": "user", "content": [{"text": "Hi"}, {"text": "Hi"}, {"text": "Hi"}]}]
    assert losses == []


def test_a_conversation_that_the_model_begins_gets_a_first_message() -> None:
    body, losses = encode(messages=(Message("assistant", (Text("Welcome."),)), HI))

    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert losses == ["messages.role"]


def test_instructions_alone_become_the_message() -> None:
    body, losses = encode(messages=(), instructions=(Text("Greet."),))

    assert body == {"messages": [{"role": "user", "content": [{"text": "Greet."}]}]}
    assert losses == ["messages.system"]


def test_results_of_tools_come_before_what_the_user_says_and_keep_their_cache_points() -> None:
    parts, _ = content(Text("And?"), ToolResult("c", (Text("12:00"),), cache=Cache()), Text("!"))

    assert [next(iter(part)) for part in parts] == ["toolResult", "cachePoint", "text", "text"]


RESULTS: dict[str, tuple[ToolResult, dict[str, Any]]] = {
    "text": (ToolResult("c", (Text("12:00"),)), {"toolUseId": "c", "content": [{"text": "12:00"}]}),
    "nothing": (ToolResult("c", ()), {"toolUseId": "c", "content": [{"text": "(no output)"}]}),
    "blank": (ToolResult("c", (Text("  "),)), {"toolUseId": "c", "content": [{"text": "(no output)"}]}),
    "error": (
        ToolResult("c", (Text("no"),), is_error=True),
        {"toolUseId": "c", "content": [{"text": "no"}], "status": "error"},
    ),
    "image": (
        ToolResult("c", (PNG,)),
        {"toolUseId": "c", "content": [{"image": {"format": "png", "source": {"bytes": "AAAA"}}}]},
    ),
}


@pytest.mark.parametrize(("block", "expected"), RESULTS.values(), ids=RESULTS.keys())
def test_a_tool_s_result_always_has_content(block: ToolResult, expected: dict[str, Any]) -> None:
    assert content(block) == ([{"toolResult": expected}], [])


def test_an_error_is_only_told_to_models_that_know_it() -> None:
    parts, losses = content(ToolResult("c", (Text("no"),), is_error=True), model=LLAMA)

    assert "status" not in parts[0]["toolResult"]
    assert losses == ["tool_result.is_error"]


def test_an_id_that_is_not_taken_is_the_same_in_call_and_result() -> None:
    messages = (
        HI,
        Message("assistant", (ToolCall("call:1.ä", "clock", "{}"),)),
        Message("user", (ToolResult("call:1.ä", ()),)),
    )

    body, _ = encode(messages=messages, tools=(CLOCK,))

    made = body["messages"][1]["content"][0]["toolUse"]["toolUseId"]
    assert made == body["messages"][2]["content"][0]["toolResult"]["toolUseId"]
    assert made == "tooluse_922d09d02e46753a61cd88de"


def test_arguments_go_out_with_the_numbers_they_came_with() -> None:
    call = ToolCall("c", "clock", '{"n": 123456789012345678901234567890, "x": 1.0}')

    encoded = dialect.encode_request(Request(CLAUDE, (HI, Message("assistant", (call,))), tools=(CLOCK,)))

    assert b'"input":{"n": 123456789012345678901234567890, "x": 1.0}' in encoded.body


@pytest.mark.parametrize(
    ("arguments", "expected", "losses"),
    [
        ("", {}, []),
        ("[1]", {"arguments": "[1]"}, ["tool_calls.arguments"]),
        ('{"x', {"arguments": '{"x'}, ["tool_calls.arguments"]),
    ],
)
def test_arguments_that_are_no_object_are_put_into_one(arguments: str, expected: Any, losses: list[str]) -> None:
    body, lost = encode(messages=(HI, Message("assistant", (ToolCall("c", "clock", arguments),))), tools=(CLOCK,))

    assert body["messages"][1]["content"][0]["toolUse"]["input"] == expected
    assert lost == losses


SEALED = Opaque("bedrock-converse", "signature", "c2ln")
WRAPPED = Opaque("openai-chat", "encrypted", "cs1.bedrock-converse.signature.YzJsbg==")
THOUGHT = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}}

ASSISTANT: dict[str, tuple[Any, list[Any], list[str]]] = {
    "signed thinking": (Reasoning("hm", opaque=SEALED), [THOUGHT], []),
    "signed thinking in a wrap": (Reasoning("hm", opaque=WRAPPED), [THOUGHT], []),
    "redacted thinking": (
        Reasoning(opaque=Opaque("bedrock-converse", "redacted", "c2Vj")),
        [{"reasoningContent": {"redactedContent": "c2Vj"}}],
        [],
    ),
    "thinking without a signature": (Reasoning("hm"), [], ["messages.reasoning"]),
    "thinking of another provider": (
        Reasoning("hm", opaque=Opaque("anthropic-messages", "signature", "s")),
        [],
        ["messages.reasoning"],
    ),
    "text that another provider signed": (
        Text("So.", opaque=Opaque("gemini-generate", "signature", "s")),
        [{"text": "So."}],
        ["messages.reasoning"],
    ),
    "refusal": (Refusal("No."), [{"text": "No."}], []),
    "foreign citation": (Text("So.", (Citation("u"),)), [{"text": "So."}], ["messages.annotations"]),
    "own citation": (
        Text("So.", (Citation(origin="bedrock-converse", raw={"title": "t"}),)),
        [{"citationsContent": {"content": [{"text": "So."}], "citations": [{"title": "t"}]}}],
        [],
    ),
    "foreign search": (ServerTool("anthropic-messages", "server_tool_use", {}), [], ["server_tool_use"]),
}


@pytest.mark.parametrize(("block", "expected", "losses"), ASSISTANT.values(), ids=ASSISTANT.keys())
def test_what_the_model_said_goes_back(block: Any, expected: list[Any], losses: list[str]) -> None:
    body, lost = encode(messages=(HI, Message("assistant", (block, Text("Well.")))))

    assert body["messages"][1]["content"] == [*expected, {"text": "Well."}]
    assert lost == losses


def tool_config(**fields: Any) -> tuple[Any, list[str]]:
    body, losses = encode(**fields)
    return body.get("toolConfig"), losses


CALLED = (HI, Message("assistant", (ToolCall("c", "clock", "{}"),)), Message("user", (ToolResult("c", (Text("12"),)),)))


def test_tools_are_left_out_where_none_may_be_called() -> None:
    assert tool_config(tools=(CLOCK,), tool_choice=ToolChoice("none")) == (None, [])


def test_tools_stay_where_the_conversation_calls_them_though_none_may_be_called() -> None:
    assert tool_config(messages=CALLED, tools=(CLOCK,), tool_choice=ToolChoice("none")) == (
        {"tools": [SPEC]},
        ["tool_choice"],
    )


def test_tools_are_made_up_where_the_conversation_calls_some_and_the_request_has_none() -> None:
    assert tool_config(messages=CALLED) == (
        {"tools": [{"toolSpec": {"name": "clock", "inputSchema": {"json": {"type": "object"}}}}]},
        ["tools"],
    )


def test_a_forced_tool_without_tools_is_a_loss() -> None:
    assert tool_config(tool_choice=ToolChoice("required")) == (None, ["tool_choice"])


def test_one_tool_at_a_time_is_asked_of_newer_claude_in_its_own_words_and_without_a_second_choice() -> None:
    body, losses = encode(tools=(CLOCK,), tool_choice=ToolChoice("named", "clock"), parallel_tool_calls=False)

    assert body["additionalModelRequestFields"] == {
        "tool_choice": {"type": "tool", "name": "clock", "disable_parallel_tool_use": True}
    }
    assert body["toolConfig"] == {"tools": [SPEC]}
    assert losses == []


def test_one_tool_at_a_time_is_a_loss_elsewhere() -> None:
    assert tool_config(model=LLAMA, tools=(CLOCK,), tool_choice=ToolChoice("required"), parallel_tool_calls=False) == (
        {"tools": [SPEC], "toolChoice": {"any": {}}},
        ["parallel_tool_calls"],
    )


@pytest.mark.parametrize("name", ["x" * 65, "files.read", "server/tool", "größe", "a b", ""])
def test_a_tool_s_name_that_the_api_does_not_take_is_refused(name: str) -> None:
    call = Message("assistant", (ToolCall("c", name, "{}"),))

    with pytest.raises(Untranslatable) as of_tool:
        tool_config(tools=(Tool(name),))
    with pytest.raises(Untranslatable) as of_call:
        encode(messages=(HI, call), tools=(CLOCK,))

    assert (of_tool.value.param, of_call.value.param) == ("tools", "messages.tool_calls")


def test_a_tool_may_have_the_longest_name() -> None:
    assert tool_config(tools=(Tool("mcp__git-hub__" + "x" * 50),))[1] == []


CACHING: dict[str, tuple[str, str | None, Any, list[str]]] = {
    "claude": (CLAUDE, None, [{"cachePoint": {"type": "default"}}], []),
    "claude for an hour": (CLAUDE, "1h", [{"cachePoint": {"type": "default", "ttl": "1h"}}], []),
    "older claude for an hour": (
        "anthropic.claude-3-7-sonnet-20250219-v1:0",
        "1h",
        [{"cachePoint": {"type": "default"}}],
        ["cache_control.ttl"],
    ),
    "claude for a time that is unknown": (
        CLAUDE,
        "24h",
        [{"cachePoint": {"type": "default"}}],
        ["cache_control.ttl"],
    ),
    "nova": ("amazon.nova-pro-v1:0", "5m", [{"cachePoint": {"type": "default", "ttl": "5m"}}], []),
    "llama": (LLAMA, None, [], ["cache_control"]),
}


@pytest.mark.parametrize(("model", "ttl", "expected", "losses"), CACHING.values(), ids=CACHING.keys())
def test_a_prefix_is_cached_by_models_that_can(model: str, ttl: str | None, expected: Any, losses: list[str]) -> None:
    assert content(Text("Long.", cache=Cache(ttl)), Text("?"), model=model) == (
        [{"text": "Long."}, *expected, {"text": "?"}],
        losses,
    )


def test_tools_are_cached_by_claude_and_not_by_nova() -> None:
    marked = (Tool("clock", parameters=CLOCK.parameters, cache=Cache()),)

    assert tool_config(tools=marked) == ({"tools": [SPEC, {"cachePoint": {"type": "default"}}]}, [])
    assert tool_config(model="amazon.nova-pro-v1:0", tools=marked) == ({"tools": [SPEC]}, ["cache_control"])


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}


def schema_of(model: str) -> tuple[Any, list[str]]:
    body, losses = encode(model, output_format=OutputFormat(SCHEMA, "answer", "A number."))
    definition = body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert (definition["name"], definition["description"]) == ("answer", "A number.")
    return json.loads_object(definition["schema"]), losses


def test_a_schema_is_text_and_as_far_as_claude_takes_it() -> None:
    assert schema_of("openai.gpt-oss-120b-1:0") == (SCHEMA, [])
    assert schema_of(CLAUDE) == (
        {
            "type": "object",
            "properties": {"n": {"type": "integer", "description": '{"minimum":1}'}},
            "additionalProperties": False,
        },
        ["response_format"],
    )


@pytest.mark.parametrize(
    "model",
    [
        "anthropic.claude-sonnet-4-20250514-v1:0",
        "us.anthropic.claude-opus-4-7",
        "amazon.nova-pro-v1:0",
        "us.amazon.nova-2-lite-v1:0",
        LLAMA,
        "us.deepseek.r1-v1:0",
        "mistral.mistral-large-2407-v1:0",
    ],
)
def test_a_schema_is_refused_where_the_model_takes_none(model: str) -> None:
    with pytest.raises(Untranslatable) as caught:
        schema_of(model)

    assert caught.value.param == "response_format"


@pytest.mark.parametrize(
    "model",
    ["anthropic.claude-opus-5", "us.anthropic.claude-opus-4-6-v1", "deepseek.v3-v1:0", "mistral.mistral-large-3-675b"],
)
def test_a_schema_is_taken_by_newer_models(model: str) -> None:
    assert schema_of(model)[0]["type"] == "object"


def test_json_without_a_schema_is_refused() -> None:
    with pytest.raises(Untranslatable, match="without a schema"):
        encode(output_format=OutputFormat())


def test_a_strict_tool_is_a_loss_where_bedrock_refuses_it() -> None:
    strict = (Tool("clock", parameters=CLOCK.parameters, strict=True),)

    assert tool_config(tools=strict)[1] == []
    assert tool_config(model="anthropic.claude-opus-5", tools=strict) == ({"tools": [SPEC]}, ["tools.strict"])


def test_several_choices_are_refused() -> None:
    with pytest.raises(Untranslatable) as caught:
        encode(n=2)

    assert caught.value.param == "n"


def test_a_request_for_no_output_is_refused() -> None:
    with pytest.raises(Untranslatable) as caught:
        encode(max_output_tokens=0)

    assert caught.value.param == "max_tokens"


def test_tools_that_another_provider_runs_are_refused() -> None:
    with pytest.raises(Untranslatable) as caught:
        encode(extensions={"anthropic-messages": {"tools": [{"type": "web_search_20250305"}]}})

    assert caught.value.param == "tools"


def test_fields_of_one_dialect_alone_are_lost() -> None:
    assert encode(extensions={"openai": {"store": True}, "anthropic-messages": {"container": "c"}})[1] == [
        "store",
        "container",
    ]


@pytest.mark.parametrize(
    ("tier", "expected", "losses"),
    [
        ("auto", None, []),
        ("default", {"type": "default"}, []),
        ("flex", {"type": "flex"}, []),
        ("priority", {"type": "priority"}, []),
        ("scale", None, ["service_tier"]),
    ],
)
def test_a_service_tier_is_asked_for_where_there_is_one(tier: str, expected: Any, losses: list[str]) -> None:
    body, lost = encode(service_tier=tier)

    assert body.get("serviceTier") == expected
    assert lost == losses


def test_metadata_is_sent_as_far_as_it_may_be() -> None:
    body, losses = encode(metadata={"job": "7", "größe": "1", "mood": "hm!", "n": 5})

    assert body["requestMetadata"] == {"job": "7"}
    assert losses == ["metadata"]


def test_no_more_metadata_is_sent_than_may_be() -> None:
    body, losses = encode(metadata={f"k{number}": "v" for number in range(17)})

    assert len(body["requestMetadata"]) == 16
    assert losses == ["metadata"]


def test_a_request_nested_too_deeply_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"items": deep}

    with pytest.raises(Untranslatable, match="nested too deeply"):
        dialect.encode_request(Request(CLAUDE, (HI,), tools=(Tool("clock", parameters=deep),)))
