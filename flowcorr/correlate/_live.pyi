from collections.abc import Sequence

from flowcorr.correlate._bin import Bin
from flowcorr.correlate._groupby import GroupBy
from numpy import uint32, uint64
from numpy.typing import NDArray

class LiveGroupBy(GroupBy):
    """The sums of one plugin in one table, which is never finished but for being erased.

    A record that needs an entry when there are as many as may be is counted in `refused_*`, and the others go on.
    """

    refused_records: int
    refused_packets: int
    refused_bytes: int
    copied_pages: int  # because a snapshot was looked at
    has_cleared: bool  # some entry was set to zero since the table was erased
    @property
    def looked_at(self) -> int:
        """Return how many snapshots live."""
    def snapshot(self) -> Snapshot:
        """Return the table as it is now.

        Raises: MemoryError.
        """
    def erase(self) -> Bin | None:
        """Begin anew.

        Returns: the entries so far, to be released once no snapshot of them is looked at; None without any.
        """
    def is_seen(self, origin: Bin) -> bool:
        """Tell whether a snapshot of these entries is looked at."""
    def clear(self, seen: Snapshot, numbers: NDArray[uint32]) -> None:
        """Set entries of a snapshot to zero in the table, unless that was erased since.

        Raises: MemoryError, IndexError.
        """

class Snapshot(Bin):
    """A table at one moment, which may be read in another thread. Made by `LiveGroupBy.snapshot`."""

    def close(self) -> None:
        """Let the table have its pages back, in the thread that counts; nobody may read it any more."""
    def listed(self) -> NDArray[uint32] | None:
        """Return the numbers of the entries that were counted for since they were cleared; None when these are all."""
    def counters(self, numbers: NDArray[uint32] | None = ...) -> NDArray[uint64]:
        """Return packets, bytes and flows of entries, or of all, as three rows.

        Raises: IndexError.
        """
    def matches(self, queries: Sequence[tuple[bytes, bytes]]) -> NDArray[uint32]:
        """Look for the entries whose keys have given octets.

        Args:
            queries: pairs of a mask and a value, each as long as a key; a value has no bit that its mask has not.

        Returns: pairs of the number of a query and that of an entry, in the order of entries. Of equal queries only
        the first one is found.
        Raises: ValueError for octets of another length and more than `MOST_SHAPES` masks; MemoryError.
        """
