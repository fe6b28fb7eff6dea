"""Big-endian octet writer; lengths are back-patched, never computed by the caller."""

from collections.abc import Iterator
from contextlib import contextmanager


class Writer:
    """Collect octets; a value that does not fit its field is our bug and raises OverflowError."""

    __slots__ = ("_octets",)

    def __init__(self) -> None:
        self._octets = bytearray()

    def __bytes__(self) -> bytes:
        return bytes(self._octets)

    def __len__(self) -> int:
        return len(self._octets)

    def u8(self, value: int) -> None:
        """Append one octet."""
        self._octets += value.to_bytes(1, "big")

    def u16(self, value: int) -> None:
        """Append two octets."""
        self._octets += value.to_bytes(2, "big")

    def u24(self, value: int) -> None:
        """Append three octets."""
        self._octets += value.to_bytes(3, "big")

    def u32(self, value: int) -> None:
        """Append four octets."""
        self._octets += value.to_bytes(4, "big")

    def u64(self, value: int) -> None:
        """Append eight octets."""
        self._octets += value.to_bytes(8, "big")

    def octets(self, octets: bytes) -> None:
        """Append octets as they are."""
        self._octets += octets

    @contextmanager
    def length8(self) -> Iterator[None]:
        """Precede what the block writes by its length in one octet."""
        with self._length(1):
            yield

    @contextmanager
    def length16(self) -> Iterator[None]:
        """Precede what the block writes by its length in two octets."""
        with self._length(2):
            yield

    @contextmanager
    def _length(self, width: int) -> Iterator[None]:
        start = len(self._octets)
        self._octets += bytes(width)
        yield
        body = len(self._octets) - start - width
        self._octets[start : start + width] = body.to_bytes(width, "big")
