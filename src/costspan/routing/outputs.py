"""How many tokens a target will write for a request, from what was written before.

Words and thought are learned apart: models differ little in what they say, and twentyfold in how much they think about
it. Each has two causes, learned apart too, because a target is asked about long before it has answered much:

    the request   distributions by what is visible of it: the route; its form (tools, schema, media, limit) and size;
                  its instructions, which tell one feature of an application from another. Each is drawn towards the
                  one before it while it has seen little. They hold what a target of ordinary wordiness would write.
                  (The route alone costs 9 % in the simulation of the tests, form and size with it 0.2 %.)
    the target    how much it says and thinks against the others for requests of the same kind, and its own means for
                  this kind, which soon count most.

What requests of a kind take of thought is worked out when it is asked for, from what each target thought and from how
much more than others that one is known to think by now. So what one answer shows of a target holds at once for all that
it has answered and for every kind that it has not.

What has answered little is believed to be somewhat better than expected, or it would never be tried: a target whose
list price is higher can be cheaper all the same. That costs a request or two for each target, and fades as it answers.
"""

from __future__ import annotations

from collections import OrderedDict
from math import exp
from typing import TYPE_CHECKING, NamedTuple

from costspan.routing.bounded import put, used
from costspan.routing.lengths import Lengths, Mean, blend

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.routing.asked import Asked

DEFAULT = 512.0
"""Tokens of an answer when nothing is known of its route."""
MAX_KINDS = 4096
"""Kinds of requests, a kilobyte or two each; the least used go first. Their number is the clients' to choose."""
MAX_THINKERS = 32
"""Targets by kind of which it is kept how much they thought: as many as a plan has."""
MAX_TRIED = 16384
"""Means of targets by kind."""
MAX_TARGETS = 4096

_DOUBT = 0.5
"""Answers' worth of what is known more generally: kinds differ more among each other than answers of one kind."""
_MEMORY = 64.0
_LEAST, _MOST = 1 / 32, 32.0
"""Of one answer against its expectation: one odd answer is not the target's character."""

# Variances of logarithms, as models and applications commonly are. How much is believed of what, and how hopefully,
# follows from them. Halving or doubling any of them changes little in tests/routing/test_simulated_cheapest.py.
_NOISE = 0.16
"""Of answers of one target to requests of one kind: one in three is half as long again or more, or a third shorter."""
_TARGET_SAYS, _KIND_SAYS = 0.09, 0.04
"""Of what targets say (their tokenizers among the causes), and of what is particular to a target and a kind."""
_TARGET_THINKS, _KIND_THINKS = 1.5, 0.09
"""Of what they think: from not at all to ten times as much as others."""
_SAYS_SHOWN, _THINKS_SHOWN = _NOISE + _KIND_SAYS, _NOISE + _KIND_THINKS
"""Of what one answer shows of a target's character: chance, and the kind, which may not be typical of it."""
_HOPE = 1.5
"""How far an uncertain expectation is lowered, in variances: the price of finding out. In that simulation 0.5 stays
with dear targets for good, 16 % above the cheapest; with 1 to 2 it is 0.2 % and less."""
_HALF_LIFE = 86_400.0
"""Seconds until what is known of a target's character is worth half: models change behind their names."""


class Output(NamedTuple):
    """Tokens of one choice, with the benefit of the doubt.

    `likely` is their sum without it, `answers` how many of this target's to requests of this kind they rest on.
    """

    said: float
    thought: float
    likely: float
    answers: float


class _Traits(NamedTuple):
    """How much a target says and thinks, as multiples of what is ordinary, and how many answers each rests on."""

    says: float
    thinks: float
    known_says: float
    known_thinks: float

    def doubts(self, others: float) -> tuple[float, float]:
        """Answers' worth of what follows from the traits, against a target's own answers to a kind of request.

        `others` is the share of others in what is known of the thought that it takes: only they may be different.
        """
        says = 1.0 / (1.0 / _TARGET_SAYS + self.known_says / _SAYS_SHOWN)
        thinks = 1.0 / (1.0 / _TARGET_THINKS + self.known_thinks / _THINKS_SHOWN)
        return _NOISE / (_KIND_SAYS + says), _NOISE / (_KIND_THINKS + others * thinks)


