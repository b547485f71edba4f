"""What a request is expected to use on a target, in the buckets that are priced. Learned from the answers before it.

    tokens of the prompt   characters and media, corrected by what the target's model counted of prompts before
    cached and written     `held`: what of the conversation is in the target's cache
    tokens of the answer   `outputs`: the route's running distribution, and the target's own wordiness

A guess for decisions, never for the books. The price is applied by the caller.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from costspan.ir.usage import CHARS_PER_TOKEN, INPUT_BUCKETS, OUTPUT_BUCKETS, TOKENS_PER_MEDIUM
from costspan.routing.bounded import put
from costspan.routing.held import Held
from costspan.routing.lengths import Mean
from costspan.routing.outputs import Outputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.routing.asked import Asked

MAX_TARGETS = 4096
MAX_MIXES = 8192
LEAST_RATIO, MOST_RATIO = 0.2, 5.0
"""Of reported to estimated prompt tokens. Beyond them something is misread rather than another tokenizer at work."""
MOST_PER_MEDIUM = 20_000
MOST_PER_CHAR = ceil(MOST_RATIO / CHARS_PER_TOKEN)
"""Tokens. No prompt is expected to have more, whatever was learned of a model."""

_MEMORY = 32.0
_PRIOR = 0.25
"""Prompts' worth of an estimate that needs no correction."""
_INPUTS = frozenset(INPUT_BUCKETS)
_SAID = frozenset(OUTPUT_BUCKETS) - {"reasoning"}
_FRESH = frozenset({"input", "input_audio", "input_image", "input_video"})
_STEP = 2.0
"""One odd prompt (base64 in a text, a file of a thousand pages) moves the mean as if it were off by this factor."""
_TEMPLATE = 100
"""Estimated tokens at which a prompt's ratio counts half: providers put some words of their own around every prompt,
which is much of a short one."""


class Basis(NamedTuple):
    """What an expectation rests on, for whoever asks why."""

    likely: int
    """The output without the benefit of the doubt that a target has which answered little."""
    answers: float
    """How many of the target's own answers to requests of this kind it rests on."""
    ratio: float
    """What the target counts of a text, against the estimate."""
    cache: str
    """What of the request the target's cache was seen to hold: `conversation`, `prefix` or `nothing`."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A usage to price: `tokens` are disjoint buckets of `ir.usage`.

    `prompt` includes what is `cached`; `output` is of all choices together, reasoning included.
    """

    tokens: dict[str, int]
    prompt: int
    output: int
    cached: int
    basis: Basis


class _Prompts:
    """What one target counts of a prompt, against the estimate."""

    __slots__ = ("medium", "text")

    def __init__(self) -> None:
        self.text = Mean()
        self.text.count, self.text.value = _PRIOR, 1.0
        self.medium = Mean()

    def tokens(self, asked: Asked) -> float:
        tokens = asked.prompt_chars / CHARS_PER_TOKEN * self.text.value
        if asked.media:
            tokens += asked.media * (self.medium.value if self.medium.count else TOKENS_PER_MEDIUM)
        return tokens

    def learn(self, asked: Asked, tokens: int) -> None:
        text = asked.prompt_chars / CHARS_PER_TOKEN
        if asked.media:
            each = min(max((tokens - text * self.text.value) / asked.media, 1.0), MOST_PER_MEDIUM)
            self.medium.add(each, _MEMORY)
        elif text > 0:
            ratio = min(max(tokens / text, LEAST_RATIO), MOST_RATIO)
            if self.text.count >= 1.0:
                ratio = min(max(ratio, self.text.value / _STEP), self.text.value * _STEP)
            self.text.add(ratio, _MEMORY, text / (text + _TEMPLATE))


_UNKNOWN = _Prompts()


