"""Types of the compiled stream cutter; see `_stream.pyx` for its theory of operation."""

from typing import final

from routed.wire.bgp.header import HeaderError

@final
class Stream:
    """Cut the octets of one peer into BGP messages."""

    max_length: int
    """The longest message allowed: 4096, or 65535 once extended messages are agreed."""

    def __init__(self, max_length: int = 4096) -> None: ...
    @property
    def error(self) -> HeaderError | None:
        """The bad header that ended the stream, once everything before it was returned."""

    @property
    def is_held(self) -> bool:
        """Whether octets behind an OPEN wait for the next feed, which may be of no octets."""

    def feed(self, octets: bytes) -> list[tuple[int, bytes, int]]:
        """Return what is complete: (type, whole messages, how many); only UPDATEs come more than one at a time."""
