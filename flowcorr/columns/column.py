"""What a column of a flow may hold."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

#: No address: one that no packet carries, so that `::` and 0.0.0.0 stay what they are.
NO_ADDRESS: Final = b"\xff" * 16
#: In front of an IPv4 address in sixteen octets (RFC 4291 section 2.5.5.2).
IPV4_MAPPED: Final = bytes(10) + b"\xff\xff"


class Kind(Enum):
    """A kind of value: octets in a row, the NumPy type of them, and what stands there when nothing is known.

    Integers are in the order of this machine, all else is in network order.
    """

    U8 = (1, "u1", bytes(1))
    U16 = (2, "u2", bytes(2))
    U32 = (4, "u4", bytes(4))
    U64 = (8, "u8", bytes(8))
    TIME = (8, "i8", bytes(8))  # microseconds since 1970, 0: unknown
    TEXT = (4, "u4", bytes(4), True)  # an id of `Texts`: octets of any length; 0: empty
    ADDRESS = (16, "V16", NO_ADDRESS)  # IPv4 mapped into IPv6
    MAC = (6, "V6", bytes(6))
    RD = (8, "V8", bytes(8))  # a route distinguisher (RFC 4364 section 4.2)

    def __init__(self, width: int, dtype: str, blank: bytes, is_text: bool = False) -> None:
        self.width = width
        self.dtype = dtype
        self.blank = blank
        self.is_text = is_text

    @property
    def alignment(self) -> int:
        """The multiple of octets at which such a value starts."""
        return self.width & -self.width


@dataclass(frozen=True, slots=True)
class Column:
    """A named fact of a flow; equal columns are one."""

    name: str
    kind: Kind
