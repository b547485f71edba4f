"""What models on Bedrock take beyond what all do, told by the id. An id that hides its model is refused nothing.

Ids: `anthropic.claude-…`, with a region's prefix (`us.`, `global.`), or an ARN that ends in one. An application
inference profile and a provisioned model name no model.

Sources, read 2026-11-25:
docs.aws.amazon.com/bedrock: structured-output, prompt-caching (Claude and Nova; 1h for Claude 4.5 and newer; of tools,
Claude alone), model cards. Claude 4.7 and 4.8 take no schema there: vercel/ai#15288, #17919, anomalyco/models.dev#1765;
`strict` of a tool neither those nor Claude 5. One tool at a time, Claude 4.5 and newer: BerriAI/litellm#34347.
docs.aws.amazon.com/nova, extended thinking: Nova 2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from costspan.dialects.claude import models as claude

_REGION: Final = re.compile(r"^(?:us|eu|apac|jp|au|ca|global|us-gov)\.")
_ANY_OF_THEIRS: Final = ""

# Whose answers cannot be held to a schema: the vendor, and how the names of those models begin.
_NO_SCHEMA: Final = {
    "amazon": (_ANY_OF_THEIRS,),
    "meta": (_ANY_OF_THEIRS,),
    "cohere": (_ANY_OF_THEIRS,),
    "ai21": (_ANY_OF_THEIRS,),
    "writer": (_ANY_OF_THEIRS,),
    "deepseek": ("r1",),
    "mistral": ("mistral-7b", "mixtral", "mistral-large-24", "mistral-small-24", "pixtral"),
}


@dataclass(frozen=True, slots=True)
class Traits:
    """What a model takes."""

    claude: bool = False
    nova: bool = False
    reasoning_effort: bool = False
    """`reasoning_effort` among the model's own fields: gpt-oss. Low to high."""
    reasoning_config: bool = False
    """`reasoningConfig` there: Nova 2. Low to high."""
    caches: bool = True
    caches_tools: bool = True
    caches_for_an_hour: bool = True
    schemas: bool = True
    strict_tools: bool = True
    one_tool_at_a_time: bool = False
    failed_tools: bool = True
    """Whether a tool's result can say that it is an error."""


def traits_of(model: str) -> Traits:
    """What `model` takes."""
    if "claude" in model:
        return _of_claude(model)
    vendor, name = _vendor(model)
    if vendor is None:
        return Traits()
    schemas = not name.startswith(_NO_SCHEMA.get(vendor, ("\0",)))
    nova = vendor == "amazon" and name.startswith("nova")
    return Traits(
        nova=nova,
        reasoning_effort=name.startswith("gpt-oss"),
        reasoning_config=name.startswith("nova-2"),
        caches=nova,
        caches_tools=False,
        caches_for_an_hour=False,
        schemas=schemas,
        strict_tools=schemas,
        failed_tools=nova,
    )


def _of_claude(model: str) -> Traits:
    of_anthropic = claude.traits_of(model)
    recent = of_anthropic.schemas  # 4.5 and newer
    return Traits(
        claude=True,
        caches_for_an_hour=recent,
        schemas=recent and of_anthropic.off != "",  # what 4.7 and 4.8 alone say
        strict_tools=recent and of_anthropic.budgets,
        one_tool_at_a_time=recent,
    )


def _vendor(model: str) -> tuple[str | None, str]:
    """Who made the model, and its name; None where the id tells neither."""
    id_ = _REGION.sub("", model.rpartition("/")[2])
    vendor, dot, name = id_.partition(".")
    return (vendor, name) if dot and vendor.isalnum() else (None, id_)
