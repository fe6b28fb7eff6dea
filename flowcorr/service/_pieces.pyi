from typing import Final, NamedTuple

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
