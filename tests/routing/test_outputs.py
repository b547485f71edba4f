"""routing.outputs: how much a target will write."""

from __future__ import annotations

from dataclasses import replace

import pytest

from costspan.routing.asked import Asked
from costspan.routing.outputs import Output, Outputs

TERSE, WORDY, NEW = "provider/terse", "provider/wordy", "provider/new"
LETTER = Asked(600, prefix=b"letters")
DIGEST = Asked(40_000, prefix=b"digests")


class Learned:
    """What answers have taught."""

    def __init__(self, limit: int = 100) -> None:
        self.outputs = Outputs(limit)

    def answers(self, target: str, asked: Asked, said: float, thought: float = 0.0, *, times: int = 1) -> None:
        for _ in range(times):
            self.outputs.learn("route", target, asked, said=said, thought=thought, now=0.0)

    def expect(self, target: str, asked: Asked, *, route: str = "route", now: float = 0.0) -> Output:
        return self.outputs.expected(route, target, asked, now)


def test_nothing_known_is_512_tokens() -> None:
    expected = Learned().expect(NEW, LETTER)

    assert (expected.thought, expected.likely, expected.answers) == (0.0, 512.0, 0.0)
    assert expected.said == pytest.approx(421.3, abs=0.1)


def test_a_limit_below_that_is_the_expectation() -> None:
    assert Learned().expect(NEW, replace(LETTER, max_output_tokens=100)).likely == 100


def test_what_a_target_wrote_for_such_requests_is_expected_again() -> None:
    learned = Learned()
    learned.answers(TERSE, LETTER, 900, 100, times=50)

    expected = learned.expect(TERSE, LETTER)

    assert expected.said == pytest.approx(900, rel=0.02)
    assert expected.thought == pytest.approx(100, rel=0.02)
    assert expected.answers == 50


def test_kinds_of_requests_are_told_apart() -> None:
    learned = Learned()
    learned.answers(TERSE, LETTER, 900, times=20)
    learned.answers(TERSE, DIGEST, 100, times=20)

    assert learned.expect(TERSE, LETTER).likely == pytest.approx(900, rel=0.05)
    assert learned.expect(TERSE, DIGEST).likely == pytest.approx(100, rel=0.05)


FORMS = {
    "tools": Asked(600, tools=True),
    "a schema": Asked(600, json_schema=True),
    "media": Asked(600, media=1),
    "a limit": Asked(600, max_output_tokens=5000),
    "a size": Asked(60_000),
    "instructions": Asked(600, prefix=b"others"),
}


@pytest.mark.parametrize("other", FORMS.values(), ids=FORMS.keys())
def test_each_thing_that_shows_tells_kinds_apart(other: Asked) -> None:
    plain = Asked(600)
    learned = Learned()
    learned.answers(TERSE, plain, 900, times=20)
    learned.answers(TERSE, other, 100, times=20)

    assert learned.expect(TERSE, plain).likely > 700
    assert learned.expect(TERSE, other).likely < 150


def test_a_kind_not_seen_yet_is_as_its_route() -> None:
    learned = Learned()
    learned.answers(TERSE, LETTER, 900, times=50)

    assert learned.expect(TERSE, DIGEST).likely == pytest.approx(900, rel=0.05)
    assert learned.expect(TERSE, DIGEST, route="other").likely == pytest.approx(512, rel=0.05)


def test_a_targets_character_shows_in_kinds_that_it_has_not_answered() -> None:
    learned = Learned()
    for _ in range(20):
        learned.answers(TERSE, LETTER, 500, 100)
        learned.answers(WORDY, LETTER, 1000, 800)
    learned.answers(TERSE, DIGEST, 100, 50, times=20)

    expected = learned.expect(WORDY, DIGEST)

    assert expected.answers == 0
    assert expected.likely == pytest.approx(100 * 2 + 50 * 8, rel=0.15)


def test_one_comparison_holds_for_all_that_a_target_has_answered() -> None:
    learned = Learned()
    learned.answers(WORDY, LETTER, 500, 4000, times=10)
    learned.answers(TERSE, DIGEST, 500, 100, times=10)  # a light task or a light thinker: nobody can tell
    before = learned.expect(WORDY, DIGEST)
    learned.answers(TERSE, LETTER, 500, 1000, times=5)

    after = learned.expect(WORDY, DIGEST)

    assert before.likely == pytest.approx(630, rel=0.05)
    assert after.likely == pytest.approx(895, rel=0.05)  # four times as much thought


def test_a_target_is_in_no_doubt_against_itself() -> None:
    learned = Learned()
    learned.answers(WORDY, LETTER, 500, 4000, times=10)

    own, other = learned.expect(WORDY, DIGEST), learned.expect(NEW, DIGEST)

    assert own.likely == pytest.approx(other.likely, rel=0.01)
    assert own.thought == pytest.approx(3495, rel=0.01)  # of 4,000, for another kind may be another matter
    assert other.thought < 400


