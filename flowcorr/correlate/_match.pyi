from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.layout import Layout

class Test(IntEnum):
    """How a column is compared; `value` and `bits` as each test has them."""

    EQUAL = ...  # integer == value
    MASKED = ...  # integer & bits == value
    BELOW = ...  # integer < value
    PREFIX = ...  # the first `bits` of an address (of 128) are those of value, 16 octets
    OCTETS = ...  # as many octets as value has
    TEXT = ...  # value(octets) says so; asked once for each text of a batch
    MULTICAST = ...  # an address of a group
    PACKET = ...  # a `Program` wants the frame of the flow; the column does not matter

class Rules:
    """Rows of a map, in their order; made in any thread.

    Args:
        rows: of each the prefix of the exporter's address that it is for, 16 octets and bits of 128 (None: any), and
            tests (test, column, value, bits, negated), all of which must hold.
        resumes: of each the row at which the search goes on after a match; -1: it ends.
    """

    def __init__(
        self,
        layout: Layout,
        texts: Texts,
        rows: Iterable[tuple[tuple[bytes, int] | None, Sequence[tuple[Test, str, Any, int, bool]]]],
        resumes: Sequence[int],
    ) -> None: ...
    def __len__(self) -> int: ...
    @property
    def shapes(self) -> int:
        """Return how many tables of rules a flow is looked up in."""
    def first(self, batch: Batch) -> NDArray[np.uint32]:
        """Return for each row of a batch 1 + the first rule that matches, or 0."""
    def follow(self, batch: Batch, matched: Callable[[int, int], None]) -> None:
        """Call `matched` with the number of the row and of each rule on its way, in order."""
