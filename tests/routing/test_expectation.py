"""routing.expectation: the usage that a request is expected to have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.ir.usage import BUCKETS, INPUT_BUCKETS, Usage
from costspan.routing.asked import Asked
from costspan.routing.expectation import Expectations, Expected

if TYPE_CHECKING:
    from collections.abc import Mapping

TARGET = "provider/model"
PLAIN = Asked(4000)


def after(*reports: Mapping[str, int], asked: Asked = PLAIN) -> Expectations:
    learned = Expectations()
    for report in reports:
        learned.learn("route", TARGET, asked, report, 0.0)
    return learned


def see(learned: Expectations, asked: Asked = PLAIN, target: str = TARGET) -> Expected:
    return learned.usage("route", target, asked, 0.0)


def test_nothing_known_is_a_token_for_four_characters_and_a_default_answer() -> None:
    expected = see(Expectations())

    assert expected.tokens == {"input": 1000, "output": 421}
    assert (expected.prompt, expected.output, expected.cached) == (1000, 421, 0)
    assert expected.basis == (512, 0.0, 1.0, "nothing")


def test_the_prompt_is_corrected_by_what_the_target_counts() -> None:
    learned = after(*[{"input": 1300, "output": 10}] * 50)

    assert see(learned).prompt == pytest.approx(1300, rel=0.01)
    assert see(learned, Asked(40_000)).prompt == pytest.approx(13_000, rel=0.01)
    assert see(learned, target="provider/other").prompt == 1000


def test_what_was_cached_counts_to_the_prompt() -> None:
    learned = after(*[{"input": 100, "cache_read": 900, "cache_write": 300, "output": 10}] * 50)

    assert see(learned).prompt == pytest.approx(1300, rel=0.01)


RATIOS = {"far too many": (1_000_000, 5.0), "far too few": (1, 0.2)}


@pytest.mark.parametrize(("reported", "ratio"), RATIOS.values(), ids=RATIOS.keys())
def test_no_ratio_is_beyond_belief(reported: int, ratio: float) -> None:
    learned = after(*[{"input": reported, "output": 10}] * 500)

    assert see(learned).basis.ratio == pytest.approx(ratio, rel=0.01)


def test_one_odd_prompt_moves_the_ratio_little() -> None:
    learned = after(*[{"input": 1000, "output": 10}] * 50, {"input": 20_000, "output": 10})

    assert see(learned).basis.ratio < 1.05


def test_short_prompts_which_are_mostly_wrapping_hardly_count() -> None:
    learned = after(*[{"input": 1000, "output": 10}] * 5)
    for _ in range(5):
        learned.learn("route", TARGET, Asked(20), {"input": 25, "output": 10}, 0.0)

    assert see(learned).basis.ratio < 1.1


def test_images_count_as_the_target_counts_them() -> None:
    with_images = replace(PLAIN, media=2)
    learned = after({"input": 1000, "output": 10})
    before = see(learned, with_images).prompt
    learned.learn("route", TARGET, with_images, {"input": 1516, "output": 10}, 0.0)

    assert before == 3000
    assert see(learned, with_images).prompt == 1516
    assert see(learned).basis.ratio == 1.0


def test_audio_is_expected_in_its_own_bucket() -> None:
    spoken = Asked(400, media=1)
    learned = after({"input": 100, "input_audio": 300, "output": 50}, asked=spoken)

    expected = see(learned, spoken)

    assert (expected.tokens["input"], expected.tokens["input_audio"]) == (100, 300)
    assert "input_audio" not in see(learned).tokens


def test_the_answer_is_expected_in_the_buckets_that_it_had() -> None:
    learned = after(*[{"input": 1000, "output": 100, "output_image": 900, "reasoning": 500}] * 50)

    expected = see(learned)

    assert expected.tokens["output_image"] == pytest.approx(900, rel=0.05)
    assert expected.tokens["output"] == pytest.approx(100, rel=0.05)
    assert expected.tokens["reasoning"] == pytest.approx(500, rel=0.05)
    assert expected.output == pytest.approx(1500, rel=0.05)


def test_a_bucket_that_came_up_once_fades() -> None:
    learned = after({"input": 1000, "output_image": 900}, *[{"input": 1000, "output": 900}] * 100)

    assert see(learned).tokens.get("output_image", 0) < 50


def test_choices_are_learned_each_and_expected_together() -> None:
    three = replace(PLAIN, n=3)
    learned = after(*[{"input": 1000, "output": 300, "reasoning": 60}] * 50, asked=three)

    assert see(learned, three).output == pytest.approx(360, rel=0.05)
    assert see(learned).output == pytest.approx(120, rel=0.05)


def test_a_conversation_is_expected_from_the_cache() -> None:
    talk = Asked(20_000, conversation=b"talk")
    learned = after({"cache_write": 4000, "input": 1000, "output": 10}, {"cache_read": 4000, "input": 1000}, asked=talk)

    expected = see(learned, talk)

    assert (expected.tokens["cache_read"], expected.cached) == (4000, 4000)
    assert expected.basis.cache == "conversation"


def test_an_hours_cache_is_expected_to_be_written_as_such() -> None:
    learned = after({"cache_write_1h": 5000, "output": 10}, asked=Asked(20_000))

    assert see(learned, Asked(20_000)).tokens["cache_write_1h"] == 5000


def test_a_report_that_says_nothing_teaches_nothing() -> None:
    learned = after({}, {"input": 0, "output": 0}, {"input": -5, "output": -1})

    assert see(learned) == see(Expectations())


COUNTS = st.dictionaries(st.sampled_from(BUCKETS), st.integers(-1, 10**7))
REQUESTS = st.builds(
    Asked,
    st.integers(0, 10**7),
    st.integers(0, 20),
    st.none() | st.integers(0, 10**6),
    st.booleans(),
    st.booleans(),
    st.integers(1, 8),
    st.sampled_from([None, b"a", b"b"]),
    st.sampled_from([None, b"c", b"d"]),
    st.integers(0, 10**5),
)


@given(st.lists(st.tuples(REQUESTS, COUNTS, st.floats(0, 10_000)), max_size=20), REQUESTS)
def test_whatever_was_reported_an_expectation_is_a_usage(
    reports: list[tuple[Asked, dict[str, int], float]], asked: Asked
) -> None:
    learned = Expectations()
    for request, report, at in reports:
        learned.learn("route", TARGET, request, report, at)

    expected = learned.usage("route", TARGET, asked, 10_000.0)

    assert all(count >= 0 for count in expected.tokens.values())
    usage = Usage(tokens=expected.tokens)
    assert usage.prompt_tokens == expected.prompt
    assert usage.completion_tokens == expected.output
    assert expected.tokens.keys() <= {*INPUT_BUCKETS, "output", "reasoning", "output_audio", "output_image"}
    if asked.max_output_tokens is not None:
        assert expected.output <= (asked.max_output_tokens + 1) * asked.n
