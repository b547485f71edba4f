"""costspan.config.checks: what has to fit together across the file."""

from collections.abc import Callable

import pytest

from costspan.config.load import Loaded

DEMO = "providers: {demo: {kind: mock}}\n"

REFERENCE_ONLY = "a secret must be a reference: ${NAME} or file:/run/secrets/name"

FAULTS: dict[str, tuple[str, list[str]]] = {
    "C17 a cycle": (
        "routes:\n  a: {targets: [{route: b}]}\n  b: {targets: [demo/x, {route: c}]}\n  c: {targets: [{route: a}]}",
        [
            "gateway.yaml:3:25: routes.a.targets[0].route: leads back to 'a': a cycle",
            "gateway.yaml:4:33: routes.b.targets[1].route: leads back to 'b': a cycle",
            "gateway.yaml:5:25: routes.c.targets[0].route: leads back to 'c': a cycle",
        ],
    ),
    "C17 a route to itself": (
        "routes: {a: {targets: [{route: a}]}}",
        ["gateway.yaml:2:32: routes.a.targets[0].route: leads back to 'a': a cycle"],
    ),
    "C18 an unknown route": (
        "routes: {smart: demo/x, b: {targets: [{route: smort}]}}",
        ["gateway.yaml:2:47: routes.b.targets[0].route: unknown route 'smort'; did you mean smart?"],
    ),
    "C19 a duplicate route": (
        "routes:\n  a: demo/x\n  a: demo/y",
        ["gateway.yaml:4:3: duplicate key; the first is on line 3"],
    ),
    "an unknown provider": (
        "routes: {a: dem/x}",
        ["gateway.yaml:2:13: routes.a.targets[0].target: unknown provider 'dem'; did you mean demo?"],
    ),
    "a target without a provider": (
        "routes: {a: gpt-5}",
        ["gateway.yaml:2:13: routes.a: expected provider/model"],
    ),
    "another placeholder": (
        "routes: {'a-*': 'demo/{name}'}",
        ["gateway.yaml:2:17: routes.a-*: the only placeholder is {model}, in the model part"],
    ),
    "neither target nor route": (
        "routes: {a: {targets: [{weight: 1}]}}",
        ["gateway.yaml:2:24: routes.a.targets[0]: expected either `target` or `route`"],
    ),
    "both target and route": (
        "routes: {b: demo/x, a: {targets: [{target: demo/x, route: b}]}}",
        ["gateway.yaml:2:35: routes.a.targets[0]: expected either `target` or `route`"],
    ),
    "an unknown default route": (
        "default_route: smart",
        ["gateway.yaml:2:16: default_route: unknown route 'smart'"],
    ),
    "weights of nothing": (
        "routes: {a: {strategy: weighted, targets: [{target: demo/x, weight: 0}]}}",
        ["gateway.yaml:2:43: routes.a.targets: the weights add up to 0"],
    ),
    "a weight that is no share": (
        "routes: {a: {strategy: weighted, targets: [{target: demo/x, weight: 1e400}, demo/y]}}",
        ["gateway.yaml:2:69: routes.a.targets[0].weight: expected less than or equal to 1000000"],
    ),
    "a race of one": (
        "routes: {a: {strategy: race, targets: [demo/x]}}",
        ["gateway.yaml:2:39: routes.a.targets: a race needs two targets"],
    ),
    "a race of one with itself": (
        "routes: {a: {strategy: race, targets: [demo/x, {target: demo/x, params: {seed: 1}}]}}",
        ["gateway.yaml:2:39: routes.a.targets: a race needs two targets"],
    ),
    "race settings without a race": (
        "routes: {a: {targets: [demo/x], race: {after: 1s}}}",
        ["gateway.yaml:2:39: routes.a.race: the strategy is not race"],
    ),
    "C28 two listeners": (
        "server: {listen: '127.0.0.1:8080'}\nadmin: {listen: '127.0.0.1:8080'}",
        ["gateway.yaml:3:17: admin.listen: the same address as server.listen; use null for the main listener"],
    ),
    "C29 connect longer than total": (
        "defaults: {timeouts: {connect: 20s, total: 10s}}",
        ["gateway.yaml:2:32: defaults.timeouts.connect: longer than total"],
    ),
    "C29 in a route": (
        "routes: {a: {targets: [demo/x], timeouts: {first_token: 2m, idle: 3m, total: 1m}}}",
        [
            "gateway.yaml:2:57: routes.a.timeouts.first_token: longer than total",
            "gateway.yaml:2:67: routes.a.timeouts.idle: longer than total",
        ],
    ),
    "a header for an unlisted attribute": (
        "attribution: {attributes: [team], headers: {x-team: tem}, defaults: {}, metric_attributes: [zone]}",
        [
            (
                "gateway.yaml:2:53: attribution.headers.x-team: 'tem' is not one of attribution.attributes; "
                "did you mean team?"
            ),
            "gateway.yaml:2:93: attribution.metric_attributes[0]: 'zone' is not one of attribution.attributes",
        ],
    ),
    "two attributes of one label": (
        "attribution: {attributes: [cost-center, cost_center], metric_attributes: [cost-center, cost_center]}",
        [
            (
                "gateway.yaml:2:88: attribution.metric_attributes[1]: becomes the metric label cost_center, "
                "which 'cost-center' is already"
            )
        ],
    ),
    "labels that are taken": (
        "attribution: {attributes: [le, gen_ai.token.type], metric_attributes: [le, gen_ai.token.type]}",
        [
            (
                "gateway.yaml:2:72: attribution.metric_attributes[0]: le is a label of the gateway's own metrics; "
                "choose another name"
            ),
            (
                "gateway.yaml:2:76: attribution.metric_attributes[1]: gen_ai_token_type is a label of the "
                "gateway's own metrics; choose another name"
            ),
        ],
    ),
}


