from enum import IntEnum

from typing_extensions import Buffer

class Fault(IntEnum):
    """What is wrong with a row; with HOST_BITS it counts all the same."""

    NO_NETWORK = ...  # no address where the network belongs
    NO_LENGTH = ...
    BAD_LENGTH = ...
    BAD_AS = ...
    BAD_NEXT_HOP = ...
    MANY_FIELDS = ...
    TOO_MANY_VALUES = ...  # 2^24 different AS numbers and next hops
    HOST_BITS = ...  # the address has bits behind the length
    CUT = ...  # the same in a last row that no newline ends

class Rows:
    """The rows of a networks file, those that can be understood."""

    def __init__(self, octets: Buffer) -> None: ...
    def __len__(self) -> int: ...
    lines: int
    bad: int  # rows left out
    advice: int  # rows that count, and are to be mended
    problems: list[tuple[int, Fault, int, int]]
    """Line, fault, and where the text of the row begins and ends; of the first hundred."""
