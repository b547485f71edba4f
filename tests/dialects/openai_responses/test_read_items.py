from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects.openai_responses.read_items import read_input
from costspan.errors import ClientError, Untranslatable
from costspan.ir.opaque import wrap
from costspan.ir.request import (
    Cache,
    Citation,
    Media,
    Message,
    Opaque,
    Reasoning,
    Refusal,
    ServerTool,
    Text,
    ToolCall,
    ToolResult,
)

SEALED = Opaque("openai-responses", "encrypted", '{"id":"rs_1","encrypted_content":"s"}')
SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
FOREIGN = Opaque("gemini-generate", "signature", "sig")


def turns(*items: Any) -> tuple[Message, ...]:
    return read_input(list(items))[1]


def assistant(*blocks: Any) -> Message:
    return Message("assistant", blocks)


def test_text_alone_is_what_the_user_says() -> None:
    assert read_input("Hi") == ((), (Message("user", (Text("Hi"),)),))


def test_leading_instructions_stand_apart_and_later_ones_in_their_place() -> None:
    instructions, messages = read_input(
        [
            {"role": "developer", "content": "Be brief."},
            {"role": "system", "content": [{"type": "input_text", "text": "And kind."}]},
            {"role": "user", "content": "Hi"},
            {"role": "developer", "content": "Hurry."},
        ]
    )

    assert instructions == (Text("Be brief."), Text("And kind."))
    assert messages == (Message("user", (Text("Hi"),)), Message("system", (Text("Hurry."),)))


def test_what_one_answer_held_is_one_turn() -> None:
    found = turns(
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "s"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me look."}]},
        SEARCH,
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": '{"x":1.0}'},
        {"type": "function_call", "call_id": "b", "name": "g", "arguments": ""},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "function_call_output", "call_id": "b", "output": ""},
        {"type": "message", "role": "assistant", "content": "So."},
    )

    assert found == (
        assistant(
            Reasoning(opaque=SEALED),
            Text("Let me look."),
            ServerTool("openai-responses", "web_search_call", SEARCH),
            ToolCall("a", "f", '{"x":1.0}'),
            ToolCall("b", "g", "{}"),
        ),
        Message("user", (ToolResult("a", (Text("1"),)), ToolResult("b", ()))),
        assistant(Text("So.")),
    )


def test_results_are_one_turn_until_somebody_else_speaks() -> None:
    called = {"type": "function_call", "call_id": "a", "name": "f", "arguments": ""}
    one, another = ({"type": "function_call_output", "call_id": id_, "output": "1"} for id_ in "ab")
    note = {"role": "user", "content": "Hm"}

    assert [message.role for message in turns(one, another, note, one)] == ["user"] * 3
    assert [len(message.blocks) for message in turns(one, another, note, one)] == [2, 1, 1]
    assert [message.role for message in turns(called, one, called, another)] == ["assistant", "user"] * 2


def test_two_messages_in_a_row_are_two_turns() -> None:
    found = turns({"role": "assistant", "content": "One."}, {"role": "assistant", "content": "Two."})

    assert found == (assistant(Text("One.")), assistant(Text("Two.")))


def test_empty_text_and_empty_messages_say_nothing() -> None:
    found = turns(
        {"role": "user", "content": ""},
        {"role": "user", "content": [{"type": "input_text", "text": ""}]},
        {"role": "assistant", "content": []},
        {"role": "user", "content": "Hi"},
    )

    assert found == (Message("user", (Text("Hi"),)),)


def test_citations_and_refusals_of_an_answer() -> None:
    file = {"type": "file_citation", "file_id": "f", "filename": "a.pdf", "index": 2}
    web = {"type": "url_citation", "url": "https://example.org", "title": "T", "start_index": 0, "end_index": 4}
    found = turns(
        {
            "type": "message",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "Look", "annotations": [web, file]},
                {"type": "refusal", "refusal": "No."},
            ],
        }
    )

    assert found == (
        assistant(
            Text(
                "Look",
                (
                    Citation("https://example.org", "T", None, 0, 4),
                    Citation(title="a.pdf", origin="openai-responses", raw=file),
                ),
            ),
            Refusal("No."),
        ),
    )


def test_the_phase_of_a_message_is_kept_for_its_model() -> None:
    (turn,) = turns({"role": "assistant", "content": "Hm.", "phase": "commentary"})

    assert turn.blocks == (Text("Hm.", opaque=Opaque("openai-responses", "signature", '{"phase":"commentary"}')),)


REASONING: dict[str, tuple[dict[str, Any], list[Reasoning]]] = {
    "sealed, with a summary": (
        {"summary": [{"text": "One."}, {"text": "Two."}], "encrypted_content": "s"},
        [Reasoning("One.\n\nTwo.", summary=True, opaque=SEALED)],
    ),
    "sealed, in full": (
        {"summary": [], "content": [{"text": "All."}], "encrypted_content": "s"},
        [
            Reasoning(
                "All.",
                opaque=Opaque("openai-responses", "encrypted", '{"id":"rs_1","encrypted_content":"s","in_full":true}'),
            )
        ],
    ),
    "foreign, sealed": ({"encrypted_content": wrap(FOREIGN)}, [Reasoning(opaque=FOREIGN)]),
    "foreign, its text dropped": (
        {"encrypted_content": wrap(FOREIGN, "All.")},
        [Reasoning("All.", summary=True, opaque=FOREIGN)],
    ),
    "foreign, its text changed": (
        {"summary": [{"text": "All"}], "encrypted_content": wrap(FOREIGN, "All.")},
        [Reasoning("All.", summary=True, opaque=FOREIGN)],
    ),
    "sealed by nobody": (
        {"content": [{"text": "All."}], "encrypted_content": "cs1.none.redacted."},
        [Reasoning("All.")],
    ),
    "kept by its provider": ({}, [Reasoning(opaque=Opaque("openai-responses", "encrypted", '{"id":"rs_1"}'))]),
}


