"""cli.price_import: from somebody else's list to a price file that the gateway reads."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from costspan import snapshot as snapshots
from costspan.cli import price_import
from costspan.cli.price_commands import prices
from costspan.config.load import load
from costspan.ir.usage import Usage
from costspan.pricing.cost import cost
from costspan.wire import json

if TYPE_CHECKING:
    from pathlib import Path

LITELLM = """{
"sample_spec": {"litellm_provider": "one of", "input_cost_per_token": 0.0},
"gpt-5": {"litellm_provider": "openai", "mode": "chat", "source": "https://example.com/prices",
  "input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1.25e-07,
  "input_cost_per_token_above_272k_tokens": 2.5e-06, "output_cost_per_token_above_272k_tokens": 1.5e-05,
  "input_cost_per_token_flex": 6.25e-07, "output_cost_per_token_flex": 5e-06,
  "input_cost_per_token_priority": 2.5e-06, "output_cost_per_token_priority": 2e-05,
  "input_cost_per_token_above_272k_tokens_priority": 5e-06, "input_cost_per_image": 0.1,
  "off_peak_pricing": {"hours_utc": "16:30-00:30", "input_cost_per_token": 1.2345678901234567e-06}},
"gold": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 0.5},
"azure/eu/gpt-5": {"litellm_provider": "azure", "mode": "chat", "input_cost_per_token": 1e-06},
"other/m": {"litellm_provider": "other", "mode": "chat", "input_cost_per_token": 1e-06}
}"""
OPENROUTER = '{"data": [{"id": "maker/model", "pricing": {"prompt": "0.000001", "completion": "0.000002"}}]}'
MODELS_DEV = '{"xai": {"models": {"grok-5": {"cost": {"input": 2, "output": 10}}}}}'

ROWS = """\
# Written by costspan prices import from a list of LiteLLM, of 2026-11-20. USD per million tokens, fees
# for one. Somebody else's facts: hold them against the provider's own page, then costspan prices lint.
- provider: "openai"
  model: "gpt-5"
  from: "2026-12-01"
  source: "LiteLLM: gpt-5, https://example.com/prices, list of 2026-11-20"
  input: 1.25
  cache_read: 0.125
  output: 10
  tiers:
    - {above: 272000, input: 2.5, output: 15}
  service_tiers:
    "flex": {input: 0.625, output: 5}
    "priority": {input: 2.5, output: 20, tiers: [{above: 272000, input: 5}]}
    "fast": {input: 2.5, output: 20, tiers: [{above: 272000, input: 5}]}
  hours:
    - {utc: "16:30-00:30", input: 1.2345678901234567}
  # not in this row: input_cost_per_image
