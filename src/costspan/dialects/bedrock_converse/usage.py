"""The `usage` object, of whole answers and of a stream's `metadata`, by one reader.

`inputTokens` is without what was read from and written to the cache, `outputTokens` with the thinking, whose share is
not told. `cacheDetails` tells for how long was written (docs.aws.amazon.com/bedrock, prompt-caching; botocore 1.44.1;
read 2026-11-25). OpenAI's models break the first rule in streams, by maximhq/bifrost#6942: nothing in the numbers or
the answer tells that, so they are believed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.dialects.counts import Counts
from costspan.dialects.types import PLAIN
from costspan.ir.usage import Usage

if TYPE_CHECKING:
    from costspan.dialects.types import Profile
    from costspan.wire import json


def read_usage(body: json.Object, profile: Profile = PLAIN) -> Usage | None:  # noqa: ARG001 - there is one host
    """Usage of a whole answer, or of the event that holds it; None where it reports none."""
    report = body.get("usage")
    if not isinstance(report, dict) or all(report.get(name) is None for name in ("inputTokens", "outputTokens")):
        return None
    counts = Counts()
    fresh, output = counts.count(report, "inputTokens"), counts.count(report, "outputTokens")
    read, written = counts.count(report, "cacheReadInputTokens"), counts.count(report, "cacheWriteInputTokens")
    writes = counts.split(written, "cache_write", [("cache_write_1h", _written_for_an_hour(report, counts))])
    tokens = {"input": fresh, "cache_read": read, **writes, "output": output}
    total = counts.count(report, "totalTokens")
    contradicts = bool(total) and total not in {fresh + output, fresh + read + written + output}
    return Usage(
        tokens={bucket: count for bucket, count in tokens.items() if count},
        inconsistent=counts.inconsistent or contradicts,
        service_tier=_tier(body),
    )


def _written_for_an_hour(report: json.Object, counts: Counts) -> int:
    details = report.get("cacheDetails")
    found = [detail for detail in details if isinstance(detail, dict)] if isinstance(details, list) else []
    return sum(counts.count(detail, "inputTokens") for detail in found if detail.get("ttl") == "1h")


def _tier(body: json.Object) -> str | None:
    match body.get("serviceTier"):
        case {"type": str(tier)}:
            return tier
        case _:
            return None
