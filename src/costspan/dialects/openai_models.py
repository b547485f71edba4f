"""What OpenAI's models that think refuse, in both of its chat dialects: a field of these is a 400.

"temperature, top_p, logprobs" go with effort `none` only, from gpt-5.1 on, and never with older ones: OpenAI's guide
to gpt-5.1 as quoted in github.com/vercel/ai/issues/10932; penalties, bias and `stop`: litellm's
`gpt_5_transformation.py` and, for o3 and o4, its `o_series_transformation.py`. "Only the default (1) value is
supported" of temperature: github.com/chatboxai/chatbox/issues/2627. gpt-5.6 thinks unless it is told not to
(github.com/BerriAI/litellm/pull/34569); that gpt-5.5 does, and later models, is assumed. "object schema missing
properties": github.com/containers/kubernetes-mcp-server/issues/340. All read 2026-11-26.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from costspan.ir.request import Sampling

if TYPE_CHECKING:
    from costspan.ir.request import Effort, Request
    from costspan.wire import json

_THINKING: Final = re.compile(r"(?:o1|o3|o4|codex-mini)(?!\w)|gpt-5(?![.\d]*-(?:chat|search))|gpt-(?:[6-9]|\d\d)")
_MAY_REST: Final = re.compile(r"gpt-5\.\d+(?!\d)(?!-(?:codex|pro))")
"""Those that take the effort `none`."""
_RESTING: Final = re.compile(r"gpt-5\.[1-4](?!\d)")
"""Those of them that do not think unless asked."""
_TAKING_STOP: Final = re.compile(r"o1(?!\w)")


def accepted(request: Request, effort: Effort | None) -> tuple[Request, tuple[str, ...]]:
    """`request` without what its model refuses at the effort that is sent (None: its own), and what that loses.

    Left out is the default of a field too, which asks for nothing.
    """
    name = request.model.rpartition("/")[2].lower()
    if not _THINKING.match(name):
        return request, ()
    given = request.sampling
    kept = replace(given, presence_penalty=None, frequency_penalty=None, logit_bias=None)
    stop = request.stop if _TAKING_STOP.match(name) else ()
    if _rests(name, effort):
        fitted = replace(request, sampling=kept, stop=stop)
    else:
        kept = replace(kept, temperature=None, top_p=None)
        fitted = replace(request, sampling=kept, stop=stop, logprobs=False, top_logprobs=None)
    return fitted, tuple(_lost(request, fitted))


def _rests(name: str, effort: Effort | None) -> bool:
    if not _MAY_REST.match(name):
        return False
    return effort == "none" or (effort is None and bool(_RESTING.match(name)))


_DEFAULTS: Final = Sampling(temperature=1, top_p=1, presence_penalty=0, frequency_penalty=0, logit_bias={})


def _lost(asked: Request, fitted: Request) -> list[str]:
    sampling = [
        field
        for field in ("temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias")
        if (value := getattr(asked.sampling, field)) is not None
        and getattr(fitted.sampling, field) is None
        and value != getattr(_DEFAULTS, field)
    ]
    rest = [
        field for field in ("stop", "logprobs", "top_logprobs") if getattr(asked, field) and not getattr(fitted, field)
    ]
    return sampling + rest


def parameters(schema: json.Object) -> json.Object:
    """A function's parameters as they are taken: an object that lists its properties, though there be none.

    MCP servers say `{"type": "object"}` of a tool without arguments, and Anthropic takes it.
    """
    if schema.get("type", "object") != "object":
        return schema
    properties = schema.get("properties")
    return {"type": "object", **schema, "properties": {} if properties is None else properties}
