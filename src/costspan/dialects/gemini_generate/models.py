"""What generations of Gemini take, told by the model's name. Names that are none of Gemini's are refused nothing.

Sources, read 2026-11-25:
docs.cloud.google.com, Gemini 3.5 Flash guide and `models/thinking`: levels of 3.1 Pro, 3.5 Flash, 3.1 Flash-Lite, 3.8
Flash; ai.google.dev, whats-new-gemini-3.7: levels of 3.7 Flash; simonw/llm-gemini 0.34: the same for 3.8 Flash.
Gemini 3 Pro: low and high only; 3 Flash from minimal on. A model of 2.5 answers 400 to a level, and one of 3 to a level
beside a budget. Budgets of 2.5: Pro 128 to 32768, Flash up to 24576, Flash-Lite from 512; 0 switches the Flashes off.
google-genai 3.4.0, `ThinkingConfig`: an error for models that do not think.
ai.google.dev, thought-signatures: from 3 on, a function call of the running turn without a signature is a 400.
ai.google.dev, function-calling: media inside function responses from 3 on.
googleapis/python-genai#867 and #706: "Function calling with a response mime type: 'application/json' is unsupported"
for 2.5 and older; works from 3 on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from costspan.ir.request import Effort

_NAME: Final = re.compile(r"gemini-(?P<major>\d+)(?:[.-](?P<minor>\d)(?!\d))?(?:-(?P<kind>pro|flash-lite|flash))?")
_LATEST: Final = re.compile(r"gemini-(?P<kind>pro|flash-lite|flash)-latest")
_SILENT: Final = re.compile(r"-(tts|native-audio|live|image-generation)")
_IMAGE: Final = re.compile(r"-image")

_ALL: Final[tuple[Effort, ...]] = ("minimal", "low", "medium", "high")
_FROM_LOW: Final[tuple[Effort, ...]] = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Traits:
    """What a model takes. `levels` are its thinking levels, weakest first; empty where it takes budgets, or none."""

    version: tuple[int, int] | None = None
    levels: tuple[Effort, ...] = ()
    budget: tuple[int, int] | None = (1, 2**31 - 1)
    """The least and the most tokens to think with; None where it takes no budget."""
    may_not_think: bool = True
    """Whether thinking can be switched off, or the model does not think anyway."""
    json_beside_tools: bool = True
    """Whether an answer can be held to JSON while there are functions to call."""

    @property
    def signs(self) -> bool:
        """Whether a function call must come back signed. Media inside its result are taken from then on, too."""
        return self.version is not None and self.version >= (3, 0)


_ANY: Final = Traits()


def traits_of(model: str) -> Traits:
    """What `model` takes."""
    name = model.lower()
    if _LATEST.search(name):
        return Traits((3, 8), _FROM_LOW, None, may_not_think=False)
    found = _NAME.search(name)
    if found is None:
        return _ANY
    version = (int(found["major"]), int(found["minor"] or 0))
    kind = found["kind"] or ""
    if version >= (3, 0):
        return Traits(version, _levels(version, kind), None, may_not_think=False)
    thinks = version >= (2, 5) and not _SILENT.search(name) and not _IMAGE.search(name)
    if not thinks:
        return Traits(version, budget=None, json_beside_tools=False)
    if kind == "pro":
        return Traits(version, budget=(128, 32_768), may_not_think=False, json_beside_tools=False)
    return Traits(version, budget=(512 if kind == "flash-lite" else 1, 24_576), json_beside_tools=False)


def _levels(version: tuple[int, int], kind: str) -> tuple[Effort, ...]:
    if kind == "pro":
        return ("low", "high") if version == (3, 0) else _FROM_LOW
    return _ALL if version < (3, 6) else _FROM_LOW


def bills_by_query(model: str) -> bool:
    """Whether each web search is billed rather than each request that searched.

    ai.google.dev/gemini-api/docs/pricing and google-search, read 2026-11-25: from Gemini 3 on by the query, before by
    the grounded request. A model that is not known is taken for a new one.
    """
    version = traits_of(model).version
    return version is None or version >= (3, 0)
