from array import array
from collections.abc import Sequence

from routed.rib._rib import PeerRib, Rib

class Step:
    safi: int
    rd: bytes
    ribs: tuple[PeerRib, ...]
    def __init__(self, safi: int, rd: bytes, ribs: Sequence[Sequence[PeerRib]]) -> None: ...

class View:
    steps: tuple[Step, ...]
    def __init__(self, steps: Sequence[Step]) -> None: ...
    @property
    def ribs(self) -> tuple[PeerRib, ...]: ...

class Resolver:
    rib: Rib
    def __init__(self, rib: Rib) -> None: ...
    def add(self, view: View) -> int: ...
    def remove(self, number: int) -> None: ...
    def match(
        self, views: array[int], addresses: bytes, next_hops: bytes | None = None
    ) -> list[tuple[int, int, int, int, int] | None]: ...
