"""A conversation ends as its model wants it, in both dialects that Claude is asked in."""

from __future__ import annotations

from typing import Any

import pytest

from costspan.dialects import anthropic_messages, bedrock_converse
from costspan.dialects.claude.turns import end_properly
from costspan.dialects.losses import Losses
from costspan.ir.request import Message, ReasoningOptions, Request, ServerTool, Text, ToolCall
from costspan.wire import json

HI = Message("user", (Text("hi"),))
BEGUN = Message("assistant", (Text("{"),))
SPACED = Message("assistant", (Text("a "), Text("The answer: \n")))
STRIPPED = Message("assistant", (Text("a "), Text("The answer:")))
BLANK = Message("assistant", (Text(" "),))
CALL = Message("assistant", (ToolCall("c", "f", "{}"),))
SEARCH = Message("assistant", (ServerTool("anthropic-messages", "server_tool_use", {}),))
GO_ON = Message("user", (Text("(Go on.)"),))
OLD, NEW = "claude-sonnet-4-5", "claude-sonnet-4-6"

ENDS: dict[str, tuple[str, tuple[Message, ...], tuple[Message, ...], tuple[str, ...]]] = {
    "the user's turn": (NEW, (HI, BEGUN, HI), (HI, BEGUN, HI), ()),
    "a beginning that is continued": (OLD, (HI, BEGUN), (HI, BEGUN), ()),
    "a beginning with a space behind": (OLD, (HI, SPACED), (HI, STRIPPED), ("messages.content",)),
    "a beginning that no longer can be": (NEW, (HI, BEGUN), (HI, BEGUN, GO_ON), ("messages.role",)),
    "a call without a result": (NEW, (HI, CALL), (HI, CALL, GO_ON), ("messages.role",)),
    "an empty turn, which is left out": (NEW, (HI, BLANK), (HI, BLANK), ()),
    "a beginning before an empty turn": (NEW, (HI, BEGUN, BLANK), (HI, BEGUN, GO_ON), ("messages.role",)),
    "a turn that paused amid a search": (NEW, (HI, SEARCH), (HI, SEARCH), ()),
    "nothing at all": (NEW, (), (), ()),
}


@pytest.mark.parametrize(("model", "messages", "sent", "lost"), ENDS.values(), ids=ENDS.keys())
def test_a_conversation_ends_as_its_model_takes_it(
    model: str, messages: tuple[Message, ...], sent: tuple[Message, ...], lost: tuple[str, ...]
) -> None:
    losses = Losses()

    assert end_properly(Request(model, messages), losses).messages == sent
    assert losses.names() == lost


@pytest.mark.parametrize(
    ("asked", "role"),
    [
        (ReasoningOptions("high"), "user"),
        (ReasoningOptions(budget_tokens=2000), "user"),
        (ReasoningOptions(dynamic=True), "user"),
        (ReasoningOptions("none"), "assistant"),
        (ReasoningOptions(summary="auto"), "assistant"),
    ],
)
def test_nothing_is_continued_while_thinking(asked: ReasoningOptions, role: str) -> None:
    request = Request(OLD, (HI, BEGUN), reasoning=asked)

    assert end_properly(request, Losses()).messages[-1].role == role


@pytest.mark.parametrize("dialect", [anthropic_messages, bedrock_converse])
def test_both_dialects_end_it_so(dialect: Any) -> None:
    encoded = dialect.encode_request(Request(f"anthropic.{NEW}", (HI, BEGUN)))

    roles = [message["role"] for message in json.loads_object(encoded.body)["messages"]]
    assert (roles, encoded.losses) == (["user", "assistant", "user"], ("messages.role",))


def test_other_models_on_bedrock_continue_what_was_begun() -> None:
    encoded = bedrock_converse.encode_request(Request("us.meta.llama3-3-70b-instruct-v1:0", (HI, BEGUN)))

    assert (len(json.loads_object(encoded.body)["messages"]), encoded.losses) == (2, ())
