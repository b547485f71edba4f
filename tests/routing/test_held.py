"""routing.held: what of a prompt is in a target's cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from costspan.routing.asked import Asked
from costspan.routing.held import Cached, Held

if TYPE_CHECKING:
    from collections.abc import Mapping

AUTOMATIC, MARKED = "provider/automatic", "provider/marked"
SOON = 100.0


def asked(conversation: bytes = b"talk", *, chars: int = 20_000, prefix_chars: int = 8000) -> Asked:
    return Asked(chars, conversation=conversation, prefix=b"rules", prefix_chars=prefix_chars)


class Memory:
    """A cache's memory, at a time."""

    def __init__(self, limit: int = 1000) -> None:
        self.held = Held(limit)

    def answer(self, target: str, request: Asked, tokens: Mapping[str, int], at: float = 0.0) -> None:
        self.held.learn("route", target, request, tokens, at)

    def see(self, target: str, request: Asked, prompt: float, at: float = SOON) -> Cached:
        return self.held.expected("route", target, request, prompt, at)

    def knows(self, target: str) -> None:
        """Has seen that all of the last prompt comes back, in another conversation."""
        other = asked(b"other", prefix_chars=0)
        self.answer(target, other, {"input": 5000})
        self.answer(target, other, {"cache_read": 5000, "input": 500})


def test_half_is_believed_to_come_back_until_a_target_has_shown() -> None:
    memory = Memory()
    memory.answer(AUTOMATIC, asked(), {"input": 5000})

    assert memory.see(AUTOMATIC, asked(), 5500) == Cached(2500.0, 0.0, 0.0, "conversation")
    assert memory.see(AUTOMATIC, asked(b"new"), 5500) == Cached(1000.0, 0.0, 0.0, "prefix")


def test_one_answer_without_any_ends_that() -> None:
    memory = Memory()
    memory.answer(AUTOMATIC, asked(), {"input": 5000})
    memory.answer(AUTOMATIC, asked(), {"input": 5500})

    assert memory.see(AUTOMATIC, asked(), 6000) == Cached(0.0, 0.0, 0.0, "conversation")


def test_nothing_is_believed_of_prompts_that_few_caches_take() -> None:
    memory = Memory()
    memory.answer(AUTOMATIC, asked(), {"input": 1000})

    assert memory.see(AUTOMATIC, asked(), 1100).read == 0


def test_that_short_prompts_are_not_cached_says_nothing_of_long_ones() -> None:
    memory = Memory()
    for _ in range(5):
        memory.answer(AUTOMATIC, asked(b"short"), {"input": 500})
    memory.answer(AUTOMATIC, asked(b"long"), {"input": 5000})

    assert memory.see(AUTOMATIC, asked(b"short"), 500).read == 0
    assert memory.see(AUTOMATIC, asked(b"long"), 5500).read == 2500


def test_what_came_back_of_a_conversation_is_expected_of_the_next() -> None:
    memory = Memory()
    memory.answer(AUTOMATIC, asked(b"other"), {"input": 5000})
    memory.answer(AUTOMATIC, asked(b"other"), {"cache_read": 4000, "input": 2000})
    memory.answer(AUTOMATIC, asked(), {"input": 10_000})

    assert memory.see(AUTOMATIC, asked(), 11_000).read == 8000  # four fifths


def test_the_share_follows_what_is_seen() -> None:
    memory = Memory()
    memory.knows(AUTOMATIC)
    for _ in range(100):
        memory.answer(AUTOMATIC, asked(), {"input": 5000})

    assert memory.see(AUTOMATIC, asked(), 5000).read < 100


LAPSES = {"in time": (299.0, 5000.0), "too late": (301.0, 0.0)}


@pytest.mark.parametrize(("at", "read"), LAPSES.values(), ids=LAPSES.keys())
def test_a_cache_lapses_five_minutes_after_its_last_use(at: float, read: float) -> None:
    memory = Memory()
    memory.knows(AUTOMATIC)
    memory.answer(AUTOMATIC, asked(prefix_chars=0), {"input": 5000})

    assert memory.see(AUTOMATIC, asked(prefix_chars=0), 5500, at).read == read


def test_use_keeps_it() -> None:
    memory = Memory()
    memory.knows(AUTOMATIC)
    memory.answer(AUTOMATIC, asked(), {"input": 5000})
    memory.answer(AUTOMATIC, asked(), {"cache_read": 5000}, at=200.0)

    assert memory.see(AUTOMATIC, asked(), 5500, 499.0).read == 5000


def test_what_was_written_for_an_hour_is_held_for_an_hour() -> None:
    memory = Memory()
    memory.answer(MARKED, asked(), {"cache_write_1h": 5000})
    memory.answer(MARKED, asked(), {"cache_read": 5000, "cache_write": 100}, at=1000.0)

    assert memory.see(MARKED, asked(), 5500, 4599.0).read == 5100
    assert memory.see(MARKED, asked(), 5500, 4601.0).level == "nothing"


