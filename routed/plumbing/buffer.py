"""What goes to a destination of rows, and how far it has come."""

from dataclasses import dataclass
from typing import NamedTuple


class Buffer(NamedTuple):
    """Whole rows, and how many they are.

    `ends`: where in the octets a row ends, as native u32; empty for text, where a newline ends each. One end for all
    of several rows keeps them together.
    """

    octets: bytes
    rows: int
    ends: bytes = b""


@dataclass(frozen=True, slots=True)
class Written:
    """How far a batch came: whole buffers, rows that a FIFO without reader had to drop, and the reason to stop."""

    buffers: int
    rows_dropped: int = 0
    error: OSError | None = None
