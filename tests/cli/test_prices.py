"""cli.prices: what is shown of prices, and when a check fails."""

from __future__ import annotations

import re
from datetime import date
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from costspan.cli import prices as work
from costspan.cli.price_commands import prices
from costspan.cli.source import Source
from costspan.cli.tables import UNKNOWN
from costspan.wire import json
from docs.pages import DOCS, section

if TYPE_CHECKING:
    from pathlib import Path

    from costspan.cli.price_book import Prices

GATEWAY = """providers:
  demo: {kind: mock}
  openai: {api_key: "${PRICES_TEST_KEY}", discount: 12%}
  local: {kind: openai-compatible, base_url: "http://127.0.0.1:1/v1", price_as: free, models: [llama]}
routes:
  smart: {targets: [openai/gpt-5, demo/unknown, local/own]}
  "gpt-*": {targets: ["openai/{model}"]}
direct_targets: false
prices:
  files: [prices.d/*.yaml]
  table:
    - {provider: openai, model: gpt-5, to: 2026-06-01, source: "read 2026-01-02", input: 2, output: 20}
    - {provider: openai, model: gpt-5, from: 2026-06-01, source: mine, input: 1.25, output: 9,
       tiers: [{above: 272000, input: 2.5}],
       service_tiers: {flex: {multiplier: 0.5}, priority: {input: 2.5, output: 20}},
       hours: [{utc: "16:30-00:30", multiplier: 0.5}], web_search: 0.01}
"""
ROWS = """- {provider: openai, model: "gpt-4o*", input: 2.5, output: 10}
- {provider: openai, model: text-embedding-3-small, source: "2026-11-01", input: 0.02, cache_read: 0.03}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "prices.d").mkdir()
    (tmp_path / "prices.d" / "a.yaml").write_text(ROWS)
    (tmp_path / "gateway.yaml").write_text(GATEWAY)
    return tmp_path / "gateway.yaml"


def run(*arguments: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(prices, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def document(*arguments: str | Path) -> dict[str, Any]:
    code, out, _ = run(*arguments, "--json")
    assert code in {0, 1}
    return json.loads_object(out)


SHOWN = """\
target                         from        to     input  cache read  output  and              price from
demo/unknown                                   no price
openai/gpt-5                   2026-06-01          1.25           -       9  web_search 0.01  gateway.yaml:13 (mine)
    above 272000: input 2.5
    flex: x 0.5
    priority: input 2.5, output 20
    16:30-00:30 UTC: x 0.5
openai/gpt-4o*                                      2.5           -      10                   a.yaml:1
openai/text-embedding-3-small                      0.02        0.03       -                   a.yaml:2 (2026-11-01)
local/own                                             0           0       0                   price_as: free
local/llama                                           0           0       0                   price_as: free
USD per million tokens; list prices, of which a provider's discount is still to be taken
openai: discount 12 %
"""


def test_the_list_shows_each_target_with_what_prices_it(config: Path) -> None:
    code, out, _ = run("list", "-c", config, "--at", "2026-11-25")

    assert (code, out.replace(UNKNOWN, "-")) == (0, SHOWN)


def test_a_program_gets_each_price_whole(config: Path) -> None:
    (found,) = document("list", "-c", config, "--model", "gpt-5", "--at", "2026-05-31")["prices"]

    assert found == {
        "target": "openai/gpt-5",
        "discount": "0.12",
        "price": {
            "provider": "openai",
            "model": "gpt-5",
            "from": None,
            "to": "2026-06-01",
            "rates": {"input": "2", "output": "20"},
            "tiers": [],
            "service_tiers": {},
            "hours": [],
            "least": {},
            "unmapped": [],
            "price_source": "table:gateway.yaml:12",
            "stated_source": "read 2026-01-02",
        },
    }


def test_the_catalog_is_listed_where_it_is_asked_for(config: Path) -> None:
    found = {
        each["target"]: each["price"] and each["price"]["price_source"]
        for each in document("list", "-c", config, "--provider", "openai", "--all", "--at", "2026-11-25")["prices"]
    }

    assert found["openai/gpt-5-mini"] == "catalog:openai/gpt-5-mini"
    assert found["openai/gpt-5"] == "table:gateway.yaml:13"
    assert found["openai/gpt-4o-mini"] == "table:a.yaml:1"


def test_a_model_that_nothing_mentions_is_looked_up(config: Path) -> None:
    code, out, _ = run("list", "-c", config, "--provider", "openai", "--model", "gpt-5-nano-2025-08-07")

    assert code == 0
    assert "catalog:openai/gpt-5-nano" in out


def test_nothing_of_a_name_is_a_failed_check(config: Path) -> None:
    code, out, err = run("list", "-c", config, "--provider", "openai", "--model", "no-such-model")

    assert (code, out) == (1, "")
    assert "nothing of that name has a price" in err
    assert document("list", "-c", config, "--provider", "nobody") == {"prices": []}


LINTED = """\
gateway.yaml:13: warning: openai/gpt-5: service tier priority: has rates but no tiers of its own: long prompts are billed like short ones
a.yaml:1: warning: openai/gpt-4o*: no source: nobody can tell where the price was read, and when
a.yaml:2: warning: openai/text-embedding-3-small: no route or listed model leads to it, and direct_targets is off
a.yaml:2: error: openai/text-embedding-3-small: cache_read 0.03 is dearer than input 0.02
4 row(s), 1 error(s), 3 warning(s)
"""  # noqa: E501 - as it is printed


def test_lint_fails_on_what_cannot_be_meant_and_tells_the_rest(config: Path) -> None:
    code, out, _ = run("lint", "-c", config)

    assert (code, out) == (1, LINTED)


def test_warnings_alone_pass_and_those_of_the_configuration_are_told_too(config: Path) -> None:
    (config.parent / "prices.d" / "a.yaml").write_text(
        '- {provider: opnai, model: "gpt-4o*", source: s, input: 2.5, output: 10}\n'
    )

    found = document("lint", "-c", config)

    assert (found["errors"], found["warnings"]) == (0, 2)
    assert found["findings"][0] == {
        "severity": "warning",
        "where": "a.yaml:1",
        "about": "",
        "reason": "table[0].provider: neither a provider of this file nor a kind: the price is not used; "
        "did you mean openai?",
    }


def test_the_table_is_held_against_the_catalog(config: Path) -> None:
    found = document("diff", "-c", config, "--model", "gpt-5", "--at", "2026-11-25")

    by_rate = {
        (each["case"], each["rate"]): (each["table"], each["catalog"], each["ratio"]) for each in found["changes"]
    }
    assert found["compared"] == 1
    assert by_rate["", "output"] == ("9", "10", "0.9")
    assert by_rate["", "cache_read"] == ("1.25", "0.125", "10")
    assert ("priority", "cache_read") not in by_rate
    assert ("", "input") not in by_rate
    assert {each["table_source"] for each in found["changes"]} == {"table:gateway.yaml:13"}
    assert {each["catalog_source"] for each in found["changes"]} == {"catalog:openai/gpt-5"}


def test_a_glob_is_held_against_each_model_that_it_prices(config: Path) -> None:
    code, out, _ = run("diff", "-c", config, "--model", "gpt-4o-mini", "--at", "2026-11-25")

    assert code == 0
    assert [line.split()[:6] for line in out.splitlines()[1:3]] == [
        ["openai/gpt-4o-mini", "input", "2.5", "0.15", "16.6667", "a.yaml:1"],
        ["openai/gpt-4o-mini", "cache_read", "2.5", "0.075", "33.3333", "a.yaml:1"],
    ]


def test_a_table_is_compared_also_where_the_catalog_is_switched_off(config: Path) -> None:
    config.write_text(GATEWAY.replace("prices:\n", "prices:\n  catalog: none\n"))

    assert document("diff", "-c", config, "--model", "gpt-5")["compared"] == 1
    assert document("list", "-c", config, "--provider", "openai", "--model", "gpt-5-nano") == {"prices": []}


AGES = """\
     price                          as of       days  by            row
