from typing import Final

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.layout import Layout
from numpy import uint8
from numpy.typing import NDArray

DONE: Final[int]
FULL: Final[int]
NO_BIN: Final[int]
NO_MEMORY: Final[int]
ALL_TIME: Final[tuple[int, int]]

class Bin:
    """The entries of one time bin, in the order of their first records. Units: microseconds since 1970."""

    start: int
    end: int  # behind it
    has_times: bool  # false for the one bin of all time
    texts: Texts
    @property
    def octets(self) -> int:
        """Return the memory that it takes, without its texts."""
    def __len__(self) -> int: ...
    def release(self, most: int) -> bool:
        """Let go of the next entries and their texts, in the thread of the texts; tell whether none is left.

        Nobody may read it any more.
        """
    def entries(self) -> list[tuple[bytes, int, int, int, int, int, int, int]]:
        """Return all entries as Python values, for tests.

        Each: key, packets, bytes, flows, TCP flags, those of the tunnel, first start, last end.
        """

class GroupBy:
    """Sums of records by key, a table for each open bin.

    Args:
        layout: of the batches that come; it has `record_type`.
        texts: where the texts of their columns are.
        keys: for each piece of the key its octets (1, 2, 4, 8 or 16; 0: a time of which whole seconds remain; 3: an
            octet of which DSCP remains), its place in the key and its places in a row, one for each key that a record counts for.
        texts_at: places in the key that hold ids of texts.
        flag_at: place in the key that is 1 for a record without counters.
        key_octets: of the key, a multiple of 8.
        most_entries: of all open bins; when a record would need one more, `add` stops.
        stitching: keep the first start and the last end.
        pro_rating: spread a record over the bins that it lasts.
    """

    layout: Layout
    texts: Texts
    entries: int  # that are not released
    open_entries: int  # ... of open bins
    most_entries: int
    unsplit: int  # records that last over too many bins to be spread
    stopped: int
    wanted: int  # with NO_BIN, a time that has none. Units: microseconds
    def __init__(
        self,
        layout: Layout,
        texts: Texts,
        keys: tuple[tuple[int, int, tuple[int, ...]], ...],
        texts_at: tuple[int, ...],
        flag_at: int,
        key_octets: int,
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
