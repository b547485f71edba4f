"""What a process remembers: seals go back to who sealed, where the client left them out, and to nobody else."""

from __future__ import annotations

from costspan.engine.recall import Recall, Witness
from costspan.engine.stored import StoredBy
from costspan.ir import events
from costspan.ir.reply import Choice, Reply
from costspan.ir.request import Block, Message, Opaque, Reasoning, Request, Text, ToolCall

CLAUDE = Opaque("anthropic-messages", "signature", "sig-1")
GEMINI = Opaque("gemini-generate", "signature", "sig-2")
THOUGHT = Reasoning("I need the clock.", opaque=CLAUDE)
CALL = ToolCall("call_1", "clock", "{}")


def asked(*blocks: Block) -> Request:
    return Request("m", (Message("user", (Text("When?"),)), Message("assistant", blocks)))


def told(*blocks: Block) -> Reply:
    return Reply("r", "m", (Choice(blocks),))


def test_the_thinking_of_a_call_returns_before_what_was_said() -> None:
    recall = Recall()
    recall.learn("key", told(THOUGHT, Text("Let me see."), CALL))

    again = recall.restore("key", asked(Text("Let me see."), CALL), "anthropic-messages")

    assert again.messages[1].blocks == (THOUGHT, Text("Let me see."), CALL)


def test_thinking_between_calls_returns_between_them_and_a_signed_call_is_signed() -> None:
    later = Reasoning("And the date.", opaque=CLAUDE)
    second = ToolCall("call_2", "date", "{}")
    recall = Recall()
    recall.learn("key", told(THOUGHT, CALL, later, second, ToolCall("call_3", "x", "{}", GEMINI)))

    again = recall.restore("key", asked(CALL, second), "anthropic-messages")

    assert again.messages[1].blocks == (THOUGHT, CALL, later, second)
    signed = recall.restore("key", asked(ToolCall("call_3", "x", "{}")), "gemini-generate")
    assert signed.messages[1].blocks == (ToolCall("call_3", "x", "{}", GEMINI),)


def test_what_was_sent_back_without_its_seal_gives_way_to_what_is_kept() -> None:
    recall = Recall()
    recall.learn("key", told(THOUGHT, CALL))
    bare, other = Reasoning("I need the clock."), Reasoning("Of another turn.")

    assert recall.restore("key", asked(bare, CALL), "anthropic-messages") == asked(THOUGHT, CALL)
    assert recall.restore("key", asked(other, CALL), "anthropic-messages") == asked(THOUGHT, other, CALL)
    assert recall.restore("key", asked(bare, CALL), "gemini-generate") == asked(bare, CALL)


def test_nobody_else_gets_it() -> None:
    recall = Recall()
    recall.learn("key", told(THOUGHT, CALL))

    assert recall.restore("other key", asked(CALL), "anthropic-messages") == asked(CALL)
    assert recall.restore("key", asked(CALL), "gemini-generate") == asked(CALL)
    assert recall.restore("key", asked(ToolCall("call_9", "clock", "{}")), "anthropic-messages").messages[1].blocks == (
        ToolCall("call_9", "clock", "{}"),
    )


def test_a_client_that_sends_its_own_reasoning_is_believed() -> None:
    recall = Recall()
    recall.learn("key", told(THOUGHT, CALL))
    own = Reasoning("mine", opaque=Opaque("anthropic-messages", "signature", "own"))

    assert recall.restore("key", asked(own, CALL), "anthropic-messages") == asked(own, CALL)


def test_the_oldest_is_forgotten_by_number_and_by_size() -> None:
    by_number, by_size = Recall(max_calls=1), Recall(max_chars=len("I need the clock.sig-1call_1"))
    for recall in (by_number, by_size):
        recall.learn("key", told(THOUGHT, CALL))
        recall.learn("key", told(THOUGHT, ToolCall("call_2", "clock", "{}")))

        assert recall.restore("key", asked(CALL), "anthropic-messages") == asked(CALL)
        assert recall.restore("key", asked(ToolCall("call_2", "clock", "{}")), "anthropic-messages") != asked(
            ToolCall("call_2", "clock", "{}")
        )


def test_ids_take_memory_too() -> None:
    recall, long = Recall(max_chars=1000), ToolCall("c" * 1000, "clock", "{}")
    recall.learn("key", told(THOUGHT, long))

    assert recall.restore("key", asked(long), "anthropic-messages") == asked(long)


def test_an_id_of_any_length_is_not_remembered() -> None:
    stored = StoredBy()
    stored.remember("resp_" + "1" * 251, "one")
    stored.remember("resp_" + "1" * 252, "one")

    assert stored.owner("resp_" + "1" * 251) == "one"
    assert stored.owner("resp_" + "1" * 252) is None


def test_an_answer_that_seals_nothing_leaves_nothing() -> None:
    recall = Recall()
    recall.learn("key", told(Reasoning("open"), CALL))

    assert recall.restore("key", asked(CALL), "anthropic-messages") == asked(CALL)


def test_a_stream_is_kept_once_it_is_complete() -> None:
    recall = Recall()
    witness = Witness(recall, "key")
    for event in (
        events.BlockStarted(0, "reasoning"),
        events.ReasoningDelta(0, "I need "),
        events.ReasoningDelta(0, "the clock."),
        events.OpaqueDelta(0, CLAUDE),
        events.BlockStarted(1, "tool_call", "call_1", "clock"),
        events.ArgumentsDelta(1, "{}"),
        events.BlockStarted(2, "tool_call", "call_2", "date", opaque=GEMINI),
    ):
        witness.see(event)
    assert recall.restore("key", asked(CALL), "anthropic-messages") == asked(CALL)

    witness.end()

    assert recall.restore("key", asked(CALL), "anthropic-messages").messages[1].blocks == (THOUGHT, CALL)
    signed = recall.restore("key", asked(ToolCall("call_2", "date", "{}")), "gemini-generate").messages[1].blocks
    assert signed == (ToolCall("call_2", "date", "{}", GEMINI),)
