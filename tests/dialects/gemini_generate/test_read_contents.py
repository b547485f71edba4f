from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

import pytest

from costspan.dialects import gemini_generate as dialect
from costspan.errors import ClientError
from costspan.ir.opaque import wrap
from costspan.ir.request import Block, Media, Message, Opaque, Reasoning, ServerTool, Text, ToolCall, ToolResult

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "gemini-generate"
SIGNED = Opaque(NAME, "signature", "c2ln")
FOREIGN = Opaque("anthropic-messages", "signature", "s>?")


def read(*contents: dict[str, Any]) -> tuple[Message, ...]:
    return dialect.decode_request({"model": "m", "contents": list(contents)}).messages


def blocks(*parts: dict[str, Any], role: str = "model") -> tuple[Block, ...]:
    return read({"role": role, "parts": list(parts)})[0].blocks


def carried(kept: Opaque, encode: Callable[[bytes], bytes] = base64.b64encode) -> str:
    return encode(wrap(kept).encode()).decode()


CODE = {"executableCode": {"language": "PYTHON", "code": "1+1"}, "thoughtSignature": "c2ln"}
PARTS: dict[str, tuple[dict[str, Any], tuple[Block, ...]]] = {
    "text": ({"text": "Hi"}, (Text("Hi"),)),
    "signed text": ({"text": "Hi", "thoughtSignature": "c2ln"}, (Text("Hi", opaque=SIGNED),)),
    "a signature alone": ({"text": "", "thought_signature": "c2ln"}, (Text("", opaque=SIGNED),)),
    "a thought": ({"text": "Hm", "thought": True}, (Reasoning("Hm", summary=True),)),
    "a foreign thought": (
        {"text": "Hm", "thought": True, "thoughtSignature": carried(FOREIGN)},
        (Reasoning("Hm", summary=True, opaque=FOREIGN),),
    ),
    "a foreign thought, encoded by the SDK": (
        {"text": "Hm", "thought": True, "thoughtSignature": carried(FOREIGN, base64.urlsafe_b64encode)},
        (Reasoning("Hm", summary=True, opaque=FOREIGN),),
    ),
    "a foreign thought, without padding": (
        {"text": "Hm", "thought": True, "thoughtSignature": carried(FOREIGN).rstrip("=")},
        (Reasoning("Hm", summary=True, opaque=FOREIGN),),
    ),
    "a sealed thought without words": (
        {"text": "", "thought": True, "thoughtSignature": carried(FOREIGN)},
        (Reasoning(summary=True, opaque=FOREIGN),),
    ),
    "what only looks wrapped": (
        {"text": "Hi", "thoughtSignature": "Y3MxL"},
        (Text("Hi", opaque=Opaque(NAME, "signature", "Y3MxL")),),
    ),
    "a call": (
        {"functionCall": {"id": "a", "name": "f", "args": {"n": 1.50}}, "thoughtSignature": "c2ln"},
        (ToolCall("a", "f", '{"n":1.5}', SIGNED),),
    ),
    "an image": (
        {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
        (Media("image", "image/png", data="AA=="),),
    ),
    "a signed image": (
        {"inline_data": {"mime_type": "image/png", "data": "AA=="}, "thoughtSignature": "c2ln"},
        (Reasoning(opaque=SIGNED), Media("image", "image/png", data="AA==")),
    ),
    "a document": (
        {"inlineData": {"mimeType": "application/pdf", "data": "AA==", "displayName": "a.pdf"}},
        (Media("document", "application/pdf", data="AA==", name="a.pdf"),),
    ),
    "a page": (
        {"fileData": {"fileUri": "https://e.org/a.mp4?x=1"}},
        (Media("video", url="https://e.org/a.mp4?x=1"),),
    ),
    "a file that Google keeps": (
        {"file_data": {"file_uri": "gs://b/a.wav", "mime_type": "audio/wav"}},
        (Media("audio", "audio/wav", file_id="gs://b/a.wav"),),
    ),
    "code that Google ran": (CODE, (ServerTool(NAME, "executableCode", CODE),)),
}


@pytest.mark.parametrize(("part", "found"), PARTS.values(), ids=PARTS.keys())
def test_a_part_is_its_blocks(part: dict[str, Any], found: tuple[Block, ...]) -> None:
    assert blocks(part) == found


def test_the_user_does_not_think() -> None:
    assert blocks({"text": "Hm", "thought": True}, role="user") == (Text("Hm"),)


def test_turns_that_say_nothing_are_left_out() -> None:
    assert read({"parts": []}, {"role": "model", "parts": [{"text": ""}]}, {"parts": [{"text": "Hi"}]}) == (
        Message("user", (Text("Hi"),)),
    )


def call(name: str, id_: str | None = None) -> dict[str, Any]:
    return {"functionCall": {"name": name} | ({"id": id_} if id_ else {})}


def response(name: str | None, response: Any, id_: str | None = None, **more: Any) -> dict[str, Any]:
    named = {"name": name, "id": id_, "response": response} | more
    return {"functionResponse": {key: value for key, value in named.items() if value is not None}}


def ids(messages: tuple[Message, ...]) -> list[str]:
    """Of the calls, and of those that are answered."""
    found = [block for message in messages for block in message.blocks]
    calls = [block.id for block in found if isinstance(block, ToolCall)]
    return calls + [block.call_id for block in found if isinstance(block, ToolResult)]


def test_calls_without_ids_are_answered_by_name_in_their_order() -> None:
    messages = read(
        {"role": "model", "parts": [call("f"), call("g"), call("f")]},
        {"role": "function", "parts": [response("f", {}), response("f", {}), response("g", {})]},
    )

    first, second, third, *answered = ids(messages)
    assert len({first, second, third}) == 3
    assert answered == [first, third, second]


def test_ids_are_the_same_each_time() -> None:
    contents = [{"role": "model", "parts": [call("f"), call("f")]}]

    assert ids(read(*contents)) == ids(read(*contents))


def test_an_answer_finds_its_call_by_id_and_else_by_name() -> None:
    messages = read(
        {"role": "model", "parts": [call("f", "a"), call("f", "b"), call("f", "c")]},
        {"parts": [response("f", {}, "b"), response("f", {}), response("f", {}, "unknown")]},
    )

    assert ids(messages) == ["a", "b", "c", "b", "a", "c"]


SAID: dict[str, tuple[Any, tuple[Text, ...], bool]] = {
    "a result": ({"result": "12:00"}, (Text("12:00"),), False),
    "an output": ({"output": "12:00"}, (Text("12:00"),), False),
    "a result that is no text": ({"result": {"h": 12}}, (Text('{"h":12}'),), False),
    "an error": ({"error": "broken"}, (Text("broken"),), True),
    "any object": ({"h": 12, "error": None}, (Text('{"h":12,"error":null}'),), False),
    "nothing": ({}, (), False),
    "an empty result": ({"result": ""}, (), False),
}


@pytest.mark.parametrize(("given", "said", "is_error"), SAID.values(), ids=SAID.keys())
def test_a_function_response_is_a_tool_result(given: Any, said: tuple[Text, ...], is_error: bool) -> None:
    messages = read({"role": "model", "parts": [call("f", "a")]}, {"parts": [response("f", given, "a")]})

    assert messages[1].blocks == (ToolResult("a", said, is_error),)


def test_media_inside_a_function_response_belongs_to_it() -> None:
    image = {"inline_data": {"mime_type": "image/png", "data": "AA=="}}
    page = {"fileData": {"fileUri": "https://e.org/a.pdf"}}

    messages = read(
        {"role": "model", "parts": [call("f", "a")]},
        {"parts": [response("f", {"result": "x"}, "a", parts=[image, page])]},
    )

    media = (Media("image", "image/png", data="AA=="), Media("document", url="https://e.org/a.pdf"))
    assert messages[1].blocks == (ToolResult("a", (Text("x"), *media)),)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown part": ({"hologram": {}}, "contents[0].parts[0]"),
    "text that is none": ({"text": 5}, "contents[0].parts[0]"),
    "a call without a name": ({"functionCall": {"args": {}}}, "contents[0].parts[0].functionCall.name"),
    "odd arguments": ({"functionCall": {"name": "f", "args": []}}, "contents[0].parts[0].functionCall.args"),
    "an odd id": ({"functionCall": {"name": "f", "id": 5}}, "contents[0].parts[0].functionCall.id"),
    "an odd call": ({"functionCall": "f"}, "contents[0].parts[0].functionCall"),
    "an answer to nothing": (response("f", {}), "contents[0].parts[0].functionResponse"),
    "data that is missing": ({"inlineData": {"mimeType": "image/png"}}, "contents[0].parts[0].inlineData.data"),
    "a file without an address": ({"fileData": {}}, "contents[0].parts[0].fileData.fileUri"),
}


