from array import array
from collections.abc import Sequence
from typing_extensions import Buffer

from routed.rib._condition import Condition
from routed.rib._found import Found
from routed.rib._rib import PeerRib, Rib

class Lookups:
    def __init__(self, rib: Rib) -> None: ...
    def longest_match(
        self, family: int, addresses: Buffer, peer: PeerRib | None = None, rd: bytes = b""
    ) -> array[int]: ...
    def exact(self, family: int, address: bytes, length: int, rd: bytes = b"") -> int: ...
    def routes(self, peer: PeerRib, family: int, prefix: int) -> list[tuple[int | None, int]]: ...
    def exact_routes(
        self,
        ribs: Sequence[PeerRib],
        family: int,
        address: bytes,
        length: int,
        rd: bytes = b"",
        *,
        condition: Condition | None = None,
    ) -> Found: ...
    def longest_match_routes(
        self,
        ribs: Sequence[PeerRib],
        family: int,
        address: bytes,
        rd: bytes = b"",
        *,
        condition: Condition | None = None,
    ) -> Found: ...
    def less_specific_routes(
        self,
        ribs: Sequence[PeerRib],
        family: int,
        address: bytes,
        length: int,
        rd: bytes = b"",
        *,
        condition: Condition | None = None,
    ) -> Found: ...
    def prefix(self, family: int, id: int) -> tuple[bytes, int, bytes]: ...
    def path(self, id: int) -> tuple[bytes, bytes, bytes]: ...
