from collections.abc import Callable

from routed.rib._vrps import Vrps

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
    origins: Vrps | None
    """What origins are validated by; None leaves `roa` out."""
    own_as: int
    """The AS of the speaker whose routes follow: the origin of paths that did not leave it."""
    verifier: Callable[[bytes], bytes] | None
    """Octets of a path's AS_PATH -> more keys, each with a comma and a blank in front; None for none."""

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
