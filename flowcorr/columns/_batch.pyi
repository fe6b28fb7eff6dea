from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowcorr.columns.layout import Layout

class Batch:
    """Rows of flows in one buffer, filled by decoders, completed by look-ups, read by aggregations, then cleared."""

    layout: Layout
    capacity: int
    def __init__(self, layout: Layout, capacity: int) -> None: ...
    def __len__(self) -> int: ...
    @property
    def rows(self) -> NDArray[np.void]:
        """The filled rows as a structured array over the buffer itself, so `rows["dst_as"] = ...` writes into it.

        The array keeps the buffer, but a later row of the batch overwrites what it shows.
        """
    def append(self, **values: Any) -> None:
        """Add a row with some columns given as their kinds have them, the others blank.

        For tests and for the few flows that Python makes.
        Raises: IndexError when the batch is full, KeyError for a column that it does not have.
        """
    def clear(self) -> None:
        """Forget all rows."""
