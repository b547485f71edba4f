"""costspan.config.load: the rows C1 to C30 of the fault table that concern the file, and what a good file becomes."""

import hashlib
import socket
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from costspan.config.load import Loaded, load
from costspan.errors import ConfigError

FAULTS: dict[str, tuple[str | bytes, list[str]]] = {
    "C3 empty": ("", ["gateway.yaml: the file is empty"]),
    "C4 too large": (b"#" * (2**20 + 1), ["gateway.yaml: the file is larger than 1048576 bytes"]),
    "C6 not UTF-8": (b"server: \xff", ["gateway.yaml:1:9: not UTF-8"]),
    "C6 NUL": (b"server:\n\0", ["gateway.yaml:2:1: the file contains a NUL byte"]),
    "a list at the top": ("- a", ["gateway.yaml:1:1: expected a mapping of keys and values at the top"]),
    "C12 on for a flag": (
        "telemetry: {prometheus: on}",
        ["gateway.yaml:1:25: telemetry.prometheus: expected true or false"],
    ),
    "C12 a quoted number for an integer": (
        'server: {workers: "2"}',
        ["gateway.yaml:1:19: server.workers: expected a whole number"],
    ),
    "C12 a fraction for an integer": (
        "server: {workers: 1.5}",
        ["gateway.yaml:1:19: server.workers: expected a whole number"],
    ),
    "C12 true for an integer": (
        "server: {workers: true}",
        ["gateway.yaml:1:19: server.workers: expected a whole number"],
    ),
    "C12 a time of day for a duration": (
        "server: {shutdown_grace: 1:30}",
        ["gateway.yaml:1:26: server.shutdown_grace: expected a duration such as 500ms, 10s, 5m, 2h or 90d"],
    ),
    "C12 a bare number for a duration": (
        "server: {shutdown_grace: 30}",
        [
            (
                "gateway.yaml:1:26: server.shutdown_grace: "
                "expected a duration with its unit, such as 500ms, 10s, 5m, 2h or 90d"
            )
        ],
    ),
    "C12 a bare number for a percentage": (
        "providers: {demo: {kind: mock, discount: 0.12}}",
        ["gateway.yaml:1:42: providers.demo.discount: expected a percentage with its sign, such as 12% or 5.5%"],
    ),
    "C12 a number for text": (
        "ledger: {dir: 1.10}",
        ["gateway.yaml:1:15: ledger.dir: expected text; quote it if it looks like a number"],
    ),
    "C12 a date for text is text": (
        "keys: [{name: 2026-01-01, hash: x}]",
        ["gateway.yaml:1:33: keys[0].hash: does not match ^sha256:[0-9a-f]{64}$"],
    ),
    "C13 unknown key": ("sever: {}", ["gateway.yaml:1:1: sever: unknown key; did you mean server?"]),
    "C13 unknown key far inside": (
        "routes:\n  a:\n    targets:\n      - {target: demo/x, wieght: 3}\nproviders: {demo: {kind: mock}}",
        ["gateway.yaml:4:26: routes.a.targets[0].wieght: unknown key; did you mean weight?"],
    ),
    "C13 unknown key like nothing": ("server:\n  colour: 3", ["gateway.yaml:2:3: server.colour: unknown key"]),
    "C13 a key that only Python has": (
        "prices:\n  table:\n    - {provider: a, model: b, input: 1, source_line: x, from_: 2026-01-01}",
        [
            "gateway.yaml:3:41: prices.table[0].source_line: unknown key",
            "gateway.yaml:3:57: prices.table[0].from_: unknown key; did you mean from?",
        ],
    ),
    "C13 a key that would move the cursor": (
        '"\\e[2Jx": 1',
        ['gateway.yaml:1:1: "?[2Jx": unknown key'],
    ),
    "a section that is a scalar": ("server: 3", ["gateway.yaml:1:9: server: expected a mapping of keys and values"]),
    "a list that is a scalar": ("keys: 3", ["gateway.yaml:1:7: keys: expected a list"]),
    "a mapping that is a list": ("routes: []", ["gateway.yaml:1:9: routes: expected a mapping of keys and values"]),
    "a choice that does not exist": (
        "server: {auth: sometimes}",
        ["gateway.yaml:1:16: server.auth: expected 'keys' or 'none'"],
    ),
    "an empty list of targets": (
        "routes: {a: {targets: []}}",
        ["gateway.yaml:1:23: routes.a.targets: must not be empty"],
    ),
    "a missing key": ("budgets: [{usd: 1, per: day}]", ["gateway.yaml:1:11: budgets[0].name: is required"]),
    "C14 a price that is a word": (
        "prices: {table: [{provider: a, model: b, input: cheap}]}",
        [
            (
                "gateway.yaml:1:49: prices.table[0].input: "
                "write the bare number, without currency or unit: prices are USD per million tokens"
            )
        ],
    ),
    "C14 a price with its unit": (
        "prices: {table: [{provider: a, model: b, input: $3/M}]}",
        [
            (
                "gateway.yaml:1:49: prices.table[0].input: "
                "write the bare number, without currency or unit: prices are USD per million tokens"
            )
        ],
    ),
    "C14 a negative price": (
        "prices: {table: [{provider: a, model: b, input: -1}]}",
        ["gateway.yaml:1:49: prices.table[0].input: expected greater than or equal to 0"],
    ),
    "C14 not a number": (
        "prices: {table: [{provider: a, model: b, input: .nan}]}",
        ["gateway.yaml:1:49: prices.table[0].input: expected a finite number"],
    ),
    "C14 infinite": (
        "prices: {table: [{provider: a, model: b, input: .inf}]}",
        ["gateway.yaml:1:49: prices.table[0].input: expected a finite number"],
    ),
    "C16 per million mixed up": (
        "prices: {table: [{provider: a, model: b, input: 3000000}]}",
        [
            (
                "gateway.yaml:1:49: prices.table[0].input: more than 1000 USD per million tokens: prices here are per "
                "million, not per token or per thousand in a smaller currency"
            )
        ],
    ),
    "C20 unset": (
        "providers: {openai: {api_key: '${GONE}'}}",
        ["gateway.yaml:1:31: providers.openai.api_key: the environment variable GONE is not set"],
    ),
    "C20 empty": (
        "providers: {openai: {api_key: '${EMPTY}'}}",
        ["gateway.yaml:1:31: providers.openai.api_key: the environment variable EMPTY is empty"],
    ),
    "C20 a required value that is unset is one mistake": (
        "keys: [{name: a, hash: '${GONE}'}]",
        ["gateway.yaml:1:24: keys[0].hash: the environment variable GONE is not set"],
    ),
    "C21 missing secret file": (
        "providers: {openai: {api_key: file:gone}}",
        ["gateway.yaml:1:31: providers.openai.api_key: the secret file does not exist"],
    ),
    "C21 white space in a secret": (
        "providers: {openai: {api_key: '${SPACED}'}}",
        [
            (
                "gateway.yaml:1:31: providers.openai.api_key: "
                "the secret contains white space, a line break or a character outside ASCII"
            )
        ],
    ),
    "C22 a provider key in the file": (
        "providers: {openai: {api_key: sk-proj-0123456789abcdef}}",
        [
            (
                "gateway.yaml:1:31: providers.openai.api_key: "
                "a provider key must not stand in the file: use ${NAME} or file:/run/secrets/name"
            )
        ],
    ),
    "C22 a provider key in a pool": (
        "providers: {openai: {api_keys: ['${KEY}', gsk_0123456789abcdef]}}",
        [
            (
                "gateway.yaml:1:43: providers.openai.api_keys[1]: "
                "a provider key must not stand in the file: use ${NAME} or file:/run/secrets/name"
            )
        ],
    ),
    "C22 a provider key in a header": (
        "providers: {openai: {headers: {authorization: Bearer sk-proj-0123456789abcdef}}}",
        [
            (
                "gateway.yaml:1:47: providers.openai.headers.authorization: "
                "a provider key must not stand in the file: use ${NAME} or file:/run/secrets/name"
            )
        ],
    ),
    "C22 another literal": (
        "providers: {openai: {api_key: hunter2}}",
        [
            (
                "gateway.yaml:1:31: providers.openai.api_key: "
                "a secret must be a reference: ${NAME} or file:/run/secrets/name"
            )
        ],
    ),
    "C22 a literal admin token": (
        "admin: {token: hunter2}\nproviders: {demo: {kind: mock}}",
        ["gateway.yaml:1:16: admin.token: a secret must be a reference: ${NAME} or file:/run/secrets/name"],
    ),
    "C25 a header name with a colon": (
        "providers: {openai: {headers: {'x:y': a}}}",
        ["gateway.yaml:1:39: providers.openai.headers.x:y: not a valid name"],
    ),
    "C25 a header value with a line break": (
        'providers: {openai: {headers: {x: "a\\r\\nb: c"}}}',
        [
            (
                "gateway.yaml:1:35: providers.openai.headers.x: a header value cannot contain line breaks, "
                "control characters or characters outside ASCII"
            )
        ],
    ),
}


