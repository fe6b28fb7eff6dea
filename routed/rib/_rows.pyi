from collections.abc import Callable

class Rows:
    sequence: int
    skips_unchanged: bool
    clock: Callable[[int], tuple[bytes, bytes]] | None
    marker: Callable[[bytes], bytes] | None
    def __init__(
        self,
        *,
        as_path_array: bool = False,
        communities_array: bool = False,
        communities_numeric: bool = False,
        origin_integer: bool = False,
        all_attributes: bool = False,
        row_end: bytes = ...,
    ) -> None: ...
    @property
    def count(self) -> int: ...
    @property
    def out_of_memory(self) -> bool: ...
    def __len__(self) -> int: ...
    def log(
        self,
        timestamp: bytes,
        peer: bytes,
        tag: bytes | None,
        tagger: Callable[[bytes], bytes | None] | None = None,
    ) -> None: ...
    def log_monitored(self, timestamp: bytes, arrival: bytes) -> None: ...
    def lookup(self) -> None: ...
    def source(
        self,
        keys: bytes,
        vpn_keys: bytes,
        tag: bytes | None,
        tagger: Callable[[bytes], bytes | None] | None,
        end: bytes,
    ) -> None: ...
    def dump(
        self,
        timestamp: bytes,
        peer: bytes,
        tag: bytes | None,
        tagger: Callable[[bytes], bytes | None] | None = None,
    ) -> None: ...
    def take(self) -> bytes: ...
