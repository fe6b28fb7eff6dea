"""Types of the compiled cursor; see `_cursor.pyx` for its theory of operation."""

from typing import final

from typing_extensions import Buffer

@final
class Cursor:
    """Read octets from the front; raise WireError rather than pass the end."""

    def __init__(self, octets: Buffer, base: int = 0) -> None:
        """Start at `octets[0]`, which is at `base` octets from the start of the PDU."""

    @property
    def remaining(self) -> int:
        """Octets between here and the end of this cursor."""

    @property
    def offset(self) -> int:
        """Where this cursor stands, counted from the start of the PDU."""

    def peek(self) -> int:
        """Return the next octet and stay before it."""

    def u8(self) -> int:
        """Read one octet."""

    def u16(self) -> int:
        """Read two octets."""

    def u24(self) -> int:
        """Read three octets."""

    def u32(self) -> int:
        """Read four octets."""

    def u64(self) -> int:
        """Read eight octets."""

    def take(self, count: int) -> bytes:
        """Read `count` octets as they are."""

    def rest(self) -> bytes:
        """Read everything up to the end of this cursor."""

    def sub(self, count: int) -> Cursor:
        """Cut the next `count` octets off as a cursor of their own, with the same offsets."""
