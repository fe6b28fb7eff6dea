from typing import NamedTuple

from routed.rib._rib import PeerRib
from routed.rib._rows import Rows

class Refusal(NamedTuple):
    offset: int
    attribute: int
    verdict: str
    reason: str

class Applied(NamedTuple):
    announced: int
    unchanged: int
    withdrawn: int
    unknown: int
    dropped: int
    end_of_rib: list[tuple[int, int]]
    refusals: list[Refusal]
    refused: dict[tuple[int, str], int]
    reset: int | None
    passed_over: int
    other_families: list[tuple[int, int]]

class Run:
    def __init__(self, peer: PeerRib, octets: bytes) -> None: ...
    @property
    def is_over(self) -> bool: ...
    @property
    def filled_rows(self) -> bool: ...
    def step(self, rows: Rows | None = None) -> Applied | None: ...

def apply(peer: PeerRib, octets: bytes, rows: Rows | None = None) -> Applied: ...
