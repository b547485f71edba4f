"""routing.bounded: memory with a limit."""

from __future__ import annotations

from collections import OrderedDict

from costspan.routing.bounded import put, used


def test_the_oldest_goes_when_there_are_too_many() -> None:
    store: OrderedDict[str, int] = OrderedDict()
    for number, key in enumerate(("a", "b", "a", "c")):
        put(store, key, number, 2)

    assert store == OrderedDict(a=2, c=3)


def test_what_is_used_is_made_once_and_stays_longest() -> None:
    store: OrderedDict[str, list[str]] = OrderedDict()
    for key in ("a", "b", "a", "c"):
        used(store, key, list, 2).append(key)

    assert list(store.items()) == [("a", ["a", "a"]), ("c", ["c"])]
