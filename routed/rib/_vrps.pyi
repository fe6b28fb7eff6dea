"""Types of the compiled store of validated payloads; see `_vrps.pyx` for its theory of operation."""

from collections.abc import Iterator
from typing import final

from typing_extensions import Buffer

#: Address octets, length of the prefix, maximum length, AS number.
Payload = tuple[bytes, int, int, int]

@final
class Vrps:
    """Validated payloads that never change; empty when made without more."""

    def __init__(self) -> None: ...
    def __len__(self) -> int: ...
    @property
    def counts(self) -> tuple[int, int]:
        """Payloads of IPv4 and of IPv6."""

    @property
    def memory(self) -> int:
        """Octets that it holds."""

    def status(self, address: Buffer, length: int, origin: int) -> str:
        """Return the status of a route alone: "u", "i" or "v"; an origin of 0 is none."""

    def statuses(self, addresses: Buffer, lengths: Buffer, origins: Buffer) -> bytes:
        """Return the statuses of n routes, each alone: n octets, each u, i or v.

        Args:
            addresses: n x 4 or 16 octets in network order.
            lengths: n octets.
            origins: n unsigned 32-bit integers; 0 for none.
        """

    def covering(self, address: Buffer, length: int) -> list[tuple[int, int, int]]:
        """Return the payloads that cover a prefix: (length, maximum length, AS number), the longest first."""

    def payloads(self) -> Iterator[Payload]:
        """Return all payloads in order."""

    def without(self, filters: Vrps) -> Vrps:
        """Leave out what filters name (RFC 8416 section 3.3.1).

        Args:
            filters: payloads inside the prefix are left out; a maximum length of 0 stands for any AS.
        """

def difference(one: Vrps, other: Vrps) -> Vrps:
    """Return the payloads that only one of two has."""
