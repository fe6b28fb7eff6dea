"""Types of the compiled stream cutter; see `_stream.pyx` for its theory of operation."""

from typing import Final, final

from routed.wire.bmp.header import HeaderError

SKIPPED: Final = -1
"""Kind of an entry that stands for a message longer than the limit: (SKIPPED, its first octets, its length)."""

SAMPLE_OCTETS: Final = 48
"""The octets that are kept of a skipped message: both headers."""

@final
class Stream:
    """Cut the octets of one router into BMP messages."""

    @property
    def max_length(self) -> int:
        """The longest message that is kept, in octets."""

    def __init__(self, max_length: int = 262144) -> None: ...
    @property
    def error(self) -> HeaderError | None:
        """The bad header that ended the stream, once everything before it was returned."""

    def feed(self, octets: bytes) -> list[tuple[int, bytes, int]]:
        """Return what is complete: (type, whole messages, how many); only Route Monitoring comes more than one at a time.

        A message that is too long comes, at its end, as (SKIPPED, its first 48 octets, its length).
        """
