from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.dialects import gemini_generate as dialect
from costspan.dialects.types import StreamOptions
from costspan.errors import Malformed
from costspan.ir import events
from costspan.ir.fold import fold
from costspan.ir.reply import Choice, FinishReason, Reply
from costspan.ir.request import Block, Citation, Media, Opaque, Reasoning, ServerTool, Text, ToolCall
from costspan.ir.usage import Usage
from costspan.wire import json, sse

NAME = "gemini-generate"
SIGNED = Opaque(NAME, "signature", "c2ln")
OPTIONS = StreamOptions("cs_1", "m", 7)
USAGE = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}


def chunk(*parts: dict[str, Any], finish: str | None = None, index: int | None = None, **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, **more}
    if finish:
        candidate["finishReason"] = finish
    if index is not None:
        candidate["index"] = index
    return {"candidates": [candidate], "modelVersion": "gemini-x", "responseId": "r1"}


def decode(*chunks: Any) -> list[events.Event]:
    decoder = dialect.new_decoder()
    found = [event for one in chunks for event in decoder.feed(sse.Event("", json.dumps(one)))]
    decoder.close()
    return found


def blocks(*chunks: dict[str, Any]) -> tuple[Block, ...]:
    return fold(decode(*chunks, chunk(finish="STOP"))).choices[0].blocks


def test_the_events_of_an_answer() -> None:
    made = decode(
        chunk({"text": "Hm", "thought": True}, index=0),
        chunk({"text": "Hi"}, index=0) | {"usageMetadata": {"promptTokenCount": 10, "totalTokenCount": 10}},
        chunk({"text": " there"}, finish="STOP", index=0) | {"usageMetadata": USAGE},
    )

    assert made == [
        events.Started("r1", "gemini-x"),
        events.BlockStarted(0, "reasoning", summary=True),
        events.ReasoningDelta(0, "Hm"),
        events.BlockFinished(0),
        events.BlockStarted(1, "text"),
        events.TextDelta(1, "Hi"),
        events.UsageReported(Usage({"input": 10})),
        events.TextDelta(1, " there"),
        events.BlockFinished(1),
        events.Finished(FinishReason.STOP, "STOP"),
        events.UsageReported(Usage({"input": 10, "output": 5})),
    ]


CALL = {"functionCall": {"id": "a", "name": "f", "args": {"n": 1.5}}}
CODE = {"executableCode": {"code": "1+1"}, "thoughtSignature": "c2ln"}
PARTS: dict[str, tuple[list[dict[str, Any]], tuple[Block, ...]]] = {
    "text in pieces": ([{"text": "a"}, {"text": "b"}], (Text("ab"),)),
    "thoughts and text": (
        [{"text": "a", "thought": True}, {"text": "b", "thought": True}, {"text": "c"}],
        (Reasoning("ab", summary=True), Text("c")),
    ),
    "a signature ends its text": (
        [{"text": "a"}, {"text": "b", "thoughtSignature": "c2ln"}, {"text": "c"}],
        (Text("ab", opaque=SIGNED), Text("c")),
    ),
    "a signature after its text": (
        [{"text": "a"}, {"text": "", "thoughtSignature": "c2ln"}],
        (Text("a", opaque=SIGNED),),
    ),
    "a signature on nothing": (
        [CALL, {"text": "", "thoughtSignature": "c2ln"}],
        (ToolCall("a", "f", '{"n":1.5}'), Text("", opaque=SIGNED)),
    ),
    "a signed thought": (
        [{"text": "a", "thought": True, "thoughtSignature": "c2ln"}],
        (Reasoning("a", summary=True, opaque=SIGNED),),
    ),
    "a signed call": (
        [{"text": "a"}, {**CALL, "thoughtSignature": "c2ln"}, {"functionCall": {"id": "b", "name": "g"}}],
        (Text("a"), ToolCall("a", "f", '{"n":1.5}', SIGNED), ToolCall("b", "g", "{}")),
    ),
    "a picture": (
        [{"text": "a"}, {"inlineData": {"mimeType": "image/png", "data": "AA=="}}, {"text": "b"}],
        (Text("a"), Media("image", "image/png", data="AA=="), Text("b")),
    ),
    "a signed picture": (
        [{"inlineData": {"mimeType": "image/png", "data": "AA=="}, "thoughtSignature": "c2ln"}],
        (Reasoning("", summary=True, opaque=SIGNED), Media("image", "image/png", data="AA==")),
    ),
    "a file": ([{"fileData": {"fileUri": "https://e.org/a"}}], (Media("document", url="https://e.org/a"),)),
    "google's own tool": ([CODE, {"text": "2"}], (ServerTool(NAME, "executableCode", CODE), Text("2"))),
    "nothing": ([{"text": ""}, {}], ()),
}


