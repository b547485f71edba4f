"""costspan.config.client_checks: keys, budgets, prices."""

from collections.abc import Callable

import pytest

from costspan.config.load import Loaded

DEMO = "providers: {demo: {kind: mock}}\nroutes: {smart: demo/x}\n"
A = "sha256:" + "a" * 64
B = "sha256:" + "b" * 64

FAULTS: dict[str, tuple[str, list[str]]] = {
    "two keys of one name": (
        f"keys: [{{name: a, hash: '{A}'}}, {{name: a, hash: '{B}'}}]",
        ["gateway.yaml:3:107: keys[1].name: another key has this name"],
    ),
    "one key under two names": (
        f"keys: [{{name: a, hash: '{A}'}}, {{name: b, hash: '{A}'}}]",
        ["gateway.yaml:3:116: keys[1].hash: the same key as 'a'"],
    ),
    "a key in clear": (
        "keys: [{name: a, hash: cs-hunter2}]",
        ["gateway.yaml:3:24: keys[0].hash: does not match ^sha256:[0-9a-f]{64}$"],
    ),
    "a date that is none": (
        f"keys: [{{name: a, hash: '{A}', expires: 2027-02-30}}]",
        ["gateway.yaml:3:108: keys[0].expires: expected a date such as 2026-01-31"],
    ),
    "a limit of nothing": (
        f"keys: [{{name: a, hash: '{A}', limits: {{concurrency: 0}}}}]",
        ["gateway.yaml:3:121: keys[0].limits.concurrency: expected greater than or equal to 1"],
    ),
    "two budgets of one name": (
        "budgets: [{name: a, usd: 1, per: day}, {name: a, usd: 1, per: day}]",
        ["gateway.yaml:3:47: budgets[1].name: another budget has this name"],
    ),
    "a budget that no request can match": (
        "budgets: [{name: a, usd: 1, per: day, match: {tem: x}}]",
        ["gateway.yaml:3:52: budgets[0].match.tem: no request has the attribute 'tem'; did you mean team?"],
    ),
    "a budget that leads nowhere": (
        "budgets: [{name: a, usd: 1, per: day, on_exceed: {route: cheap}}]",
        ["gateway.yaml:3:58: budgets[0].on_exceed.route: unknown route 'cheap'"],
    ),
    "a shared budget at an address to which no path can be added": (
        "budgets: [{name: a, usd: 1, per: day, shared: 'http://p:9090/?token=1'}]",
        ["gateway.yaml:3:47: budgets[0].shared: expected a URL without query and fragment"],
    ),
    "a shared budget at a port that does not exist": (
        "budgets: [{name: a, usd: 1, per: day, shared: 'http://p:99999'}]",
        ["gateway.yaml:3:47: budgets[0].shared: the port is not one"],
    ),
    "a shared budget of which Prometheus cannot tell what counts": (
        (
            "attribution: {metric_attributes: [environment]}\n"
            "budgets: [{name: a, usd: 1, per: day, shared: 'http://p:9090', match: {team: x, environment: y}}]"
        ),
        [
            (
                "gateway.yaml:4:47: budgets[0].shared: no label of costspan_cost_usd_total tells 'team': "
                "add it to attribution.metric_attributes"
            )
        ],
    ),
    "a Prometheus with a password": (
        "budgets: [{name: a, usd: 1, per: day, shared: 'http://me:secret@p:9090'}]",
        [
            (
                "gateway.yaml:3:47: budgets[0].shared: "
                "expected a URL such as http://collector:4318, without user and password"
            )
        ],
    ),
    "another word for exceed": (
        "budgets: [{name: a, usd: 1, per: day, on_exceed: warn}]",
        ["gateway.yaml:3:50: budgets[0].on_exceed: expected reject or {route: NAME}"],
    ),
    "a misspelt key of exceed": (
        "budgets: [{name: a, usd: 1, per: day, on_exceed: {rout: smart}}]",
        [
            "gateway.yaml:3:50: budgets[0].on_exceed.route: is required",
            "gateway.yaml:3:51: budgets[0].on_exceed.rout: unknown key; did you mean route?",
        ],
    ),
}

