from collections.abc import Callable
from typing import NamedTuple

from routed.rib._rib import PeerRib, Rib
from routed.rib._rows import Rows
from routed.rib._table import Table
from routed.rib._update import Refusal

class Monitored(NamedTuple):
    announced: int
    unchanged: int
    withdrawn: int
    unknown: int
    dropped: int
    end_of_ribs: int
    orphans: int
    malformed: int
    malformed_of: bytes | None
    refusals: list[Refusal]
    refused: dict[tuple[int, str], int]
    refused_of: bytes | None
    passed_over: int
    other_families: list[tuple[int, int]]

class MonitoredRib(PeerRib):
    guesses_as4: bool
    keys: bytes
    vpn_keys: bytes
    end: bytes
    tag: bytes | None
    tagger: Callable[[bytes], bytes | None] | None
    def reread(self, *, as4: bool, guesses_as4: bool, add_path: int) -> list[tuple[int, Table]]: ...

class MonitoringRun:
    def __init__(
        self,
        rib: Rib,
        octets: bytes,
        peers: dict[bytes, MonitoredRib],
        find: Callable[[bytes, bool], MonitoredRib | None],
        read_stateless: Callable[[bytes, bytes], tuple[bool, bool, int] | None],
    ) -> None: ...
    @property
    def gone(self) -> list[tuple[MonitoredRib, int, Table]]: ...
    @property
    def is_over(self) -> bool: ...
    @property
    def filled_rows(self) -> bool: ...
    def step(self, rows: Rows | None = None) -> Monitored | None: ...
