from collections.abc import Sequence

from routed.rib._rib import PeerRib, Rib

class View:
    ribs: tuple[tuple[PeerRib, ...], ...]
    steps: tuple[tuple[int, bytes], ...]
    def __init__(self, ribs: Sequence[Sequence[PeerRib]], steps: Sequence[tuple[int, bytes]]) -> None: ...

class Resolver:
    rib: Rib
    def __init__(self, rib: Rib) -> None: ...
    def add(self, view: View) -> int: ...
    def remove(self, number: int) -> None: ...
    def match(
        self,
        views: Sequence[int] | memoryview,
        addresses: bytes,
        next_hops: bytes | None = None,
    ) -> list[tuple[int, int, int, int] | None]: ...
