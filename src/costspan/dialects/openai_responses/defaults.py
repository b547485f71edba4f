"""A route's params, where a request lacks them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.wire import json

_PLACES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "max_tokens": ("max_output_tokens",),
        "max_completion_tokens": ("max_output_tokens",),
        "reasoning_effort": ("reasoning", "effort"),
        "verbosity": ("text", "verbosity"),
        "response_format": ("text", "format"),
    }
)
"""Where this dialect has what openai-chat calls otherwise."""
_UNKNOWN: Final = frozenset(
    """
    stop seed n logit_bias logprobs presence_penalty frequency_penalty top_k min_p repetition_penalty stop_sequences
    """.split()  # noqa: SIM905 - a paragraph of names reads better than a page
)
"""What it has nowhere: a server would answer 400 to it."""


def defaults(body: json.Object, params: Mapping[str, object]) -> json.Object:
    """Those of `params` that `body` has no word of, as the top-level fields to set."""
    added: json.Object = {}
    for name, value in params.items():
        if name in _UNKNOWN:
            continue
        field, *inner = _PLACES.get(name, (name,))
        if not inner:
            if field not in body:
                added[field] = value
        elif not _within(body, field).get(inner[0]):
            added[field] = {**_within(body, field), **_within(added, field), inner[0]: _format(name, value)}
    return added


def _within(body: json.Object, field: str) -> json.Object:
    value = body.get(field)
    return value if isinstance(value, dict) else {}


def _format(name: str, value: object) -> object:
    """openai-chat keeps a schema one level deeper."""
    if name == "response_format" and isinstance(value, dict) and isinstance(value.get("json_schema"), dict):
        return {"type": "json_schema", **value["json_schema"]}
    return value
