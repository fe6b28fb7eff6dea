from collections.abc import Callable

from flowcorr.correlate._facts import Facts
from flowcorr.correlate._follow import Follower
from routed.rib._resolve import Resolver
from routed.rib._vrps import Vrps

#: exporter, family (4 or 6, plus 256 times what gave the route distinguisher), route distinguisher (8 octets, zero: none), ifIndex in and out (0 unless they matter)
Question = tuple[int, int, bytes, int, int]

class Source:
    """One plane whose routes flows follow.

    Args:
        choose: the number of the view of a question, 0 for none; asked once for each until `forget_views`.
        explain: what `lookup_reason_*` says of a RIB: (view number, place in the view) -> text.
        payloads: returns what origins are validated by, asked once a batch; None: origins are unknown.
        follower: goes on into tables of next hops.
    """

    unmatched: int
    def __init__(
        self,
        resolver: Resolver,
        facts: Facts,
        choose: Callable[[int, int, bytes, int, int], int],
        explain: Callable[[int, int], bytes],
        *,
        payloads: Callable[[], Vrps] | None = None,
        follower: Follower | None = None,
    ) -> None: ...
    def forget_views(self) -> None:
        """Ask `choose` anew: peers or maps have changed."""
