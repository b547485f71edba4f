"""Whatever a client or an upstream sends, only our own errors come out."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costspan.dialects import openai_responses as dialect
from costspan.dialects.types import StreamOptions
from costspan.errors import ClientError, Malformed
from costspan.ir.fold import fold
from costspan.wire import json, sse
from dialects.openai_responses.samples import REQUEST

if TYPE_CHECKING:
    from collections.abc import Iterator

quick = settings(max_examples=40, deadline=None, database=None)
OPTIONS = StreamOptions("cs_1", "m", 0)
NAMES = """
    action annotation annotations arguments call_id code content content_index conversation created_at delta detail
    effort encrypted_content error file_data file_id file_url format id image_url incomplete_details input
    input_audio input_tokens input_tokens_details instructions item item_id logprobs message model name output
    output_index output_tokens parameters part phase previous_response_id prompt prompt_cache_breakpoint reason
    reasoning refusal response role schema status strict summary summary_index text tool_choice tool_usage tools
    total_tokens type url usage web_search
""".split()  # noqa: SIM905 - a paragraph of names reads better than a page
WORDS = """
    allowed_tools assistant auto completed developer function function_call function_call_output image_generation_call
    incomplete input_audio input_file input_image input_text item_reference json_schema message output_text reasoning
    refusal required response.completed response.content_part.done response.created response.failed response.incomplete
    response.function_call_arguments.delta response.output_item.added response.output_item.done
    response.output_text.annotation.added response.output_text.delta response.reasoning_summary_text.delta
    response.reasoning_text.delta response.refusal.delta system url_citation user web_search_call
""".split()  # noqa: SIM905 - likewise

scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.sampled_from(WORDS) | st.text(max_size=3)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from(NAMES), values, max_size=6)
events_ = st.lists(objects.map(lambda value: value | {"type": value.get("type", "response.completed")}), max_size=6)


@quick
@given(objects)
def test_a_client_s_request_is_read_or_refused(body: dict[str, Any]) -> None:
    with suppress(ClientError):
        dialect.peek({"model": "m"} | body)
    with suppress(ClientError, Malformed):
        dialect.encode_request(dialect.decode_request({"model": "m"} | body))


@quick
@given(objects)
def test_an_upstream_s_answer_is_read_or_malformed(body: dict[str, Any]) -> None:
    with suppress(Malformed):
        dialect.summarize(body)
    with suppress(Malformed):
        dialect.encode_reply(dialect.decode_reply({"output": []} | body), OPTIONS)


@quick
@given(events_)
def test_a_stream_is_read_and_written_whatever_it_holds(found: list[dict[str, Any]]) -> None:
    decoder, encoder = dialect.new_decoder(), dialect.new_encoder(OPTIONS)
    for value in found:
        with suppress(Malformed):
            data = json.dumps(value)
            for event in decoder.feed(sse.Event("", data)):
                encoder.feed(event)
    told = list(sse.Parser().feed(encoder.close()))

    assert json.loads_object(told[-1].data)["response"]["output"] is not None


@quick
@given(events_)
def test_what_is_read_of_a_stream_adds_up(found: list[dict[str, Any]]) -> None:
    decoder = dialect.new_decoder()
    read = []
    for value in found:
        with suppress(Malformed):
            read += list(decoder.feed(sse.Event("", json.dumps(value))))

    assert len(fold(read).choices) <= 1


@quick
@given(st.binary(max_size=20))
def test_bytes_that_are_no_json_are_malformed(data: bytes) -> None:
    decoder = dialect.new_decoder()
    with suppress(Malformed):
        list(decoder.feed(sse.Event("", data)))
    dialect.decode_error(500, data)


ODD: list[Any] = [None, True, 3, -1.5, "x", "", [], [[]], [None], {}, {"a": []}, {"type": []}]
GOLDEN = Path(__file__).parents[1] / "golden" / "answer_only_openai_responses"
ANSWER = json.loads_object((GOLDEN / "openai-responses.reply.json").read_bytes())
STREAM = [
    json.loads_object(raw.data) for raw in sse.Parser().feed((GOLDEN / "openai-responses.stream.txt").read_bytes())
]


def spoiled(value: Any, odd: Any) -> Iterator[Any]:
    """`value` with `odd` in the place of one thing in it, for every place."""
    yield odd
    if isinstance(value, dict):
        for name in value:
            yield from ({**value, name: inner} for inner in spoiled(value[name], odd))
    elif isinstance(value, list):
        for place in range(len(value)):
            yield from ([*value[:place], inner, *value[place + 1 :]] for inner in spoiled(value[place], odd))


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_request_with_one_odd_value_is_read_or_refused_by_name(odd: Any) -> None:
    for body in spoiled(REQUEST, odd):
        if not isinstance(body, dict):
            continue
        try:
            dialect.peek(body)
            dialect.encode_request(dialect.decode_request(body))
        except ClientError as error:
            assert error.param  # noqa: PT017 - any of a thousand may or may not be raised


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_an_answer_with_one_odd_value_is_read_or_malformed(odd: Any) -> None:
    for body in spoiled(ANSWER, odd):
        if isinstance(body, dict):
            with suppress(Malformed):
                dialect.encode_reply(dialect.decode_reply(body), OPTIONS)


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_stream_with_one_odd_value_does_not_break(odd: Any) -> None:
    for place, event in enumerate(STREAM):
        for value in spoiled(event, odd):
            decoder, encoder = dialect.new_decoder(), dialect.new_encoder(OPTIONS)
            for told in (*STREAM[:place], value, *STREAM[place + 1 :]):
                for made in decoder.feed(sse.Event("", json.dumps(told))):
                    encoder.feed(made)
            encoder.close()
