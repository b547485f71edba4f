"""A configuration without a file: every provider whose usual key variable is set, and routes for its models.

What is built is exactly what `costspan init` writes out, read by the same reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from costspan.config.folder import Folder
from costspan.config.load import load_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from costspan.config.load import Loaded

NAME = "(environment)"
"""Stands for the file in problems and in the provenance of prices."""

_HEAD = """\
# yaml-language-server: $schema=gateway.schema.json
# Written by `costspan init`. All keys with their defaults: docs/config.md; a full example: gateway.yaml.example.
# For checks and completion in the editor: costspan schema > gateway.schema.json

server:
  listen: 127.0.0.1:8080        # elsewhere than on loopback, `keys` are required

# Your own accounts: providers bill you directly. ${NAME} is read from the environment; keys never stand in this file.
"""

_TAIL = """\

direct_targets: true            # `provider/model` may be asked for without a route

# prices:                       # looked up before the built-in catalog; USD per million tokens
#   table:
#     - {provider: openai, model: gpt-5.4, from: 2026-01-01, input: 2.5, output: 15, cache_read: 0.25}

# keys:                         # costspan key new NAME
# budgets:
#   - {name: all, match: {}, usd: 100, per: month, warn_at: 80%, on_exceed: reject}

ledger:
  dir: ./ledger                 # one JSON line per attempt and exchange; null = off
"""


@dataclass(frozen=True, slots=True)
class KnownProvider:
    """A provider that its name alone configures.

    `env_var` is the variable that usually holds its key, `other_vars` may hold it too; `globs` match the names of its
    models.
    """

    name: str
    env_var: str
    globs: tuple[str, ...] = ()
    other_vars: tuple[str, ...] = ()

    def variable(self, environ: Mapping[str, str]) -> str | None:
        """The first of its variables that is set."""
        return next((name for name in (self.env_var, *self.other_vars) if environ.get(name)), None)


def from_environment(environ: Mapping[str, str], known: Sequence[KnownProvider]) -> Loaded:
    """Return the configuration that the environment stands for. Raises `ConfigError` when a key in it is unusable."""
    return load_text(render_yaml(environ, known), NAME, environ, Folder(Path("gateway.yaml")))


def render_yaml(environ: Mapping[str, str], known: Sequence[KnownProvider]) -> str:
    """Write the configuration of this environment as a commented file. Holds references, never values."""
    variables = {provider: provider.variable(environ) for provider in known}
    present = [provider for provider, variable in variables.items() if variable is not None]
    lines = [_HEAD.rstrip("\n"), "providers:"]
    lines += [f"  {_provider(provider, variable)}" for provider, variable in variables.items() if variable is not None]
    lines += [
        f"  # {_provider(provider, provider.env_var)}" for provider, variable in variables.items() if variable is None
    ]
    lines += ["", *_routes(present), _TAIL.rstrip("\n")]
    return "\n".join(lines) + "\n"


def _provider(provider: KnownProvider, variable: str) -> str:
    return f'{provider.name}: {{api_key: "${{{variable}}}"}}'


def _routes(present: Sequence[KnownProvider]) -> Iterator[str]:
    routes: dict[str, str] = {}
    for provider in present:
        for glob in provider.globs:
            routes.setdefault(glob, f'  "{glob}": "{provider.name}/{{model}}"')
    yield "routes:                         # model names that clients ask for; {model} is the name asked for"
    yield from routes.values() or ["  # smart: {targets: [openai/gpt-5.4, anthropic/claude-sonnet-5]}"]
