"""Values that the collector of cycles does not look at live and die as others do."""

import gc
import weakref
from dataclasses import dataclass
from typing import NamedTuple

from routed.rib._untrack import untrack


class Pair(NamedTuple):
    """A tuple of its own type, which the collector never gives up."""

    one: object
    other: object


@dataclass(frozen=True, slots=True)
class Value:
    """A value of the wire layer."""

    inside: tuple[object, ...]


class Leaf:
    """Something whose end can be seen."""


def test_values_are_taken_off_the_list_and_stay_what_they_are() -> None:
    leaf = Leaf()
    values = [Pair(1, leaf), Value((leaf,)), (leaf,), [leaf], {"leaf": leaf}]
    assert all(map(gc.is_tracked, values))
    untrack([*values, 1, b"octets", None, ()])
    assert not any(map(gc.is_tracked, values))
    assert gc.is_tracked(leaf)
    untrack(iter(values))
    gc.collect()
    assert values == [Pair(1, leaf), Value((leaf,)), (leaf,), [leaf], {"leaf": leaf}]


def test_what_they_hold_ends_with_them() -> None:
    leaf = Leaf()
    seen = weakref.ref(leaf)
    values = [Pair(1, leaf), Value((leaf,)), (leaf,), [leaf], {"leaf": leaf}]
    untrack(values)
    del leaf
    gc.collect()
    assert seen() is not None
    del values
    assert seen() is None
