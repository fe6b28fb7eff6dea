"""Types of the compiled verification of paths; see `_aspa.pyx` for its theory of operation."""

from collections.abc import Mapping
from typing import final

#: ASes by customer: its providers; AS 0 alone says that there are none.
Aspas = Mapping[int, frozenset[int]]

@final
class Attestations:
    """What ASes say of their providers; never changes."""

    def __init__(self, aspas: Aspas) -> None: ...
    def __len__(self) -> int: ...
    def verdicts(self, as_path: bytes) -> tuple[str, str]:
        """Return what becomes of an AS_PATH, upstream and downstream: each `valid`, `invalid` or `unknown`.

        Octets: n x (type u8, count u8, ASes u32).
        """

    def keys(self, as_path: bytes) -> bytes:
        """Return the same as keys of a record, each with a comma and a blank in front."""
