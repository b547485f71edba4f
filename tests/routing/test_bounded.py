"""routing.bounded: memory with a limit."""

from __future__ import annotations

from collections import OrderedDict

from costspan.routing.bounded import put


def test_the_oldest_goes_when_there_are_too_many() -> None:
    store: OrderedDict[str, int] = OrderedDict()
    for number, key in enumerate(("a", "b", "a", "c")):
        put(store, key, number, 2)

    assert store == OrderedDict(a=2, c=3)
