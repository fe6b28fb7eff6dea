from collections.abc import Callable

from flowcorr.columns._texts import Texts
from routed.rib._resolve import Resolver

Texts4 = tuple[bytes, bytes, bytes, bytes]
Amend = Callable[[int, int, Texts4], tuple[int, int, Texts4]]

class Facts:
    """What flows take from the paths of one plane.

    Args:
        columns: which of `as_path`, `std_comm`, `ext_comm` and `lrg_comm` somebody wants; the others stay empty.
        radius: AS numbers of a path that are shown; 0: all.
        outside: the neighbour AS is the first outside a confederation.
        numeric: communities without names.
        amend: called for each path with its origin AS, neighbour AS and the four texts; returns what they shall be.
    """

    known_count: int
    def __init__(
        self,
        resolver: Resolver,
        texts: Texts,
        columns: frozenset[str],
        *,
        radius: int = 0,
        outside: bool = False,
        numeric: bool = False,
        amend: Amend | None = None,
    ) -> None: ...
    def __len__(self) -> int: ...
    def sweep(self, most: int) -> bool:
        """Look at so many paths and forget those that no table has any more; return whether the round is over."""