@pytest.mark.parametrize(("given_", "found"), PARTS.values(), ids=PARTS.keys())
def test_parts_are_blocks_however_they_are_cut_into_chunks(
    given_: list[dict[str, Any]], found: tuple[Block, ...]
) -> None:
    assert blocks(*map(chunk, given_)) == found
    assert blocks(chunk(*given_)) == found
    assert dialect.decode_reply(chunk(*given_, finish="STOP")).choices[0].blocks == found


def test_a_call_without_an_id_gets_the_same_one_in_a_stream_and_in_a_whole_answer() -> None:
    call = {"functionCall": {"name": "f", "args": {}}}

    [first, second] = blocks(chunk(call), chunk(call))

    assert isinstance(first, ToolCall)
    assert isinstance(second, ToolCall)
    assert first.id == "call_b79ea9cca00af0a0d36de380"
    assert first.id != second.id
    assert dialect.decode_reply(chunk(call, call)).choices[0].blocks == (first, second)


FINISHES = {
    "STOP": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
    "SAFETY": FinishReason.CONTENT_FILTER,
    "RECITATION": FinishReason.CONTENT_FILTER,
    "LANGUAGE": FinishReason.CONTENT_FILTER,
    "BLOCKLIST": FinishReason.CONTENT_FILTER,
    "PROHIBITED_CONTENT": FinishReason.CONTENT_FILTER,
    "SPII": FinishReason.CONTENT_FILTER,
    "IMAGE_SAFETY": FinishReason.CONTENT_FILTER,
    "MODEL_ARMOR": FinishReason.CONTENT_FILTER,
    "MALFORMED_FUNCTION_CALL": FinishReason.MALFORMED_TOOL_CALL,
    "UNEXPECTED_TOOL_CALL": FinishReason.MALFORMED_TOOL_CALL,
    "OTHER": FinishReason.OTHER,
    "TOO_MANY_TOOL_CALLS": FinishReason.OTHER,
    "UNHEARD_OF": FinishReason.OTHER,
}


@pytest.mark.parametrize(("native", "reason"), FINISHES.items())
def test_a_finish_reason_has_its_meaning(native: str, reason: FinishReason) -> None:
    assert fold(decode(chunk(finish=native))).choices[0] == Choice((), reason, native)


def test_stop_after_a_call_asks_for_its_result() -> None:
    assert fold(decode(chunk(CALL), chunk(finish="STOP"))).choices[0].finish is FinishReason.TOOL_CALLS
    assert fold(decode(chunk(CALL), chunk(finish="MAX_TOKENS"))).choices[0].finish is FinishReason.LENGTH


