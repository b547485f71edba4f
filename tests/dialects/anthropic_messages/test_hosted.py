from __future__ import annotations

import pytest

from costspan.dialects import anthropic_messages
from costspan.errors import Untranslatable
from costspan.ir.profile import PLAIN, Profile
from costspan.ir.request import Block, Media, Message, Request, Text, ToolCall, ToolResult
from costspan.providers.hosts import KINDS

CAT = Media("image", url="https://example.com/cat.png")
CALL = Message("assistant", (ToolCall("c1", "draw", "{}"),))
WITH_URLS: dict[str, tuple[Message, ...]] = {
    "messages.image": (Message("user", (Text("What is this?"), CAT)),),
    "messages.document": (Message("user", (Media("document", url="https://example.com/cat.pdf"),)),),
    "messages.image of Anthropic's files": (
        Message("user", (Media("image", file_id="file_https://example.com/cat"),)),
    ),
    "messages.image in a result": (
        Message("user", (Text("Draw."),)),
        CALL,
        Message("user", (ToolResult("c1", (CAT,)),)),
    ),
}


def encode(profile: Profile, messages: tuple[Message, ...]) -> bytes:
    return anthropic_messages.encode_request(Request("claude-sonnet-4-6", messages), profile).body


@pytest.mark.parametrize("kind", ["vertex", "bedrock"])
@pytest.mark.parametrize(("param", "messages"), WITH_URLS.items(), ids=WITH_URLS.keys())
def test_a_cloud_that_fetches_nothing_is_not_sent_urls(kind: str, param: str, messages: tuple[Message, ...]) -> None:
    with pytest.raises(Untranslatable) as refused:
        encode(KINDS[kind].profile, messages)

    assert refused.value.param == param.partition(" ")[0]
    assert kind in refused.value.message


@pytest.mark.parametrize("messages", WITH_URLS.values(), ids=WITH_URLS.keys())
def test_anthropics_own_api_is(messages: tuple[Message, ...]) -> None:
    assert b"https://example.com/cat" in encode(PLAIN, messages)


def test_bytes_go_to_the_clouds_too() -> None:
    blocks: tuple[Block, ...] = (Media("image", "image/png", data="iVBORw0KGgo="),)

    assert b"iVBORw0KGgo=" in encode(KINDS["vertex"].profile, (Message("user", blocks),))