@pytest.mark.parametrize(("text", "expected"), FAULTS.values(), ids=FAULTS.keys())
def test_what_does_not_fit_together_is_told(mistakes: Callable[..., list[str]], text: str, expected: list[str]) -> None:
    assert mistakes(DEMO + text) == expected


PROVIDERS: dict[str, tuple[str, list[str]]] = {
    "one key and a pool": (
        "providers: {openai: {api_key: '${KEY}', api_keys: ['${OTHER}']}}",
        ["gateway.yaml:1:51: providers.openai.api_keys: expected either api_key or api_keys"],
    ),
    "a slash in the name": (
        "providers: {a/b: {kind: mock}}",
        ["gateway.yaml:1:18: providers.a/b: the name of a provider cannot contain / or begin or end with a space"],
    ),
    "a credential in a header of any name": (
        "providers: {a: {kind: mock, headers: {cf-aig-authorization: Bearer abcdefghijklmnop}}}",
        [f"gateway.yaml:1:61: providers.a.headers.cf-aig-authorization: {REFERENCE_ONLY}"],
    ),
    "a long token in a header": (
        f"providers: {{a: {{kind: mock, headers: {{x-goog-key: {'a1' * 16}}}}}}}",
        [f"gateway.yaml:1:51: providers.a.headers.x-goog-key: {REFERENCE_ONLY}"],
    ),
    "a credential for the collector": (
        "providers: {a: {kind: mock}}\ntelemetry: {otlp: {headers: {Authorization: Basic YWJjZGVmZ2hpamtsbW5v}}}",
        [f"gateway.yaml:2:45: telemetry.otlp.headers.Authorization: {REFERENCE_ONLY}"],
    ),
    "the URL of an operation": (
        "providers: {a: {kind: openai-compatible, base_url: 'http://127.0.0.1/v1/chat/completions/'}}",
        [
            (
                "gateway.yaml:1:52: providers.a.base_url: end the URL before /chat/completions: "
                "a base URL is the root of an API"
            )
        ],
    ),
    "the URL of another operation": (
        "providers: {a: {kind: anthropic, api_key: '${KEY}', base_url: 'http://127.0.0.1/v1/messages'}}",
        ["gateway.yaml:1:63: providers.a.base_url: end the URL before /messages: a base URL is the root of an API"],
    ),
    "a reference in a provider's name": (
        "providers: {'${KEY}': {kind: mock}}",
        ['gateway.yaml:1:13: providers."${KEY}": references are not resolved in names, only in values'],
    ),
    "a reference in a route's name": (
        "providers: {demo: {kind: mock}}\nroutes:\n  ${KEY:-a}: demo/x",
        ['gateway.yaml:3:3: routes."${KEY:-a}": references are not resolved in names, only in values'],
    ),
    "inconsistent timeouts": (
        "providers: {a: {kind: mock, timeouts: {idle: 2s, total: 1s}}}",
        ["gateway.yaml:1:46: providers.a.timeouts.idle: longer than total"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), PROVIDERS.values(), ids=PROVIDERS.keys())
def test_what_does_not_fit_in_a_provider_is_told(
    mistakes: Callable[..., list[str]], text: str, expected: list[str]
) -> None:
    assert mistakes(text) == expected


FINE: dict[str, str] = {
    "a default route that only a glob matches": "routes: {'a-*': demo/x}\ndefault_route: a-1",
    "a default target": "default_route: demo/x",
    "a nested route that only a glob matches": "routes: {'a-*': demo/x, b: {targets: [{route: a-1}]}}",
    "a diamond is no cycle": (
        "routes: {a: {targets: [{route: b}, {route: c}]}, b: {targets: [{route: c}]}, c: demo/x}"
    ),
    "a total shorter than phases that are defaults": "defaults: {timeouts: {total: 10s}}",
    "headers that hold no credential": (
        "telemetry: {otlp: {headers: {x-api-key-id: team-a, x-scope: aaaaaaaabbbbbbbbccccccccddddddddeeee, "
        "authorization: 'Bearer ${KEY}'}}}"
    ),
    "two listeners on ports of the system's choice": "server: {listen: '[::1]:0'}\nadmin: {listen: '[::1]:0'}",
    "shares of one target with different parameters": (
        "routes: {a: {strategy: weighted, targets: [demo/x, {target: demo/x, params: {temperature: 1}, weight: 2}]}}"
    ),
    "a race over one route": "routes: {a: {targets: [demo/x, demo/y]}, b: {strategy: race, targets: [{route: a}]}}",
}


@pytest.mark.parametrize("text", FINE.values(), ids=FINE.keys())
def test_what_fits_is_accepted_without_a_warning(read: Callable[..., Loaded], text: str) -> None:
    assert read(DEMO + text).warnings == ()


WARNINGS: dict[str, tuple[str, str]] = {
    "no provider": ("server: {}", "gateway.yaml:1:1: providers: no provider is configured: every request will fail"),
    "a weight without effect": (
        "providers: {demo: {kind: mock}}\nroutes: {a: {targets: [{target: demo/x, weight: 2}]}}",
        "gateway.yaml:2:49: routes.a.targets[0].weight: has no effect: the strategy is not weighted",
    ),
    "what a nested route's own targets say": (
        "providers: {demo: {kind: mock}}\nroutes: {b: demo/x, a: {targets: [{route: b, lacks: [tools]}, demo/y]}}",
        "gateway.yaml:2:53: routes.a.targets[0].lacks: has no effect on a route: it belongs to the targets in it",
    ),
    "a target twice": (
        "providers: {demo: {kind: mock}}\nroutes: {a: {targets: [demo/x, demo/y, demo/x]}}",
        "gateway.yaml:2:40: routes.a.targets[2]: has no effect: demo/x stands above, and is asked once",
    ),
    "the same key twice": (
        "providers: {a: {api_keys: ['${KEY}', '${KEY}']}}",
        "gateway.yaml:1:27: providers.a.api_keys: the same key stands in the pool twice",
    ),
}


@pytest.mark.parametrize(("text", "expected"), WARNINGS.values(), ids=WARNINGS.keys())
def test_what_may_be_meant_is_a_warning(read: Callable[..., Loaded], text: str, expected: str) -> None:
    loaded = read(text)

    assert [warning.rpartition("/gateway")[2] for warning in loaded.warnings] == [expected.removeprefix("gateway")]