@pytest.mark.parametrize(("text", "expected"), FAULTS.values(), ids=FAULTS.keys())
def test_each_fault_is_told_with_its_place(
    mistakes: Callable[..., list[str]], text: str | bytes, expected: list[str]
) -> None:
    assert mistakes(text) == expected


def test_c1_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone.yaml: the file does not exist$"):
        load(tmp_path / "gone.yaml", {})


def test_c2_a_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a directory; expected a file"):
        load(tmp_path, {})


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        with pytest.raises(ConfigError, match="cannot be read: No such device or address"):
            load(tmp_path / "s", {})


def test_all_mistakes_are_told_at_once_those_across_the_file_too(mistakes: Callable[..., list[str]]) -> None:
    text = """\
server:
  listen: 8080
  max_inflight: 3
providers:
  openai: {api_key: "${GONE}", base_url: "http://example.com"}
  demo: {kind: mock}
routes:
  a: {strategy: cheapst, targets: [demo/x]}
  b: opena/gpt
  c: {targets: [{route: d}, openai/gpt]}
default_route: z
budgets:
  - {name: all, usd: -1, per: year}
"""

    assert mistakes(text) == [
        "gateway.yaml:2:11: server.listen: expected text; quote it if it looks like a number",
        "gateway.yaml:3:3: server.max_inflight: unknown key; did you mean max_in_flight?",
        "gateway.yaml:5:21: providers.openai.api_key: the environment variable GONE is not set",
        (
            "gateway.yaml:5:42: providers.openai.base_url: "
            "http:// is allowed only to loopback and cluster-internal names; use https://"
        ),
        "gateway.yaml:8:17: routes.a.strategy: expected 'fallback', 'cheapest', 'fastest', 'weighted' or 'race'",
        "gateway.yaml:9:6: routes.b.targets[0].target: unknown provider 'opena'; did you mean openai?",
        "gateway.yaml:10:25: routes.c.targets[0].route: unknown route 'd'",
        "gateway.yaml:11:16: default_route: unknown route 'z'",
        "gateway.yaml:13:22: budgets[0].usd: expected greater than or equal to 0",
        "gateway.yaml:13:31: budgets[0].per: expected 'day', 'week', 'month' or 'total'",
    ]


