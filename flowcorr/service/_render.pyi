from flowcorr.correlate._bin import Bin
from flowcorr.service._checks import Check
from flowcorr.service._pieces import Piece
from numpy import uint32
from numpy.typing import NDArray

class Renderer:
    """Rows of finished bins, written by compiled code into a buffer; used by one thread at a time.

    Args:
        pieces: of a row, in their order; for AVRO and JSON the row is what they make, of others a newline ends it.
        separator: what CSV columns are divided by: a value that holds it is quoted (RFC 4180 section 2).
        layout: of times; `utc` shows them in UTC and not in local time, `whole_seconds` without their fraction.
        flag_at: place in the key that is 1 for records without counters.
        checks: what a row must pass, all of them or any; others are counted in `left_out`.
    """

    rows: int  # in the buffer
    left_out: int
    def __init__(
        self,
        pieces: tuple[Piece, ...],
        *,
        style: int,
        separator: bytes = ...,
        layout: int = ...,
        utc: bool = ...,
        whole_seconds: bool = ...,
        flag_at: int = ...,
        checks: tuple[Check, ...] = ...,
        all_checks: bool = ...,
    ) -> None: ...
    def render(
        self, bin: Bin, at: int, now: int, *, full_at: int = ..., order: NDArray[uint32] | None = ...
    ) -> int:
        """Write entries from the one numbered `at` until the buffer is full; return the number of the next one.

        Args:
            bin: finished, and not released before the end of the call.
            now: seconds since 1970, for NOW.
            full_at: octets from which on the buffer is full.
            order: numbers of the entries to be written, all of them in their order without it; `at` counts these.

        Raises: MemoryError.
        """
    def take(self) -> bytes:
        """Return the rows, and empty the buffer."""
    def ends(self) -> bytes:
        """Return where each row ends in the buffer, as native u32; before `take`."""
    def __len__(self) -> int:
        """Return the octets in the buffer."""