_UNKNOWN = _Traits(1.0, 1.0, 0.0, 0.0)


class _Character:
    """A target's traits, learned."""

    __slots__ = ("_at", "_says", "_thinks", "thinks")

    def __init__(self) -> None:
        self.thinks = 1.0
        """As the traits have it, as of the last answer. Never 0: others' thought is told from it."""
        self._says = Mean()
        self._thinks = Mean()
        self._at = 0.0

    def add(self, says: float, thinks: float | None, weight: tuple[float, float], now: float) -> _Traits:
        """Count an answer, as multiples of the ordinary; None where nobody else has been seen to think."""
        worth = self._worth(now)
        self._says.count *= worth
        self._says.add(min(max(says, _LEAST), _MOST), _MEMORY, weight[0])
        self._thinks.count *= worth
        if thinks is not None:
            self._thinks.add(min(thinks, _MOST), _MEMORY, weight[1])
        self._at = now
        traits = self.traits(now)
        self.thinks = max(traits.thinks, _LEAST)
        return traits

    def traits(self, now: float) -> _Traits:
        worth = self._worth(now)
        known_says, known_thinks = self._says.count * worth, self._thinks.count * worth
        doubt = _THINKS_SHOWN / _TARGET_THINKS
        return _Traits(
            blend(self._says.value, known_says, 1.0, _SAYS_SHOWN / _TARGET_SAYS),
            (self._thinks.value * known_thinks + doubt) / (known_thinks + doubt),
            known_says,
            known_thinks,
        )

    def _worth(self, now: float) -> float:
        return 0.5 ** ((now - self._at) / _HALF_LIFE) if now > self._at else 1.0


_Kind = tuple[object, ...]


class _Needs:
    """What requests of one kind need."""

    __slots__ = ("_thoughts", "said")

    def __init__(self) -> None:
        self.said = Lengths()
        self._thoughts: OrderedDict[str, tuple[_Character, Mean]] = OrderedDict()

    def thought(self, without: str | None = None) -> tuple[float, float]:
        """What a target of ordinary thoughtfulness would think, and on how many answers that rests."""
        total = answers = 0.0
        for target, (character, mean) in self._thoughts.items():
            if target != without:
                count = mean.count
                total += mean.value * count / character.thinks
                answers += count
        return (total / answers, answers) if answers else (0.0, 0.0)

    def thinkers(self) -> Mapping[str, float]:
        """How many answers each target thought in."""
        return {target: mean.count for target, (_, mean) in self._thoughts.items()}

    def add_thought(self, target: str, character: _Character, tokens: float) -> None:
        known = self._thoughts.get(target)
        if known is None or known[0] is not character:
            known = put(self._thoughts, target, (character, Mean()), MAX_THINKERS)
        known[1].add(tokens, _MEMORY)


class _Own:
    """What one target wrote for requests of one kind."""

    __slots__ = ("said", "thought")

    def __init__(self) -> None:
        self.said = Mean()
        self.thought = Mean()


class _Known:
    """What is known of one request's kinds, for as long as nothing new is learned."""

    __slots__ = ("_answers", "_needs", "_thinkers", "asked", "kinds", "route", "thought")

    def __init__(self, route: str, asked: Asked, needs: Mapping[_Kind, _Needs]) -> None:
        self.route = route
        self.asked = asked
        self.kinds = _kinds(route, asked)
        self._needs = [known for kind in self.kinds if (known := needs.get(kind)) is not None]
        self.thought = 0.0
        """What a target of ordinary thoughtfulness would think."""
        special, self._answers = None, 0.0
        for known in self._needs:
            tokens, answers = known.thought()
            if answers:
                self.thought = blend(tokens, answers, self.thought, _DOUBT)
                special, self._answers = known, answers
        self._thinkers = special.thinkers() if special is not None else {}

    def others(self, target: str) -> float:
        """The share of others than `target` in what is known most specially of the thought that it takes."""
        own = self._thinkers.get(target)
        return 1.0 if own is None else 1.0 - own / self._answers

    def said(self, cap: float | None) -> float:
        """What a target of ordinary wordiness would say."""
        tokens = DEFAULT if cap is None else min(DEFAULT, cap)
        for known in self._needs:
            tokens = blend(known.said.mean(cap), known.said.count, tokens, _DOUBT)
        return tokens


