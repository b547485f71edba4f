"""OpenRouter: `GET /api/v1/activity` (JSON), the activity page's CSV by day, and its CSV by generation.

Shapes: openrouter.ai/docs/client-sdks/python/components/activityitem.md (read 2026-11-25) and exports in public
repositories (columns `Date, Slug, Usage, BYOK Usage, Requests, Prompt Tokens, ...` of 2026-05; `generation_id,
created_at, cost_total, ..., byok_usage_inference, tokens_prompt, ...` of 2026-06, read 2026-11-25).

One amount for a model and day. `usage` is credits spent, `byok_usage_inference` what the model's own provider bills,
at market rates; both are spent, and the ledger's cost of an answer has both. Prompt tokens include cached ones,
completion tokens include reasoning (docs, cookbook/administration/activity-export, read 2026-11-25).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from costspan.billing import amounts
from costspan.billing.exports.charge import Charge
from costspan.ir.usage import INPUT_BUCKETS, OUTPUT_BUCKETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from costspan.billing.exports.rows import Row

NAME = "openrouter"
KINDS = frozenset({"openrouter"})
FOLDED: Mapping[str, str] = MappingProxyType(
    {
        **{bucket: "input" for bucket in INPUT_BUCKETS if bucket != "input"},
        **{bucket: "output" for bucket in OUTPUT_BUCKETS if bucket != "output"},
    }
)

_DAY: Final = ("date", "Date", "created_at")
_MODEL: Final = ("model", "Slug", "model_permaslug")
_SPENT: Final = ("usage", "Usage", "cost_total")
_BYOK: Final = ("byok_usage_inference", "BYOK Usage")
_PROMPT: Final = ("prompt_tokens", "Prompt Tokens", "tokens_prompt")
_COMPLETION: Final = ("completion_tokens", "Completion Tokens", "tokens_completion")


def recognises(row: Row) -> bool:
    """The answer of the API, or the columns of one of the two tables."""
    if row.has("data"):
        return all(item.has("model", "usage", "prompt_tokens") for item in row.objects("data")) and not row.has(
            "object"
        )
    return any(row.has(*names) for names in zip(_SPENT, _PROMPT, _COMPLETION, strict=True))


def charges(row: Row) -> Iterator[Charge]:
    """Of an answer all items; of a table one line."""
    for item in row.objects("data") if row.has("data") else (row,):
        day = item.day(*_DAY)
        model = item.text(*_MODEL)
        variant = item.text("variant")
        if model is None:
            raise item.flaw("model", "text")
        if variant not in {None, "standard"} and ":" not in model:
            model = f"{model}:{variant}"
        usd = amounts.add(item.needed(*_SPENT), item.count(*_BYOK))
        yield Charge(day, model, usd=usd)
        for bucket, names in (("input", _PROMPT), ("output", _COMPLETION)):
            if count := item.count(*names):
                yield Charge(day, model, bucket, count)
