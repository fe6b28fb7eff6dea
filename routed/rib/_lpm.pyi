"""Longest-prefix match of IPv4 addresses, and what both families share.

Ids are the caller's, 1..2^29, and no two stored prefixes have the same one; 0 stands for no prefix.
"""

from array import array
from collections.abc import Sequence
from typing import final

from typing_extensions import Buffer

class Column:
    """One peer's table, made of Python buffers: has it a route for this prefix id?"""

    def __init__(self, pages: Sequence[Buffer | None]) -> None:
        """Take for each 1024 ids 1024 unsigned 32-bit cells, 0 for no route, or None for no routes at all."""

class Nesting:
    """Which stored prefix is the next shorter one around which."""

    def __len__(self) -> int: ...
    def next_shorter(self, id: int) -> int:
        """Return the id of the next shorter stored prefix around a stored one, or 0."""

@final
class Lpm4(Nesting):
    """Longest match of IPv4 addresses; all are unsigned 32-bit integers in the order of the host."""

    def __init__(self) -> None: ...
    @property
    def memory(self) -> int:
        """Octets held, those of the direct table that were never touched included."""

    def add(self, addresses: Buffer, lengths: Buffer, ids: Buffer) -> None:
        """Store prefixes (u32, u8 and u32 each); those before one that raises stay stored.

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