def test_what_a_target_billed_as_written_it_has() -> None:
    memory = Memory()
    memory.answer(MARKED, asked(), {"input": 1000, "cache_write": 4000})

    assert memory.see(MARKED, asked(), 5500).read == 4000


def test_of_a_target_that_bills_writes_nothing_is_held_where_nothing_was_written() -> None:
    memory = Memory()
    memory.answer(MARKED, asked(b"other"), {"cache_write": 5000})
    memory.answer(MARKED, Asked(100, conversation=b"unmarked"), {"input": 5000})

    assert memory.see(MARKED, Asked(100, conversation=b"unmarked"), 5500).read == 0


def test_a_new_conversation_finds_the_instructions_that_it_shares() -> None:
    memory = Memory()
    memory.knows(AUTOMATIC)
    memory.answer(AUTOMATIC, asked(b"one"), {"input": 12_500})

    seen = memory.see(AUTOMATIC, asked(b"two"), 12_500)

    assert seen == Cached(5000.0, 0.0, 0.0, "prefix")  # 8,000 of 20,000 characters


def test_what_long_prompts_show_is_not_believed_of_short_ones() -> None:
    memory = Memory()
    memory.knows(AUTOMATIC)
    memory.answer(AUTOMATIC, asked(b"one"), {"input": 2500})

    assert memory.see(AUTOMATIC, asked(b"two"), 2500) == Cached(0.0, 0.0, 0.0, "prefix")


def test_a_cache_is_of_its_own_target() -> None:
    memory = Memory()
    memory.knows(AUTOMATIC)
    memory.knows("provider/other")
    memory.answer(AUTOMATIC, asked(), {"input": 5000})

    assert memory.see("provider/other", asked(), 5000) == Cached(0.0, 0.0, 0.0, "nothing")


def test_short_prompts_that_no_cache_takes_say_nothing_of_long_ones() -> None:
    memory = Memory()
    memory.knows(AUTOMATIC)
    for _ in range(50):
        memory.answer(AUTOMATIC, asked(b"short", prefix_chars=0), {"input": 500})
    memory.answer(AUTOMATIC, asked(b"long"), {"input": 5000})

    assert memory.see(AUTOMATIC, asked(b"long"), 5500).read == 5000
    assert memory.see(AUTOMATIC, asked(b"short", prefix_chars=0), 600).read == 0


def test_a_switch_is_expected_to_write_what_such_requests_wrote() -> None:
    memory = Memory()
    memory.answer(MARKED, asked(b"one", prefix_chars=0), {"input": 1000, "cache_write": 3000, "cache_write_1h": 1000})

    seen = memory.see(MARKED, asked(b"two", prefix_chars=0), 10_000)

    assert seen == Cached(0.0, 6000.0, 2000.0, "nothing")


def test_the_instructions_tell_who_marks_his_prompts() -> None:
    memory = Memory()
    memory.answer(MARKED, Asked(20_000, prefix=b"marks"), {"cache_write": 5000})
    memory.answer(MARKED, Asked(20_000, prefix=b"does not"), {"input": 5000})

    assert memory.see(MARKED, Asked(20_000, prefix=b"marks"), 5000).write == 5000
    assert memory.see(MARKED, Asked(20_000, prefix=b"does not"), 5000).write == 0
    assert memory.see(MARKED, Asked(20_000, prefix=b"new"), 5000).write == 2500


def test_a_conversation_that_shrank_is_another_that_began_alike() -> None:
    memory = Memory()
    memory.knows(AUTOMATIC)
    memory.answer(AUTOMATIC, asked(), {"input": 50_000})

    assert memory.see(AUTOMATIC, asked(), 5000).level == "prefix"


def test_no_more_is_read_than_there_is() -> None:
    memory = Memory()
    memory.knows(AUTOMATIC)
    memory.answer(AUTOMATIC, asked(), {"input": 5000})

    assert memory.see(AUTOMATIC, asked(), 4800).read == 4800


def test_an_answer_without_a_prompt_teaches_nothing() -> None:
    memory = Memory()
    memory.answer(AUTOMATIC, asked(), {})

    assert memory.see(AUTOMATIC, asked(), 5000).level == "nothing"


def test_the_least_used_conversations_are_forgotten() -> None:
    memory = Memory(limit=10)
    memory.knows(AUTOMATIC)
    for number in range(20):
        memory.answer(AUTOMATIC, asked(b"%d" % number, prefix_chars=0), {"input": 5000})

    levels = [memory.see(AUTOMATIC, asked(b"%d" % number, prefix_chars=0), 5000).level for number in range(20)]

    assert levels == ["nothing"] * 10 + ["conversation"] * 10
