"""Writes the pages of docs/ that are tables of the code: `python tests/docs/generate.py`.

docs/config.md has a generator of its own (`python -m costspan.config.reference`), because `costspan schema` shares it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from costspan.providers.hosts import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costspan.providers.kind import Kind

ROOT = Path(__file__).parents[2]
PROVIDERS = ROOT / "docs" / "providers.md"

_HEAD = """\
<!-- Generated from src/costspan/providers by `python tests/docs/generate.py`. Do not edit. -->

# Providers

A provider is an account of yours: an entry of `providers:` in gateway.yaml. An entry with the name of a kind needs no
`kind` and no `base_url`; an entry of another name says its `kind`. A host with an OpenAI-compatible API that is not in
this table is `kind: openai-compatible` with a `base_url`.

| kind | base URL | key in | usual key variable |
|---|---|---|---|
"""

_DIALECTS = """
`credentials`: without `api_key`, requests are signed by what the cloud's own library finds: AWS's credential chain,
Google's application-default credentials, or a Microsoft Entra identity. They are renewed in the background before they
expire. The libraries are extras: `pip install 'costspan[bedrock]'`, `[vertex]`, `[azure]`.

An account needs more where its address does: `region` (bedrock), `project` and `location` (vertex), `base_url` (azure:
the resource, `https://NAME.openai.azure.com`; the name of a deployment is the model). Azure is asked by its v1 API;
`api_version: 2025-04-01-preview` asks by that version, with the deployment in the path. The base URL of anthropic,
cohere, gemini, mistral and vertex may be written without its version, as their own SDKs take it.

## Dialects

What a kind speaks, in order of preference. A client's own dialect is used where it is among them, so that the request
passes as it is; else the first of the same operation. `dialects` of an entry overrides those of the operations that it
names.

| kind | models | dialects |
|---|---|---|
"""

_BILLING = """
## Prices, and clients that leave

`catalog` is the provider's name in genai-prices, where prices are looked up that your table does not have; `price_as`
overrides it. Without one, only your table has prices. `abort stops billing` says what is done when a client leaves
during an answer: `yes` closes the connection, `no` reads the answer to its end in the background (at most 60 s, 64 at
one time) to learn its true usage, `streams` closes that of a stream and reads whole answers on: they are billed in
full. `abort_stops_billing` overrides it for both. Source: [OpenRouter's table of who stops][cancel], read 2026-11-26;
for ollama and vllm their own word. Whoever is not named there, or not known, is read on.

[cancel]: https://openrouter.ai/docs/api-reference/streaming

| kind | catalog | abort stops billing |
|---|---|---|
"""

_START = """
## Model names of a start without a file

With no gateway.yaml, each kind whose key variable is set is a provider, and these model names are routed to it. Where
two patterns match a name, the one with more literal characters is taken.

| kind | model names |
|---|---|
"""

_DIFFERENCES = """
## Differences

Applied when a request is translated. In a passthrough the client's own fields go on as they are. `kept` are fields that
are not OpenAI's and that the host takes under their own name.

| kind | fields sent under another name | fields left out (a loss) | peculiarities |
|---|---|---|---|
"""

_PECULIARITIES = {
    "accepts_cache_control": "takes `cache_control` on content parts and tools",
    "accepts_file_urls": "takes a plain URL in `file.file_data`",
    "accepts_reasoning": "takes `reasoning` and `reasoning_details` on assistant messages",
    "accepts_reasoning_content": "takes `reasoning_content` on assistant messages",
    "fetches_nothing": "takes images and documents by their bytes only, of Claude",
    "ends_without_done": "sends no `[DONE]`: a stream is complete once every choice has a finish reason",
    "nine_character_tool_ids": "insists on tool-call ids of nine letters or digits",
    "reasoning_outside_completion": "does not count reasoning tokens in `completion_tokens`",
    "research_apart": "counts `citation_tokens` and `reasoning_tokens` of its research in no total",
}


def providers_markdown() -> str:
    """Return docs/providers.md."""
    kinds = tuple(KINDS.values())
    parts = [
        _HEAD,
        *map(_row, kinds),
        _DIALECTS,
        *(line for kind in kinds for line in _spoken(kind)),
        _BILLING,
        *map(_billing, kinds),
        _START,
    ]
    parts += [_line(kind.name, ", ".join(map(_code, kind.globs))) for kind in kinds if kind.globs]
    parts += [_DIFFERENCES, *_differences(kinds), "\n"]
    named = sorted({name for kind in kinds for name in kind.profile.quirks})
    parts += [f"- `{name}`: {_PECULIARITIES[name]}.\n" for name in named]
    return "".join(parts)


def _row(kind: Kind) -> str:
    address = "none: answers inside the gateway" if kind.name == "mock" else kind.base_url or "`base_url` required"
    places = {"bearer": "`Authorization: Bearer`", "none": "none"}
    key = places.get(kind.auth, f"`{kind.auth}`") + (", or credentials" if kind.credentials else "")
    variables = (kind.key_variable, *kind.other_key_variables) if kind.key_variable else ()
    return _line(kind.name, address, key, ", ".join(map(_code, variables)))


def _spoken(kind: Kind) -> Iterator[str]:
    for rule in kind.rules:
        yield _line(kind.name, ", ".join(map(_code, rule.globs)), ", ".join(rule.dialects))
    yield _line(kind.name, "others" if kind.rules else "all", ", ".join(kind.dialects))


def _billing(kind: Kind) -> str:
    stops = "yes" if kind.abort_stops_whole else "streams" if kind.abort_stops_billing else "no"
    return _line(kind.name, kind.catalog or "none", stops)


def _differences(kinds: tuple[Kind, ...]) -> Iterator[str]:
    for kind in kinds:
        profile = kind.profile
        renamed = [f"`{old}` as `{new}`" if old != new else f"`{old}` kept" for old, new in profile.rename.items()]
        if renamed or profile.rejects or profile.quirks:
            rejected, quirks = sorted(profile.rejects), sorted(profile.quirks)
            yield _line(
                kind.name, ", ".join(sorted(renamed)), ", ".join(map(_code, rejected)), ", ".join(map(_code, quirks))
            )


def _code(text: str) -> str:
    return f"`{text}`"


def _line(first: str, *cells: str) -> str:
    return f"| {' | '.join([_code(first), *(cell or 'none' for cell in cells)])} |\n"


if __name__ == "__main__":
    PROVIDERS.write_text(providers_markdown())