class _Mix:
    """Into which buckets tokens fall, as running shares."""

    __slots__ = ("_count", "shares")

    def __init__(self) -> None:
        self.shares: dict[str, float] = {}
        self._count = 0.0

    def add(self, counts: Mapping[str, int]) -> None:
        total = sum(counts.values())
        if not total:
            return
        self._count = min(self._count, _MEMORY) + 1.0
        for bucket in {*counts, *self.shares}:
            before = self.shares.get(bucket, 0.0)
            self.shares[bucket] = before + (counts.get(bucket, 0) / total - before) / self._count


class Expectations:
    """What one process has learned. Times are monotonic seconds, targets labels, routes names."""

    def __init__(self) -> None:
        self._prompts: OrderedDict[str, _Prompts] = OrderedDict()
        self._mixes: OrderedDict[tuple[str, str, str], _Mix] = OrderedDict()
        self._held = Held()
        self._outputs = Outputs()

    def usage(self, route: str, target: str, asked: Asked, now: float) -> Expected:
        """What the request is expected to use on `target`, asked for by way of `route`."""
        known = self._prompts.get(target, _UNKNOWN)
        prompt = known.tokens(asked)
        cached = self._held.expected(route, target, asked, prompt, now)
        each = self._outputs.expected(route, target, asked, now)
        said, thought = round(each.said * asked.n), round(each.thought * asked.n)
        read, write, long = round(cached.read), round(cached.write), round(cached.write_1h)
        fresh = max(round(prompt) - read - write - long, 0)
        tokens = {"input": fresh, "output": said}
        if self._mixes:
            tokens = self._split((route, target, "output"), said)
            tokens |= self._split((route, target, "input"), fresh) if asked.media else {"input": fresh}
        if read:
            tokens["cache_read"] = read
        if write:
            tokens["cache_write"] = write
        if long:
            tokens["cache_write_1h"] = long
        if thought:
            tokens["reasoning"] = thought
        basis = Basis(round(each.likely * asked.n), each.answers, known.text.value, cached.level)
        return Expected(tokens, fresh + read + write + long, said + thought, read, basis)

    def learn(self, route: str, target: str, asked: Asked, tokens: Mapping[str, int], now: float) -> None:
        """Take in the reported usage of an answer that `target` gave."""
        inputs = {bucket: count for bucket, count in tokens.items() if count > 0 and bucket in _INPUTS}
        said = {bucket: count for bucket, count in tokens.items() if count > 0 and bucket in _SAID}
        thought = tokens.get("reasoning", 0)
        if prompt := sum(inputs.values()):
            known = self._prompts.get(target)
            if known is None:
                known = put(self._prompts, target, _Prompts(), MAX_TARGETS)
            known.learn(asked, prompt)
            self._held.learn(route, target, asked, inputs, now)
        if asked.media:
            self._mix((route, target, "input"), {name: inputs[name] for name in inputs if name in _FRESH})
        if said or thought:
            if self._mixes or len(said) != 1 or "output" not in said:
                self._mix((route, target, "output"), said)
            choices = max(asked.n, 1)
            words = sum(said.values()) / choices
            self._outputs.learn(route, target, asked, said=words, thought=thought / choices, now=now)

    def _mix(self, key: tuple[str, str, str], counts: Mapping[str, int]) -> None:
        """Remember into which buckets tokens fell, once some have fallen into another than the plain one."""
        mix = self._mixes.get(key)
        if mix is None:
            if counts.keys() <= {key[2]}:
                return
            mix = put(self._mixes, key, _Mix(), MAX_MIXES)
        mix.add(counts)

    def _split(self, key: tuple[str, str, str], tokens: int) -> dict[str, int]:
        """`tokens` in the buckets that they were seen in, else all in the plain one; rounding goes to the largest."""
        mix = self._mixes.get(key)
        if mix is None:
            return {key[2]: tokens}
        counts = {name: round(tokens * share) for name, share in mix.shares.items()}
        largest = max(counts, key=lambda name: counts[name])
        counts[largest] += tokens - sum(counts.values())
        return {name: count for name, count in counts.items() if count > 0}
