"""A route's params, where a request lacks them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from costspan.dialects.gemini_generate.fields import camel
from costspan.dialects.gemini_generate.thinking import thinking_config
from costspan.dialects.gemini_generate.vocabulary import TIERS_OUT
from costspan.dialects.losses import Losses
from costspan.ir.request import Effort, ReasoningOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.wire import json

_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "max_tokens": "maxOutputTokens",
        "max_completion_tokens": "maxOutputTokens",
        "stop": "stopSequences",
        "n": "candidateCount",
        "reasoning_effort": "thinkingConfig",
    }
)
"""OpenAI's names that are no mere other spelling."""
_CONFIG_FIELDS: Final = frozenset(
    """
    audioTimestamp candidateCount enableEnhancedCivicAnswers frequencyPenalty imageConfig logprobs maxOutputTokens
    mediaResolution presencePenalty responseJsonSchema responseLogprobs responseMimeType responseModalities
    responseSchema routingConfig seed speechConfig stopSequences temperature thinkingConfig topK topP
    """.split()  # noqa: SIM905 - a paragraph of names reads better than a page
)
_CONFIG: Final = ("generationConfig", "generation_config")


def defaults(body: json.Object, params: Mapping[str, object]) -> json.Object:
    """Those of `params` that `body` has no word of, as the top-level fields to set.

    Most belong into `generationConfig`, which is given whole, under the spelling that the client used.
    """
    spelling = next((name for name in _CONFIG if isinstance(body.get(name), dict)), _CONFIG[0])
    given: dict[str, Any] = body.get(spelling) or {}
    in_config, present = {camel(name) for name in given}, {camel(name) for name in body}
    found: json.Object = {}
    added: json.Object = {}
    for name, value in params.items():
        own = _NAMES.get(name, camel(name))
        if own == _CONFIG[0] and isinstance(value, dict):
            added |= {inner: each for inner, each in value.items() if camel(inner) not in in_config}
        elif own in _CONFIG_FIELDS:
            if own not in in_config:
                added[own] = _value(name, value, body, given)
        elif own not in present:
            found[own] = TIERS_OUT.get(value, value) if own == "serviceTier" and isinstance(value, str) else value
    return {**found, spelling: {**given, **added}} if added else found


def _value(name: str, value: object, body: json.Object, given: json.Object) -> object:
    """OpenAI's value as this dialect's."""
    if name == "stop" and isinstance(value, str):
        return [value]
    if name == "reasoning_effort" and value in get_args(Effort):
        limit = given.get("maxOutputTokens") or given.get("max_output_tokens")
        options = ReasoningOptions(cast("Effort", value), exclude=True)
        model = str(body.get("model", ""))
        return thinking_config(options, model, limit if isinstance(limit, int) else None, Losses())
    return value
