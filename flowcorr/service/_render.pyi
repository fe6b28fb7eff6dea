from typing import Final, NamedTuple

from flowcorr.correlate._groupby import Bin
from numpy import uint32
from numpy.typing import NDArray

#: Operations: what becomes of the octets of a value.
LITERAL: Final[int]  # nothing: the lead alone
NUMBER: Final[int]
HEX: Final[int]
ADDRESS: Final[int]
MAC: Final[int]
NAME: Final[int]  # a number that has a name
CHARACTER: Final[int]
TIME: Final[int]
RD: Final[int]
STAMP: Final[int]  # the start of the bin
NOW: Final[int]  # the time of rendering
FLAGS: Final[int]  # a list of the names of TCP flags
TEXT: Final[int]
LIST: Final[int]  # a list of texts, in the text with `_` between them
LABELS: Final[int]  # a map of texts
STACK: Final[int]  # MPLS labels with `_` between them
STACK_LIST: Final[int]
SEGMENTS: Final[int]  # addresses with `_` between them
SEGMENTS_LIST: Final[int]
OCTETS: Final[int]

#: Styles.
JSON: Final[int]
CSV: Final[int]
FORMATTED: Final[int]
AVRO: Final[int]

#: Layouts of times.
PLAIN: Final[int]
RFC9557: Final[int]
SINCE_EPOCH: Final[int]

#: What a check compares.
PACKETS: Final[int]
BYTES: Final[int]
FLOWS: Final[int]
BYTES_A_PACKET: Final[int]
PACKETS_A_FLOW: Final[int]

#: Where values of an entry stand that are not in its key.
PACKETS_AT: Final[int]
BYTES_AT: Final[int]
FLOWS_AT: Final[int]
TCPFLAGS_AT: Final[int]
TUNNEL_TCPFLAGS_AT: Final[int]
FIRST_AT: Final[int]
LAST_AT: Final[int]

class Piece(NamedTuple):
    """A field of rows, as it is written.

    Attributes:
        operation: what becomes of the value.
        at: where it stands in an entry; `in_key` counts from the start of the key.
        octets: of the value.
        lead, tail: what stands around it.
        width: of a formatted column, filled with blanks; 0: none.
        is_text: Avro has it as a string.
        is_counter: of records without counters it is left out, and empty where rows have columns.
        absent: what stands in JSON and Avro in its place then.
        names: of NAME, by number; a larger number has the last of them. Of TEXT, what stands for an empty
            one; of ADDRESS, for an unknown one.
    """

    operation: int
    at: int = 0
    octets: int = 0
    lead: bytes = b""
    tail: bytes = b""
    width: int = 0
    in_key: bool = True
    is_text: bool = False
    is_counter: bool = False
    absent: bytes = b""
    names: tuple[bytes, ...] = ()

class Check(NamedTuple):
    """A bound of a counter or of a ratio of two: at least, or below."""

    what: int
    bound: int
    is_maximum: bool = False

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
