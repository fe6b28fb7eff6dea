from collections.abc import Sequence
from typing import Any

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.layout import Layout
from flowcorr.correlate._source import Source

class Group:
    """Columns that are decided together.

    Args:
        source: the address that is looked up, `src_host` or `dst_host`.
        mask: column with the prefix length of the protocol, against which a shorter route loses; None: none does.
        keeps: what the protocol says stays where no route wins.
        uses: places of the sources that may win; the first one wins a tie.
        yields: places of those that lose one against the mask.
        columns: column name -> what of the route it takes: origin_as, neighbour_as, local_pref, med, as_path,
            std_comm, ext_comm, lrg_comm, next_hop, mask, net, roa or reason.
    """

    def __init__(
        self,
        source: str,
        *,
        mask: str | None,
        keeps: bool,
        uses: Sequence[int],
        columns: dict[str, str],
        yields: Sequence[int] = (),
    ) -> None: ...

class Enricher:
    """Looks the flows of a batch up and writes what the routes say into their columns.

    Args:
        interfaces: whether views depend on the ifIndexes of a flow; after a change views are to be forgotten.
    """

    interfaces: bool
    lookups: int
    found: int
    def __init__(
        self,
        layout: Layout,
        texts: Texts,
        sources: Sequence[Source],
        groups: Sequence[Group],
        *,
        interfaces: bool = False,
    ) -> None: ...
    def enrich(self, batch: Batch) -> None: ...
    def __call__(self, batch: Batch) -> Any: ...