@pytest.mark.parametrize(("fields", "blocks"), REASONING.values(), ids=REASONING.keys())
def test_reasoning(fields: dict[str, Any], blocks: list[Reasoning]) -> None:
    assert turns({"type": "reasoning", "id": "rs_1"} | fields) == (assistant(*blocks),)


MEDIA: dict[str, tuple[dict[str, Any], Media]] = {
    "an image by URL": (
        {"type": "input_image", "image_url": "https://example.org/a.png", "detail": "low"},
        Media("image", url="https://example.org/a.png", detail="low"),
    ),
    "an image inline": (
        {"type": "input_image", "image_url": "data:image/png;base64,AA=="},
        Media("image", "image/png", data="AA=="),
    ),
    "an image by id": ({"type": "input_image", "file_id": "f"}, Media("image", file_id="f")),
    "a file by id": ({"type": "input_file", "file_id": "f"}, Media("document", file_id="f")),
    "a file by URL": (
        {"type": "input_file", "file_url": "https://example.org/a.pdf"},
        Media("document", url="https://example.org/a.pdf"),
    ),
    "a file inline": (
        {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,AA=="},
        Media("document", "text/plain", data="AA==", name="a.txt"),
    ),
    "a file inline, without its type": (
        {"type": "input_file", "file_data": "AA=="},
        Media("document", "application/pdf", data="AA=="),
    ),
    "a picture as a file": (
        {"type": "input_file", "file_data": "data:image/png;base64,AA=="},
        Media("image", "image/png", data="AA=="),
    ),
    "sound": (
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}},
        Media("audio", "audio/mpeg", data="AA=="),
    ),
    "the end of what may be cached": (
        {"type": "input_image", "file_id": "f", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
        Media("image", file_id="f", cache=Cache("1h")),
    ),
}


@pytest.mark.parametrize(("part", "media"), MEDIA.values(), ids=MEDIA.keys())
def test_media(part: dict[str, Any], media: Media) -> None:
    assert turns({"role": "user", "content": [part]}) == (Message("user", (media,)),)


def test_a_result_may_hold_pictures() -> None:
    output = [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "https://example.org/a.png"}]
    (turn,) = turns({"type": "function_call_output", "call_id": "c", "output": output})

    assert turn.blocks == (ToolResult("c", (Text("a"), Media("image", url="https://example.org/a.png"))),)


BAD: dict[str, tuple[Any, str]] = {
    "no list": (3, "input"),
    "nothing": ([], "input"),
    "no object": (["x"], "input[0]"),
    "a type of no kind": ([{"type": 3}], "input[0].type"),
    "an odd role": ([{"role": "tool", "content": "x"}], "input[0].role"),
    "no content": ([{"role": "user"}], "input[0].content"),
    "a part of no kind": ([{"role": "user", "content": [{"type": "video"}]}], "input[0].content[0].type"),
    "a part that is none": ([{"role": "user", "content": ["x"]}], "input[0].content[0]"),
    "text that is none": ([{"role": "user", "content": [{"type": "input_text"}]}], "input[0].content[0].text"),
    "a picture in instructions": (
        [{"role": "system", "content": [{"type": "input_image", "file_id": "f"}]}],
        "input[0].content[0].type",
    ),
    "an image of nothing": (
        [{"role": "user", "content": [{"type": "input_image"}]}],
        "input[0].content[0].image_url",
    ),
    "a file of nothing": ([{"role": "user", "content": [{"type": "input_file"}]}], "input[0].content[0]"),
    "sound of nothing": (
        [{"role": "user", "content": [{"type": "input_audio"}]}],
        "input[0].content[0].input_audio",
    ),
    "a URL that is not base64": (
        [{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png,x"}]}],
        "input[0].content[0].image_url",
    ),
    "a picture by the assistant": (
        [{"role": "assistant", "content": [{"type": "input_image", "file_id": "f"}]}],
        "input[0].content[0].type",
    ),
    "an assistant without content": ([{"role": "assistant"}], "input[0].content"),
    "a call without an id": ([{"type": "function_call", "name": "f"}], "input[0].call_id"),
    "a call without a name": ([{"type": "function_call", "call_id": "c"}], "input[0].name"),
    "a call with an object": (
        [{"type": "function_call", "call_id": "c", "name": "f", "arguments": {}}],
        "input[0].arguments",
    ),
    "a result without an id": ([{"type": "function_call_output", "output": "x"}], "input[0].call_id"),
    "a result without output": ([{"type": "function_call_output", "call_id": "c"}], "input[0].output"),
}


@pytest.mark.parametrize(("value", "param"), BAD.values(), ids=BAD.keys())
def test_a_flaw_is_named(value: Any, param: str) -> None:
    with pytest.raises(ClientError) as caught:
        read_input(value)

    assert caught.value.param == param


@pytest.mark.parametrize(
    "item",
    [{"type": "item_reference", "id": "x"}, {"id": "x"}, {"type": "compaction", "encrypted_content": "s"}],
    ids=["a reference", "a reference without a type", "a compacted conversation"],
)
def test_what_only_its_provider_can_read_is_not_translated(item: dict[str, Any]) -> None:
    with pytest.raises(Untranslatable) as caught:
        read_input([item])

    assert caught.value.param == "input[0]"
