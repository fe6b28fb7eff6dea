from typing import Final

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.layout import Layout
from flowcorr.correlate._bin import Bin
from flowcorr.correlate._keys import Keys
from flowcorr.correlate.aggregate import KeyPlan
from numpy import uint8
from numpy.typing import NDArray

DONE: Final[int]
FULL: Final[int]
NO_BIN: Final[int]
NO_MEMORY: Final[int]
ALL_TIME: Final[tuple[int, int]]

class GroupBy:
    """Sums of records by key, a table for each open bin.

    Args:
        layout: of the batches that come; it has `record_type`.
        texts: where the texts of their columns are.
        plan: what a key consists of.
        most_entries: of all open bins; when a record would need one more, `add` stops.
        stitching: keep the first start and the last end.
        pro_rating: spread a record over the bins that it lasts.
    """

    layout: Layout
    texts: Texts
    keys: Keys
    entries: int  # that are not released
    open_entries: int  # ... of open bins
    most_entries: int
    unsplit: int  # records that last over too many bins to be spread
    misdated: int  # records that were counted in the bin of their arrival because there was none of their time
    crowded: bool  # whether that is done; it ends when bins are finished
    stopped: int
    wanted: int  # with NO_BIN, a time that has none. Units: microseconds
    def __init__(
        self,
        layout: Layout,
        texts: Texts,
        plan: KeyPlan,
        most_entries: int,
        *,
        stitching: bool = ...,
        pro_rating: bool = ...,
    ) -> None: ...
    @property
    def open_bins(self) -> int: ...
    @property
    def octets(self) -> int:
        """Return the memory that open bins take."""
    def open_bin(self, start: int, end: int) -> None:
        """Make room for records from `start` to before `end`. Units: microseconds since 1970.

        Raises: ValueError when it overlaps an open one.
        """
    def finish(self, until: int) -> list[Bin]:
        """Close the bins that end by a time; return those that hold something, by their start."""
    def add(self, batch: Batch, mask: NDArray[uint8] | None, at: int, now: int) -> int:
        """Sum records from the one numbered `at`, leaving out the rows whose mask is 0.

        Returns: the number of the next record, and in `stopped` why: DONE, FULL, NO_BIN or NO_MEMORY.
        """
