"""Drafts as YAML: rows of a price table, to be read by people and by `prices.files`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costspan.pricing.described import plain
from costspan.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date
    from decimal import Decimal

    from costspan.pricing.foreign.draft import Draft, Part

_ORDER = (
    *("input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning"),
    *("input_audio", "cache_read_audio", "input_image", "input_video", "output_audio", "output_image"),
    *("per_request", "web_search", "file_search", "code_execution", "per_image", "per_audio_second"),
    *("per_audio_minute", "per_million_characters", "per_page", "per_search"),
)


def values(draft: Draft, source: str, begin: date | None) -> dict[str, Any]:
    """The row, in the words of the file; for checking it before it is written."""
    row: dict[str, Any] = {"provider": draft.provider, "model": draft.model}
    if begin is not None:
        row["from"] = begin.isoformat()
    row |= {"source": source, **_ordered(draft.base.rates)}
    if draft.base.tiers:
        row["tiers"] = _tiers(draft.base)
    if draft.service_tiers:
        row["service_tiers"] = {name: _service_tier(part) for name, part in draft.service_tiers.items()}
    if draft.hours:
        row["hours"] = [{"utc": utc, **_ordered(rates)} for utc, rates in draft.hours]
    return row


def _ordered(rates: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {word: rates[word] for word in _ORDER if word in rates}


def _tiers(part: Part) -> list[dict[str, Any]]:
    return [{"above": above, **_ordered(part.tiers[above])} for above in sorted(part.tiers) if part.tiers[above]]


def _service_tier(part: Part) -> dict[str, Any]:
    return {**_ordered(part.rates), **({"tiers": _tiers(part)} if part.tiers else {})}


def written(row: Mapping[str, Any], left_out: list[str]) -> str:
    """One row as YAML, with a remark on what it cannot say."""
    lines = list(_lines(row))
    lines += [f"# not in this row: {name}" for name in dict.fromkeys(map(_harmless, left_out))]
    return "- " + "\n  ".join(lines) + "\n"


def _lines(row: Mapping[str, Any]) -> Iterator[str]:
    for key, value in row.items():
        if isinstance(value, dict):
            yield f"{key}:"
            yield from (f"  {_scalar(name)}: {_flow(each)}" for name, each in value.items())
        elif isinstance(value, list):
            yield f"{key}:"
            yield from (f"  - {_flow(each)}" for each in value)
        else:
            yield f"{key}: {_scalar(value)}"


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(value: object) -> str:
    """Numbers bare, text quoted as JSON does, which YAML reads alike."""
    if isinstance(value, str):
        return json.text(value)
    return plain(value) if not isinstance(value, int) else str(value)  # type: ignore[arg-type] # - else a Decimal


def _harmless(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
