from __future__ import annotations

from costspan.ir import events
from costspan.ir.fold import fold
from costspan.ir.reply import Choice, FinishReason, Reply
from costspan.ir.request import Citation, Opaque, Reasoning, Refusal, ServerTool, Text, ToolCall
from costspan.ir.usage import Usage

SIGNED = Opaque("a", "signature", "s")


def test_nothing_folds_to_an_empty_reply() -> None:
    assert fold([]) == Reply("", "", ())


def test_interleaved_blocks_add_up_in_the_order_of_their_start() -> None:
    stream: list[events.Event] = [
        events.Started("id", "model", 7),
        events.BlockStarted(0, "reasoning", summary=True),
        events.BlockStarted(1, "text"),
        events.BlockStarted(2, "tool_call", id="c", name="f"),
        events.ArgumentsDelta(2, '{"a"'),
        events.TextDelta(1, "Hi"),
        events.ReasoningDelta(0, "hm"),
        events.ArgumentsDelta(2, ":1}"),
        events.TextDelta(1, " you"),
        events.CitationAdded(1, Citation(url="u")),
        events.OpaqueDelta(0, SIGNED),
        events.OpaqueDelta(2, SIGNED),
        events.BlockFinished(2),
        events.BlockFinished(0),
        events.BlockFinished(1),
        events.Finished(FinishReason.STOP_SEQUENCE, "stop", "END"),
        events.Ended(),
    ]

    assert fold(stream) == Reply(
        "id",
        "model",
        (
            Choice(
                (
                    Reasoning("hm", summary=True, opaque=SIGNED),
                    Text("Hi you", (Citation(url="u"),)),
                    ToolCall("c", "f", '{"a":1}', SIGNED),
                ),
                FinishReason.STOP_SEQUENCE,
                "stop",
                "END",
            ),
        ),
        created=7,
    )


def test_blocks_that_stay_empty_say_nothing() -> None:
    stream: list[events.Event] = [
        events.BlockStarted(0, "text"),
        events.BlockStarted(1, "reasoning"),
        events.BlockStarted(2, "refusal"),
    ]

    assert fold(stream).choices == (Choice(()),)


def test_a_call_without_arguments_has_an_empty_object() -> None:
    assert fold([events.BlockStarted(0, "tool_call", id="c", name="f")]).choices[0].blocks == (
        ToolCall("c", "f", "{}"),
    )


def test_refusals_and_server_tools_are_kept() -> None:
    stream: list[events.Event] = [
        events.BlockStarted(0, "refusal"),
        events.TextDelta(0, "no"),
        events.BlockStarted(1, "server_tool", name="search", origin="a", raw={"type": "x"}),
        events.BlockStarted(2, "server_tool", origin="a", raw={"type": "x"}),
    ]

    assert fold(stream).choices[0].blocks == (
        Refusal("no"),
        ServerTool("a", "search", {"type": "x"}),
        ServerTool("a", "x", {"type": "x"}),
    )


def test_the_last_usage_counts_and_tells_the_tier() -> None:
    last = Usage({"output": 2}, service_tier="flex")
    reply = fold([events.UsageReported(Usage({"output": 1})), events.UsageReported(last)])

    assert (reply.usage, reply.service_tier) == (last, "flex")


def test_choices_are_told_apart() -> None:
    stream: list[events.Event] = [
        events.BlockStarted(0, "text", choice=1),
        events.BlockStarted(0, "text"),
        events.TextDelta(0, "b", choice=1),
        events.TextDelta(0, "a"),
        events.Finished(FinishReason.LENGTH, choice=1),
    ]

    assert fold(stream).choices == (Choice((Text("a"),)), Choice((Text("b"),), FinishReason.LENGTH))


def test_log_probabilities_are_put_end_to_end() -> None:
    reply = fold(
        [
            events.LogprobsAdded({"content": [1], "refusal": None}),
            events.LogprobsAdded({"content": [2, 3], "refusal": None}),
        ]
    )

    assert reply.choices[0].logprobs == {"content": [1, 2, 3], "refusal": None}


def test_what_belongs_to_no_block_is_skipped() -> None:
    stream: list[events.Event] = [
        events.TextDelta(0, "x"),
        events.OpaqueDelta(0, SIGNED),
        events.BlockFinished(0),
        events.Failed("x", "overloaded"),
    ]

    assert fold(stream).choices == (Choice(()),)
