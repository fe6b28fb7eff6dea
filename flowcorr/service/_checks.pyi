from typing import Final, NamedTuple

#: What a check compares.
PACKETS: Final[int]
BYTES: Final[int]
FLOWS: Final[int]
BYTES_A_PACKET: Final[int]
PACKETS_A_FLOW: Final[int]

class Check(NamedTuple):
    """A bound of a counter or of a ratio of two: at least, or below."""

    what: int
    bound: int
    is_maximum: bool = False
