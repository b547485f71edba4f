"""costspan.snapshot: what only shows when the parts of a configuration are seen together."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from costspan import snapshot as snapshots
from costspan.config.load import load
from costspan.pricing.catalog import Catalog
from costspan.routing.budget import Budget
from costspan.routing.limits import Limits

if TYPE_CHECKING:
    from pathlib import Path

CATALOG = Catalog(
    {
        "version": "test",
        "aliases": {},
        "providers": {
            "groq": {"fallback": [], "models": [["compound", ["equals", "groq/compound"], [[None, {}]], []]]},
            "mistral": {"fallback": [], "models": [["small", ["equals", "small"], [[None, {}]], []]]},
        },
    }
)
PROVIDERS = """providers:
  openai: {api_key: "${KEY}"}
  mine: {kind: groq, api_key: "${KEY}"}
  groq: {api_key: "${KEY}", models: [groq/listed]}
  local: {kind: openai-compatible, base_url: "http://127.0.0.1:1/v1", price_as: PRICE_AS}
routes: {a: local/local/named}
"""


def warnings(folder: Path, text: str) -> list[str]:
    path = folder / "gateway.yaml"
    path.write_text(text)
    built = snapshots.build(load(path, {"KEY": "a-key"}), generation=1, catalog=CATALOG)
    return [warning.removeprefix(f"{folder}/") for warning in built.warnings]


OWNERS: dict[str, tuple[str, list[str]]] = {
    "a provider": ("mine", []),
    "a kind without a provider": ("anthropic", []),
    "a kind of a later version": ("mistral", []),
    "a slip": (
        "opnai",
        [
            (
                "gateway.yaml:7:29: prices.table[0].provider: neither a provider of this file nor a kind: "
                "the price is not used; did you mean openai?"
            )
        ],
    ),
    "a glob": (
        "'*'",
        [
            (
                "gateway.yaml:7:29: prices.table[0].provider: neither a provider of this file nor a kind: "
                "the price is not used"
            )
        ],
    ),
}


@pytest.mark.parametrize(("provider", "expected"), OWNERS.values(), ids=OWNERS.keys())
def test_a_price_of_nobody_is_told(tmp_path: Path, provider: str, expected: list[str]) -> None:
    row = f"prices: {{table: [{{provider: {provider}, model: x, input: 1, output: 2}}]}}\n"

    assert warnings(tmp_path, PROVIDERS.replace("PRICE_AS", "free") + row) == expected


MODELS: dict[str, tuple[str, str, bool]] = {
    "the target instead of the model": ("openai", "openai/gpt-5", True),
    "all of them": ("openai", "openai/*", True),
    "another's model": ("groq", "openai/gpt-oss-120b", False),
    "a model that is really called so": ("groq", "groq/compound", False),
    "a model that the provider lists": ("groq", "groq/listed", False),
    "a model that a route names": ("local", "local/named", False),
    "a model that no route names": ("local", "local/other", True),
}


@pytest.mark.parametrize(("provider", "model", "told"), MODELS.values(), ids=MODELS.keys())
def test_a_model_with_its_provider_in_front_is_told(tmp_path: Path, provider: str, model: str, *, told: bool) -> None:
    row = f"prices: {{table: [{{model: '{model}', provider: {provider}, input: 1, output: 2}}]}}\n"
    short = model.partition("/")[2]
    reason = f"begins with the provider's own name: for {model} write {short}"

    found = warnings(tmp_path, PROVIDERS.replace("PRICE_AS", "free") + row)

    assert found == ([f"gateway.yaml:7:26: prices.table[0].model: {reason}"] if told else [])


PRICED_AS: dict[str, tuple[str, str | None]] = {
    "free": ("free", None),
    "what it reports": ("provider", None),
    "the catalog's name of a kind": ("x-ai", None),
    "another of the catalog": ("mistral", None),
    "a slip": ("fre", "'fre' is no provider of the price catalog: nothing is priced by it; did you mean free?"),
    "nothing like it": ("zzz", "'zzz' is no provider of the price catalog: nothing is priced by it"),
}


@pytest.mark.parametrize(("word", "reason"), PRICED_AS.values(), ids=PRICED_AS.keys())
def test_a_price_list_that_does_not_exist_is_told(tmp_path: Path, word: str, reason: str | None) -> None:
    expected = [] if reason is None else [f"gateway.yaml:5:81: providers.local.price_as: {reason}"]

    assert warnings(tmp_path, PROVIDERS.replace("PRICE_AS", word)) == expected


def test_budgets_and_the_limits_of_keys_are_plain_values(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(
        f"""providers: {{demo: {{kind: mock}}}}
routes: {{smart: demo/x, cheap: demo/y}}
keys:
  - {{name: a, hash: "sha256:{"a" * 64}", limits: {{requests_per_minute: 600, concurrency: 5}}}}
  - {{name: b, hash: "sha256:{"b" * 64}"}}
budgets:
  - {{name: month, match: {{team: x}}, usd: 500, per: month, warn_at: 90%, on_exceed: {{route: cheap}}}}
  - {{name: all, usd: 0.5, per: day, shared: "http://prometheus:9090"}}
"""
    )
    built = snapshots.build(load(path, {}), generation=1, catalog=None)

    assert built.limits == {"a": Limits(requests=600, tokens=None, concurrency=5)}
    assert built.budgets == (
        Budget("month", {"team": "x"}, Decimal(500), "month", Decimal("0.9"), "cheap", None),
        Budget("all", {}, Decimal("0.5"), "day", Decimal("0.8"), None, "http://prometheus:9090"),
    )