"""
TOLD = """\
1 row(s), 2 skipped
skipped 1 (its name says a region, a size or a commitment, which no request's model does): azure/eu/gpt-5
skipped 1 (input: more than 1000 USD per million tokens: prices here are per million, not per token or per thousand in \
a smaller currency): gold
not in 1 row(s): input_cost_per_image
not read, of providers that are no kind here (--provider takes one): other (1)
"""


def run(*arguments: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(prices, ["import", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    (tmp_path / "list.json").write_text(LITELLM)
    return tmp_path / "list.json"


def test_rows_are_printed_and_the_rest_is_told(listed: Path) -> None:
    assert run(listed, "--as-of", "2026-11-20", "--from", "2026-12-01") == (0, ROWS, TOLD)


def test_what_is_written_is_read_and_billed(listed: Path, tmp_path: Path) -> None:
    assert run(listed, "--as-of", "2026-11-20", "--write", tmp_path / "prices.d" / "x.yaml")[0] == 0
    (tmp_path / "gateway.yaml").write_text(
        'providers: {openai: {api_key: k, base_url: "http://127.0.0.1:1/v1"}}\n'
        "prices: {catalog: none, files: [prices.d/*.yaml]}\n"
    )
    built = snapshots.build(load(tmp_path / "gateway.yaml", {}), generation=1, catalog=None)
    noon = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
    price = built.book.find("openai", "openai", "gpt-5", at=noon)
    assert price is not None

    long = Usage({"input": 272_000, "cache_read": 1, "output": 1000}, service_tier="priority")
    short = Usage({"input": 1000, "output": 1000})
    costs = [
        cost(usage, price, at=at).total for usage, at in ((long, noon), (short, noon), (short, noon.replace(hour=0)))
    ]

    assert built.warnings == ()
    assert price.source == "table:x.yaml:3"
    # 272000 x 5 + 1 x 0.125 + 1000 x 20, 1000 x 1.25 + 1000 x 10, 1000 x 1.2345678901234567 + 1000 x 10, per million
    assert costs == [Decimal("1.380000125"), Decimal("0.01125"), Decimal("0.0112345678901234567")]


@pytest.mark.parametrize(
    ("text", "form", "row"),
    [
        (OPENROUTER, "openrouter", "openrouter/maker/model"),
        (MODELS_DEV, "models-dev", "xai/grok-5"),
        (LITELLM, "litellm", "openai/gpt-5"),
    ],
)
@pytest.mark.parametrize("said", [True, False])
def test_each_format_is_read_named_or_not(tmp_path: Path, text: str, form: str, row: str, *, said: bool) -> None:
    (tmp_path / "list.json").write_text(text)

    code, out, _ = run(tmp_path / "list.json", "--json", *(["--format", form] if said else []))

    assert code == 0
    assert [f"{each['provider']}/{each['model']}" for each in json.loads_object(out)["rows"]] == [row]


def test_a_program_gets_what_became_of_each_entry(listed: Path) -> None:
    found = json.loads_object(run(listed, "--json", "--as-of", "2026-11-20")[1])

    assert found["rows"][0]["input"] == "1.25"
    assert found["rows"][0]["hours"] == [{"utc": "16:30-00:30", "input": "1.2345678901234567"}]
    assert found["rows"][0]["not_in_this_row"] == ["input_cost_per_image"]
    assert [each["name"] for each in found["skipped"]] == ["azure/eu/gpt-5", "gold"]
    assert found["other_providers"] == {"other": 1}


def test_a_list_is_of_the_day_of_its_file_where_nobody_says_otherwise(listed: Path) -> None:
    moment = datetime(2026, 3, 4, 23, 59, tzinfo=UTC).timestamp()
    os.utime(listed, (moment, moment))

    assert "list of 2026-03-04" in run(listed)[1]


def test_one_provider_may_be_asked_for(listed: Path) -> None:
    code, out, _ = run(listed, "--provider", "other", "--json")

    assert code == 0
    assert [(each["provider"], each["model"]) for each in json.loads_object(out)["rows"]] == [("other", "m")]


def test_a_file_is_replaced_only_by_force(listed: Path, tmp_path: Path) -> None:
    target = tmp_path / "x.yaml"
    target.write_text("mine")

    assert run(listed, "-w", target) == (1, "", f"costspan prices import: {target} exists; --force replaces it\n")
    assert target.read_text() == "mine"
    assert run(listed, "-w", target, "--force")[0] == 0
    assert target.read_text().startswith("# Written by costspan")


REFUSED: dict[str, tuple[str, str]] = {
    "no JSON": ("{", "cannot be read as a price list: not valid JSON at character 1"),
    "another form": ('{"a": 1}', "of none of the formats litellm, openrouter, models-dev; say which with --format"),
    "no price": ('{"m": {"litellm_provider": "openai"}}', "no row came of it"),
    "no number": ('{"m": {"litellm_provider": "openai", "input_cost_per_token": NaN}}', "not valid JSON"),
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_list_that_gives_nothing_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "list.json").write_text(text)

    code, out, err = run(tmp_path / "list.json")

    assert (code, out) == (1, "")
    assert reason in err


def test_a_list_of_another_form_than_said_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[]")

    assert run(tmp_path / "list.json", "--format", "litellm")[2] == (
        "costspan prices import: cannot be read as a price list: the top level must be a JSON object\n"
    )


def test_a_file_that_is_not_there_or_too_big_or_no_text_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    big, binary = tmp_path / "big.json", tmp_path / "binary.json"
    big.write_text(LITELLM)
    binary.write_bytes(b"\xff")
    monkeypatch.setattr(price_import, "MAX_BYTES", 100)

    told = [run(path)[2] for path in (tmp_path / "none.json", big, binary)]

    assert [each.partition("price list: ")[2] for each in told] == [
        "No such file or directory\n",
        "more than 100 bytes\n",
        "not UTF-8\n",
    ]


def test_a_name_cannot_steer_a_terminal_or_leave_its_row(tmp_path: Path) -> None:
    entry = '"litellm_provider": "openai", "input_cost_per_token": 1e-06'
    (tmp_path / "list.json").write_text(
        f'{{"good\\": {{}}": {{{entry}, "source": "${{HOME}}"}}, "bad\\u001b[2J": {{{entry}}}, "a\\nb": {{{entry}}}}}'
    )

    code, out, err = run(tmp_path / "list.json", "--as-of", "2026-11-20")

    assert code == 0
    assert 'model: "good\\": {}"' in out
    assert 'source: "LiteLLM: good\\": {}, list of 2026-11-20"' in out
    assert "\x1b" not in out + err
    assert "1 row(s), 2 skipped" in err


def test_half_of_a_character_is_no_trouble(tmp_path: Path) -> None:
    entry = '"litellm_provider": "openai", "input_cost_per_token": 1e-06, "a_cost_\\ud800": 1'
    (tmp_path / "list.json").write_text(
        f'{{"m": {{{entry}}}, "\\ud800": {{{entry}}}, "n": {{"litellm_provider": "\\ud800"}}}}'
    )

    code, out, _ = run(tmp_path / "list.json", "--json")

    assert code == 0
    assert json.loads_object(out)["rows"][0]["not_in_this_row"] == ["a_cost_\N{REPLACEMENT CHARACTER}"]
