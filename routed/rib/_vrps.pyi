"""Types of the compiled store of validated payloads; see `_vrps.pyx` for its theory of operation."""

from collections.abc import Iterator
from typing import Final, final

from typing_extensions import Buffer

MAX_PAYLOADS: Final = 8_388_608
"""Payloads of one address family, at most."""

#: Address octets, length of the prefix, maximum length, AS number.
Payload = tuple[bytes, int, int, int]

class PayloadError(ValueError):
    """A payload is announced twice, or one that is not there is withdrawn, or there are too many."""

    kind: str  # "duplicate", "unknown", "too many"
    payload: Payload | None
    def __init__(self, kind: str, payload: Payload | None) -> None: ...

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

@final
class Payloads:
    """Payloads that are announced and withdrawn, in the order in which that happens, until they are applied."""

    def __init__(self) -> None: ...
    def __len__(self) -> int: ...
    def add(self, address: Buffer, length: int, max_length: int, asn: int) -> None:
        """Announce one payload; `max_length` is not compared with `length`.

        Raises: PayloadError when there are too many.
        """

    def add_pdus(self, run: bytes) -> int:
        """Take IPv4 and IPv6 Prefix PDUs over, of the right lengths (RFC 8210 sections 5.6 and 5.7).

        Returns: -1, or where the first PDU begins whose flags or lengths cannot be; those before are taken.
        Raises: PayloadError when there are too many.
        """

    def applied_to(self, base: Vrps, *, strict: bool) -> Vrps:
        """Return what the payloads of `base` become.

        Args:
            strict: what a cache may not do is an error: announce what is there, withdraw what is not (RFC 8210
                section 12, errors 6 and 7). Otherwise it is nothing.
        Raises: PayloadError; nothing has changed then.
        """

def difference(one: Vrps, other: Vrps) -> Vrps:
    """Return the payloads that only one of two has."""
