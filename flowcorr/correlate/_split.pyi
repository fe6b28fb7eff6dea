from collections.abc import Sequence

from flowcorr.correlate._bin import Bin
from numpy import uint32
from numpy.typing import NDArray

def split(bin: Bin, places: Sequence[tuple[int, int]]) -> list[tuple[bytes, NDArray[uint32]]]:
    """Divide the entries of a finished bin by some octets of their keys; any thread.

    Args:
        places: of the key, each with how many octets count there.

    Returns: for each value, the octets of all places joined, the numbers of its entries in their order.
    Raises: MemoryError; ValueError when a place is outside the key, or more octets than 64 count.
    """