PRICES: dict[str, tuple[str, list[str]]] = {
    "without a rate": (
        "{provider: a, model: x, from: 2026-01-01}",
        [":1: prices.table[0]: a price without any rate: expected input, output, per_request or another"],
    ),
    "the same twice": (
        "{provider: a, model: x, input: 1}, {provider: a, model: x, output: 1}",
        [":36: prices.table[1]: the same provider, model and dates as gateway.yaml:3"],
    ),
    "dates the wrong way": (
        "{provider: a, model: x, input: 1, from: 2026-02-01, to: 2026-02-01}",
        [":57: prices.table[0].to: not after `from`: the row never holds"],
    ),
    "a time zone": (
        "{provider: a, model: x, input: 1, from: 2026-02-01T00:00}",
        [":41: prices.table[0].from: expected a date such as 2026-01-31"],
    ),
    "two words for one unit": (
        "{provider: a, model: x, per_image: 1, images: 2}",
        [":47: prices.table[0].images: another word for per_image, which is there too"],
    ),
    "a unit beyond reason": (
        "{provider: a, model: x, per_image: 4000}",
        [":36: prices.table[0].per_image: more than 1000 USD each: this price is per single unit, not per million"],
    ),
    "an empty tier": (
        "{provider: a, model: x, input: 1, tiers: [{above: 10}]}",
        [":43: prices.table[0].tiers[0]: a tier without any rate"],
    ),
    "two tiers of one threshold": (
        "{provider: a, model: x, input: 1, tiers: [{above: 10, input: 1}, {above: 10, input: 2}]}",
        [":74: prices.table[0].tiers[1].above: another tier has this threshold"],
    ),
    "an empty service tier": (
        "{provider: a, model: x, input: 1, service_tiers: {flex: {}}}",
        [":57: prices.table[0].service_tiers.flex: expected either a multiplier or rates"],
    ),
    "a service tier of both": (
        "{provider: a, model: x, input: 1, service_tiers: {flex: {multiplier: 1, input: 1}}}",
        [":57: prices.table[0].service_tiers.flex: expected either a multiplier or rates"],
    ),
    "a multiplier and size tiers": (
        "{provider: a, model: x, input: 1, service_tiers: {flex: {multiplier: 1, tiers: [{above: 1, input: 1}]}}}",
        [":57: prices.table[0].service_tiers.flex: expected either a multiplier or rates"],
    ),
    "a service tier's size twice": (
        "{provider: a, model: x, input: 1, service_tiers: {flex: {tiers: [{above: 1, input: 1}, {above: 1}]}}}",
        [
            ":96: prices.table[0].service_tiers.flex.tiers[1].above: another tier has this threshold",
            ":88: prices.table[0].service_tiers.flex.tiers[1]: a tier without any rate",
        ],
    ),
    "hours without a price": (
        "{provider: a, model: x, input: 1, hours: [{utc: '16:30-00:30'}]}",
        [":43: prices.table[0].hours[0]: expected either a multiplier or rates"],
    ),
    "hours with two": (
        "{provider: a, model: x, input: 1, hours: [{utc: '16:30-00:30', multiplier: 1, input: 1}]}",
        [":43: prices.table[0].hours[0]: expected either a multiplier or rates"],
    ),
    "hours that are none": (
        "{provider: a, model: x, input: 1, hours: [{utc: '16:30-25:00', multiplier: 1}]}",
        [':49: prices.table[0].hours[0].utc: expected a span of UTC time such as "16:30-00:30"'],
    ),
    "hours after the last": (
        "{provider: a, model: x, input: 1, hours: [{utc: '16:30-24:30', multiplier: 1}]}",
        [':49: prices.table[0].hours[0].utc: expected a span of UTC time such as "16:30-00:30"'],
    ),
    "hours of no length": (
        "{provider: a, model: x, input: 1, hours: [{utc: '16:30-16:30', multiplier: 1}]}",
        [":49: prices.table[0].hours[0].utc: the span is empty: it begins when it ends"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), FAULTS.values(), ids=FAULTS.keys())
def test_what_does_not_fit_is_told(mistakes: Callable[..., list[str]], text: str, expected: list[str]) -> None:
    assert mistakes(DEMO + text) == expected


@pytest.mark.parametrize(("rows", "expected"), PRICES.values(), ids=PRICES.keys())
def test_a_price_that_cannot_be_meant_is_told(
    mistakes: Callable[..., list[str]], rows: str, expected: list[str]
) -> None:
    told = mistakes(f"prices:\n  table: [\n{rows}]\n")

    assert told == [f"gateway.yaml:3{problem}" for problem in expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"keys: [{{name: a, hash: '{A}', routes: [smart, 'sm*', 'demo/*', '*', smort]}}]",
            ":3:137: keys[0].routes[4]: 'smort' matches no route and no provider",
        ),
        (
            "prices: {table: [{provider: demo, model: x, input: 0.000003, output: 1}]}",
            ":3:52: prices.table[0].input: very cheap: prices here are USD per million tokens, not per token",
        ),
        (
            "ledger: {dir: null}\nbudgets: [{name: a, usd: 1, per: day}, {name: b, usd: 1, per: week}]",
            ":3:15: ledger.dir: without a ledger, budgets begin at nothing with each start",
        ),
    ],
)
def test_what_may_be_meant_is_a_warning(read: Callable[..., Loaded], text: str, expected: str) -> None:
    assert [warning.rpartition("gateway.yaml")[2] for warning in read(DEMO + text).warnings] == [expected]


SIDES: dict[str, tuple[str, str | None]] = {
    "only input": ("model: gpt-5, input: 1, cache_read: 0.1", "output"),
    "only output": ("model: gpt-5, output: 1", "input"),
    "both": ("model: gpt-5, input: 0, output: 0", None),
    "audio and text": ("model: gpt-5, input_audio: 1, output: 2", None),
    "embeddings": ("model: text-embedding-3-small, input: 0.02", None),
    "a fee for each image": ("model: gpt-image-1, input: 5, per_image: 0.1", None),
    "a fee only": ("model: x, per_request: 1", None),
}


@pytest.mark.parametrize(("row", "missing"), SIDES.values(), ids=SIDES.keys())
def test_a_price_of_one_side_is_a_warning(read: Callable[..., Loaded], row: str, missing: str | None) -> None:
    warnings = read(DEMO + f"prices: {{table: [{{provider: demo, {row}}}]}}").warnings

    reason = f"no rate for {missing}: requests that use it are unpriced, and the catalog is not asked (0 is a rate)"
    assert [warning.rpartition("gateway.yaml")[2] for warning in warnings] == (
        [] if missing is None else [f":3:18: prices.table[0]: {reason}"]
    )


def test_a_budget_may_match_an_attribute_that_only_a_key_gives(read: Callable[..., Loaded]) -> None:
    keys = f"keys: [{{name: a, hash: '{A}', attributes: {{zone: x}}}}]"
    text = f"{keys}\nbudgets: [{{name: b, usd: 1, per: day, match: {{zone: x}}}}]"

    assert read(DEMO + text).config.budgets[0].match == {"zone": "x"}


def test_zero_is_a_price(read: Callable[..., Loaded]) -> None:
    row = read("prices: {table: [{provider: demo, model: x, input: 0}]}").config.prices.table[0]

    assert row.input == 0
    assert row.output is None
