"""billing.reconcile_names: one model under many names, and different ones that stay apart."""

from __future__ import annotations

import pytest

from costspan.billing.reconcile_names import Identity, align, family

SPELLINGS = {
    "claude sonnet 4.5": (
        "claude-sonnet-4-5",
        "claude-sonnet-4-5-20250929",
        "claude-sonnet-4-5@20250929",
        "Claude Sonnet 4.5",
        "Claude4.5Sonnet",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "anthropic/claude-sonnet-4.5",
    ),
    "claude sonnet 3.5": ("claude-3-5-sonnet-20241022", "Claude 3.5 Sonnet 2024-10-22", "Claude3.5Sonnet"),
    "claude sonnet 3": ("claude-3-sonnet-20240229", "anthropic.claude-3-sonnet-20240229-v1:0"),
    "4o gpt": ("gpt-4o", "gpt-4o-2024-08-06", "openai/gpt-4o:free"),
    "4o gpt mini": ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
    "gpt 4.1": ("gpt-4.1", "openai/gpt-4.1-2025-04-14"),
    "gpt turbo 3.5": ("gpt-3.5-turbo", "gpt-3.5-turbo-0125"),
    "4o ft gpt": ("ft:gpt-4o-2024-08-06:acme::9", "ft-gpt-4o-2024-08-06"),
    "flash gemini 2.5": ("gemini 2.5 flash", "models/gemini-2.5-flash", "gemini-2.5-flash-preview-09-2025"),
    "flash gemini 2": ("gemini 2.0 flash", "gemini-2.0-flash-001"),
    "flash gemini lite 2.5": ("gemini 2.5 flash lite", "gemini-2.5-flash-lite"),
    "lite nova 2": ("Nova2.0Lite", "amazon.nova-2-lite-v1:0"),
    "nova pro": ("NovaPro", "amazon.nova-pro-v1:0"),
    "120b gpt oss": ("openai.gpt-oss-120b", "openai.gpt-oss-120b-1:0"),
}


@pytest.mark.parametrize(("name", "key"), [(name, key) for key, names in SPELLINGS.items() for name in names], ids=str)
def test_spellings_and_snapshots_are_one_family(name: str, key: str) -> None:
    assert family(name) == key


def own(*pairs: tuple[str | None, str | None]) -> list[Identity]:
    return [Identity(*pair) for pair in pairs]


def test_the_served_name_counts_before_the_requested_one() -> None:
    asked = Identity("gpt-4o", "gpt-4o-2024-08-06")

    assert align({"gpt-4o-2024-08-06": True, "gpt-4o": True}, [asked]).own[asked] == "gpt-4o-2024-08-06"


def test_snapshots_that_both_sides_tell_apart_stay_apart() -> None:
    names = align(
        {"gpt-4o-2024-05-13": True, "gpt-4o-2024-08-06": True},
        own(("gpt-4o", "gpt-4o-2024-05-13"), ("gpt-4o", "GPT-4o-2024-08-06")),
    )

    assert list(names.own.values()) == ["gpt-4o-2024-08-06", "gpt-4o-2024-05-13"]


def test_an_alias_that_may_be_any_of_several_snapshots_makes_them_one() -> None:
    alias = Identity("gpt-4o", None)
    names = align({"gpt-4o-2024-05-13": True, "gpt-4o-2024-08-06": True}, [alias])

    assert set(names.billed.values()) == {"gpt-4o"}
    assert names.own[alias] == "gpt-4o"


def test_an_alias_with_one_snapshot_is_that_one() -> None:
    alias = Identity("gpt-4o", None)

    assert align({"gpt-4o-2024-08-06": True}, [alias]).own[alias] == "gpt-4o-2024-08-06"


def test_usage_under_an_id_and_amounts_under_a_title_are_one_model() -> None:
    names = align({"claude-sonnet-4-5-20250929": False, "Claude Sonnet 4.5": False}, [])

    assert set(names.billed.values()) == {"claude-sonnet-4-5-20250929"}


def test_what_is_on_no_bill_keeps_its_name() -> None:
    stranger, nameless = own(("gpt-5", "gpt-5-2025-08-07"), (None, None))
    names = align({"gpt-4o": True}, [stranger, nameless])

    assert names.own == {stranger: "gpt-5-2025-08-07", nameless: ""}
