from array import array
from collections.abc import Sequence

from routed.rib._condition import Condition
from routed.rib._found import Cursor, Found
from routed.rib._rib import PeerRib
from routed.rib._vrps import Vrps

Net = tuple[int, bytes, int]

class Search:
    def __init__(
        self,
        ribs: Sequence[PeerRib],
        *,
        families: int = 0xFF,
        condition: Condition | None = None,
        within: Net | None = None,
        around: Net | None = None,
        rd: bytes | None = None,
        origins: tuple[Vrps, bytes] | None = None,
    ) -> None: ...
    def __len__(self) -> int: ...
    @property
    def is_cancelled(self) -> bool: ...
    def run(self, most: int, after: Cursor | None = None) -> Found: ...
    def count(self) -> array[int]: ...
    def cancel(self) -> None: ...
    def close(self) -> None: ...
