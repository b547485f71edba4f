"""Price lists of others, read from a file and made into rows of a price table. Nothing is fetched, nothing guessed.

What a row cannot say is listed with it, and what cannot become a row is listed with the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from costspan.errors import Malformed
from costspan.pricing.foreign import litellm, models_dev, openrouter

if TYPE_CHECKING:
    from costspan.pricing.foreign.draft import Imported, Names

Format: TypeAlias = Literal["litellm", "openrouter", "models-dev"]

_READERS: Final = {"litellm": litellm.read, "openrouter": openrouter.read, "models-dev": models_dev.read}


def guess(document: object) -> Format | None:
    """The format that `document` has, None when it is none of them."""
    match document:
        case {"data": [{"id": str(), "pricing": {}}, *_]}:
            return "openrouter"
        case {**entries} if any(isinstance(each, dict) and "litellm_provider" in each for each in entries.values()):
            return "litellm"
        case {**entries} if any(isinstance(each, dict) and "models" in each for each in entries.values()):
            return "models-dev"
    return None


def read(document: object, form: Format, names: Names) -> Imported:
    """Make rows of a decoded list. Raises `Malformed` where it has not the form that `form` names."""
    if not isinstance(document, dict):
        raise Malformed("the top level must be a JSON object")
    return _READERS[form](document, names)
