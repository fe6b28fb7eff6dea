"""Types of the compiled stream cutter; see `_stream.pyx` for its theory of operation."""

from typing import final

from routed.octets import WireError

@final
class Stream:
    """Cut the octets of one cache into PDUs."""

    def __len__(self) -> int:
        """Return how many octets wait for the rest of their PDU."""

    @property
    def error(self) -> WireError | None:
        """The bad length that ended the stream, once everything before it was returned."""

    @property
    def bad(self) -> bytes | None:
        """The header that has it."""

    def feed(self, octets: bytes) -> list[tuple[int, bytes, int]]:
        """Return what is complete: (type, octets, count).

        A run of IPv4 and IPv6 Prefix PDUs has a count, and is of one version and of the right lengths; any other PDU
        comes alone with a count of 0, a prefix of a wrong length too.
        """
