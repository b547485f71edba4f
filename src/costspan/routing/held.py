"""What of a prompt is in a target's cache, and what of the rest will be written to it.

Remembered by fingerprint and target: how many tokens of the conversation, and of the instructions that many
conversations share, the target was last seen to hold, and until when. Learned by target: which share of that comes back
as cached. Caches that work by themselves say nothing when they take something in, and not every provider has one: until
it has shown, half of it is believed to come back, of as much as most providers cache. The first answer decides.

    where           base of the share
    conversation    the conversation's last prompt; of targets that report writes, what was read and written then
    prefix          the tokens of the instructions and tools
    nothing known   the whole prompt
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from costspan.routing.bounded import put, used
from costspan.routing.lengths import Mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.routing.asked import Asked

MAX_HELD = 50_000
"""Conversations and prefixes by target, some 300 bytes each. The least used are forgotten first."""
MAX_SHARES = 16_384
MAX_TARGETS = 4096

SECONDS = 300.0
"""How long a cache keeps what nobody uses. Anthropic: five minutes from the last use; OpenAI: five to ten without any
(their prompt-caching guides, as quoted on 2026-11-26); Gemini and others promise nothing."""
LONG_SECONDS = 3600.0
"""The same where it was written for an hour (Anthropic's `ttl: 1h`)."""

_CLASSES = (1024, 2048, 4096)
"""Least prompts that providers cache: 1,024 tokens at OpenAI and for most of Claude, 2,048 and 4,096 for other models
(the same guides). Shares are learned apart between them, or short prompts would spoil those of long ones."""
_UNSEEN = 0.5
"""Believed to come back of what a target was asked before, of `_CLASSES`' least at least, until it has shown. OpenAI
(https://developers.openai.com/api/docs/guides/prompt-caching), Gemini since 2.5
(https://ai.google.dev/gemini-api/docs/caching), DeepSeek (https://api-docs.deepseek.com/guides/kv_cache) and xAI cache
unasked; Anthropic does not. A target that is believed to hold nothing is not asked again where others hold something,
and never shows that it does."""
_MEMORY = 16.0
_MOST = 1.25
"""A cache may hold the last answer too, which is no part of the last prompt."""

_LONGER = 1.25
"""A conversation grows. One that seems to have shrunk by more than an estimate errs is another that began alike."""

CONVERSATION, PREFIX, NOTHING = "conversation", "prefix", "nothing"


class Cached(NamedTuple):
    """Expected tokens of a prompt, disjoint. `level` says what was recognised."""

    read: float
    write: float
    write_1h: float
    level: str


class _Entry(NamedTuple):
    tokens: float
    until: float
    seconds: float


class Held:
    """The memory of one process. Times are monotonic seconds."""

    def __init__(self, max_held: int = MAX_HELD) -> None:
        self._max_held = max_held
        self._entries: OrderedDict[tuple[str, bytes], _Entry] = OrderedDict()
        self._shares: OrderedDict[tuple[object, ...], Mean] = OrderedDict()
        self._writers: OrderedDict[str, None] = OrderedDict()

    def expected(self, route: str, target: str, asked: Asked, prompt: float, now: float) -> Cached:
        """What `target` will read from its cache and write to it of a prompt of `prompt` tokens."""
        level, base = self._recognise(target, asked, prompt, now)
        read = min(base * self._comes_back(target, level, base), prompt)
        if target not in self._writers:
            return Cached(read, 0.0, 0.0, level)
        fresh = prompt - read
        size = _class(prompt)
        special = (target, route if asked.prefix is None else asked.prefix, level, size)
        written = self._shares.get(("write", *special))
        if written is None:
            write = self._share(("write", target, level), prompt) or 0.0
            long = self._share(("write_1h", target, level), prompt) or 0.0
        else:
            long_written = self._shares.get(("write_1h", *special))
            write, long = written.value, long_written.value if long_written is not None else 0.0
        return Cached(read, fresh * write, fresh * long, level)

    def learn(self, route: str, target: str, asked: Asked, tokens: Mapping[str, int], now: float) -> None:
        """Take in what an answer reports of its prompt: disjoint buckets, as `ir.usage` names them, of input alone."""
        prompt = sum(tokens.values())
        read = tokens.get("cache_read", 0) + tokens.get("cache_read_audio", 0)
        write, long = tokens.get("cache_write", 0), tokens.get("cache_write_1h", 0)
        if not prompt:
            return
        level, base = self._recognise(target, asked, prompt, now)
        self._add(("read", target, level, _class(base)), read / base)
        if write or long:
            put(self._writers, target, None, MAX_TARGETS)
        if target in self._writers:
            special = (target, route if asked.prefix is None else asked.prefix, level, _class(prompt))
            for word, count in (("write", write), ("write_1h", long)):
                share = count / (prompt - read) if prompt > read else 0.0
                self._add((word, *special), share)
                self._add((word, target, level, _class(prompt)), share)
            prompt = read + write + long  # what it holds now
        self._keep(target, asked, prompt, long=bool(long), now=now)

    def _recognise(self, target: str, asked: Asked, prompt: float, now: float) -> tuple[str, float]:
        """What of the request the target was seen to hold, and how many tokens of it."""
        if asked.conversation is not None:
            entry = self._entries.get((target, asked.conversation))
            if entry is not None and entry.until > now and entry.tokens <= prompt * _LONGER:
                return CONVERSATION, entry.tokens
        if asked.prefix is not None and asked.prefix_chars:
            entry = self._entries.get((target, asked.prefix))
            if entry is not None and entry.until > now:
                return PREFIX, entry.tokens
        return NOTHING, prompt

    def _keep(self, target: str, asked: Asked, tokens: float, *, long: bool, now: float) -> None:
        shared = tokens * min(asked.prefix_chars / asked.prompt_chars, 1.0) if asked.prompt_chars else 0.0
        for key, held in ((asked.conversation, tokens), (asked.prefix, shared)):
            if key is None or not held:
                continue
            place = (target, key)
            before = self._entries.get(place)
            kept = before is not None and before.seconds == LONG_SECONDS and before.until > now
            seconds = LONG_SECONDS if long or kept else SECONDS
            put(self._entries, place, _Entry(held, now + seconds, seconds), self._max_held)

    def _comes_back(self, target: str, level: str, base: float) -> float:
        """Which share of what it was seen to hold comes back: what conversations show goes for prefixes and reverse."""
        share = self._share(("read", target, level), base)
        if share is None and level != NOTHING:
            share = self._share(("read", target, PREFIX if level == CONVERSATION else CONVERSATION), base)
        if share is not None:
            return share
        if level == NOTHING:
            return 0.0
        if target in self._writers:
            return 1.0  # what it billed as written, it has
        return _UNSEEN if _class(base) else 0.0

    def _share(self, of: tuple[object, ...], base: float) -> float | None:
        """The share seen of as much, else of the next less of which some was seen; None where nothing was.

        That there is none of less says nothing: it may have been too short to be cached.
        """
        seen = self._shares.get((*of, _class(base)))
        if seen is not None:
            return seen.value
        for size in range(_class(base) - 1, -1, -1):
            seen = self._shares.get((*of, size))
            if seen is not None and seen.value > 0:
                return seen.value
        return None

    def _add(self, key: tuple[object, ...], share: float) -> None:
        used(self._shares, key, Mean, MAX_SHARES).add(min(share, _MOST), _MEMORY)


def _class(tokens: float) -> int:
    return bisect_right(_CLASSES, tokens)
