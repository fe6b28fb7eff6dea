from flowcorr.columns._texts import Texts
from flowcorr.correlate._keys import Keys

class Bin:
    """The entries of one time bin, in the order of their first records; `GroupBy` makes it.

    Units: microseconds since 1970.
    """

    start: int
    end: int  # behind it
    has_times: bool  # false for the one bin of all time
    keys: Keys
    texts: Texts
    left: int  # entries that are not released
    def __init__(self, keys: Keys, start: int, end: int, stitching: bool = ...) -> None: ...
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
