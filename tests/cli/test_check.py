"""cli.check: what a person and a program are told of a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from costspan.cli.check import check
from costspan.cli.source import Source
from costspan.wire import json

if TYPE_CHECKING:
    from pathlib import Path

PROVIDERS = "providers: {demo: {kind: mock}, other: {kind: mock}}\nprices:\n  catalog: none\n"
TABLE = "  table:\n    - {provider: demo, model: '*', input: 1.50, output: 10}\n"
LONG = "a-model-with-a-name-that-is-as-long-as-those-that-are-sold-2026-11-23"
ROUTES = f"routes:\n  a: {{targets: [demo/{LONG}, other/x]}}\n  b: {{strategy: weighted, targets: [demo/y]}}\n"


def run(folder: Path, text: str, *, as_json: bool = False) -> int:
    path = folder / "gateway.yaml"
    path.write_text(text)
    return check(Source(path), as_json=as_json)


@pytest.mark.parametrize("columns", ["40", "80", "140"])
def test_no_line_is_broken_or_padded(
    columns: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)

    assert run(tmp_path, PROVIDERS + TABLE + ROUTES) == 0

    gap = " " * (len(LONG) - 2)
    assert capsys.readouterr().out.splitlines()[1:5] == [
        f"route         target{' ' * (len(LONG) - 1)}     input  output  price from",
        f"a             demo/{LONG}       1.5      10  gateway.yaml:5",
        f"              other/x{gap}  no price",
        f"b (weighted)  demo/y{gap}        1.5      10  gateway.yaml:5",
    ]


def test_a_program_gets_the_rates_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, PROVIDERS + TABLE + "routes: {a: demo/x}\n", as_json=True)

    assert json.loads_object(capsys.readouterr().out)["targets"] == [
        {
            "route": "a",
            "strategy": "fallback",
            "target": "demo/x",
            "price": "input 1.5, output 10",
            "usd_per_million": {"input": "1.5", "output": "10"},
            "source": "table:gateway.yaml:5",
        }
    ]


def test_an_address_that_serve_would_refuse_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "server: {listen: '0.0.0.0:8080'}\n" + PROVIDERS) == 78

    assert "there are no client keys" in capsys.readouterr().err


def test_an_open_door_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "server: {listen: '0.0.0.0:8080', auth: none}\n" + PROVIDERS) == 0

    assert "warning: server.auth is none: anyone who can reach 0.0.0.0:8080" in capsys.readouterr().out


def test_a_file_that_rejects_what_has_no_price_is_told_of_its_targets(tmp_path: Path) -> None:
    assert run(tmp_path, PROVIDERS + "  on_unpriced: reject\nroutes: {a: demo/x}\n") == 1


def test_a_file_without_routes_has_no_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, PROVIDERS) == 0

    assert capsys.readouterr().out.splitlines()[1:] == ["no routes", "providers: demo, other; client keys: 0"]


AGED: dict[str, tuple[str, list[str]]] = {
    "of unknown age": ("", ["1 price(s) older than 90 days, or of unknown age: see costspan prices age"]),
    "young": ("source: '2100-01-01', from: 2100-01-01, ", []),
    "old": ("to: 2100-01-01, from: 2020-01-01, ", ["the oldest"]),
    "history": ("to: 2020-01-01, ", []),
}


@pytest.mark.parametrize(("dates", "expected"), AGED.values(), ids=AGED.keys())
def test_old_prices_are_one_warning(
    dates: str, expected: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = f"  table:\n    - {{provider: demo, model: '*', {dates}input: 1.50, output: 10}}\n"

    run(tmp_path, PROVIDERS + rows + "routes: {a: demo/x}\n", as_json=True)

    warnings = json.loads_object(capsys.readouterr().out)["warnings"]
    assert len(warnings) == len(expected)
    assert all(part in warning for part, warning in zip(expected, warnings, strict=True))


MEANINGS = {
    "cheapest": (
        "{strategy: cheapest, targets: [demo/x, other/y, other/z]}",
        "routes.a: other/y, other/z have no price, so the strategy cheapest asks them last",
    ),
    "a ceiling": (
        "{constraints: {max_price: {output: 20}}, targets: [demo/x, other/y]}",
        "routes.a: other/y has no price, so max_price leaves it out",
    ),
    "a ceiling over nobody": (
        "{strategy: cheapest, constraints: {max_price: {input: 20}}, targets: [other/y]}",
        (
            "routes.a: other/y has no price, so max_price leaves it out; nobody is left, "
            "and every request is answered with 404"
        ),
    ),
    "a race": (
        "{strategy: race, race: {max_extra_usd: 0.1}, targets: [demo/x, other/y]}",
        "routes.a: other/y has no price, so max_extra_usd lets no race begin where it would be next",
    ),
    "a race without a ceiling": ("{strategy: race, targets: [demo/x, other/y]}", None),
    "nothing to choose": ("{strategy: cheapest, targets: [other/y]}", None),
    "a model that the client names": ("{strategy: cheapest, targets: [demo/x, 'other/{model}']}", None),
    "written order": ("{targets: [demo/x, other/y]}", None),
}


@pytest.mark.parametrize(("route", "expected"), MEANINGS.values(), ids=MEANINGS.keys())
def test_what_a_missing_price_means_for_a_route(
    route: str, expected: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, PROVIDERS + TABLE + f"routes:\n  a: {route}\n", as_json=True)

    warnings = json.loads_object(capsys.readouterr().out)["warnings"]
    assert [warning for warning in warnings if "no price" in warning] == ([expected] if expected else [])


PEOPLE = (
    "routes: {cheap: demo/x}\n"
    f"keys: [{{name: shop, hash: 'sha256:{'a' * 64}', limits: {{requests_per_minute: 600, concurrency: 50}}}},"
    f" {{name: free, hash: 'sha256:{'b' * 64}'}}]\n"
    "attribution: {metric_attributes: [team]}\n"
    "budgets:\n"
    "  - {name: all, usd: 1000, per: total}\n"
    "  - {name: shop, match: {team: shop}, usd: 1.50, per: day, on_exceed: {route: cheap}, shared: 'http://p:9090'}\n"
)


def test_budgets_and_limits_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, PROVIDERS + TABLE + PEOPLE)

    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith(("key ", "budget "))] == [
        "key shop: at most 600 requests a minute, 50 requests at one time",
        "budget all: 1000 USD in total, all requests; then 402",
        "budget shop: 1.5 USD a day, team=shop; then route cheap; shared by http://p:9090",
    ]


def test_a_program_is_told_of_budgets_and_limits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, PROVIDERS + TABLE + PEOPLE, as_json=True)

    told = json.loads_object(capsys.readouterr().out)
    assert told["limits"] == [{"key": "shop", "requests_per_minute": 600, "tokens_per_minute": None, "concurrency": 50}]
    assert told["budgets"] == [
        {
            "name": "all",
            "match": {},
            "usd": "1000",
            "per": "total",
            "warn_at": "0.8",
            "route": None,
            "shared": None,
        },
        {
            "name": "shop",
            "match": {"team": "shop"},
            "usd": "1.5",
            "per": "day",
            "warn_at": "0.8",
            "route": "cheap",
            "shared": "http://p:9090",
        },
    ]


def test_budgets_do_not_count_what_has_no_price(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, PROVIDERS + "routes: {a: demo/x}\nbudgets: [{name: all, usd: 1, per: day}]\n")

    assert capsys.readouterr().out.splitlines()[-1] == (
        "1 target(s) without a price: their cost will be null, never 0, and no budget counts it"
    )