SECRETS = ["hunter2hunter2", "sk-ant-api03-hunter2", "AIzahunter2hunter2hunter2"]
PLACES = [
    "providers: {openai: {api_key: %s, unknown: 1}}",
    "providers: {openai: {kind: [%s]}}",
    "providers: {openai: %s}",
    "providers: {openai: {base_url: %s}}",
    "providers: {openai: {discount: %s}}",
    "server: {listen: %s, workers: %s, auth: %s, max_request_bytes: %s}",
    "routes: {a: %s}",
    "routes: {a: {targets: [{target: %s}]}}",
    "keys: [{name: a, hash: %s, expires: %s}]",
    "prices: {table: [{provider: a, model: b, from: %s, input: %s, hours: [{utc: %s, multiplier: %s}]}]}",
    "telemetry: {otlp: {endpoint: %s}}",
    "admin: {token: %s}",
    "server: *%s",
    "server: !%s x",
    "server: {a: %s: b: c",
    "server: '%s",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("secret", SECRETS)
def test_no_value_is_repeated_wherever_it_stands(mistakes: Callable[..., list[str]], place: str, secret: str) -> None:
    told = "\n".join(mistakes(place.replace("%s", secret)))

    assert told
    assert "hunter2" not in told


def test_an_empty_section_has_its_defaults(read: Callable[..., Loaded]) -> None:
    config = read(
        "server:\nadmin:\nproviders:\n  demo: {kind: mock}\n  openai:\nroutes:\nkeys:\nprices:\n  table:\n"
    ).config

    assert config.server.listen == "127.0.0.1:8080"
    assert config.providers["openai"].api_keys == ()
    assert config.routes == {}
    assert config.keys == ()


def test_null_where_null_means_something_is_kept(read: Callable[..., Loaded]) -> None:
    config = read("ledger: {dir: null, keep: null}\ndefaults: {timeouts: {total: null}}").config

    assert config.ledger.dir is None
    assert config.ledger.keep is None
    assert (config.defaults.timeouts.connect, config.defaults.timeouts.total) == (5.0, None)


def test_references_work_in_values_of_every_kind(read: Callable[..., Loaded]) -> None:
    text = """\
server: {listen: "${LISTEN}", workers: "${WORKERS:-2}", shutdown_grace: "${GRACE:-5}s"}
telemetry: {prometheus: "${PROMETHEUS:-false}"}
providers: {openai: {api_key: "${KEY}", discount: "${DISCOUNT:-7}%", headers: {x-a: "${OTHER}", x-b: plain}}}
admin: {token: "${TOKEN:-}", listen: "${ADMIN:-}"}
default_route: ${DEFAULT_ROUTE:-}
"""
    config = read(text).config

    assert (config.server.listen, config.server.workers, config.server.shutdown_grace) == ("127.0.0.1:9090", 2, 5.0)
    assert config.telemetry.prometheus is False
    openai = config.providers["openai"]
    assert [key.reveal() for key in openai.api_keys] == ["a-key"]
    assert openai.discount == Decimal("0.07")
    assert repr(openai.headers) == "{'x-a': ***, 'x-b': 'plain'}"
    assert (config.admin.token, config.admin.listen, config.default_route) == (None, None, None)


def test_a_literal_key_is_accepted_for_a_loopback_server(read: Callable[..., Loaded]) -> None:
    config = read(
        "providers: {local: {kind: openai-compatible, base_url: 'http://localhost:11434/v1', api_key: x}}"
    ).config

    assert config.providers["local"].api_keys[0].reveal() == "x"


def test_short_forms_are_written_out(read: Callable[..., Loaded]) -> None:
    config = read(
        "providers: {demo: {kind: mock}}\n"
        "routes: {'a-*': 'demo/{model}', r: {strategy: race, targets: [demo/x, demo/y]}}"
    ).config

    assert config.routes["a-*"].strategy == "fallback"
    assert [target.target for target in config.routes["a-*"].targets] == ["demo/{model}"]
    race = config.routes["r"].race
    assert race is not None
    assert (race.after, race.max_parallel, race.losers, race.max_extra_usd) == ("p95", 2, "cancel", None)


def test_a_race_whose_settings_are_left_empty_is_a_race(read: Callable[..., Loaded]) -> None:
    config = read(
        "providers: {demo: {kind: mock}}\nroutes: {r: {strategy: race, race: , targets: [demo/x, demo/y]}}"
    ).config

    assert config.routes["r"].race is not None


def test_numbers_are_exact_and_parameters_are_plain_json(read: Callable[..., Loaded]) -> None:
    text = """\
providers: {demo: {kind: mock}}
routes: {a: {targets: [{target: demo/x, params: {temperature: 0.1, n: 2, stop: [a, 1.5], deep: {x: null}}}]}}
prices: {table: [{provider: demo, model: x, input: 0.1, output: 1e-3}]}
"""
    config = read(text).config

    assert config.routes["a"].targets[0].params == {"temperature": 0.1, "n": 2, "stop": ["a", 1.5], "deep": {"x": None}}
    assert type(config.routes["a"].targets[0].params["temperature"]) is float
    assert (config.prices.table[0].input, config.prices.table[0].output) == (Decimal("0.1"), Decimal("0.001"))


def test_later_checks_can_say_where_something_stands(tmp_path: Path, read: Callable[..., Loaded]) -> None:
    loaded = read("providers:\n  demo:\n    kind: mock\n")

    problem = loaded.problem(("providers", "demo", "kind"), "unknown kind")

    assert str(problem) == f"{tmp_path}/gateway.yaml:3:11: providers.demo.kind: unknown kind"
    assert loaded.locate(("providers", "gone")) == (f"{tmp_path}/gateway.yaml", 2, 3)


def test_price_files_add_rows_that_know_their_place(tmp_path: Path, read: Callable[..., Loaded]) -> None:
    (tmp_path / "prices.d").mkdir()
    (tmp_path / "prices.d" / "b.yaml").write_text("table:\n  - {provider: b, model: y, input: 2}\n")
    (tmp_path / "prices.d" / "a.yaml").write_text("# prices\n- provider: a\n  model: x\n  input: 1\n")
    text = "prices:\n  files: [prices.d/*.yaml, prices.d/a.yaml]\n  table:\n    - {provider: c, model: z, input: 3}\n"

    loaded = read(text)

    assert [(row.provider, row.source_line) for row in loaded.config.prices.table] == [
        ("c", "gateway.yaml:4"),
        ("a", "a.yaml:2"),
        ("b", "b.yaml:2"),
    ]
    names = ["gateway.yaml", "prices.d/a.yaml", "prices.d/b.yaml"]
    assert loaded.files == tuple(tmp_path / name for name in names)


def test_mistakes_in_price_files_have_the_place_in_that_file(
    tmp_path: Path, mistakes: Callable[..., list[str]]
) -> None:
    (tmp_path / "a.yaml").write_text("- {provider: a, model: x, input: 1}\n- {provider: a, model: y, inputt: 1}\n")
    (tmp_path / "b.yaml").write_text("rows: []")
    (tmp_path / "c.yaml").write_text("- {a: 1, a: 2}")

    assert mistakes("prices: {files: [a.yaml, b.yaml, c.yaml, gone.yaml]}") == [
        "a.yaml:2:27: table[1].inputt: unknown key; did you mean input?",
        "b.yaml:1:1: expected a list of prices, or a mapping with the key `table`",
        "c.yaml:1:10: duplicate key; the first is on line 1",
        "gone.yaml: the file does not exist",
    ]


def test_a_pattern_that_matches_nothing_is_no_mistake(read: Callable[..., Loaded]) -> None:
    assert read("prices: {files: [prices.d/*.yaml]}").config.prices.table == ()


def test_the_digest_covers_every_file_that_was_read(tmp_path: Path, read: Callable[..., Loaded]) -> None:
    key = tmp_path / "key"
    key.write_text("one")
    key.chmod(0o600)
    text = "providers: {openai: {api_key: file:key}}"
    first = read(text)
    again = read(text)
    key.write_text("two")
    rotated = read(text)

    assert first.files == (tmp_path / "gateway.yaml", key)
    assert first.digest == again.digest != rotated.digest
    expected = hashlib.sha256(len(text).to_bytes(8, "big") + text.encode() + (3).to_bytes(8, "big") + b"one")
    assert first.digest == expected.hexdigest()


def test_c21_a_secret_that_others_can_read_is_a_warning(tmp_path: Path, read: Callable[..., Loaded]) -> None:
    (tmp_path / "key").write_text("one")
    (tmp_path / "key").chmod(0o644)

    loaded = read("providers: {openai: {api_key: file:key}}")

    assert loaded.warnings == (f"{tmp_path}/key: the secret file is readable by others than its owner",)


def mount(root: Path, generation: str, **files: str) -> None:
    """Publish files as Kubernetes does: a folder per generation, one link that changes, one link per file."""
    folder = root / f"..{generation}"
    folder.mkdir()
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
        link = root / name.replace("__", ".")
        if not link.is_symlink():
            link.symlink_to(f"..data/{link.name}")
    (root / "..tmp").symlink_to(folder.name)
    (root / "..tmp").rename(root / "..data")


ROW = "prices: {{files: ['p*.yaml'], table: [{{provider: {0}, model: x, input: 1}}]}}"


def test_c30_all_files_of_one_load_are_of_one_generation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mount(tmp_path, "one", gateway__yaml=ROW.format("one"), p__yaml="- {provider: one, model: y, input: 1}")
    read_file = Path.open

    def swap_after_opening(path: Path, mode: str) -> object:
        monkeypatch.undo()
        opened = read_file(path, mode)
        mount(tmp_path, "two", gateway__yaml=ROW.format("two"), p__yaml="- {provider: two, model: y, input: 1}")
        return opened

    monkeypatch.setattr(Path, "open", swap_after_opening)
    loaded = load(tmp_path / "gateway.yaml", {})

    assert [row.provider for row in loaded.config.prices.table] == ["one", "one"]
    assert loaded.files == (tmp_path / "gateway.yaml", tmp_path / "p.yaml")
    assert (tmp_path / "..data").readlink() == Path("..two")


def test_c30_a_generation_that_vanishes_while_it_is_read_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mount(tmp_path, "one", gateway__yaml=ROW.format("one"), p__yaml="- {provider: one, model: y, input: 1}")

    def swap_before_opening(path: Path, mode: str) -> object:
        monkeypatch.undo()
        mount(tmp_path, "two", gateway__yaml=ROW.format("two"), p__yaml="- {provider: two, model: y, input: 1}")
        path.unlink()
        return path.open(mode)

    monkeypatch.setattr(Path, "open", swap_before_opening)
    loaded = load(tmp_path / "gateway.yaml", {})

    assert [row.provider for row in loaded.config.prices.table] == ["two", "two"]


def test_500_routes_are_read_fast_enough_for_a_reload(read: Callable[..., Loaded]) -> None:
    routes = "\n".join(
        f"  route-{i}: {{strategy: weighted, targets: [demo/a, {{target: demo/b, weight: 2}}]}}" for i in range(500)
    )

    loaded = read(f"providers: {{demo: {{kind: mock}}}}\nroutes:\n{routes}\n")

    assert len(loaded.config.routes) == 500