@pytest.mark.parametrize(("part", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_wrong_is_named(part: dict[str, Any], param: str) -> None:
    with pytest.raises(ClientError) as refused:
        read({"role": "model", "parts": [part]})

    assert refused.value.param == param


def test_an_odd_response_is_named() -> None:
    with pytest.raises(ClientError) as refused:
        read({"role": "model", "parts": [call("f")]}, {"parts": [response("f", "12:00")]})

    assert refused.value.param == "contents[1].parts[0].functionResponse.response"


def test_fields_of_parts_that_have_no_place_are_noted() -> None:
    part = {"text": "Hi", "videoMetadata": {"fps": 1}, "part_metadata": {"a": 1}, "mediaResolution": None}

    request = dialect.decode_request({"model": "m", "contents": [{"parts": [part]}]})

    noted = {"contents.parts.videoMetadata": {"fps": 1}, "contents.parts.partMetadata": {"a": 1}}
    assert request.extensions == {NAME: noted}
    assert sorted(dialect.encode_request(request).losses) == sorted(noted)


def test_many_calls_are_answered_in_good_time() -> None:
    number = 20_000
    calls = [call("f", str(position)) for position in range(number)]
    answers = [response("f", {}, str(position)) for position in reversed(range(number))]
    began = time.process_time()

    read({"role": "model", "parts": calls}, {"parts": answers})

    assert time.process_time() - began < 5
