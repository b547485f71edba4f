"""`costspan prices import`: rows of a price table from somebody else's list. Reads a file, never the network."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final, TextIO

from pydantic import ValidationError

from costspan.cli.tables import printable
from costspan.config import yaml_loader
from costspan.config.prices import PriceRow
from costspan.errors import Malformed
from costspan.pricing import foreign
from costspan.pricing.described import plain
from costspan.pricing.foreign import rows
from costspan.pricing.foreign.draft import Names
from costspan.providers.price_lists import INCLUSIVE, LITELLM, MADE_OF_ONE_WORD, MODELS_DEV
from costspan.wire import json

if TYPE_CHECKING:
    from pathlib import Path

    from costspan.pricing.foreign import Format
    from costspan.pricing.foreign.draft import Draft, Imported

MAX_BYTES: Final = 64 * 2**20
_WORDS: Final = {"litellm": "LiteLLM", "openrouter": "OpenRouter", "models-dev": "models.dev"}
_LONGEST_SOURCE: Final = 300
_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to read, and what to write of it. `as_of` is the day on which the list was fetched."""

    file: Path
    form: Format | None
    provider: str | None
    as_of: date | None
    begin: date | None
    write: Path | None
    replace: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """One row, as values and as YAML."""

    draft: Draft
    values: dict[str, Any]
    text: str


def run(wanted: Wanted, out: TextIO, *, as_json: bool) -> int:
    """Read the list and write the rows. Returns 0; 1 when it cannot be read, written or has no rows to give."""
    try:
        data = _read(wanted.file)
        document = json.loads_exactly(data.decode())
        form = wanted.form or foreign.guess(document)
        if form is None:
            return _refuse("of none of the formats litellm, openrouter, models-dev; say which with --format")
        found = foreign.read(document, form, _names(form, wanted.provider))
    except (OSError, UnicodeDecodeError, Malformed) as error:
        return _refuse(f"cannot be read as a price list: {_reason(error)}")
    as_of = wanted.as_of or datetime.fromtimestamp(wanted.file.stat().st_mtime, UTC).date()
    made = _rows(found, form, as_of, wanted.begin)
    if not made:
        _tell(found, made)
        return _refuse("no row came of it")
    text = _document(made, form, as_of)
    if wanted.write is not None and (trouble := _write(wanted.write, text, replace=wanted.replace)):
        return _refuse(trouble)
    if as_json:
        out.write(json.text(_summary(found, made)) + "\n")
    elif wanted.write is None:
        out.write(text)
    _tell(found, made)
    return 0


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        data = opened.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise Malformed(f"more than {MAX_BYTES} bytes")
    return data


def _names(form: Format, only: str | None) -> Names:
    kinds = {"litellm": LITELLM, "openrouter": {"openrouter": "openrouter"}, "models-dev": MODELS_DEV}[form]
    return Names(kinds, only, MADE_OF_ONE_WORD, INCLUSIVE)


def _rows(found: Imported, form: Format, as_of: date, begin: date | None) -> list[Made]:
    """Rows that a configuration would take; the others become skipped, with the configuration's reason."""
    made: list[Made] = []
    for draft in found.drafts:
        values = rows.values(draft, _source(draft, form, as_of), begin)
        if reason := _trouble(values):
            found.skipped.append((draft.name, reason))
        else:
            made.append(Made(draft, values, rows.written(values, draft.left_out)))
    return made


def _trouble(values: dict[str, Any]) -> str | None:
    try:
        PriceRow.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg'].removeprefix('Value error, ')}"
    return None


def _source(draft: Draft, form: Format, as_of: date) -> str:
    """Where the facts are from; the day comes last, for the age of the row."""
    seen_at = draft.seen_at or ""
    told = f", {seen_at}" if seen_at.isprintable() and "${" not in seen_at and seen_at else ""
    return f"{_WORDS[form]}: {draft.name}{told[:_LONGEST_SOURCE]}, list of {as_of}"


def _document(made: list[Made], form: Format, as_of: date) -> str:
    head = (
        f"# Written by costspan prices import from a list of {_WORDS[form]}, of {as_of}. USD per million tokens, fees\n"
        "# for one. Somebody else's facts: hold them against the provider's own page, then costspan prices lint.\n"
    )
    return head + "".join(each.text for each in made)


def _write(path: Path, text: str, *, replace: bool) -> str | None:
    """Write the file, once it is known that `prices.files` can read it. Returns what is wrong."""
    problem = _unreadable(text, str(path))
    if problem is not None:
        return problem
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w" if replace else "x") as opened:
            opened.write(text)
    except FileExistsError:
        return f"{path} exists; --force replaces it"
    except OSError as error:
        return f"{path} cannot be written: {error.strerror or 'error'}"
    return None


def _unreadable(text: str, name: str) -> str | None:
    if len(text.encode()) > yaml_loader.MAX_BYTES:
        return f"{len(text.encode())} bytes, more than a price file may have; take less with --provider"
    yaml_loader.parse(text.encode(), name)
    return None


def _summary(found: Imported, made: list[Made]) -> json.Object:
    return {
        "rows": [
            {**_as_json(each.values), "not_in_this_row": list(dict.fromkeys(map(printable, each.draft.left_out)))}
            for each in made
        ],
        "skipped": [{"name": printable(name), "reason": reason} for name, reason in found.skipped],
        "other_providers": {printable(name): count for name, count in found.foreign.items()},
    }


def _as_json(value: Any) -> Any:  # noqa: ANN401 - a row is any value of YAML
    match value:
        case dict():
            return {key: _as_json(each) for key, each in value.items()}
        case list():
            return [_as_json(each) for each in value]
        case str() | int():
            return value
    return plain(value)


def _tell(found: Imported, made: list[Made]) -> None:
    """Say on stderr what did not become a row."""
    err = sys.stderr
    err.write(f"{len(made)} row(s), {len(found.skipped)} skipped\n")
    for reason, names in _by_reason(found).items():
        err.write(f"skipped {len(names)} ({printable(reason)}): {', '.join(map(printable, names))}\n")
    left_out: dict[str, int] = {}
    for each in made:
        for name in dict.fromkeys(each.draft.left_out):
            left_out[name] = left_out.get(name, 0) + 1
    err.writelines(f"not in {count} row(s): {printable(name)}\n" for name, count in sorted(left_out.items()))
    if found.foreign:
        most = sorted(found.foreign.items(), key=lambda each: -each[1])
        named = ", ".join(f"{printable(name) or '(none)'} ({count})" for name, count in most[:_SHOWN])
        more = f" and {len(most) - _SHOWN} more" if len(most) > _SHOWN else ""
        err.write(f"not read, of providers that are no kind here (--provider takes one): {named}{more}\n")


def _by_reason(found: Imported) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for name, reason in found.skipped:
        reasons.setdefault(reason, []).append(name)
    return reasons


def _refuse(reason: str) -> int:
    sys.stderr.write(f"costspan prices import: {reason}\n")
    return 1


def _reason(error: Exception) -> str:
    match error:
        case UnicodeDecodeError():
            return "not UTF-8"
        case OSError():
            return error.strerror or "error"
    return str(error)