old  openai/gpt-5                   2026-06-01  177   its first day  gateway.yaml:13
old  openai/gpt-4o*                 -           -     nothing says  a.yaml:1
     openai/text-embedding-3-small  2026-11-01  24    its source    a.yaml:2
     genai-prices 0.2.3             2026-11-10  15    its release   catalog
2 of 4 older than 90 days, or of unknown age
"""


@pytest.mark.parametrize(("strict", "code"), [(True, 1), (False, 0)])
def test_ages_are_told_and_checked(config: Path, *, strict: bool, code: int) -> None:
    out = StringIO()
    day = date(2026, 11, 25)

    def tell(found: Prices) -> int:
        return work.tell_age(found, out, most=90, day=day, strict=strict, as_json=False)

    assert work.run(Source(config), tell) == code
    assert [line.split() for line in out.getvalue().replace(UNKNOWN, "-").splitlines()] == [
        line.split() for line in AGES.splitlines()
    ]


def test_a_program_gets_ages_too(config: Path) -> None:
    found = document("age", "-c", config, "--max-age", "36500d")

    assert found["max_age_days"] == 36_500
    assert [(each["about"], each["over"]) for each in found["prices"]][:2] == [
        ("openai/gpt-5", False),
        ("openai/gpt-4o*", True),
    ]
    assert found["over"] == 1


def test_keys_that_are_not_here_do_not_keep_prices_from_being_read(config: Path) -> None:
    config.write_text(GATEWAY + "  on_unpriced: ${NOT_HERE_EITHER}\n")

    code, _, err = run("list", "-c", config)

    assert code == 78
    assert "PRICES_TEST_KEY" not in err
    assert "prices.on_unpriced" in err


@pytest.mark.parametrize(
    "arguments",
    [("list", "--at", "yesterday"), ("age", "--max-age", "old"), ("diff", "--at", "1"), ("list", "--nothing")],
)
def test_wrong_usage_is_told(arguments: tuple[str, ...]) -> None:
    assert run(*arguments)[0] == 2


@pytest.mark.parametrize("command", ["list", "lint", "diff", "age", "import"])
def test_each_command_shows_an_example(command: str) -> None:
    code, out, _ = run(command, "--help")

    assert code == 0
    assert f"Example: costspan prices {command}" in " ".join(out.split())


PAGE = section(DOCS / "cost.md", "prices: where they come from, and how good they are")
EXAMPLES: list[str] = re.findall(r"```text\n\$ (.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.partition("\n")[0])
def test_the_examples_of_the_manual_are_what_is_printed(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for language, name in (("yaml", "gateway.yaml"), ("json", "list.json")):
        (tmp_path / name).write_text(re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[0])
    command, _, printed = example.partition("\n")

    _, out, _ = run(*command.removeprefix("costspan prices ").split())

    assert out == printed


def test_every_command_is_in_the_manual() -> None:
    assert [name for name in ("list", "lint", "diff", "age", "import") if f"`{name}" not in PAGE] == []
