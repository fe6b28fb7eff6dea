from collections.abc import Sequence

from flowcorr.columns._batch import Batch
from flowcorr.columns.layout import Layout
from flowcorr.correlate._network_rows import Rows

class Networks:
    """Prefixes and what the file says of them; takes what the rows hold. Of one prefix the last row counts."""

    def __init__(self, rows: Rows) -> None: ...
    def __len__(self) -> int: ...
    @property
    def memory(self) -> int:
        """Octets held."""

    def find(self, address: bytes) -> tuple[int, int, int, bytes] | None:
        """Return length, origin AS, neighbour AS and next hop of the longest prefix around an address of 16 octets."""

class NetworksStage:
    """What a networks file, or a fixed mask, gives flows.

    Args:
        sides: of source and destination the names of host, mask, network, origin AS, neighbour AS and next hop.
        as_from: what AS numbers take of the file: 0 nothing, 1 all, 2 what is at least as long as the mask that is there.
        net_from: the same for mask, network and next hop; the first two take what is longer.
        mask: takes the place of the protocol's; -1: none.
        always: what the file has wins whatever the length.
        filters: ends that the file does not cover are forgotten.
        keeps_hosts: the network of mask 0 is the whole address.

    Raises: ValueError when something is to come from a file, and there is none.
    """

    def __init__(
        self,
        layout: Layout,
        networks: Networks | None,
        sides: Sequence[Sequence[str]],
        *,
        as_from: int = 0,
        net_from: int = 0,
        mask: int = -1,
        always: bool = False,
        filters: bool = False,
        keeps_hosts: bool = False,
    ) -> None: ...
    def __call__(self, batch: Batch) -> None: ...
