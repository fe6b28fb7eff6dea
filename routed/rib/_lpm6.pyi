"""Longest-prefix match of IPv6 addresses; `_lpm` has what both families share."""

from array import array
from typing import final

from typing_extensions import Buffer

from routed.rib._lpm import Column, Nesting

@final
class Lpm6(Nesting):
    """Longest match of IPv6 addresses; all are runs of 16 octets in network order."""

    def __init__(self) -> None: ...
    @property
    def memory(self) -> int:
        """Octets held."""

    def add(self, addresses: Buffer, lengths: Buffer, ids: Buffer) -> None:
        """Store prefixes (16 octets, u8 and u32 each); those before one that raises stay stored.

        Raises: ValueError when one is stored already; MemoryError, and that prefix is not stored.
        """

    def discard(self, addresses: Buffer, lengths: Buffer, ids: Buffer) -> None:
        """Forget prefixes; those before one that raises are forgotten.

        Raises: KeyError when a prefix is not stored under its id.
        """

    def longest_match(self, addresses: Buffer) -> array[int]:
        """Return the id of the most specific stored prefix of each address, or 0."""

    def longest_match_in(self, addresses: Buffer, column: Column) -> array[int]:
        """Return the id of the most specific prefix of each address that has a route in the column, or 0."""