class Outputs:
    """What a process has learned of lengths. Times are monotonic seconds."""

    def __init__(self, max_kinds: int = MAX_KINDS) -> None:
        self._max_kinds = max_kinds
        self._needs: OrderedDict[_Kind, _Needs] = OrderedDict()
        self._tried: OrderedDict[tuple[str, _Kind], _Own] = OrderedDict()
        self._targets: OrderedDict[str, _Character] = OrderedDict()
        self._known: _Known | None = None

    def expected(self, route: str, target: str, asked: Asked, now: float) -> Output:
        """What `target` will write for one choice."""
        known = self._look_up(route, asked)
        character = self._targets.get(target)
        traits = character.traits(now) if character is not None else _UNKNOWN
        says, thinks = traits.doubts(known.others(target))
        thought = traits.thinks * known.thought
        said = traits.says * known.said(_left(asked, thought, traits.says))
        own = 0.0
        if (tried := self._tried.get((target, known.kinds[-1]))) is not None:
            own = tried.said.count
            said = blend(tried.said.value, own, said, says)
            thought = (tried.thought.value * own + thought * thinks) / (own + thinks)
        likely = said + thought
        said *= exp(-_HOPE * _NOISE / (says + own))
        thought *= exp(-_HOPE * _NOISE / (thinks + own))
        cap = asked.max_output_tokens
        if cap is not None and said + thought > cap:
            thought = min(thought, cap)
            said = cap - thought
        return Output(said, thought, likely if cap is None else min(likely, cap), own)

    def learn(self, route: str, target: str, asked: Asked, *, said: float, thought: float, now: float) -> None:
        """`target` wrote that for one choice."""
        known = self._look_up(route, asked)
        character = self._targets.get(target)
        if character is None:
            character = put(self._targets, target, _Character(), MAX_TARGETS)
        traits = character.traits(now)
        if (special := self._needs.get(known.kinds[-1])) is not None:
            ordinary = known.said(_left(asked, thought, traits.says))
            effort, answers = special.thought(without=target)
            weight = special.said.count / (special.said.count + 1.0), answers / (answers + 1.0)
            traits = character.add(said / ordinary, thought / effort if effort else None, weight, now)
        words = said / traits.says
        for kind in known.kinds:
            needs = used(self._needs, kind, _Needs, self._max_kinds)
            needs.said.add(words)
            if thought:  # what does not think says nothing of how much others will
                needs.add_thought(target, character, thought)
        tried = used(self._tried, (target, known.kinds[-1]), _Own, MAX_TRIED)
        tried.said.add(said, _MEMORY)
        tried.thought.add(thought, _MEMORY)
        self._known = None

    def _look_up(self, route: str, asked: Asked) -> _Known:
        """Once for all targets of one request."""
        known = self._known
        if known is None or known.asked is not asked or known.route != route:
            known = self._known = _Known(route, asked, self._needs)
        return known


def _left(asked: Asked, thought: float, says: float) -> float | None:
    """What the limit leaves for words, in those of a target of ordinary wordiness."""
    cap = asked.max_output_tokens
    return None if cap is None else max(cap - thought, 1.0) / says


def _kinds(route: str, asked: Asked) -> tuple[_Kind, ...]:
    """From the most general to the most special."""
    cap = asked.max_output_tokens
    limit = 0 if cap is None else cap.bit_length()
    form = limit << 3 | (asked.media > 0) << 2 | asked.json_schema << 1 | asked.tools
    size = asked.prompt_chars.bit_length() // 2  # to a factor of 4
    general = ((route,), (route, form, size))
    return general if asked.prefix is None else (*general, (route, form, asked.prefix))
