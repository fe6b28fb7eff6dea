"""Long work in a thread beside a reactor that is not to feel it.

Three things would hold the reactor up. The interpreter lets a thread run for 5 ms before another one gets a turn, and
the reactor asks for one after every system call. The collector of reference cycles looks at all that a long file makes,
again and again, while everything stands still. And what is done without bytecode, such as giving back a million
objects, is not interrupted at all. So the turns are short, there is no collector, and rows are gone through with rests.
"""

from __future__ import annotations

import gc
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

T = TypeVar("T")

#: How long another thread may have to wait for its turn. Units: seconds.
TURN: Final = 0.0005
#: Rows between two rests, about a millisecond of work, and how long a rest is. Units: rows, seconds.
ROWS: Final = 128
REST: Final = 0.0005


@contextmanager
def uncollected() -> Iterator[None]:
    """Do without the collector of cycles, in all threads."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def beside_others() -> Iterator[None]:
    """Do long work in a thread, and let others run."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, TURN))
    try:
        with uncollected():
            yield
    finally:
        sys.setswitchinterval(before)


def with_rests(rows: Iterable[T]) -> Iterator[T]:
    """Go through rows, and let others run now and then."""
    for number, row in enumerate(rows, start=1):
        yield row
        if not number % ROWS:
            time.sleep(REST)


def give_back(rows: Sequence[object], pace: Callable[[Iterable[Any]], Iterable[Any]]) -> None:
    """Empty a list of which nobody else holds the rows, at a pace."""
    if isinstance(rows, list):
        for _ in pace(range(len(rows))):
            rows.pop()