def test_of_each_kind_as_many_thinkers_are_kept_as_a_plan_has() -> None:
    learned = Learned()
    for number in range(100):
        learned.answers(f"provider/{number}", LETTER, 500, 1000)

    assert {len(needs.thinkers()) for needs in learned.outputs._needs.values()} == {32}


def test_a_target_that_was_compared_often_is_hardly_hoped_to_be_better_at_a_new_kind() -> None:
    learned = Learned()
    for _ in range(10):
        learned.answers(WORDY, LETTER, 500, 4000)
        learned.answers(TERSE, LETTER, 500, 1000)
    learned.answers(WORDY, DIGEST, 500, 2000, times=5)

    compared, new = learned.expect(TERSE, DIGEST), learned.expect(NEW, DIGEST)

    assert compared.thought / (compared.likely - 500) == pytest.approx(0.83, abs=0.03)
    assert new.thought / (new.likely - 500) == pytest.approx(0.09, abs=0.01)


def test_what_does_not_think_is_not_expected_to() -> None:
    learned = Learned()
    for _ in range(10):
        learned.answers(TERSE, LETTER, 500)
        learned.answers(WORDY, LETTER, 500, 2000)
    learned.answers(WORDY, DIGEST, 100, 4000, times=5)

    assert learned.expect(TERSE, DIGEST).likely < 200
    assert learned.expect(WORDY, DIGEST).likely > 4000


def test_what_has_not_answered_is_believed_to_be_better_until_it_has() -> None:
    learned = Learned()
    learned.answers(WORDY, LETTER, 500, 4000, times=20)

    before = learned.expect(NEW, LETTER)
    learned.answers(NEW, LETTER, 500, 4000)
    after = learned.expect(NEW, LETTER)

    assert before.said + before.thought == pytest.approx(785, rel=0.05)
    assert before.likely == pytest.approx(4500, rel=0.05)
    assert after.said + after.thought == pytest.approx(after.likely, rel=0.25)
    assert after.likely == pytest.approx(4500, rel=0.05)


def test_one_unlucky_answer_of_a_known_target_is_not_the_last_word() -> None:
    learned = Learned()
    for _ in range(20):
        learned.answers(TERSE, LETTER, 500)
        learned.answers(WORDY, LETTER, 500)
    learned.answers(WORDY, DIGEST, 100, times=20)
    learned.answers(TERSE, DIGEST, 400)

    assert learned.expect(TERSE, DIGEST).likely < 200


def test_a_limit_holds_for_words_and_thought_together() -> None:
    learned = Learned()
    learned.answers(WORDY, LETTER, 900, 3000, times=20)
    request = replace(LETTER, max_output_tokens=3500)

    expected = learned.expect(WORDY, request)

    assert expected.said + expected.thought <= 3500
    assert expected.likely == 3500


def test_of_words_only_what_thought_leaves_is_expected() -> None:
    learned = Learned()
    for _ in range(20):
        learned.answers(WORDY, LETTER, 100, 1000)
        learned.answers(WORDY, LETTER, 900, 1000)

    expected = learned.expect(WORDY, replace(LETTER, max_output_tokens=1500))

    assert expected.likely == pytest.approx(1300, rel=0.05)  # of words: 100 or, cut off, 500


def test_thought_alone_may_use_a_limit_up() -> None:
    learned = Learned()
    learned.answers(WORDY, LETTER, 900, 3000, times=20)

    expected = learned.expect(WORDY, replace(LETTER, max_output_tokens=1000))

    assert expected.said + expected.thought == pytest.approx(1000, rel=0.01)


def test_what_is_known_of_a_target_is_worth_half_after_a_day() -> None:
    learned = Learned()
    for _ in range(20):
        learned.answers(TERSE, LETTER, 500)
        learned.answers(WORDY, LETTER, 500, 4000)
    learned.answers(WORDY, DIGEST, 100, 4000, times=20)

    now, later = learned.expect(TERSE, DIGEST), learned.expect(TERSE, DIGEST, now=30 * 86_400.0)

    assert now.likely < 200
    assert later.likely > 2000


def test_an_answer_without_a_word_does_no_harm() -> None:
    learned = Learned()
    learned.answers(TERSE, LETTER, 0, times=3)

    assert 0 < learned.expect(TERSE, LETTER).likely < 300


def test_kinds_are_bounded() -> None:
    learned = Learned(limit=10)
    for number in range(1000):
        learned.answers(TERSE, Asked(600, prefix=b"%d" % number), 500)

    assert len(learned.outputs._needs) == 10