def test_a_blocked_prompt_is_a_filtered_answer_without_candidates() -> None:
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT", "blockReasonMessage": "No"}, "responseId": "r1"}

    reply = dialect.decode_reply(blocked | {"usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9}})

    filtered = Choice((), FinishReason.CONTENT_FILTER, "PROHIBITED_CONTENT")
    unread = frozenset({"promptFeedback.blockReasonMessage"})
    assert reply == Reply("r1", "", (filtered,), Usage({"input": 9}), unread=unread)
    assert fold(decode(blocked)).choices == (filtered,)
    assert dialect.summarize(blocked).finish_reasons == ("PROHIBITED_CONTENT",)


def test_what_follows_a_finish_reason_is_not_cut_off() -> None:
    """Usage, sources and other candidates may come later, so nothing but the end of the bytes is the end."""
    decoder = dialect.new_decoder()
    chunks = [
        chunk({"text": "a"}, finish="STOP", index=0) | {"usageMetadata": USAGE},
        chunk({"text": "b"}, index=1),
        chunk(finish="MAX_TOKENS", index=1),
        chunk(finish="STOP", index=0) | {"usageMetadata": {**USAGE, "candidatesTokenCount": 6, "totalTokenCount": 16}},
        {"usageMetadata": {**USAGE, "candidatesTokenCount": 7, "totalTokenCount": 17}},
    ]
    made: list[events.Event] = []
    for one in chunks:
        made += decoder.feed(sse.Event("", json.dumps(one)))
        assert not decoder.ended
    decoder.close()

    assert decoder.ended
    assert [event.native for event in made if isinstance(event, events.Finished)] == ["STOP", "MAX_TOKENS"]
    reply = fold(made)
    assert [choice.blocks for choice in reply.choices] == [(Text("a"),), (Text("b"),)]
    assert decoder.usage == reply.usage == Usage({"input": 10, "output": 7})


UNFINISHED: dict[str, list[dict[str, Any]]] = {
    "nothing": [],
    "no reason": [chunk({"text": "a"})],
    "an unspecified one": [chunk({"text": "a"}, finish="FINISH_REASON_UNSPECIFIED")],
    "one candidate of two": [chunk(finish="STOP", index=0), chunk({"text": "b"}, index=1)],
    "usage alone": [{"usageMetadata": USAGE}],
}


@pytest.mark.parametrize("chunks", UNFINISHED.values(), ids=UNFINISHED.keys())
def test_a_stream_without_its_finish_reasons_was_cut_off(chunks: list[dict[str, Any]]) -> None:
    with pytest.raises(Malformed):
        decode(*chunks)


def test_usage_is_reported_when_it_changes_and_a_lower_total_is_flagged() -> None:
    early = {"trafficType": "ON_DEMAND"}
    lower = {"promptTokenCount": 1, "totalTokenCount": 1}

    reports = [
        event.usage
        for event in decode(
            chunk() | {"usageMetadata": early},
            chunk() | {"usageMetadata": USAGE},
            chunk() | {"usageMetadata": USAGE},
            chunk(finish="STOP") | {"usageMetadata": lower},
        )
        if isinstance(event, events.UsageReported)
    ]

    assert reports == [Usage({"input": 10, "output": 5}), Usage({"input": 1}, inconsistent=True)]


def test_searches_are_counted_over_all_chunks_also_when_usage_came_before() -> None:
    def searching(*queries: str) -> dict[str, Any]:
        return {"groundingMetadata": {"webSearchQueries": list(queries)}}

    decoder = dialect.new_decoder()
    for one in (
        chunk(**searching("a")) | {"modelVersion": "gemini-3-flash", "usageMetadata": USAGE},
        chunk(**searching("a", "b")),
        chunk(finish="STOP", **searching("c")),
    ):
        list(decoder.feed(sse.Event("", json.dumps(one))))

    assert decoder.usage == Usage({"input": 10, "output": 5}, {"web_search_calls": 3})


FAILURES: dict[str, tuple[Any, events.Failed]] = {
    "as Google says it": (
        {"error": {"code": 503, "message": "Busy", "status": "UNAVAILABLE"}},
        events.Failed("Busy", "overloaded", "UNAVAILABLE"),
    ),
    "in a list": (
        [{"error": {"code": 429, "message": "Slow down", "status": "RESOURCE_EXHAUSTED"}}],
        events.Failed("Slow down", "rate_limit", "RESOURCE_EXHAUSTED"),
    ),
    "by number only": ({"error": {"code": 429}}, events.Failed("HTTP 429", "rate_limit")),
    "without a word": ({"error": {}}, events.Failed("the provider reported an error", "server_error")),
}


@pytest.mark.parametrize(("data", "failed"), FAILURES.values(), ids=FAILURES.keys())
def test_an_error_in_a_stream_is_a_failure(data: Any, failed: events.Failed) -> None:
    assert list(dialect.new_decoder().feed(sse.Event("", json.dumps(data)))) == [failed]


def test_bytes_that_are_no_json_are_malformed() -> None:
    with pytest.raises(Malformed):
        list(dialect.new_decoder().feed(sse.Event("", b"{")))


def test_vertex_tells_when_it_answered() -> None:
    made = decode(chunk(finish="STOP") | {"createTime": "2026-03-12T18:06:28.449115Z"})

    assert made[0] == events.Started("r1", "gemini-x", 1773338788)
    assert decode(chunk(finish="STOP") | {"createTime": "then"})[0] == events.Started("r1", "gemini-x")
    assert decode(chunk(finish="STOP") | {"createTime": "2026-03-12T18:06:28"})[0] == events.Started("r1", "gemini-x")


UNREAD: dict[str, tuple[dict[str, Any], set[str]]] = {
    "bookkeeping": (
        chunk(avgLogprobs=-0.5, finishMessage="x", tokenCount=5) | {"modelStatus": {"modelStage": "STABLE"}},
        set(),
    ),
    "of a candidate": (chunk(safetyRatings=[{}], urlContextMetadata={"urlMetadata": []}), {"safetyRatings"}),
    "of the grounding": (
        chunk(groundingMetadata={"searchEntryPoint": {"renderedContent": "<a>"}, "retrievalMetadata": {"a": 1}}),
        {"searchEntryPoint"},
    ),
    "of a part": (chunk({"text": "a", "videoMetadata": {"fps": 1}, "mood": "calm"}), {"videoMetadata", "mood"}),
    "an unknown part": (chunk({"hologram": {"a": 1}}), {"hologram"}),
    "a draft of a picture": (
        chunk({"inlineData": {"mimeType": "image/png", "data": "AA"}, "thought": True}),
        {"inlineData"},
    ),
    "arguments in pieces": (
        chunk({"functionCall": {"name": "f", "partialArgs": [{"jsonPath": "$.a"}]}}),
        {"functionCall.partialArgs"},
    ),
    "beside the candidates": (chunk() | {"weather": "fine"}, {"weather"}),
    "sources of no text": (
        chunk(groundingMetadata={"groundingChunks": [{"web": {"uri": "u"}}]}),
        {"groundingMetadata"},
    ),
}


@pytest.mark.parametrize(("one", "names"), UNREAD.values(), ids=UNREAD.keys())
def test_what_is_not_read_is_told_once(one: dict[str, Any], names: set[str]) -> None:
    told = [event.name for event in decode(one, one, chunk(finish="STOP")) if isinstance(event, events.Unread)]

    assert sorted(told) == sorted(names)
    assert dialect.decode_reply(one).unread == frozenset(names - {"groundingMetadata"})


LOGPROBS = {
    "chosenCandidates": [{"token": "é", "logProbability": -0.5, "tokenId": 5}],
    "topCandidates": [{"candidates": [{"token": "é", "logProbability": -0.5}, {"token": "a", "logProbability": -2}]}],
}
CHAT = {
    "content": [
        {
            "token": "é",
            "bytes": [195, 169],
            "logprob": -0.5,
            "top_logprobs": [
                {"token": "é", "bytes": [195, 169], "logprob": -0.5},
                {"token": "a", "bytes": [97], "logprob": -2},
            ],
        }
    ],
    "refusal": None,
}


def test_log_probabilities_have_the_shape_of_openai_s() -> None:
    assert decode(chunk({"text": "é"}, finish="STOP", logprobsResult=LOGPROBS))[3] == events.LogprobsAdded(CHAT)
    assert dialect.decode_reply(chunk({"text": "é"}, logprobsResult={})).choices[0].logprobs is None


def cited(*chunks: dict[str, Any]) -> list[tuple[str, tuple[Citation, ...]]]:
    reply = fold(decode(*chunks, chunk(finish="STOP")))
    return [(block.text, block.citations) for block in reply.choices[0].blocks if isinstance(block, Text)]


def grounding(*supports: tuple[int | None, int | None, str | None, list[int]]) -> dict[str, Any]:
    return {
        "groundingMetadata": {
            "groundingChunks": [
                {"web": {"uri": "https://a", "title": "A"}},
                {"retrievedContext": {"uri": "gs://b", "title": "B", "text": "said there"}},
                {"maps": {"title": "No address"}},
                {"odd": 5},
            ],
            "groundingSupports": [
                {
                    "segment": {
                        name: value
                        for name, value in (("startIndex", start), ("endIndex", end), ("text", text))
                        if value is not None
                    },
                    "groundingChunkIndices": indices,
                }
                for start, end, text, indices in supports
            ],
        }
    }


A, B, C = Citation("https://a", "A"), Citation("gs://b", "B", "said there"), Citation(None, "No address")


def at(citation: Citation, start: int, end: int) -> Citation:
    return Citation(citation.url, citation.title, citation.cited_text, start, end)


def test_sources_are_citations_at_characters_though_google_counts_bytes() -> None:
    text = "Größe: 5. Ja, 5."
    found = cited(chunk({"text": text[:7]}), chunk({"text": text[7:]}, **grounding((None, 11, "Größe: 5.", [0, 1]))))

    assert found == [(text, (at(A, 0, 9), at(B, 0, 9), C))]


def test_bytes_before_a_claim_are_characters_too() -> None:
    found = cited(chunk({"text": "Größe: 5. Ja."}, **grounding((12, 15, "Ja.", [0]))))

    assert found == [("Größe: 5. Ja.", (at(A, 10, 13), B, C))]


def test_sources_are_told_before_their_text_is_closed_where_they_are_known() -> None:
    made = decode(chunk({"text": "one"}, **grounding((0, 3, "one", [0]))), chunk(CALL), chunk(finish="STOP"))

    assert made[2:6] == [
        events.TextDelta(0, "one"),
        events.CitationAdded(0, at(A, 0, 3)),
        events.BlockFinished(0),
        events.BlockStarted(1, "tool_call", "a", "f"),
    ]
    assert events.CitationAdded(0, B) in made[6:]


def test_a_claim_is_found_by_its_words_where_its_place_is_that_of_another_text() -> None:
    found = cited(chunk({"text": "x" * 10 + "claim"}, **grounding((0, 5, "claim", [0]), (90, 99, "gone", [1]))))

    assert found == [("x" * 10 + "claim", (at(A, 10, 15), B, C))]


def test_claims_are_cited_in_the_text_that_holds_them_in_streams_as_in_whole_answers() -> None:
    sources = grounding((0, 3, "one", [0]), (3, 6, "two", [1]))
    parts = [{"text": "one", "thoughtSignature": "c2ln"}, {"text": "two"}]
    wanted = [("one", (at(A, 0, 3),)), ("two", (at(B, 0, 3), C))]

    assert cited(*map(chunk, parts), chunk(**sources)) == wanted
    assert cited(chunk(*parts, **sources)) == wanted
    assert cited(chunk(parts[0], **sources), chunk(parts[1])) == wanted


def test_sources_that_come_again_are_told_once() -> None:
    sources = grounding((0, 3, "one", [0, 1, 2]))

    assert cited(chunk({"text": "one"}, **sources), chunk(**sources)) == [
        ("one", (at(A, 0, 3), at(B, 0, 3), at(C, 0, 3)))
    ]


@pytest.mark.parametrize("name", ["citations", "citationSources"])
def test_what_is_recited_is_cited(name: str) -> None:
    source = {"startIndex": 1, "endIndex": 3, "uri": "https://a", "title": "A", "license": "MIT"}

    assert cited(chunk({"text": "abcd"}, citationMetadata={name: [source]})) == [("abcd", (at(A, 1, 3),))]


def test_marked_events_alone_tell_usage_reasons_and_the_end() -> None:
    chunks = [
        chunk({"text": "a"}) | {"usageMetadata": {"trafficType": "ON_DEMAND"}},
        chunk({"text": "b"}) | {"usageMetadata": {"promptTokenCount": 10, "totalTokenCount": 10}},
        chunk(groundingMetadata={"webSearchQueries": ["a"]}),
        chunk(finish="STOP") | {"usageMetadata": USAGE},
    ]
    full, glance = dialect.new_decoder(), dialect.new_decoder()
    looked = 0
    for one in chunks:
        data = json.dumps(one)
        list(full.feed(sse.Event("", data)))
        if any(marker in data for marker in dialect.MARKERS):
            looked += 1
            list(glance.feed(sse.Event("", data)))
    glance.close()

    assert (glance.usage, glance.model, glance.id) == (full.usage, "gemini-x", "r1")
    assert looked == 3


def test_an_answer_without_candidates_is_malformed() -> None:
    bodies: list[dict[str, Any]] = [{}, {"candidates": []}, {"candidates": ["x"]}, {"promptFeedback": {}}]
    for body in bodies:
        with pytest.raises(Malformed):
            dialect.decode_reply(body)
        with pytest.raises(Malformed):
            dialect.summarize(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ("text", "thought", "thoughtSignature", "functionCall", "inlineData", "fileData", "executableCode")
CALLS = st.fixed_dictionaries({}, optional=dict.fromkeys(("id", "name", "args", "partialArgs"), JSON))
PART = st.fixed_dictionaries({}, optional={**dict.fromkeys(FIELDS, JSON), "functionCall": CALLS | JSON}) | JSON
SEGMENT = st.fixed_dictionaries({}, optional=dict.fromkeys(("startIndex", "endIndex", "text"), JSON))
SUPPORT = st.fixed_dictionaries({}, optional={"segment": SEGMENT | JSON, "groundingChunkIndices": JSON})
SOURCE = st.fixed_dictionaries({"web": st.fixed_dictionaries({}, optional=dict.fromkeys(("uri", "title"), JSON))})
GROUNDING = st.fixed_dictionaries(
    {},
    optional={
        "groundingChunks": st.lists(SOURCE | JSON, max_size=2) | JSON,
        "groundingSupports": st.lists(SUPPORT | JSON, max_size=2) | JSON,
        "webSearchQueries": JSON,
    },
)
CANDIDATE = st.fixed_dictionaries(
    {"content": st.fixed_dictionaries({"parts": st.lists(PART, max_size=3) | JSON}) | JSON},
    optional={
        "index": JSON,
        "finishReason": st.sampled_from(["STOP", "OTHER"]) | JSON,
        "groundingMetadata": GROUNDING | JSON,
        "citationMetadata": JSON,
        "logprobsResult": JSON,
    },
)
COUNTS = st.fixed_dictionaries(
    {"promptTokenCount": JSON}, optional=dict.fromkeys(("totalTokenCount", "promptTokensDetails", "trafficType"), JSON)
)
BODY = st.fixed_dictionaries(
    {"candidates": st.lists(CANDIDATE | JSON, max_size=2) | JSON},
    optional={
        "usageMetadata": COUNTS | JSON,
        **dict.fromkeys(("responseId", "modelVersion", "createTime", "promptFeedback", "error"), JSON),
    },
)


@given(bodies=st.lists(BODY, min_size=1, max_size=3))
def test_nothing_but_malformed_leaves_the_codec(bodies: list[dict[str, Any]]) -> None:
    decoder, encoder = dialect.new_decoder(), dialect.new_encoder(OPTIONS)
    for body in bodies:
        wire = json.dumps(body)
        with contextlib.suppress(Malformed):
            dialect.encode_reply(dialect.decode_reply(json.loads_object(wire)), OPTIONS)
            dialect.summarize(json.loads_object(wire))
        dialect.decode_error(400, wire)
        for made in decoder.feed(sse.Event("", wire)):
            encoder.feed(made)
    encoder.close()
