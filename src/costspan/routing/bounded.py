"""Memory with a limit: whatever is keyed by something that a client sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections import OrderedDict
    from collections.abc import Callable

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def put(store: OrderedDict[_Key, _Value], key: _Key, value: _Value, limit: int) -> _Value:
    """Keep `value`, as the newest of at most `limit`; the oldest goes."""
    store[key] = value
    store.move_to_end(key)
    if len(store) > limit:
        store.popitem(last=False)
    return value


def used(store: OrderedDict[_Key, _Value], key: _Key, make: Callable[[], _Value], limit: int) -> _Value:
    """What is kept under `key`, made where nothing is; from now on the newest of at most `limit`."""
    value = store.get(key)
    if value is None:
        return put(store, key, make(), limit)
    store.move_to_end(key)
    return value
